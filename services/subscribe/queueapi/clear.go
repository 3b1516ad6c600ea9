package queueapi

import (
	"context"
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/subscribe/request"
)

// maxSeqs bounds the dead letters that one request names; filter and all have no bound.
const maxSeqs = 10_000

// selection is which dead letters are meant: by exactly one of its fields.
type selection struct {
	Seqs   []uint64 `json:"seqs"`
	Filter string   `json:"filter"`
	All    bool     `json:"all"`
}

func (s selection) selection() (sel msgq.Selection, err error) {
	given := 0
	if s.Seqs != nil {
		given, sel = given+1, msgq.SelectMessages(s.Seqs...)
	}
	if s.Filter != "" {
		given, sel = given+1, msgq.SelectMatching(s.Filter)
	}
	if s.All {
		given, sel = given+1, msgq.SelectAll()
	}
	switch {
	case given != 1:
		return sel, request.Bad("Exactly one of seqs, filter and all (true) is expected, to say which dead letters are meant.")
	case s.Seqs != nil && (len(s.Seqs) == 0 || len(s.Seqs) > maxSeqs):
		return sel, request.Bad(fmt.Sprintf("seqs: %d, 1 to %d are allowed.", len(s.Seqs), maxSeqs))
	}
	return sel, nil
}

// clearDead redrives or discards. It works until it is done or the client goes
// away, piece by piece: repeated, it goes on with what is left.
func (a *API) clearDead(act func(context.Context, string, msgq.Selection) (int, error), done string) echo.HandlerFunc {
	return func(c echo.Context) error {
		var asked selection
		if err := request.ReadBody(c, maxNamed, &asked, "a selection of dead letters"); err != nil {
			return err
		}
		sel, err := asked.selection()
		if err != nil {
			return err
		}
		p := newProgress(c)
		n, err := act(c.Request().Context(), c.Param("name"), sel.OnProgress(p.report))
		if err != nil && n > 0 {
			known := problem.Of(err)
			detail := fmt.Sprintf("%s %d dead letters were %s before that; the rest is as it was.", known.Detail, n, done)
			err = problem.New(known.Status, known.Code, detail)
		}
		return p.end(n, err)
	}
}
