package msgq

import (
	"context"
	"sync"
	"sync/atomic"
)

// parallelCalls is how many run at a time.
const parallelCalls = 128

// parallel calls do for each, some at once, and counts the calls that say true. It
// begins no more after the first error, and returns that.
func parallel[T any](ctx context.Context, all []T, do func(context.Context, T) (bool, error)) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var n, next atomic.Int64
	var workers sync.WaitGroup
	for range min(parallelCalls, len(all)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(all) {
					return
				}
				counts, err := do(context.WithoutCancel(ctx), all[i]) // what has begun is finished
				if counts {
					n.Add(1)
				}
				if err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	workers.Wait()
	return int(n.Load()), context.Cause(ctx)
}
