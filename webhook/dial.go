package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"xyra/notice"
)

const (
	attemptTimeout = 10 * time.Second
	dialTimeout    = 4 * time.Second // of one address: a second one gets its turn
	addressesMax   = 4               // tried of a name
	answerHeadMax  = 16 << 10
)

// errNotAllowed is that an address, or what its name leads to, must not be dialled.
var errNotAllowed = errors.New("the address is not a public one")

// errUnresolved is that a name leads nowhere.
var errUnresolved = errors.New("the name could not be resolved")

// dialer connects to addresses that the rules allow. It alone resolves names, so that what is checked is what is dialled.
type dialer struct {
	rules  notice.Rules
	lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	net    net.Dialer
}

func newDialer(rules notice.Rules, lookup func(context.Context, string) ([]netip.Addr, error)) *dialer {
	if lookup == nil {
		lookup = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
	}
	d := &dialer{rules: rules, lookup: lookup, net: net.Dialer{Timeout: dialTimeout}}
	d.net.Control = d.control
	return d
}

// control looks once more at what the system is about to connect to.
func (d *dialer) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !d.rules.AllowsPort(to.Port()) || !d.rules.CheckAddress(to.Addr()) {
		return errNotAllowed
	}
	return nil
}

// dial resolves a name and connects to the first of its addresses that answers. If one of them is not allowed, none is
// tried: such a name does not mean well.
func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	addresses := []netip.Addr{}
	if literal, err := netip.ParseAddr(host); err == nil {
		addresses = append(addresses, literal)
	} else if addresses, err = d.lookup(ctx, host); err != nil || len(addresses) == 0 {
		return nil, fmt.Errorf("%w: %s: %w", errUnresolved, host, errors.Join(err))
	}
	for _, a := range addresses {
		if !d.rules.CheckAddress(a) {
			return nil, errNotAllowed
		}
	}
	var faults []error
	for _, a := range addresses[:min(len(addresses), addressesMax)] {
		conn, err := d.net.DialContext(ctx, "tcp", netip.AddrPortFrom(a.Unmap(), uint16(port)).String())
		if err == nil {
			return conn, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

// newClient makes a client that keeps no connection, follows nothing and decodes nothing.
func newClient(d *dialer, roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: &http.Transport{
			Proxy: nil, DialContext: d.dial, DisableKeepAlives: true, DisableCompression: true,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			MaxResponseHeaderBytes: answerHeadMax,
		},
	}
}
