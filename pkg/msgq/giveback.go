package msgq

import (
	"context"
	"errors"
	"slices"
)

// giveBackWaiting hands to others what nobody has taken.
func (m *Member) giveBackWaiting() {
	waiting := m.takeParked(func(*Delivery) bool { return true })
	for {
		select {
		case d, ok := <-m.deliveries:
			if ok {
				waiting = append(waiting, d)
				continue
			}
		default:
		}
		m.giveBackUnseen(waiting...)
		return
	}
}

// giveBackUnseen hands to others what nobody has looked at. At its last attempt nobody ever would: that one is not counted,
// unless the broker does not answer.
func (m *Member) giveBackUnseen(unseen ...*Delivery) {
	last := slices.DeleteFunc(unseen, func(d *Delivery) bool {
		again := d.Attempt < m.Queue().MaxAttempts
		if again {
			d.giveBack()
		}
		return again
	})
	m.giveBackUncounted(last...)
}

// giveBackUncounted hands to others what keeps the attempt that this delivery was.
func (m *Member) giveBackUncounted(unseen ...*Delivery) {
	_, err := parallel(context.Background(), unseen, func(ctx context.Context, d *Delivery) (bool, error) { // also while the client is closed
		d.open()
		err := d.release(ctx)
		if errors.Is(err, ErrSettled) { // it goes to others anyway
			err = nil
		}
		return true, err
	})
	m.c.settled(err)
}
