package main

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"time"
)

// scanner counts messages, in a WebSocket stream by looking at frame headers and
// newlines only.
type scanner struct {
	events   bool // of server-sent events
	upgraded bool
	head     []byte // the beginning of a frame that is not all here
	left     int    // of the frame's payload
	messages bool   // the frame holds messages
}

type sighting struct {
	upgraded                    bool
	messages, subscribed, pings int
}

// headBytes is enough to tell what a frame holds: a header and the beginning of its first object.
const headBytes = 4 + len(`{"type":"message"`)

var typeMessage, typeSubscribed = []byte(`"type":"message"`), []byte(`"type":"subscribed"`)

func (s *scanner) feed(p []byte) (seen sighting) {
	if len(s.head) > 0 {
		p = append(s.head, p...)
		s.head = nil
	}
	if !s.upgraded {
		end := bytes.Index(p, []byte("\r\n\r\n"))
		if end < 0 {
			s.head = slices.Clone(p)
			return seen
		}
		s.upgraded, seen.upgraded = true, true
		p = p[end+4:]
	}
	if s.events {
		return s.feedEvents(p, seen)
	}
	return s.feedFrames(p, seen)
}

func (s *scanner) feedFrames(p []byte, seen sighting) sighting {
	for len(p) > 0 {
		if s.left == 0 {
			header, length := parseHeader(p)
			if header == 0 || len(p) < header+min(length, headBytes) {
				s.head = slices.Clone(p)
				return seen
			}
			if p[0]&15 == 9 {
				seen.pings++
			}
			s.left = length
			p = p[header:]
			s.messages = bytes.HasPrefix(p, []byte(`{"type":"message"`))
			if s.messages {
				seen.messages++
			}
		}
		n := min(s.left, len(p))
		if s.messages {
			seen.messages += bytes.Count(p[:n], []byte{'\n'})
		} else {
			seen.messages += bytes.Count(p[:n], typeMessage)
		}
		seen.subscribed += s.countSubscribed(p[:n])
		s.left -= n
		p = p[n:]
	}
	return seen
}

// What a message and a position, which each stream begins with, have. Both are of one length, so
// that what is kept of p for the next call holds neither.
var eventMessage, eventPosition = []byte("\nevent: m"), []byte("\nevent: p")

func (s *scanner) feedEvents(p []byte, seen sighting) sighting {
	seen.messages = bytes.Count(p, eventMessage)
	seen.subscribed = bytes.Count(p, eventPosition)
	s.head = append(s.head, p[max(0, len(p)-len(eventMessage)+1):]...)
	return seen
}

// countSubscribed looks for an answer where one may be.
func (s *scanner) countSubscribed(p []byte) int {
	if s.messages {
		return 0
	}
	return bytes.Count(p, typeSubscribed)
}

// parseHeader returns the lengths of a frame's header, 0 if it is not all there, and payload.
func parseHeader(p []byte) (header, payload int) {
	if len(p) < 2 {
		return 0, 0
	}
	switch n := int(p[1] & 127); {
	case n < 126:
		return 2, n
	case n == 126 && len(p) >= 4:
		return 4, int(binary.BigEndian.Uint16(p[2:]))
	case n == 127 && len(p) >= 10:
		return 10, int(binary.BigEndian.Uint64(p[2:]))
	}
	return 0, 0
}

// sample notes the age of each message that stands whole in p.
func (f *fleet) sample(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.sampling {
		return
	}
	now := time.Now().UnixNano()
	for {
		i := bytes.Index(p, []byte(`{"t":`))
		if i < 0 {
			return
		}
		p = p[i+5:]
		end := bytes.IndexByte(p, ',')
		if end < 0 {
			return
		}
		if at, err := strconv.ParseInt(string(p[:end]), 10, 64); err == nil {
			f.latencies = append(f.latencies, time.Duration(now-at))
		}
	}
}

// takeLatencies begins another sample.
func (f *fleet) takeLatencies(on bool) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	taken := f.latencies
	f.latencies, f.sampling = nil, on
	return taken
}

func percentile99(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(float64(len(all)-1)*0.99)]
}
