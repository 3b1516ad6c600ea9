package msgq

import "errors"

// ErrInvalidSelection is returned for a selection that selects nothing: the zero value, no sequences, or no filter.
var ErrInvalidSelection = errors.New("invalid selection")

// Selection says which of a queue's dead letters are meant.
type Selection struct {
	kind   selectKind
	seqs   []uint64
	filter string
	report func(done int)
}

type selectKind int

const (
	selectNone selectKind = iota
	selectSeqs
	selectMessages
	selectMatching
	selectAll
)

// SelectSeqs means the dead letters with these [DeadLetter].DeadSeq. Those that do
// not exist, or are another queue's, are passed over.
func SelectSeqs(deadSeqs ...uint64) Selection {
	return Selection{kind: selectSeqs, seqs: deadSeqs}
}

// SelectMessages means the dead letters of the messages with these Seq, the ones they
// were published with. Those that do not exist, or are another queue's, are passed over.
func SelectMessages(seqs ...uint64) Selection {
	return Selection{kind: selectMessages, seqs: seqs}
}

// SelectMatching means those whose message a filter holds for.
func SelectMatching(filter string) Selection { return Selection{kind: selectMatching, filter: filter} }

// SelectAll means all there are when it is used; none that come meanwhile.
func SelectAll() Selection { return Selection{kind: selectAll} }

// OnProgress is the same selection, with report called each time that some more of a large one are
// done: with how many are by then, by the goroutine of the call, which waits for it. It may be called with the same number again.
func (s Selection) OnProgress(report func(done int)) Selection {
	s.report = report
	return s
}
