package faults_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// Ten messages were read. Then the stream is another one: every client has to be told, on its
// connection and when it comes back with a position of the old one, and goes on with what there is.
func TestEveryClientIsToldThatTheStreamIsAnotherOne(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, s *stack, backup string){
		"deleted":     func(t *testing.T, s *stack, _ string) { deleteStream(t, s) },
		"rolled back": rollBack,
		"rolled back and filled to where it was": func(t *testing.T, s *stack, backup string) {
			rollBack(t, s, filledCopy(t, backup, 5))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startStack(t)
			publishNumbers(t, s, 0, 5)
			backup := backUp(t, s)
			watchers := []watcher{
				watchSocket(t, s, map[string]any{"from": "all"}),
				watchSocket(t, s, map[string]any{"from": "all", "filter": "data.n >= 0"}),
				watchEvents(t, s, "topics=n&from=all"),
			}
			publishNumbers(t, s, 5, 10)
			epoch := s.Dial(t, nil).Welcome.Epoch
			for _, w := range watchers {
				if reset := w.readTo(9); reset != nil {
					t.Fatalf("told of another stream too early: %s", reset.Raw)
				}
			}

			change(t, s, backup)
			s.WaitReady(t)
			msgqtest.Eventually(t, "the epoch is another", func() bool {
				now := s.Dial(t, nil).Welcome.Epoch
				return now != "" && now != epoch
			})
			publishNumbers(t, s, 100, 105)
			after := map[string]any{"from": map[string]any{"after": 10, "epoch": epoch}}
			watchers = append(watchers, watchSocket(t, s, after),
				watchEvents(t, s, "topics=n", fmt.Sprintf("Last-Event-ID: %s:10", epoch)))
			for i, w := range watchers {
				if reset := w.readTo(104); reset == nil || reset.Epoch == epoch || reset.Epoch == "" {
					t.Errorf("client %d was told %+v, want a new epoch", i, reset)
				}
			}
		})
	}
}

// watcher reads up to the message with this number, and returns what told of another stream on the way.
type watcher struct {
	readTo func(n int) (reset *harness.Frame)
}

func watchSocket(t *testing.T, s *stack, fields map[string]any) watcher {
	t.Helper()
	ws := s.Dial(t, nil)
	request := map[string]any{"type": "subscribe", "id": "s", "topics": []string{"n"}}
	maps.Copy(request, fields)
	ws.Send(request)
	return watcher{func(n int) (reset *harness.Frame) {
		for {
			f := ws.Next()
			switch {
			case f.Type == "error":
				t.Fatalf("got %s", f.Raw)
			case f.Type == "subscribed" && !*f.Recovered:
				reset = &f
			case f.Type == "message" && string(f.Data) == number(n):
				return reset
			}
		}
	}}
}

func watchEvents(t *testing.T, s *stack, query string, headers ...string) watcher {
	t.Helper()
	events := s.Events(t, query, headers...)
	return watcher{func(n int) (reset *harness.Frame) {
		for {
			e := events.Next()
			switch {
			case e.Kind == "reset":
				reset = &e.Frame
			case e.Kind == "message" && string(e.Data) == number(n):
				return reset
			}
		}
	}}
}

func number(n int) string { return fmt.Sprintf(`{"n":%d}`, n) }

func publishNumbers(t *testing.T, s *stack, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		s.Publish(t, "n", number(n))
	}
}

// dataDir is the broker's: startStack gives it after --data.
func (s *stack) dataDir() string { return s.broker.args[3] }

// backUp copies the data of the stopped broker.
func backUp(t *testing.T, s *stack) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "backup")
	s.broker.end(syscall.SIGTERM)
	msgqtest.ReplaceDir(t, dir, s.dataDir())
	s.broker.run()
	s.WaitReady(t)
	return dir
}

func rollBack(t *testing.T, s *stack, backup string) {
	t.Helper()
	s.broker.end(syscall.SIGKILL)
	msgqtest.ReplaceDir(t, s.dataDir(), backup)
	s.broker.run()
}

// filledCopy has so many other messages behind those of the backup.
func filledCopy(t *testing.T, backup string, n int) (dir string) {
	t.Helper()
	other := startStack(t)
	other.broker.end(syscall.SIGKILL)
	msgqtest.ReplaceDir(t, other.dataDir(), backup)
	other.broker.run()
	other.WaitReady(t)
	publishNumbers(t, other, 50, 50+n)
	other.broker.end(syscall.SIGTERM)
	return other.dataDir()
}

func deleteStream(t *testing.T, s *stack) {
	t.Helper()
	js := msgqtest.JetStream(t, s.natsURL())
	if err := js.DeleteStream(msgqtest.Context(t), "EVENTS"); err != nil {
		t.Fatal(err)
	}
}
