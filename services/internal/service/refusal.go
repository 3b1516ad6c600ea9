package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/moogar0880/problems"
	"github.com/nats-io/nuid"

	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// refusing has net/http's own refusals, of what is not HTTP and reaches no handler, answered with
// problem details like all others.
type refusing struct{ net.Listener }

func (l refusing) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &refusingConn{TCPConn: tcp}, err
	}
	return conn, err
}

type refusingConn struct {
	*net.TCPConn
	last  []byte // what was read last, which is what is refused; a part of net/http's buffer
	asked bool   // and nothing was written since
}

func (c *refusingConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if len(b) > 1 { // not the byte that is read ahead while a request is handled
		c.last, c.asked = b[:n], true
	}
	return n, err
}

// refusalHeaders is what net/http sends in one write with the status line of a refusal, and with no other
// answer: net/http/server.go, errorHeaders.
var refusalHeaders = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// maxRefusal is longer than any that net/http sends.
const maxRefusal = 512

func (c *refusingConn) Write(b []byte) (int, error) {
	first := c.asked // of an answer: what is within a body is nobody's refusal
	c.asked = false
	line, status, ok := refusal(b)
	if !first || !ok {
		return c.TCPConn.Write(b)
	}
	if _, err := c.TCPConn.Write(c.answer(line, status)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// isRequestLine reports whether a text begins with a line that net/http does not refuse.
func isRequestLine(text []byte) bool {
	line, _, _ := bytes.Cut(text, []byte("\r\n"))
	part := bytes.Split(line, []byte(" "))
	if len(part) != 3 || !bytes.HasPrefix(part[2], []byte("HTTP/1.")) {
		return false
	}
	_, err := url.ParseRequestURI(string(part[1]))
	return err == nil
}

func refusal(b []byte) (line []byte, status int, ok bool) {
	if len(b) > maxRefusal {
		return nil, 0, false
	}
	line, rest, _ := bytes.Cut(b, []byte("\r\n"))
	if !bytes.HasPrefix(rest, refusalHeaders[2:]) && !bytes.HasPrefix(line, []byte("HTTP/1.1 417 ")) || len(line) < len("HTTP/1.1 400") {
		return nil, 0, false
	}
	status, err := strconv.Atoi(string(line[len("HTTP/1.1 "):len("HTTP/1.1 400")]))
	return line, status, err == nil && status >= http.StatusBadRequest
}

func (c *refusingConn) answer(line []byte, status int) []byte {
	code, detail := "invalid_request", "This is not a request of HTTP/1.1: its first line, a header or the length is malformed."
	switch {
	case bytes.Contains(line, []byte(" header")), status == http.StatusBadRequest && isRequestLine(c.last): // so it is what follows
		code, detail = "invalid_header", "The name or the value of a header has a character that is not allowed there, or Host is missing."
	case status == http.StatusRequestHeaderFieldsTooLarge:
		code, detail = "too_large", fmt.Sprintf("The headers take more than %d bytes.", maxHeaderBytes)
	case status == http.StatusExpectationFailed:
		detail = "The header Expect is not understood; 100-continue is."
	case status == http.StatusNotImplemented:
		detail = "The Transfer-Encoding is not understood; chunked is."
	case status == http.StatusHTTPVersionNotSupported:
		detail = "The version of HTTP is not understood; 1.0 and 1.1 are."
	}
	id := nuid.Next()
	body, _ := json.Marshal(problem.New(status, code, detail).Details(id)) // of strings and a number
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nX-Request-Id: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), problems.ProblemMediaType, id, len(body), body)
}
