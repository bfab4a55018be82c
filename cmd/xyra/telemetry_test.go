package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// receiver remembers what it is sent, by path.
type receiver struct {
	mu    sync.Mutex
	sent  map[string]*bytes.Buffer
	hangs chan struct{} // not nil: no answer before it is closed
}

func newReceiver(t *testing.T, hangs chan struct{}) (*receiver, string) {
	r := &receiver{sent: map[string]*bytes.Buffer{}, hangs: hangs}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return r, server.URL
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	if r.hangs != nil {
		<-r.hangs
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sent[request.URL.Path] == nil {
		r.sent[request.URL.Path] = &bytes.Buffer{}
	}
	r.sent[request.URL.Path].Write(body)
}

func (r *receiver) text(path string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sent[path] == nil {
		return ""
	}
	return r.sent[path].String()
}

// waitFor waits until something has arrived.
func (r *receiver) waitFor(t *testing.T, path string, wants ...string) {
	t.Helper()
	ctx, look := untilDone(t), time.NewTicker(10*time.Millisecond)
	defer look.Stop()
	for _, want := range wants {
		for !strings.Contains(r.text(path), want) {
			select {
			case <-look.C:
			case <-ctx.Done():
				t.Fatalf("%s never gets %q, but\n%.3000s", path, want, r.text(path))
			}
		}
	}
}

var impatientTelemetry = []string{"OTEL_TRACES_SAMPLER=always_on", "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_BLRP_SCHEDULE_DELAY=50", "OTEL_METRIC_EXPORT_INTERVAL=100", "LOG_LEVEL=info"}

// A collector gets traces of requests, statements and commits, metrics and log lines.
func TestTelemetry_ReachesACollector(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		collector, at := newReceiver(t, nil)
		s := startServer(t, append(append(env, "OTEL_EXPORTER_OTLP_ENDPOINT="+at), impatientTelemetry...)...)
		_, agents, client, err := makeWorld(t.Context(), s.login())
		if err != nil {
			t.Fatal(err)
		}
		if err := client.post(t.Context(), eventPath(agents, 0), numberedActivity(1), nil); err != nil {
			t.Fatal(err)
		}
		collector.waitFor(t, "/v1/traces", "POST /api/v1/agents/{agent_id}/activities", "commit events", "xyra.request_id", "insert agent", "service.version")
		collector.waitFor(t, "/v1/metrics", "xyra_http_requests_total", "xyra_commit_seconds", "xyra_database_up")
		if code := s.terminate(); code != 0 {
			t.Errorf("ends with %d: %s", code, s.log)
		}
		collector.waitFor(t, "/v1/logs", "drained: every answered event is on disk")
	})
}

// Application Insights gets requests, dependencies and log lines that belong together.
func TestTelemetry_ReachesApplicationInsights(t *testing.T) {
	insights, at := newReceiver(t, nil)
	s := startServer(t, append([]string{"XYRA_DATA_DIR=" + t.TempDir(), "FIRST_SUPERUSER_PASSWORD=" + testPassword,
		"APPLICATIONINSIGHTS_CONNECTION_STRING=InstrumentationKey=00000000-0000-0000-0000-000000000001;IngestionEndpoint=" + at + "/"}, impatientTelemetry...)...)
	if _, _, _, err := makeWorld(t.Context(), s.login()); err != nil {
		t.Fatal(err)
	}
	insights.waitFor(t, "/v2.1/track", `POST /api/v1/agents`, `insert agent`)
	s.terminate()
	insights.waitFor(t, "/v2.1/track", "drained: every answered event is on disk")
	operations, kinds := map[string]string{}, map[string]int{}
	for line := range strings.Lines(insights.text("/v2.1/track")) {
		var item struct {
			Name, Time, IKey string
			Tags             map[string]string
			Data             struct {
				BaseType string
				BaseData struct {
					ID, Name, Duration, ResponseCode string
					Success                          bool
				}
			}
		}
		if err := json.Unmarshal([]byte(line), &item); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		d := item.Data.BaseData
		kinds[item.Data.BaseType]++
		if item.IKey != "00000000-0000-0000-0000-000000000001" || item.Tags["ai.cloud.role"] != "xyra" || "Microsoft.ApplicationInsights."+strings.TrimSuffix(item.Data.BaseType, "Data") != item.Name {
			t.Errorf("item %s", line)
		}
		if _, err := time.Parse(time.RFC3339Nano, item.Time); err != nil {
			t.Error(err)
		}
		switch {
		case item.Data.BaseType == "RequestData":
			operations[item.Tags["ai.operation.id"]] = d.ID
			if d.ResponseCode != "200" || !d.Success || len(d.Duration) != len("0.00:00:00.0000000") {
				t.Errorf("request %s", line)
			}
		case item.Data.BaseType == "RemoteDependencyData" && d.Name == "insert agent":
			kinds[d.Name+" of "+fmt.Sprint(item.Tags["ai.operation.parentId"] != "")]++
		}
	}
	if kinds["RequestData"] < 5 || kinds["RemoteDependencyData"] < 5 || kinds["MessageData"] < 1 || kinds["insert agent of true"] == 0 || len(operations) != kinds["RequestData"] {
		t.Errorf("there are %v and %d operations", kinds, len(operations))
	}
}

// A receiver that takes nothing costs neither events nor the end of the program.
func TestTelemetry_SilentReceiverHoldsNothingUp(t *testing.T) {
	hangs := make(chan struct{})
	_, at := newReceiver(t, hangs)
	t.Cleanup(func() { close(hangs) })
	s := startServer(t, append([]string{"XYRA_DATA_DIR=" + t.TempDir(), "FIRST_SUPERUSER_PASSWORD=" + testPassword, "OTEL_EXPORTER_OTLP_ENDPOINT=" + at,
		"APPLICATIONINSIGHTS_CONNECTION_STRING=InstrumentationKey=k;IngestionEndpoint=" + at}, impatientTelemetry...)...)
	_, agents, client, err := makeWorld(t.Context(), s.login())
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	for number := range 300 {
		if err := client.post(t.Context(), eventPath(agents, number), numberedActivity(number+1), nil); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("300 events take %s", took)
	}
	started = time.Now()
	if code := s.terminate(); code != 0 {
		t.Errorf("ends with %d: %s", code, s.log)
	}
	if took := time.Since(started); took > 2*sendMax+5*time.Second {
		t.Errorf("ending takes %s", took)
	}
}

// What the exporters would misunderstand is a fault with its remedy.
func TestTelemetry_SettingsThatCannotBeUsedAreRefused(t *testing.T) {
	for env, want := range map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=collector":                                               "http://localhost:4318",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc":          "http/protobuf",
		"APPLICATIONINSIGHTS_CONNECTION_STRING=IngestionEndpoint=https://x.example":           "InstrumentationKey",
		"APPLICATIONINSIGHTS_CONNECTION_STRING=InstrumentationKey=k;IngestionEndpoint=nobody": "InstrumentationKey",
	} {
		code, _, complaint := ended(t, command(t, append(strings.Fields(env), "XYRA_DATA_DIR="+t.TempDir())))
		if code != 1 || !strings.Contains(complaint, want) || strings.Count(complaint, "\n") != 1 {
			t.Errorf("%s ends with %d: %s", env, code, complaint)
		}
	}
}
