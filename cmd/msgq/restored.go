package main

import (
	"context"
	"fmt"
	"net/http"
)

type restoredCommand struct{ subscribeFlag }

// Help is shown below the flags.
func (restoredCommand) Help() string {
	return `A restored stream has less than its clients have seen, and gives the sequences that they
know to other events. A service that runs through the restore sees that by itself. Where all
was stopped, say so when the service runs again: clients that resume are then told that
events may be gone, and start over with the oldest held.

Examples:
  msgq restored`
}

// Run gives the stream another epoch.
func (c *restoredCommand) Run(ctx context.Context, s streams) error {
	var answer struct{ Epoch string }
	if err := c.call(ctx, http.MethodPost, "/v1/epoch", nil, &answer); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.out, "the epoch is %s now; clients that resume are told\n", answer.Epoch)
	return err
}
