package containers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/tests/harness"
)

// event is a line of the test data.
type event struct {
	Topic string          `json:"topic"`
	Data  json.RawMessage `json:"data"`
}

// message is an event as it was stored.
type message struct {
	seq       uint64
	id, topic string
	data      json.RawMessage
}

func (e event) isIssue() bool { return strings.HasPrefix(e.Topic, "github.issues.") }

// marker is an event that only says: nothing comes after this.
func marker(topic string) event { return event{Topic: topic, Data: json.RawMessage(`{"end":true}`)} }

func readEvents(t *testing.T) []event {
	t.Helper()
	text, err := os.ReadFile("../testdata/github-events.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	var events []event
	for line := range bytes.Lines(text) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("test data, line %d: %v", len(events)+1, err)
		}
		events = append(events, e)
	}
	return events
}

// errTryAgain: whether the message was stored is not known; the same again is safe.
var errTryAgain = errors.New("not stored for certain")

// publish sends one event, once.
func (s *stack) publish(ctx context.Context, e event, id string) (message, error) {
	m := message{id: id, topic: e.Topic, data: e.Data}
	url := s.PublishURL + "/v1/topics/" + e.Topic + "/messages"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(e.Data))
	if err != nil {
		return m, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", id)
	res, err := s.Client.Do(req)
	if err != nil {
		return m, fmt.Errorf("%w: %w", errTryAgain, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil || res.StatusCode == http.StatusServiceUnavailable:
		return m, fmt.Errorf("%w: %s %s", errTryAgain, res.Status, body)
	case res.StatusCode != http.StatusCreated && res.StatusCode != http.StatusOK:
		return m, fmt.Errorf("publish %s: %s %s", e.Topic, res.Status, body)
	}
	var stored harness.Receipt
	if err := json.Unmarshal(body, &stored); err != nil {
		return m, fmt.Errorf("publish %s: answer %s: %w", e.Topic, body, err)
	}
	if stored.ID != id {
		return m, fmt.Errorf("publish %s: stored as %q, want %q", e.Topic, stored.ID, id)
	}
	m.seq = stored.Seq
	return m, nil
}

// publishUntil publishes the events over and over in the background, one after
// another, each until it is stored, and after stop a marker. An error closes the channel early.
func (s *stack) publishUntil(t *testing.T, stop <-chan struct{}, prefix string, events []event) <-chan message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	out := make(chan message, 10_000) // more than it gets done: it shall not wait for its reader
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		defer close(out)
		for i, last := 0, false; !last; i++ {
			e := events[i%len(events)]
			select {
			case <-stop:
				e, last = marker("end"), true
			default:
			}
			e.Topic = prefix + e.Topic
			m, err := s.publishUntilStored(ctx, e, fmt.Sprintf("%s%d", prefix, i))
			if err != nil {
				t.Error(err)
				return
			}
			out <- m
		}
	}()
	return out
}

func (s *stack) publishUntilStored(ctx context.Context, e event, id string) (message, error) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		m, err := s.publish(ctx, e, id)
		if !errors.Is(err, errTryAgain) {
			return m, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return m, fmt.Errorf("%w; last: %w", ctx.Err(), err)
		}
	}
}
