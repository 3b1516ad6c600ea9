package wsconn

import "encoding/binary"

// Frames as RFC 6455 has them: ours are never masked nor fragmented.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10

	// maxHeader is what a frame's header takes at most, without a mask's maskBytes.
	maxHeader  = 10
	maskBytes  = 4
	maxControl = 125 // bytes of a control frame's payload
)

// appendHeader appends the header of a frame with so long a payload.
func appendHeader(b []byte, opcode byte, length int) []byte {
	b = append(b, 0x80|opcode)
	switch {
	case length < 126:
		return append(b, byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(length))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(length))
}

// beginFrame makes room for a header before the payload.
func beginFrame(b []byte) []byte { return append(b, make([]byte, maxHeader)...) }

// endFrame returns the text frame that was begun at start and whose payload follows
// the room for its header.
func endFrame(b []byte, start int) []byte {
	var room [maxHeader]byte
	header := appendHeader(room[:0], opText, len(b)-start-maxHeader)
	frame := b[start+maxHeader-len(header):]
	copy(frame, header)
	return frame
}
