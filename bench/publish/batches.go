package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	batchSize = 1000 // the most that the broker stores atomically
	batchGoal = 0.6  // of raw
)

// batchRow is NDJSON batches beside raw atomic batches, from so many callers.
type batchRow struct {
	callers   int
	ours, raw []float64 // messages a second in each round
}

func (r *batchRow) measure(ctx context.Context, s *service, natsURL string, d time.Duration, oursFirst bool) error {
	nc, err := nats.Connect(natsURL)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	body := ndjson(batchSize, payload)
	ours := func(ctx context.Context) error { return s.postBatch(ctx, body, batchSize) }
	raw := func(ctx context.Context) error { return rawBatch(ctx, js) }
	if !oursFirst {
		if err := r.turn(ctx, &r.raw, d, raw); err != nil {
			return err
		}
	}
	if err := r.turn(ctx, &r.ours, d, ours); err != nil {
		return err
	}
	if oursFirst {
		err = r.turn(ctx, &r.raw, d, raw)
	}
	fmt.Fprintf(os.Stderr, "batches from %d callers: %.0f/s, raw %.0f/s\n", r.callers, r.ours[len(r.ours)-1], r.raw[len(r.raw)-1])
	return err
}

// turn notes how many messages a second op stores, called by all callers for d.
func (r *batchRow) turn(ctx context.Context, rates *[]float64, d time.Duration, op func(context.Context) error) error {
	var batches atomic.Int64
	errs := make([]error, r.callers)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range r.callers {
		wg.Go(func() {
			for errs[i] == nil && time.Since(start) < d {
				errs[i] = op(ctx)
				batches.Add(1)
			}
		})
	}
	wg.Wait()
	*rates = append(*rates, float64(batches.Load()*batchSize)/time.Since(start).Seconds())
	return errors.Join(errs...)
}

func ndjson(n int, data string) []byte {
	return []byte(strings.Repeat(`{"topic":"bench.batch","data":`+data+"}\n", n))
}

// postBatch wants each of the n messages stored.
func (s *service) postBatch(ctx context.Context, body []byte, n int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err == nil && bytes.Count(answer, []byte(`"status":201`)) != n {
		err = fmt.Errorf("batch: %s: %.300s", res.Status, answer)
	}
	return err
}

func rawBatch(ctx context.Context, js jetstream.JetStream) error {
	batch := make([]*nats.Msg, batchSize)
	for i := range batch {
		batch[i] = &nats.Msg{Subject: "events.t.bench.batch", Header: nats.Header{}, Data: []byte(payload)}
	}
	_, err := jetstreamext.PublishMsgBatch(ctx, js, batch)
	return err
}

// measureMemory sends 512 MiB through a fresh service, as small messages and as large ones.
func measureMemory(ctx context.Context, w io.Writer, program, natsURL string) error {
	const total, limit = 512 << 20, 150 << 20
	large := `"` + strings.Repeat("x", 63<<10) + `"`
	_, _ = fmt.Fprintln(w, "\n| 512 MiB in batches | peak memory of the service | goal |\n| --- | ---: | --- |")
	for _, test := range []struct {
		what    string
		n       int
		data    string
		callers int
	}{
		{"of 10,000 small messages, one caller", 10_000, payload, 1},
		{"of 1,000 messages of 63 KiB, one caller", 1000, large, 1},
		{"of 1,000 messages of 63 KiB, 4 callers", 1000, large, 4},
	} {
		s, err := startService(ctx, program, natsURL)
		if err != nil {
			return err
		}
		err = s.send(ctx, ndjson(test.n, test.data), test.n, total, test.callers)
		peak, errMemory := s.peakMemory()
		s.stop()
		if err := errors.Join(err, errMemory); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(w, "| %s | %d MiB | 150 MiB, %s |\n", test.what, peak>>20, verdict(peak < limit))
	}
	return nil
}

// send has the callers POST the body until that many bytes were sent.
func (s *service) send(ctx context.Context, body []byte, n int, bytes int64, callers int) error {
	var sent atomic.Int64
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for errs[i] == nil && sent.Add(int64(len(body)))-int64(len(body)) < bytes {
				errs[i] = s.postBatch(ctx, body, n)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
