package wire

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/rawjson"
)

// AppendMessage appends the fields of [NewMessage], as [Line] writes them but without
// braces. It is what each delivery costs, so it goes round encoding/json where that finds nothing to escape.
func AppendMessage(b []byte, m *msgq.Message) []byte {
	b = strconv.AppendUint(append(b, `"seq":`...), m.Seq, 10)
	b = appendString(append(b, `,"topic":`...), m.Topic)
	b = m.Time.UTC().AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano)
	b = appendString(append(b, `","message_id":`...), m.ID)
	if len(m.Headers) > 0 {
		b = append(append(b, `,"headers":`...), Line(m.Headers)...)
	}
	b = appendString(append(b, `,"datacontenttype":`...), m.DataContentType)
	switch formOf(m) {
	case asJSON:
		if compact, err := rawjson.AppendCompact(append(b, `,"data":`...), m.Data); err == nil {
			return compact
		}
	case asText:
		if utf8.Valid(m.Data) {
			return append(append(b, `,"data":`...), Line(string(m.Data))...)
		}
	}
	b = base64.StdEncoding.AppendEncode(append(b, `,"data_base64":"`...), m.Data)
	return append(b, '"')
}

// appendString appends s as JSON.
func appendString(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return append(b, Line(s)...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
