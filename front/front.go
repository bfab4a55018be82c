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
	inner  net.Listener
	handed chan handed
	ended  chan struct{} // closed by Close
	end    sync.Once
	date   dateLine

	mu      sync.Mutex
	open    map[*conn]struct{}
	closing bool
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
	f := &Front{Options: o, inner: inner, handed: make(chan handed), ended: make(chan struct{}), open: map[*conn]struct{}{}}
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
	if f.closing {
		c.Close()
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

// Close takes no more connections and closes those that wait for a request. Requests under way are answered.
func (f *Front) Close() (err error) {
	f.end.Do(func() {
		close(f.ended)
		err = f.inner.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.closing = true
		for q := range f.open {
			if q.state.CompareAndSwap(idle, closed) {
				q.Close()
			}
		}
	})
	return err
}

// Shutdown closes and waits until every request under way is answered, or cuts them off when ctx ends.
func (f *Front) Shutdown(ctx context.Context) error {
	err := f.Close()
	ended := make(chan struct{})
	go func() {
		f.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return err
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for q := range f.open {
		q.Close()
	}
	return errors.Join(err, ctx.Err())
}

// States of a connection. Only an idle one may be closed from outside.
const (
	idle int32 = iota
	active
	closed
)

// lasting tells whether a connection may wait for another request.
func (f *Front) lasting() bool {
	select {
	case <-f.ended:
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
