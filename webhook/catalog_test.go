package webhook_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"xyra"
	"xyra/notice"
	"xyra/store"
)

// inwardURLs lead inwards, or nowhere good. Those with a name that DNS leads inwards can be saved: text does not tell. %d is
// where a trap listens.
var inwardURLs = []struct {
	url   string
	saved bool
}{
	{"https://127.0.0.1:%d/", false}, {"https://localhost:%d/", false}, {"https://LOCALHOST.:%d/", false}, {"https://0.0.0.0:%d/", false},
	{"https://[::1]:%d/", false}, {"https://[::ffff:127.0.0.1]:%d/", false}, {"https://[64:ff9b::7f00:1]:%d/", false}, {"https://127.1:%d/", false},
	{"https://2130706433:%d/", false}, {"https://0x7f000001:%d/", false}, {"https://0177.0.0.1:%d/", false}, {"https://169.254.169.254:%d/latest/meta-data/", false},
	{"https://metadata.google.internal:%d/", false}, {"https://10.0.0.1:%d/", false}, {"https://192.168.1.1:%d/", false}, {"https://user:secret@hooks.example.com:%d/", false},
	{"https://hooks.example.com@127.0.0.1:%d/", false}, {`https://hooks.example.com:%d\@127.0.0.1/`, false}, {"https://hooks.example.com:%d#@127.0.0.1/", false},
	{"ftp://hooks.example.com:%d/", false}, {"file://127.0.0.1:%d/etc/passwd", false}, {"gopher://hooks.example.com:%d/_x", false}, {"https://hooks.example.com:22/?%d", false},
	{"https://127.0.0.1.nip.example.com:%d/", true}, {"https://inner.example.com:%d/", true}, {"https://hooks.example.com.:%d/", true},
}

// inwardAddresses are forms in which DNS may lead a name inwards.
var inwardAddresses = strings.Fields(`127.0.0.1 127.0.0.2 127.1.2.3 127.255.255.254 0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.0 10.0.0.1 10.255.255.255
	100.64.0.1 100.100.100.200 100.127.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.20.3.4 172.31.255.255
	192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9
	224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:0:127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
	::ffff:169.254.169.254 ::ffff:192.168.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::a00:1 64:ff9b:1::7f00:1 100::1 2001::1 2001:0:4136:e378:: 2001:db8::1
	2002:7f00:1:: 2002:a9fe:a9fe:: 2620:4f:8000::1 3fff::1 4000::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1`)

// saveAsIs writes an address that the rules would refuse, as an older version or a hand in the database might have left it.
func (w *world) saveAsIs(address string) xyra.WebhookEndpoint {
	w.t.Helper()
	e, _ := w.endpoint("https://hooks.example.com/")
	e.URL = address
	w.tx(func(ctx context.Context, tx *store.Tx) error { return tx.UpdateWebhookEndpoint(ctx, e) })
	return e
}

// send announces one message, sends what is due, and returns what the customer reads of it.
func (w *world) send(e xyra.WebhookEndpoint) (fault string, status int) {
	w.t.Helper()
	w.announce()
	w.run(w.runner())
	list := w.deliveries(e)
	d := list[len(list)-1]
	if d.LastStatus != nil {
		status = *d.LastStatus
	}
	if d.LastError != nil {
		fault = *d.LastError
	}
	w.tx(func(ctx context.Context, tx *store.Tx) error { return notice.DeleteEndpoint(ctx, tx, root, e.ID) })
	return fault, status
}

// refuseURLs holds the catalogue against both stages: the text at the save, and what is dialled.
func (w *world) refuseURLs(port int) {
	w.t.Helper()
	if len(inwardURLs) != 26 {
		w.t.Fatalf("%d URLs", len(inwardURLs))
	}
	for _, c := range inwardURLs {
		address := fmt.Sprintf(c.url, port)
		if err := w.desk.CheckURL(address); (err == nil) != c.saved {
			w.t.Errorf("%s at the save: %v", address, err)
		}
		if fault, status := w.send(w.saveAsIs(address)); fault != "the address is not allowed" || status != 0 {
			w.t.Errorf("%s at the dial: %d %q", address, status, fault)
		}
	}
}

// refuseAddresses has DNS lead a name to each form.
func (w *world) refuseAddresses(dns *nameServer, port int) {
	w.t.Helper()
	if len(inwardAddresses) != 60 {
		w.t.Fatalf("%d addresses", len(inwardAddresses))
	}
	for _, text := range inwardAddresses {
		dns.lead(netip.MustParseAddr(text))
		e, _ := w.endpoint(fmt.Sprintf("https://hooks.example.com:%d/", port))
		if fault, status := w.send(e); fault != "the address is not allowed" || status != 0 {
			w.t.Errorf("a name that leads to %s: %d %q", text, status, fault)
		}
	}
}

// trap listens on this machine and fails the test if anybody comes.
func trap(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Errorf("%s was dialled", conn.LocalAddr())
			conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// Neither a text nor a name leads inwards, whether it is to be saved or was saved.
func TestDeliver_CatalogueLeadsNowhere(t *testing.T) {
	port, dns := trap(t), newNameServer(t)
	w := lonely(t, notice.Rules{Ports: []uint16{443, uint16(port)}})
	w.options.Lookup = dns.lookup
	dns.lead(netip.MustParseAddr("127.0.0.1"))
	w.refuseURLs(port)
	w.refuseAddresses(dns, port)
}
