package msgq

import "github.com/nats-io/nats.go"

// Roster is a client's, without the client.
type Roster struct{ *roster }

func NewRoster() Roster { return Roster{newRoster(nil)} }

func (r Roster) Hear(text string) { r.hear(&nats.Msg{Data: []byte(text)}) }

func (r Roster) Members(queue string) int { return r.members(queue) }
