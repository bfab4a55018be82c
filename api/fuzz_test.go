package api

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"xyra/store/storetest"
	"xyra/strictjson"
)

// readBatch reads a body as POST /events does, without a server behind it.
func readBatch(raw []byte, contentType string, header http.Header) (*batch, []Item) {
	h := http.Header{"Content-Type": {contentType}}
	for name, values := range header {
		h[name] = values
	}
	b := &batch{now: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC), words: map[string]string{}}
	return b, b.read(raw, h)
}

// A batch in any form is either refused as a whole with items that are JSON, or each of its events is read or refused; lines and
// an envelope with the same events say the same of each.
func FuzzBatch(f *testing.F) {
	single := `{"kind":"activity","agent_id":1,"activity_type":"a","quantity":"1.5","activity_metadata":{"a":[1]}}`
	for _, media := range []string{"application/json", mediaLines, mediaCloudEvent, mediaCloudEvents, "text/plain"} {
		f.Add([]byte(single), media)
	}
	f.Add([]byte(`{"events":[`+single+`,{"kind":"cost","agent_external_id":"x/%2F","cost_type":"c"},7,null]}`), "application/json")
	f.Add([]byte(single+"\n\n"+`{"kind":"outcome"}`+"\r\n{"), mediaLines)
	f.Add([]byte(`[{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"a","time":"2024-01-01T00:00:00Z","data":{"quantity":2}}]`), mediaCloudEvents)
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"a","data_base64":"eA=="}`), mediaCloudEvent)
	f.Fuzz(func(t *testing.T, raw []byte, contentType string) {
		b, items := readBatch(raw, contentType, nil)
		if items != nil {
			if !json.Valid(encode(items)) {
				t.Fatalf("items of %q are no JSON", raw)
			}
			return
		}
		for n, p := range b.events {
			if p.refused == nil && (p.draft.Type == "" || !utf8.ValidString(p.draft.Type) || strings.Contains(p.draft.Type, "\x00")) {
				t.Fatalf("event %d of %q has type %q", n, raw, p.draft.Type)
			}
		}
		if media, _, _ := strings.Cut(contentType, ";"); strings.TrimSpace(media) == mediaLines {
			compareWithEnvelope(t, raw, b)
		}
	})
}

// compareWithEnvelope reads lines again as members of an envelope.
func compareWithEnvelope(t *testing.T, raw []byte, lines *batch) {
	t.Helper()
	var events [][]byte
	for line := range bytes.SplitSeq(raw, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if v, syntax := strictjson.Parse(line); syntax != nil || bytes.HasPrefix(line, []byte("\xef\xbb\xbf")) || v.Kind() != strictjson.Object {
			return // what is no JSON breaks an envelope, and only its line
		}
		events = append(events, line)
	}
	enveloped, items := readBatch(slices.Concat([]byte(`{"events":[`), bytes.Join(events, []byte(",")), []byte("]}")), "application/json", nil)
	if items != nil {
		if len(items) == 1 && items[0].Type == "json_invalid" { // two levels deeper than a line
			return
		}
		t.Fatalf("%q as an envelope: %s", raw, encode(items))
	}
	for n := range lines.events {
		one, other := lines.events[n], enveloped.events[n]
		if fmt.Sprint(one.refused) != fmt.Sprint(other.refused) || one.draft.Type != other.draft.Type || !one.draft.Quantity.Equal(other.draft.Quantity) {
			t.Fatalf("event %d of %q is %+v as a line and %+v in an envelope", n, raw, one, other)
		}
	}
}

// A CloudEvent in HTTP's binary mode, whose attributes are headers, is read or refused.
func FuzzCloudEventHeaders(f *testing.F) {
	f.Add("1.0", "id-1", "//source", "type", "agent", "2024-01-01T00:00:00Z", "7", []byte(`{"quantity":1}`))
	f.Add("1.0", "%00", "%", "%C3%A9", "", "now", "\"", []byte(``))
	f.Add("0.3", "", "", "", "", "", "", []byte(`[`))
	f.Fuzz(func(t *testing.T, version, id, source, kind, subject, at, extension string, raw []byte) {
		_, items := readBatch(raw, "application/json", http.Header{"Ce-Specversion": {version}, "Ce-Id": {id}, "Ce-Source": {source}, "Ce-Type": {kind},
			"Ce-Subject": {subject}, "Ce-Time": {at}, "Ce-Extension": {extension}})
		if !json.Valid(encode(items)) {
			t.Fatalf("items are no JSON: %s", encode(items))
		}
	})
}

// A query is read as net/url reads it where that can, and what comes out can be stored.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{"skip=1&limit=2", "skip=%", "limit=1&limit=2", "skip=+1", "a=%00", "skip=%ff&type=\xff", "&&=&", "from=2024-01-01T00:00:00%2B02:00", "skip=1;limit=2"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		var in eventListIn
		items := decodeParams(in.params(), func(string) string { return "1" }, query)
		kind := ""
		if in.Type != nil {
			kind = *in.Type
		}
		if text := kind + in.After.Value; !json.Valid(encode(items)) || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			t.Fatalf("%q is %+v with %s", query, in, encode(items))
		}
		values, err := url.ParseQuery(query)
		if err != nil || strings.Contains(query, ";") {
			return
		}
		if sent := values["type"]; len(sent) > 0 && items == nil && kind != storable(sent[len(sent)-1]) {
			t.Fatalf("%q has type %q, net/url says %q", query, kind, sent)
		}
	})
}

// A form in either encoding gives texts that can be stored, and multipart gives back what was put into it.
func FuzzForm(f *testing.F) {
	f.Add([]byte("username=a%40example.com&password=b+c"), "application/x-www-form-urlencoded", "name", "value")
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na\r\n--x--"), "multipart/form-data; boundary=x", "n\"", "\x00")
	f.Add([]byte("--x"), "multipart/form-data; boundary=", "", "\r\n--x")
	f.Fuzz(func(t *testing.T, raw []byte, contentType, username, password string) {
		var got, secret string
		read := func(raw []byte, contentType string) ([]Item, error) {
			return decodeForm(raw, contentType, []field{formText("username", &got).required(), formText("password", &secret).required()})
		}
		if items, err := read(raw, contentType); err == nil && !json.Valid(encode(items)) || !utf8.ValidString(got+secret) || strings.Contains(got+secret, "\x00") {
			t.Fatalf("%q is %q and %q", raw, got, secret)
		}
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for name, value := range map[string]string{"username": username, "password": password} {
			if err := w.WriteField(name, value); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if items, err := read(body.Bytes(), w.FormDataContentType()); err != nil || items != nil || got != storable(username) || secret != storable(password) {
			t.Fatalf("%q and %q came back as %q and %q: %s %v", username, password, got, secret, encode(items), err)
		}
	})
}

// A cursor that is accepted is one that we would write, up to the spelling of its numbers.
func FuzzCursor(f *testing.F) {
	for _, text := range []string{cursorText(1, 2), cursorText(-1<<63, 1<<63-1), "", "MS4y", "Lg", "MS4yIA", "MS4wMg", "=", "MQ"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, second, ok := parseCursorText(text)
		if !ok {
			return
		}
		again, more, ok := parseCursorText(cursorText(first, second))
		if !ok || again != first || more != second {
			t.Fatalf("%q is %d, %d and then %d, %d", text, first, second, again, more)
		}
	})
}

// A body is what its sender compressed, and never more than the limit.
func FuzzReadBody(f *testing.F) {
	const limit = 4096
	f.Add([]byte("plain"), "")
	f.Add([]byte("\x1f\x8b\x08\x00"), "gzip")
	f.Add(bytes.Repeat([]byte("a"), limit+1), "x-gzip")
	f.Add([]byte("x"), "br")
	f.Fuzz(func(t *testing.T, raw []byte, coding string) {
		read := func(raw []byte, coding string) ([]byte, error) {
			r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(raw))
			r.Header["Content-Encoding"] = []string{coding}
			return readBody(r, limit)
		}
		if got, err := read(raw, coding); err == nil && len(got) > limit {
			t.Fatalf("%d bytes", len(got))
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(raw); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := read(packed.Bytes(), "gzip")
		if fits := len(raw) <= limit && packed.Len() <= limit; fits && (err != nil || !bytes.Equal(got, raw)) || len(raw) > limit && err == nil {
			t.Fatalf("%d bytes came back as %d, %v", len(raw), len(got), err)
		}
	})
}

// Whatever X-Forwarded-For says, a client is an address, and one that no trusted proxy has passed on is the connection's.
func FuzzForwardedFor(f *testing.F) {
	for _, text := range []string{"192.0.2.1", "10.0.0.1, 192.0.2.1:443", "[2001:db8::1]:1, ::ffff:192.0.2.1", "unknown", ", ,", "fe80::1%eth0", "192.0.2.1\x00"} {
		f.Add(text, true)
		f.Add(text, false)
	}
	s := &Server{Options: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	f.Fuzz(func(t *testing.T, forwarded string, proxied bool) {
		r := &http.Request{RemoteAddr: "198.51.100.7:1234", Header: http.Header{"X-Forwarded-For": {forwarded}}}
		if proxied {
			r.RemoteAddr = "10.0.0.9:1234"
		}
		got := s.clientAddress(r)
		if !proxied && got != "198.51.100.7" {
			t.Fatalf("%q makes the client %q", forwarded, got)
		}
		if _, err := netip.ParseAddr(strings.TrimSuffix(got, "/64")); err != nil {
			t.Fatalf("%q makes the client %q", forwarded, got)
		}
	})
}

// Only a header made with the secret, lately and of this very body, is Stripe's; an event of any form is read.
func FuzzStripeWebhook(f *testing.F) {
	now := time.Unix(1_700_000_000, 0)
	sign := func(body []byte) string {
		mac := hmac.New(sha256.New, []byte("whsec"))
		fmt.Fprintf(mac, "%d.%s", now.Unix(), body)
		return fmt.Sprintf("t=%d,v1=%s", now.Unix(), hex.EncodeToString(mac.Sum(nil)))
	}
	body := []byte(`{"id":"evt_1","type":"checkout.session.completed","data":{"object":{"id":"cs_1","amount_total":100,"currency":"jpy","metadata":{"invoice_id":"7"}}}}`)
	f.Add(sign(body), body, "checkout.session.completed")
	f.Add("t=1,t=2,v1=", []byte(`{"data":{"object":{"amount_refunded":-1}}}`), "charge.refunded")
	f.Add("v1="+strings.Repeat("0", 64), []byte(`{"data":[]}`), "charge.dispute.created")
	f.Add(" t=99999999999999999999 , v1=zz", []byte(`{}`), "refund.updated")
	f.Fuzz(func(t *testing.T, header string, body []byte, kind string) {
		if signedByStripe(header, "whsec", body, now) && !strings.Contains(header, strings.TrimPrefix(sign(body), fmt.Sprintf("t=%d,v1=", now.Unix()))) {
			t.Fatalf("%q signs %q", header, body)
		}
		if !signedByStripe(sign(body), "whsec", body, now) || signedByStripe(sign(body), "", body, now) || signedByStripe(sign(body), "whsec", body, now.Add(time.Hour)) {
			t.Fatalf("a signature of %q is misjudged", body)
		}
		v, syntax := strictjson.Parse(body)
		if syntax != nil {
			return
		}
		e := readStripeEvent(kind, v)
		if e.Amount != nil && e.Amount.Sign() < 0 || len(e.ID) > stripeNameMax {
			t.Fatalf("%q is %+v", body, e)
		}
	})
}

// What a header of one line may say: an id is echoed only if no header can be broken by it, a key is one of the contract's, and
// encodings are judged without a fault.
func FuzzHeaders(f *testing.F) {
	for _, text := range []string{"abc", "a b", "gzip;q=0", "*, gzip", "a\r\nSet-Cookie: x", strings.Repeat("k", 256), "\xff", "gzip;q=0.0;q=1", ";;,,"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		printable := !strings.ContainsFunc(text, func(r rune) bool { return r < '!' || r > '~' })
		if validRequestID(text) && !printable {
			t.Fatalf("%q would be echoed", text)
		}
		fits := printable && len(text) >= 1 && len(text) <= 255
		if items := checkIdempotencyKey(text); (items == nil) != fits || !json.Valid(encode(items)) {
			t.Fatalf("the key %q: %s", text, encode(items))
		}
		if acceptsGzip([]string{text}) && !strings.Contains(strings.ToLower(text), "gzip") && !strings.Contains(text, "*") {
			t.Fatalf("%q accepts gzip", text)
		}
	})
}

// An address of a webhook, a note, an e-mail, a name: whatever a superuser sends anywhere, no answer is a 5xx or no JSON, and the
// lists are readable afterwards.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][3]string{
		{"POST", "/organizations/", `{"name":"N","billing_email":"a@example.com","settings":{"currency":"EUR","billing":{"address":"a\nb"}}}`},
		{"POST", "/billing-models/", `{"name":"M","model_type":"activity","organization_id":1,"activity_price_per_action":"1e-12"}`},
		{"POST", "/agents/", `{"name":"A","organization_id":1,"external_id":"x","config":{"seats":1}}`},
		{"POST", "/agents/1/activities", `{"activity_type":"a","quantity":999999999999999.5}`},
		{"POST", "/invoices/", `{"organization_id":1,"due_date":"2024-01-01","items":[{"description":"d","quantity":1,"unit_price":1}]}`},
		{"POST", "/webhook-endpoints/", `{"organization_id":1,"url":"https://example.com/\u00e9","events":["invoice.paid"]}`},
		{"PUT", "/users/1", `{"email":"ADMIN@EXAMPLE.COM","full_name":"\u202e"}`},
		{"GET", "/agents?org_id=1&skip=-1", ""},
		{"DELETE", "/agents/9223372036854775808", ""},
		{"GET", "/analytics/organization/1/summary?start_date=0001-01-01&end_date=9999-12-31", ""},
	} {
		f.Add(seed[0], seed[1], []byte(seed[2]))
	}
	s, token := fuzzServer(f)
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		target, err := url.Parse("http://x/api/v1" + path)
		if err != nil || method == "" || strings.ContainsFunc(method, func(r rune) bool { return r < 'A' || r > 'Z' }) {
			return // net/http lets none of these through
		}
		r := httptest.NewRequest(http.MethodGet, "/", bytes.NewReader(body))
		r.Method, r.URL, r.RequestURI = method, target, target.RequestURI()
		r.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		isJSON := w.Header().Get("Content-Type") == "application/json"
		if w.Code >= 500 && !strings.Contains(path, "/pdf") || isJSON && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%s %q %q is answered %d %s", method, path, body, w.Code, w.Body)
		}
		if w.Code != http.StatusOK || method == http.MethodGet {
			return
		}
		for _, list := range []string{"/organizations/", "/agents/?org_id=1", "/billing-models/?org_id=1", "/invoices/?org_id=1", "/users/", "/audit"} {
			if answer := ask(s, http.MethodGet, "/api/v1"+list, token, ""); answer.Code >= 500 {
				t.Fatalf("after %s %q %q, %s is answered %d", method, path, body, list, answer.Code)
			}
		}
	})
}

// fuzzServer is a server on SQLite that all inputs of one process share, with its superuser's token.
func fuzzServer(f *testing.F) (*Server, string) {
	f.Helper()
	target := storetest.SQLite(f)
	target.Now = time.Now
	s := newServer(f, storetest.Open(f, target), Options{})
	form := url.Values{"username": {superuserEmail}, "password": {superuserPassword}}.Encode()
	r := httptest.NewRequest(http.MethodPost, "/api/v1/auth/login", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(w.Body).Decode(&token); err != nil && err != io.EOF || token.Access == "" {
		f.Fatalf("log in: %d %v", w.Code, err)
	}
	return s, token.Access
}
