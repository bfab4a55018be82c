package api

import (
	"bytes"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/mail"
)

// outputAttacks are 25 texts that some reader of an answer could take for more than text.
var outputAttacks = []string{
	`=1+1`, `=cmd|'/C calc'!A0`, `+1+1`, `-1+1`, `@SUM(1)`, "\t=1+1", "\r=1+1", "\n=1+1", `＝1+1`, `＠SUM(1)`, `x|=1+1`, `x;=1+1`, "x\t@SUM(1)", `"=1+1`, `","=1+1`,
	`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><svg/onload=alert(1)>`, `</style><script>alert(1)</script>`, `{{.}}${7*7}`, `javascript:alert(1)`,
	`) Tj ET endstream endobj 9 0 obj<</S/JavaScript/JS(app.alert(1))/URI(http://192.0.2.1)/Launch(x)>>`, "x\r\nBcc: spy@example.com\r\nSet-Cookie: a=b\r\n\r\nbody",
	`../../etc/passwd"; filename="x.exe`, "a\u202efdp.exe\u2066\x1b[31m\u2028level=ERROR msg=forged",
}

// attackFields are the texts that customers and operators choose and that end up on paper.
var attackFields = []string{"organization", "legal name", "address", "tax id", "billing email", "agent", "activity type", "outcome type", "invoice number", "description", "item type", "reference type", "notes", "payment method"}

// attackScene writes invoices with a text in some of the fields, and reads them in every form.
type attackScene struct {
	t      *testing.T
	s      *Server
	token  string
	box    *mailbox
	attack string
	in     []string // the fields that have the text
	last   int
}

// text is what a field has: the attack, with a number behind it where a text must be unique.
func (a *attackScene) text(field string) string {
	if !slices.Contains(a.in, field) {
		return "plain"
	}
	return a.attack
}

func (a *attackScene) unique(field string) string {
	a.last++
	return a.text(field) + " " + strconv.Itoa(a.last)
}

// post sends a request that must be taken and reads the id from its answer.
func (a *attackScene) post(method, path string, body any) (id int64) {
	a.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	w := ask(a.s, method, "/api/v1"+path, a.token, string(raw))
	var out struct {
		ID int64 `json:"id"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		a.t.Fatalf("%q: %s %s: %d %s", a.attack, method, path, w.Code, w.Body)
	}
	return out.ID
}

type fact = map[string]any

// invoices makes one by hand and one of a month, and reads both and the month's preview.
func (a *attackScene) invoices() (ids []int64) {
	a.t.Helper()
	email := "ap@example.com"
	if slices.Contains(a.in, "billing email") {
		email = a.attack
	}
	billingSettings := fact{"address": []string{a.text("address")}, "tax_id": a.text("tax id")}
	if slices.Contains(a.in, "legal name") {
		billingSettings["legal_name"] = a.attack
	}
	organization := a.post("POST", "/organizations", fact{"name": a.unique("organization"), "billing_email": email, "settings": fact{"currency": "USD", "billing": billingSettings}})
	model := a.post("POST", "/billing-models", fact{"name": "Plan", "model_type": "hybrid", "organization_id": organization, "hybrid_base_fee": 5,
		"hybrid_activity_configs": []fact{{"action_type": a.text("activity type"), "price_per_action": 2}}, "hybrid_outcome_configs": []fact{{"outcome_type": a.text("outcome type"), "percentage": 10}}})
	agent := a.post("POST", "/agents", fact{"name": a.text("agent"), "organization_id": organization, "billing_model_id": model})
	a.post("POST", fmt.Sprintf("/agents/%d/activities", agent), fact{"activity_type": a.text("activity type"), "timestamp": "2024-01-15T00:00:00Z"})
	a.post("POST", fmt.Sprintf("/agents/%d/outcomes", agent), fact{"outcome_type": a.text("outcome type"), "value": 50, "timestamp": "2024-01-15T00:00:00Z"})
	byHand := a.post("POST", "/invoices", fact{"organization_id": organization, "due_date": "2030-01-01", "invoice_number": a.unique("invoice number"), "notes": a.text("notes"), "invoice_metadata": fact{"x": a.attack},
		"items": []fact{{"description": a.text("description"), "unit_price": -5, "amount": -5, "item_type": a.text("item type"), "reference_type": a.text("reference type"), "item_metadata": fact{"x": a.attack}}}})
	month := fmt.Sprintf("org_id=%d&year=2024&month=1", organization)
	a.read(fmt.Sprintf("/invoices/%d%%s", byHand))
	a.read("/invoices/preview/monthly%s?" + month)
	generated := a.post("POST", "/invoices/generate/monthly?"+month, fact{})
	a.post("POST", fmt.Sprintf("/invoices/%d/pay", generated), fact{"payment_method": a.text("payment method")})
	a.read(fmt.Sprintf("/invoices/%d%%s", generated))
	return []int64{byHand, generated}
}

// read asks for every form at a path and looks at each.
func (a *attackScene) read(path string) {
	a.t.Helper()
	for form, look := range map[string]func(*httptest.ResponseRecorder) error{"": a.json, "/pdf": a.pdf, "/html": a.html, "/lines.csv": a.csv} {
		w := ask(a.s, "GET", "/api/v1"+fmt.Sprintf(path, form), a.token, "")
		err := look(w)
		if err == nil {
			err = safeHeader(w.Header())
		}
		if shown := a.shown(form, w.Body.String()); err == nil && len(a.in) > 1 && !shown {
			err = fmt.Errorf("the text is not there: %s", w.Body)
		}
		if err != nil || w.Code != http.StatusOK {
			a.t.Errorf("%q in %v: %s: %d %v", a.attack, a.in, fmt.Sprintf(path, form), w.Code, err)
		}
	}
}

// shown tells whether the attack is in the answer at all, and whole. A PDF is read back by the tests of its package.
func (a *attackScene) shown(form, body string) bool {
	switch form {
	case "":
		raw := encode(a.attack)
		return strings.Contains(body, string(raw[1:len(raw)-1]))
	case "/html":
		return strings.Contains(html.UnescapeString(htmlElement.ReplaceAllString(body, "")), xyra.PrintableText(a.attack))
	case "/lines.csv":
		plain := strings.NewReplacer("'", "", `""`, `"`)
		return strings.Contains(plain.Replace(body), plain.Replace(a.attack))
	}
	return true
}

