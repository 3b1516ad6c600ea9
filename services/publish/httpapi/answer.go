package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// receipt is the answer to a publish.
type receipt struct {
	ID        string    `json:"id"`
	Topic     string    `json:"topic"`
	Seq       uint64    `json:"seq,omitempty"` // a delayed message has none yet
	DeliverAt time.Time `json:"deliver_at,omitzero"`
	Duplicate bool      `json:"duplicate"`
}

func newReceipt(r msgq.Receipt) *receipt {
	return &receipt{ID: r.ID, Topic: r.Topic, Seq: r.Seq, DeliverAt: r.DeliverAt.UTC(), Duplicate: r.Duplicate}
}

// sendReceipt does without echo's c.JSON, which parses the query for "pretty".
func sendReceipt(c echo.Context, r msgq.Receipt) error {
	text, err := json.Marshal(newReceipt(r))
	if err != nil {
		return err
	}
	return c.JSONBlob(statusOf(r), append(text, '\n'))
}

func statusOf(r msgq.Receipt) int {
	if r.Duplicate {
		return http.StatusOK
	}
	return http.StatusCreated
}

// result is what became of one item of a batch.
type result struct {
	Status   int `json:"status"`
	*receipt     // of what is stored
	Error    any `json:"error,omitempty"`
}

// results is the answer to a batch, as text: at most 10,001 of them. It is sent
// when the body was read, because a client that sends everything before it
// reads anything would otherwise wait for us while we wait for it.
type results struct {
	requestID string
	list      bytes.Buffer
	count     int
}

func newResults(c echo.Context) *results {
	return &results{requestID: c.Response().Header().Get(echo.HeaderXRequestID)}
}

func (r *results) stored(m msgq.Receipt) error {
	return r.add(result{Status: statusOf(m), receipt: newReceipt(m)})
}

func (r *results) failed(err error) error {
	e := problem.Of(err)
	return r.add(result{Status: e.Status, Error: e.Details(r.requestID)})
}

func (r *results) add(one result) error {
	if r.count > 0 {
		r.list.WriteByte(',')
	}
	r.count++
	return json.NewEncoder(&r.list).Encode(one)
}

func (r *results) send(c echo.Context, status int) error {
	res := c.Response()
	res.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	res.WriteHeader(status)
	for _, part := range [][]byte{[]byte(`{"results":[`), r.list.Bytes(), []byte("]}\n")} {
		if _, err := res.Write(part); err != nil {
			return err
		}
	}
	return nil
}
