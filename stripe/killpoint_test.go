package stripe_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/catalog"
	"xyra/jobs"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/stripe"
)

func gatewayRunner(g *stripe.Gateway, db *store.DB) *jobs.Runner {
	kinds := map[string]jobs.Kind{}
	for name, handle := range g.Handlers() {
		kinds[name] = jobs.Kind{Handle: handle}
	}
	return jobs.New(db, jobs.Options{Kinds: kinds})
}

// stepping is the way to Stripe inside a process that dies: a step before each call leaves, and one when Stripe has obeyed and
// its answer has not arrived.
func stepping(t *testing.T, e *storetest.Envoy, address string) string {
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	way := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			e.Step("call " + r.In.Method)
			r.SetURL(target)
		},
		ModifyResponse: func(r *http.Response) error {
			e.Step("answer to " + r.Request.Method)
			return nil
		},
	})
	t.Cleanup(way.Close)
	return way.URL
}

// A process that is killed at any step of bringing Stripe to what the books say, before a call, after a call or while it
// writes down the answer, leaves that to another one; and Stripe has then each customer and each page once.
func TestMirror_KilledAtAnyStepMakesEachObjectOnce(t *testing.T) {
	if storetest.OnErrand(t, func(e *storetest.Envoy) {
		var address string
		e.ReadArgs(&address)
		db := e.Open(nil)
		r := gatewayRunner(newGateway(t, db, stepping(t, e, address)), db)
		e.Begin()
		if err := r.RunDue(t.Context()); err != nil {
			t.Error(err)
		}
	}) {
		return
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) { storetest.EachDeath(t, target, 3, mirrorKilled) })
}

// mirrorKilled has three organizations: one that Stripe does not know, one that has changed since, and one that has gone.
func mirrorKilled(t *testing.T, e storetest.Errand) storetest.Fate {
	w := &world{t: t, clock: storetest.NewClock(storetest.Start)}
	target := store.Options{Path: e.Path, URL: e.URL, Stripe: true, Now: w.clock.Now}
	w.db = storetest.Open(t, target)
	w.fake = newFake(t, w.clock.Now)
	w.gateway = newGateway(t, w.db, w.fake.URL)
	w.open("Gone")
	w.open("Owing")
	bills := []xyra.Invoice{w.bill("USD", "10"), w.bill("USD", "10")}
	w.mustWork()
	w.archive(w.org - 1)
	w.rename("Renamed")
	w.cancel(bills[0].ID)
	w.pay(bills[1].ID, "4")
	w.open("New")
	bills = append(bills, w.bill("USD", "10"))
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	e.Stripe, e.Now, e.Args = true, w.clock.Now(), w.fake.URL
	fate := storetest.Send(t, e).Wait()

	w.clock.Advance(2 * time.Hour)
	w.db = storetest.Open(t, target)
	if err := gatewayRunner(newGateway(t, w.db, w.fake.URL), w.db).RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := w.atStripe(bills), "New, Renamed; bill 0: 10 expired; bill 1: 10 expired, 6 open; bill 2: 10 open"; got != want {
		t.Errorf("Stripe has %s, want %s", got, want)
	}
	for n, i := range bills[1:] { // the first is cancelled
		if page := w.session(i.ID); page == "" || w.fake.sessions[page].status != "open" {
			t.Errorf("bill %d has the page %q", n+1, page)
		}
	}
	list, err := w.db.Jobs(t.Context(), "", "", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range list {
		if j.State != xyra.JobDone || j.Attempt > 2 {
			t.Errorf("left behind: %+v", j)
		}
	}
	return fate
}

// open adds an organization, which is the world's from now on.
func (w *world) open(name string) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		o, err := catalog.CreateOrganization(ctx, tx, operator, organization(name))
		w.org = o.ID
		return err
	})
}

func (w *world) archive(id xyra.OrganizationID) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := catalog.DeleteOrganization(ctx, tx, operator, id)
		return err
	})
}

// atStripe is what the account holds: its customers by name, and the pages of each bill.
func (w *world) atStripe(bills []xyra.Invoice) (text string) {
	w.fake.tell(func(f *fake) {
		var names []string
		for _, c := range f.customers {
			names = append(names, c["name"])
		}
		slices.Sort(names)
		text = strings.Join(names, ", ")
		for n, i := range bills {
			var pages []string
			for _, s := range f.sessions {
				if s.form["client_reference_id"] == fmt.Sprint(i.ID) {
					pages = append(pages, strings.TrimSuffix(s.form["line_items[0][price_data][unit_amount]"], "00")+" "+s.status)
				}
			}
			slices.Sort(pages)
			text += fmt.Sprintf("; bill %d: %s", n, strings.Join(pages, ", "))
		}
	})
	return text
}
