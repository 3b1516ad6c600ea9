// Package tracing sends spans of HTTP requests to an OpenTelemetry collector. It is set by the variables of
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and is off without them.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// flushTimeout bounds the sending of the last spans when a service stops.
const flushTimeout = 2 * time.Second

// Tracer makes spans; nil where none are wanted.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// Check returns one error for each variable that asks for what is not there.
func Check() []error {
	if !enabled() {
		return nil
	}
	only := func(known ...string) func(string) bool {
		return func(value string) bool { return slices.Contains(known, value) }
	}
	var wrong []error
	for _, one := range []struct {
		name, want string
		good       func(string) bool
	}{
		{"OTEL_TRACES_EXPORTER", "otlp", only("otlp")},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", only("http/protobuf")},
		{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf", only("http/protobuf")},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "a URL such as http://127.0.0.1:4318", isURL},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "a URL such as http://127.0.0.1:4318/v1/traces", isURL},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "a number of milliseconds", isNumber},
		{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "a number of milliseconds", isNumber},
		{"OTEL_TRACES_SAMPLER", "one of " + strings.Join(samplers, ", "), only(samplers...)},
	} {
		if value := os.Getenv(one.name); value != "" && !one.good(value) {
			wrong = append(wrong, fmt.Errorf("%s: %q, %s is expected", one.name, value, one.want))
		}
	}
	return wrong
}

func isURL(value string) bool {
	u, err := url.Parse(value)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

func isNumber(value string) bool {
	_, err := strconv.ParseUint(value, 10, 32)
	return err == nil
}

// samplers are those that the SDK knows.
var samplers = []string{
	"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
}

// enabled: somebody has named a collector, or asked for the exporter.
func enabled() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// New is nil without an error where the environment asks for no traces.
func New(ctx context.Context, service string, log *slog.Logger) (*Tracer, error) {
	if !enabled() {
		return nil, nil //nolint:nilnil // both are meant
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come last, and so count.
	res, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", service)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("spans not sent", "error", err) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res))
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/asyncmsglib/msgq")}, nil
}

// Close sends what is left.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // an error went to the log
}

// Middleware makes a span of each request, within the trace that the request is part of.
func (t *Tracer) Middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if path := c.Path(); !strings.HasPrefix(path, "/v1/") || path == "/v1/ws" || path == "/v1/events" {
			return next(c) // of no interest, or as long as a connection
		}
		req := c.Request()
		ctx := propagation.TraceContext{}.Extract(req.Context(), propagation.HeaderCarrier(req.Header))
		ctx, span := t.tracer.Start(ctx, req.Method+" "+c.Path(), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("http.request.method", req.Method), attribute.String("http.route", c.Path()),
			attribute.String("url.path", req.URL.Path), attribute.String("msgq.request_id", c.Response().Header().Get(echo.HeaderXRequestID)),
		))
		defer span.End()
		c.SetRequest(req.WithContext(ctx))
		err := next(c)
		status := c.Response().Status
		if err != nil && !c.Response().Committed {
			answer := problem.Of(err)
			status = answer.Status
			span.SetAttributes(attribute.String("error.type", answer.Code))
		}
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= 500 {
			span.SetStatus(codes.Error, "")
		}
		return err
	}
}
