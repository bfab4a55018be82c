package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// certificateLookEvery is how often the files of a certificate are looked at for a new one, at most.
const certificateLookEvery = 10 * time.Second

// keptCertificate is the certificate of two files, read again when one of them has changed. While new files do not fit
// together, the old certificate serves on.
type keptCertificate struct {
	certFile, keyFile string

	mu       sync.Mutex
	current  *tls.Certificate
	modified [2]time.Time
	lookedAt time.Time
}

// certificate reads TLS_CERT_FILE and TLS_KEY_FILE; nil means plain HTTP.
func (s listenSettings) certificate() (*keptCertificate, error) {
	if s.TLSCert == "" && s.TLSKey == "" {
		return nil, nil
	}
	if s.TLSCert == "" || s.TLSKey == "" {
		return nil, errors.New("TLS_CERT_FILE and TLS_KEY_FILE go together: set both, or none for plain HTTP")
	}
	c := &keptCertificate{certFile: s.TLSCert, keyFile: s.TLSKey}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("TLS_CERT_FILE=%q and TLS_KEY_FILE=%q cannot be used: %w", s.TLSCert, s.TLSKey, err)
	}
	return c, nil
}

func (c *keptCertificate) read() error {
	var modified [2]time.Time
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		modified[i] = info.ModTime()
	}
	if c.current != nil && modified == c.modified {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err == nil {
		c.current, c.modified = &pair, modified
	}
	return err
}

// forHello implements tls.Config.GetCertificate.
func (c *keptCertificate) forHello(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.lookedAt) > certificateLookEvery {
		c.lookedAt = now
		_ = c.read() // half-written files: the old certificate serves until they fit
	}
	return c.current, nil
}

// config is for the listener.
func (c *keptCertificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.forHello, NextProtos: []string{"h2", "http/1.1"}}
}

// localClient trusts exactly the certificate of the settings, whatever name it has: it talks to this machine.
func (s listenSettings) localClient() (*http.Client, error) {
	kept, err := s.certificate()
	if err != nil || kept == nil {
		return http.DefaultClient, err
	}
	leaf := kept.current.Leaf
	same := func(state tls.ConnectionState) error {
		if !state.PeerCertificates[0].Equal(leaf) {
			return x509.UnknownAuthorityError{Cert: state.PeerCertificates[0]}
		}
		return nil
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: same}}}, nil
}
