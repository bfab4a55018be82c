package mail

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

func (s *server) sender(t *testing.T, security Security) *Sender {
	t.Helper()
	sender, err := New(Options{Host: "127.0.0.1", Port: s.port(), User: "user", Password: "secret", From: "Nordlicht Billing <billing@nordlicht.example>",
		Security: security, Roots: s.roots, Now: func() time.Time { return time.Date(2026, 8, 1, 6, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

var sample = Message{ID: "invoice-7-3", To: "ap@fabryka.example", Subject: "Invoice INV-1 from Łódź", Text: "Hello Łódź,\nthe invoice.\n", FileName: "invoice_INV-1.pdf", PDF: []byte("%PDF-1.3 test")}

// read takes a message apart: the text and the attachment.
func read(t *testing.T, data string) (m *netmail.Message, text string, file []byte, name string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return m, text, file, name
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		if part.FileName() == "" {
			text = strings.ReplaceAll(string(body), "\r\n", "\n")
			continue
		}
		name = part.FileName()
		if file, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(string(body), "\r\n", "")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSender_MessagesArriveOverTLS(t *testing.T) {
	for security, s := range map[Security]*server{StartTLS: {}, TLS: {direct: true}} {
		startServer(t, s)
		if err := s.sender(t, security).Send(t.Context(), sample); err != nil {
			t.Fatal(err)
		}
		got := s.messages()
		if len(got) != 1 || !got[0].secure || got[0].login != "/user/secret" || len(got[0].to) != 1 || !strings.HasPrefix(got[0].to[0], "TO:<ap@fabryka.example>") || !strings.HasPrefix(got[0].from, "FROM:<billing@nordlicht.example>") {
			t.Fatalf("%s: %+v", security, got)
		}
		m, text, file, name := read(t, got[0].data)
		subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err != nil || subject != sample.Subject || text != sample.Text || !bytes.Equal(file, sample.PDF) || name != sample.FileName {
			t.Errorf("%s: %q %q %q %q %v", security, subject, text, file, name, err)
		}
		if m.Header.Get("Message-ID") != "<invoice-7-3@nordlicht.example>" || m.Header.Get("Date") != "Sat, 01 Aug 2026 06:00:00 +0000" {
			t.Errorf("%s: %v", security, m.Header)
		}
	}
}

func TestSender_SendsNothingWithoutTheTLSThatIsAskedFor(t *testing.T) {
	s := startServer(t, &server{plain: true})
	if err := s.sender(t, StartTLS).Send(t.Context(), sample); err == nil || isFinal(err) {
		t.Errorf("a server without STARTTLS: %v", err)
	}
	foreign := startServer(t, &server{})
	foreign.roots = s.roots
	if err := foreign.sender(t, StartTLS).Send(t.Context(), sample); err == nil || isFinal(err) {
		t.Errorf("a certificate of nobody: %v", err)
	}
	if len(s.messages())+len(foreign.messages()) > 0 {
		t.Error("a message was sent")
	}
	unprotected, err := New(Options{Host: "127.0.0.1", Port: s.port(), From: "a@example.com", Security: Plain, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := unprotected.Send(t.Context(), sample); err != nil || len(s.messages()) != 1 {
		t.Errorf("without TLS when that is asked for: %v", err)
	}
}

func TestSender_RefusalsForGoodAreFinal(t *testing.T) {
	for answer, final := range map[string]bool{"550 no such user": true, "450 try later": false} {
		s := startServer(t, &server{answers: map[string]string{"RCPT": answer}})
		err := s.sender(t, StartTLS).Send(t.Context(), sample)
		if err == nil || isFinal(err) != final {
			t.Errorf("%s: final %v: %v", answer, isFinal(err), err)
		}
	}
	s := startServer(t, &server{answers: map[string]string{"AUTH": "535 wrong password"}})
	if err := s.sender(t, StartTLS).Send(t.Context(), sample); err == nil || isFinal(err) {
		t.Errorf("a wrong password can be corrected: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.sender(t, StartTLS).Send(ended, sample); err == nil || isFinal(err) {
		t.Errorf("a cancelled attempt: %v", err)
	}
}

// A text cannot add a header, a recipient or a part.
func TestSender_TextsStayWhereTheyBelong(t *testing.T) {
	s := startServer(t, &server{})
	sender := s.sender(t, StartTLS)
	for _, attack := range []string{"x\r\nBcc: spy@example.com", "x\nX-Evil: 1", "x\r\n\r\nbody", "x\r\n.\r\nMAIL FROM:<a@b>", "=?utf-8?q?x=0D=0ABcc:_spy@example.com?=", "\x00\x1b", "a\u202eb"} {
		m := sample
		m.Subject, m.Text = attack, attack+"\r\n.\r\nQUIT\r\n"
		if err := sender.Send(t.Context(), m); err != nil {
			t.Fatalf("%q: %v", attack, err)
		}
		got := s.messages()[len(s.messages())-1]
		read, _, file, _ := read(t, got.data)
		if len(got.to) != 1 || read.Header.Get("Bcc") != "" || read.Header.Get("X-Evil") != "" || !bytes.Equal(file, sample.PDF) {
			t.Errorf("%q: %q", attack, got.data)
		}
	}
	before := len(s.messages())
	for _, to := range []string{"", "x", "a@example.com, b@example.com", "Name <a@example.com>", "a@example.com\r\nRCPT TO:<b@example.com>", "<a@example.com>", "a@example.com>\r\n"} {
		m := sample
		m.To = to
		if err := sender.Send(t.Context(), m); err == nil || !isFinal(err) {
			t.Errorf("%q is taken as address: %v", to, err)
		}
	}
	if len(s.messages()) != before {
		t.Error("a message was sent")
	}
}

func TestNew_RefusesWhatCannotSend(t *testing.T) {
	good := Options{Host: "mail.example", Port: 587, From: "a@example.com", Security: StartTLS}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){"host": func(o *Options) { o.Host = "" }, "port": func(o *Options) { o.Port = 99999 },
		"from": func(o *Options) { o.From = "nobody" }, "security": func(o *Options) { o.Security = "ssl" }} {
		o := good
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("a bad %s is taken", name)
		}
	}
}

// The job sends the invoice with its PDF to the address it names; a cancelled one is not sent.
func TestPost_SendsTheInvoiceOfTheJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		s := startServer(t, &server{})
		post := Post{DB: db, Sender: s.sender(t, StartTLS), Print: func(w io.Writer, p xyra.Paper) error {
			_, err := io.WriteString(w, "%PDF of "+p.Invoice.Number)
			return err
		}}
		i := issued(t, db)
		job := xyra.InvoiceMailJob(i, false, i.IssueDate)
		job.ID = 5
		if err := post.SendInvoice(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		m, text, file, name := read(t, s.messages()[0].data)
		if m.Header.Get("To") != "<ap@fabryka.example>" || m.Header.Get("Subject") != "Invoice RE 1 from Nordlicht" || name != "invoice_RE_1.pdf" || string(file) != "%PDF of RE 1" {
			t.Errorf("%v %q %q", m.Header, file, name)
		}
		for _, want := range []string{"Hello Fabryka,", "the invoice RE 1 from Nordlicht", "Amount due:     $10.00 by 31 August 2026"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in %q", want, text)
			}
		}
		job.Organization++
		if err := post.SendInvoice(t.Context(), job); !xyra.HasCode(err, xyra.CodeNotFound) {
			t.Errorf("another organization's invoice: %v", err)
		}
		if len(s.messages()) != 1 {
			t.Errorf("%d messages", len(s.messages()))
		}
	})
}

func isFinal(err error) bool {
	var e *xyra.JobError
	return errors.As(err, &e) && e.Final
}

// issued is an invoice of a new organization.
func issued(t *testing.T, db *store.DB) (i xyra.Invoice) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		ten := money.MustParse("10")
		organization, err := tx.InsertOrganization(t.Context(), xyra.Organization{Name: "Fabryka", Status: "active", Timezone: "UTC", Settings: []byte("{}"), Currency: "USD"})
		if err != nil {
			return err
		}
		at := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
		i = xyra.Invoice{Organization: organization, Number: "RE 1", Currency: "USD", Status: xyra.InvoicePending, Amount: ten, IssueDate: at, DueDate: at.AddDate(0, 0, 30),
			Parties: xyra.Parties{Seller: xyra.Party{Name: "Nordlicht"}, Customer: xyra.Party{Name: "Fabryka", Email: "ap@fabryka.example"}},
			Lines:   []xyra.Line{{Description: "Work", Quantity: money.FromInt(1), UnitPrice: ten, Amount: ten, ItemType: "work"}}}
		if i.ID, _, err = tx.InsertInvoiceNumber(t.Context(), organization, i.Number); err != nil {
			return err
		}
		i, _, err = tx.InsertInvoice(t.Context(), i)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}
