package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"xyra/api"
	"xyra/auth"
	"xyra/front"
	"xyra/jobs"
	"xyra/store"
	"xyra/usage"
)

// How long the other listeners' clients may take, and how much a head may be.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 60 * time.Second
	writeTimeout  = 90 * time.Second
	idleTimeout   = 120 * time.Second
	headerMax     = 16 << 10
	jobsTimeout   = 20 * time.Second // for running jobs to end before they are cut off and put back
	queueMax      = 40_000           // events that wait to be recorded: the API lets three requests of 10,000 in at once, and single events come beside them
	closeTimeout  = 35 * time.Second // for the recorder to commit what waits: longer than one commit may take
)

// instance is a running server with all it stands on.
type instance struct {
	db       *store.DB
	gate     *auth.Gate
	recorder *usage.Recorder
	runner   *jobs.Runner // nil: this instance runs no jobs
	api      *api.Server
	server   *http.Server
	front    *front.Front // nil: TLS is spoken, and net/http answers alone
	listener net.Listener
	log      *slog.Logger
}

// tokenMinutesMax keeps the lifetime of a token within what a duration can hold.
const tokenMinutesMax = 100 * 365 * 24 * 60

// newInstance puts the pieces together on an open database and a listener, which it owns from then on.
func newInstance(db *store.DB, listener net.Listener, gate *auth.Gate, o api.Options, watch *watched) *instance {
	recorder := usage.New(db, usage.Options{Log: o.Log, Watch: watch.attach(&o), QueueMax: queueMax})
	in := &instance{db: db, gate: gate, recorder: recorder, listener: listener, log: o.Log, api: api.New(db, gate, recorder, o)}
	in.server = &http.Server{
		Handler:           watch.traced(in.api),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: headerMax, DisableGeneralOptionsHandler: true, // the API says itself that it has no such path
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug), // clients that break off, mostly
	}
	return in
}

// limit has the settings' patience and room for clients, and their certificate.
func (in *instance) limit(s listenSettings, trusted []netip.Prefix) error {
	room := newCrowd(in.listener, s.room(in.log), trusted, in.log)
	in.listener, in.server.ConnState = room, room.changed
	in.server.ReadHeaderTimeout, in.server.ReadTimeout = s.HeaderTimeout, s.ReadTimeout
	in.server.WriteTimeout, in.server.IdleTimeout = s.WriteTimeout, s.IdleTimeout
	kept, err := s.certificate()
	if err == nil && kept != nil {
		in.server.TLSConfig = kept.config()
	}
	return err
}

// accept serves the listener until the server is shut down.
func (in *instance) accept() error {
	if in.server.TLSConfig != nil {
		return in.server.ServeTLS(in.listener, "", "")
	}
	return in.server.Serve(in.front)
}

// meet puts front before net/http.
func (in *instance) meet() {
	if in.server.TLSConfig != nil {
		return
	}
	in.front = front.New(in.listener, front.Options{Handler: in.server.Handler, Takes: in.api.TakesEvent, Changed: in.server.ConnState, Now: time.Now,
		Log: in.log, HeaderTimeout: in.server.ReadHeaderTimeout, WriteTimeout: in.server.WriteTimeout, IdleTimeout: in.server.IdleTimeout})
}

// finish answers the requests under way and takes no more. front is first, since what it leaves is net/http's.
func (in *instance) finish(ctx context.Context) (err error) {
	if in.front != nil {
		err = in.front.Shutdown(ctx)
	}
	return errors.Join(err, in.server.Shutdown(ctx))
}

// turnAway has balancers send no more requests, and waits until they do not.
func (in *instance) turnAway(delay time.Duration) {
	in.api.Drain()
	if delay <= 0 {
		return
	}
	in.log.Info("draining: not ready any more, requests are still taken", "for", delay.String())
	// Idle connections stay: closing one would break the request that a balancer has just put on it. The API ends each with
	// its next answer.
	time.Sleep(delay)
}

// serve answers requests until ctx ends, then drains: no new connection, running requests end, waiting events commit.
func (in *instance) serve(ctx context.Context, delay, drain time.Duration) error {
	if in.runner != nil {
		in.runner.Start()
	}
	in.meet()
	broken := make(chan error, 1)
	go func() { broken <- in.accept() }()
	select {
	case err := <-broken:
		return errors.Join(fmt.Errorf("serve: %w", err), in.close())
	case <-ctx.Done():
	}
	in.turnAway(delay)
	in.log.Info("draining: no new requests, running ones end")
	ending, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	err := in.finish(ending)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were still running %s after the signal and were cut off", drain), in.server.Close())
	}
	err = errors.Join(err, in.close())
	if err == nil {
		in.log.Info("drained: every answered event is on disk")
	}
	return err
}

// stopJobs ends the jobs that run.
func (in *instance) stopJobs() error {
	if in.runner == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), jobsTimeout)
	defer cancel()
	if err := in.runner.Stop(ctx); err != nil {
		return fmt.Errorf("stop the jobs: %w", err)
	}
	return nil
}

// close ends the jobs, commits the events that wait and ends everything below the HTTP server.
func (in *instance) close() error {
	stopping := in.stopJobs()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := in.recorder.Close(ctx)
	if err != nil {
		err = fmt.Errorf("commit the events that wait: %w", err)
	}
	err = errors.Join(stopping, err)
	in.gate.Close()
	if closing := in.db.Close(); closing != nil {
		err = errors.Join(err, fmt.Errorf("close the database: %w", closing))
	}
	return err
}
