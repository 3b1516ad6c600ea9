// Package fanout hands messages to many live subscriptions. It knows neither
// sockets nor the broker, so that all of it is tested in virtual time.
//
// A subscription is in one of three states:
//
//   - level: a few lanes, each a goroutine and a reader of the stream's head, serve all
//     of them. Subscriptions in a lane that see the same messages in the same form are a
//     group; a frame is built once for a group and offered to each member's [Sink]
//     without waiting. The lanes take turns, and there are more the longer turns take.
//   - lagging: a sink that is still writing takes no frame. The group then keeps its
//     frames, shared by all that lag, up to a bound in bytes, and the sink pulls them
//     when it has written.
//   - behind: it reads the stream by itself, at its sink's pace, until it is where the
//     head is and joins its group with neither gap nor repeat. New subscriptions with
//     messages to see first begin like that, and those that lag too far become it.
//
// So a client that does not read costs the bound at most, and nobody waits for it.
// Where the stream begins another life, all become behind and each finds out by itself.
package fanout
