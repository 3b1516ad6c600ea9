package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// warmUp runs before each measurement, and is not counted.
const warmUp = 300 * time.Millisecond

// rate is how often a second op ends well when so many callers call it one time after another.
func rate(ctx context.Context, callers int, d time.Duration, op func(context.Context) error) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range callers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := op(ctx); err != nil {
					cancel(err)
					return
				}
				done.Add(1)
			}
		})
	}
	result := count(ctx, d, &done, nil)
	close(stop)
	wg.Wait()
	return result, context.Cause(ctx)
}

// count is how fast the counter grows: after the warm-up, for d or until ended.
func count(ctx context.Context, d time.Duration, counter *atomic.Int64, ended <-chan struct{}) float64 {
	wait(ctx, warmUp, ended)
	start, from := time.Now(), counter.Load()
	wait(ctx, d, ended)
	return float64(counter.Load()-from) / time.Since(start).Seconds()
}

func wait(ctx context.Context, d time.Duration, ended <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ended:
	case <-ctx.Done():
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// medianRatio is the median of a/b in each round: what slows a round down slows both.
func medianRatio(a, b []float64) float64 {
	ratios := make([]float64, 0, len(a))
	for i := range min(len(a), len(b)) {
		ratios = append(ratios, a[i]/b[i])
	}
	return median(ratios)
}
