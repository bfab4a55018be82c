package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	_ "net/http/pprof" // on the default mux, which only the profiles use
	"os"
	"runtime/debug"
	"time"

	"xyra/api"
	"xyra/auth"
	"xyra/front"
	"xyra/store"
	"xyra/usage"
)

// serveTask is what the two servers of this program need to know.
type serveTask struct {
	Address   string
	Profile   string // address for profiles
	Path, URL string // of the database
	Secret    string
}

// noopRole is a handler that reads the body and answers a fixed text: what net/http alone can do.
func noopRole(ctx context.Context) error {
	t, err := task[serveTask]()
	if err != nil {
		return err
	}
	reply := []byte(`{"activity_type":"call","activity_metadata":{"model":"m-1","tokens":1834},"id":1,"agent_id":1,"timestamp":"2024-03-01T10:00:00.250000Z","idempotency_key":"00000000000000000000","quantity":3.0,"charge":0.075}`)
	return listen(ctx, t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(reply) //nolint:errcheck // the generator counts what arrives
	}), nil)
}

// nocommitRole is the whole API with a recorder that checks and prices and keeps nothing.
func nocommitRole(ctx context.Context) error {
	t, err := task[serveTask]()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	db, err := store.Open(ctx, store.Options{Path: t.Path, URL: t.URL, Now: time.Now, Log: log})
	if err != nil {
		return err
	}
	gate := auth.New(db, auth.Options{Secret: []byte(t.Secret), TokenLifetime: time.Hour, Now: time.Now, Log: log})
	recorder := usage.New(db, usage.Options{Log: log, Discard: true})
	server := api.New(db, gate, recorder, api.Options{Prefix: "/api/v1", Now: time.Now, Log: log})
	err = listen(ctx, t, server, server.TakesEvent)
	ending, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(err, recorder.Close(ending))
	gate.Close()
	return errors.Join(err, db.Close())
}

// listen serves as cmd/xyra does, with its memory settings and time limits, until ctx ends. takes are the paths that are
// answered in front of net/http, nil for none.
func listen(ctx context.Context, t serveTask, h http.Handler, takes func(path string) bool) error {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(1 << 30)
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: 90 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	broken := make(chan error, 2)
	if t.Profile != "" {
		go func() { broken <- http.ListenAndServe(t.Profile, nil) }()
	}
	listener, err := net.Listen("tcp", t.Address)
	if err != nil {
		return err
	}
	if takes != nil {
		listener = front.New(listener, front.Options{Handler: h, Takes: takes, Now: time.Now, Log: slog.Default(), HeaderTimeout: s.ReadHeaderTimeout,
			WriteTimeout: s.WriteTimeout, IdleTimeout: s.IdleTimeout})
	}
	go func() { broken <- s.Serve(listener) }()
	select {
	case err := <-broken:
		return err
	case <-ctx.Done():
		return s.Close()
	}
}
