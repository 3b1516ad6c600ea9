package filter

import (
	"strings"
	"sync"
	"time"
)

// Event is what a filter sees of one message. The payload is decoded when the
// first filter asks for it, and only then. Once the fields are set it is safe for
// concurrent use by any number of filters; it must not be copied or changed after
// its first use. The zero value is a message without a payload.
type Event struct {
	// Topic and ID are the message's.
	Topic, ID string
	// Seq is its sequence in the stream.
	Seq uint64
	// Time is when it was stored.
	Time time.Time
	// Headers may be nil.
	Headers map[string]string
	// DataContentType decides whether Data is read as JSON: application/json, or
	// anything that ends in +json.
	DataContentType string
	// Data is the raw payload.
	Data []byte

	once    sync.Once
	decoded any
}

// payload is the decoded data, nil where it is not valid JSON.
func (e *Event) payload() any {
	e.once.Do(func() {
		if isJSON(e.DataContentType) {
			e.decoded = decode(e.Data)
		}
	})
	return e.decoded
}

func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	if strings.EqualFold(media, "application/json") {
		return true
	}
	const suffix = "+json"
	return len(media) > len(suffix) && strings.EqualFold(media[len(media)-len(suffix):], suffix)
}
