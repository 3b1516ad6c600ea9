package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/gorilla/websocket"
)

// silence after which a connection is taken for dead: the service pings every 25 s.
const silence = 60 * time.Second

// dial opens a WebSocket. Where it makes no sense to try again the error is a backoff.PermanentError.
func (f subscribeFlag) dial(ctx context.Context) (*websocket.Conn, error) {
	url := strings.Replace(string(f.SubscribeURL), "http", "ws", 1) + "/v1/ws"
	dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second, Subprotocols: []string{"msgq.v1"}}
	header := http.Header{}
	f.authorize(header)
	ws, res, err := dialer.DialContext(ctx, url, header)
	if err == nil {
		return ws, nil
	}
	if res != nil && res.StatusCode < http.StatusInternalServerError {
		text, _ := io.ReadAll(res.Body) // gorilla holds its beginning
		return nil, backoff.Permanent(fmt.Errorf("%s: %w", url, refused(res.StatusCode, text)))
	}
	return nil, fmt.Errorf("%w (is the subscribe service running? --subscribe-url says where)", err)
}

// receive reads one connection until enough has come, it fails, or the context ends.
func (r *receiver) receive(ctx context.Context) error {
	ws, err := r.cmd.dial(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	defer stop()
	defer func() { _ = ws.Close() }()
	ping := ws.PingHandler()
	ws.SetPingHandler(func(data string) error {
		_ = ws.SetReadDeadline(time.Now().Add(silence))
		return ping(data)
	})
	if err := ws.WriteJSON(r.subscribeFrame()); err != nil {
		return err
	}
	return r.readFrames(ws)
}

func (r *receiver) readFrames(ws *websocket.Conn) error {
	for {
		_ = ws.SetReadDeadline(time.Now().Add(silence))
		_, data, err := ws.ReadMessage()
		if err != nil {
			return closed(err)
		}
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			done, err := r.handle(line, func(v any) error { return ws.WriteJSON(v) })
			if err != nil {
				return err
			}
			if done {
				return r.finish(ws)
			}
		}
	}
}

// finish waits until the last acknowledgement is confirmed, and says goodbye.
func (r *receiver) finish(ws *websocket.Conn) error {
	for confirmed := r.lastTag == ""; !confirmed; {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return closed(err)
		}
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			var f frame
			if json.Unmarshal(line, &f) == nil && f.Ref == r.lastTag {
				confirmed = true // or refused: the event was printed, and comes again
			}
		}
	}
	return ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
}

// closed tells whether it makes sense to connect again: not after 44xx other than 4408 and 4429.
func closed(err error) error {
	var c *websocket.CloseError
	if errors.As(err, &c) && c.Code/100 == 44 && c.Code != 4408 && c.Code != 4429 {
		return backoff.Permanent(fmt.Errorf("the service closed the connection: %d %s", c.Code, c.Text))
	}
	return err
}

// stripDelivery leaves of a message frame what is the message: type and id are the subscription's.
func stripDelivery(line []byte) []byte {
	return bytes.Replace(line, []byte(`"type":"message","id":"msgq",`), nil, 1)
}
