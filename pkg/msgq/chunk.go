package msgq

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/synadia-io/orbit.go/jetstreamext"
)

// chunk is a piece of the stream read once for all readers: everything that the
// stream held with start < seq <= through, less what goes to one queue only.
type chunk struct {
	window
	ready chan struct{} // closed when what follows is set; it is not changed after

	through uint64
	entries []*entry
	gone    uint64 // the stream began behind here: what lay before is lost
	cut     bool   // the window holds too many bytes; through is where they ended
	err     error

	// Under the lock of the chunks:
	read  time.Time // zero until then
	bytes int64
}

// window is what a chunk is known by: so many sequences behind start, a multiple of that.
type window struct{ start, length uint64 }

// after returns what lies behind seq.
func (ch *chunk) after(seq uint64) []*entry {
	i := sort.Search(len(ch.entries), func(i int) bool { return ch.entries[i].Seq > seq })
	return ch.entries[i:]
}

// old reports whether it was read too long ago.
func (ch *chunk) old() bool { return !ch.read.IsZero() && time.Since(ch.read) >= chunkAge }

func (ch *chunk) size() int64 {
	sum := int64(entryOverhead)
	for _, e := range ch.entries {
		sum += e.size()
	}
	return sum
}

// evidence is which part of a window is read of the one before it: a message
// found there proves that the stream did not begin in between, so that nobody
// has to ask. That saves the question unless a run of sequences is missing.
const evidence = 64

// errLagging is returned while a replica answers that is behind the others.
var errLagging = fmt.Errorf("%w: the replica that answered lags", ErrUnavailable)

// load reads the window up to limit, a sequence that the stream was known to
// have reached before.
func (ch *chunk) load(ctx context.Context, c *Client, limit uint64) error {
	from := ch.start + 1 - min(ch.start, ch.length/evidence)
	wanted := min(ch.start+ch.length, limit)
	n := int(wanted - from + 1)
	found, left, err := c.getBatch(ctx, n, jetstreamext.GetBatchSeq(from), jetstreamext.GetBatchMaxBytes(chunkBytes))
	if err != nil {
		return err
	}
	last := from - 1
	for _, raw := range found {
		last = raw.Sequence
		if last > wanted {
			break
		}
		if last > ch.start && strings.HasPrefix(raw.Subject, c.names.topics) {
			ch.entries = append(ch.entries, newEntry(c.names.decode(raw.Subject, raw.Header, raw.Data, last, raw.Time)))
		}
	}
	switch {
	case last > wanted:
		ch.through = last - 1 // nothing is held in between
	case last == wanted:
		ch.through = wanted
	case left > 0 && len(found) < n:
		ch.through, ch.cut = last, true
	default:
		ch.through, err = c.confirmEnd(ctx, last, wanted)
	}
	if err == nil && (len(found) == 0 || found[0].Sequence > ch.start+1) {
		var state streamState
		state, err = c.state(ctx)
		ch.gone = state.First - 1
	}
	return err
}

// confirmEnd is for an answer that ends at last, before the sequence wanted: were
// the ones between deleted, or did a replica answer that has not got them yet?
func (c *Client) confirmEnd(ctx context.Context, last, wanted uint64) (through uint64, err error) {
	next, err := c.find(ctx, question{Seq: last + 1})
	if err != nil {
		return 0, err
	}
	if next.seq != 0 && next.seq <= wanted {
		return 0, brokerError("read the stream", errLagging)
	}
	return wanted, nil
}