var safeDisposition = regexp.MustCompile(`^attachment; filename="[A-Za-z0-9._-]+"$`)

// safeHeader finds headers that nobody of ours has set, and unsafe ones.
func safeHeader(h http.Header) error {
	known := []string{"Cache-Control", "X-Frame-Options", "Referrer-Policy", "X-Request-Id", "Content-Type", "X-Content-Type-Options", "Content-Disposition", "Content-Security-Policy"}
	for name, values := range h {
		if !slices.Contains(known, name) || len(values) != 1 || strings.ContainsAny(values[0], "\r\n\x1b\x00") {
			return fmt.Errorf("header %q: %q", name, values)
		}
	}
	if d := h.Get("Content-Disposition"); d != "" && !safeDisposition.MatchString(d) {
		return fmt.Errorf("disposition %q", d)
	}
	if h.Get("X-Content-Type-Options") != "nosniff" {
		return fmt.Errorf("headers %v", h)
	}
	return nil
}

func (a *attackScene) json(w *httptest.ResponseRecorder) error {
	if w.Header().Get("Content-Type") != "application/json" || !json.Valid(w.Body.Bytes()) {
		return fmt.Errorf("%v %s", w.Header(), w.Body)
	}
	if bytes.ContainsAny(w.Body.Bytes(), "\r\n\x1b") {
		return fmt.Errorf("a control character is written as it is: %q", w.Body)
	}
	return nil
}

var (
	pdfStream = regexp.MustCompile(`(?s)\nstream\n.*?\nendstream`)
	pdfActive = regexp.MustCompile(`/(JS|JavaScript|URI|Launch|AA|OpenAction|Annots?|AcroForm|XFA|GoTo[RE]?|SubmitForm|RichMedia|Filespec|EF)\b`)
)

func (a *attackScene) pdf(w *httptest.ResponseRecorder) error {
	skeleton := pdfStream.ReplaceAll(w.Body.Bytes(), nil)
	if found := pdfActive.Find(skeleton); found != nil {
		return fmt.Errorf("the file has %s", found)
	}
	if w.Header().Get("Content-Type") != "application/pdf" || bytes.Count(skeleton, []byte("\nendobj")) != bytes.Count(skeleton, []byte(" 0 obj\n")) {
		return fmt.Errorf("objects do not match: %v", w.Header())
	}
	return nil
}

