package main

import (
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/bench/brokerproc"
)

func writeHead(w io.Writer, o options) {
	_, _ = fmt.Fprintf(w, "`go run . -rounds %d -time %s -backlog %d` on %s: %s/%s with %d cores, %s, nats-server %s, nats.go %s.\n",
		o.rounds, o.time, o.backlog, time.Now().UTC().Format(time.DateOnly),
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), server.VERSION, nats.Version)
	_, _ = fmt.Fprintf(w, "Messages of %d bytes per second, medians over the rounds; ratios are medians of each round's.\n", payloadSize)
}

func writeTable(w io.Writer, sync brokerproc.Sync, rows []row) {
	title := "A broker that syncs every message (`sync_interval: always`, as `msgq broker`)"
	if sync == brokerproc.SyncDefault {
		title = "A broker with the default `sync_interval` of two minutes"
	}
	_, _ = fmt.Fprintf(w, "\n### %s\n\n", title)
	_, _ = fmt.Fprintln(w, "| | raw nats.go | msgq | Watermill | as it comes "+
		"| msgq / raw | goal | msgq / Watermill | msgq / as it comes | goal |")
	_, _ = fmt.Fprintln(w, "| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | --- |")
	for _, r := range rows {
		overRaw, overPlain := medianRatio(r.ours, r.raw), medianRatio(r.ours, r.plainMill)
		_, _ = fmt.Fprintf(w, "| %s | %s | **%s** | %s | %s | %s | %s | %s | %s | %s |\n", r.what,
			thousands(median(r.raw)), thousands(median(r.ours)), thousands(median(r.mill)), thousands(median(r.plainMill)),
			ratio(overRaw), goal(overRaw, r.overRaw), ratio(medianRatio(r.ours, r.mill)), ratio(overPlain), goal(overPlain, r.overMill))
	}
}

// thousands writes 1234567 as 1,234,567, and nothing for what was not measured.
func thousands(f float64) string {
	if f == 0 {
		return ""
	}
	s := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func ratio(f float64) string {
	if f == 0 {
		return ""
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

func goal(reached, wanted float64) string {
	switch {
	case wanted == 0:
		return ""
	case reached >= wanted:
		return fmt.Sprintf("%g, reached", wanted)
	}
	return fmt.Sprintf("%g, **missed**", wanted)
}
