package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const listenDefault = "127.0.0.1:8000"

// address is where to listen: XYRA_ADDR, else PORT on all addresses, else this machine alone.
func (s listenSettings) address() (string, error) {
	switch {
	case s.Address != "":
		_, port, err := net.SplitHostPort(s.Address)
		if err != nil || !isPort(port) {
			return "", badValue("XYRA_ADDR", s.Address, "write an address and a port, for example "+listenDefault)
		}
		return s.Address, nil
	case s.Port < 0 || s.Port > 65535:
		return "", badValue("PORT", strconv.Itoa(s.Port), "a port is a number from 1 to 65535")
	case s.Port > 0:
		return ":" + strconv.Itoa(s.Port), nil
	}
	return listenDefault, nil
}

// valid checks what is not an address.
func (s listenSettings) valid() error {
	for name, span := range map[string]time.Duration{"XYRA_DRAIN_TIMEOUT": s.DrainTimeout, "XYRA_HEADER_TIMEOUT": s.HeaderTimeout,
		"XYRA_READ_TIMEOUT": s.ReadTimeout, "XYRA_WRITE_TIMEOUT": s.WriteTimeout, "XYRA_IDLE_TIMEOUT": s.IdleTimeout} {
		if span <= 0 {
			return badValue(name, span.String(), "write a span such as 30s")
		}
	}
	if s.ConnsMax < 1 {
		return badValue("XYRA_CONNS_MAX", strconv.Itoa(s.ConnsMax), "write how many connections may be open at once, such as 10000")
	}
	if s.DrainDelay < 0 {
		return badValue("XYRA_DRAIN_DELAY", s.DrainDelay.String(), "write a span such as 10s, or 0s")
	}
	_, err := s.certificate()
	return err
}

// filesKept is how many open files a server needs beside its clients' connections: databases, telemetry, webhooks.
const filesKept = 256

// room is how many connections may be open: XYRA_CONNS_MAX, or what the system allows.
func (s listenSettings) room(log *slog.Logger) int {
	files, known := filesMax()
	if !known || files >= uint64(s.ConnsMax)+filesKept {
		return s.ConnsMax
	}
	most := max(int(files)-filesKept, int(files)/2)
	log.Warn("the system lets this process open fewer files than XYRA_CONNS_MAX needs", "files", files, "conns_max", s.ConnsMax, "used", most)
	return most
}

// rate is RATE_LIMIT: so many requests in each span; 0 is no limit.
func (s listenSettings) rate() (requests int, each time.Duration, err error) {
	if s.RateLimit == "" {
		return 0, 0, nil
	}
	count, unit, _ := strings.Cut(s.RateLimit, "/")
	each = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	requests, err = strconv.Atoi(count)
	if err != nil || requests < 1 || each == 0 {
		return 0, 0, badValue("RATE_LIMIT", s.RateLimit, "write requests in each second, minute or hour, such as 100/s, 6000/m or 100000/h")
	}
	return requests, each, nil
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// proxies are the networks in TRUSTED_PROXIES; a single address is a network of one.
func (s listenSettings) proxies() ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range splitList(s.TrustedProxies) {
		network, err := netip.ParsePrefix(text)
		if alone, isAddress := netip.ParseAddr(text); isAddress == nil {
			network, err = alone.Prefix(alone.BitLen())
		}
		if err != nil {
			return nil, badValue("TRUSTED_PROXIES", text, "write networks such as 10.0.0.0/8, with commas between them")
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

// origins are those in CORS_ORIGINS, in either way of writing lists.
func (s apiSettings) origins() ([]string, error) {
	list := splitList(s.Origins)
	if strings.HasPrefix(strings.TrimSpace(s.Origins), "[") {
		list = nil
		if err := json.Unmarshal([]byte(s.Origins), &list); err != nil {
			return nil, badValue("CORS_ORIGINS", s.Origins, `write a JSON list of texts such as ["https://console.example.com"]`)
		}
	}
	for i, origin := range list {
		list[i] = strings.TrimSuffix(origin, "/")
		u, err := url.Parse(list[i])
		if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, badValue("CORS_ORIGINS", origin, "an origin is scheme, host and port, such as https://console.example.com; every origin must be named")
		}
	}
	return list, nil
}

// prefix is API_V1_STR without a slash at its end.
func (s apiSettings) prefix() (string, error) {
	prefix := strings.TrimSuffix(s.Prefix, "/")
	if !strings.HasPrefix(prefix, "/") || strings.ContainsAny(prefix, "{}*?# ") || strings.Contains(s.Prefix, "//") {
		return "", badValue("API_V1_STR", s.Prefix, "write a path such as /api/v1")
	}
	return prefix, nil
}

func splitList(text string) (list []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// listen opens the port. What stands in the way is a fault with a remedy.
func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is already taken by another process: end that one or choose another address in XYRA_ADDR", address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listening on %s is not allowed: choose a port above 1023 in XYRA_ADDR or PORT", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is not an address of this machine: correct XYRA_ADDR", address)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be listened on: %w; correct XYRA_ADDR", address, err)
	}
	return listener, nil
}

// isLoopback tells whether only this machine reaches a listener.
func isLoopback(at net.Addr) bool {
	tcp, ok := at.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// localURL is how a program on this machine reaches the address.
func localURL(address string) string { return "http://" + localAddress(address) }

func localAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// url is localURL with the settings' scheme.
func (s listenSettings) url(address string) string {
	if s.TLSCert != "" {
		return "https://" + localAddress(address)
	}
	return localURL(address)
}

// isLocal tells whether only this machine would reach an address of the settings.
func isLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}
