package msgq

// Credit bounds how many messages a member has, and these how many bytes: of large messages fewer
// come at a time. One may always.
const (
	// memberBytes is how much one member has unsettled.
	memberBytes = 16 << 20
	// clientBytes is how much all of a client ask for at a time, of messages and as much of copies. A broker cuts a
	// connection off for which more than its max_pending waits, 64 MiB unless it is set.
	clientBytes        = 24 << 20
	minShare, maxShare = 64 << 10, 4<<20 - 3 // a prime: a request that equal sizes fill to the byte ends untold
	guessedSize        = 4 << 10             // of a message, before one was seen
)

// share is how many bytes each of so many members and pulls asks for.
func share(askers int64) int64 {
	return min(max(clientBytes/max(askers, 1), minShare), maxShare)
}

// size is about what the message takes, with its headers.
func (d *Delivery) size() int64 { return int64(d.msg.Size()) }

// learnSize takes in how large a message is. Large ones are remembered for some time, as others may
// follow. The caller locks.
func (m *Member) learnSize(size int64) { m.size = max(size, m.size-m.size/16) }

// fits is how many messages may be asked for at a time, and how many more than those asked for. The caller locks.
func (m *Member) fits(asked int) (most, more int) {
	size, share := max(m.size, 1), share(m.c.roster.total.Load())
	most = int(share / size)
	more = min(most, int((memberBytes-m.bytes)/size)) - asked
	if more < 1 && asked == 0 && m.bytes < memberBytes {
		more = 1
	}
	return most, more
}
