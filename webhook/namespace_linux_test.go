package webhook_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"xyra/notice"
)

// insideVariable tells this test's own process that it stands in a network of its own.
const insideVariable = "XYRA_TEST_NAMESPACE"

// The addresses that the network inside has, all on its loopback: one looks public, the others are what must not be reached.
const publicInside = "93.184.216.34"

var privateInside = strings.Fields(`10.0.0.1 100.64.0.1 168.63.129.16 169.254.169.254 172.16.0.1 192.168.1.1 192.168.0.1 198.18.0.1 203.0.113.9 fd00:ec2::254 fc00::1 2001:db8::1
	2002:7f00:1:: 64:ff9b::7f00:1 64:ff9b::a00:1`)

// Where public and inner addresses all answer, and every packet is seen, the public receiver is reached and no packet goes to
// another address, whatever URLs and DNS say. It needs user namespaces, so it is part of the nightly run alone.
func TestDeliver_NoPacketLeavesForInnerAddresses(t *testing.T) {
	switch {
	case os.Getenv(insideVariable) != "":
		inside(t)
	case os.Getenv("XYRA_TEST_LONG") != "":
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v")
		cmd.Env = append(os.Environ(), insideVariable+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("in a network namespace, which this system must permit: %v\n%s", err, out)
		}
	}
}

func inside(t *testing.T) {
	raiseLoopback(t)
	for _, text := range append([]string{publicInside}, privateInside...) {
		addAddress(t, netip.MustParseAddr(text))
	}
	var public, others atomic.Int64
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if at := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); at.IP.String() == publicInside {
			public.Add(1)
		} else {
			others.Add(1)
		}
	})}
	go s.Serve(l) //nolint:errcheck // it is closed in the end
	t.Cleanup(func() { s.Close() })

	dns := newNameServer(t)
	tap := newWiretap(t, dns.conn.LocalAddr().(*net.UDPAddr).Port)
	tap.expect("10.0.0.1", port) // what goes to an inner address is seen
	w := lonely(t, notice.Rules{AllowHTTP: true, Ports: []uint16{443, uint16(port)}})
	w.options.Lookup = dns.lookup
	for _, inner := range []string{"10.0.0.1", "127.0.0.1", "169.254.169.254", "fd00:ec2::254"} {
		public.Store(0)
		w.rebind(dns, port, netip.MustParseAddr(publicInside), netip.MustParseAddr(inner), func() (int64, int64) { return public.Load(), others.Load() })
	}
	dns.lead(netip.MustParseAddr("127.0.0.1"))
	w.refuseURLs(port)
	w.refuseAddresses(dns, port)
	tap.expect("192.168.1.1", port) // everything before this was seen as well
	if public.Load() == 0 || others.Load() != 0 {
		t.Errorf("%d requests reached the public address, %d others", public.Load(), others.Load())
	}
	t.Logf("packets seen: %v", tap.all())
	for to, count := range tap.all() {
		if a := netip.MustParseAddr(to); to != publicInside && !(notice.Rules{}).CheckAddress(a) {
			t.Errorf("%d packets went to %s", count, to)
		}
	}
}

// wiretap counts the packets on the loopback by where they go, those of DNS apart.
type wiretap struct {
	t    *testing.T
	dns  uint16
	mu   sync.Mutex
	seen map[string]int
	hit  chan string // addresses as they are seen
}

func newWiretap(t *testing.T, dns int) *wiretap {
	t.Helper()
	const every = 0x0300 // ETH_P_ALL in the order of the network
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, every)
	if err != nil {
		t.Fatalf("listen to the loopback: %v", err)
	}
	tap := &wiretap{t: t, dns: uint16(dns), seen: map[string]int{}, hit: make(chan string, 1<<16)}
	go func() {
		packet := make([]byte, 1<<16)
		for {
			n, _, err := syscall.Recvfrom(fd, packet, 0)
			if err == syscall.EINTR {
				continue
			}
			if err != nil {
				return
			}
			tap.note(packet[:n])
		}
	}()
	return tap
}

const etherHead = 14

