// Package auth tells from a token what its bearer may do.
package auth

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// Grant is what a bearer may do. The zero value allows nothing. What is not
// allowed is a problem with the code forbidden.
type Grant struct {
	// Subject names the bearer.
	Subject string
	// Publish and Subscribe are patterns of topics.
	Publish, Subscribe []string
	// Queues are names, or "*" for each.
	Queues []string
	// Filter limits every message that the bearer sees. Empty: it does not.
	Filter string
	// Admin allows what concerns everybody.
	Admin bool
	// Expires is when all of this ends; zero: never.
	Expires time.Time
}

// anyone is everybody's where nobody has to authenticate.
var anyone = &Grant{Publish: []string{">"}, Subscribe: []string{">"}, Queues: []string{"*"}, Admin: true}

// Publishes allows publishing to a topic, or to all topics of a pattern.
func (g *Grant) Publishes(topic string) error {
	if covers(g.Publish, topic) {
		return nil
	}
	return forbidden("The token does not allow publishing to %q.", topic)
}

// Subscribes allows seeing the topics of the patterns.
func (g *Grant) Subscribes(patterns ...string) error {
	for _, p := range patterns {
		if !covers(g.Subscribe, p) {
			return forbidden("The token does not allow subscribing to %q.", p)
		}
	}
	return nil
}

// Unfiltered allows what a filter cannot narrow; instead is what it can.
func (g *Grant) Unfiltered(instead string) error {
	if g.Filter == "" {
		return nil
	}
	return forbidden("The token has a filter, and what it hides would show here. Use %s.", instead)
}

// Narrow is the filter own, as far as the bearer may see. Its error is a [filter.Error].
func (g *Grant) Narrow(own string) (string, error) {
	if g.Filter == "" {
		return own, nil
	}
	text, err := filter.And(g.Filter, own)
	if err != nil {
		return "", fmt.Errorf("%w: %w", msgq.ErrInvalidFilter, err)
	}
	return text, nil
}

// Works allows being a worker of the queue.
func (g *Grant) Works(queue string) error {
	if g.names(queue) {
		return nil
	}
	return forbidden("The token does not name the queue %q.", queue)
}

// Limit has the queue give the bearer only what he may see, and keeps it from being created by who may
// only work for it. Where it does not exist, the error is why.
func (g *Grant) Limit(q msgq.Queue) (limited msgq.Queue, reason error) {
	q.Forced = g.Filter
	if reason = g.Works(q.Name); reason == nil {
		reason = g.Subscribes(q.Topics...)
	}
	q.Existing = reason != nil
	return q, reason
}

// Manages allows changing the queue, deleting it, and its dead letters.
func (g *Grant) Manages(queue string) error {
	if g.Admin {
		return nil
	}
	return g.Works(queue)
}

// Administers allows what concerns everybody.
func (g *Grant) Administers() error {
	if g.Admin {
		return nil
	}
	return forbidden("This needs a token with \"admin\": true.")
}

// Useless reports whether the bearer may neither subscribe nor work nor administer.
func (g *Grant) Useless() bool { return len(g.Subscribe) == 0 && len(g.Queues) == 0 && !g.Admin }

// Context ends with the grant.
func (g *Grant) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	if g.Expires.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, g.Expires)
}

// Expired reports whether all of it has ended.
func (g *Grant) Expired(now time.Time) bool { return !g.Expires.IsZero() && !now.Before(g.Expires) }

func (g *Grant) names(queue string) bool {
	return slices.Contains(g.Queues, queue) || slices.Contains(g.Queues, "*")
}

func covers(patterns []string, topic string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return msgq.MatchTopic(p, topic) })
}

func forbidden(format string, args ...any) error {
	return problem.New(http.StatusForbidden, "forbidden", fmt.Sprintf(format, args...))
}
