package main

import (
	"container/list"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// crowd is a listener that bounds how many connections are open at once, so that a flood of them ends neither the process's files
// nor its memory. When it is full, the connection that has waited longest without a request under way makes room for the one
// that comes; while every one has a request under way, who comes is turned away. One address has half of the room at most, unless
// it is a trusted proxy, which speaks for many.
type crowd struct {
	net.Listener
	most    int
	trusted []netip.Prefix
	log     *slog.Logger

	mu      sync.Mutex
	guests  map[net.Conn]*guest
	waiting *list.List // of *guest, who has waited longest first
	from    map[netip.Addr]int
	warned  time.Time
}

// guest is one connection.
type guest struct {
	conn  net.Conn
	from  netip.Addr
	place *list.Element // among those who wait; nil while a request is under way
}

// crowdWarnEvery is how often a full crowd is written of.
const crowdWarnEvery = time.Minute

func newCrowd(listener net.Listener, most int, trusted []netip.Prefix, log *slog.Logger) *crowd {
	return &crowd{Listener: listener, most: most, trusted: trusted, log: log, guests: map[net.Conn]*guest{}, waiting: list.New(), from: map[netip.Addr]int{}}
}

// Accept implements net.Listener.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leaves, admitted := c.admit(conn)
		if leaves != nil {
			leaves.Close()
		}
		if admitted {
			return conn, nil
		}
		conn.Close()
	}
}

// admit finds room for a connection; leaves is one that must be closed for it.
func (c *crowd) admit(conn net.Conn) (leaves net.Conn, admitted bool) {
	from := addressOf(conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.from[from] >= max(1, c.most/2) && !c.speaksForMany(from):
		leaves = c.dismiss(func(g *guest) bool { return g.from == from })
		admitted = leaves != nil
	case len(c.guests) >= c.most:
		leaves = c.dismiss(func(*guest) bool { return true })
		admitted = leaves != nil
	default:
		admitted = true
	}
	if leaves != nil || !admitted {
		c.warn(from)
	}
	if admitted {
		g := &guest{conn: conn, from: from}
		g.place = c.waiting.PushBack(g)
		c.guests[conn] = g
		c.from[from]++
	}
	return leaves, admitted
}

func (c *crowd) speaksForMany(from netip.Addr) bool {
	return slices.ContainsFunc(c.trusted, func(p netip.Prefix) bool { return p.Contains(from) })
}

// dismiss forgets the one of those that fit which has waited longest.
func (c *crowd) dismiss(fits func(*guest) bool) net.Conn {
	for e := c.waiting.Front(); e != nil; e = e.Next() {
		if g := e.Value.(*guest); fits(g) {
			c.forget(g)
			return g.conn
		}
	}
	return nil
}

func (c *crowd) forget(g *guest) {
	if g.place != nil {
		c.waiting.Remove(g.place)
	}
	delete(c.guests, g.conn)
	if c.from[g.from]--; c.from[g.from] <= 0 {
		delete(c.from, g.from)
	}
}

// warn says now and then that there was no room.
func (c *crowd) warn(from netip.Addr) {
	if now := time.Now(); now.Sub(c.warned) > crowdWarnEvery {
		c.warned = now
		c.log.Warn("connections are full: the longest idle ones are closed for new ones", "open", len(c.guests), "most", c.most,
			"address", from.String(), "of_address", c.from[from])
	}
}

// changed follows what the HTTP server does with a connection, as its ConnState. A request counts as under way when its head has
// come: whoever is still sending it waits.
func (c *crowd) changed(conn net.Conn, state http.ConnState) {
	for { // it may be wrapped by TLS or front
		wrapped, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = wrapped.NetConn()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.guests[conn]
	switch {
	case g == nil: // it had to leave
	case state == http.StateActive && g.place != nil:
		c.waiting.Remove(g.place)
		g.place = nil
	case state == http.StateIdle && g.place == nil:
		g.place = c.waiting.PushBack(g)
	case state == http.StateIdle:
		c.waiting.MoveToBack(g.place)
	case state == http.StateClosed || state == http.StateHijacked:
		c.forget(g)
	}
}

// addressOf is where a connection comes from. Of an IPv6 address it is the network of one customer, who has as many addresses as
// he likes.
func addressOf(conn net.Conn) netip.Addr {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	from := tcp.AddrPort().Addr().Unmap().WithZone("")
	if from.Is4() {
		return from
	}
	network, err := from.Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return network.Addr()
}
