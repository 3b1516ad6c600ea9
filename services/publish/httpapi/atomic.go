package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/web"
)

// storeAtomic stores all items or none, and answers with the first problem.
func (a *API) storeAtomic(c echo.Context, list *items, parse parser) error {
	all, err := readAtomic(list, parse)
	if err != nil {
		list.finish()
		return err
	}
	a.charge(c, len(all))
	receipts, err := a.Client.PublishAtomic(web.Lasting(c), all)
	if wrong, ok := errors.AsType[*msgq.ItemError](err); ok {
		return inItem(wrong.Index, wrong.Err)
	}
	if err != nil {
		return uncertain(err)
	}
	status := http.StatusOK
	results := newResults(c)
	for _, r := range receipts {
		results.stored(r)
		status = max(status, statusOf(r))
	}
	return results.send(c, status)
}

func readAtomic(list *items, parse parser) ([]msgq.BatchItem, error) {
	var all []msgq.BatchItem
	for {
		text, err := list.next()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case len(all) == msgq.MaxAtomic:
			return nil, tooMany(msgq.MaxAtomic)
		}
		item, err := parse(text)
		if err != nil {
			return nil, inItem(len(all), err)
		}
		all = append(all, item)
	}
}

// inItem tells which of the messages is wrong.
func inItem(index int, err error) error {
	e := problem.Of(err)
	if e.Status >= http.StatusInternalServerError {
		return err
	}
	return problem.New(e.Status, e.Code, fmt.Sprintf("Message %d of the batch: %s", index+1, e.Detail))
}
