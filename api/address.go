package api

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
)

type requestKey struct{}

// requestID is the id of the request a context belongs to.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

func withRequestID(r *http.Request, id string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
}

// headerRequestID is X-Request-ID as net/http keeps it.
const headerRequestID = "X-Request-Id"

// clientRequestID is the id a client gave, "" if there is none that can be used.
func clientRequestID(r *http.Request) string {
	if given := r.Header[headerRequestID]; len(given) > 0 && validRequestID(given[0]) {
		return given[0]
	}
	return ""
}

// requestIDs makes ids that no other process makes and that sort by their order here.
type requestIDs struct {
	process string
	last    *atomic.Uint64
}

func newRequestIDs() requestIDs {
	return requestIDs{strings.ToLower(rand.Text()[:13]) + "-", new(atomic.Uint64)}
}

func (i requestIDs) next() string {
	id := make([]byte, 0, 32)
	id = append(id, i.process...)
	return string(strconv.AppendUint(id, i.last.Add(1)|1<<40, 36)) // the high bit gives all ids one length
}

// validRequestID tells whether a client's own id can be used: 1 to 128 of [A-Za-z0-9._-].
func validRequestID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// clientAddress is who limits count: the connection's address, or behind trusted proxies the last address in
// X-Forwarded-For that is not one of them. An IPv6 client counts by its /64, which one customer owns whole.
func (s *Server) clientAddress(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(address); i-- {
		hop, err := hopAddress(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop.Unmap()
	}
	if address.Is6() {
		if block, err := address.WithZone("").Prefix(64); err == nil {
			return block.String()
		}
	}
	return address.String()
}

// hopAddress reads an address; App Service and others write the port behind it.
func hopAddress(text string) (netip.Addr, error) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr(), nil
	}
	return netip.ParseAddr(text)
}

func (s *Server) trusts(address netip.Addr) bool {
	for _, proxy := range s.TrustedProxies {
		if proxy.Contains(address) {
			return true
		}
	}
	return false
}
