package queueapi

import (
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

const ndjson = "application/x-ndjson"

// progressEvery keeps proxies and people from thinking that nothing happens.
const progressEvery = time.Second

// progress answers with a count, and to a client that accepts NDJSON with a growing one
// a line while the work goes on. The last line says done or has the error.
type progress struct {
	c      echo.Context
	lines  bool
	begun  bool
	latest time.Time
}

type progressLine struct {
	Count int  `json:"count"`
	Done  bool `json:"done,omitempty"`
	Error any  `json:"error,omitempty"`
}

func newProgress(c echo.Context) *progress {
	return &progress{c: c, lines: accepts(c.Request(), ndjson), latest: time.Now()}
}

// accepts looks for a media type by its name: nobody gets NDJSON who did not ask for it.
func accepts(r *http.Request, kind string) bool {
	for _, value := range r.Header.Values(echo.HeaderAccept) {
		for entry := range strings.SplitSeq(value, ",") {
			if name, _, err := mime.ParseMediaType(entry); err == nil && name == kind {
				return true
			}
		}
	}
	return false
}

func (p *progress) report(done int) {
	if p.lines && time.Since(p.latest) >= progressEvery {
		_ = p.line(progressLine{Count: done}) // a client that has gone away ends the request's context
	}
}

// end answers. An error before the first line is a problem as everywhere.
func (p *progress) end(n int, err error) error {
	switch {
	case !p.lines && err == nil:
		return p.c.JSON(http.StatusOK, map[string]int{"count": n})
	case err != nil && !p.begun:
		return err
	case err != nil:
		_ = p.line(progressLine{Count: n, Error: problem.Of(err).Details(p.c.Response().Header().Get(echo.HeaderXRequestID))})
		return err // for the log
	}
	return p.line(progressLine{Count: n, Done: true})
}

func (p *progress) line(l progressLine) error {
	res := p.c.Response()
	if !p.begun {
		p.begun = true
		res.Header().Set(echo.HeaderContentType, ndjson)
		res.WriteHeader(http.StatusOK)
	}
	p.latest = time.Now()
	if _, err := res.Write(append(wire.Line(l), '\n')); err != nil {
		return err
	}
	return http.NewResponseController(res).Flush()
}
