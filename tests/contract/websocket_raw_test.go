package contract_test

import (
	"bytes"
	"encoding/binary"
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

const (
	fin                                     = 0x80
	continuation, text, closing, ping, pong = 0x0, 0x1, 0x8, 0x9, 0xA
)

// TestFramesAreHandledAsTheRFCSays writes bytes below what a WebSocket library lets
// pass. The numbers are sections of RFC 6455. Known deviation of gorilla/websocket: what is
// not UTF-8 is found when the whole message is there, not at its first wrong fragment; a close
// of one byte is answered like an empty one, not with 1002; a length with its highest bit
// set ends the connection without a close.
func TestFramesAreHandledAsTheRFCSays(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	const question = `{"type":"ping","ref":"é"}`
	split := bytes.IndexByte([]byte(question), 0xC3) + 1 // in the middle of a character
	const protocolError = "\x03\xea"                     // 1002; the reason in words follows
	for name, test := range map[string]struct{ send, want string }{
		"5.4 fragments":                           {frame(text, question[:5]) + frame(continuation, question[5:9]) + frame(fin|continuation, question[9:]), `{"type":"pong","ref":"é"}`},
		"5.4 a character over two fragments":      {frame(text, question[:split]) + frame(fin|continuation, question[split:]), `{"type":"pong","ref":"é"}`},
		"5.4 an empty fragment":                   {frame(text, "") + frame(fin|continuation, question), `{"type":"pong","ref":"é"}`},
		"5.5 a ping between fragments":            {frame(text, question[:5]) + frame(fin|ping, "p") + frame(fin|continuation, question[5:]), "\x8a\x01p"},
		"5.5.2 a ping with data":                  {frame(fin|ping, "hello"), "\x8a\x05hello"},
		"5.5.3 a pong that nobody asked for":      {frame(fin|pong, "x") + frame(fin|ping, "y"), "\x8a\x01y"},
		"5.2 RSV1":                                {frame(fin|0x40|text, question), protocolError},
		"5.2 RSV2":                                {frame(fin|0x20|text, question), protocolError},
		"5.2 RSV3":                                {frame(fin|0x10|text, question), protocolError},
		"5.2 opcode 3":                            {frame(fin|0x3, ""), protocolError},
		"5.2 opcode 11":                           {frame(fin|0xB, ""), protocolError},
		"5.1 not masked":                          {"\x81\x02{}", protocolError},
		"5.4 continuation of nothing":             {frame(fin|continuation, question), protocolError},
		"5.4 text within fragments":               {frame(text, "{") + frame(fin|text, question), protocolError},
		"5.5 a ping in fragments":                 {frame(ping, "x"), protocolError},
		"5.5 a ping over 125 bytes":               {frame(fin|ping, string(make([]byte, 126))), protocolError},
		"5.5.1 a close":                           {frame(fin|closing, "\x03\xe8"), "\x88\x02\x03\xe8"},
		"5.5.1 a close of one byte":               {frame(fin|closing, "\x03"), "\x88\x00"},
		"7.4 a close with 1005":                   {frame(fin|closing, "\x03\xed"), protocolError},
		"8.1 not UTF-8 over two fragments":        {frame(text, "\"\xc3") + frame(fin|continuation, "\""), "\x88\x0b\x03\xefnot UTF-8"},
		"5.2 no payload":                          {frame(fin|text, "") + frame(fin|ping, "y"), "\x8a\x01y"},
		"5.5 a ping of 125 bytes":                 {frame(fin|ping, strings.Repeat("p", 125)), "\x8a\x7d" + strings.Repeat("p", 125)},
		"5.5.1 a close between fragments":         {frame(text, "{") + frame(fin|closing, "\x03\xe8"), "\x88\x02\x03\xe8"},
		"5.5.1 a close whose reason is not UTF-8": {frame(fin|closing, "\x03\xe8\xff"), protocolError},
		"7.4 a close with 999":                    {frame(fin|closing, "\x03\xe7"), protocolError},
		"7.4.2 a close with a code of ours":       {frame(fin|closing, "\x0f\xa0bye"), "\x88\x02\x0f\xa0"},
		"5.6 a binary frame":                      {frame(fin|0x2, "x"), "\x88\x12\x03\xebtext frames only"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := s.Dial(t, nil).Conn.NetConn()
			_ = raw.SetDeadline(time.Now().Add(msgqtest.Timeout))
			if _, err := raw.Write([]byte(test.send)); err != nil {
				t.Fatal(err)
			}
			var got []byte
			for buf := make([]byte, 512); !bytes.Contains(got, []byte(test.want)); {
				n, err := raw.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					t.Fatalf("got %q and %v, want %q", got, err, test.want)
				}
			}
		})
	}
}
