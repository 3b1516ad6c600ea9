package msgqtest

import (
	"os"
	"testing"
)

// ReplaceDir has to hold a copy of from, and nothing else: as when a stopped broker's
// data are backed up, or the backup is put back.
func ReplaceDir(t testing.TB, to, from string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