// note counts TCP and UDP packets. An answer of an inner address to a public one counts too: nobody should have asked it.
func (tap *wiretap) note(frame []byte) {
	var to netip.Addr
	var rest []byte
	switch {
	case len(frame) > etherHead+40 && frame[etherHead]>>4 == 6:
		to, rest = netip.AddrFrom16([16]byte(frame[etherHead+24:etherHead+40])), frame[etherHead+40:]
	case len(frame) > etherHead+20 && frame[etherHead]>>4 == 4:
		to, rest = netip.AddrFrom4([4]byte(frame[etherHead+16:etherHead+20])), frame[etherHead+int(frame[etherHead]&15)*4:]
	default:
		return
	}
	if len(rest) >= 4 && (binary.BigEndian.Uint16(rest) == tap.dns || binary.BigEndian.Uint16(rest[2:]) == tap.dns) {
		return
	}
	tap.mu.Lock()
	tap.seen[to.String()]++
	tap.mu.Unlock()
	tap.hit <- to.String()
}

// expect sends a datagram to an address, waits until it was seen, and forgets it.
func (tap *wiretap) expect(address string, port int) {
	tap.t.Helper()
	conn, err := net.Dial("udp", net.JoinHostPort(address, fmt.Sprint(port)))
	if err != nil {
		tap.t.Fatal(err)
	}
	defer conn.Close()
	before := tap.all()[address]
	if _, err := conn.Write([]byte("seen?")); err != nil {
		tap.t.Fatal(err)
	}
	late := time.After(10 * time.Second)
	for tap.all()[address] == before {
		select {
		case <-tap.hit:
		case <-late:
			tap.t.Fatalf("a packet to %s was not seen", address)
		}
	}
	tap.mu.Lock()
	defer tap.mu.Unlock()
	for _, a := range []string{address, conn.LocalAddr().(*net.UDPAddr).IP.String()} { // it may be refused by an ICMP packet
		delete(tap.seen, a)
	}
}

func (tap *wiretap) all() map[string]int {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	copied := map[string]int{}
	for a, n := range tap.seen {
		copied[a] = n
	}
	return copied
}

// raiseLoopback brings up the interface with which every network begins, and nothing else.
func raiseLoopback(t *testing.T) {
	t.Helper()
	link := make([]byte, 16)
	binary.NativeEndian.PutUint32(link[4:], 1) // its index
	binary.NativeEndian.PutUint32(link[8:], syscall.IFF_UP)
	binary.NativeEndian.PutUint32(link[12:], syscall.IFF_UP)
	tellKernel(t, syscall.RTM_NEWLINK, link)
}

func addAddress(t *testing.T, a netip.Addr) {
	t.Helper()
	family, flags := byte(syscall.AF_INET), byte(0)
	if a.Is6() {
		family, flags = syscall.AF_INET6, 0x02 // IFA_F_NODAD: usable at once
	}
	message := []byte{family, byte(a.BitLen()), flags, 0, 1, 0, 0, 0}
	binary.NativeEndian.PutUint32(message[4:], 1)
	for _, kind := range []uint16{syscall.IFA_LOCAL, syscall.IFA_ADDRESS} {
		message = binary.NativeEndian.AppendUint16(message, uint16(4+a.BitLen()/8))
		message = append(binary.NativeEndian.AppendUint16(message, kind), a.AsSlice()...)
	}
	tellKernel(t, syscall.RTM_NEWADDR, message)
}

// tellKernel sends one request of rtnetlink and expects its acknowledgement.
func tellKernel(t *testing.T, kind uint16, body []byte) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, syscall.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	head := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
	head = binary.NativeEndian.AppendUint16(head, kind)
	head = binary.NativeEndian.AppendUint16(head, syscall.NLM_F_REQUEST|syscall.NLM_F_ACK|syscall.NLM_F_CREATE)
	head = append(head, 1, 0, 0, 0, 0, 0, 0, 0)
	if err := syscall.Sendto(fd, append(head, body...), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(fd, answer, 0)
	if err != nil || n < 20 {
		t.Fatalf("%d bytes: %v", n, err)
	}
	if code := int32(binary.NativeEndian.Uint32(answer[16:])); code != 0 {
		t.Fatalf("the kernel refuses request %d: %v", kind, syscall.Errno(-code))
	}
}
