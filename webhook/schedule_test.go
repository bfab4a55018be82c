package webhook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/notice"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/webhook"
)

// shipment is what a process is sent to announce and send, and where to.
type shipment struct {
	Organization xyra.OrganizationID
	Port         uint16
	Messages     int
}

func (s shipment) rules() notice.Rules {
	return notice.Rules{AllowHTTP: true, Ports: []uint16{s.Port}, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

// numberOf is the number that a message was announced under.
func numberOf(t *testing.T, body []byte) int {
	t.Helper()
	var message struct{ Data struct{ ID int } }
	if err := json.Unmarshal(body, &message); err != nil {
		t.Fatal(err)
	}
	return message.Data.ID
}

func (w *world) announceNumber(n int) {
	w.t.Helper()
	w.tx(func(_ context.Context, tx *store.Tx) error {
		tx.Announce(xyra.NewNotice(xyra.NoticeInvoicePaid, w.org, map[string]int{"id": n}))
		return nil
	})
}

// A process that is killed after any step of announcing, claiming, sending and writing down leaves every committed message to
// another one, which sends it: none is lost, and none is sent that was not committed.
func TestDeliver_KilledAtAnyStepIsSentByAnother(t *testing.T) {
	if storetest.OnErrand(t, func(e *storetest.Envoy) {
		var s shipment
		e.ReadArgs(&s)
		w := worldOf(t, e.Open(nil), storetest.NewClock(e.Now), s.rules())
		w.org = s.Organization
		e.Begin()
		for n := range s.Messages {
			w.announceNumber(n)
			e.Say(fmt.Sprint(n))
		}
		w.run(w.runner())
	}) {
		return
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) { storetest.EachDeath(t, target, 3, shipmentKilled) })
}

func shipmentKilled(t *testing.T, e storetest.Errand) storetest.Fate {
	clock := storetest.NewClock(storetest.Start)
	rc := newReceiver(t, accepting)
	s := shipment{Port: portOf(rc.Server), Messages: 2}
	open := func() *store.DB { return storetest.Open(t, store.Options{Path: e.Path, URL: e.URL, Now: clock.Now}) }
	w := newWorld(t, open(), clock, s.rules())
	endpoint, secret := w.endpoint(rc.URL)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	s.Organization = w.org
	e.Now, e.Args = clock.Now(), s
	fate := storetest.Send(t, e).Wait()

	w.db = open()
	w.run(w.runner())
	clock.Advance(time.Hour) // the dead process's leases have passed
	w.run(w.runner())
	var committed, sent []int
	for _, d := range w.deliveries(endpoint) {
		if d.State != xyra.WebhookDelivered {
			t.Errorf("after %s: %+v", fate.Last(), d)
		}
		committed = append(committed, numberOf(t, d.Payload))
	}
	ids := map[string]int{}
	for _, g := range rc.requests() {
		n := numberOf(t, g.body)
		if id := g.header.Get("Webhook-Id"); !slices.Contains(sent, n) {
			sent, ids[id] = append(sent, n), n
		} else if ids[id] != n {
			t.Errorf("message %d has two ids", n)
		}
		if stamp := g.header.Get("Webhook-Timestamp"); !verifiedEver(t, g, secret) || stamp == "" {
			t.Errorf("message %d is not signed", n)
		}
	}
	slices.Sort(sent)
	if !slices.Equal(sent, committed) {
		t.Errorf("after %s: %v were committed, %v sent", fate.Last(), committed, sent)
	}
	for n, said := range fate.Said {
		if !slices.Contains(committed, n) {
			t.Errorf("%s was answered for and is not there", said)
		}
	}
	return fate
}

// doing is what a receiver does with one request.
var doings = []int{http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusNotFound, http.StatusFound, 0}

// However often and in whatever way a receiver fails, the message comes at the times that are promised, with the same id and
// bytes, until it is taken or three days are over; what is given up is replayed.
func TestDeliver_SchedulesKeepTheirPromises(t *testing.T) {
	few := 3
	if os.Getenv("XYRA_TEST_LONG") != "" {
		few = 40
	}
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		for n := range few {
			failures := []int{0, 1, 30, 30 + random.IntN(12), random.IntN(60), 1000}[n%6]
			scheduled(t, db, clock, random, failures)
		}
	})
}

