package tracing_test

import (
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/services/internal/tracing"
)

func TestMain(m *testing.M) { msgqtest.VerifyTestMain(m) }

// startCollector takes what is sent to an OpenTelemetry collector, and has the environment name it.
func startCollector(t *testing.T) <-chan *collector.ExportTraceServiceRequest {
	t.Helper()
	got := make(chan *collector.ExportTraceServiceRequest, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		req := new(collector.ExportTraceServiceRequest)
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, req) != nil {
			t.Errorf("%s: %v", r.URL, err)
		}
		got <- req
	}))
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	return got
}

func TestRequestsAreSpansOfTheirTrace(t *testing.T) {
	got := startCollector(t)
	tracer, err := tracing.New(t.Context(), "msgq-test", slog.New(slog.DiscardHandler))
	if err != nil || tracer == nil {
		t.Fatalf("tracer %v, error %v", tracer, err)
	}
	e := echo.New()
	e.Use(tracer.Middleware)
	e.GET("/v1/things/*", func(echo.Context) error { return msgq.ErrUnavailable })
	e.GET("/healthz", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, path := range []string{"/healthz", "/v1/things/one"} {
		req := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		req.Header.Set("Traceparent", "00-"+trace+"-"+parent+"-01")
		e.ServeHTTP(httptest.NewRecorder(), req)
	}
	tracer.Close()
	sent := msgqtest.Receive(t, got, "spans").GetResourceSpans()[0]
	if service := sent.GetResource().String(); !strings.Contains(service, "msgq-test") {
		t.Errorf("resource %s, want the service's name", service)
	}
	all := sent.GetScopeSpans()[0].GetSpans()
	if len(all) != 1 {
		t.Fatalf("%d spans, want one: health is of no interest", len(all))
	}
	span := all[0]
	if span.GetName() != "GET /v1/things/*" || hex.EncodeToString(span.GetTraceId()) != trace || hex.EncodeToString(span.GetParentSpanId()) != parent ||
		span.GetStatus().GetCode() != spans.Status_STATUS_CODE_ERROR || !strings.Contains(span.String(), "broker_unavailable") {
		t.Errorf("span %s", span)
	}
}

func TestTracingIsOffUntilItIsSet(t *testing.T) {
	for name, env := range map[string][2]string{"nothing": {"X", "y"}, "none": {"OTEL_TRACES_EXPORTER", "none"}, "disabled": {"OTEL_SDK_DISABLED", "TRUE"}} {
		t.Run(name, func(t *testing.T) {
			if name != "nothing" {
				t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
			}
			t.Setenv(env[0], env[1])
			if tracer, err := tracing.New(t.Context(), "x", slog.Default()); tracer != nil || err != nil {
				t.Errorf("tracer %v, error %v, want neither", tracer, err)
			}
		})
	}
}

func TestExporterThatIsNotThereIsAWrongSetting(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "zipkin")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318")
	t.Setenv("OTEL_TRACES_SAMPLER", "sometimes")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
	if wrong := tracing.Check(); len(wrong) != 5 || !strings.HasPrefix(wrong[0].Error(), "OTEL_TRACES_EXPORTER: ") {
		t.Errorf("got %v, want all five named", wrong)
	}
}
