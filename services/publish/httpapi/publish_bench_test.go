package httpapi_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/web"
	"github.com/asyncmsglib/msgq/services/publish/httpapi"
	"github.com/asyncmsglib/msgq/services/publish/limit"
)

// instant stores nothing, at once.
type instant struct{ httpapi.Client }

func (instant) MaxData() int64 { return 1 << 20 }

func (instant) Publish(_ context.Context, m msgq.Message, _ ...msgq.PublishOption) (msgq.Receipt, error) {
	return msgq.Receipt{ID: "AbcdefghijKLmnopqrstuv", Topic: m.Topic, Seq: 1_234_567}, nil
}

// writer is an http.ResponseWriter that keeps nothing.
type writer struct{ header http.Header }

func (w writer) Header() http.Header             { return w.header }
func (w writer) Write(p []byte) (int, error)     { return len(p), nil }
func (w writer) WriteHeader(int)                 {}
func (w writer) SetReadDeadline(time.Time) error { return nil }

// BenchmarkPublishRequest is what a publish of 256 bytes costs between net/http and the library.
func BenchmarkPublishRequest(b *testing.B) {
	log := slog.New(slog.DiscardHandler)
	e := web.New(web.Options{Log: log, Auth: &auth.Verifier{}, Registry: web.NewRegistry()})
	api := &httpapi.API{Client: instant{}, Auth: &auth.Verifier{}, MaxBody: 1 << 20, Budget: limit.NewBudget(limit.BudgetBytes)}
	api.Routes(e)
	payload := `{"n":1,"text":"` + strings.Repeat("x", 239) + `"}`
	body := strings.NewReader(payload)
	req := httptest.NewRequest(http.MethodPost, "/v1/topics/bench.wrk/messages", io.NopCloser(body))
	req.ContentLength = int64(len(payload))
	req.Header.Set("Content-Type", "application/json")
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(payload)
		w := writer{make(http.Header)}
		e.ServeHTTP(w, req)
		if got := w.header.Get("Content-Type"); got != "application/json" {
			b.Fatalf("Content-Type %q", got)
		}
	}
}
