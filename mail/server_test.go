package mail

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// taken is a message as a server took it.
type taken struct {
	from, data string
	to         []string
	login      string
	secure     bool
}

// server takes mail on loopback.
type server struct {
	listener net.Listener
	tls      *tls.Config
	roots    *x509.CertPool
	direct   bool              // TLS from the first byte
	plain    bool              // offers no STARTTLS
	answers  map[string]string // instead of the usual answer to a command, such as "RCPT"
	running  sync.WaitGroup

	mu    sync.Mutex
	taken []taken
}

func startServer(t *testing.T, s *server) *server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	s.roots = x509.NewCertPool()
	s.roots.AddCert(certificate)
	s.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.running.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() { s.talk(conn) })
		}
	})
	t.Cleanup(func() {
		s.listener.Close() //nolint:errcheck // it ends either way
		s.running.Wait()
	})
	return s
}

func (s *server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

func (s *server) messages() []taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

func (s *server) talk(conn net.Conn) {
	defer func() { conn.Close() }() //nolint:errcheck // the other side has closed already
	m := taken{}
	if s.direct {
		conn, m.secure = tls.Server(conn, s.tls), true
	}
	lines := bufio.NewReader(conn)
	say := func(text string) { conn.Write([]byte(text + "\r\n")) } //nolint:errcheck // the client reads what it can
	say("220 test")
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		word, rest, _ := strings.Cut(line, " ")
		word = strings.ToUpper(word)
		if answer := s.answers[word]; answer != "" {
			say(answer)
			continue
		}
		switch word {
		case "EHLO":
			if !s.plain && !m.secure {
				say("250-test\r\n250 STARTTLS")
			} else {
				say("250-test\r\n250-SMTPUTF8\r\n250 AUTH PLAIN")
			}
		case "STARTTLS":
			say("220 go")
			conn, m.secure = tls.Server(conn, s.tls), true
			lines = bufio.NewReader(conn)
		case "AUTH":
			secret, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			m.login = strings.ReplaceAll(string(secret), "\x00", "/")
			say("235 ok")
		case "MAIL":
			m.from = rest
			say("250 ok")
		case "RCPT":
			m.to = append(m.to, rest)
			say("250 ok")
		case "DATA":
			say("354 go")
			for m.data = ""; ; m.data += line {
				if line, err = lines.ReadString('\n'); err != nil {
					return // half a message is none
				}
				if line == ".\r\n" {
					break
				}
			}
			s.mu.Lock()
			s.taken = append(s.taken, m)
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}
