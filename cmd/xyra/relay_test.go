package main

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// relay stands between a server and its database, and breaks as networks do.
type relay struct {
	t      testing.TB
	target string
	at     string

	mu     sync.Mutex
	listen net.Listener // nil: nobody listens
	mode   relayMode
	change chan struct{} // closed when the mode changes
	conns  map[*net.TCPConn]bool
}

// relayMode is what the relay does with connections.
type relayMode string

const (
	relayPasses  relayMode = "passes"
	relayRefuses relayMode = "refuses"     // cuts what is open, and whatever is opened
	relayResets  relayMode = "resets"      // the same, with RST
	relayGone    relayMode = "is gone"     // cuts what is open, and nobody listens
	relayGreets  relayMode = "greets"      // cuts what is open; takes new connections and says nothing on them
	relayStalls  relayMode = "stalls"      // keeps connections open and passes nothing: half-open
	relayDeaf    relayMode = "is deaf"     // passes nothing to the database
	relayMute    relayMode = "is mute"     // passes nothing from the database
	relayHalves  relayMode = "half-closes" // ends one direction of each connection
	relayLimits  relayMode = "limits"      // cuts each connection after some bytes from the database
	relayDelays  relayMode = "delays"      // passes everything late
	relayJitters relayMode = "jitters"     // now late, now at once
	relayDrips   relayMode = "drips"       // a few bytes at a time
)

const (
	relayLate  = 20 * time.Millisecond // each way
	relayLimit = 600                   // bytes
	relayDrip  = 128                   // bytes in relayPause
	relayPause = 2 * time.Millisecond
)

// cuts tells what ends the connections that are open: a mode that begins so, or one whose connections have lost something and
// are not there any more when the network comes back with other routes.
func (m relayMode) cuts() bool {
	return slices.Contains([]relayMode{relayRefuses, relayResets, relayGone, relayGreets}, m)
}

func (m relayMode) loses() bool {
	return slices.Contains([]relayMode{relayGreets, relayStalls, relayDeaf, relayMute, relayHalves}, m)
}

// newRelay relays to the server of a postgres:// URL, and returns the URL through it.
func newRelay(t testing.TB, database string) (*relay, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, target: u.Host, at: "127.0.0.1:0", mode: relayPasses, change: make(chan struct{}), conns: map[*net.TCPConn]bool{}}
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.set(relayGone) })
	u.Host = r.at
	return r, u.String()
}

func (r *relay) open() error {
	listen, err := net.Listen("tcp", r.at)
	if err != nil {
		return err
	}
	r.listen, r.at = listen, listen.Addr().String()
	go r.accept(listen)
	return nil
}

// set changes the mode.
func (r *relay) set(mode relayMode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	cut, before := mode.cuts() || r.mode.loses(), r.mode
	r.mode = mode
	close(r.change)
	r.change = make(chan struct{})
	for c := range r.conns {
		if mode == relayResets {
			c.SetLinger(0) //nolint:errcheck // it is about to be closed
		}
		if cut {
			c.Close()
		}
	}
	if mode == relayGone && r.listen != nil {
		r.listen.Close()
		r.listen = nil
	}
	if before == relayGone && mode != relayGone {
		if err := r.open(); err != nil {
			r.t.Errorf("listen again: %v", err)
		}
	}
}

func (r *relay) now() (relayMode, chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mode, r.change
}

func (r *relay) accept(listen net.Listener) {
	for {
		accepted, err := listen.Accept()
		if err != nil {
			return
		}
		client := accepted.(*net.TCPConn)
		switch mode, _ := r.now(); mode {
		case relayResets:
			client.SetLinger(0) //nolint:errcheck // it is about to be closed
			client.Close()
			continue
		case relayRefuses:
			client.Close()
			continue
		}
		dialled, err := net.Dial("tcp", r.target)
		if err != nil {
			client.Close()
			continue
		}
		server := dialled.(*net.TCPConn)
		r.mu.Lock()
		r.conns[client], r.conns[server] = true, true
		r.mu.Unlock()
		go r.pass(client, server, true)
		go r.pass(server, client, false)
	}
}

// pass copies one direction, up to the database or down from it.
func (r *relay) pass(from, to *net.TCPConn, up bool) {
	defer func() {
		from.Close()
		to.Close()
		r.mu.Lock()
		delete(r.conns, from)
		r.mu.Unlock()
	}()
	buffer, passed := make([]byte, 32<<10), 0
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if passed += n; r.deliver(to, buffer[:n], up, passed) != nil {
			return
		}
	}
}

var errRelayed = errors.New("that was all")

// deliver passes some bytes on as the mode has it.
func (r *relay) deliver(to *net.TCPConn, some []byte, up bool, passed int) error {
	mode, change := r.now()
	for holds(mode, up) {
		<-change
		mode, change = r.now()
	}
	switch mode {
	case relayDelays:
		wait(relayLate, change)
	case relayJitters:
		wait(rand.N(4*relayLate), change)
	case relayLimits:
		if !up && passed > relayLimit {
			return errRelayed
		}
	case relayDrips:
		for len(some) > relayDrip {
			if _, err := to.Write(some[:relayDrip]); err != nil {
				return err
			}
			some = some[relayDrip:]
			wait(relayPause, change)
		}
	case relayHalves:
		if !up {
			return to.CloseWrite()
		}
	}
	_, err := to.Write(some)
	return err
}

func holds(mode relayMode, up bool) bool {
	return mode == relayStalls || mode == relayGreets || mode == relayDeaf && up || mode == relayMute && !up
}

// wait waits, but not beyond the mode.
func wait(span time.Duration, change <-chan struct{}) {
	late := time.NewTimer(span)
	defer late.Stop()
	select {
	case <-late.C:
	case <-change:
	}
}

// throughRelay is an environment of PostgreSQL with a relay in between.
func throughRelay(t *testing.T, f func(t *testing.T, r *relay, env []string)) {
	t.Helper()
	eachDatabase(t, func(t *testing.T, env []string) {
		if !isPostgres(env) {
			return // nothing stands between a program and its file
		}
		r, through := newRelay(t, strings.TrimPrefix(env[0], "DATABASE_URL="))
		f(t, r, append([]string{"DATABASE_URL=" + through}, env[1:]...))
	})
}
