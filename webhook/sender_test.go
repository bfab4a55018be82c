package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"xyra"
	"xyra/jobs"
	"xyra/notice"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/webhook"
)

// verified checks a request as a receiver does, by the library of Standard Webhooks; its clock is the real one, so the age is
// looked at here.
func verified(t *testing.T, g got, secret string, at time.Time) bool {
	t.Helper()
	if stamp := g.header.Get("Webhook-Timestamp"); stamp != fmt.Sprint(at.Unix()) {
		t.Errorf("timestamp %s, want %d", stamp, at.Unix())
	}
	return verifiedEver(t, g, secret)
}

// verifiedEver checks a request of whatever time.
func verifiedEver(t *testing.T, g got, secret string) bool {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return verifier.VerifyIgnoringTimestamp(g.body, g.header) == nil
}

func TestDeliver_IsVerifiedByAnIndependentReader(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		rc := newReceiver(t, accepting)
		w := newWorld(t, db, clock, inner(rc.Server))
		e, secret := w.endpoint(rc.URL + "/hook?x=1")
		other, _ := w.endpoint(rc.URL + "/other")
		w.announce()
		w.run(w.runner())
		seen := rc.requests()
		if len(seen) != 2 || seen[0].header.Get("Webhook-Id") != seen[1].header.Get("Webhook-Id") {
			t.Fatalf("%d requests, want one for each endpoint under the same id", len(seen))
		}
		count := 0
		for _, g := range seen {
			if verified(t, g, secret, clock.Now()) {
				count++
			}
			if want := `{"type":"invoice.paid","timestamp":"2024-05-15T12:00:00Z","data":{"id":7}}`; string(g.body) != want {
				t.Errorf("body %s, want %s", g.body, want)
			}
			for name, want := range map[string]string{"Content-Type": "application/json", "User-Agent": "Xyra-Webhooks/1", "Accept-Encoding": "", "Authorization": ""} {
				if got := g.header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		}
		if count != 1 {
			t.Errorf("%d requests are signed with the endpoint's secret, want its own alone", count)
		}
		forged := got{header: seen[0].header.Clone(), body: append(seen[0].body[:len(seen[0].body)-1:len(seen[0].body)-1], ' ', '}')}
		if verified(t, forged, secret, clock.Now()) {
			t.Error("a changed body is verified")
		}
		for _, of := range []xyra.WebhookEndpoint{e, other} {
			if d := w.deliveries(of)[0]; d.State != xyra.WebhookDelivered || *d.LastStatus != 204 || d.Attempts != 1 || d.NextAttempt != nil {
				t.Errorf("delivery %+v", d)
			}
		}
	})
}

// For a day after a rotation both secrets sign, then the new one alone.
func TestDeliver_RotatedSecretsOverlap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		rc := newReceiver(t, accepting)
		w := newWorld(t, db, clock, inner(rc.Server))
		e, first := w.endpoint(rc.URL)
		second, err := w.desk.NewSecret()
		if err != nil {
			t.Fatal(err)
		}
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := w.desk.RotateSecret(ctx, tx, root, e.ID, second)
			return err
		})
		r := w.runner()
		for step, want := range map[time.Duration][2]bool{0: {true, true}, xyra.WebhookOverlap - time.Second: {true, true}, xyra.WebhookOverlap: {false, true}} {
			clock.Set(storetest.Start.Add(step))
			w.announce()
			w.run(r)
			seen := rc.requests()
			last := seen[len(seen)-1]
			if got := [2]bool{verified(t, last, first, clock.Now()), verified(t, last, second, clock.Now())}; got != want {
				t.Errorf("%s after the rotation: old and new secret verify %v, want %v (%s)", step, got, want, last.header.Get("Webhook-Signature"))
			}
		}
	})
}

