package sse

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// parse reads what is asked for: topics (comma separated, or several), filter and
// from. Where an EventSource comes back, its Last-Event-ID says from where.
func parse(r *http.Request) (msgq.Live, error) {
	query := r.URL.Query()
	live := msgq.Live{Filter: query.Get("filter")}
	for _, list := range query["topics"] {
		live.Topics = append(live.Topics, strings.Split(list, ",")...)
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		pos, err := wire.ParsePosition(last)
		if err != nil {
			return live, fmt.Errorf("Last-Event-ID: %w", err)
		}
		live.From = msgq.After(pos)
		return live, nil
	}
	from, err := wire.FromText(query.Get("from"))
	if err != nil {
		return live, err
	}
	live.From, err = wire.ParseFrom(from)
	return live, err
}
