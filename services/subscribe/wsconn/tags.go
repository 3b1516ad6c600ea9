package wsconn

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// tags name the deliveries of one membership. A tag of another one means nothing here.
type tags struct {
	prefix string

	mu   sync.Mutex
	open map[uint64]*msgq.Delivery
	last uint64
}

func newTags() *tags {
	return &tags{prefix: rand.Text()[:8] + ".", open: make(map[uint64]*msgq.Delivery)}
}

// append names a delivery and appends the name to b.
func (t *tags) append(b []byte, d *msgq.Delivery) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.open) >= 2*msgq.MaxCredit { // expired ones stay until somebody looks
		for n, old := range t.open {
			if old.Settled() {
				delete(t.open, n)
			}
		}
	}
	t.last++
	t.open[t.last] = d
	return strconv.AppendUint(append(b, t.prefix...), t.last, 10)
}

// delivery finds what can still be settled.
func (t *tags) delivery(tag string) (*msgq.Delivery, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.open[t.number(tag)]
	if d == nil || d.Settled() {
		return nil, &codedError{code: "unknown_tag", message: fmt.Sprintf("tags: %.64q is unknown here, settled or expired", tag)}
	}
	return d, nil
}

func (t *tags) forget(tag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, t.number(tag))
}

// number is 0, which none has, for what is no tag of ours.
func (t *tags) number(tag string) uint64 {
	digits, ours := strings.CutPrefix(tag, t.prefix)
	n, err := strconv.ParseUint(digits, 10, 64)
	if !ours || err != nil {
		return 0
	}
	return n
}
