package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestRestoredHasClientsTold(t *testing.T) {
	s := start(t)
	ws := s.Dial(t, nil)
	ws.Send(map[string]any{"type": "subscribe", "id": "s", "topics": []string{"a"}})
	old := ws.WaitType("subscribed")
	r := command(t, "", "restored")
	if r.code != 0 || !strings.Contains(r.out, "the epoch is") || strings.Contains(r.out, old.Epoch) {
		t.Fatalf("%+v", r)
	}
	if f := ws.WaitType("subscribed"); f.Recovered == nil || *f.Recovered || !strings.Contains(r.out, f.Epoch) {
		t.Errorf("the client got %s, want to be told of the epoch in %q", f.Raw, r.out)
	}
	again := s.Dial(t, nil)
	again.Send(map[string]any{"type": "subscribe", "id": "s", "topics": []string{"a"}, "from": map[string]any{"after": old.Seq, "epoch": old.Epoch}})
	if f := again.WaitType("subscribed"); f.Recovered == nil || *f.Recovered {
		t.Errorf("a position of before: %s", f.Raw)
	}
	msgqtest.Eventually(t, "the service is ready", func() bool {
		return s.Do(t, http.MethodGet, s.SubscribeURL+"/readyz", "").Status == http.StatusOK
	})
}
