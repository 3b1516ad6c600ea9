package msgq

import (
	"fmt"
	"time"
)

// Position is a place in the stream: everything up to and with Seq lies before
// it. Resume with [After].
type Position struct {
	Seq   uint64
	Epoch string
}

// From says where a subscription starts. The zero value is [FromNew].
type From struct {
	kind fromKind
	pos  Position
	time time.Time
	last int
}

type fromKind int

const (
	fromNew fromKind = iota
	fromAll
	fromAfter
	fromTime
	fromLast
)

// MaxLast is the most that [FromLast] goes back.
const MaxLast = 10_000

// FromNew starts with the first message stored after the subscription.
func FromNew() From { return From{} }

// FromAll starts with the oldest message held.
func FromAll() From { return From{kind: fromAll} }

// After goes on behind a position. An empty epoch stands for the present one.
func After(p Position) From { return From{kind: fromAfter, pos: p} }

// FromTime starts with the first message stored at t or later.
func FromTime(t time.Time) From {
	if t.IsZero() { // refused later
		return From{kind: fromTime}
	}
	if t.Before(earliest) {
		t = earliest
	}
	if t.After(latest) {
		t = latest
	}
	return From{kind: fromTime, time: t}
}

// The broker counts nanoseconds since 1970 in 64 bits, which end in 1677 and in 2262: what lies beyond would turn into another time.
var (
	earliest = time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2260, 1, 1, 0, 0, 0, 0, time.UTC)
)

// FromLast starts with the last n messages of the subscription's patterns,
// 1 to [MaxLast]; a filter is applied to those.
func FromLast(n int) From { return From{kind: fromLast, last: n} }

func (f From) validate() error {
	switch {
	case f.kind == fromLast && (f.last < 1 || f.last > MaxLast):
		return fmt.Errorf("%w: last %d, 1 to %d are allowed", ErrInvalidFrom, f.last, MaxLast)
	case f.kind == fromTime && f.time.IsZero():
		return fmt.Errorf("%w: the time is zero", ErrInvalidFrom)
	}
	return nil
}
