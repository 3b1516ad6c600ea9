package httpapi

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
)

// FuzzReceipt wants a receipt to be the JSON that encoding/json would make of it.
func FuzzReceipt(f *testing.F) {
	f.Add("order-1", "orders.eu", uint64(17), int64(0), false)
	f.Add(`a"b\c<d>&'`, "a", uint64(0), int64(1_700_000_000_500_000_000), true)
	f.Add("\x7f~ ", "", uint64(1<<64-1), int64(1), true)
	f.Add("\xff\u2028é", "x", uint64(1), int64(-1), false)
	f.Fuzz(func(t *testing.T, id, topic string, seq uint64, at int64, duplicate bool) {
		type receipt struct {
			ID        string    `json:"id"`
			Topic     string    `json:"topic"`
			Seq       uint64    `json:"seq,omitempty"`
			DeliverAt time.Time `json:"deliver_at,omitzero"`
			Duplicate bool      `json:"duplicate"`
		}
		r := msgq.Receipt{ID: id, Topic: topic, Seq: seq, Duplicate: duplicate}
		if at != 0 {
			r.DeliverAt = time.Unix(0, at)
		}
		var got, want receipt
		text := string(appendReceipt([]byte("{"), r)) + "}"
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%+v: %s: %v", r, text, err)
		}
		reference, err := json.Marshal(receipt{ID: id, Topic: topic, Seq: seq, DeliverAt: r.DeliverAt.UTC(), Duplicate: duplicate})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(reference, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s, want %s", text, reference)
		}
	})
}
