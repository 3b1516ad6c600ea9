package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

type deadCommand struct {
	List    deadListCommand    `cmd:"" help:"List a queue's dead letters, the oldest first."`
	Redrive deadRedriveCommand `cmd:"" help:"Send dead letters to their queue again."`
	Discard deadDiscardCommand `cmd:"" help:"Remove dead letters for good."`
}

type deadListCommand struct {
	Queue  string `arg:"" help:"The queue."`
	Filter string `help:"CEL expression over the message, such as 'data.total > 100'."`
	Count  int    `short:"n" help:"End after so many."`
	JSON   bool   `name:"json" help:"One JSON object a line, as where the output is no terminal."`
	subscribeFlag
}

// Help is shown below the flags.
func (deadListCommand) Help() string {
	return `Examples:
  msgq dead list mailer
  msgq dead list mailer --filter 'topic == "mail.welcome"' -n 10
  msgq dead list mailer | jq -r .reason | sort | uniq -c`
}

// deadRow is a dead letter, as far as the table shows it.
type deadRow struct {
	Seq      uint64
	Topic    string
	Attempts int
	DeadAt   time.Time `json:"dead_at"`
	Reason   string
}

// Run lists dead letters.
func (c *deadListCommand) Run(ctx context.Context, s streams) error {
	if c.Count < 0 {
		return &useError{fmt.Sprintf("-n %d: a number above 0 is expected", c.Count)}
	}
	query := url.Values{"filter": {c.Filter}, "limit": {"1000"}}
	left := c.Count
	table := !c.JSON && isTerminal(s.out)
	return pages(ctx, c.subscribeFlag, queuePath(c.Queue)+"/dead", query, "dead_letters", func(page []json.RawMessage) (bool, error) {
		if c.Count > 0 {
			page = page[:min(left, len(page))]
			left -= len(page)
		}
		more := c.Count == 0 || left > 0
		if table {
			return more, deadTable(s, page)
		}
		for _, d := range page {
			if _, err := fmt.Fprintf(s.out, "%s\n", d); err != nil {
				return false, err
			}
		}
		return more, nil
	})
}

func deadTable(s streams, page []json.RawMessage) error {
	rows := [][]string{{"SEQ", "TOPIC", "ATTEMPTS", "DEAD SINCE", "REASON"}}
	for _, raw := range page {
		var d deadRow
		if err := json.Unmarshal(raw, &d); err != nil {
			return fmt.Errorf("the service's answer: %w", err)
		}
		rows = append(rows, []string{count(d.Seq), d.Topic, strconv.Itoa(d.Attempts), d.DeadAt.Local().Format(time.DateTime), d.Reason})
	}
	return printTable(s.out, rows)
}
