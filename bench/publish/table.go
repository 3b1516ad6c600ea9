package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/asyncmsglib/msgq/bench/brokerproc"
)

func writeHead(w io.Writer, o options) {
	_, _ = fmt.Fprintf(w, "`make bench-publish` (%d rounds of %s) on %s: %s/%s with %d cores, %s, nats-server %s, nats.go %s.\n",
		o.rounds, o.time, time.Now().UTC().Format(time.DateOnly),
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), server.VERSION, nats.Version)
	_, _ = fmt.Fprintln(w, "JSON of 256 bytes; medians over the rounds, ratios the medians of each round's.")
}

func writeTables(w io.Writer, sync brokerproc.Sync, singles []*singleRow, batches []*batchRow) {
	title := "A broker that syncs every message (`sync_interval: always`, as `msgq broker`)"
	if sync == brokerproc.SyncDefault {
		title = "A broker with the default `sync_interval` of two minutes"
	}
	_, _ = fmt.Fprintf(w, "\n### %s\n\n| one message a request | messages/s | goal | p50 | p99 | goal | service CPU a message |\n"+
		"| --- | ---: | --- | ---: | ---: | --- | ---: |\n", title)
	for _, r := range singles {
		rate, p99 := median(r.rates), median(r.p99s)
		goal := ""
		if r.p99 > 0 {
			goal = fmt.Sprintf("%s, %s", r.p99, verdict(p99 < r.p99.Seconds()*1000))
		}
		_, _ = fmt.Fprintf(w, "| %d connections | %.0f | %.0f, %s | %.1f ms | %.1f ms | %s | %.0f µs |\n", r.connections, rate, r.rate,
			verdict(rate >= r.rate), median(r.p50s), p99, goal, median(r.cpus))
	}
	_, _ = fmt.Fprintf(w, "\n| batches of %d | NDJSON, messages/s | raw atomic batches | ratio | goal |\n", batchSize)
	_, _ = fmt.Fprintln(w, "| --- | ---: | ---: | ---: | --- |")
	for _, r := range batches {
		ratios := make([]float64, len(r.ours))
		for i := range ratios {
			ratios[i] = r.ours[i] / r.raw[i]
		}
		callers := fmt.Sprintf("%d callers", r.callers)
		if r.callers == 1 {
			callers = "1 caller"
		}
		_, _ = fmt.Fprintf(w, "| %s | %.0f | %.0f | %.2f | %g, %s |\n", callers, median(r.ours), median(r.raw), median(ratios),
			batchGoal, verdict(median(ratios) >= batchGoal))
	}
}

func verdict(reached bool) string {
	if reached {
		return "reached"
	}
	return "**missed**"
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
