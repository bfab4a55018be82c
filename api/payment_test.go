package api

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v86/webhook"

	"xyra"
	"xyra/billing"
	"xyra/store/storetest"
)

// signedEvent is an event as Stripe's own library signs it.
func signedEvent(body string, at time.Time, secret string) *http.Request {
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(body), Secret: secret, Timestamp: at})
	r := httptest.NewRequest(http.MethodPost, "/api/v1/invoices/stripe/webhook", strings.NewReader(body))
	r.Header.Set("Stripe-Signature", signed.Header)
	return r
}

// send delivers a request and wants a status and a whole body.
func send(t *testing.T, s *Server, r *http.Request, status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != status || w.Body.String() != body {
		t.Errorf("%d %s, want %d %s", w.Code, w.Body, status, body)
	}
}

// paymentBook asks for the book of an invoice, without times.
func paymentBook(t *testing.T, sc *invoiceScene, id xyra.InvoiceID) string {
	t.Helper()
	w := ask(sc.s, http.MethodGet, fmt.Sprintf("/api/v1/invoices/%d/payments", id), sc.superuser, "")
	var out struct {
		Status    string
		Total     json.Number `json:"total_amount"`
		Paid, Due json.Number
		Payments  []struct {
			Kind, Source, Currency    string
			Amount, Applied, Credited json.Number
			Method                    *string `json:"payment_method"`
			Reference                 *string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	text := out.Status
	for _, p := range out.Payments {
		text += fmt.Sprintf("; %s %s %s %s = %s + %s", p.Source, p.Kind, p.Amount, p.Currency, p.Applied, p.Credited)
	}
	return text
}

// What Stripe signs is heard: paid, refunded and disputed, each event once for ever, and nothing that is forged.
func TestWebhook_HearsStripesOwnSignatures(t *testing.T) {
	eachServer(t, Options{WebhookSecret: stripeSecret}, func(t *testing.T, s *Server) {
		sc := newInvoiceScene(t, s)
		id := withCheckout(t, s, "cs_a")
		const success, forged = `{"status":"success"}`, `{"detail":"Invalid signature"}`
		paid := `{"id":"evt_1","type":"checkout.session.completed","api_version":"2019-01-01","data":{"object":{"id":"cs_a","payment_status":"paid",
			"amount_total":100,"currency":"usd","payment_intent":"pi_a"}}}`
		now := time.Now()
		send(t, s, signedEvent(paid, now, "whsec_another"), 400, forged)
		send(t, s, signedEvent(paid, now.Add(-10*time.Minute), stripeSecret), 400, forged)
		tampered := signedEvent(paid, now, stripeSecret)
		tampered.Body = http.NoBody
		send(t, s, tampered, 400, forged)
		if got := paymentBook(t, sc, id); got != "pending" {
			t.Errorf("forged events did something: %s", got)
		}
		refund := `{"id":"evt_2","type":"charge.refunded","data":{"object":{"id":"ch_a","payment_intent":"pi_a","amount":100,"amount_refunded":40,"currency":"usd"}}}`
		dispute := `{"id":"evt_3","type":"charge.dispute.created","data":{"object":{"id":"dp_a","charge":"ch_a","payment_intent":"pi_a","amount":60,"currency":"usd","status":"needs_response"}}}`
		won := strings.NewReplacer("evt_3", "evt_4", "created", "closed", "needs_response", "won").Replace(dispute)
		for range 2 {
			for _, body := range []string{refund, paid, dispute, won} { // the refund is heard of before the payment
				send(t, s, signedEvent(body, now, stripeSecret), 200, success)
			}
		}
		want := "paid; stripe payment 1.0 USD = 1.0 + 0.0; stripe refund 0.4 USD = -0.4 + 0.0; stripe dispute 0.6 USD = -0.6 + 0.0; stripe dispute_won 0.6 USD = 0.6 + 0.0"
		if got := paymentBook(t, sc, id); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		// Under an id that has been heard nothing is heard again, whatever it says.
		second := withCheckout(t, s, "cs_b")
		send(t, s, signedEvent(strings.ReplaceAll(paid, "cs_a", "cs_b"), now, stripeSecret), 200, success)
		if got := paymentBook(t, sc, second); got != "pending" {
			t.Errorf("an event was heard twice: %s", got)
		}
	})
}

// Whatever signed JSON comes, the answer is 200 or 400, never a fault, and the books add up.
func TestWebhook_StrangeEventsHaveNoEffect(t *testing.T) {
	eachServer(t, Options{WebhookSecret: stripeSecret}, func(t *testing.T, s *Server) {
		sc := newInvoiceScene(t, s)
		id := withCheckout(t, s, "cs_a")
		long := strings.Repeat("x", 300)
		for n, object := range []string{`null`, `[]`, `"cs_a"`, `{}`, `{"id":null}`, `{"id":"cs_a","payment_status":"unpaid"}`,
			`{"id":"cs_a","payment_status":"paid","amount_total":-1,"currency":"usd"}`, `{"id":"cs_a","payment_status":"paid","amount_total":1.5,"currency":"usd"}`,
			`{"id":"cs_a","payment_status":"paid","amount_total":"100","currency":"usd"}`, `{"id":"cs_a","payment_status":"paid","amount_total":100,"currency":"zzz"}`,
			`{"id":"cs_a","payment_status":"paid","amount_total":100}`, `{"id":"cs_a","payment_status":"paid","amount_total":99999999999999999999,"currency":"usd"}`,
			`{"id":"` + long + `","payment_status":"paid"}`, `{"id":"cs_a","payment_status":"paid","payment_intent":{"id":"pi"},"amount_total":0,"currency":"usd"}`} {
			for _, kind := range []string{"checkout.session.completed", "checkout.session.unknown", "charge.refunded", "charge.dispute.created", "invoice.paid", long} {
				body := fmt.Sprintf(`{"id":"evt_%d_%s","type":"%s","data":{"object":%s}}`, n, kind, kind, object)
				send(t, s, signedEvent(body, time.Now(), stripeSecret), 200, `{"status":"success"}`)
			}
		}
		if got := paymentBook(t, sc, id); got != "pending" {
			t.Errorf("strange events did something: %s", got)
		}
		if faults, err := billing.Verify(t.Context(), s.db); err != nil || len(faults) > 0 {
			t.Errorf("%v, %v", faults, err)
		}
	})
}

// A stream that is shuffled, repeated and mixed with forgeries ends as one in order, over HTTP too.
func TestWebhook_ShuffledStreamsEndTheSame(t *testing.T) {
	eachServer(t, Options{WebhookSecret: stripeSecret}, func(t *testing.T, s *Server) {
		sc := newInvoiceScene(t, s)
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		streams := 4
		if os.Getenv("XYRA_TEST_LONG") != "" {
			streams = 500
		}
		for n := range streams {
			id := withCheckout(t, s, fmt.Sprintf("cs_%d", n))
			const session = `"type":"checkout.session.%s","data":{"object":{"id":"cs_N","payment_status":"%s","amount_total":100,"currency":"usd","payment_intent":"pi_N"}}}`
			bodies := []string{
				fmt.Sprintf(`{"id":"evt_1_N",`+session, "completed", "unpaid"), fmt.Sprintf(`{"id":"evt_2_N",`+session, "async_payment_succeeded", "paid"),
				fmt.Sprintf(`{"id":"evt_3_N",`+session, "expired", "unpaid"), fmt.Sprintf(`{"id":"evt_4_N",`+session, "async_payment_failed", "unpaid"),
				`{"id":"evt_5_N","type":"charge.refunded","data":{"object":{"id":"ch_N","payment_intent":"pi_N","amount_refunded":10,"currency":"usd"}}}`,
				`{"id":"evt_6_N","type":"charge.refunded","data":{"object":{"id":"ch_N","payment_intent":"pi_N","amount_refunded":30,"currency":"usd"}}}`,
			}
			bodies = append(bodies, bodies...)
			random.Shuffle(len(bodies), func(a, b int) { bodies[a], bodies[b] = bodies[b], bodies[a] })
			for _, body := range bodies {
				body = strings.ReplaceAll(body, "_N", fmt.Sprintf("_%d", n))
				send(t, s, signedEvent(body, time.Now(), "whsec_forged"), 400, `{"detail":"Invalid signature"}`)
				send(t, s, signedEvent(body, time.Now(), stripeSecret), 200, `{"status":"success"}`)
			}
			got := paymentBook(t, sc, id)
			if one, parts := "paid; stripe payment 1.0 USD = 1.0 + 0.0; stripe refund 0.3 USD = -0.3 + 0.0",
				"paid; stripe payment 1.0 USD = 1.0 + 0.0; stripe refund 0.1 USD = -0.1 + 0.0; stripe refund 0.2 USD = -0.2 + 0.0"; got != one && got != parts {
				t.Errorf("stream %d: %s", n, got)
			}
		}
	})
}

// The routes of the payment book: who may, what they answer, and that a repeat with a key has no second effect.
func TestPayments_Routes(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		sc := newInvoiceScene(t, s)
		id := fmt.Sprintf("/%d", sc.invoice)
		for _, path := range []string{"/payments", "/credits", "/checkout"} {
			sc.want(sc.own, "POST", id+path, "{", 403, `{"detail":"Not enough permissions"}`)
			sc.want("", "POST", id+path, "{", 401, `{"detail":"Not authenticated"}`)
		}
		sc.want(sc.own, "GET", id+"/payments", "", 403, `{"detail":"Not enough permissions"}`)
		for _, missing := range []string{"/999999", "/0", "/-1", "/99999999999999999999"} {
			sc.want(sc.superuser, "GET", missing+"/payments", "", 404, `{"detail":"Invoice not found"}`)
			sc.want(sc.superuser, "POST", missing+"/payments", `{"amount":1,"payment_method":""}`, 404, `{"detail":"Invoice not found"}`)
			sc.want(sc.superuser, "POST", missing+"/credits", `{}`, 404, `{"detail":"Invoice not found"}`)
			sc.want(sc.superuser, "POST", missing+"/checkout", "", 404, `{"detail":"Invoice not found"}`)
		}
		sc.want(sc.superuser, "POST", id+"/payments", `{}`, 422, `"loc":["body","amount"]`)
		sc.want(sc.superuser, "POST", id+"/payments", `{"amount":"1e-3","payment_method":"wire"}`, 400, `{"detail":"Amount 0.001 has more decimal places than USD has"}`)
		sc.want(sc.superuser, "POST", id+"/payments", `{"amount":1,"payment_method":"wire","currency":"eur"}`, 400, `{"detail":"Invoice is in USD, not in EUR"}`)
		sc.want(sc.superuser, "POST", id+"/checkout", "", 400, `{"detail":"Stripe is not configured"}`)
		const body = `{"amount":0.25,"payment_method":"wire","payment_date":"2024-05-01T00:00:00Z","reference":"RF18"}`
		for n := range 2 {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/invoices"+id+"/payments", strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+sc.superuser)
			r.Header.Set("Idempotency-Key", "once")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != 200 || !strings.Contains(w.Body.String(), `"reference":"RF18","payment_date":"2024-05-01T00:00:00Z","recorded_by":"user:1"`) ||
				!strings.HasSuffix(w.Body.String(), `"invoice_status":"pending"}`) || (w.Header().Get("Idempotent-Replayed") == "true") != (n == 1) {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
		}
		sc.want(sc.superuser, "GET", id+"/payments", "", 200, `"status":"pending","currency":"USD","total_amount":1.0,"paid_amount":0.25,"due_amount":0.75,"payments":[{"id":`)
		sc.want(sc.superuser, "GET", id+"/payments?skip=1", "", 200, `"due_amount":0.75,"payments":[]}`)
		sc.want(sc.superuser, "POST", id+"/payments", `{"amount":2,"payment_method":"cash"}`, 200, `"applied":0.75,"credited":1.25,"payment_method":"cash"`)
		credits := fmt.Sprintf("/api/v1/organizations/%d/credits", sc.organization)
		for token, want := range map[string]string{sc.own: `[{"currency":"USD","balance":1.25}]`, sc.superuser: `[{"currency":"USD","balance":1.25}]`, sc.other: `{"detail":"Organization not found"}`} {
			if w := ask(s, "GET", credits, token, ""); w.Body.String() != want {
				t.Errorf("%d %s, want %s", w.Code, w.Body, want)
			}
		}
		if w := ask(s, "GET", "/api/v1/organizations/999999/credits", sc.superuser, ""); w.Code != 404 {
			t.Errorf("a missing organization: %d", w.Code)
		}
		sc.want(sc.superuser, "POST", id+"/credits", `{"amount":null}`, 400, `{"detail":"Cannot apply credit to an invoice with status: paid"}`)
	})
}

// With Stripe a page is promised and, once it is there, returned.
func TestCheckout_IsPromisedAndReturned(t *testing.T) {
	s := serverWithStripe(t)
	sc := newInvoiceScene(t, s) // whose page has ended
	path := fmt.Sprintf("/%d/checkout", sc.invoice)
	sc.want(sc.superuser, "POST", path, "", 200, fmt.Sprintf(`{"status":"requested","invoice_id":%d,"stripe_checkout_session_id":null,"stripe_payment_link":null,"expires_at":null}`, sc.invoice))
	jobs, err := s.db.Jobs(t.Context(), "waiting", xyra.JobStripeCheckout, 0, 10)
	if err != nil || len(jobs) == 0 || string(jobs[0].Args) != fmt.Sprintf(`{"invoice_id":%d}`, sc.invoice) {
		t.Errorf("%v, %+v", err, jobs)
	}
	sc.want(sc.superuser, "POST", fmt.Sprintf("/%d/pay", sc.invoice), `{"payment_method":"x"}`, 200, `"paid"`)
	sc.want(sc.superuser, "POST", path, "", 400, `{"detail":"Cannot check out an invoice with status: paid"}`)
}

func serverWithStripe(t *testing.T) *Server {
	target := storetest.SQLite(t)
	target.Now, target.Stripe = time.Now, true
	return newServer(t, storetest.Open(t, target), Options{})
}
