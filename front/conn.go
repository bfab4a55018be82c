package front

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// conn is one connection while front answers it.
type conn struct {
	net.Conn
	front   *Front
	state   atomic.Int32
	address string

	buffer  []byte // what has been read and not answered
	skipped int    // line ends between the last request and this one; -1: there was none before
	head    head
	request http.Request
	url     url.URL
	body    body
	renewed time.Time // when the connection's deadline was last moved
}

const (
	bufferSize = 4 << 10
	// restMax is how long the rest of a request may take before net/http waits for it instead.
	restMax = 50 * time.Millisecond
	// renewEvery is how stale a deadline may be: moving it costs as much as reading a head.
	renewEvery = time.Second
)

func newConn(f *Front, c net.Conn) *conn {
	q := &conn{Conn: c, front: f, address: c.RemoteAddr().String()}
	q.head.header, q.skipped = http.Header{}, -1
	return q
}

// serve answers requests until one is net/http's or the client has gone.
func (q *conn) serve() {
	defer q.front.forget(q)
	defer q.survive()
	for {
		switch q.next() {
		case plain:
			if !q.respond() {
				q.end()
				return
			}
		case other:
			q.leave()
			return
		case more: // nothing came
			q.end()
			return
		}
	}
}

// survive closes a connection whose handler has panicked. The API's own guard has answered and written of it, if it could.
func (q *conn) survive() {
	p := recover()
	if p == nil {
		return
	}
	if p != http.ErrAbortHandler { //nolint:errorlint // it is panicked with as it is
		q.front.Log.Error("panic", "err", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
	q.end()
}

func (q *conn) end() {
	q.Close()
	q.front.Changed(q.Conn, http.StateClosed)
}

// leave gives the connection to net/http.
func (q *conn) leave() {
	if q.SetDeadline(time.Time{}) != nil || !q.front.hand(newHanded(q.Conn, q.buffer), nil) {
		q.end()
	}
}

// next reads until it has a plain request or knows that it is none. more means that the client is gone or silent.
func (q *conn) next() verdict {
	hurried := false
	for {
		if len(q.buffer) > 0 && !q.begin() {
			return more
		}
		if verdict := q.look(); verdict != more {
			return verdict
		}
		if began := len(q.buffer) > 0; began && !hurried {
			if q.SetReadDeadline(q.front.Now().Add(restMax)) != nil {
				return other
			}
			hurried, q.renewed = true, time.Time{}
		}
		if err := q.read(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && hurried || errors.Is(err, io.EOF) && !q.isStub() {
				return other
			}
			return more
		}
	}
}

// begin notes that a request has begun to come; false means that the connection was closed before.
func (q *conn) begin() bool {
	return q.state.Load() == busy || q.state.CompareAndSwap(waiting, busy) || q.state.CompareAndSwap(fresh, busy)
}

// gapMax is how many bytes net/http looks at for line ends that some clients send behind a body.
const gapMax = 4

// look judges what is there.
func (q *conn) look() verdict {
	for q.skipped >= 0 && q.skipped < gapMax && len(q.buffer) > 0 && (q.buffer[0] == '\r' || q.buffer[0] == '\n') {
		q.buffer = q.buffer[1:]
		q.skipped++
	}
	if q.isStub() {
		return more
	}
	return q.head.parse(q.buffer, q.front.Takes)
}

// isStub tells whether so little is there that net/http would not answer it.
func (q *conn) isStub() bool {
	return len(q.buffer) == 0 || q.skipped >= 0 && q.skipped+len(q.buffer) < gapMax
}

// read adds what the client has sent to the buffer.
func (q *conn) read() error {
	if cap(q.buffer)-len(q.buffer) < 1 {
		size := max(bufferSize, min(2*cap(q.buffer), headMax+bodyMax))
		q.buffer = append(make([]byte, 0, size), q.buffer...)
	}
	n, err := q.Conn.Read(q.buffer[len(q.buffer):cap(q.buffer)])
	q.buffer = q.buffer[:len(q.buffer)+n]
	if n > 0 {
		return nil
	}
	return err
}

// respond has the request in the buffer answered and tells whether another may follow.
func (q *conn) respond() bool {
	q.front.Changed(q.Conn, http.StateActive)
	size := q.head.size + q.head.length
	q.body.left = q.buffer[q.head.size:size]
	q.url = url.URL{Path: q.head.path}
	q.request = http.Request{Method: http.MethodPost, URL: &q.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: q.head.header, Body: &q.body,
		ContentLength: int64(q.head.length), Host: q.head.host, RemoteAddr: q.address, RequestURI: q.head.path}
	a := answers.Get().(*answer)
	defer a.release()
	q.front.Handler.ServeHTTP(a, &q.request)
	now := q.front.Now()
	last := a.finish(q.front.date.at(now), !q.front.lasting())
	if q.renew(now) != nil {
		return false
	}
	if _, err := q.Write(a.wire); err != nil || last {
		return false
	}
	q.consume(size)
	q.front.Changed(q.Conn, http.StateIdle)
	q.state.Store(waiting)
	return q.front.lasting() || !q.state.CompareAndSwap(waiting, closed)
}

// renew moves the deadlines for writing this answer and waiting for the next request.
func (q *conn) renew(now time.Time) error {
	if passed := now.Sub(q.renewed); passed >= 0 && passed < renewEvery {
		return nil
	}
	q.renewed = now
	return errors.Join(q.SetReadDeadline(now.Add(q.front.IdleTimeout)), q.SetWriteDeadline(now.Add(q.front.WriteTimeout+renewEvery)))
}

// consume forgets an answered request. What follows it in the buffer is the next.
func (q *conn) consume(size int) {
	rest := q.buffer[size:]
	if cap(q.buffer) > bufferSize {
		q.buffer = make([]byte, 0, max(bufferSize, len(rest)))
	}
	q.buffer, q.skipped = append(q.buffer[:0], rest...), 0
}

// body is the part of the buffer that is a request's body.
type body struct{ left []byte }

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if len(b.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

// Close implements io.Closer.
func (*body) Close() error { return nil }
