package contract_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// What the contract names.
var (
	contractRequests = []string{"auth", "subscribe", "unsubscribe", "ack", "nack", "reject", "progress", "credit", "ping"}
	contractAnswers  = []string{"welcome", "subscribed", "message", "position", "skipped", "ok", "error", "unsubscribed", "pong"}
	contractErrors   = []string{
		"bad_request", "unknown_type", "invalid_topic", "invalid_filter", "invalid_from", "duplicate_id", "unknown_id", "unknown_tag",
		"queue_mismatch", "unauthenticated", "forbidden", "limit_exceeded", "broker_unavailable", "internal",
	}
	contractCloses = []string{"1001", "1002", "1003", "1007", "1009", "1011", "4400", "4401", "4403", "4408", "4429", "4503", "4508"}
)

// Of these, what no test of this package can see, and why.
var unseen = map[string]string{
	"internal": "only a defect is answered so",
	"1011":     "only a defect ends so; package wsconn makes one",
}

// seen is the witness of this run.
var seen *witness

// witness checks all that any test of this package receives against the protocol's
// document, and that in the end all of the contract was received.
type witness struct {
	document *document
	closes   []string // those documented

	mu   sync.Mutex
	what map[string]bool // types, error codes and close codes
}

func newWitness() (*witness, error) {
	d, err := loadDocument()
	if err != nil {
		return nil, err
	}
	return &witness{document: d, closes: d.table(`\d{4}`), what: make(map[string]bool)}, nil
}

// table is the first column of the description's tables, where it is like this; a cell may name several.
func (d *document) table(like string) (names []string) {
	for _, row := range regexp.MustCompile(`(?m)^\| ((?:`+like+`)(?:, (?:`+like+`))*) \|`).FindAllStringSubmatch(d.Info.Description, -1) {
		names = append(names, strings.Split(row[1], ", ")...)
	}
	return names
}

func (w *witness) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.what[what] = true
}

// frame is harness.CheckFrame.
func (w *witness) frame(kind, raw string) error {
	var f struct{ Code string }
	_ = json.Unmarshal([]byte(raw), &f) // the schema finds out
	w.note(kind)
	if kind == "error" {
		w.note(f.Code)
	}
	return w.document.check(kind, raw)
}

// close is harness.CheckClose.
func (w *witness) close(code int) error {
	text := strconv.Itoa(code)
	w.note(text)
	if !slices.Contains(w.closes, text) {
		return fmt.Errorf("close code %s is not documented", text)
	}
	return nil
}

// missing is what the contract names and was not seen.
func (w *witness) missing() (names []string) {
	for _, name := range slices.Concat(contractAnswers, contractErrors, contractCloses) {
		if !w.what[name] && unseen[name] == "" {
			names = append(names, name)
		}
	}
	return names
}

// after looks at what was seen when all tests have run, not some of them.
func (w *witness) after(m *testing.M) goleak.TestingM { return judged{m, w} }

type judged struct {
	m *testing.M
	w *witness
}

func (j judged) Run() int {
	code := j.m.Run()
	for _, choice := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(choice).Value.String() != "" {
			return code
		}
	}
	if missing := j.w.missing(); code == 0 && len(missing) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: no test has seen", strings.Join(missing, ", "))
		return 1
	}
	return code
}

func TestProtocolDocumentNamesAllOfTheContract(t *testing.T) {
	t.Parallel()
	d := seen.document
	same := func(what string, got, want []string) {
		t.Helper()
		got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
		if !slices.Equal(got, want) {
			t.Errorf("%s: the document has %v, the contract %v", what, got, want)
		}
	}
	same("types to the server", d.types("fromClient"), contractRequests)
	same("types to the client", d.types("toClient"), contractAnswers)
	same("error codes of the schema", d.Components.Schemas.Error.Properties.Code.Enum, contractErrors)
	same("close codes", seen.closes, contractCloses)
	same("error codes of the table", d.table(`[a-z]+_[a-z]+|internal|unauthenticated|forbidden`), contractErrors)
}

func TestWhatIsNotDocumentedIsFound(t *testing.T) {
	t.Parallel()
	w, err := newWitness()
	if err != nil {
		t.Fatal(err)
	}
	if w.close(4499) == nil || w.frame("dance", `{"type":"dance"}`) == nil {
		t.Error("a close code and a type that are not documented pass")
	}
	if err := w.frame("error", `{"type":"error","code":"none","message":"m","retryable":false}`); err == nil {
		t.Error("an error code that is not documented passes")
	}
	if missing := w.missing(); !slices.Contains(missing, "position") || !slices.Contains(missing, "4508") {
		t.Errorf("missing is %v, want all but what cannot be seen", missing)
	}
}
