package contract_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestNewQueueStartsWhereItIsAsked(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	before := s.Publish(t, "jobs", `1`)
	last := s.Publish(t, "jobs", `2`)
	sockets := map[string]*harness.Socket{}
	for id, from := range map[string]any{"all": "all", "last": object{"last": 1}, "after": object{"after": before.Seq}, "new": "new", "default": nil} {
		sockets[id] = s.Dial(t, nil)
		subscribe(t, sockets[id], id, object{"topics": []string{"jobs"}, "queue": id, "from": from})
	}
	after := s.Publish(t, "jobs", `3`)
	for id, want := range map[string][]harness.Receipt{
		"all": {before, last, after}, "last": {last, after}, "after": {last, after}, "new": {after}, "default": {after},
	} {
		for _, sent := range want {
			delivery(t, sockets[id], id, sent, 1)
		}
		waitQueue(t, s, id, 0, len(want), 0)
	}
}

func TestBadQueueRequestsAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--max-queues=1"}})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "q", object{"topics": []string{"a", "b"}, "queue": "q", "filter": "seq > 0"})
	subscribe(t, ws, "live", object{"topics": []string{"a"}})
	sub := func(fields object) object {
		o := object{"type": "subscribe", "id": "s", "ref": 7, "queue": "q"}
		maps.Copy(o, fields)
		return o
	}
	tags := slices.Repeat([]string{"x"}, 1001)
	for name, test := range map[string]struct {
		send object
		code string
	}{
		"other topics":           {sub(object{"topics": []string{"a"}}), "queue_mismatch"},
		"another filter":         {sub(object{"filter": "seq > 1"}), "queue_mismatch"},
		"a queue too many":       {sub(object{"queue": "q2", "topics": []string{"a"}}), "limit_exceeded"},
		"no name":                {sub(object{"queue": ""}), "bad_request"},
		"a dot in the name":      {sub(object{"queue": "a.b"}), "bad_request"},
		"65 characters":          {sub(object{"queue": string(slices.Repeat([]byte("x"), 65))}), "bad_request"},
		"a new one, no topics":   {sub(object{"queue": "q3"}), "invalid_topic"},
		"credit 1001":            {sub(object{"credit": 1001}), "bad_request"},
		"credit -1":              {sub(object{"credit": -1}), "bad_request"},
		"max_attempts -1":        {sub(object{"max_attempts": -1}), "bad_request"},
		"ack_wait of a number":   {sub(object{"ack_wait": 30}), "bad_request"},
		"ack_wait of 1ns":        {sub(object{"ack_wait": "1ns"}), "bad_request"},
		"backoff below zero":     {sub(object{"backoff": "-1s"}), "bad_request"},
		"backoff that is none":   {sub(object{"backoff": []int{1}}), "bad_request"},
		"from that is none":      {sub(object{"from": "x"}), "invalid_from"},
		"ack without tags":       {object{"type": "ack", "id": "q", "ref": 7}, "bad_request"},
		"ack of 1001 tags":       {object{"type": "ack", "id": "q", "ref": 7, "tags": tags}, "bad_request"},
		"nack, delay not valid":  {object{"type": "nack", "id": "q", "ref": 7, "tags": tags[:1], "delay": "soon"}, "bad_request"},
		"push":                   {sub(object{"push": object{"url": "http://a"}}), "bad_request"},
		"queue of a number":      {sub(object{"queue": 5}), "bad_request"},
		"a name of another kind": {sub(object{"queue": "ü"}), "bad_request"},
		"max_attempts 1001":      {sub(object{"max_attempts": 1001}), "bad_request"},
		"max_attempts of text":   {sub(object{"max_attempts": "5"}), "bad_request"},
		"ack_wait over 12h":      {sub(object{"ack_wait": "12h1s"}), "bad_request"},
		"ack_wait that is none":  {sub(object{"ack_wait": "soon"}), "bad_request"},
		"backoff over 24h":       {sub(object{"backoff": "24h1s"}), "bad_request"},
		"backoff of nothing":     {sub(object{"backoff": []string{}}), "bad_request"},
		"credit of text":         {sub(object{"credit": "5"}), "bad_request"},
		"credit of a half":       {sub(object{"credit": 1.5}), "bad_request"},
		"a bad filter":           {sub(object{"filter": "data.x ="}), "invalid_filter"},
		"a bad topic":            {sub(object{"topics": []string{"a..b"}}), "invalid_topic"},
		"17 topics":              {sub(object{"topics": tags[:17]}), "invalid_topic"},
		"last 0":                 {sub(object{"from": object{"last": 0}}), "invalid_from"},
		"id of another":          {sub(object{"id": "q"}), "duplicate_id"},
		"id that is empty":       {sub(object{"id": ""}), "bad_request"},
		"ack of a live one":      {object{"type": "ack", "id": "live", "ref": 7, "tags": tags[:1]}, "bad_request"},
		"credit of a live one":   {object{"type": "credit", "id": "live", "ref": 7, "credit": 1}, "bad_request"},
		"ack, unknown id":        {object{"type": "ack", "id": "none", "ref": 7, "tags": tags[:1]}, "unknown_id"},
		"nack, unknown id":       {object{"type": "nack", "id": "none", "ref": 7, "tags": tags[:1]}, "unknown_id"},
		"reject, unknown id":     {object{"type": "reject", "id": "none", "ref": 7, "tags": tags[:1]}, "unknown_id"},
		"progress, unknown id":   {object{"type": "progress", "id": "none", "ref": 7, "tags": tags[:1]}, "unknown_id"},
		"credit, unknown id":     {object{"type": "credit", "id": "none", "ref": 7, "credit": 1}, "unknown_id"},
		"unsubscribe, unknown":   {object{"type": "unsubscribe", "id": "none", "ref": 7}, "unknown_id"},
		"no tags":                {object{"type": "ack", "id": "q", "ref": 7, "tags": []string{}}, "bad_request"},
		"tags of numbers":        {object{"type": "ack", "id": "q", "ref": 7, "tags": []int{1}}, "bad_request"},
		"tags of text":           {object{"type": "ack", "id": "q", "ref": 7, "tags": "x"}, "bad_request"},
		"reason of a number":     {object{"type": "nack", "id": "q", "ref": 7, "tags": tags[:1], "reason": 5}, "bad_request"},
		"credit without credit":  {object{"type": "credit", "id": "q", "ref": 7}, "bad_request"},
		"credit of 1001":         {object{"type": "credit", "id": "q", "ref": 7, "credit": 1001}, "bad_request"},
	} {
		t.Run(name, func(t *testing.T) {
			ws.Send(test.send)
			checkError(t, ws.Next(), test.code, "7")
		})
	}
	subscribe(t, ws, "second", object{"topics": []string{"b", "a"}, "filter": "seq > 0", "queue": "q", "max_attempts": 9}) // no mismatch
}