// A receiver that fails thirty times gets the message the next time, under the same id, and others are not kept waiting.
func TestDeliver_GoesOnAfterThirtyFailures(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		rc := newReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
			if n <= 30 {
				w.WriteHeader([]int{500, 503, 404, 429, 301}[n%5])
			}
		})
		w := newWorld(t, db, clock, inner(rc.Server))
		e, secret := w.endpoint(rc.URL)
		w.announce()
		r := w.runner()
		for range 200 {
			w.run(r)
			d := w.deliveries(e)[0]
			if d.State != xyra.WebhookPending {
				break
			}
			clock.Set(d.NextAttempt.Add(time.Second))
		}
		seen, d := rc.requests(), w.deliveries(e)[0]
		if len(seen) != 31 || d.State != xyra.WebhookDelivered || d.Attempts != 31 || clock.Now().Sub(d.CreatedAt) > 3*24*time.Hour {
			t.Fatalf("%d requests in %s: %+v", len(seen), clock.Now().Sub(d.CreatedAt), d)
		}
		last := seen[30]
		if last.header.Get("Webhook-Id") != seen[0].header.Get("Webhook-Id") || !bytes.Equal(last.body, seen[0].body) || !verified(t, last, secret, clock.Now()) {
			t.Error("the last attempt is not the message of the first")
		}
	})
}

// After three days a delivery is given up; a person sends it again under the same message id.
func TestDeliver_GivesUpAfterThreeDaysAndIsReplayed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		works := false
		rc := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			if !works {
				w.WriteHeader(500)
			}
		})
		w := newWorld(t, db, clock, inner(rc.Server))
		e, _ := w.endpoint(rc.URL)
		w.announce()
		r := w.runner()
		for range 200 {
			w.run(r)
			d := w.deliveries(e)[0]
			if d.State != xyra.WebhookPending {
				break
			}
			clock.Set(d.NextAttempt.Add(time.Second))
		}
		d := w.deliveries(e)[0]
		if took := clock.Now().Sub(d.CreatedAt); d.State != xyra.WebhookFailed || took > 3*24*time.Hour || took < 2*24*time.Hour+20*time.Hour {
			t.Fatalf("after %s: %+v", took, d)
		}
		works = true
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := notice.ReplayDelivery(ctx, tx, root, e.ID, d.ID)
			return err
		})
		w.run(r)
		list, seen := w.deliveries(e), rc.requests()
		if len(list) != 2 || list[1].State != xyra.WebhookDelivered || list[1].ReplayOf != d.ID || list[1].Message != d.Message || list[0].State != xyra.WebhookFailed {
			t.Errorf("replayed: %+v", list)
		}
		if last := seen[len(seen)-1]; last.header.Get("Webhook-Id") != d.Message || !bytes.Equal(last.body, seen[0].body) {
			t.Error("the replay is another message")
		}
	})
}

func TestDeliver_GoneDisablesTheEndpoint(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		rc := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
		w := newWorld(t, db, clock, inner(rc.Server))
		e, _ := w.endpoint(rc.URL)
		w.announce()
		w.announce()
		w.run(w.runner())
		w.announce()
		now, err := db.WebhookEndpoint(t.Context(), w.org, e.ID)
		if err != nil || now.IsActive || now.DisabledReason == nil {
			t.Errorf("%+v, %v", now, err)
		}
		list := w.deliveries(e)
		if len(rc.requests()) != 1 || len(list) != 2 || list[0].State != xyra.WebhookDiscarded || list[1].State != xyra.WebhookDiscarded {
			t.Errorf("%d requests, %+v", len(rc.requests()), list)
		}
	})
}

// What was committed is sent though the process died before it could send: also when it died after it had taken the job up.
func TestDeliver_KilledBetweenCommitAndSendIsSentByAnother(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(storetest.Start)
		target.Now = clock.Now
		rc := newReceiver(t, accepting)
		dead, alive := storetest.Open(t, target), storetest.Open(t, target)
		w := newWorld(t, dead, clock, inner(rc.Server))
		w.endpoint(rc.URL)
		undone := errors.New("undone")
		err := dead.Tx(t.Context(), func(tx *store.Tx) error {
			tx.Announce(xyra.NewNotice(xyra.NoticeInvoicePaid, w.org, map[string]int{"id": 1}))
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		const count = 20
		for range count {
			w.announce()
		}
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.UpdateJobsClaimed(ctx, xyra.JobWebhook, webhook.Timeout, count/2)
			return err
		})
		w.db = alive
		r := w.runner()
		w.run(r)
		clock.Advance(webhook.Timeout)
		w.run(r)
		w.run(w.runner()) // nothing is left
		ids := map[string]int{}
		for _, g := range rc.requests() {
			ids[g.header.Get("Webhook-Id")]++
		}
		if len(ids) != count || len(rc.requests()) != count {
			t.Errorf("%d messages in %d requests, want %d", len(ids), len(rc.requests()), count)
		}
	})
}

