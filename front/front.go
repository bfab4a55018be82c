package front

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options says what a Front takes and how patient it is.
type Options struct {
	Handler http.Handler                   // answers what is taken; it keeps nothing of a request when it returns
	Takes   func(path string) bool         // which paths of POST are taken
	Changed func(net.Conn, http.ConnState) // is told what becomes of a connection, as http.Server's ConnState; nil: nobody is
	Now     func() time.Time
	Log     *slog.Logger

	HeaderTimeout time.Duration // from a connection's beginning to its first byte
	WriteTimeout  time.Duration // to take an answer
	IdleTimeout   time.Duration // between requests
}

// Front is a listener that answers plain requests itself. Its Accept gives the connections that it leaves to net/http.
type Front struct {
	Options
	inner   net.Listener
	handed  chan handed
	retired chan struct{} // closed when no connection may wait for another request
	ended   chan struct{} // closed when net/http is given none either
	retire  sync.Once
	end     sync.Once
	date    dateLine

	mu      sync.Mutex
	open    map[*conn]struct{}
	running sync.WaitGroup // connections
}

// handed is what Accept gives.
type handed struct {
	conn net.Conn
	err  error
}

// New takes connections from a listener, which it owns from then on.
func New(inner net.Listener, o Options) *Front {
	if o.Changed == nil {
		o.Changed = func(net.Conn, http.ConnState) {}
	}
	f := &Front{Options: o, inner: inner, handed: make(chan handed), retired: make(chan struct{}), ended: make(chan struct{}), open: map[*conn]struct{}{}}
	go f.accept()
	return f
}

// Addr implements net.Listener.
func (f *Front) Addr() net.Addr { return f.inner.Addr() }

// Accept implements net.Listener, for http.Server.
func (f *Front) Accept() (net.Conn, error) {
	select {
	case h := <-f.handed:
		return h.conn, h.err
	case <-f.ended:
		return nil, net.ErrClosed
	}
}

// accept starts a goroutine for each connection. Who calls Accept decides what becomes of errors, and pauses after them.
func (f *Front) accept() {
	for {
		c, err := f.inner.Accept()
		if err == nil {
			f.start(c)
			continue
		}
		if errors.Is(err, net.ErrClosed) || !f.hand(nil, err) {
			return
		}
	}
}

// hand gives Accept a connection or an error; false means that nobody accepts any more.
func (f *Front) hand(c net.Conn, err error) bool {
	select {
	case f.handed <- handed{c, err}:
		return true
	case <-f.ended:
		return false
	}
}

func (f *Front) start(c net.Conn) {
	q := newConn(f, c)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.lasting() || q.SetReadDeadline(f.Now().Add(f.HeaderTimeout)) != nil {
		q.end()
		return
	}
	f.open[q] = struct{}{}
	f.running.Go(q.serve)
}

func (f *Front) forget(q *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, q)
}

// Close takes no more connections, gives net/http none and closes those that wait. Requests under way are answered.
func (f *Front) Close() error {
	err := f.turnAway()
	f.end.Do(func() { close(f.ended) })
	return err
}

// turnAway takes no more connections. Those that wait for another request are closed; what has begun goes on, and what has just
// been accepted may still begin.
func (f *Front) turnAway() (err error) {
	f.retire.Do(func() {
		err = f.inner.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		close(f.retired)
		for q := range f.open {
			switch {
			case q.state.CompareAndSwap(waiting, closed):
				q.Close()
			case q.state.Load() == fresh && q.SetReadDeadline(f.Now().Add(freshMax)) != nil:
				q.Close() // it is broken already
			}
		}
	})
	return err
}

// Shutdown takes no more connections and waits until every request under way is answered or net/http's, or cuts them off when
// ctx ends. net/http must still accept meanwhile.
func (f *Front) Shutdown(ctx context.Context) error {
	err := f.turnAway()
	answered := make(chan struct{})
	go func() {
		f.running.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
		f.mu.Lock()
		defer f.mu.Unlock()
		for q := range f.open {
			q.Close()
		}
	}
	return errors.Join(err, f.Close())
}

// States of a connection. A waiting one may be closed from outside.
const (
	fresh   int32 = iota // nothing has come yet
	waiting              // between two requests
	busy                 // a request has begun to come or is being answered
	closed
)

// freshMax is how long a connection that has just been accepted may take to begin when no more are taken.
const freshMax = time.Second

// lasting tells whether a connection may wait for another request.
func (f *Front) lasting() bool {
	select {
	case <-f.retired:
		return false
	default:
		return true
	}
}

// Handed is a connection that Accept gives: what has been read of it comes first.
type Handed struct {
	net.Conn
	mu   sync.Mutex
	read []byte
	left atomic.Bool // something is in read
}

func newHanded(c net.Conn, read []byte) *Handed {
	h := &Handed{Conn: c, read: read}
	h.left.Store(len(read) > 0)
	return h
}

// NetConn is the connection that the listener below has accepted.
func (h *Handed) NetConn() net.Conn { return h.Conn }

// Read implements net.Conn.
func (h *Handed) Read(p []byte) (int, error) {
	if h.left.Load() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.read) > 0 {
			n := copy(p, h.read)
			if h.read = h.read[n:]; len(h.read) == 0 {
				h.read = nil
				h.left.Store(false)
			}
			return n, nil
		}
	}
	return h.Conn.Read(p)
}
