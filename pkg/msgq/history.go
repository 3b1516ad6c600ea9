package msgq

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// What one read of the stream's history takes at most.
const (
	chunkMessages = 512
	chunkBytes    = 2 << 20
)

// errTorn is returned for an answer that misses one of its messages.
var errTorn = fmt.Errorf("%w: messages were lost on the way", ErrUnavailable)

// getBatch reads from the stream directly, without a consumer. left is how many
// more there are behind the last one. Any replica may answer, also one that lags.
func (c *Client) getBatch(ctx context.Context, n int, opts ...jetstreamext.GetBatchOpt) (
	found []*jetstream.RawStreamMsg, left int, err error,
) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	js, err := c.tail.reads.jetStream()
	if err != nil {
		return nil, 0, err
	}
	batch, err := jetstreamext.GetBatch(ctx, js, c.names.events, n, opts...)
	if err != nil {
		return nil, 0, brokerError("read the stream", err)
	}
	for raw, err := range batch {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return nil, 0, nil
		}
		if err != nil {
			return nil, 0, brokerError("read the stream", err)
		}
		if !follows(raw, found) {
			return nil, 0, brokerError("read the stream", errTorn)
		}
		found = append(found, raw)
		if left, err = strconv.Atoi(raw.Header.Get("Nats-Num-Pending")); err != nil {
			return nil, 0, brokerError("read the stream", err)
		}
	}
	if err := ctx.Err(); err != nil { // a request cut short looks like its end
		return nil, 0, brokerError("read the stream", err)
	}
	return found, left, nil
}

// follows checks that raw is what the broker sent behind the ones before: each
// message names its predecessor.
func follows(raw *jetstream.RawStreamMsg, before []*jetstream.RawStreamMsg) bool {
	last := uint64(0)
	if len(before) > 0 {
		last = before[len(before)-1].Sequence
	}
	return raw.Header.Get("Nats-Last-Sequence") == strconv.FormatUint(last, 10)
}