// One endpoint that never answers keeps fifty others from nothing, however much it is sent.
func TestDeliver_ConcurrentDeadEndpointDelaysNoOther(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = time.Now
		db := storetest.Open(t, target)
		release := make(chan struct{})
		dead := newReceiver(t, func(int, http.ResponseWriter, *http.Request) { <-release })
		t.Cleanup(func() { close(release) }) // before the receiver is closed
		arrived := make(chan string, 1000)
		live := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) { arrived <- r.URL.Path })
		clock := storetest.NewClock(time.Now())
		w := newWorld(t, db, clock, inner(dead.Server, live.Server))
		w.options.Now = time.Now
		w.endpoint(dead.URL)
		homes := []*world{w}
		for n := range 3 { // an organization has 20 endpoints at most
			h := *w
			h.tx(func(ctx context.Context, tx *store.Tx) (err error) {
				h.org, err = tx.InsertOrganization(ctx, xyra.Organization{Name: fmt.Sprint(n), Status: "active", Timezone: "UTC", Settings: []byte(`{}`), Currency: "USD"})
				return err
			})
			homes = append(homes, &h)
		}
		for n := range 50 {
			homes[n%3+1].endpoint(fmt.Sprint(live.URL, "/", n))
		}
		for range 40 { // first, so that all workers would wait for it
			w.announce()
		}
		for _, h := range homes[1:] {
			h.announce()
		}
		r := w.runner()
		began := time.Now()
		r.Start()
		seen := map[string]bool{}
		late := time.After(time.Minute) // a bound for slow machines; what counts is how many wait for the dead one
		for len(seen) < 50 {
			select {
			case path := <-arrived:
				seen[path] = true
			case <-late:
				t.Fatalf("%d of 50 live endpoints were reached in %s", len(seen), time.Since(began))
			}
		}
		if n, took := len(dead.requests()), time.Since(began); n > 1+int(took/(10*time.Second)) { // an attempt takes so long
			t.Errorf("in %s %d workers have waited for the dead endpoint: more than one at once", took, n)
		}
		over, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := r.Stop(over); err != nil {
			t.Error(err)
		}
	})
}

// No log line, job or delivery holds a secret or the path of an address.
func TestDeliver_ToldNobodyTheSecret(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		var text bytes.Buffer
		log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
		gone := httptest.NewServer(http.NotFoundHandler())
		w := newWorld(t, db, clock, inner(gone))
		w.options.Log = log
		e, secret := w.endpoint(gone.URL + "/canary-path")
		gone.Close()
		w.announce()
		sender := webhook.New(db, w.desk, w.options)
		r := jobs.New(db, jobs.Options{Log: log, Kinds: map[string]jobs.Kind{xyra.JobWebhook: {Handle: sender.Deliver}}})
		w.run(r)
		list, err := db.Jobs(t.Context(), "", "", 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		d := w.deliveries(e)[0]
		if d.State != xyra.WebhookPending || *d.LastError != "no connection, or no proper answer" || d.LastStatus != nil {
			t.Errorf("delivery %+v", d)
		}
		all := text.String() + fmt.Sprintf("%+v %+v", list, d) + string(e.Secret) + list[0].LastError
		for _, canary := range []string{secret, strings.TrimPrefix(secret, "whsec_"), "canary-path"} {
			if strings.Contains(all, canary) {
				t.Errorf("%q is in %s", canary, all)
			}
		}
		if !strings.Contains(list[0].LastError, "refused") {
			t.Errorf("the operator reads %q", list[0].LastError)
		}
	})
}
