package contract_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/tests/harness"
)

const (
	ndjson    = "Content-Type: application/x-ndjson"
	jsonArray = "Content-Type: application/json"
)

type batchResult struct {
	Status    int
	ID, Topic string
	Seq       uint64
	DeliverAt time.Time `json:"deliver_at"`
	Duplicate bool
	Error     *problem
}

// code is the problem's, or the status.
func (r batchResult) code() string {
	if r.Error != nil {
		return r.Error.Code
	}
	return fmt.Sprint(r.Status)
}

func postBatch(t *testing.T, s *harness.Stack, query, body string, headers ...string) harness.Response {
	t.Helper()
	return s.Do(t, http.MethodPost, s.PublishURL+"/v1/messages"+query, body, headers...)
}

func resultsOf(t *testing.T, r harness.Response) []batchResult {
	t.Helper()
	var answer struct{ Results []batchResult }
	r.JSON(t, &answer)
	for _, one := range answer.Results {
		if one.Error != nil && (one.Error.Status != one.Status || one.Error.RequestID == "" || internal.MatchString(one.Error.Detail)) {
			t.Errorf("result %+v with problem %+v", one, *one.Error)
		}
	}
	return answer.Results
}

func codes(results []batchResult) string {
	var all []string
	for _, r := range results {
		all = append(all, r.code())
	}
	return strings.Join(all, " ")
}

func TestBatchHasAResultForEachMessageInOrder(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	ws := s.Dial(t, nil)
	subscribe(t, ws, "s", object{"topics": []string{">"}})
	lines := []string{
		`{"topic":"a","id":"1","data":{"n": 1},"headers":{"x":"y"}}`,
		`{"topic":"a","id":"1","data":{"n": 1}}`,
		`{"topic":"a","id":"1","data":{"n": 2}}`,
		`{"topic":"a..b","data":1}`,
		`{"topic":"b","data":"text","datacontenttype":"text/plain"}`,
		`{"topic":"b","data_base64":"AP8="}`,
		`{"topic":"b","data":1,"delay":"1h"}`,
		`{"topic":"b","data":1,"dealy":"1h"}`,
		`{"topic":"b"}`,
		`{"topic":"b","data":1,"data_base64":""}`,
		`{"topic":"b","data":1,"ttl":"1ms"}`,
		`{"topic":"b","data":1,"deliver_at":"yesterday"}`,
		`{"topic":"b","data":1,"headers":{"nats-rollup":"all"}}`,
		`{"topic":"b","data_base64":"*"}`,
		`{"topic":["b"],"data":1}`,
		`"no object"`,
		`{"topic":"b","data_base64":"ew==","datacontenttype":"application/json"}`,
		`{"topic":"b","id":"","data":1}`,
		`{"topic":"b","data":null}`,
	}
	const want = "201 200 id_reused invalid_topic 201 201 201 invalid_request invalid_request invalid_request invalid_ttl invalid_delay " +
		"invalid_header invalid_request invalid_request invalid_request invalid_json invalid_id 201"
	r := postBatch(t, s, "", strings.Join(lines, "\n"), ndjson)
	results := resultsOf(t, r)
	if r.Status != http.StatusOK || codes(results) != want {
		t.Fatalf("status %d: %s\nwant %s\n%s", r.Status, codes(results), want, r.Body)
	}
	if results[6].DeliverAt.IsZero() || results[6].Seq != 0 || results[0].ID != "1" || results[4].ID == "" {
		t.Errorf("results %+v", results)
	}
	for _, i := range []int{0, 4, 5, 18} {
		m := message(t, ws, "s", harness.Receipt{ID: results[i].ID, Topic: results[i].Topic, Seq: results[i].Seq})
		if data := map[int]string{0: `{"n":1}`, 4: `"text"`, 18: "null"}[i]; string(m.Data) != data {
			t.Errorf("message %d: %s, want %s", i, m.Raw, data)
		}
	}
	array := postBatch(t, s, "", "[\n"+lines[0]+" , "+lines[4]+"]\n", jsonArray)
	if got := codes(resultsOf(t, array)); got != "200 201" {
		t.Errorf("as an array: %s", got)
	}
	if zipped := postBatch(t, s, "", zip(t, lines[0]+"\n"+lines[4]), ndjson, "Content-Encoding: gzip"); codes(resultsOf(t, zipped)) != "200 201" {
		t.Errorf("gzip: %s", zipped.Body)
	}
	for _, empty := range []harness.Response{postBatch(t, s, "", "", ndjson), postBatch(t, s, "", " [ ] ", jsonArray)} {
		if empty.Status != http.StatusOK || strings.TrimSpace(string(empty.Body)) != `{"results":[]}` {
			t.Errorf("empty: %d %s", empty.Status, empty.Body)
		}
	}
}

