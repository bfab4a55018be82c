package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
)

const stripeSecret = "whsec_tests"

func stripeSignature(secret, stamp, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "." + body))
	return hex.EncodeToString(mac.Sum(nil))
}

// A signature holds only for its secret, body and time.
func TestSignedByStripe_OnlyWithSecretBodyAndTime(t *testing.T) {
	now := time.Date(2024, 5, 15, 12, 0, 0, 0, time.UTC)
	const body = `{"type":"x"}`
	stamp := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	signed := func(secret string, d time.Duration) string {
		return "t=" + stamp(d) + ",v1=" + stripeSignature(secret, stamp(d), body)
	}
	wrong := strings.Repeat("ab", sha256.Size)
	for _, c := range []struct {
		name, header, secret string
		want                 bool
	}{
		{"as Stripe does", signed(stripeSecret, 0), stripeSecret, true},
		{"at the edge of the past", signed(stripeSecret, -300*time.Second), stripeSecret, true},
		{"at the edge of the future", signed(stripeSecret, 300*time.Second), stripeSecret, true},
		{"too old", signed(stripeSecret, -301*time.Second), stripeSecret, false},
		{"too far ahead", signed(stripeSecret, 301*time.Second), stripeSecret, false},
		{"second of two", "t=" + stamp(0) + ",v1=" + wrong + ",v0=1,v1=" + stripeSignature(stripeSecret, stamp(0), body), stripeSecret, true},
		{"another secret", signed("whsec_other", 0), stripeSecret, false},
		{"no secret configured", signed("", 0), "", false},
		{"another time", strings.Replace(signed(stripeSecret, 0), stamp(0), stamp(time.Second), 1), stripeSecret, false},
		{"two times", "t=" + stamp(0) + "," + signed(stripeSecret, 0), stripeSecret, false},
		{"no time", "v1=" + stripeSignature(stripeSecret, "", body), stripeSecret, false},
		{"a time that is no number", "t=x,v1=" + stripeSignature(stripeSecret, "x", body), stripeSecret, false},
		{"no signature", "t=" + stamp(0), stripeSecret, false},
		{"not hexadecimal", "t=" + stamp(0) + ",v1=zz", stripeSecret, false},
		{"an older scheme alone", strings.Replace(signed(stripeSecret, 0), "v1", "v0", 1), stripeSecret, false},
		{"empty", "", stripeSecret, false},
	} {
		if got := signedByStripe(c.header, c.secret, []byte(body), now); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	if signedByStripe(signed(stripeSecret, 0), stripeSecret, []byte(body+" "), now) {
		t.Error("another body was believed")
	}
}

// deliver sends a signed event.
func deliver(s *Server, body string) *httptest.ResponseRecorder {
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	r := httptest.NewRequest(http.MethodPost, "/api/v1/invoices/stripe/webhook", strings.NewReader(body))
	r.Header.Set("Stripe-Signature", "t="+stamp+",v1="+stripeSignature(stripeSecret, stamp, body))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// A completed checkout pays its invoice once, and never one that is cancelled.
func TestWebhook_PaysTheInvoiceOfTheSession(t *testing.T) {
	eachServer(t, Options{WebhookSecret: stripeSecret}, func(t *testing.T, s *Server) {
		open, cancelled := withCheckout(t, s, "cs_open"), withCheckout(t, s, "cs_cancelled")
		if err := s.db.Tx(t.Context(), func(tx *store.Tx) error {
			_, err := billing.Cancel(t.Context(), tx, xyra.Caller{}, cancelled)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var first time.Time
		for range 3 {
			for _, body := range []string{
				`{"type":"checkout.session.completed","data":{"object":{"id":"cs_open"}}}`,
				`{"type":"checkout.session.completed","data":{"object":{"id":"cs_cancelled"}}}`,
				`{"type":"checkout.session.completed","data":{"object":{"id":"cs_unknown"}}}`,
				`{"type":"checkout.session.completed","data":{"object":{"id":7}}}`,
				`{"type":"checkout.session.completed","data":[]}`,
				`{"type":"checkout.session.completed"}`,
				`{"type":"invoice.paid","data":{"object":{"id":"cs_open"}}}`,
			} {
				if w := deliver(s, body); w.Code != http.StatusOK || w.Body.String() != `{"status":"success"}` {
					t.Errorf("%s: %d %s", body, w.Code, w.Body)
				}
			}
			i, err := s.db.InvoiceAnywhere(t.Context(), open)
			if err != nil || i.Status != xyra.InvoicePaid || *i.PaymentMethod != "stripe" {
				t.Fatalf("%v, %+v", err, i)
			}
			if first.IsZero() {
				first = *i.PaymentDate
			}
			if !i.PaymentDate.Equal(first) {
				t.Error("it was paid again")
			}
		}
		if i, err := s.db.InvoiceAnywhere(t.Context(), cancelled); err != nil || i.Status != xyra.InvoiceCancelled {
			t.Errorf("the cancelled one: %v, %+v", err, i)
		}
		for _, body := range []string{``, `[]`, `"x"`, `{}`, `{"type":1}`, `{"type":null}`, `{"type":"a"`, `{"type":"a","type":"b"}`} {
			if w := deliver(s, body); w.Code != http.StatusBadRequest || w.Body.String() != `{"detail":"Invalid payload"}` {
				t.Errorf("%s: %d %s", body, w.Code, w.Body)
			}
		}
		if w := ask(s, http.MethodPost, "/api/v1/invoices/stripe/webhook", "", strings.Repeat(" ", bodyMax+1)); w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("a huge body: %d", w.Code)
		}
	})
}

// withCheckout makes an organization with one invoice that a session pays.
func withCheckout(t *testing.T, s *Server, session string) (id xyra.InvoiceID) {
	t.Helper()
	err := s.db.Tx(t.Context(), func(tx *store.Tx) error {
		organization, err := tx.InsertOrganization(t.Context(), xyra.Organization{Name: session, Status: "active", Timezone: "UTC", Settings: []byte(`{"currency":"USD"}`), Currency: "USD"})
		if err != nil {
			return err
		}
		one := money.FromInt(1)
		i, err := billing.Create(t.Context(), tx, xyra.Caller{}, billing.Issuer{Random: strings.NewReader(session)}, xyra.Invoice{Organization: organization, Currency: "USD", Number: session,
			Lines: []xyra.Line{{Description: "Work", Quantity: one, UnitPrice: one, Amount: one, ItemType: "service"}}})
		if err != nil {
			return err
		}
		id = i.ID
		return billing.AddCheckout(t.Context(), tx, xyra.Caller{}, xyra.CheckoutSession{ID: session, Organization: organization, Invoice: id,
			Status: xyra.CheckoutOpen, Link: "https://checkout.stripe.com/c/" + session, Amount: one})
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}
