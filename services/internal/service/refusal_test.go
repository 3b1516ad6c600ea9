package service

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// What stands in a body must never be taken for a refusal, wherever net/http begins to write.
func TestBodiesThatLookLikeRefusalsArriveAsTheyAre(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var body string
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, body)
	})}
	go func() { _ = srv.Serve(refusing{l}) }()
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, line := range []string{"HTTP/1.1 417 ", "HTTP/1.1 400 Bad Request" + string(refusalHeaders)} {
		for padding := range len(line) {
			body = strings.Repeat("x", padding) + strings.Repeat(line, 10_000/len(line))
			res, err := client.Get("http://" + l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || string(got) != body {
				t.Fatalf("padding %d: %d bytes, %v, want %d", padding, len(got), err, len(body))
			}
		}
	}
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nExpect: y\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusExpectationFailed || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%+v, %v", res, err)
	}
}
