package sse

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestMain(m *testing.M) { msgqtest.VerifyTestMain(m) }

// script is a reader whose batches come from a test.
type script struct {
	batches chan msgq.Batch
	pos     msgq.Position
	lost    bool
	away    time.Duration // the broker
}

func (s *script) Next(ctx context.Context) (msgq.Batch, error) {
	select {
	case b := <-s.batches:
		s.pos = b.Position
		return b, nil
	case <-ctx.Done():
		return msgq.Batch{}, ctx.Err()
	}
}

func (s *script) Position() msgq.Position { return s.pos }
func (s *script) Recovered() bool         { return !s.lost }

// serve lets play go on beside a stream and returns what the client got.
func serve(t *testing.T, r *script, play func()) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answer := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/events", nil)
	s := &stream{reader: r, out: newWriter(ctx, echo.New().NewContext(req, answer)), sent: prometheus.NewCounter(prometheus.CounterOpts{}),
		since: time.Now(), outage: func() time.Duration { return r.away }, grace: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	play()
	cancel()
	if err := <-ended; err == nil {
		t.Error("the stream ended without an error")
	}
	s.out.close()
	return answer.Body.String()
}

func at(seq uint64) msgq.Position { return msgq.Position{Seq: seq, Epoch: "e"} }

func batch(seqs ...uint64) msgq.Batch {
	b := msgq.Batch{Position: at(seqs[len(seqs)-1])}
	for _, seq := range seqs {
		b.Messages = append(b.Messages, &msgq.Message{Seq: seq, Topic: "a", ID: "m", DataContentType: "application/json", Data: []byte("{\n}")})
	}
	return b
}

func TestEventsCarryThePositionToResumeFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &script{batches: make(chan msgq.Batch), pos: at(4)}
		got := serve(t, r, func() { r.batches <- batch(5, 7); synctest.Wait() })
		const want = "id: e:4\nevent: position\ndata: {\"type\":\"position\",\"epoch\":\"e\",\"seq\":4}\n\n" +
			"id: e:5\nevent: message\ndata: {\"type\":\"message\",\"seq\":5,\"topic\":\"a\",\"time\":\"0001-01-01T00:00:00Z\",\"message_id\":\"m\"," +
			"\"datacontenttype\":\"application/json\",\"data\":{}}\n\nid: e:7\nevent: message\n"
		if !strings.HasPrefix(got, want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestWhatIsGoneIsToldAsAReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &script{batches: make(chan msgq.Batch), pos: at(4), lost: true}
		got := serve(t, r, func() {
			r.batches <- msgq.Batch{Reset: true, Position: msgq.Position{Seq: 0, Epoch: "f"}}
			synctest.Wait()
		})
		const want = "id: e:4\nevent: reset\ndata: {\"type\":\"reset\",\"epoch\":\"e\",\"seq\":4}\n\n" +
			"id: f:0\nevent: reset\ndata: {\"type\":\"reset\",\"epoch\":\"f\",\"seq\":0}\n\n"
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestQuietStreamShowsThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &script{batches: make(chan msgq.Batch), pos: at(4)}
		got := serve(t, r, func() {
			<-time.After(3*commentEvery + time.Second) // virtual
			synctest.Wait()
		})
		if n := strings.Count(got, ": \n\n"); n != 3 {
			t.Errorf("%d comments in 46 s of silence, want 3: %q", n, got)
		}
	})
}

func TestPositionIsToldAtMostEveryTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &script{batches: make(chan msgq.Batch), pos: at(0)}
		got := serve(t, r, func() {
			for seq := range uint64(200) { // nothing of it matches
				r.batches <- msgq.Batch{Position: at(seq + 1)}
				<-time.After(200 * time.Millisecond) // virtual
			}
		})
		ids := regexp.MustCompile(`id: e:\d+`).FindAllString(got, -1)
		if len(ids) < 4 || len(ids) > 5 { // the first one and one every 10 s of 40
			t.Errorf("positions %q, want the first and one every 10 s", ids)
		}
	})
}
