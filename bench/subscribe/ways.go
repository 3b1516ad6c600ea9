package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func listen(ctx context.Context) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
}

// clock counts messages up to the whole backlog.
type clock struct {
	mu    sync.Mutex
	left  int
	start time.Time
	took  time.Duration
	done  chan struct{}
}

func (b *bench) clock() *clock {
	return &clock{left: b.backlog, start: time.Now(), done: make(chan struct{})}
}

func (c *clock) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.left
	if c.left -= n; before > 0 && c.left <= 0 {
		c.took = time.Since(c.start)
		close(c.done)
	}
}

// wait is the time from the beginning, the queue's creation included, to the last message.
func (c *clock) wait(ctx context.Context) (time.Duration, error) {
	select {
	case <-c.done:
		return c.took, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (b *bench) raw(ctx context.Context) (time.Duration, error) {
	nc, err := nats.Connect(b.broker)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return 0, err
	}
	clock := b.clock()
	consumer, err := js.CreateConsumer(ctx, "EVENTS", jetstream.ConsumerConfig{
		Durable: "raw", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "events.t." + topic, MaxAckPending: 20_000,
	})
	if err != nil {
		return 0, err
	}
	defer func() { _ = js.DeleteConsumer(ctx, "EVENTS", "raw") }()
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		_ = m.Ack() // lost with the connection only, and then the count stops
		clock.count(1)
	})
	if err != nil {
		return 0, err
	}
	defer consuming.Stop()
	return clock.wait(ctx)
}

const (
	members = 8
	credit  = 100
)

func (b *bench) sockets(ctx context.Context) (time.Duration, error) {
	defer func() { _ = b.queue(ctx, http.MethodDelete, "") }()
	clock := b.clock()
	var reading sync.WaitGroup
	defer reading.Wait()
	sockets := make([]*websocket.Conn, 0, members)
	defer func() {
		for _, ws := range sockets {
			_ = ws.Close()
		}
	}()
	for range members {
		ws, _, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+b.service+"/v1/ws", nil)
		if err != nil {
			return 0, err
		}
		sockets = append(sockets, ws)
		subscribe := fmt.Sprintf(`{"type":"subscribe","id":"m","queue":"bench","topics":[%q],"from":"all","credit":%d}`, topic, credit)
		if err := ws.WriteMessage(websocket.TextMessage, []byte(subscribe)); err != nil {
			return 0, err
		}
		reading.Go(func() { b.member(ws, clock) })
	}
	return clock.wait(ctx)
}

// member acknowledges what one frame brought at once, until its connection ends.
func (b *bench) member(ws *websocket.Conn, clock *clock) {
	tagsOf := scanTags
	if b.decode {
		tagsOf = decodeTags
	}
	var tags []string
	for {
		_, frame, err := ws.ReadMessage()
		if err != nil {
			return
		}
		tags = tags[:0]
		for line := range bytes.SplitSeq(frame, []byte("\n")) {
			tags = tagsOf(tags, line)
		}
		if len(tags) == 0 {
			continue
		}
		clock.count(len(tags))
		ack, _ := json.Marshal(map[string]any{"type": "ack", "id": "m", "tags": tags})
		if ws.WriteMessage(websocket.TextMessage, ack) != nil {
			return
		}
	}
}

// scanTags looks for the tag alone. What a client does with a message is its own affair:
// on the machine that serves it too, it takes from the rate of the service.
func scanTags(tags []string, line []byte) []string {
	if _, rest, ok := bytes.Cut(line, []byte(`"tag":"`)); ok {
		tag, _, _ := bytes.Cut(rest, []byte(`"`))
		tags = append(tags, string(tag))
	}
	return tags
}

func decodeTags(tags []string, line []byte) []string {
	var m struct{ Type, Tag string }
	if json.Unmarshal(line, &m) == nil && m.Type == "message" {
		tags = append(tags, m.Tag)
	}
	return tags
}

func (b *bench) webhook(ctx context.Context) (time.Duration, error) {
	listener, err := listen(ctx)
	if err != nil {
		return 0, err
	}
	clock := b.clock()
	receiver := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			clock.count(1)
		}),
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = receiver.Serve(listener) }()
	defer func() { _ = receiver.Close(); <-served }()
	defer func() { _ = b.queue(ctx, http.MethodDelete, "") }()
	settings := fmt.Sprintf(`{"topics":[%q],"from":"all","push":{"url":"http://%s/","concurrency":32,"secret":%q}}`,
		topic, listener.Addr(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err := b.queue(ctx, http.MethodPut, settings); err != nil {
		return 0, err
	}
	return clock.wait(ctx)
}

// queue asks the service for something about the one queue.
func (b *bench) queue(ctx context.Context, method, body string) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+b.service+"/v1/queues/bench", strings.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode > 299 {
		text, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s: %d %s", method, res.StatusCode, text)
	}
	return nil
}