func scheduled(t *testing.T, db *store.DB, clock *storetest.Clock, random *rand.Rand, failures int) {
	t.Helper()
	var mu sync.Mutex
	var times []time.Time
	choices := rand.New(rand.NewPCG(random.Uint64(), 2)) // the receiver's own: it runs beside this
	rc := newReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		times = append(times, clock.Now())
		if n > failures {
			return
		}
		switch doing := doings[choices.IntN(len(doings))]; doing {
		case 0:
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(doing)
		}
	})
	w := newWorld(t, db, clock, inner(rc.Server))
	e, secret := w.endpoint(rc.URL)
	w.announce()
	begin, r := clock.Now(), w.runner()
	for range 500 {
		if w.run(r); w.deliveries(e)[0].State != xyra.WebhookPending {
			break
		}
		if random.IntN(4) == 0 {
			r = w.runner() // another process
		}
		clock.Set(due(t, db))
	}
	d, seen := w.deliveries(e)[0], rc.requests()
	mu.Lock()
	defer mu.Unlock()
	for n, at := range times[1:] {
		pause, promised := at.Sub(times[n]), min(5*time.Second<<min(n, 20), 2*time.Hour)
		// An endpoint that does not answer is given a rest of up to five minutes and a half besides.
		if pause < promised-promised/10 || pause > promised+promised/10+8*time.Minute {
			t.Errorf("pause %d is %s, want %s", n+1, pause, promised)
		}
	}
	for _, g := range seen {
		if !bytes.Equal(g.body, seen[0].body) || g.header.Get("Webhook-Id") != d.Message || !verifiedEver(t, g, secret) {
			t.Errorf("an attempt of %s is another message", d.Message)
		}
	}
	switch took := clock.Now().Sub(begin); {
	case d.State == xyra.WebhookDelivered:
		if len(seen) != failures+1 || d.Attempts != failures+1 || took > 3*24*time.Hour {
			t.Errorf("after %d failures: %d attempts in %s", failures, d.Attempts, took)
		}
	case d.State == xyra.WebhookFailed && failures > 40:
		if took > 3*24*time.Hour || took < 2*24*time.Hour+20*time.Hour || d.Attempts != len(seen) {
			t.Errorf("given up after %s and %d attempts of %d", took, d.Attempts, len(seen))
		}
		failures = 0
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := notice.ReplayDelivery(ctx, tx, root, e.ID, d.ID)
			return err
		})
		w.run(r)
		if again := w.deliveries(e)[1]; again.State != xyra.WebhookDelivered || again.Message != d.Message || len(rc.requests()) != len(seen)+1 {
			t.Errorf("replayed: %+v", again)
		}
	default:
		t.Errorf("after %d failures: %+v", failures, d)
	}
}

// due is when the next job of a delivery may be taken up.
func due(t *testing.T, db *store.DB) time.Time {
	t.Helper()
	list, err := db.Jobs(t.Context(), "waiting", xyra.JobWebhook, 0, 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d jobs wait: %v", len(list), err)
	}
	return list[0].RunAt
}

// What a receiver asks for by Retry-After is kept, within bounds.
func TestDeliver_KeepsThePauseThatReceiversAskFor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		for header, want := range map[string]time.Duration{"120": 2 * time.Minute, "1": 5 * time.Second, "999999": 2 * time.Hour, "-1": 5 * time.Second, "soon": 5 * time.Second,
			clock.Now().Add(time.Hour).Format(http.TimeFormat): time.Hour, clock.Now().Add(-time.Hour).Format(http.TimeFormat): 5 * time.Second} {
			rc := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", header)
				w.WriteHeader(http.StatusTooManyRequests)
			})
			w := newWorld(t, db, clock, inner(rc.Server))
			e, _ := w.endpoint(rc.URL)
			w.announce()
			w.run(w.runner())
			if pause := w.deliveries(e)[0].NextAttempt.Sub(clock.Now()); (pause - want).Abs() > want/10 {
				t.Errorf("%q: %s, want %s", header, pause, want)
			}
		}
	})
}

// The vector that Standard Webhooks publishes.
func TestSign_FitsThePublishedVector(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := webhook.Sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signed %s", got)
	}
}
