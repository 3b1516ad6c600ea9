package sse

import (
	"context"
	"net/http"
	"net/http/httptest"
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

func TestEventsCarryThePositionToResumeFrom(t *testing.T) {
	enc := encoding{prometheus.NewCounter(prometheus.CounterOpts{})}
	pos := msgq.Position{Epoch: "e", Seq: 5}
	for want, got := range map[string][]byte{
		"id: e:5\nevent: message\ndata: {\"type\":\"message\",\"seq\":5}\n\n":                   enc.Message(nil, pos, []byte(`"seq":5}`)),
		"id: e:5\nevent: position\ndata: {\"type\":\"position\",\"epoch\":\"e\",\"seq\":5}\n\n": enc.Position(nil, pos),
		"id: e:5\nevent: reset\ndata: {\"type\":\"reset\",\"epoch\":\"e\",\"seq\":5}\n\n":       enc.Reset(nil, pos),
	} {
		if string(got) != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// client takes what is written while it does not hold.
type client struct {
	*httptest.ResponseRecorder
	hold chan struct{} // closed: it takes all
}

func (c *client) Write(b []byte) (int, error) {
	<-c.hold
	return c.ResponseRecorder.Write(b)
}

// serve runs a stream beside play and returns how it ended.
func serve(t *testing.T, c *client, outage time.Duration, play func(*stream)) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/events", nil)
	s := newStream(func() time.Duration { return outage }, time.Minute)
	s.out = newWriter(ctx, echo.New().NewContext(req, c))
	defer s.out.close()
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, []byte("hello ")) }()
	play(s)
	cancel()
	return <-ended
}

func willing() *client {
	c := &client{httptest.NewRecorder(), make(chan struct{})}
	close(c.hold)
	return c
}

func TestQuietStreamShowsThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := willing()
		_ = serve(t, c, 0, func(s *stream) {
			<-time.After(10 * time.Second) // virtual, and so are the others
			if err := s.Put(t.Context(), []byte("event ")); err != nil {
				t.Error(err)
			}
			<-time.After(3*commentEvery + time.Second)
			synctest.Wait()
		})
		if got, want := c.Body.String(), "hello event "+strings.Repeat(": \n\n", 3); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestStreamEndsWhenTheBrokerIsGoneTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := serve(t, willing(), time.Hour, func(*stream) { <-time.After(time.Minute + 2*commentEvery) })
		if err != errForsaken { //nolint:errorlint // as it is
			t.Errorf("got %v, want %v", err, errForsaken)
		}
	})
}

func TestFrameIsInUseUntilItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &client{httptest.NewRecorder(), make(chan struct{})}
		put := make(chan error, 1)
		_ = serve(t, c, 0, func(s *stream) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { put <- s.Put(ctx, []byte("event ")) }()
			synctest.Wait()
			c.hold <- struct{}{} // the greeting is taken, the frame waits
			synctest.Wait()
			cancel()
			synctest.Wait()
			if len(put) > 0 {
				t.Error("Put has returned while its frame is written")
			}
			close(c.hold)
			synctest.Wait()
		})
		if err := <-put; err != nil || c.Body.String() != "hello event " {
			t.Errorf("got %q, %v", c.Body.String(), err)
		}
	})
}
