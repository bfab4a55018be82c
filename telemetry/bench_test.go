package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"xyra/store/storetest"
)

// BenchmarkRoute is what metrics cost a request.
func BenchmarkRoute(b *testing.B) {
	answered := NewMetrics("bench").Route("POST", "/api/v1/agents/{agent_id}/activities")
	b.ReportAllocs()
	for b.Loop() {
		answered(200, 3*time.Millisecond)
	}
}

// BenchmarkTrace is what traces cost a request when one of twenty is kept.
func BenchmarkTrace(b *testing.B) {
	fake := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // what is cut off does not count
	}))
	defer fake.Close()
	b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", fake.URL)
	p, err := NewPipeline(b.Context(), Destination{OTLP: true, Name: "bench", Metrics: NewMetrics("bench"), Log: slog.New(slog.DiscardHandler), Now: storetest.NewClock(storetest.Start).Now})
	if err != nil {
		b.Fatal(err)
	}
	h := p.Trace(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p.Answered(r.Context(), "POST", "/api/v1/agents/{agent_id}/activities", 200, "request")
	}))
	r, w := httptest.NewRequest(http.MethodPost, "/api/v1/agents/1/activities", nil), httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
	if err := p.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
