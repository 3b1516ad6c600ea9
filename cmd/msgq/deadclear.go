package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

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
again. One of --seq, --filter and --all says which. One that is cut short can be repeated.

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
	return `One of --seq, --filter and --all says which. On a terminal it asks first: what is
discarded cannot be brought back.

Examples:
  msgq dead discard mailer --seq 1042
  msgq dead discard mailer --filter 'time < timestamp("2026-01-01T00:00:00Z")' --yes`
}

// Run discards.
func (c *deadDiscardCommand) Run(ctx context.Context, s streams) error {
	if !c.Yes && isTerminal(s.in) && !c.confirmed(ctx, s) {
		return cmp.Or(context.Cause(ctx), errors.New("nothing was discarded"))
	}
	return c.clear(ctx, s, "discard", "discarded")
}

func (c *deadDiscardCommand) confirmed(ctx context.Context, s streams) bool {
	in := standardInput(ctx, s)
	defer func() { _ = in.Close() }()
	_, _ = fmt.Fprintf(s.err, "Discard %s of queue %s for good? [y/N] ", c.what(), c.Queue)
	answer, _ := bufio.NewReader(in).ReadString('\n')
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
	bar := c.bar(ctx, s, act)
	total := 0
	for _, body := range requests {
		n, err := c.clearSome(ctx, act, body, func(done int) { _ = bar.Set(total + done) })
		if err != nil {
			_ = bar.Exit()
			if ctx.Err() != nil {
				return fmt.Errorf("%w: what was not %[2]s is as it was, and can be %[2]s with the same command", context.Cause(ctx), done)
			}
			return err
		}
		total += n
	}
	_ = bar.Clear()
	if !isTerminal(s.out) {
		_, err := fmt.Fprintf(s.out, "{\"count\":%d}\n", total)
		return err
	}
	_, err := fmt.Fprintf(s.out, "%d dead letters %s\n", total, done)
	return err
}

// clearSome makes one request, and tells of its progress.
func (c *deadSelection) clearSome(ctx context.Context, act string, body any, progress func(done int)) (n int, err error) {
	type line struct {
		Count int
		Done  bool
		Error *struct{ Code, Detail string }
	}
	ended := false
	err = postLines(ctx, c.subscribeFlag, queuePath(c.Queue)+"/dead/"+act, body, func(l line) error {
		if l.Error != nil {
			return errors.New(l.Error.Code + ": " + l.Error.Detail)
		}
		n, ended = l.Count, l.Done
		progress(n)
		return nil
	})
	if err == nil && !ended {
		err = fmt.Errorf("the service's answer ended after %d", n)
	}
	return n, err
}

// bar shows on a terminal how many are done.
func (c *deadSelection) bar(ctx context.Context, s streams, act string) *progressbar.ProgressBar {
	terminal := isTerminal(s.err)
	most := int64(-1) // nobody knows
	if len(c.Seq) > 0 {
		most = int64(len(c.Seq))
	}
	if c.All && terminal {
		var q struct{ Dead int64 }
		_ = c.call(ctx, http.MethodGet, queuePath(c.Queue), nil, &q) // the request itself says what is wrong
		most = max(q.Dead, 1)
	}
	return progressbar.NewOptions64(most, progressbar.OptionSetVisibility(terminal), progressbar.OptionSetWriter(s.err),
		progressbar.OptionSetDescription(act), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetSpinnerChangeInterval(0)) // else it would have a goroutine of its own
}
