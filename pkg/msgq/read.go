package msgq

import (
	"context"
	"fmt"
	"time"
)

// Page is a piece of the stream's history.
type Page struct {
	// Messages matched, oldest first.
	Messages []*Message
	// Position behind everything looked at: read on with [After].
	Position Position
	// More: the stream held messages behind Position when the page was begun.
	More bool
	// Recovered is false where messages that were asked for are gone.
	Recovered bool
}

// What one page takes at most, whatever the filter leaves of it.
const (
	pageTime  = 2 * time.Second
	pageBytes = 4 << 20 // or one message
)

// Read reads history from where a live subscription would begin, up to the
// stream's present end, at most limit messages. It may return fewer, even none, with
// More set: after 2 s of looking, or 4 MiB. Errors: those of [Client.Live].
func (c *Client) Read(ctx context.Context, l Live, limit int) (Page, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	s, err := c.Live(ctx, l)
	if err != nil {
		return Page{}, err
	}
	defer s.Close()
	state, err := c.state(ctx)
	if err != nil {
		return Page{}, err
	}
	if state.Epoch != s.pos.Epoch {
		return Page{}, fmt.Errorf("read: %w: the stream was replaced just now", ErrUnavailable)
	}
	r := pageReader{s: s, end: state.Last, left: max(limit, 1), until: time.Now().Add(pageTime), page: Page{Recovered: s.recovered}}
	for s.pos.Seq < r.end && !r.full() {
		if err := r.step(ctx); err != nil {
			return Page{}, err
		}
	}
	r.page.Position, r.page.More = s.pos, s.pos.Seq < r.end
	return r.page, nil
}

// pageReader gathers one page.
type pageReader struct {
	s     *LiveSubscription
	end   uint64
	left  int // messages
	bytes int64
	until time.Time
	page  Page
}

func (r *pageReader) full() bool {
	return r.left <= 0 || r.bytes >= pageBytes || time.Now().After(r.until)
}

// step takes what is wanted of the next chunk.
func (r *pageReader) step(ctx context.Context) error {
	ch, err := r.s.c.chunkBehind(ctx, r.s.pos.Seq, r.end)
	if err != nil {
		return err
	}
	if r.s.pos.Seq < ch.gone {
		r.s.pos.Seq, r.page.Recovered = ch.gone, false
		return nil
	}
	for _, m := range r.s.take(ch.after(r.s.pos.Seq), ch.through).Messages {
		r.page.Messages = append(r.page.Messages, m)
		r.left--
		r.bytes += int64(len(m.Data))
		if r.full() {
			r.s.pos.Seq = m.Seq
			return nil
		}
	}
	return nil
}
