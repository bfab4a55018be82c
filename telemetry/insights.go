package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// insights posts telemetry to Application Insights, in the form that its ingestion endpoint takes: a JSON object a line.
type insights struct {
	key, track, role string
	share            float64 // of traces that are sent; the receiver multiplies
	client           *http.Client
}

// insightsDefault is where telemetry goes when the connection string names no endpoint.
const insightsDefault = "https://dc.services.visualstudio.com"

// ErrConnectionString says that an Application Insights connection string cannot be used.
var ErrConnectionString = errors.New("write InstrumentationKey=…;IngestionEndpoint=https://… as the portal shows it")

// CheckConnectionString is nil or ErrConnectionString.
func CheckConnectionString(connection string) error {
	_, err := newInsights(connection, "", 1)
	return err
}

func newInsights(connection, role string, share float64) (*insights, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(connection, ";") {
		name, value, _ := strings.Cut(part, "=")
		parts[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	endpoint := parts["ingestionendpoint"]
	if endpoint == "" {
		endpoint = insightsDefault
	}
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" || parts["instrumentationkey"] == "" {
		return nil, ErrConnectionString
	}
	return &insights{key: parts["instrumentationkey"], track: strings.TrimRight(endpoint, "/") + "/v2.1/track", role: role, share: share,
		client: &http.Client{Timeout: 10 * time.Second}}, nil
}

// item is one line.
type item struct {
	Name  string            `json:"name"`
	Time  string            `json:"time"`
	Key   string            `json:"iKey"`
	Share float64           `json:"sampleRate,omitempty"` // percent
	Tags  map[string]string `json:"tags"`
	Data  itemData          `json:"data"`
}

type itemData struct {
	Kind string         `json:"baseType"`
	Body map[string]any `json:"baseData"`
}

func (i *insights) item(kind string, at time.Time, in trace.TraceID, parent trace.SpanID, body map[string]any) item {
	tags := map[string]string{"ai.cloud.role": i.role}
	if in.IsValid() {
		tags["ai.operation.id"] = in.String()
	}
	if parent.IsValid() {
		tags["ai.operation.parentId"] = parent.String()
	}
	body["ver"] = 2
	short := strings.TrimSuffix(kind, "Data")
	return item{Name: "Microsoft.ApplicationInsights." + short, Time: at.UTC().Format("2006-01-02T15:04:05.000000Z"), Key: i.key, Tags: tags, Data: itemData{kind, body}}
}

// post sends items; an error means that the receiver did not take all of them.
func (i *insights) post(ctx context.Context, items []item) error {
	if len(items) == 0 {
		return nil
	}
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, it := range items {
		if err := encoder.Encode(it); err != nil {
			return fmt.Errorf("write telemetry: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, i.track, &lines)
	if err != nil {
		return fmt.Errorf("send telemetry: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-json-stream")
	answer, err := i.client.Do(request)
	if err != nil {
		return fmt.Errorf("send telemetry to Application Insights: %w", err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)); err != nil {
		return fmt.Errorf("read Application Insights' answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("not all of %d items are taken by Application Insights: %s", len(items), answer.Status)
	}
	return nil
}

// spanExporter turns spans into requests and dependencies.
type spanExporter struct{ *insights }

// ExportSpans implements sdktrace.SpanExporter.
func (e spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	items := make([]item, 0, len(spans))
	for _, s := range spans {
		body := map[string]any{"id": s.SpanContext().SpanID().String(), "name": s.Name(), "duration": insightsSpan(s.EndTime().Sub(s.StartTime())),
			"success": s.Status().Code != codes.Error}
		properties, status := map[string]string{}, "0"
		for _, a := range s.Attributes() {
			properties[string(a.Key)] = a.Value.String()
			if a.Key == "http.response.status_code" {
				status = a.Value.String()
			}
		}
		kind := "RemoteDependencyData"
		if s.SpanKind() == trace.SpanKindServer {
			kind = "RequestData"
			body["responseCode"] = status
		} else {
			body["type"], body["target"] = "SQL", "database"
		}
		body["properties"] = properties
		it := e.item(kind, s.StartTime(), s.SpanContext().TraceID(), s.Parent().SpanID(), body)
		it.Tags["ai.operation.name"] = s.Name()
		if e.share < 1 {
			it.Share = 100 * e.share
		}
		items = append(items, it)
	}
	return e.post(ctx, items)
}

// Shutdown implements sdktrace.SpanExporter.
func (spanExporter) Shutdown(context.Context) error { return nil }

// logExporter turns log lines into traces, and those of errors into exceptions.
type logExporter struct{ *insights }

// Export implements sdklog.Exporter.
func (e logExporter) Export(ctx context.Context, records []sdklog.Record) error {
	items := make([]item, 0, len(records))
	for _, r := range records {
		properties := map[string]string{}
		r.WalkAttributes(func(a attribute.KeyValue) bool {
			properties[string(a.Key)] = a.Value.String()
			return true
		})
		message := r.Body().String()
		kind, body := "MessageData", map[string]any{"message": message, "severityLevel": insightsLevel(r.Severity()), "properties": properties}
		if r.Severity() >= log.SeverityError {
			kind = "ExceptionData"
			delete(body, "message")
			what := properties["err"]
			if what == "" {
				what = message
			}
			body["exceptions"] = []map[string]any{{"typeName": message, "message": what, "hasFullStack": false}}
		}
		items = append(items, e.item(kind, r.Timestamp(), r.TraceID(), r.SpanID(), body))
	}
	return e.post(ctx, items)
}

// Shutdown implements sdklog.Exporter.
func (logExporter) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdklog.Exporter.
func (logExporter) ForceFlush(context.Context) error { return nil }

// insightsLevel is verbose, information, warning, error or critical, from 0.
func insightsLevel(s log.Severity) int {
	switch {
	case s < log.SeverityInfo:
		return 0
	case s < log.SeverityWarn:
		return 1
	case s < log.SeverityError:
		return 2
	}
	return 3
}

// insightsSpan writes a duration as days.hours:minutes:seconds with seven digits.
func insightsSpan(d time.Duration) string {
	return fmt.Sprintf("%d.%02d:%02d:%02d.%07d", d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60, d%time.Second/100)
}
