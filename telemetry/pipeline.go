package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"xyra/usage"
)

// Destination says where traces, metrics and logs go. Both receivers may be named.
type Destination struct {
	OTLP     bool   // to OTEL_EXPORTER_OTLP_ENDPOINT; the exporters read all OTEL_ variables themselves
	Insights string // Application Insights' connection string; "" sends nothing there
	Name     string // of the service, unless OTEL_SERVICE_NAME says otherwise
	Version  string
	Metrics  *Metrics
	Log      *slog.Logger // for what goes wrong with sending, once a minute at most; it must not lead back here
	Now      func() time.Time
}

// sampledShare is how many of the traces that begin here are kept, unless OTEL_TRACES_SAMPLER says otherwise: a trace costs
// more than recording an event does. What a caller samples is kept.
const sampledShare = 0.05

// Pipeline sends what happens to a Destination. Its buffers are bounded; what does not fit is dropped.
type Pipeline struct {
	tracer     trace.Tracer
	logs       slog.Handler
	propagator propagation.TraceContext
	ends       []func(context.Context) error
}

// NewPipeline connects to nothing: receivers that are away are tried again and again, and never waited for.
func NewPipeline(ctx context.Context, d Destination) (*Pipeline, error) {
	name := d.Name
	if own := os.Getenv("OTEL_SERVICE_NAME"); own != "" {
		name = own
	}
	about, err := resource.Merge(resource.Default(), resource.NewSchemaless(attribute.String("service.name", name), attribute.String("service.version", d.Version)))
	if err != nil {
		return nil, fmt.Errorf("describe this process: %w", err)
	}
	otel.SetErrorHandler(throttled(d.Log, d.Now))
	traces, logs := []sdktrace.TracerProviderOption{sdktrace.WithResource(about)}, []sdklog.LoggerProviderOption{sdklog.WithResource(about)}
	share := 1.0
	if os.Getenv("OTEL_TRACES_SAMPLER") == "" {
		share = sampledShare
		traces = append(traces, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(share))))
	}
	p := &Pipeline{}
	if d.OTLP {
		spans, records, err := p.toCollector(ctx, d.Metrics, about)
		if err != nil {
			return nil, err
		}
		traces, logs = append(traces, sdktrace.WithBatcher(spans)), append(logs, sdklog.WithProcessor(sdklog.NewBatchProcessor(records)))
	}
	if d.Insights != "" {
		to, err := newInsights(d.Insights, name, share)
		if err != nil {
			return nil, err
		}
		traces, logs = append(traces, sdktrace.WithBatcher(spanExporter{to})), append(logs, sdklog.WithProcessor(sdklog.NewBatchProcessor(logExporter{to})))
	}
	tracing, logging := sdktrace.NewTracerProvider(traces...), sdklog.NewLoggerProvider(logs...)
	p.tracer = tracing.Tracer("xyra")
	p.logs = otelslog.NewHandler("xyra", otelslog.WithLoggerProvider(logging))
	p.ends = append(p.ends, tracing.Shutdown, logging.Shutdown)
	return p, nil
}

// toCollector makes the exporters of OTLP, and sends metrics by themselves.
func (p *Pipeline) toCollector(ctx context.Context, m *Metrics, about *resource.Resource) (sdktrace.SpanExporter, sdklog.Exporter, error) {
	spans, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare traces over OTLP: %w", err)
	}
	records, err := otlploghttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare logs over OTLP: %w", err)
	}
	numbers, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare metrics over OTLP: %w", err)
	}
	reader := metric.NewPeriodicReader(numbers, metric.WithProducer(prometheus.NewMetricProducer(prometheus.WithGatherer(m.registry))))
	p.ends = append(p.ends, metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(about)).Shutdown)
	return spans, records, nil
}

// throttled logs what goes wrong with sending, once a minute.
func throttled(log *slog.Logger, now func() time.Time) otel.ErrorHandlerFunc {
	var last atomic.Int64
	return func(err error) {
		minute := now().Unix() / 60
		if last.Swap(minute) != minute {
			log.Warn("telemetry is not taken and is dropped", "err", err)
		}
	}
}

// Close sends what waits, for as long as ctx lasts.
func (p *Pipeline) Close(ctx context.Context) error {
	var faults []error
	for _, end := range p.ends {
		faults = append(faults, end(ctx))
	}
	return errors.Join(faults...)
}

// Trace begins a span for each request that is sampled. Others pass untouched.
func (p *Pipeline) Trace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if r.Header["Traceparent"] != nil {
			ctx = p.propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		ctx, span := p.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
		if !span.IsRecording() {
			next.ServeHTTP(w, r)
			return
		}
		defer span.End()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Answered names the span of a request that has been answered.
func (p *Pipeline) Answered(ctx context.Context, method, route string, status int, request string) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetName(method + " " + route)
	span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route),
		attribute.Int("http.response.status_code", status), attribute.String("xyra.request_id", request))
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(status))
	}
}

// Statement adds a span for a statement of a request that is sampled.
func (p *Pipeline) Statement(ctx context.Context, name string, started, ended time.Time) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return
	}
	_, span := p.tracer.Start(ctx, name, trace.WithTimestamp(started), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.operation.name", name)))
	span.End(trace.WithTimestamp(ended))
}

// Commit adds a trace of its own for a commit of events, which belongs to many requests.
func (p *Pipeline) Commit(c usage.Commit) {
	_, span := p.tracer.Start(context.Background(), "commit events", trace.WithTimestamp(c.Started), trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(attribute.Int("xyra.requests", c.Requests), attribute.Int("xyra.recorded", c.Recorded),
			attribute.Int("xyra.replayed", c.Replayed), attribute.Int("xyra.refused", c.Refused))
	}
	span.End(trace.WithTimestamp(c.Ended))
}

// Logs is a handler that writes to own, and sends the same lines except those of requests, which are spans.
func (p *Pipeline) Logs(own slog.Handler) slog.Handler { return fanOut{own, p.logs} }

type fanOut struct{ own, sent slog.Handler }

// Enabled implements slog.Handler.
func (f fanOut) Enabled(ctx context.Context, level slog.Level) bool { return f.own.Enabled(ctx, level) }

// Handle implements slog.Handler.
func (f fanOut) Handle(ctx context.Context, r slog.Record) error {
	err := f.own.Handle(ctx, r)
	if r.Message != "request" || r.Level > slog.LevelInfo {
		err = errors.Join(err, f.sent.Handle(ctx, r))
	}
	return err
}

// WithAttrs implements slog.Handler.
func (f fanOut) WithAttrs(attrs []slog.Attr) slog.Handler {
	return fanOut{f.own.WithAttrs(attrs), f.sent.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (f fanOut) WithGroup(name string) slog.Handler {
	return fanOut{f.own.WithGroup(name), f.sent.WithGroup(name)}
}
