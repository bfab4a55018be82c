package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"testing"
)

// visitor is a connection that has only an address.
type visitor struct {
	net.Conn
	from string
}

// RemoteAddr implements net.Conn.
func (v *visitor) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(v.from), 5000))
}

// crowdOf is a crowd with the given guests, in the order in which they came, none of them with a request under way.
func crowdOf(t *testing.T, most int, from ...string) (c *crowd, guests []*visitor) {
	t.Helper()
	c = newCrowd(nil, most, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, slog.New(slog.DiscardHandler))
	for _, address := range from {
		v := &visitor{from: address}
		if leaves, admitted := c.admit(v); leaves != nil || !admitted {
			t.Fatalf("%s finds no room: %v", address, leaves)
		}
		guests = append(guests, v)
	}
	return c, guests
}

func mustLeave(t *testing.T, c *crowd, from string, want net.Conn) {
	t.Helper()
	leaves, admitted := c.admit(&visitor{from: from})
	if leaves != want || admitted != (want != nil) {
		t.Errorf("for one of %s leaves %v (admitted %v), want %v", from, leaves, admitted, want)
	}
}

// Whoever comes to a full crowd takes the place of the one that has waited longest; a request under way is not broken off.
func TestCrowd_LongestIdleMakesRoom(t *testing.T) {
	c, guests := crowdOf(t, 4, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
	c.changed(guests[0], http.StateActive)
	c.changed(guests[1], http.StateActive)
	c.changed(guests[1], http.StateIdle) // has waited the shortest time now
	mustLeave(t, c, "192.0.2.5", guests[2])
	mustLeave(t, c, "192.0.2.6", guests[3])
	mustLeave(t, c, "192.0.2.7", guests[1])
	c.changed(guests[1], http.StateClosed) // what left is not counted twice
	if len(c.guests) != 4 {
		t.Errorf("%d guests", len(c.guests))
	}
}

// While everyone has a request under way there is no room, and when one ends there is.
func TestCrowd_BusyGuestsStay(t *testing.T) {
	c, guests := crowdOf(t, 2, "192.0.2.1", "192.0.2.2")
	for _, g := range guests {
		c.changed(g, http.StateActive)
	}
	mustLeave(t, c, "192.0.2.3", nil)
	c.changed(guests[0], http.StateClosed)
	if leaves, admitted := c.admit(&visitor{from: "192.0.2.3"}); leaves != nil || !admitted {
		t.Error("no room after one has gone")
	}
}

// One address fills half of the room and then takes its own places, a customer's IPv6 network too; a trusted proxy does not count.
func TestCrowd_OneAddressHasHalf(t *testing.T) {
	c, guests := crowdOf(t, 8, "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "192.0.2.1")
	mustLeave(t, c, "2001:db8::5", guests[0])
	for _, g := range guests[1:4] {
		c.changed(g, http.StateActive)
	}
	c.changed(guests[4], http.StateIdle)
	if leaves, admitted := c.admit(&visitor{from: "192.0.2.2"}); leaves != nil || !admitted {
		t.Errorf("another address finds no room: %v", leaves)
	}
	proxied, _ := crowdOf(t, 8, "10.1.1.1", "10.1.1.1", "10.1.1.1", "10.1.1.1", "10.1.1.1", "10.1.1.1")
	if leaves, admitted := proxied.admit(&visitor{from: "10.1.1.1"}); leaves != nil || !admitted {
		t.Error("a trusted proxy has half of the room")
	}
}