func TestBatchOfGitHubEvents(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	events, err := os.ReadFile("../testdata/github-events.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	r := postBatch(t, s, "", string(events), ndjson)
	if got, want := codes(resultsOf(t, r)), strings.TrimSpace(strings.Repeat("201 ", strings.Count(string(events), "\n"))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBatchThatEndsEarlyKeepsWhatCameBefore(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{PublishFlags: []string{"--max-body=1KiB"}})
	const good = `{"topic":"a","data":1}`
	huge := `{"topic":"a","data":"` + strings.Repeat("x", 200<<10) + `"}`
	for name, test := range map[string]struct{ header, body, last string }{
		"broken":               {ndjson, good + "\n{", "invalid_json"},
		"not UTF-8":            {ndjson, good + "\n{\"topic\":\"\xff\"}", "invalid_json"},
		"a member twice":       {ndjson, good + `{"topic":"a","topic":"b"}`, "invalid_request"},
		"array cut off":        {jsonArray, "[" + good, "invalid_json"},
		"array not separated":  {jsonArray, "[" + good + good + "]", "invalid_json"},
		"behind the array":     {jsonArray, "[" + good + "] 1", "invalid_json"},
		"deep":                 {ndjson, good + strings.Repeat("[", 20_000), "invalid_json"},
		"one message too long": {ndjson, good + huge + good, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			r := postBatch(t, s, "", test.body, test.header)
			if got := codes(resultsOf(t, r)); r.Status != http.StatusOK || got != "201 "+test.last {
				t.Errorf("status %d: %s, want 201 %s", r.Status, got, test.last)
			}
		})
	}
	if r := postBatch(t, s, "", good+`{"topic":"a","data":"`+strings.Repeat("x", 2<<10)+`"}`+good, ndjson); codes(resultsOf(t, r)) != "201 too_large 201" {
		t.Errorf("a message over the limit alone: %s", r.Body)
	}
	checkProblem(t, postBatch(t, s, "", "{", ndjson), http.StatusBadRequest, "invalid_json")
	checkProblem(t, postBatch(t, s, "", good, jsonArray), http.StatusBadRequest, "invalid_json")
	checkProblem(t, postBatch(t, s, "", "", jsonArray), http.StatusBadRequest, "invalid_json")
	checkProblem(t, postBatch(t, s, "", good), http.StatusBadRequest, "invalid_request")
	checkProblem(t, postBatch(t, s, "", good, "Content-Type: text/csv"), http.StatusBadRequest, "invalid_request")
	checkProblem(t, postBatch(t, s, "?atomic=maybe", good, ndjson), http.StatusBadRequest, "invalid_request")
	checkProblem(t, postBatch(t, s, "", good, ndjson, "Content-Encoding: br"), http.StatusUnsupportedMediaType, "unsupported_encoding")
	checkProblem(t, postBatch(t, s, "", good, ndjson, "Content-Encoding: gzip"), http.StatusBadRequest, "invalid_request")
}

func TestBatchHasAtMost10000MessagesAnd64MiB(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	const line = `{"topic":"a","data":1}` + "\n"
	results := resultsOf(t, postBatch(t, s, "", strings.Repeat(line, 10_001), ndjson))
	if len(results) != 10_001 || results[9_999].Status != http.StatusCreated || results[10_000].code() != "too_large" {
		t.Fatalf("%d results, want 10,000 and one that says too_large", len(results))
	}
	for i, r := range results[:10_000] {
		if r.Seq != uint64(i+1) {
			t.Fatalf("message %d has seq %d", i+1, r.Seq)
		}
	}
	spaces := line + strings.Repeat(strings.Repeat(" ", 1<<10)+"1", 65<<10)
	for name, r := range map[string]harness.Response{
		"plain": postBatch(t, s, "", spaces, ndjson), "gzip": postBatch(t, s, "", zip(t, spaces), ndjson, "Content-Encoding: gzip"),
	} {
		results := resultsOf(t, r)
		if last := results[len(results)-1]; results[0].Status != http.StatusCreated || last.code() != "too_large" {
			t.Errorf("65 MiB, %s: %d results, the last %+v", name, len(results), last)
		}
	}
}

func TestAtomicBatchIsStoredWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	const first, second, wrong = `{"topic":"a","id":"1","data":1}`, `{"topic":"b","id":"2","data":2}`, `{"topic":"c.","data":3}`
	checkProblem(t, postBatch(t, s, "?atomic=true", second+wrong, ndjson), http.StatusBadRequest, "invalid_topic")
	checkProblem(t, postBatch(t, s, "?atomic=true", second+"{", ndjson), http.StatusBadRequest, "invalid_json")
	delayed := `{"topic":"b","data":1,"delay":"1m"}`
	checkProblem(t, postBatch(t, s, "?atomic=true", second+delayed, ndjson), http.StatusUnprocessableEntity, "invalid_delay")
	r := postBatch(t, s, "?atomic=true", first, ndjson)
	if got := resultsOf(t, r); r.Status != http.StatusCreated || codes(got) != "201" || got[0].Seq != 1 {
		t.Fatalf("status %d: %s, want seq 1: nothing refused may be stored", r.Status, r.Body)
	}
	r = postBatch(t, s, "?atomic=true", first+second, ndjson)
	if got := resultsOf(t, r); r.Status != http.StatusCreated || codes(got) != "200 201" || got[0].Seq != 1 || got[1].Seq != 2 {
		t.Errorf("half of it stored before: status %d: %s", r.Status, r.Body)
	}
	r = postBatch(t, s, "?atomic=true", "["+first+","+second+"]", jsonArray)
	if r.Status != http.StatusOK || codes(resultsOf(t, r)) != "200 200" {
		t.Errorf("all stored before: status %d: %s", r.Status, r.Body)
	}
	checkProblem(t, postBatch(t, s, "?atomic=true", first+`{"topic":"b","id":"2","data":"other"}`, ndjson), http.StatusUnprocessableEntity, "id_reused")
	line := `{"topic":"a","data":1}`
	if r := postBatch(t, s, "?atomic=true", strings.Repeat(line, 1000), ndjson); r.Status != http.StatusCreated {
		t.Errorf("1,000: status %d", r.Status)
	}
	checkProblem(t, postBatch(t, s, "?atomic=true", strings.Repeat(line, 1001), ndjson), http.StatusRequestEntityTooLarge, "too_large")
}

