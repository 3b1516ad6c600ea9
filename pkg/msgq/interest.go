package msgq

import (
	"strings"

	"github.com/nats-io/nats-server/v2/server/gsl"
)

// interests wakes readers that wait at the head, and only those whose patterns
// cover the new message: of 5,000 clients that each listen to a topic of their
// own, one message wakes one. The owner locks.
type interests struct {
	byTopic *gsl.GenericSublist[*interest]
	byKey   map[string]*interest
}

// interest is what all readers with the same patterns share.
type interest struct {
	key      string
	patterns []string
	tokens   [][]string // of the patterns
	readers  int
	waiting  *wakeup // nil while nobody waits
}

// wakeup is closed for all that wait on it at once.
type wakeup struct {
	woken chan struct{}
	quiet uint64 // nothing of interest up to here; read it after woken
}

func newInterests() interests {
	return interests{byTopic: gsl.NewSublist[*interest](), byKey: make(map[string]*interest)}
}

// join adds a reader; its patterns are valid.
func (in *interests) join(patterns []string) *interest {
	patterns = minimalPatterns(patterns)
	key := strings.Join(patterns, " ")
	i := in.byKey[key]
	if i == nil {
		i = &interest{key: key, patterns: patterns}
		for _, p := range patterns {
			i.tokens = append(i.tokens, strings.Split(p, "."))
			_ = in.byTopic.Insert(p, i) // refuses invalid ones only
		}
		in.byKey[key] = i
	}
	i.readers++
	return i
}

// leave takes a reader away.
func (in *interests) leave(i *interest) {
	i.readers--
	if i.readers > 0 {
		return
	}
	delete(in.byKey, i.key)
	for _, p := range i.patterns {
		_ = in.byTopic.Remove(p, i) // join has put it there
	}
}

// published wakes those who wait for the topic.
func (in *interests) published(topic string, seq uint64) {
	in.byTopic.Match(topic, func(i *interest) { i.wake(seq - 1) })
}

// wakeAll has everyone look again.
func (in *interests) wakeAll(quiet uint64) {
	for _, i := range in.byKey {
		i.wake(quiet)
	}
}

func (i *interest) wake(quiet uint64) {
	if i.waiting == nil {
		return
	}
	i.waiting.quiet = quiet
	close(i.waiting.woken)
	i.waiting = nil
}

// wait returns what the next message of interest closes.
func (i *interest) wait() *wakeup {
	if i.waiting == nil {
		i.waiting = &wakeup{woken: make(chan struct{})}
	}
	return i.waiting
}

// covers is [MatchTopic] for any of the patterns and a topic that is split already.
func (i *interest) covers(topic []string) bool {
	for _, p := range i.tokens {
		if matchTokens(p, topic) {
			return true
		}
	}
	return false
}

func matchTokens(pattern, topic []string) bool {
	for n, p := range pattern {
		switch {
		case n == len(topic):
			return false
		case p == ">":
			return true
		case p != "*" && p != topic[n]:
			return false
		}
	}
	return len(pattern) == len(topic)
}
