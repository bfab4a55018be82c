package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"xyra/api"
	"xyra/auth"
	"xyra/store"
)

// demoCommand bills the trace on a private instance that vanishes at the end. It reads no setting: a demo must not touch
// the installation whose environment it happens to run in.
type demoCommand struct {
	Exit bool `help:"End after the invoice instead of leaving the server running."`
}

// Run implements the command.
func (d demoCommand) Run(ctx context.Context, c console) error {
	dir, err := os.MkdirTemp("", "xyra-demo-")
	if err != nil {
		return fmt.Errorf("a temporary folder cannot be made: %w; set TMPDIR to one that can be written to", cause(err))
	}
	err = d.tell(ctx, c, dir)
	if removing := os.RemoveAll(dir); removing != nil {
		err = errors.Join(err, fmt.Errorf("the temporary folder %s cannot be removed: %w", dir, cause(removing)))
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errors.New("interrupted; the private instance and its folder are gone")
	}
	return err
}

// tell runs the instance for as long as the story takes, and then for as long as somebody looks around.
func (d demoCommand) tell(ctx context.Context, c console, dir string) error {
	in, login, err := openDemo(ctx, c, dir)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // Ctrl-C ends the story first, then the server
	defer stop()
	served := make(chan error, 1)
	go func() { served <- in.serve(serving, 0, closeTimeout) }()
	err = demoStory(ctx, c, in, dir, login)
	if err == nil && !d.Exit {
		at := localURL(in.listener.Addr().String())
		fmt.Fprintf(c.out, "\nStill serving, for a look around until Ctrl-C:\n  API    %s/api/v1\n  Docs   %s/docs  (Authorize with the login below)\n  Login  %s  password %s\n",
			at, at, login.email, login.password)
		<-ctx.Done()
	}
	stop()
	err = errors.Join(err, <-served)
	if err == nil && !d.Exit {
		fmt.Fprintln(c.out, "\nEnded; the private instance and its folder are gone.")
	}
	return err
}

// openDemo starts an instance of its own: SQLite in dir, a free port of this machine alone, random secret and password.
func openDemo(ctx context.Context, c console, dir string) (*instance, firstLogin, error) {
	log, err := logSettings{Format: "text", Level: "warn"}.logger(c)
	if err != nil {
		return nil, firstLogin{}, err
	}
	listener, err := listen("127.0.0.1:0")
	if err != nil {
		return nil, firstLogin{}, err
	}
	file := target{Options: store.Options{Path: filepath.Join(dir, "xyra.db")}, dir: dir}
	db, _, err := file.openMigrated(ctx, log, 0)
	if err != nil {
		return nil, firstLogin{}, errors.Join(err, listener.Close())
	}
	return newDemo(ctx, db, listener, api.Options{Prefix: "/api/v1", Docs: true, Now: time.Now, Log: log})
}

func newDemo(ctx context.Context, db *store.DB, listener net.Listener, o api.Options) (*instance, firstLogin, error) {
	gate := auth.New(db, auth.Options{Secret: []byte(randomText()), TokenLifetime: 24 * time.Hour, Now: o.Now, Log: o.Log})
	login := firstLogin{email: "admin@example.com", password: randomText()[:12], created: true}
	if _, err := gate.EnsureSuperuser(ctx, login.email, login.password); err != nil {
		return nil, firstLogin{}, errors.Join(err, listener.Close(), db.Close())
	}
	return newInstance(db, listener, gate, o, &watched{}), login, nil
}
