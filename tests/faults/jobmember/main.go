// Command jobmember works at the queue "jobs" until it is killed, and decides by a seed
// what it does: most jobs it acknowledges, others it sends back, rejects, or is silent about; now and then its
// connection ends. It writes what it does to standard output before it does it, a line each:
//
//	got JOB ATTEMPT        ack JOB        reject JOB
//	acked JOB              rejected JOB   the broker has confirmed it
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

func main() {
	fmt.Println("wrong", run(os.Args[1:]))
	os.Exit(1)
}

// run is given the seed and the URLs of the instances, and ends only where something is wrong.
func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("%d arguments, a seed and URLs are expected", len(args))
	}
	seed, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	m := &member{random: rand.New(rand.NewPCG(seed, 0))}
	for {
		url := args[1+m.random.IntN(len(args)-1)]
		conn, _, err := websocket.DefaultDialer.Dial(url, nil)
		if err != nil { // that instance is down
			time.Sleep(20 * time.Millisecond) //nolint:forbidigo // nothing tells when it is up again
			continue
		}
		err = m.work(conn)
		_ = conn.Close()
		if err != nil {
			return err
		}
	}
}

type member struct{ random *rand.Rand }

// frame is what the service sends, as far as it matters here.
type frame struct {
	Type, Tag, Ref string
	MessageID      string `json:"message_id"`
	Attempt        int
}

// work takes jobs until the connection ends, after 1 to 1000 objects or a second of silence. What
// comes that cannot be is an error.
func (m *member) work(conn *websocket.Conn) error {
	if conn.WriteJSON(map[string]any{"type": "subscribe", "id": "j", "queue": "jobs", "credit": 50}) != nil {
		return nil
	}
	for quota := 1 + m.random.IntN(1000); quota > 0; {
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		_, lines, err := conn.ReadMessage()
		if err != nil {
			return nil // the next connection goes on
		}
		for line := range bytes.SplitSeq(lines, []byte("\n")) {
			var f frame
			if err := json.Unmarshal(line, &f); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			quota--
			if answer := m.take(f); answer != nil && conn.WriteJSON(answer) != nil {
				return nil
			}
		}
	}
	return nil
}

// take decides about a job, or hears what became of a decision. Nil: nothing is sent.
func (m *member) take(f frame) map[string]any {
	switch f.Type {
	case "ok":
		if f.Ref != "" {
			fmt.Println(f.Ref)
		}
		return nil
	case "message":
	default:
		return nil
	}
	fmt.Println("got", f.MessageID, f.Attempt)
	answer := map[string]any{"id": "j", "tags": []string{f.Tag}}
	switch m.random.IntN(20) {
	case 0: // silence: the ack wait runs out, or the connection ends before
		return nil
	case 1:
		fmt.Println("reject", f.MessageID)
		answer["type"], answer["ref"] = "reject", "rejected "+f.MessageID
	case 2, 3, 4:
		answer["type"] = "nack"
	default:
		fmt.Println("ack", f.MessageID)
		answer["type"], answer["ref"] = "ack", "acked "+f.MessageID
	}
	return answer
}
