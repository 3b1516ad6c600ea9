package msgq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxHeldRetry is the longest retry that the queue's consumer itself waits for,
// where the ack wait is not shorter still: each takes a place of ackPending.
const maxHeldRetry = 30 * time.Second

// origin is what a copy of a message keeps of the message it stands for. Copies are retries that waited long, redriven dead letters,
// and what was given back without an attempt; they go to one queue only.
type origin struct {
	seq      uint64
	time     time.Time // with seq names the message also over lives of the stream
	attempts int       // made before this copy
	round    int       // how often it was redriven
	first    time.Time // its first delivery; zero: not known here
	expires  time.Time // by its TTL; zero: never
}

// Headers of a copy. A publisher's own stand behind headerPrefix.
const (
	headerRetryPrefix   = "Msgq-Retry-"
	headerRetrySeq      = headerRetryPrefix + "Seq"
	headerRetryTime     = headerRetryPrefix + "Time"
	headerRetryAttempts = headerRetryPrefix + "Attempts"
	headerRetryRound    = headerRetryPrefix + "Round"
	headerRetryFirst    = headerRetryPrefix + "First"
	headerRetryExpires  = headerRetryPrefix + "Expires"
)

// retryLater has the message come back as a copy after the delay, and is then done
// with this one. A crash between the two leaves both: the queue may see it twice,
// until both fail and meet on the same subject.
func (d *Delivery) retryLater(ctx context.Context, queue string, delay time.Duration) error {
	if err := d.scheduleRetry(ctx, queue, time.Now().Add(delay), d.Attempt); err != nil {
		return err
	}
	return d.ask(ctx, ackDone)
}

// release has the message come again as a copy that knows nothing of this attempt: the broker counts each delivery.
func (d *Delivery) release(ctx context.Context) error {
	return d.finish(ctx, func(ctx context.Context) error {
		if err := d.scheduleRetry(ctx, d.member.Queue().Name, time.Now(), d.Attempt-1); err != nil {
			return err
		}
		return d.ask(ctx, ackDone)
	})
}

func (d *Delivery) scheduleRetry(ctx context.Context, queue string, at time.Time, attempts int) error {
	o, n := d.origin(), d.member.c.names
	o.attempts = attempts
	if !o.expires.IsZero() && at.After(o.expires) {
		if d.copied != nil || time.Now().Before(o.expires) { // else the broker told of it
			d.expired() // by its TTL before that
		}
		return nil
	}
	msg := &nats.Msg{Subject: n.retry(queue, o), Header: ownHeaders(d.msg.Header), Data: d.Data}
	o.put(msg.Header)
	// The option of nats.go cuts the time to whole seconds, and would so fire early.
	msg.Header[jetstream.ScheduleHeader] = []string{"@at " + formatTime(at)}
	msg.Header[jetstream.ScheduleTargetHeader] = []string{n.copy(queue) + d.Topic}
	ctx, cancel := d.member.c.withTimeout(ctx)
	defer cancel()
	for {
		_, err := d.member.c.publishPatiently(ctx, msg, jetstream.WithExpectLastSequencePerSubject(0))
		if err == nil {
			return nil
		}
		if !isTaken(err) {
			return fmt.Errorf("schedule the retry: %w", err)
		}
		if fired, err := d.isBroughtBy(ctx, msg.Subject); err != nil || !fired {
			return err
		}
		if err := sleep(ctx, lagWait); err != nil {
			return err
		}
	}
}

// isBroughtBy reports whether what is on that subject, or was, is what this copy came from: another broker may deliver the copy
// before the leader has removed that.
func (d *Delivery) isBroughtBy(ctx context.Context, subject string) (bool, error) {
	if !d.isCopy() {
		return false, nil
	}
	there, err := d.member.c.askLeader(ctx, d.member.c.names.later, question{Last: subject})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return there.Sequence < d.reply.stored && parseInt(there.Header.Get(headerRetryAttempts)) == d.copied.attempts, nil
}

// isTaken reports that a subject which takes one message has it already.
func isTaken(err error) bool { return apiCode(err) == codeWrongLastSequence }

func (o origin) put(h nats.Header) {
	h[headerRetrySeq] = []string{strconv.FormatUint(o.seq, 10)}
	h[headerRetryTime] = []string{formatTime(o.time)}
	h[headerRetryAttempts] = []string{strconv.Itoa(o.attempts)}
	h[headerRetryRound] = []string{strconv.Itoa(o.round)}
	if !o.first.IsZero() {
		h[headerRetryFirst] = []string{formatTime(o.first)}
	}
	if !o.expires.IsZero() {
		h[headerRetryExpires] = []string{formatTime(o.expires)}
	}
}

// originOf is nil for what is no copy.
func originOf(h nats.Header) *origin {
	if h[headerRetrySeq] == nil {
		return nil
	}
	seq, _ := strconv.ParseUint(h.Get(headerRetrySeq), 10, 64) // written by put
	return &origin{
		seq: seq, time: parseTime(h.Get(headerRetryTime)),
		attempts: parseInt(h.Get(headerRetryAttempts)), round: parseInt(h.Get(headerRetryRound)),
		first: parseTime(h.Get(headerRetryFirst)), expires: parseTime(h.Get(headerRetryExpires)),
	}
}

// origin is what the next copy keeps.
func (d *Delivery) origin() origin {
	o := origin{seq: d.Seq, time: d.Time, attempts: d.Attempt, first: d.first(), expires: d.expires}
	if d.copied != nil {
		o.round = d.copied.round
	}
	return o
}

// ownHeaders copies the headers that belong to the message itself, without those
// that act on the broker and those of an earlier copy or dead letter.
func ownHeaders(h nats.Header) nats.Header {
	own := make(nats.Header, len(h)+9)
	own[headerID] = []string{messageID(h)} // also where its batch named it
	for key, values := range h {
		if !strings.HasPrefix(key, "Nats-") && !strings.HasPrefix(key, headerRetryPrefix) && !strings.HasPrefix(key, headerDeadPrefix) {
			own[key] = values
		}
	}
	return own
}
