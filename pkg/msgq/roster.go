package msgq

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
	"golang.org/x/time/rate"
)

const (
	rosterEvery  = 5 * time.Second
	rosterForget = 15 * time.Second
	rosterRest   = 20 * time.Millisecond // between two changes that are told: of thousands that join at once not one by one
)

// roster knows how many members each queue has in all clients. The broker does not count
// them, so clients tell each other: at once when something changes, and every rosterEvery.
// One that was killed is forgotten after rosterForget.
type roster struct {
	c       *Client
	id      string
	changed chan struct{}
	total   atomic.Int64 // members and pulls here, of all queues

	mu     sync.Mutex
	ask    bool // the others are to tell what they have
	here   map[string]int
	others map[string]presence

	pullers map[string]map[*puller]struct{} // of members here, by queue
}

// presence is what one client tells.
type presence struct {
	Client string         `json:"client"`
	Ask    bool           `json:"ask,omitempty"`
	Queues map[string]int `json:"queues"`
	// Altered is a queue whose settings have just changed.
	Altered string `json:"altered,omitempty"`
	heard   time.Time
}

func newRoster(c *Client) *roster {
	return &roster{
		c: c, id: nuid.Next(), changed: make(chan struct{}, 1),
		here: make(map[string]int), others: make(map[string]presence), pullers: make(map[string]map[*puller]struct{}),
	}
}

// listen takes what others tell from now on.
func (r *roster) listen() error {
	_, err := r.c.nc.Subscribe(r.c.names.roster(), r.hear)
	return brokerError("roster", err)
}

// connected has everyone told, and asked: the connection is a new one.
func (r *roster) connected() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ask = true
	nudge(r.changed)
}

// add counts members that come, or leave with a negative number.
func (r *roster) add(queue string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total.Add(int64(n))
	if r.here[queue] += n; r.here[queue] == 0 {
		delete(r.here, queue)
	}
	nudge(r.changed)
}

// join adds a member.
func (r *roster) join(p *puller) {
	r.mu.Lock()
	if r.pullers[p.queue] == nil {
		r.pullers[p.queue] = make(map[*puller]struct{})
	}
	p.member.asked.looks = rate.NewLimiter(rate.Every(turn), 1)
	for other := range r.pullers[p.queue] {
		p.member.asked.looks = other.member.asked.looks // of all of them the same
		break
	}
	r.pullers[p.queue][p] = struct{}{}
	r.mu.Unlock()
	r.add(p.queue, 1)
}

// leave takes it out.
func (r *roster) leave(p *puller) {
	r.mu.Lock()
	delete(r.pullers[p.queue], p)
	if len(r.pullers[p.queue]) == 0 {
		delete(r.pullers, p.queue)
	}
	r.mu.Unlock()
	r.add(p.queue, -1)
}

// altered has all members of a queue look at its settings, here and elsewhere.
func (r *roster) altered(queue string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look(queue)
	r.publish(presence{Client: r.id, Queues: r.here, Altered: queue})
}

// look is for the holder of mu.
func (r *roster) look(queue string) {
	for p := range r.pullers[queue] {
		nudge(p.altered)
	}
}

// members is how many a queue has now.
func (r *roster) members(queue string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.here[queue]
	for id, p := range r.others {
		if time.Since(p.heard) > rosterForget {
			delete(r.others, id)
			continue
		}
		n += p.Queues[queue]
	}
	return n
}

func (r *roster) run() {
	ticker := time.NewTicker(rosterEvery)
	defer ticker.Stop()
	for {
		select {
		case <-r.c.ctx.Done():
			r.publish(presence{Client: r.id}) // farewell
			return
		case <-r.changed:
			r.tell(true)
			_ = sleep(r.c.ctx, rosterRest)
		case <-ticker.C:
			r.tell(false)
		}
	}
}

// tell tells the others what is here; nothing is worth telling only when it is news.
func (r *roster) tell(news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !news && len(r.here) == 0 {
		return
	}
	r.publish(presence{Client: r.id, Ask: r.ask, Queues: r.here})
	r.ask = false
}

// publish tells at most once: while the broker is away nobody hears, and all is told after it.
func (r *roster) publish(p presence) {
	text, err := json.Marshal(p)
	if err == nil {
		_ = r.c.nc.Publish(r.c.names.roster(), text)
	}
}

func (r *roster) hear(msg *nats.Msg) {
	var p presence
	if json.Unmarshal(msg.Data, &p) != nil || p.Client == r.id {
		return
	}
	p.heard = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look(p.Altered)
	if len(p.Queues) == 0 {
		delete(r.others, p.Client)
	} else {
		r.others[p.Client] = p
	}
	if p.Ask && len(r.here) > 0 {
		nudge(r.changed)
	}
}
