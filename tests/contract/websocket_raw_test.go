package contract_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// frame makes one masked frame of less than 64 KiB; the mask of zeros leaves the data readable.
func frame(first byte, data string) string {
	b := []byte{first, 0x80 | byte(len(data))}
	if len(data) > 125 {
		b = binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(len(data)))
	}
	return string(b) + "\x00\x00\x00\x00" + data
}

// masked makes a short frame whose data is masked as a library would.
func masked(data string) string {
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b := append([]byte{fin | text, 0x80 | byte(len(data))}, mask[:]...)
	for i := range len(data) {
		b = append(b, data[i]^mask[i%4])
	}
	return string(b)
}

const (
	fin                                     = 0x80
	continuation, text, closing, ping, pong = 0x0, 0x1, 0x8, 0x9, 0xA
)

// TestFramesAreHandledAsTheRFCSays writes bytes below what a WebSocket library lets
// pass. The numbers are sections of RFC 6455; where gorilla/websocket deviates from it, docs/protocol.md says so.
func TestFramesAreHandledAsTheRFCSays(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	const question = `{"type":"ping","ref":"é"}`
	split := bytes.IndexByte([]byte(question), 0xC3) + 1 // in the middle of a character
	const protocolError, tooBig = "\x03\xea", "\x03\xf1" // 1002, the reason in words follows, and 1009
	for name, test := range map[string]struct{ send, want string }{
		"5.4 fragments":                      {frame(text, question[:5]) + frame(continuation, question[5:9]) + frame(fin|continuation, question[9:]), `{"type":"pong","ref":"é"}`},
		"5.4 a character over two fragments": {frame(text, question[:split]) + frame(fin|continuation, question[split:]), `{"type":"pong","ref":"é"}`},
		"5.2 a length over two bytes":        {"\x81\xfe\x00\x1a\x00\x00\x00\x00" + question, `{"type":"pong","ref":"é"}`},
		"5.2 a length over eight bytes":      {"\x81\xff\x00\x00\x00\x00\x00\x00\x00\x1a\x00\x00\x00\x00" + question, `{"type":"pong","ref":"é"}`},
		"5.2 a length of 2^63 and more":      {"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", tooBig},
		"5.2 a length that no memory holds":  {"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", tooBig},
		"5.2 an empty message":               {frame(fin|text, "") + frame(fin|text, question), `{"type":"pong","ref":"é"}`},
		"5.3 a mask":                         {masked(question), `{"type":"pong","ref":"é"}`},
		"5.4 fragments too big together":     {frame(text, string(bytes.Repeat([]byte(" "), 40<<10))) + frame(fin|continuation, string(bytes.Repeat([]byte(" "), 40<<10))), tooBig},
		"5.4 a hundred fragments":            {frame(text, "") + strings.Repeat(frame(continuation, " "), 100) + frame(fin|continuation, question), `{"type":"pong","ref":"é"}`},
		"5.4 an empty fragment":              {frame(text, "") + frame(fin|continuation, question), `{"type":"pong","ref":"é"}`},
		"5.5 a ping between fragments":       {frame(text, question[:5]) + frame(fin|ping, "p") + frame(fin|continuation, question[5:]), "\x8a\x01p"},
		"5.5.2 a ping with data":             {frame(fin|ping, "hello"), "\x8a\x05hello"},
		"5.5.3 a pong that nobody asked for": {frame(fin|pong, "x") + frame(fin|ping, "y"), "\x8a\x01y"},
		"5.5.3 pongs of 125 bytes":           {strings.Repeat(frame(fin|pong, strings.Repeat("x", 125)), 9) + frame(fin|text, question), `{"type":"pong","ref":"é"}`},
		"5.5.3 a pong between fragments":     {frame(text, question[:5]) + frame(fin|pong, "p") + frame(fin|continuation, question[5:]), `{"type":"pong","ref":"é"}`},
		"5.5 a pong over 125 bytes":          {frame(fin|pong, string(make([]byte, 126))), protocolError},
		"5.5 a pong in fragments":            {frame(pong, "x"), protocolError},
		"5.1 a pong that is not masked":      {"\x8a\x01x", protocolError},
		"5.2 RSV1":                           {frame(fin|0x40|text, question), protocolError},
		"5.2 RSV2":                           {frame(fin|0x20|text, question), protocolError},
		"5.2 RSV3":                           {frame(fin|0x10|text, question), protocolError},
		"5.2 opcode 3":                       {frame(fin|0x3, ""), protocolError},
		"5.2 opcode 11":                      {frame(fin|0xB, ""), protocolError},
		"5.1 not masked":                     {"\x81\x02{}", protocolError},
		"5.4 continuation of nothing":        {frame(fin|continuation, question), protocolError},
		"5.4 text within fragments":          {frame(text, "{") + frame(fin|text, question), protocolError},
		"5.5 a ping in fragments":            {frame(ping, "x"), protocolError},
		"5.5 a ping over 125 bytes":          {frame(fin|ping, string(make([]byte, 126))), protocolError},
		"5.5 a ping of 125 bytes":            {frame(fin|ping, strings.Repeat("p", 125)), "\x8a\x7d" + strings.Repeat("p", 125)},
		"5.5.1 a close between fragments":    {frame(text, "{") + frame(fin|closing, "\x03\xe8"), "\x88\x02\x03\xe8"},
		"5.5.1 a close":                      {frame(fin|closing, "\x03\xe8"), "\x88\x02\x03\xe8"},
		"5.5.1 a close without a code":       {frame(fin|closing, ""), "\x88\x00"},
		"5.5.1 a close with a reason":        {frame(fin|closing, "\x03\xe8bye"), "\x88\x02\x03\xe8"},
		"5.5.1 a reason that is not UTF-8":   {frame(fin|closing, "\x03\xe8\xff"), protocolError},
		"5.5.1 a close of one byte":          {frame(fin|closing, "\x03"), "\x88\x00"},
		"7.4 a close of an application":      {frame(fin|closing, "\x0f\xa0"), "\x88\x02\x0f\xa0"},
		"7.4 a close with 999":               {frame(fin|closing, "\x03\xe7"), protocolError},
		"7.4 a close with 1005":              {frame(fin|closing, "\x03\xed"), protocolError},
		"8.1 not UTF-8 over two fragments":   {frame(text, "\"\xc3") + frame(fin|continuation, "\""), "\x88\x0b\x03\xefnot UTF-8"},
		"5.6 a binary frame":                 {frame(fin|0x2, "x"), "\x88\x12\x03\xebtext frames only"},
	} {
		t.Run(name, func(t *testing.T) {
			exchangeRaw(t, s.Dial(t, nil).Conn.NetConn(), test.send, test.want)
		})
	}
}

