package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// dripped opens a connection, sends what it is told and then a byte now and then, and returns when the server ends it.
func dripped(ctx context.Context, address, begin string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, begin); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, c) //nolint:errcheck // it ends with the connection
		close(ended)
	}()
	drip := time.NewTicker(20 * time.Millisecond)
	defer drip.Stop()
	for {
		select {
		case <-ended:
			return nil
		case <-drip.C:
			io.WriteString(c, "a") //nolint:errcheck // the server may have ended it just now
		case <-ctx.Done():
			return errors.New("the server lets it go on")
		}
	}
}

// Clients that send their head or body a byte at a time, or nothing at all, are cut off, and honest ones do not notice.
func TestServe_SlowClientsAreCutOff(t *testing.T) {
	s := startServer(t, "XYRA_DATA_DIR="+t.TempDir(), "FIRST_SUPERUSER_PASSWORD="+testPassword, "LOG_LEVEL=warn", "METRICS_ADDR=127.0.0.1:0",
		"XYRA_HEADER_TIMEOUT=400ms", "XYRA_READ_TIMEOUT=600ms", "XYRA_WRITE_TIMEOUT=1500ms", "XYRA_IDLE_TIMEOUT=500ms")
	address := strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/api/v1")
	client := s.login()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var slow sync.WaitGroup
	for name, begin := range map[string]string{
		"nothing": "", "head": "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"body":    "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
		"chunked": "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + client.credential + "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n{",
		"idle":    "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		for range 40 {
			slow.Go(func() {
				if err := dripped(ctx, address, begin); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	for range 20 {
		started := time.Now()
		if err := client.read(ctx, "/auth/me", nil); err != nil {
			t.Errorf("an honest client: %v", err)
		}
		if took := time.Since(started); took > 2*time.Second {
			t.Errorf("an honest client waits %s", took)
		}
	}
	slow.Wait()
	goroutines := func() (count int) {
		_, after, _ := strings.Cut(s.scraped(), "\ngo_goroutines ")
		fmt.Sscan(after, &count) //nolint:errcheck // 0 then, which the test does not take
		return count
	}
	for goroutines() > 60 {
		if ctx.Err() != nil {
			t.Fatalf("%d goroutines are left", goroutines())
		}
	}
}

// A client that does not read its answer is cut off.
func TestServe_SlowReaderIsCutOff(t *testing.T) {
	s := startServer(t, "XYRA_DATA_DIR="+t.TempDir(), "LOG_LEVEL=warn", "XYRA_WRITE_TIMEOUT=500ms")
	address := strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/api/v1")
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// Answers of megabytes pile up until the server can write no more; what is sent afterwards finds the connection ended.
	request := "GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
	if _, err := io.WriteString(c, strings.Repeat(request, 40)); err != nil {
		t.Fatal(err)
	}
	drip := time.NewTicker(20 * time.Millisecond)
	defer drip.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		select {
		case <-drip.C:
			if _, err := io.WriteString(c, "\r\n"); err != nil {
				return
			}
		case <-ctx.Done():
			t.Fatal("the server holds a reader who does not read")
		}
	}
}

// newCertificate writes a self-signed certificate for a name to two files.
func newCertificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: raw}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// With a certificate the server speaks TLS alone, HTTP/2 included, and healthcheck finds it.
func TestServe_SpeaksTLSByFile(t *testing.T) {
	cert, key := newCertificate(t, t.TempDir(), "xyra.example")
	env := []string{"XYRA_DATA_DIR=" + t.TempDir(), "TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key}
	s := startServer(t, env...)
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatalf("the banner says %s", s.url)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(s.url, "https://"), "/api/v1")
	roots := x509.NewCertPool()
	chain, err := os.ReadFile(cert)
	if err != nil || !roots.AppendCertsFromPEM(chain) {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "xyra.example"}}}
	answer, err := client.Get("https://" + address + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.ProtoMajor != 2 || answer.StatusCode != http.StatusOK || answer.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %s %v", answer.Proto, answer.Status, answer.Header)
	}
	plain, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	fmt.Fprintf(plain, "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
	if line, err := bufio.NewReader(plain).ReadString('\n'); err == nil && !strings.Contains(line, "400") {
		t.Errorf("plain HTTP is answered %q", line)
	}
	if code, out, complaint := ended(t, command(t, append(env, "XYRA_ADDR="+address), "healthcheck")); code != 0 {
		t.Errorf("healthcheck ends with %d: %s%s", code, out, complaint)
	}
	for _, broken := range [][]string{{"TLS_CERT_FILE=" + cert}, {"TLS_CERT_FILE=" + key, "TLS_KEY_FILE=" + cert}, {"TLS_CERT_FILE=/nowhere", "TLS_KEY_FILE=" + key}} {
		if code, _, complaint := ended(t, command(t, append(broken, "XYRA_DATA_DIR="+t.TempDir()))); code != 1 || !strings.Contains(complaint, "TLS_CERT_FILE") {
			t.Errorf("%v ends with %d: %s", broken, code, complaint)
		}
	}
}
