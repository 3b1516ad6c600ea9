package httpapi

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

const (
	headerIdempotencyKey = "Idempotency-Key"
	headerPrefix         = "Msgq-Header-"
	headerTTL            = "Msgq-Ttl" // as Go spells it
	headerDelay          = "Msgq-Delay"
	headerDeliverAt      = "Msgq-Deliver-At"
)

// readHeaders makes a message of all that stands in a request's headers.
func readHeaders(h http.Header) (m msgq.Message, opts []msgq.PublishOption, err error) {
	if n := len(h["Content-Type"]); n > 1 {
		return m, nil, badRequest("invalid_header", fmt.Sprintf("%d Content-Type headers, one is allowed.", n))
	}
	m.DataContentType = h.Get("Content-Type")
	if m.ID, err = idempotencyKey(h); err != nil {
		return m, nil, err
	}
	m.Headers = messageHeaders(h)
	opts, err = publishOptions(joined(h, headerDelay), joined(h, headerDeliverAt), joined(h, headerTTL))
	return m, opts, err
}

// joined is nil where the header is absent. Several are joined, as a proxy may
// do, and so become text that is no duration and no time.
func joined(h http.Header, name string) *string {
	values := h[name]
	if len(values) == 0 {
		return nil
	}
	text := strings.Join(values, ", ")
	return &text
}

// idempotencyKey reads the message id, bare or as a quoted string of RFC 8941.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values(headerIdempotencyKey)
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", badRequest("invalid_id", fmt.Sprintf("%d Idempotency-Key headers, one is allowed.", len(values)))
	}
	key := values[0]
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(key[1 : len(key)-1])
	}
	if key == "" {
		return "", badRequest("invalid_id", "The Idempotency-Key is empty; leave the header out for a fresh id.")
	}
	return key, nil
}

// messageHeaders are the Msgq-Header-NAME ones and the trace context.
func messageHeaders(h http.Header) map[string]string {
	headers := make(map[string]string)
	for key, values := range h {
		if name, ok := strings.CutPrefix(key, headerPrefix); ok {
			headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	if parent := h["Traceparent"]; len(parent) == 1 && validTraceparent(parent[0]) {
		headers["traceparent"] = parent[0]
		if state := strings.Join(h["Tracestate"], ","); validTracestate(state) {
			headers["tracestate"] = state
		}
	}
	return headers
}

// traceparent is the header of W3C Trace Context: version, trace, parent, flags, and in versions to come perhaps more.
var traceparent = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-[\x21-\x7e]*)?$`)

// validTracestate goes by W3C Trace Context; 512 bytes is what everybody has to pass on.
func validTracestate(value string) bool {
	state, err := trace.ParseTraceState(value)
	return err == nil && state.Len() > 0 && len(value) <= 512
}

func validTraceparent(value string) bool {
	part := traceparent.FindStringSubmatch(value)
	return part != nil && part[1] != "ff" && strings.Trim(part[2], "0") != "" && strings.Trim(part[3], "0") != "" &&
		(part[1] != "00" || part[4] == "")
}
