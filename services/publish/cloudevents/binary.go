package cloudevents

import (
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

const headerPrefix = "Ce-" // as Go spells it

// IsBinary reports whether the headers are those of an event in binary mode.
func IsBinary(h http.Header) bool {
	for _, name := range []string{"Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type"} {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}

// Binary reads an event whose attributes are headers and whose data is the body.
func Binary(h http.Header, data []byte) (Event, error) {
	e := Event{Attributes: make(map[string]string), DataContentType: h.Get("Content-Type"), Data: data}
	for key, values := range h {
		name, ok := strings.CutPrefix(key, headerPrefix)
		if !ok {
			continue
		}
		name = strings.ToLower(name)
		switch {
		case len(values) > 1:
			return Event{}, invalid("the header ce-%s is there %d times", name, len(values))
		case name == "datacontenttype":
			return Event{}, invalid("datacontenttype is the header Content-Type, not ce-datacontenttype")
		}
		value, ok := decode(values[0])
		if !ok {
			return Event{}, invalid("the header ce-%s is not UTF-8, once its percent-encoding is undone", name)
		}
		e.Attributes[name] = value
	}
	return e, e.check()
}

// decode is the inverse of section 3.1.3.2 of the HTTP binding: quotes, which
// older versions sent, and then percent-encoded UTF-8. It is false for what is
// not UTF-8 then, such as the overlong %C0%A0. A percent sign that encodes
// nothing is one: the Go SDK sends values as they are.
func decode(value string) (string, bool) {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = unquote(value[1 : len(value)-1])
	}
	text := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if value[i] == '%' && i+2 < len(value) {
			if c, err := strconv.ParseUint(value[i+1:i+3], 16, 8); err == nil {
				text = append(text, byte(c))
				i += 2
				continue
			}
		}
		text = append(text, value[i])
	}
	return string(text), utf8.Valid(text)
}

func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
