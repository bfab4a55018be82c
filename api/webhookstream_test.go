package api

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"xyra/billing"
	"xyra/store"
	"xyra/store/storetest"
)

// parcel is one request to the webhook, and whether it is Stripe's.
type parcel struct {
	body, signature string
	genuine         bool
}

func (p parcel) post(s *Server) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/api/v1/invoices/stripe/webhook", strings.NewReader(p.body))
	r.Header.Set("Stripe-Signature", p.signature)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func signedAt(secret, body string, at time.Time) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return "t=" + stamp + ",v1=" + stripeSignature(secret, stamp, body)
}

// parcels are a payment of 1 USD of which 40 cents are refunded and 30 disputed, told twice and out of order, between requests
// of others who would like to be believed.
func parcels(random *rand.Rand, session string, now time.Time) (list []parcel) {
	event := func(id, kind, object string) string {
		return fmt.Sprintf(`{"id":"evt_%s_%s","type":"%s","data":{"object":{%s}}}`, id, session, kind, object)
	}
	pi := fmt.Sprintf(`"payment_intent":"pi_%s","currency":"usd"`, session)
	genuine := []string{
		event("1", "checkout.session.completed", fmt.Sprintf(`"id":"%s","payment_status":"unpaid","amount_total":100,%s`, session, pi)),
		event("2", "checkout.session.async_payment_succeeded", fmt.Sprintf(`"id":"%s","payment_status":"paid","amount_total":100,%s`, session, pi)),
		event("3", "charge.refunded", fmt.Sprintf(`"id":"ch_%s","amount_refunded":10,%s`, session, pi)),
		event("4", "charge.refunded", fmt.Sprintf(`"id":"ch_%s","amount_refunded":40,%s`, session, pi)),
		event("5", "charge.dispute.created", fmt.Sprintf(`"id":"dp_%s","charge":"ch_%s","status":"needs_response","amount":30,%s`, session, session, pi)),
		event("6", "charge.dispute.closed", fmt.Sprintf(`"id":"dp_%s","charge":"ch_%s","status":"lost","amount":30,%s`, session, session, pi)),
		event("7", "checkout.session.expired", fmt.Sprintf(`"id":"%s"`, session)),
		event("8", "checkout.session.completed", `"id":"cs_of_another","payment_status":"paid","amount_total":100,"currency":"usd","payment_intent":"pi_other"`),
	}
	for _, body := range append(genuine, genuine...) {
		list = append(list, parcel{body, signedAt(stripeSecret, body, now), true})
	}
	more := event("9", "checkout.session.completed", fmt.Sprintf(`"id":"%s","payment_status":"paid","amount_total":99900,%s`, session, pi))
	back := event("10", "charge.dispute.closed", fmt.Sprintf(`"id":"dp_%s","charge":"ch_%s","status":"won","amount":30,%s`, session, session, pi))
	for _, body := range []string{more, back} {
		list = append(list, parcel{body, signedAt("whsec_guessed", body, now), false}, parcel{body, signedAt(stripeSecret, body, now.Add(-301*time.Second)), false},
			parcel{body, signedAt(stripeSecret, body, now.Add(10*time.Minute)), false}, parcel{body, signedAt(stripeSecret, body+" ", now), false}, parcel{body, "", false},
			parcel{body, strings.Replace(signedAt(stripeSecret, body, now), "v1=", "v0=", 1), false})
	}
	random.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	return list
}

// Of a stream that is shuffled, doubled and full of forgeries, sent to two replicas at once, the signed events count once.
func TestWebhook_ConcurrentStreamsCountSignedEventsOnce(t *testing.T) {
	rounds := 4
	if os.Getenv("XYRA_TEST_LONG") != "" {
		rounds = 150
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = time.Now
		first, second := storetest.Open(t, target), storetest.Open(t, target)
		replicas := []*Server{newServer(t, first, Options{WebhookSecret: stripeSecret}), newServer(t, second, Options{WebhookSecret: stripeSecret})}
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		for n := range rounds {
			session := fmt.Sprint("cs_stream_", n)
			id := withCheckout(t, replicas[0], session)
			queue := make(chan parcel, 100)
			for _, p := range parcels(random, session, time.Now()) {
				queue <- p
			}
			close(queue)
			var senders sync.WaitGroup
			for k := range 4 {
				senders.Go(func() {
					for p := range queue {
						if w := p.post(replicas[k%2]); (w.Code == http.StatusOK) != p.genuine || !p.genuine && w.Body.String() != `{"detail":"Invalid signature"}` {
							t.Errorf("%s: %d %s", p.body, w.Code, w.Body)
						}
					}
				})
			}
			senders.Wait()
			i, err := first.InvoiceAnywhere(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			settled, err := first.Settlement(t.Context(), i.Organization, id, "USD")
			if err != nil || i.Status != "paid" || settled.Applied.Plain() != "0.3" || !settled.Credited.IsZero() {
				t.Fatalf("round %d: %s, %+v, %v", n, i.Status, settled, err)
			}
		}
		if faults, err := billing.Verify(t.Context(), first); err != nil || len(faults) > 0 {
			t.Errorf("%v, %v", faults, err)
		}
	})
}
