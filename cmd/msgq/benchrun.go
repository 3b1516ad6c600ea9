package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// bench is one run: publishers and subscribers on a topic of its own.
type bench struct {
	cmd       *benchCommand
	topic     string
	cancel    context.CancelCauseFunc
	published func()
}

// benchTTL is when the messages are forgotten.
const benchTTL = "10m"

// run publishes all once every subscriber is there, and waits until each has all.
func (b *bench) run(ctx context.Context) (publish, deliver measured, err error) {
	sockets := make([]*websocket.Conn, b.cmd.Subscribers)
	defer func() {
		for _, ws := range sockets {
			if ws != nil {
				_ = ws.Close()
			}
		}
	}()
	for i := range sockets {
		if sockets[i], err = b.subscribe(ctx); err != nil {
			return publish, deliver, err
		}
	}
	stop := context.AfterFunc(ctx, func() {
		for _, ws := range sockets {
			_ = ws.Close()
		}
	})
	defer stop()
	start := time.Now()
	received := make([][]time.Duration, len(sockets))
	var subscribers sync.WaitGroup
	for i, ws := range sockets {
		subscribers.Go(func() { received[i] = b.receive(ws) })
	}
	publish = b.publish(ctx)
	publish.total = time.Since(start)
	subscribers.Wait()
	deliver = measured{each: slices.Concat(received...), total: time.Since(start)}
	return publish, deliver, context.Cause(ctx)
}

func (b *bench) publish(ctx context.Context) measured {
	client := newPublishClient(b.cmd.publishFlag, b.cmd.tokenFlag, io.Discard)
	transport := &http.Transport{MaxIdleConnsPerHost: b.cmd.Publishers}
	client.http.Transport = transport
	defer transport.CloseIdleConnections()
	took := make([]time.Duration, b.cmd.Messages)
	padding := strings.Repeat("x", b.cmd.Size-len(benchData(time.Now(), "")))
	var next atomic.Int64
	var publishers sync.WaitGroup
	for range b.cmd.Publishers {
		publishers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(took) {
					return
				}
				start := time.Now()
				e := event{Topic: b.topic, ID: fmt.Sprint(i), Type: "application/json", TTL: benchTTL, Data: benchData(start, padding)}
				if _, err := client.post(ctx, e); err != nil {
					b.cancel(err)
					return
				}
				took[i] = time.Since(start)
				b.published()
			}
		})
	}
	publishers.Wait()
	return measured{each: took}
}

// benchData tells when the message was published.
func benchData(at time.Time, padding string) []byte {
	return fmt.Appendf(nil, `{"at":%d,"padding":%q}`, at.UnixNano(), padding)
}

func (b *bench) subscribe(ctx context.Context) (*websocket.Conn, error) {
	ws, err := b.cmd.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := ws.WriteJSON(map[string]any{"type": "subscribe", "id": "msgq", "topics": []string{b.topic}}); err != nil {
		return ws, err
	}
	_ = ws.SetReadDeadline(time.Now().Add(requestTimeout))
	for { // welcome comes first
		var f frame
		if err := ws.ReadJSON(&f); err != nil {
			return ws, closed(err)
		}
		switch f.Type {
		case "subscribed":
			return ws, nil
		case "error":
			return ws, fmt.Errorf("%s: %s", f.Code, f.Message)
		}
	}
}

// receive returns how long each message took to come here.
func (b *bench) receive(ws *websocket.Conn) []time.Duration {
	took := make([]time.Duration, 0, b.cmd.Messages)
	for len(took) < b.cmd.Messages {
		_ = ws.SetReadDeadline(time.Now().Add(silence))
		_, data, err := ws.ReadMessage()
		if err != nil {
			b.cancel(fmt.Errorf("a subscriber got %d of %d messages: %w", len(took), b.cmd.Messages, err))
			return took
		}
		now := time.Now().UnixNano()
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			var f struct {
				Type string
				Data struct{ At int64 }
			}
			if json.Unmarshal(line, &f) == nil && f.Type == "message" {
				took = append(took, time.Duration(now-f.Data.At))
			}
		}
	}
	return took
}
