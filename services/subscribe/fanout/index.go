package fanout

import (
	"github.com/nats-io/nats-server/v2/server/gsl"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

// index finds the groups that a message is for: by topic first, then by the
// filters that hold. It belongs to the hub's loop.
type index struct {
	topics    *gsl.GenericSublist[*interest]
	byPattern map[string]*interest

	// The interests in the topic looked up last: bursts are often of one topic.
	topic string
	found []*interest
}

// interest is a set of patterns and the groups that have it.
type interest struct {
	key      string
	patterns []string
	plain    []*group // without filter
	filtered map[*filter.Entry][]*group
	visit    uint64 // the lookup that has found it: several of its patterns may match
}

func newIndex() index {
	return index{topics: gsl.NewSublist[*interest](), byPattern: make(map[string]*interest)}
}

func (x *index) add(g *group) {
	in := x.byPattern[g.key.patterns]
	if in == nil {
		in = &interest{key: g.key.patterns, patterns: g.patterns, filtered: make(map[*filter.Entry][]*group)}
		for _, p := range in.patterns {
			_ = x.topics.Insert(p, in) // refuses invalid patterns only
		}
		x.byPattern[in.key] = in
		x.topic, x.found = "", nil
	}
	g.interest = in
	if g.key.filter == nil {
		in.plain = append(in.plain, g)
	} else {
		in.filtered[g.key.filter] = append(in.filtered[g.key.filter], g)
	}
}

func (x *index) remove(g *group) {
	in := g.interest
	if g.key.filter == nil {
		in.plain = without(in.plain, g)
	} else if rest := without(in.filtered[g.key.filter], g); len(rest) > 0 {
		in.filtered[g.key.filter] = rest
	} else {
		delete(in.filtered, g.key.filter)
	}
	if len(in.plain) > 0 || len(in.filtered) > 0 {
		return
	}
	for _, p := range in.patterns {
		_ = x.topics.Remove(p, in) // add has put it there
	}
	delete(x.byPattern, in.key)
	x.topic, x.found = "", nil
}

func without(groups []*group, g *group) []*group {
	for i := range groups {
		if groups[i] == g {
			groups[i] = groups[len(groups)-1]
			groups[len(groups)-1] = nil
			return groups[:len(groups)-1]
		}
	}
	return groups
}

// match calls found with each group that the message is for, once. holding is asked
// for the filters that hold only where there are any.
func (x *index) match(m *msgq.Message, holding func() []*filter.Entry, found func(*group)) {
	var entries []*filter.Entry
	asked := false
	for _, in := range x.interests(m) {
		for _, g := range in.plain {
			found(g)
		}
		if len(in.filtered) == 0 {
			continue
		}
		if !asked {
			entries, asked = holding(), true
		}
		for _, e := range entries {
			for _, g := range in.filtered[e] {
				found(g)
			}
		}
	}
}

func (x *index) interests(m *msgq.Message) []*interest {
	if m.Topic == x.topic {
		return x.found
	}
	x.topic, x.found = m.Topic, x.found[:0]
	x.topics.Match(m.Topic, func(in *interest) {
		if in.visit != m.Seq {
			in.visit = m.Seq
			x.found = append(x.found, in)
		}
	})
	return x.found
}
