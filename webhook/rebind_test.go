package webhook_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"xyra/notice"
)

// nameServer is a DNS server of our own, on UDP. It says something else each time it is asked.
type nameServer struct {
	t    *testing.T
	conn net.PacketConn

	mu     sync.Mutex
	answer func(name string, kind dnsmessage.Type, n int) []string // addresses, or one "=name" for an alias; nil: no such name
	asked  map[dnsmessage.Type]int
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{t: t, conn: conn}
	t.Cleanup(func() { conn.Close() })
	go s.serve()
	return s
}

// lookup asks this server as the system's resolver would ask its own.
func (s *nameServer) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
	return r.LookupNetIP(ctx, "ip", name)
}

// follow sets what is answered from now on.
func (s *nameServer) follow(answer func(name string, kind dnsmessage.Type, n int) []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.asked = answer, map[dnsmessage.Type]int{}
}

// lead answers every question with one address.
func (s *nameServer) lead(to netip.Addr) {
	s.follow(func(string, dnsmessage.Type, int) []string { return []string{to.String()} })
}

func (s *nameServer) serve() {
	packet := make([]byte, 512)
	for {
		n, from, err := s.conn.ReadFrom(packet)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(packet[:n]); err != nil || len(m.Questions) != 1 {
			s.t.Errorf("a question that cannot be read: %v", err)
			continue
		}
		reply, err := s.reply(m).Pack()
		if err == nil {
			_, err = s.conn.WriteTo(reply, from)
		}
		if err != nil {
			s.t.Errorf("answer: %v", err)
		}
	}
}

func (s *nameServer) reply(m dnsmessage.Message) *dnsmessage.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := m.Questions[0]
	n := s.asked[q.Type]
	s.asked[q.Type]++
	reply := &dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions[:1]}
	texts := s.answer(strings.TrimSuffix(q.Name.String(), "."), q.Type, n)
	if texts == nil {
		reply.RCode = dnsmessage.RCodeNameError
	}
	owner := q.Name
	for _, text := range texts {
		head := dnsmessage.ResourceHeader{Name: owner, Class: dnsmessage.ClassINET} // it may be kept for 0 seconds
		if alias, is := strings.CutPrefix(text, "="); is {
			next := dnsmessage.MustNewName(alias + ".")
			head.Type = dnsmessage.TypeCNAME
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.CNAMEResource{CNAME: next}})
			owner = next
			continue
		}
		a := netip.MustParseAddr(text)
		switch head.Type = q.Type; {
		case q.Type == dnsmessage.TypeA && a.Is4():
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return reply
}

// rebindings are what a name leads to, attempt by attempt: P is a public address, X an inner one. In the last one every
// single question is answered in its turn.
var rebindings = []string{"P X P X P X", "X P X P", "P P P P X P", "P+X X+P P", "P+::1 P", "P+::ffff:127.0.0.1 P", "64:ff9b::7f00:1 P", "=inner.example.com+X P =a.example.com+P",
	"- X - P", "each P X P X"}

// rebind makes the attempts of every schedule; reached tells how often the public receiver and others were reached.
func (w *world) rebind(dns *nameServer, port int, public, inner netip.Addr, reached func() (public, others int64)) {
	w.t.Helper()
	expected := int64(0)
	for _, schedule := range rebindings {
		text := strings.NewReplacer("P", public.String(), "X", inner.String()).Replace(schedule)
		rest, each := strings.CutPrefix(text, "each ")
		steps := strings.Fields(rest)
		if each {
			dns.follow(func(_ string, _ dnsmessage.Type, n int) []string { return []string{steps[n%len(steps)]} })
		}
		for n, step := range steps {
			fine := step == public.String() || strings.HasSuffix(step, ".com+"+public.String())
			if !each {
				dns.follow(func(string, dnsmessage.Type, int) []string {
					if step == "-" {
						return nil
					}
					return strings.Split(step, "+")
				})
			}
			e, _ := w.endpoint(fmt.Sprintf("http://hooks.example.com:%d/", port))
			fault, status := w.send(e)
			want := map[bool]string{true: "", false: "the address is not allowed"}[fine]
			if step == "-" {
				want = "the name could not be resolved"
			}
			if fine {
				expected++
			}
			if fault != want || fine != (status == http.StatusOK) {
				w.t.Errorf("attempt %d of %q: %d %q, want %q", n, schedule, status, fault, want)
			}
		}
	}
	if at, others := reached(); at != expected || others != 0 {
		w.t.Errorf("the public receiver was reached %d times, want %d; others %d times", at, expected, others)
	}
}

// A name that changes what it leads to gains nothing: what is looked at is dialled, and nothing is looked up twice.
func TestDeliver_RebindingSchedulesGainNothing(t *testing.T) {
	if len(rebindings) != 10 {
		t.Fatalf("%d schedules", len(rebindings))
	}
	// 127.0.0.2 plays the public address, 127.0.0.1 the inner one, on the same port.
	public, inner := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	var counts [2]atomic.Int64
	port := 0
	for n, a := range []netip.Addr{inner, public} {
		l, err := net.Listen("tcp", netip.AddrPortFrom(a, uint16(port)).String())
		if err != nil {
			t.Fatal(err)
		}
		port = l.Addr().(*net.TCPAddr).Port
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { counts[n].Add(1) })}}
		s.Start()
		t.Cleanup(s.Close)
	}
	dns := newNameServer(t)
	w := lonely(t, notice.Rules{AllowHTTP: true, Ports: []uint16{443, uint16(port)}, Private: []netip.Prefix{netip.PrefixFrom(public, 32)}})
	w.options.Lookup = dns.lookup
	w.rebind(dns, port, public, inner, func() (int64, int64) { return counts[1].Load(), counts[0].Load() })
}
