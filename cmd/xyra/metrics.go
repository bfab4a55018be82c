package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"xyra/api"
	"xyra/store"
	"xyra/telemetry"
	"xyra/usage"
)

// watched is what looks on while the program serves. Without METRICS_ADDR it is empty, and costs nothing.
type watched struct {
	metrics *telemetry.Metrics // nil: nobody reads them
	at      net.Addr           // where, once they are served
}

// newWatched makes what the settings ask for.
func (s *settings) newWatched() *watched {
	if s.Listen.Metrics == "" {
		return &watched{}
	}
	return &watched{metrics: telemetry.NewMetrics(version())}
}

// route is the API's watcher of one route.
func (w *watched) route(method, route string) api.Watcher {
	answered := w.metrics.Route(method, route)
	return func(_ context.Context, a api.Answered) { answered(a.Status, a.Took) }
}

// attach has the API watched; commits is for the recorder.
func (w *watched) attach(o *api.Options) (commits func(usage.Commit)) {
	if w.metrics == nil {
		return nil
	}
	o.Watch = w.route
	return w.metrics.Commits()
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
