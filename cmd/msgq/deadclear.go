package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// deadSelection is which dead letters are meant.
type deadSelection struct {
	Queue  string   `arg:"" help:"The queue."`
	Seq    []uint64 `placeholder:"SEQ" help:"Those with these seqs." xor:"which" required:""`
	Filter string   `help:"Those that a CEL expression holds for, such as 'data.total > 100'." xor:"which" required:""`
	All    bool     `help:"All of the queue." xor:"which" required:""`
	subscribeFlag
}

type deadRedriveCommand struct{ deadSelection }

// Help is shown below the flags.
func (deadRedriveCommand) Help() string {
	return `They go to the queue that gave them up and to no other, with attempts counted from 1
again. One that is cut short can be repeated.

Examples:
  msgq dead redrive mailer --all
  msgq dead redrive mailer --seq 1042,1043
  msgq dead redrive mailer --filter 'topic == "mail.welcome"'`
}

// Run redrives.
func (c *deadRedriveCommand) Run(ctx context.Context, s streams) error {
	return c.clear(ctx, s, "redrive", "redriven")
}

type deadDiscardCommand struct {
	deadSelection
	Yes bool `short:"y" help:"Do not ask."`
}

// Help is shown below the flags.
func (deadDiscardCommand) Help() string {
	return `On a terminal it asks first: what is discarded cannot be brought back.

Examples:
  msgq dead discard mailer --seq 1042
  msgq dead discard mailer --filter 'time < timestamp("2026-01-01T00:00:00Z")' --yes`
}

// Run discards.
func (c *deadDiscardCommand) Run(ctx context.Context, s streams) error {
	if !c.Yes && isTerminal(s.in) && !c.confirmed(s) {
		return errors.New("nothing was discarded")
	}
	return c.clear(ctx, s, "discard", "discarded")
}

func (c *deadDiscardCommand) confirmed(s streams) bool {
	_, _ = fmt.Fprintf(s.err, "Discard %s of queue %s for good? [y/N] ", c.what(), c.Queue)
	answer, _ := bufio.NewReader(s.in).ReadString('\n')
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer)))
}

func (c *deadSelection) what() string {
	switch {
	case c.All:
		return "all dead letters"
	case c.Filter != "":
		return "the dead letters that match " + c.Filter
	}
	return fmt.Sprintf("%d dead letters", len(c.Seq))
}

// maxSeqs is how many one request may name.
const maxSeqs = 10_000

func (c *deadSelection) clear(ctx context.Context, s streams, act, done string) error {
	var requests []map[string]any
	switch {
	case c.All:
		requests = append(requests, map[string]any{"all": true})
	case c.Filter != "":
		requests = append(requests, map[string]any{"filter": c.Filter})
	}
	for seqs := range slices.Chunk(c.Seq, maxSeqs) {
		requests = append(requests, map[string]any{"seqs": seqs})
	}
	stop := c.showProgress(ctx, s, act)
	total := 0
	for _, body := range requests {
		var answer struct{ Count int }
		if err := c.call(ctx, http.MethodPost, queuePath(c.Queue)+"/dead/"+act, nil, body, &answer); err != nil {
			stop()
			if ctx.Err() != nil {
				return errors.New("interrupted: what was not " + done + " is as it was, and can be " + done + " with the same command")
			}
			return err
		}
		total += answer.Count
	}
	stop()
	if !isTerminal(s.out) {
		_, err := fmt.Fprintf(s.out, "{\"count\":%d}\n", total)
		return err
	}
	_, err := fmt.Fprintf(s.out, "%d dead letters %s\n", total, done)
	return err
}

// lookEvery is how often the progress is brought up to date.
const lookEvery = 500 * time.Millisecond

// showProgress shows on a terminal how the queue's dead letters become fewer, until stop.
func (c *deadSelection) showProgress(ctx context.Context, s streams, act string) (stop func()) {
	if !isTerminal(s.err) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		before, err := c.dead(ctx)
		if err != nil {
			return // the request itself says what is wrong
		}
		var bar *progressbar.ProgressBar
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				if bar != nil {
					_ = bar.Clear()
				}
				return
			case <-ticker.C:
			}
			left, err := c.dead(ctx)
			if err != nil {
				continue
			}
			if bar == nil { // what is done at once needs none
				bar = progressbar.Default(c.most(before), act)
			}
			_ = bar.Set64(max(0, before-left))
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// most is how many there are to do; -1: nobody knows.
func (c *deadSelection) most(dead int64) int64 {
	if c.All {
		return max(dead, 1)
	}
	return -1
}

func (c *deadSelection) dead(ctx context.Context) (int64, error) {
	var q struct{ Dead int64 }
	err := c.call(ctx, http.MethodGet, queuePath(c.Queue), nil, nil, &q)
	return q.Dead, err
}
