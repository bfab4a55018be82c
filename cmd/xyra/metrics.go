package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"xyra/api"
	"xyra/store"
	"xyra/telemetry"
	"xyra/usage"
)

// watched is what looks on while the program serves. Without settings that ask for it, it is empty and costs nothing.
type watched struct {
	metrics  *telemetry.Metrics  // nil: nobody reads them
	pipeline *telemetry.Pipeline // nil: nothing is sent
	at       net.Addr            // where metrics are served, once they are
}

// newWatched makes what the settings ask for, and the log that goes where they say too.
func (s *settings) newWatched(ctx context.Context, log *slog.Logger) (*watched, *slog.Logger, error) {
	w := &watched{}
	t := s.Telemetry
	if s.Listen.Metrics == "" && t.Endpoint == "" && t.Insights == "" {
		return w, log, nil
	}
	w.metrics = telemetry.NewMetrics(version())
	if t.Endpoint == "" && t.Insights == "" {
		return w, log, nil
	}
	if err := t.valid(); err != nil {
		return nil, nil, err
	}
	pipeline, err := telemetry.NewPipeline(ctx, telemetry.Destination{OTLP: t.Endpoint != "", Insights: t.Insights, Name: "xyra", Version: version(),
		Metrics: w.metrics, Log: log, Now: time.Now})
	if errors.Is(err, telemetry.ErrConnectionString) {
		return nil, nil, fmt.Errorf("APPLICATIONINSIGHTS_CONNECTION_STRING cannot be used: %w", err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT=%q cannot be used: %w", t.Endpoint, err)
	}
	w.pipeline = pipeline
	return w, slog.New(pipeline.Logs(log.Handler())), nil
}

// valid checks what the exporters would misunderstand silently.
func (s telemetrySettings) valid() error {
	if s.Endpoint == "" {
		return nil
	}
	if at, err := url.Parse(s.Endpoint); err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return badValue("OTEL_EXPORTER_OTLP_ENDPOINT", s.Endpoint, "write the address of a collector's HTTP port, such as http://localhost:4318")
	}
	if protocol := os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return badValue("OTEL_EXPORTER_OTLP_PROTOCOL", protocol, "http/protobuf is what this program speaks; the port is mostly 4318")
	}
	if err := os.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.Endpoint); err != nil { // the exporters read it there
		return fmt.Errorf("set OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	return nil
}

// route is the API's watcher of one route.
func (w *watched) route(method, route string) api.Watcher {
	answered := w.metrics.Route(method, route)
	if w.pipeline == nil {
		return func(_ context.Context, a api.Answered) { answered(a.Status, a.Took) }
	}
	return func(ctx context.Context, a api.Answered) {
		answered(a.Status, a.Took)
		w.pipeline.Answered(ctx, method, route, a.Status, a.Request)
	}
}

// attach has the API watched; commits is for the recorder.
func (w *watched) attach(o *api.Options) (commits func(usage.Commit)) {
	if w.metrics == nil {
		return nil
	}
	o.Watch = w.route
	counted := w.metrics.Commits()
	if w.pipeline == nil {
		return counted
	}
	return func(c usage.Commit) {
		counted(c)
		w.pipeline.Commit(c)
	}
}

// statements watches the database; nil when nobody wants to know.
func (w *watched) statements() store.Watcher {
	if w.pipeline == nil {
		return nil
	}
	return w.pipeline.Statement
}

// traced has a handler's requests traced.
func (w *watched) traced(next http.Handler) http.Handler {
	if w.pipeline == nil {
		return next
	}
	return w.pipeline.Trace(next)
}

// sendMax is how long the end of the program waits for receivers of telemetry.
const sendMax = 3 * time.Second

// close sends what waits. What is not taken in time is lost, which is no fault of the program's.
func (w *watched) close(log *slog.Logger) {
	if w.pipeline == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendMax)
	defer cancel()
	if err := w.pipeline.Close(ctx); err != nil {
		log.Warn("the last telemetry is not taken", "err", err)
	}
}

// serve offers the metrics on a listener of their own, so that the API's never has them.
func (w *watched) serve(address string, in *instance) (io.Closer, error) {
	server := &http.Server{ReadHeaderTimeout: headerTimeout, WriteTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerMax}
	if w.metrics == nil {
		return server, nil
	}
	state := telemetry.State{DB: in.db, Recorder: in.recorder, Now: time.Now}
	if in.runner != nil {
		state.PlannedAt = in.runner.PlannedAt
	}
	w.metrics.Watch(state)
	if address == "" { // they are sent, and nobody asks for them
		return server, nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", w.metrics.Handler())
	server.Handler = mux
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, badValue("METRICS_ADDR", address, "write an address and a port that are free, for example 127.0.0.1:9090")
	}
	w.at = listener.Addr()
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			in.log.Error("metrics are not served any more", "err", err)
		}
	}()
	return server, nil
}

// verifyForever proves the books again and again until ctx ends. It reads; whoever writes does not wait for it.
func (w *watched) verifyForever(ctx context.Context, every time.Duration, db *store.DB, log *slog.Logger) {
	for {
		pause := time.NewTimer(every)
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		started := time.Now()
		faults, err := verify(ctx, db)
		took := time.Since(started)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("verify", "err", err)
			continue
		case len(faults) > 0:
			log.Error("verify: the database does not add up", "differences", len(faults), "first", faults[0])
		default:
			log.Info("verify: the database adds up", "seconds", int64(took.Seconds()))
		}
		if w.metrics != nil {
			w.metrics.Verified(len(faults), time.Now(), took)
		}
	}
}
