package notice

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"xyra"
)

// Rules say where notices may be sent. The zero value allows https on port 443 of public addresses alone.
type Rules struct {
	AllowHTTP bool           // for development and tests: anybody on the way reads and forges plain http
	Private   []netip.Prefix // networks that are allowed though they are not public
	Ports     []uint16       // nil: 443, and 80 with AllowHTTP
}

// textURL begins every refusal of an address.
const textURL = "Webhook URL is not allowed: "

// CheckURL refuses what notices must not be sent to, as far as the text tells. It is no proof of where a name leads:
// CheckAddress is, at every dial.
func (r Rules) CheckURL(text string) error {
	refuse := func(why string) error { return xyra.Unprocessable("url", textURL+why) }
	if len(text) > xyra.WebhookURLMax {
		return refuse("it is too long")
	}
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || c == '\\' {
			return refuse("it holds a space, a backslash or a character that is not ASCII; write names of other scripts in their xn-- form")
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return refuse("it is not of the form https://host/path")
	}
	switch {
	case u.Scheme != "https" && !(u.Scheme == "http" && r.AllowHTTP):
		return refuse("only https is")
	case u.User != nil:
		return refuse("it holds a user name or password")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return refuse("it holds a fragment")
	}
	if _, allowed := r.port(u); !allowed {
		return refuse("its port is not among those allowed")
	}
	if why := r.checkHost(u.Hostname(), strings.HasPrefix(u.Host, "[")); why != "" {
		return refuse(why)
	}
	return nil
}

func (r Rules) port(u *url.URL) (port uint16, allowed bool) {
	text := u.Port()
	if text == "" {
		if strings.HasSuffix(u.Host, ":") {
			return 0, false
		}
		text = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	number, err := strconv.ParseUint(text, 10, 16)
	return uint16(number), err == nil && r.AllowsPort(uint16(number))
}

// AllowsPort tells whether a port may be dialled.
func (r Rules) AllowsPort(port uint16) bool {
	if r.Ports == nil {
		return port == 443 || r.AllowHTTP && port == 80
	}
	return slices.Contains(r.Ports, port)
}

// checkHost says why a host is not allowed. There is one spelling of an address: every other form that some resolver
// would read as one (2130706433, 0x7f.1, 127.1, 0177.0.0.1) is no name either, and is refused.
func (r Rules) checkHost(host string, bracketed bool) (why string) {
	address, err := netip.ParseAddr(host)
	if bracketed || err == nil {
		if err != nil || bracketed != address.Is6() || address.Zone() != "" || !r.CheckAddress(address) {
			return "its address is not a public one"
		}
		return ""
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	labels := strings.Split(name, ".")
	last := labels[len(labels)-1]
	switch {
	case len(name) > 253 || slices.ContainsFunc(labels, isNoLabel):
		return "its host is not a domain name"
	case last[0] >= '0' && last[0] <= '9':
		return "its address is not written in the usual form"
	case r.Private != nil:
		return "" // names of inner networks are meant then
	case len(labels) < 2 || slices.Contains(innerDomains, last) || strings.HasSuffix(name, ".home.arpa"):
		return "its host is a name of an inner network"
	}
	return ""
}

// innerDomains are top-level names that public DNS does not have and inner networks do.
var innerDomains = []string{"localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan", "test", "invalid",
	"example", "onion", "alt", "svc", "cluster"}

func isNoLabel(label string) bool {
	isOther := func(c rune) bool {
		return c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
	}
	return label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, isOther)
}

// closed are the special-purpose networks of the registries of IANA that lie within what is otherwise public, and one that
// a cloud answers on.
var closed = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32", // Azure's wire server
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")

var (
	global6 = netip.MustParsePrefix("2000::/3") // all other IPv6 is special or unassigned
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// CheckAddress tells whether an address may be dialled: a public one, or one of the private networks allowed. Forms that
// carry an IPv4 address inside count as what they carry, or are refused.
func (r Rules) CheckAddress(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	contains := func(p netip.Prefix) bool { return p.Contains(a) }
	if slices.ContainsFunc(r.Private, contains) {
		return true
	}
	if nat64.Contains(a) {
		text := a.As16()
		return r.CheckAddress(netip.AddrFrom4([4]byte(text[12:])))
	}
	return a.IsValid() && (a.Is4() || global6.Contains(a)) && !slices.ContainsFunc(closed, contains)
}
