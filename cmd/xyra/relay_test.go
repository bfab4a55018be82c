package main

import (
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// relay stands between a server and its database, and breaks as networks do.
type relay struct {
	t      testing.TB
	target string
	listen net.Listener

	mu     sync.Mutex
	mode   relayMode
	change chan struct{} // closed when the mode changes
	conns  map[net.Conn]bool
}

// relayMode is what the relay does with connections.
type relayMode string

const (
	relayPasses  relayMode = "passes"
	relayRefuses relayMode = "refuses" // cuts what is open, and whatever is opened
	relayStalls  relayMode = "stalls"  // keeps connections open and passes nothing: half-open
	relayDelays  relayMode = "delays"  // passes everything late
)

// relayLate is how late a delaying relay passes things, each way.
const relayLate = 20 * time.Millisecond

// newRelay relays to the server of a postgres:// URL, and returns the URL through it.
func newRelay(t testing.TB, database string) (*relay, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, target: u.Host, listen: listen, mode: relayPasses, change: make(chan struct{}), conns: map[net.Conn]bool{}}
	t.Cleanup(func() {
		listen.Close()
		r.set(relayRefuses)
	})
	go r.accept()
	u.Host = listen.Addr().String()
	return r, u.String()
}

// set changes the mode. What stalled is cut when it ends, as by a network that comes back with other routes.
func (r *relay) set(mode relayMode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	cut := mode == relayRefuses || r.mode == relayStalls
	r.mode = mode
	close(r.change)
	r.change = make(chan struct{})
	for c := range r.conns {
		if cut {
			c.Close()
		}
	}
}

func (r *relay) now() (relayMode, chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mode, r.change
}

func (r *relay) accept() {
	for {
		client, err := r.listen.Accept()
		if err != nil {
			return
		}
		if mode, _ := r.now(); mode == relayRefuses {
			client.Close()
			continue
		}
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			client.Close()
			continue
		}
		r.mu.Lock()
		r.conns[client], r.conns[server] = true, true
		r.mu.Unlock()
		go r.pass(client, server)
		go r.pass(server, client)
	}
}

// pass copies one direction.
func (r *relay) pass(from, to net.Conn) {
	defer func() {
		from.Close()
		to.Close()
		r.mu.Lock()
		delete(r.conns, from)
		r.mu.Unlock()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		for mode, change := r.now(); mode == relayStalls; mode, change = r.now() {
			<-change
		}
		if mode, change := r.now(); mode == relayDelays {
			late := time.NewTimer(relayLate)
			select {
			case <-late.C:
			case <-change:
			}
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
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
