package stripe_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is an account at Stripe, with the memory that stripe-mock does not have: it knows its customers and sessions,
// answers a repeated idempotency key as the first time, and breaks down as told.
type fake struct {
	*httptest.Server
	t         *testing.T
	now       func() time.Time
	mu        sync.Mutex
	customers map[string]map[string]string
	made      int // customers, those that were deleted included
	sessions  map[string]*fakeSession
	answers   map[string]fakeAnswer // by idempotency key
	calls     []string
	status    int  // answered to every call; 0: as it should
	lose      int  // so many answers are lost after their effect
	hang      bool // no answer at all until the client gives up
}

type fakeSession struct {
	status, payment string
	form            map[string]string
	expires         time.Time
}

type fakeAnswer struct {
	request string
	status  int
	body    string
}

func newFake(t *testing.T, now func() time.Time) *fake {
	f := &fake{t: t, now: now, customers: map[string]map[string]string{}, sessions: map[string]*fakeSession{}, answers: map[string]fakeAnswer{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// ServeHTTP answers one call.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil { // all of it, or the server would not see the client leave
		f.t.Error(err)
	}
	f.mu.Lock()
	hang := f.hang
	f.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return
	}
	form := map[string]string{}
	for name := range r.PostForm {
		form[name] = r.PostForm.Get(name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	call := r.Method + " " + path
	f.calls = append(f.calls, call)
	if r.Header.Get("X-Stripe-Client-Telemetry") != "" || r.Header.Get("Authorization") != "Bearer sk_test_123" {
		f.t.Errorf("%s: headers %v", call, r.Header)
	}
	key := r.Header.Get("Idempotency-Key")
	if r.Method == http.MethodPost && key == "" {
		f.t.Errorf("%s without an idempotency key", call)
	}
	if f.status != 0 {
		w.WriteHeader(f.status)
		fmt.Fprintf(w, `{"error":{"type":"api_error","message":"told to fail"}}`)
		return
	}
	request := fmt.Sprint(call, form)
	answer, repeated := f.answers[key]
	if repeated && key != "" && answer.request != request {
		answer = fakeAnswer{status: 400, body: `{"error":{"type":"idempotency_error","message":"other parameters"}}`}
		f.t.Errorf("%s reuses the key %s", call, key)
	} else if !repeated || key == "" {
		answer.request = request
		answer.status, answer.body = f.act(r.Method, strings.Split(strings.Trim(path, "/"), "/"), form)
		if key != "" {
			f.answers[key] = answer
		}
	}
	if f.lose > 0 {
		f.lose--
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(answer.status)
	fmt.Fprint(w, answer.body)
}

func (f *fake) act(method string, path []string, form map[string]string) (int, string) {
	missing := func() (int, string) {
		return 404, `{"error":{"type":"invalid_request_error","code":"resource_missing","message":"no such thing"}}`
	}
	if path[0] == "customers" {
		if len(path) == 1 {
			f.made++
			id := fmt.Sprintf("cus_%d", f.made)
			f.customers[id] = form
			return f.ok(map[string]any{"id": id, "object": "customer"})
		}
		customer, known := f.customers[path[1]]
		if !known {
			return missing()
		}
		if method == http.MethodDelete {
			delete(f.customers, path[1])
			return f.ok(map[string]any{"id": path[1], "deleted": true})
		}
		for name, value := range form {
			customer[name] = value
		}
		return f.ok(map[string]any{"id": path[1], "object": "customer"})
	}
	if len(path) == 2 {
		if _, known := f.customers[form["customer"]]; !known {
			return 400, `{"error":{"type":"invalid_request_error","message":"no such customer"}}`
		}
		if refusal := outOfBounds(form["line_items[0][price_data][currency]"], form["line_items[0][price_data][unit_amount]"]); refusal != "" {
			return 400, refusal
		}
		id := fmt.Sprintf("cs_test_%d", len(f.sessions)+1)
		f.sessions[id] = &fakeSession{status: "open", payment: "unpaid", form: form, expires: f.now().Add(24 * time.Hour)}
		return f.show(id)
	}
	s, known := f.sessions[path[2]]
	if !known {
		return missing()
	}
	if s.status == "open" && !f.now().Before(s.expires) {
		s.status = "expired"
	}
	if len(path) == 4 {
		if s.status != "open" {
			return 400, `{"error":{"type":"invalid_request_error","message":"Only Checkout Sessions with a status in [\"open\"] can be expired."}}`
		}
		s.status = "expired"
	}
	return f.show(path[2])
}

// least are the smallest amounts of some currencies, in Stripe's units, as https://docs.stripe.com/currencies lists them.
var least = map[string]int{"usd": 50, "eur": 50, "gbp": 30, "huf": 17500, "jpy": 50, "czk": 1500}

// outOfBounds is how Stripe refuses an amount that is too small or has more than eight digits, or one with a digit that the
// currency does not have.
func outOfBounds(currency, amount string) string {
	units, err := strconv.Atoi(amount)
	refuse := func(code, text string) string {
		return fmt.Sprintf(`{"error":{"type":"invalid_request_error","code":"%s","message":"%s"}}`, code, text)
	}
	switch {
	case err != nil || len(amount) > 8:
		return refuse("amount_too_large", "The Checkout Session's total amount must be no more than 99999999")
	case units < least[currency]:
		return refuse("amount_too_small", "The Checkout Session's total amount due must add up to at least the minimum")
	case slices.Contains([]string{"isk", "ugx"}, currency) && units%100 != 0, slices.Contains([]string{"bhd", "jod", "kwd", "omr", "tnd"}, currency) && units%10 != 0:
		return refuse("invalid_request_error", "Invalid integer")
	}
	return ""
}

func (f *fake) show(id string) (int, string) {
	s := f.sessions[id]
	var amount int64
	if _, err := fmt.Sscan(s.form["line_items[0][price_data][unit_amount]"], &amount); err != nil {
		f.t.Errorf("amount of %s: %v", id, err)
	}
	answer := map[string]any{"id": id, "object": "checkout.session", "status": s.status, "payment_status": s.payment, "expires_at": s.expires.Unix(),
		"url": "https://checkout.stripe.com/c/pay/" + id, "amount_total": amount, "currency": s.form["line_items[0][price_data][currency]"]}
	if s.status == "complete" {
		answer["payment_intent"] = "pi_" + id
	}
	return f.ok(answer)
}

func (f *fake) ok(v any) (int, string) {
	body, err := json.Marshal(v)
	if err != nil {
		f.t.Error(err)
	}
	return 200, string(body)
}

// tell changes how the account behaves.
func (f *fake) tell(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// pay is the customer on the page of a session.
func (f *fake) pay(id, payment string) {
	f.tell(func(f *fake) { f.sessions[id].status, f.sessions[id].payment = "complete", payment })
}

// taken returns the calls since the last time.
func (f *fake) taken() (calls string) {
	f.tell(func(f *fake) { calls, f.calls = strings.Join(f.calls, ", "), nil })
	return calls
}
