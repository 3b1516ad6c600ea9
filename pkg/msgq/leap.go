package msgq

import "context"

// leapAfter is how many chunks a reader goes through that have nothing for it, before it leaps. What is
// read is shared with others, a leap is not: thousands that resume at once shall not ask for one each.
const leapAfter = 64

// leap steps over what has nothing for the reader, up to limit at most, however long it is. If it
// cannot tell, the reader reads on.
func (s *LiveSubscription) leap(ctx context.Context, limit uint64) {
	if s.pos.Seq >= limit {
		return
	}
	before, err := s.c.seqBeforeFirst(ctx, s.interest.patterns, streamState{First: s.pos.Seq + 1, Last: limit})
	if err != nil {
		return
	}
	state, err := s.c.state(ctx) // after that: what was gone from the start by then, the chunks tell of
	if err == nil && state.Epoch == s.pos.Epoch && state.First <= s.pos.Seq+1 {
		s.pos.Seq = before
	}
}
