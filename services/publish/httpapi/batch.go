package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/mediatype"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/publish/limit"
)

// A batch is stored in runs, so that its size does not matter to our memory.
const (
	runItems = 1000
	runBytes = 8 << 20
	// runTimeout bounds a run, whose delayed messages are stored one by one.
	runTimeout = 30 * time.Second
)

func (a *API) publishBatch(c echo.Context, share *limit.Share) error {
	media := mediatype.Of(c.Request().Header.Get("Content-Type"))
	if media != "application/x-ndjson" && media != "application/json" {
		return badRequest("invalid_request", "A batch has the Content-Type application/x-ndjson, or application/json for an array.")
	}
	grant, err := a.Auth.Of(c.Request())
	if err != nil {
		return err
	}
	return a.runBatch(c, share, media == "application/json", func(text jsontext.Value) (msgq.BatchItem, error) {
		item, err := a.parseItem(text)
		if err == nil {
			err = msgq.ValidateTopic(item.Topic)
		}
		if err == nil {
			err = grant.Publishes(item.Topic)
		}
		if grant.Expired(time.Now()) { // a batch may take its time
			err = auth.ErrExpired
		}
		return item, err
	})
}

type parser func(text jsontext.Value) (msgq.BatchItem, error)

// runBatch stores what the body lists, in an array or one after another.
func (a *API) runBatch(c echo.Context, share *limit.Share, array bool, parse parser) error {
	defer allowAnswer(c, 0) // for an error, too: reading may have taken its time
	list, err := a.newItems(c, share, array)
	if err != nil {
		return err
	}
	switch c.QueryParam("atomic") {
	case "", "false":
	case "true":
		return a.storeAtomic(c, list, parse)
	default:
		return badRequest("invalid_request", "atomic is true or false.")
	}
	b := &batch{api: a, c: c, share: share, results: newResults(c)}
	err = b.readAll(list, parse)
	if err != nil {
		list.finish()
		if b.results.list.Len() == 0 {
			return err // there is nothing else to tell
		}
		err = b.results.failed(err)
	}
	if err != nil {
		return err
	}
	return b.results.send(c, http.StatusOK)
}

// batch gathers a run.
type batch struct {
	api     *API
	c       echo.Context
	share   *limit.Share
	results *results

	count int // items read
	run   []outcome
	bytes int
}

// outcome is an item, or why it is none.
type outcome struct {
	item msgq.BatchItem
	err  error
}

// readAll stores all runs. Its error is why the batch ends early: what came before stays stored.
func (b *batch) readAll(list *items, parse parser) error {
	for {
		text, end := list.next()
		if end == nil && b.count == maxBatch {
			end = tooMany(maxBatch)
		}
		if end != nil {
			if err := b.flush(); err != nil {
				return err
			}
			if errors.Is(end, io.EOF) {
				return nil
			}
			return end
		}
		b.count++
		item, err := parse(text)
		b.run = append(b.run, outcome{item, err})
		b.bytes += len(text)
		if len(b.run) < runItems && b.bytes < runBytes {
			continue
		}
		if err := b.flush(); err != nil {
			return err
		}
	}
}

// flush stores the run. The error is the broker's, where it does not answer:
// what is left would only wait for it in vain.
func (b *batch) flush() error {
	ctx, cancel := context.WithTimeout(web.Lasting(b.c), runTimeout)
	defer cancel()
	if err := b.share.Admit(); err != nil {
		return err
	}
	before := b.results.list.Len()
	var items []msgq.BatchItem
	for _, o := range b.run {
		if o.err == nil {
			items = append(items, o.item)
		}
	}
	stored := b.api.Client.PublishBatch(ctx, items)
	var last error
	for _, o := range b.run {
		if o.err == nil {
			o.err = stored[0].Err
			if o.err == nil {
				b.results.stored(stored[0].Receipt)
				last, stored = nil, stored[1:]
				continue
			}
			stored = stored[1:]
		}
		last = errors.Join(b.results.failed(o.err), unavailable(o.err))
	}
	b.api.charge(b.c, len(b.run))
	b.run, b.bytes = b.run[:0], 0
	b.share.Release()
	return errors.Join(last, b.share.Keep(int64(b.results.list.Len()-before)))
}

func unavailable(err error) error {
	if errors.Is(err, msgq.ErrUnavailable) {
		return problem.New(http.StatusServiceUnavailable, "broker_unavailable", "The broker did not answer: what follows was not tried.")
	}
	return nil
}

// charge makes each message of a batch count for its caller's rate.
func (a *API) charge(c echo.Context, n int) {
	if a.Rate != nil && n > 1 {
		a.Rate.Charge(limit.Caller(c.Request().RemoteAddr), n-1)
	}
}

func tooMany(n int) error {
	return problem.New(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("More than %d messages.", n))
}
