package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"xyra"
)

// Security says how the connection to the server is protected.
type Security string

// The ways. StartTLS refuses a server that does not offer it.
const (
	StartTLS Security = "starttls"
	TLS      Security = "tls"
	Plain    Security = "none"
)

// Options say which server takes the messages. User "" does not log in.
type Options struct {
	Host           string
	Port           int
	User, Password string
	From           string // an address, or a name and an address: "Billing <billing@example.com>"
	Security       Security
	Roots          *x509.CertPool // nil: the system's
	Now            func() time.Time
}

// Sender hands messages to a server, one connection each.
type Sender struct {
	Options
	from *netmail.Address
}

// Message is what is sent. ID is the part of the Message-ID before the @: the same for every attempt.
type Message struct {
	ID, To, Subject, Text string
	FileName              string
	PDF                   []byte
}

// sendTimeout bounds each step of talking to the server.
const sendTimeout = 30 * time.Second

// New checks the options; it does not connect.
func New(o Options) (*Sender, error) {
	from, err := netmail.ParseAddress(o.From)
	if err != nil {
		return nil, fmt.Errorf("the sender %q is no address: %w", o.From, err)
	}
	if o.Security != StartTLS && o.Security != TLS && o.Security != Plain {
		return nil, fmt.Errorf("the security %q is none of starttls, tls and none", o.Security)
	}
	s := &Sender{Options: o, from: from}
	if _, err := s.client(s.dial); err != nil {
		return nil, fmt.Errorf("the mail server %s: %w", o.Host, err)
	}
	return s, nil
}

// client talks to the server over connections that dial makes.
func (s *Sender) client(dial mail.DialContextFunc) (*mail.Client, error) {
	options := []mail.Option{mail.WithPort(s.Port), mail.WithTimeout(sendTimeout), mail.WithDialContextFunc(dial), mail.WithTLSConfig(s.tls())}
	switch s.Security {
	case TLS:
		options = append(options, mail.WithSSL())
	case StartTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case Plain:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if s.User != "" {
		mechanism := mail.SMTPAuthAutoDiscover
		if s.Security == TLS {
			mechanism = mail.SMTPAuthPlain // the library does not see that what dial returns is protected
		}
		options = append(options, mail.WithSMTPAuth(mechanism), mail.WithUsername(s.User), mail.WithPassword(s.Password))
	}
	return mail.NewClient(s.Host, options...)
}

func (s *Sender) tls() *tls.Config {
	return &tls.Config{ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
}

func (s *Sender) dial(ctx context.Context, network, address string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: sendTimeout}
	if s.Security == TLS {
		return (&tls.Dialer{NetDialer: plain, Config: s.tls()}).DialContext(ctx, network, address)
	}
	return plain.DialContext(ctx, network, address)
}

// Send returns when the server has taken the message. What no further attempt would change is a final error: an address
// that is none, and a recipient or message that the server refuses for good.
func (s *Sender) Send(ctx context.Context, m Message) error {
	to, err := netmail.ParseAddress(m.To)
	if err != nil || to.Address != m.To {
		return xyra.Final(fmt.Errorf("send %s: %q is no e-mail address", m.ID, m.To))
	}
	_, domain, _ := strings.Cut(s.from.Address, "@")
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	message.FromMailAddress(s.from)
	message.ToMailAddress(to)
	message.Subject(line(m.Subject))
	message.SetDateWithValue(s.Now())
	message.SetMessageIDWithValue(m.ID + "@" + domain)
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(mail.TypeTextPlain, m.Text)
	if err := message.AttachReader(m.FileName, bytes.NewReader(m.PDF), mail.WithFileContentType("application/pdf")); err != nil {
		return fmt.Errorf("send %s: attach %s: %w", m.ID, m.FileName, err)
	}
	// The library leaves a connection open on which it could not log in, or not begin TLS.
	var connection net.Conn
	client, err := s.client(func(ctx context.Context, network, address string) (c net.Conn, err error) {
		c, err = s.dial(ctx, network, address)
		connection = c
		return c, err
	})
	if err != nil {
		return fmt.Errorf("send %s: %w", m.ID, err)
	}
	err = client.DialAndSendWithContext(ctx, message)
	if connection != nil {
		_ = connection.Close() // after QUIT it is closed already
	}
	if err != nil {
		err = fmt.Errorf("send %s to %s: %w", m.ID, m.To, err)
		var refused *mail.SendError
		if errors.As(err, &refused) && refused.ErrorCode() >= 500 {
			return xyra.Final(err)
		}
		return err
	}
	return nil
}

// line is a text on one line, as a header has it.
func line(s string) string { return strings.Join(strings.Fields(xyra.PrintableText(s)), " ") }
