package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

type subCommand struct {
	Patterns []string      `arg:"" optional:"" help:"Topic patterns: * stands for one token, a last > for one or more. Default: >, or with --queue those that it has."`
	Filter   string        `help:"CEL expression over the event, such as 'data.action == \"opened\"'."`
	From     string        `default:"new" help:"new, all, last:N, after:SEQ, after:EPOCH:SEQ, or a time such as 2026-01-31T15:04:05Z."`
	Queue    string        `help:"Take part in this queue instead of seeing every event: each printed event is acknowledged."`
	Count    int           `short:"n" help:"End after so many events."`
	Timeout  time.Duration `help:"End after this time; with --count, fail when they are not there by then."`
	subscribeFlag
}

// Help is shown below the flags.
func (subCommand) Help() string {
	return `A lost connection is made again, without a gap and without repeats.

Examples:
  msgq sub 'github.>'
  msgq sub 'github.issues.*' --filter 'data.action == "opened"' --from all
  msgq sub orders.created --from last:10 | jq .data
  msgq sub 'jobs.>' --queue workers`
}

// Run receives until the context ends or enough has come.
func (c *subCommand) Run(ctx context.Context, s streams) error {
	if len(c.Patterns) == 0 && c.Queue == "" {
		c.Patterns = []string{">"}
	}
	from, err := c.check()
	if err != nil {
		return &useError{err.Error()}
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, errTimeout)
		defer cancel()
	}
	r := &receiver{cmd: c, io: s, from: from}
	// Every message or position begins the schedule anew.
	schedule := backoff.NewExponentialBackOff()
	began := time.Now()
	for {
		seen := r.count
		err := r.receive(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(context.Cause(ctx), errTimeout):
			if c.Count == 0 {
				return nil
			}
			return fmt.Errorf("%d of %d events within %s", r.count, c.Count, c.Timeout)
		case ctx.Err() != nil:
			if c.Count == 0 {
				return nil
			}
			return fmt.Errorf("%d of %d events: %w", r.count, c.Count, context.Cause(ctx))
		case !r.again(err, time.Since(began)):
			return err
		}
		if r.count > seen {
			schedule.Reset()
		}
		_, _ = fmt.Fprintf(s.err, "%s (%v), trying again\n", r.lost(), err)
		select {
		case <-time.After(schedule.NextBackOff()):
		case <-ctx.Done():
		}
	}
}

var errTimeout = errors.New("timeout")

// firstPatience is how long a service that is there may refuse the first
// subscription for now, as while its broker chooses a leader.
const firstPatience = 30 * time.Second

// check gives the place to begin at.
func (c *subCommand) check() (from any, err error) {
	if c.Count < 0 || c.Timeout < 0 {
		return nil, errors.New("--count and --timeout are above 0")
	}
	return parseFrom(c.From)
}

// parseFrom turns the flag into the protocol's from.
func parseFrom(text string) (any, error) {
	raw, err := wire.FromText(text)
	if err == nil {
		_, err = wire.ParseFrom(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	return raw, nil
}

// receiver keeps what has to outlive a connection.
type receiver struct {
	cmd       *subCommand
	io        streams
	from      any
	epoch     string
	count     int
	connected bool // once at least
	refused   bool // by a service that said: try again
	lastTag   string
}

// frame is what the service sends, as far as the command looks at it.
type frame struct {
	Type    string `json:"type"`
	ID      string `json:"id,omitempty"`
	Seq     uint64 `json:"seq"`
	Epoch   string `json:"epoch"`
	Tag     string `json:"tag"`
	Ref     string `json:"ref"`
	To      uint64 `json:"to"`
	Code    string `json:"code"`
	Message string `json:"message"`

	Recovered bool `json:"recovered"`
	Retryable bool `json:"retryable"`
}

// again tells whether to go on after the error.
func (r *receiver) again(err error, tried time.Duration) bool {
	var permanent *backoff.PermanentError
	return !errors.As(err, &permanent) && (r.connected || r.refused && tried < firstPatience)
}

func (r *receiver) lost() string {
	if r.connected {
		return "connection lost"
	}
	return "not subscribed yet"
}

func (r *receiver) subscribeFrame() map[string]any {
	f := map[string]any{"type": "subscribe", "id": "msgq", "from": r.from}
	if len(r.cmd.Patterns) > 0 {
		f["topics"] = r.cmd.Patterns
	}
	if r.cmd.Filter != "" {
		f["filter"] = r.cmd.Filter
	}
	if r.cmd.Queue != "" {
		f["queue"], f["credit"] = r.cmd.Queue, r.credit()
	}
	return f
}

// maxCredit is how many events of a queue are on their way at once.
const maxCredit = 16

// credit asks for no more than will be printed: an event that goes back unprinted has lost an attempt.
func (r *receiver) credit() int {
	if r.cmd.Count == 0 {
		return maxCredit
	}
	return min(r.cmd.Count-r.count, maxCredit)
}

// handle takes one object. done: enough has come.
func (r *receiver) handle(line []byte, send func(any) error) (done bool, err error) {
	var f frame
	if err := json.Unmarshal(line, &f); err != nil {
		return false, fmt.Errorf("not a frame: %w", err)
	}
	switch f.Type {
	case "subscribed":
		r.connected, r.epoch = true, f.Epoch
		if !f.Recovered {
			_, _ = fmt.Fprintln(r.io.err, "some events asked for are gone; going on with the oldest held")
		}
		r.resumeAfter(f.Seq)
	case "position":
		r.resumeAfter(f.Seq)
	case "message":
		return r.message(line, f, send)
	case "unsubscribed":
		return false, backoff.Permanent(coded(f.Code, cmp.Or(endings[f.Code], "the service ended the subscription")))
	case "error":
		err := coded(f.Code, f.Message)
		if !f.Retryable {
			return false, backoff.Permanent(err)
		}
		r.refused = true
		return false, err
	}
	return false, nil
}

// endings say why a service ended a subscription.
var endings = map[string]string{"unknown_id": "the queue was deleted", "forbidden": "the token does not allow it any more"}

func (r *receiver) message(line []byte, f frame, send func(any) error) (done bool, err error) {
	if _, err := fmt.Fprintf(r.io.out, "%s\n", stripDelivery(line)); err != nil {
		return false, backoff.Permanent(err)
	}
	r.count++
	r.resumeAfter(f.Seq)
	done = r.cmd.Count > 0 && r.count >= r.cmd.Count
	if f.Tag == "" {
		return done, nil
	}
	if credit := r.credit(); credit < maxCredit { // first: an ack makes room
		if err := send(map[string]any{"type": "credit", "id": "msgq", "credit": credit}); err != nil {
			return done, err
		}
	}
	r.lastTag = f.Tag
	return done, send(map[string]any{"type": "ack", "id": "msgq", "tags": []string{f.Tag}, "ref": f.Tag})
}

func (r *receiver) resumeAfter(seq uint64) {
	if r.cmd.Queue == "" { // the queue itself knows where it is
		r.from = map[string]any{"after": seq, "epoch": r.epoch}
	}
}
