//go:build unix

package msgqtest

import (
	"os/exec"
	"testing"
)

func TestBrokerThatDidNotStartEndsWithItsTest(t *testing.T) {
	p := &Process{cmd: exec.CommandContext(t.Context(), "/no/such/broker")}
	if err := p.cmd.Start(); err == nil {
		t.Fatal("it started")
	}
	p.Kill()
}
