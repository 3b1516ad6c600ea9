package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

type queuesCommand struct {
	Name string `arg:"" optional:"" help:"Show this queue alone."`
	JSON bool   `name:"json" help:"One JSON object a line, as where the output is no terminal."`
	subscribeFlag
}

// Help is shown below the flags.
func (queuesCommand) Help() string {
	return `Queues with their counts: messages ready to be delivered, in flight, waiting for a
retry, and dead letters.

Examples:
  msgq queues
  msgq queues mailer --json
  msgq queues | jq 'select(.dead > 0) | .name'`
}

// queueCounts is a queue, as far as the table shows it.
type queueCounts struct {
	Name         string
	Topics       []string
	Filter       string
	Ready        uint64
	InFlight     uint64 `json:"in_flight"`
	WaitingRetry uint64 `json:"waiting_retry"`
	Dead         uint64
}

// Run lists queues.
func (c *queuesCommand) Run(ctx context.Context, s streams) error {
	queues, err := c.read(ctx)
	if err != nil {
		return err
	}
	if c.JSON || !isTerminal(s.out) {
		for _, q := range queues {
			if _, err := fmt.Fprintf(s.out, "%s\n", q); err != nil {
				return err
			}
		}
		return nil
	}
	return c.table(s, queues)
}

func (c *queuesCommand) read(ctx context.Context) (queues []json.RawMessage, err error) {
	if c.Name != "" {
		var q json.RawMessage
		err := c.call(ctx, http.MethodGet, queuePath(c.Name), nil, &q)
		return []json.RawMessage{q}, err
	}
	err = pages(ctx, c.subscribeFlag, "/v1/queues", url.Values{"limit": {"1000"}}, "queues", func(page []json.RawMessage) (bool, error) {
		queues = append(queues, page...)
		return true, nil
	})
	return queues, err
}

func (c *queuesCommand) table(s streams, queues []json.RawMessage) error {
	if len(queues) == 0 {
		_, err := fmt.Fprintln(s.out, "There are no queues. The first use of a name makes one: msgq sub 'jobs.>' --queue workers")
		return err
	}
	rows := [][]string{{"NAME", "READY", "IN FLIGHT", "RETRY", "DEAD", "TOPICS", "FILTER"}}
	for _, raw := range queues {
		var q queueCounts
		if err := json.Unmarshal(raw, &q); err != nil {
			return fmt.Errorf("the service's answer: %w", err)
		}
		rows = append(rows, []string{
			q.Name, count(q.Ready), count(q.InFlight), count(q.WaitingRetry), count(q.Dead), strings.Join(q.Topics, " "), q.Filter,
		})
	}
	return printTable(s.out, rows)
}

func count(n uint64) string { return strconv.FormatUint(n, 10) }

func queuePath(name string) string { return "/v1/queues/" + url.PathEscape(name) }
