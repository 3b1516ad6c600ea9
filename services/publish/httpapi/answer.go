package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// appendReceipt appends the members "id", "topic", "seq" and "duplicate" of an answer; a
// delayed message has no seq yet, and "deliver_at". By hand, for reflection is slow and this is in the path of every request.
func appendReceipt(text []byte, r msgq.Receipt) []byte {
	text = append(text, `"id":`...)
	text = appendText(text, r.ID)
	text = append(text, `,"topic":`...)
	text = appendText(text, r.Topic)
	if r.Seq > 0 {
		text = append(text, `,"seq":`...)
		text = strconv.AppendUint(text, r.Seq, 10)
	}
	if !r.DeliverAt.IsZero() {
		text = append(text, `,"deliver_at":"`...)
		text = r.DeliverAt.UTC().AppendFormat(text, time.RFC3339Nano)
		text = append(text, '"')
	}
	text = append(text, `,"duplicate":`...)
	return strconv.AppendBool(text, r.Duplicate)
}

func appendText(text []byte, s string) []byte {
	text, _ = jsontext.AppendQuote(text, s) // the error is for what is not UTF-8; ids and topics are ASCII
	return text
}

// receiptSize is what nearly all receipts fit in.
const receiptSize = 256

// sendReceipt does without echo's c.JSON, which parses the query for "pretty".
func sendReceipt(c echo.Context, r msgq.Receipt) error {
	text := append(make([]byte, 0, receiptSize), '{')
	text = appendReceipt(text, r)
	return c.JSONBlob(statusOf(r), append(text, "}\n"...))
}

func statusOf(r msgq.Receipt) int {
	if r.Duplicate {
		return http.StatusOK
	}
	return http.StatusCreated
}

// results is the answer to a batch, as text: at most 10,001 of them. It is sent
// when the body was read, because a client that sends everything before it
// reads anything would otherwise wait for us while we wait for it.
type results struct {
	requestID string
	list      bytes.Buffer
}

func newResults(c echo.Context) *results {
	return &results{requestID: c.Response().Header().Get(echo.HeaderXRequestID)}
}

func (r *results) stored(m msgq.Receipt) {
	r.separate()
	text := append(r.list.AvailableBuffer(), `{"status":`...)
	text = strconv.AppendInt(text, int64(statusOf(m)), 10)
	text = appendReceipt(append(text, ','), m)
	r.list.Write(append(text, "}\n"...))
}

func (r *results) failed(err error) error {
	e := problem.Of(uncertain(err))
	r.separate()
	return json.NewEncoder(&r.list).Encode(struct {
		Status int `json:"status"`
		Error  any `json:"error"`
	}{e.Status, e.Details(r.requestID)})
}

// uncertain tells what to do where nobody knows whether a message was stored.
func uncertain(err error) error {
	if !errors.Is(err, msgq.ErrUnavailable) {
		return err
	}
	e := problem.Of(err)
	return problem.New(e.Status, e.Code, e.Detail+" A message with an Idempotency-Key can be sent again safely.")
}

// answerTime is how long a client may take for an answer, and for each MiB of it.
const answerTime = 15 * time.Second

// allowAnswer gives a client time to take so many bytes, from now on.
func allowAnswer(c echo.Context, bytes int) {
	limit := time.Now().Add(answerTime * time.Duration(1+bytes>>20))
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(limit) // where there is none, there is no slow client
}

func (r *results) separate() {
	if r.list.Len() > 0 {
		r.list.WriteByte(',')
	}
}

func (r *results) send(c echo.Context, status int) error {
	res := c.Response()
	allowAnswer(c, r.list.Len())
	res.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	res.WriteHeader(status)
	for _, part := range [][]byte{[]byte(`{"results":[`), r.list.Bytes(), []byte("]}\n")} {
		if _, err := res.Write(part); err != nil {
			return err
		}
	}
	return nil
}
