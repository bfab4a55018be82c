package api

import (
	"bufio"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// letter is a message as the mailbox took it.
type letter struct {
	to   []string
	data string
}

// mailbox takes mail on loopback.
type mailbox struct {
	listener net.Listener
	mu       sync.Mutex
	letters  []letter
}

func openMailbox(t *testing.T) *mailbox {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mailbox{listener: listener}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { m.talk(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close() //nolint:errcheck // it ends either way
		running.Wait()
	})
	return m
}

func (m *mailbox) port() int { return m.listener.Addr().(*net.TCPAddr).Port }

func (m *mailbox) taken() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.letters)
}

func (m *mailbox) talk(conn net.Conn) {
	defer conn.Close()                                             //nolint:errcheck // the other side has closed already
	say := func(text string) { conn.Write([]byte(text + "\r\n")) } //nolint:errcheck // the client reads what it can
	lines, l := bufio.NewReader(conn), letter{}
	say("220 test")
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		word, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch strings.ToUpper(word) {
		case "RCPT":
			l.to = append(l.to, rest)
			say("250 ok")
		case "DATA":
			say("354 go")
			for l.data = ""; ; l.data += line {
				if line, err = lines.ReadString('\n'); err != nil || line == ".\r\n" {
					break
				}
			}
			m.mu.Lock()
			m.letters = append(m.letters, l)
			m.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}
