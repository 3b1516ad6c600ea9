package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// Frame is one object from the server: the fields of every type.
type Frame struct {
	Type, ID, Code, Message   string
	Ref                       json.RawMessage
	Retryable                 bool
	Connection, Epoch, Server string
	Limits                    map[string]int
	Seq, From, To             uint64
	Recovered                 *bool
	Topic                     string
	Time                      time.Time
	MessageID                 string `json:"message_id"`
	Headers                   map[string]string
	DataContentType           string
	Data                      json.RawMessage
	DataBase64                *string `json:"data_base64"`
	Tag                       string
	Attempt                   int
	Raw                       string `json:"-"` // the object as it came
}

// CheckFrame has to find every object from the server right, where it is set; that is before the tests run.
var CheckFrame func(kind, raw string) error

// CheckClose is CheckFrame for the close codes.
var CheckClose func(code int) error

// Socket is a WebSocket client for one goroutine. What goes wrong fails the test.
type Socket struct {
	// Conn is the connection itself, for what the protocol does not allow.
	Conn *websocket.Conn
	// Welcome is the first object.
	Welcome Frame

	t     testing.TB
	lines []Frame // of the last frame, not yet looked at
}

// Dial connects to /v1/ws with the subprotocol, unless the header offers others,
// and takes the welcome. The connection ends with the test.
func (s *Stack) Dial(t testing.TB, header http.Header) *Socket {
	t.Helper()
	return s.dialFrom(t, header, new(net.Dialer))
}

// DialNarrow is Dial for a client whose kernel takes little before the client reads.
func (s *Stack) DialNarrow(t testing.TB) *Socket {
	t.Helper()
	return s.dialFrom(t, nil, narrow)
}

// narrow connects with a receive buffer of 128 KiB: else a kernel may take tens of MiB, and nothing ever stalls.
var narrow = &net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 64<<10)
	})
	return errors.Join(err, failed)
}}

func (s *Stack) dialFrom(t testing.TB, header http.Header, from *net.Dialer) *Socket {
	t.Helper()
	if header.Get("Sec-Websocket-Protocol") == "" {
		header = header.Clone()
		if header == nil {
			header = http.Header{}
		}
		header.Set("Sec-Websocket-Protocol", "msgq.v1")
	}
	conn, res, err := s.dial(t, header, from)
	if err != nil {
		t.Fatalf("dial: %v (%+v)", err, res)
	}
	ws := &Socket{Conn: conn, t: t}
	ws.Welcome = ws.WaitType("welcome")
	return ws
}

// DialRefused returns the answer to a handshake that the server must refuse.
func (s *Stack) DialRefused(t testing.TB, header http.Header) Response {
	t.Helper()
	_, res, err := s.dial(t, header, new(net.Dialer))
	if !errors.Is(err, websocket.ErrBadHandshake) {
		t.Fatalf("dial: %v, want a refused handshake", err)
	}
	body, _ := io.ReadAll(res.Body) // gorilla holds its beginning
	return Response{Status: res.StatusCode, Header: res.Header, Body: body}
}

func (s *Stack) dial(t testing.TB, header http.Header, from *net.Dialer) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	dialer := websocket.Dialer{NetDialContext: from.DialContext, HandshakeTimeout: msgqtest.Timeout}
	url := "ws" + strings.TrimPrefix(s.SubscribeURL, "http") + "/v1/ws"
	conn, res, err := dialer.DialContext(msgqtest.Context(t), url, header)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, res, err
}

// Send sends one object.
func (ws *Socket) Send(object any) {
	ws.t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		ws.t.Fatal(err)
	}
	ws.SendText(string(text))
}

// SendText sends one text frame as it is.
func (ws *Socket) SendText(text string) {
	ws.t.Helper()
	if err := ws.Conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		ws.t.Fatal(err)
	}
}

// Next waits for the next object; a frame may hold several.
func (ws *Socket) Next() Frame {
	ws.t.Helper()
	if len(ws.lines) == 0 {
		if err := ws.read(); err != nil {
			ws.t.Fatalf("waiting for an object: %v", err)
		}
	}
	f := ws.lines[0]
	ws.lines = ws.lines[1:]
	return f
}

// Unread has Next return the object again.
func (ws *Socket) Unread(f Frame) { ws.lines = append([]Frame{f}, ws.lines...) }

// WaitType waits for an object of this type. Others before it are dropped, but
// an error that was not asked for fails the test.
func (ws *Socket) WaitType(want string) Frame {
	ws.t.Helper()
	for {
		f := ws.Next()
		if f.Type == want {
			return f
		}
		if f.Type == "error" {
			ws.t.Fatalf("got %s, want %s", f.Raw, want)
		}
	}
}

// WaitRef waits for the answer with this ref. Others before it stay to be read.
func (ws *Socket) WaitRef(ref string) Frame {
	ws.t.Helper()
	var before []Frame
	for {
		f := ws.Next()
		if string(f.Ref) == ref {
			ws.lines = append(before, ws.lines...)
			return f
		}
		before = append(before, f)
	}
}

// CloseCode reads to the end of the connection and returns the server's close code.
func (ws *Socket) CloseCode() int {
	ws.t.Helper()
	for {
		err := ws.read()
		if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
			if CheckClose != nil {
				if err := CheckClose(closed.Code); err != nil {
					ws.t.Error(err)
				}
			}
			return closed.Code
		}
		if err != nil {
			ws.t.Fatalf("waiting for the close: %v", err)
		}
	}
}

func (ws *Socket) read() error {
	_ = ws.Conn.SetReadDeadline(time.Now().Add(msgqtest.Timeout))
	_, frame, err := ws.Conn.ReadMessage()
	if err != nil {
		return err
	}
	for line := range bytes.SplitSeq(frame, []byte("\n")) {
		f := Frame{Raw: string(line)}
		if err := json.Unmarshal(line, &f); err != nil {
			ws.t.Fatalf("%q: %v", line, err)
		}
		if CheckFrame != nil {
			if err := CheckFrame(f.Type, f.Raw); err != nil {
				ws.t.Errorf("%.500s: %v", f.Raw, err)
			}
		}
		ws.lines = append(ws.lines, f)
	}
	return nil
}
