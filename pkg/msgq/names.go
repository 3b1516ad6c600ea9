package msgq

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// names knows how streams and subjects are called, so that deployments with
// different Config.Stream can share a broker.
type names struct {
	events, later, dead, counts string // streams
	prefix                      string // first token of every subject
	topics                      string // prefix of published messages
	secrets                     string // key-value bucket
}

func newNames(stream string) names {
	prefix := strings.ToLower(stream)
	return names{
		events:  stream,
		later:   stream + "_LATER",
		dead:    stream + "_DEAD",
		counts:  stream + "_COUNTS",
		prefix:  prefix,
		topics:  prefix + ".t.",
		secrets: stream + "_SECRETS",
	}
}

// topic is the subject of a published message; a pattern gives a subject filter.
func (n names) topic(topic string) string { return n.topics + topic }

// copy is the prefix of what goes to one queue only: see origin.
func (n names) copy(queue string) string { return n.prefix + ".l.q." + queue + "." }

// queue is the prefix of probes, claims and markers, which no subscriber gets, and of copies that queues made before have here.
func (n names) queue(queue string) string { return n.prefix + ".q." + queue + "." }

// secretStream holds the key-value bucket.
func (n names) secretStream() string { return "KV_" + n.secrets }

// secretKey is where a secret stands in the bucket.
func secretKey(queue, id string) string { return queue + "." + id }

// secret is the subject of that key.
func (n names) secret(queue, id string) string {
	return "$KV." + n.secrets + "." + secretKey(queue, id)
}

func (n names) secretsOf(queue string) string { return n.secret(queue, "*") }

// deadLetter is the subject of one. The round keeps a redriven message's
// second death apart from its first.
func (n names) deadLetter(queue string, seq uint64, round int) string {
	return n.prefix + ".d." + queue + "." + strconv.FormatUint(seq, 10) + "." + strconv.Itoa(round)
}

// deadRounds covers the dead letters of one message.
func (n names) deadRounds(queue string, seq uint64) string {
	return n.prefix + ".d." + queue + "." + strconv.FormatUint(seq, 10) + ".*"
}

// deadOf covers those of one message in all queues.
func (n names) deadOf(seq uint64) string { return n.deadRounds("*", seq) }

func (n names) deadLetters(queue string) string { return n.prefix + ".d." + queue + ".>" }

// countOf is the subject of one of a queue's counts.
func (n names) countOf(queue, what string) string { return n.prefix + ".n." + queue + "." + what }

func (n names) countsOf(queue string) string { return n.countOf(queue, "*") }

// roster is where clients tell each other of their members; no stream keeps it.
func (n names) roster() string { return n.prefix + ".m" }

// erasures is where clients tell each other of deleted messages.
func (n names) erasures() string { return n.prefix + ".e" }

// topicOf is the inverse of topic, and of copy(q)+topic and queue(q)+topic.
func (n names) topicOf(subject string) string {
	if topic, ok := strings.CutPrefix(subject, n.topics); ok {
		return topic
	}
	for _, own := range []string{n.prefix + ".l.q.", n.prefix + ".q."} {
		if rest, ok := strings.CutPrefix(subject, own); ok {
			_, topic, _ := strings.Cut(rest, ".")
			return topic
		}
	}
	return subject
}

// retry is the subject on which a message of the queue waits for its next
// attempt: at most one does, however often a crash makes two of it.
func (n names) retry(queue string, o origin) string {
	return n.prefix + ".l.r." + queue + "." + strconv.FormatUint(o.seq, 10) + "." + strconv.Itoa(o.round) +
		"." + strconv.FormatInt(o.time.UnixNano(), 10)
}

// retriesOf covers those of one message in all queues.
func (n names) retriesOf(seq uint64) string {
	return n.prefix + ".l.r.*." + strconv.FormatUint(seq, 10) + ".*.*"
}

func (n names) retries(queue string) string { return n.prefix + ".l.r." + queue + ".>" }

// schedule is the subject that something waits on under a key.
func (n names) schedule(key string) string {
	sum := sha256.Sum256([]byte(key))
	return n.prefix + ".l.s." + hex.EncodeToString(sum[:])
}

func (n names) schedules() string { return n.prefix + ".l.s.>" }

// due is the subject on which the broker puts what is due. The stream of events takes it from there.
func (n names) due(target string) string { return n.prefix + ".l.due." + target }
