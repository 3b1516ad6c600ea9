package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// BenchmarkDeadLettersOverHTTP lists dead letters page by page, lists those that match
// a filter, redrives a tenth by filter and the rest at once. subscribe-peak-MiB is the most
// memory that the subscribe service, a process of its own, ever had.
func BenchmarkDeadLettersOverHTTP(b *testing.B) {
	for _, n := range []int{20_000, 100_000} {
		b.Run(fmt.Sprint("dead=", n), func(b *testing.B) { benchmarkDeadLetters(b, n) })
	}
}

func benchmarkDeadLetters(b *testing.B, manyDead int) {
	s := startStack(b)
	s.Client.Timeout = 0
	client := msgqtest.Connect(b, s.natsURL(), nil)
	for b.Loop() {
		b.StopTimer()
		buryMany(b, client, manyDead)
		b.StartTimer()
		start := time.Now()
		if n := countDead(b, s, ""); n != manyDead {
			b.Fatalf("%d listed", n)
		}
		listed := time.Now()
		if n := countDead(b, s, "data.n % 10 == 0"); n != manyDead/10 {
			b.Fatalf("%d match", n)
		}
		filtered := time.Now()
		redriveMany(b, s, `{"filter":"data.n % 10 == 0"}`, manyDead/10)
		some := time.Now()
		redriveMany(b, s, `{"all":true}`, manyDead-manyDead/10)
		all := time.Now()
		b.StopTimer()
		b.ReportMetric(listed.Sub(start).Seconds(), "list-s")
		b.ReportMetric(filtered.Sub(listed).Seconds(), "filter-s")
		b.ReportMetric(some.Sub(filtered).Seconds(), "redrive-filter-s")
		b.ReportMetric(all.Sub(some).Seconds(), "redrive-rest-s")
		b.ReportMetric(peakResident(b, s.subscribe), "subscribe-peak-MiB")
		if info, err := client.QueueInfo(b.Context(), "q"); err != nil || info.Ready != uint64(manyDead) || info.Dead != 0 {
			b.Fatalf("%+v, %v", info, err)
		}
		if err := client.DeleteQueue(b.Context(), "q"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// buryMany makes the queue with its dead letters, 256 bytes each.
func buryMany(b *testing.B, client *msgq.Client, n int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	done := make(chan struct{})
	sub, err := client.Subscribe(b.Context(), msgq.Queue{Name: "q", Topics: []string{"jobs"}}, func(context.Context, *msgq.Delivery) error {
		if left.Add(-1) == 0 {
			close(done)
		}
		return msgq.Permanent(errors.New("no such customer"))
	}, msgq.WithConcurrency(256))
	if err != nil {
		b.Fatal(err)
	}
	var publishers sync.WaitGroup
	var next atomic.Int64
	for range 128 {
		publishers.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				data := fmt.Appendf(nil, `{"n":%d,"padding":"%0230d"}`, i, i)
				if _, err := client.Publish(b.Context(), msgq.Message{Topic: "jobs", DataContentType: "application/json", Data: data}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	publishers.Wait()
	if b.Failed() {
		b.FailNow()
	}
	<-done
	sub.Drain()
}

func countDead(b *testing.B, s *stack, filter string) (n int) {
	b.Helper()
	for next := ""; ; {
		query := url.Values{"limit": {"1000"}, "filter": {filter}, "next": {next}}
		r := s.Do(b, http.MethodGet, s.SubscribeURL+"/v1/queues/q/dead?"+query.Encode(), "")
		var page struct {
			DeadLetters []struct{ Seq uint64 } `json:"dead_letters"`
			Next        string
		}
		r.JSON(b, &page)
		n += len(page.DeadLetters)
		if next = page.Next; next == "" {
			return n
		}
	}
}

func redriveMany(b *testing.B, s *stack, body string, want int) {
	b.Helper()
	res, err := s.Client.Post(s.SubscribeURL+"/v1/queues/q/dead/redrive", "application/json", strings.NewReader(body)) // takes its time
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct{ Count int }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Count != want {
		b.Fatalf("%s, %d redriven, %v, want %d", res.Status, answer.Count, err, want)
	}
}

// peakResident is the most memory that the process ever had, in MiB.
func peakResident(b *testing.B, p *process) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Skipf("SKIPPED: the memory of a process is read from /proc: %v", err)
	}
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	var kib float64
	if _, err := fmt.Sscan(text, &kib); err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
