package wsconn

import (
	"strconv"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/subscribe/wire"
)

// deliver hands messages to the client until the membership ends.
func (s *queueSub) deliver() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.member.Done():
			if s.ctx.Err() == nil { // the client did not ask for it
				s.c.send(unsubscribed{Type: "unsubscribed", ID: s.id, Code: coded(s.member.Err()).code})
			}
			return
		case d := <-s.member.Deliveries():
			if s.write(d) != nil {
				return
			}
		}
	}
}

// write sends a message, and those behind it that are here, in one frame. Only when
// that is written do their ack waits begin and the next are taken, so that of a
// queue no more than one frame waits for a slow client, and nothing that waits expires.
func (s *queueSub) write(d *msgq.Delivery) error {
	buf, _ := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	frame := beginFrame((*buf)[:0])
	limit := min(frameBytes, s.c.out.max)
	batch := s.batch[:0]
	for ; d != nil; d = s.next(len(frame) < limit) {
		d.Hold()
		batch = append(batch, d)
		frame = append(s.appendMessage(frame, d), '\n')
	}
	if *buf = frame; cap(frame) > 2*frameBytes {
		*buf = nil // one large message must not stay in memory
	}
	err := s.c.out.write(s.ctx, endFrame(frame[:len(frame)-1], 0))
	for _, d := range batch {
		d.Begin()
	}
	s.c.h.metrics.deliveries.WithLabelValues("queue").Add(float64(len(batch)))
	clear(batch)
	s.batch = batch
	return err
}

// next is a delivery that is here already, if there is room for it.
func (s *queueSub) next(room bool) *msgq.Delivery {
	if !room {
		return nil
	}
	select {
	case d := <-s.member.Deliveries():
		return d
	default:
		return nil
	}
}

func (s *queueSub) appendMessage(b []byte, d *msgq.Delivery) []byte {
	b = wire.AppendMessage(append(b, s.prefix...), d.Message)
	b = s.tags.append(append(b, `,"tag":"`...), d)
	b = strconv.AppendInt(append(b, `","attempt":`...), int64(d.Attempt), 10)
	return append(b, '}')
}