func TestBatchMustNotComeTooSlowly(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{PublishFlags: []string{"--read-timeout=500ms"}})
	body, write := io.Pipe()
	defer body.Close()
	go func() {
		_, _ = io.WriteString(write, `{"topic":"a","data":1}`+"\n") // and nothing more
	}()
	r := s.DoReader(t, http.MethodPost, s.PublishURL+"/v1/messages", body, ndjson)
	if got := codes(resultsOf(t, r)); r.Status != http.StatusOK || got != "201 invalid_request" {
		t.Errorf("a batch that stands still: status %d, %s", r.Status, r.Body)
	}

	// In all it takes longer than the timeout, but it keeps coming.
	steady, write := io.Pipe()
	go func() {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for range 20 {
			<-ticker.C
			_, _ = io.WriteString(write, `{"topic":"a","data":1}`+strings.Repeat(" ", 8<<10)+"\n")
		}
		_ = write.Close()
	}()
	r = s.DoReader(t, http.MethodPost, s.PublishURL+"/v1/messages", steady, ndjson)
	if results := resultsOf(t, r); len(results) != 20 || strings.Contains(codes(results), "invalid") {
		t.Errorf("a batch that keeps coming: %s", codes(results))
	}
}

func TestLargeBatchIsStoredInItsOrder(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	body, write := io.Pipe()
	go func() {
		w := bufio.NewWriter(write)
		enc := json.NewEncoder(w)
		for i := range 60 {
			_ = enc.Encode(object{"topic": "a", "id": fmt.Sprint(i), "data": strings.Repeat("x", 512<<10)})
		}
		_ = w.Flush()
		_ = write.Close()
	}()
	results := resultsOf(t, s.DoReader(t, http.MethodPost, s.PublishURL+"/v1/messages", body, ndjson))
	for i, r := range results {
		if r.ID != fmt.Sprint(i) || r.Seq != uint64(i+1) {
			t.Errorf("result %d: %+v", i, r)
		}
	}
	if len(results) != 60 {
		t.Errorf("%d results, want 60", len(results))
	}
}
