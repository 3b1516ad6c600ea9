package msgq

import "context"

// Sweeper purges due messages when told to; the client's own does with time.
type Sweeper struct {
	s *sweeper
}

func (c *Client) NewSweeper() *Sweeper { return &Sweeper{s: &sweeper{c: c, copies: copySweeper{c: c}}} }

// Sweep looks at the streams first, as happens every two seconds.
func (s *Sweeper) Sweep(ctx context.Context) error {
	if _, err := s.s.c.streams.allInfo(ctx); err != nil {
		return err
	}
	return s.s.sweep(ctx)
}

// Clean reports whether nothing due was left, and nothing was added since.
func (s *Sweeper) Clean() bool { return s.s.clean == s.s.c.streams.endOfLater() }