var (
	htmlElement = regexp.MustCompile(`<[^<>]*>`)
	htmlOurs    = regexp.MustCompile(`^</?(html lang="en"|head|meta charset="utf-8"|meta name="viewport" content="width=device-width, initial-scale=1"|title|style|html|body|header|div( class="parties")?|p( class="(name|number|stamp (paid|draft|cancelled))")?|bdi|h1|h2|dl|dt|dd( class="overdue")?|table( class="totals")?|thead|tbody|tr( class="(total|due)")?|th( class="amount")?|td( class="(amount|text)")?|!doctype html)>$`)
)

func (a *attackScene) html(w *httptest.ResponseRecorder) error {
	for _, element := range htmlElement.FindAllString(w.Body.String(), -1) {
		if !htmlOurs.MatchString(element) {
			return fmt.Errorf("element %s", element)
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
		return fmt.Errorf("policy %q", policy)
	}
	if strings.ContainsAny(w.Body.String(), "\u202e\u2066\x1b") {
		return fmt.Errorf("characters that steer: %q", w.Body)
	}
	return nil
}

var csvFormula = regexp.MustCompile(`(^|[;,|\t\r\n])[ "]*[=+\-@＝＋－＠]|^[\t\r\n]`)

func (a *attackScene) csv(w *httptest.ResponseRecorder) error {
	records, err := csv.NewReader(strings.NewReader(w.Body.String())).ReadAll()
	if err != nil || len(records) < 2 || len(records) != 4 && records[1][7] == "subscription" { // a month has a fee, an activity and an outcome
		return fmt.Errorf("%w: %q", err, w.Body)
	}
	for _, record := range records[1:] {
		for _, n := range []int{0, 3, 7, 8} {
			if csvFormula.MatchString(record[n]) {
				return fmt.Errorf("%q would be calculated", record[n])
			}
		}
		for _, n := range []int{2, 4, 5, 6} {
			if _, err := strconv.ParseFloat(record[n], 64); err != nil {
				return fmt.Errorf("%q is no number", record[n])
			}
		}
	}
	return nil
}

// mail sends an invoice and looks at what arrived; a billing e-mail that is none gets no message.
func (a *attackScene) mail(id int64) {
	a.t.Helper()
	i, err := a.s.db.InvoiceAnywhere(a.t.Context(), xyra.InvoiceID(id))
	if err != nil {
		a.t.Fatal(err)
	}
	job := xyra.InvoiceMailJob(i, false, time.Now())
	job.ID = xyra.JobID(id)
	sender, err := mail.New(mail.Options{Host: "127.0.0.1", Port: a.box.port(), From: "Billing <billing@example.com>", Security: mail.Plain, Now: time.Now})
	if err != nil {
		a.t.Fatal(err)
	}
	before := len(a.box.taken())
	err = mail.Post{DB: a.s.db, Sender: sender, Print: printPDF, Seller: a.s.Issuer.Seller}.SendInvoice(a.t.Context(), job)
	got := a.box.taken()[before:]
	if slices.Contains(a.in, "billing email") {
		if err == nil || len(got) > 0 {
			a.t.Errorf("%q is taken as an address: %v %q", a.attack, err, got)
		}
		return
	}
	if err != nil || len(got) != 1 {
		a.t.Errorf("%q in %v: %d messages, %v", a.attack, a.in, len(got), err)
		return
	}
	if err := safeMessage(got[0]); err != nil {
		a.t.Errorf("%q in %v: %v\n%q", a.attack, a.in, err, got[0])
	}
}

// safeMessage finds what is not of ours in a message: headers, recipients, parts.
func safeMessage(m letter) error {
	if len(m.to) != 1 || !strings.HasPrefix(m.to[0], "TO:<ap@example.com>") {
		return fmt.Errorf("recipients %q", m.to)
	}
	read, err := netmail.ReadMessage(strings.NewReader(m.data))
	if err != nil {
		return err
	}
	known := []string{"From", "To", "Subject", "Date", "Message-Id", "Auto-Submitted", "Content-Type", "Mime-Version", "Content-Transfer-Encoding"}
	for name, values := range read.Header {
		if !slices.Contains(known, name) || len(values) != 1 {
			return fmt.Errorf("header %q: %q", name, values)
		}
	}
	if from := read.Header.Get("From"); from != `"Billing" <billing@example.com>` {
		return fmt.Errorf("from %q", from)
	}
	_, params, err := mime.ParseMediaType(read.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	parts, types := multipart.NewReader(read.Body, params["boundary"]), []string{}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if name := part.FileName(); err != nil || name != "" && !regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(name) {
			return fmt.Errorf("part %v: %w", part.Header, err)
		}
		types = append(types, kind)
	}
	if !slices.Equal(types, []string{"text/plain", "application/pdf"}) {
		return fmt.Errorf("parts %q", types)
	}
	return nil
}

// Whatever a text is, and wherever it is written, it stays a text in every form in which an invoice leaves the house: in
// all fields at once, and with XYRA_TEST_LONG also in each field alone.
func TestOutput_TextsStayTextsInEveryForm(t *testing.T) {
	sets := [][]string{slices.DeleteFunc(slices.Clone(attackFields), func(f string) bool { return f == "billing email" })}
	if os.Getenv("XYRA_TEST_LONG") != "" {
		for _, field := range attackFields {
			sets = append(sets, []string{field})
		}
	}
	eachServer(t, Options{Print: printPDF}, func(t *testing.T, s *Server) {
		token, err := s.gate.Login(t.Context(), superuserEmail, superuserPassword, "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		box, last := openMailbox(t), 0
		for n, attack := range outputAttacks {
			if len(sets) == 1 && s.db.IsPostgres() && n%6 != 0 {
				continue // forms do not know of databases
			}
			var log bytes.Buffer
			seller := xyra.Party{Name: attack, Address: []string{attack}, TaxID: attack, Email: attack}
			a := &attackScene{t: t, token: token, attack: attack, box: box, last: last, s: s.withOptions(func(o *Options) {
				o.Log = slog.New(slog.NewTextHandler(&log, nil))
				o.Issuer = billing.Issuer{Random: rand.Reader, Seller: seller, Mails: true}
			})}
			all := sets
			if n == 0 || len(sets) == 1 && n%8 == 0 {
				all = append(slices.Clone(sets), []string{"billing email"})
			}
			for _, a.in = range all {
				for _, id := range a.invoices() {
					a.mail(id)
				}
			}
			last = a.last
			oneLineEach(t, log.String())
		}
	})
}

// A request is one line of the log, whatever is in its address and headers; so is what the log says of a failed one.
func TestOutput_ARequestIsOneLogLine(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		if s.db.IsPostgres() {
			return // the log does not know of databases
		}
		for n, attack := range outputAttacks {
			for name, handler := range map[string]func(io.Writer) slog.Handler{
				"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
				"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
			} {
				var log bytes.Buffer
				logged := s.withOptions(func(o *Options) { o.Log = slog.New(handler(&log)) })
				escaped := url.PathEscape(attack)
				paths := []string{"/api/v1/agents/external/" + escaped, "/" + escaped, "/api/v1/invoices/" + escaped + "/pdf", "/api/v1/invoices?org_id=" + url.QueryEscape(attack), "/health?" + url.QueryEscape(attack)}
				for _, path := range paths {
					r := httptest.NewRequest(http.MethodGet, path, nil)
					for _, header := range []string{"Authorization", "X-API-Key", "X-Request-ID", "User-Agent", "Idempotency-Key", "X-Forwarded-For", "Traceparent", "Origin", "Referer", "Content-Type"} {
						r.Header.Set(header, attack)
					}
					w := httptest.NewRecorder()
					logged.ServeHTTP(w, r)
					if strings.ContainsAny(w.Header().Get("X-Request-Id"), "\r\n\x1b <>") {
						t.Errorf("%q comes back as %q", attack, w.Header().Get("X-Request-Id"))
					}
				}
				requests := len(paths)
				if n%6 == 0 { // passwords are slow to check
					requests++
					logged.ServeHTTP(httptest.NewRecorder(), loginRequest(attack))
				}
				if lines := strings.Count(log.String(), "\n"); lines != requests || strings.ContainsAny(log.String(), "\r\x1b\u2028") {
					t.Errorf("%s: %q: %d lines for %d requests: %s", name, attack, lines, requests, log.String())
				}
				for line := range strings.Lines(log.String()) {
					if name == "json" && !json.Valid([]byte(line)) {
						t.Errorf("%q", line)
					}
				}
			}
		}
	})
}

func loginRequest(text string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/api/v1/auth/login", strings.NewReader(url.Values{"username": {text}, "password": {text}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// oneLineEach finds a line of the log that is not a request of ours.
func oneLineEach(t *testing.T, log string) {
	t.Helper()
	ours := regexp.MustCompile(`^time=\S+ level=INFO msg=request method=\S+ path=\S+ status=\d+ bytes=\d+ ms=\d+ address=\S+ request=\S+$`)
	for line := range strings.Lines(log) {
		if !ours.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("log line %q", line)
		}
	}
}
