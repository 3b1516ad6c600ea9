package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/publish/limit"
)

// memory is a broker that takes everything.
type memory struct {
	runs [][]msgq.BatchItem
	err  error
}

func (m *memory) Publish(context.Context, msgq.Message, ...msgq.PublishOption) (msgq.Receipt, error) {
	return msgq.Receipt{}, m.err
}

func (m *memory) PublishBatch(_ context.Context, items []msgq.BatchItem) []msgq.BatchResult {
	m.runs = append(m.runs, items)
	results := make([]msgq.BatchResult, len(items))
	for i, item := range items {
		results[i] = msgq.BatchResult{Receipt: msgq.Receipt{ID: item.ID, Topic: item.Topic}, Err: m.err}
	}
	return results
}

func (m *memory) PublishAtomic(context.Context, []msgq.BatchItem) ([]msgq.Receipt, error) {
	return nil, m.err
}

func (m *memory) Delayed(context.Context, string) iter.Seq2[msgq.DelayedMessage, error] { return nil }

func (m *memory) CancelDelayed(context.Context, string, string, ...msgq.PublishOption) error {
	return m.err
}

func (m *memory) MaxData() int64 { return 0 }

func serveBatch(client Client, contentType string, body io.Reader) *httptest.ResponseRecorder {
	a := &API{Client: client, Auth: &auth.Verifier{}, MaxBody: 1 << 20, Stall: time.Second, Budget: limit.NewBudget(limit.BudgetBytes)}
	return serve(a, contentType, body)
}

func serve(a *API, contentType string, body io.Reader) *httptest.ResponseRecorder {
	e := echo.New()
	e.HTTPErrorHandler = problem.Handler(slog.New(slog.DiscardHandler))
	a.Routes(e)
	req := httptest.NewRequest(http.MethodPost, "/v1/messages", body)
	req.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, req)
	return w
}

func TestBatchIsStoredInBoundedRuns(t *testing.T) {
	small := new(memory)
	serveBatch(small, "application/x-ndjson", strings.NewReader(strings.Repeat(`{"topic":"a","data":1}`, 2500)))
	if len(small.runs) != 3 || len(small.runs[0]) != runItems || len(small.runs[2]) != 500 {
		t.Errorf("%d runs", len(small.runs))
	}
	large := new(memory)
	item := `{"topic":"a","data":"` + strings.Repeat("x", 1<<20-100) + `"}`
	serveBatch(large, "application/x-ndjson", strings.NewReader(strings.Repeat(item, 20)))
	if len(large.runs) != 3 || len(large.runs[0]) != 9 {
		t.Errorf("%d runs, the first of %d", len(large.runs), len(large.runs[0]))
	}
}

func TestBatchEndsWhenTheBrokerIsAway(t *testing.T) {
	away := &memory{err: msgq.ErrUnavailable}
	w := serveBatch(away, "application/x-ndjson", strings.NewReader(strings.Repeat(`{"topic":"a","data":1}`, 2500)))
	var answer struct{ Results []struct{ Status int } }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(away.runs) != 1 || len(answer.Results) != runItems+1 {
		t.Errorf("%d runs, %d results, %v", len(away.runs), len(answer.Results), err)
	}
}

// slowly gives an item a second.
type slowly struct{ items int }

func (s *slowly) Read(p []byte) (int, error) {
	if s.items == 0 {
		return 0, io.EOF
	}
	s.items--
	time.Sleep(time.Second) //nolint:forbidigo // virtual time
	return copy(p, `{"topic":"a","data":1}`+"\n"), nil
}

func TestBatchEndsInTimeWhenTheServiceStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopping, stop := context.WithCancel(t.Context())
		time.AfterFunc(3500*time.Millisecond, stop)
		client := new(memory)
		a := &API{
			Client: client, Auth: &auth.Verifier{}, MaxBody: 1 << 20, Stall: time.Hour, Stopping: stopping, Budget: limit.NewBudget(limit.BudgetBytes),
		}
		start := time.Now()
		w := serve(a, "application/x-ndjson", &slowly{items: 60})
		if took := time.Since(start); took < 10*time.Second || took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
		var answer struct{ Results []struct{ Status int } }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		n := len(answer.Results)
		if n < 10 || n > 20 || answer.Results[n-2].Status != http.StatusCreated || answer.Results[n-1].Status != http.StatusServiceUnavailable {
			t.Errorf("%d results: %s", n, w.Body)
		}
	})
}

func TestRequestsBeyondTheBudgetAreRefusedAtOnce(t *testing.T) {
	for name, budget := range map[string]int64{"no room for the request": 1, "no room for its body": 65 << 10} {
		a := &API{Client: new(memory), Auth: &auth.Verifier{}, MaxBody: 1 << 20, Stall: time.Second, Budget: limit.NewBudget(budget)}
		w := serve(a, "application/json", strings.NewReader(strings.Repeat(" ", 10<<10)))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"overloaded"`) {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
}

// FuzzBatch wants each well-formed message to have one result, and an answer that is JSON whatever comes.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		`{"topic":"a","data":1}` + "\n" + `{"topic":"b","data_base64":"AA=="}`, `[{"topic":"a","data":1}]`, `{`, `[`, `[]x`, `[1,]`, "\xff",
		`{"topic":"a","data":"\ud800"}`, `{"topic":"a","data":1,"headers":{"x":null}}`, `{"topic":"a","delay":"1h","data":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, contentType := range []string{"application/json", "application/x-ndjson"} {
			client := new(memory)
			w := serveBatch(client, contentType, bytes.NewReader(body))
			var answer struct {
				Results []struct{ Status int }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatalf("%q: %d %s: %v", body, w.Code, w.Body, err)
			}
			stored := 0
			for _, r := range answer.Results {
				if r.Status == http.StatusCreated {
					stored++
				}
			}
			given := 0
			for _, run := range client.runs {
				given += len(run)
				for _, item := range run {
					if item.DataContentType == "application/json" && !json.Valid(item.Data) {
						t.Errorf("%q: stored %q as JSON", body, item.Data)
					}
				}
			}
			if w.Code == http.StatusOK && stored != given {
				t.Errorf("%q: %d stored, %d results say so", body, given, stored)
			}
		}
	})
}
