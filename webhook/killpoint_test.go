package webhook_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/jobs"
	"xyra/notice"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/webhook"
)

// post is what a process that delivers must know.
type post struct{ Port uint16 }

// receiverName is the name by which a process looks for the receiver, which is a step of its own.
const receiverName = "receiver.example"

// delivering delivers all that is due in a process of its own.
func delivering(t *testing.T) bool {
	return storetest.OnErrand(t, func(e *storetest.Envoy) {
		var p post
		e.ReadArgs(&p)
		db := e.Open(nil)
		r := killRunner(t, db, p, func() time.Time { return e.Now }, func() { e.Step("look up") })
		e.Begin()
		if err := r.RunDue(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func killRules(p post) notice.Rules {
	rules := inner()
	rules.Ports = append(rules.Ports, p.Port)
	return rules
}

func killRunner(t *testing.T, db *store.DB, p post, now func() time.Time, looked func()) *jobs.Runner {
	t.Helper()
	desk, err := notice.New([]byte("secret of the tests"), killRules(p), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(context.Context, string) ([]netip.Addr, error) {
		looked()
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	sender := webhook.New(db, desk, webhook.Options{Workers: 8, Now: now, Lookup: lookup})
	return jobs.New(db, jobs.Options{Kinds: map[string]jobs.Kind{xyra.JobWebhook: {Handle: sender.Deliver, Timeout: webhook.Timeout}}})
}

// Promise 19: a process that is killed at any step of a delivery leaves it to another one. Every receiver has every message,
// and the one that was on its way at most twice, under one id.
func TestDeliver_KilledAtAnyStepIsDeliveredByAnother(t *testing.T) {
	if delivering(t) {
		return
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		storetest.EachDeath(t, target, 2, func(t *testing.T, e storetest.Errand) storetest.Fate { return deliverKilled(t, e, 0) })
		messages := []int{1 + mathrand.IntN(6)}
		if os.Getenv("XYRA_TEST_LONG") != "" {
			messages = []int{1, 2, 3, 4, 5, 6}
		}
		for _, n := range messages {
			t.Run(fmt.Sprintf("dies while message %d is answered", n), func(t *testing.T) {
				empty := storetest.Another(t, target)
				if fate := deliverKilled(t, storetest.Errand{Path: empty.Path, URL: empty.URL}, n); !fate.Killed {
					t.Error("it lives")
				}
			})
		}
	})
}

// deliverKilled has three notices told to two endpoints by a process that dies on its errand, or when its message number
// killAt has arrived and is not answered yet.
func deliverKilled(t *testing.T, e storetest.Errand, killAt int) storetest.Fate {
	running := make(chan *storetest.Process, 1)
	rc := newReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n != killAt {
			accepting(n, w, r)
			return
		}
		(<-running).Kill()
		<-r.Context().Done()
	})
	clock := storetest.NewClock(storetest.Start)
	target := store.Options{Path: e.Path, URL: e.URL, Now: clock.Now}
	p := post{portOf(rc.Server)}
	w := newWorld(t, storetest.Open(t, target), clock, killRules(p))
	var endpoints []xyra.WebhookEndpoint
	for n := range 2 {
		endpoint, _ := w.endpoint(fmt.Sprintf("http://%s:%d/%d", receiverName, p.Port, n))
		endpoints = append(endpoints, endpoint)
	}
	const notices = 3
	for range notices {
		w.announce()
	}
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	e.Now, e.Args = clock.Now(), p
	process := storetest.Send(t, e)
	running <- process
	fate := process.Wait()

	clock.Advance(time.Hour) // every lease has passed
	w.db = storetest.Open(t, target)
	w.run(killRunner(t, w.db, p, clock.Now, func() {}))
	for _, of := range endpoints {
		for _, d := range w.deliveries(of) {
			if d.State != xyra.WebhookDelivered {
				t.Errorf("left behind: %+v", d)
			}
		}
	}
	checkReceived(t, rc, notices*len(endpoints), fate.Killed)
	return fate
}

// checkReceived expects so many messages, and one of them twice at most if their sender was killed.
func checkReceived(t *testing.T, rc *receiver, want int, killed bool) {
	t.Helper()
	bodies, twice := map[string]string{}, 0
	for _, g := range rc.requests() {
		key := g.header.Get("Webhook-Id") + g.path
		if body, seen := bodies[key]; seen {
			twice++
			if body != string(g.body) {
				t.Errorf("%s is %s, and then %s", key, body, g.body)
			}
		}
		bodies[key] = string(g.body)
		if !strings.HasPrefix(key, "msg_") {
			t.Errorf("the id is %q", key)
		}
	}
	if len(bodies) != want || twice > 1 || twice == 1 && !killed {
		t.Errorf("%d messages, want %d; %d arrived twice", len(bodies), want, twice)
	}
}