func TestFrameMayComeByteByByte(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	raw := s.Dial(t, nil).Conn.NetConn()
	for _, b := range []byte(frame(fin|text, `{"type":"ping","ref":7}`)) {
		exchangeRaw(t, raw, string([]byte{b}), "")
	}
	exchangeRaw(t, raw, "", `{"type":"pong","ref":7}`)
}

// Whoever tells of a close says nothing after it, and the connection ends.
func TestNothingComesAfterTheAnswerToAClose(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	raw := s.Dial(t, nil).Conn.NetConn()
	exchangeRaw(t, raw, frame(fin|closing, "\x03\xe8")+frame(fin|ping, "late"), "")
	rest, err := io.ReadAll(raw)
	if !bytes.Equal(rest, []byte("\x88\x02\x03\xe8")) || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %q and %v, want the answer to the close and the end", rest, err)
	}
}

// exchangeRaw writes, and reads until want came.
func exchangeRaw(t *testing.T, raw net.Conn, send, want string) {
	t.Helper()
	_ = raw.SetDeadline(time.Now().Add(msgqtest.Timeout))
	if _, err := raw.Write([]byte(send)); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for buf := make([]byte, 512); !bytes.Contains(got, []byte(want)); {
		n, err := raw.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			t.Fatalf("got %q and %v, want %q", got, err, want)
		}
	}
	if strings.Contains(send, "\x88") {
		return // a close is answered with its own code
	}
	if i := bytes.IndexByte(got, fin|closing); i >= 0 && len(got) >= i+4 {
		if err := seen.close(int(binary.BigEndian.Uint16(got[i+2:]))); err != nil {
			t.Error(err)
		}
	}
}
