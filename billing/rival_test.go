package billing_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/store"
	"xyra/store/storetest"
)

// Promise 5: of eight who bill the same month at once over three replicas one makes the invoice, and the others are told its
// number.
func TestGenerate_ConcurrentRivalsAreToldTheOneInvoice(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = storetest.NewClock(storetest.Start).Now
		replicas := []*store.DB{storetest.Open(t, target), storetest.Open(t, target), storetest.Open(t, target)}
		w := newWorld(t, replicas[0], "USD", "UTC")
		model := w.model()
		version := w.version(model, xyra.ModelActivity, "2000-01-01", activity(t, "call", "0.5"))
		agent := w.agent("Desk", model, "")
		total := rounds(5, 200)
		for round := range total {
			period := xyra.NewPeriod(2000+round/12, time.Month(1+round%12))
			w.use(period, agent, version, 0, "USD", "4", "2")
			w.race(replicas, period)
		}
		list, err := w.db.InvoicesAfter(t.Context(), w.org, 0, total+1)
		if err != nil || len(list) != total {
			t.Fatalf("%d invoices of %d months, %v", len(list), total, err)
		}
		w.verify()
	})
}

// race has eight bill a month at once.
func (w *world) race(replicas []*store.DB, period xyra.Period) {
	w.t.Helper()
	const rivals = 8
	numbers, refusals := make([]string, rivals), make([]error, rivals)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for n := range rivals {
		all.Go(func() {
			<-begin
			refusals[n] = replicas[n%len(replicas)].Tx(w.t.Context(), func(tx *store.Tx) error {
				i, err := billing.Generate(w.t.Context(), tx, operator, billing.Issuer{Random: rand.Reader}, w.org, int64(period)/100, int64(period)%100, "")
				numbers[n] = i.Number
				return err
			})
		})
	}
	close(begin)
	all.Wait()
	winner := slices.Index(refusals, nil)
	if winner < 0 {
		w.t.Fatalf("%s: nobody made it: %v", period, refusals)
	}
	text := fmt.Sprintf("Invoice %s already exists for organization with ID %d, period %s and currency USD", numbers[winner], w.org, period)
	for n, err := range refusals {
		if n != winner {
			wantRefusal(w.t, err, xyra.CodeConflict, text)
		}
	}
}

// load is what a process is sent to create: so many invoices by so many creators at once, for one organization after the other.
type load struct {
	Organizations []xyra.OrganizationID
	Creators      int
	Invoices      int
}

var errUndone = errors.New("undone")

// creating creates until the load is done or the process dies, and says each number that was answered. A fifth of all
// transactions is rolled back.
func creating(t *testing.T) bool {
	return storetest.OnErrand(t, func(e *storetest.Envoy) {
		var l load
		e.ReadArgs(&l)
		db := e.Open(nil)
		pattern, err := billing.ParseNumberPattern("{ORG}-{SEQ:6}", "")
		if err != nil {
			t.Fatal(err)
		}
		by := billing.Issuer{Random: rand.Reader, Numbers: pattern}
		e.Begin()
		var all sync.WaitGroup
		for n := range l.Creators {
			all.Go(func() {
				for k := n; k < l.Invoices; k += l.Creators {
					var i xyra.Invoice
					err := db.Tx(t.Context(), func(tx *store.Tx) (err error) {
						i, err = billing.Create(t.Context(), tx, operator, by, xyra.Invoice{Organization: l.Organizations[k%len(l.Organizations)], Currency: "USD"})
						if err == nil && mathrand.IntN(5) == 0 {
							err = errUndone
						}
						return err
					})
					switch {
					case err == nil:
						e.Say(i.Number)
					case !errors.Is(err, errUndone):
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
}

// Promise 6: numbers that hold the sequence are unique and each organization's are gapless, whatever is rolled back and
// whichever of the processes that draw them are killed.
func TestNumbers_ConcurrentCreatorsThatAreKilledLeaveNoGap(t *testing.T) {
	if creating(t) {
		return
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = storetest.NewClock(storetest.Start).Now
		db := storetest.Open(t, target)
		l := load{Creators: rounds(4, 8), Invoices: rounds(4*20, 8*500)}
		for range 3 {
			l.Organizations = append(l.Organizations, newWorld(t, db, "USD", "UTC").org)
		}
		processes := 1
		if target.URL != "" {
			processes, l.Creators = 2, l.Creators/2
		}
		total, kills, answered := l.Invoices, 0, map[string]bool{}
		for last := false; !last; {
			last = len(answered) >= total // one more time without a kill
			l.Invoices = max(1, (total-len(answered))/processes)
			var running []*storetest.Process
			for range processes {
				e := storetest.Errand{Path: target.Path, URL: target.URL, Now: storetest.Start, Args: l}
				if !last {
					e.DiesAt = 1 + mathrand.IntN(rounds(400, 2000))
				}
				running = append(running, storetest.Send(t, e))
			}
			for _, p := range running {
				fate := p.Wait()
				for _, number := range fate.Said {
					if answered[number] {
						t.Errorf("%s was given twice", number)
					}
					answered[number] = true
				}
				if fate.Killed {
					kills++
				}
			}
		}
		t.Logf("%d answered, %d kills", len(answered), kills)
		for _, org := range l.Organizations {
			(&world{t: t, db: db, org: org}).checkNumbers(answered)
		}
		if len(answered) > 0 {
			t.Errorf("answered and not there: %v", answered)
		}
		(&world{t: t, db: db}).verify()
	})
}

// checkNumbers expects the organization's numbers in order without a gap, and crosses them off those that were answered.
func (w *world) checkNumbers(answered map[string]bool) {
	w.t.Helper()
	for last := int64(0); ; {
		page, err := w.db.InvoicesAfter(w.t.Context(), w.org, last, 100)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(page) == 0 {
			return
		}
		for _, i := range page {
			last++
			if want := fmt.Sprintf("%d-%06d", w.org, last); i.Sequence != last || i.Number != want {
				w.t.Fatalf("invoice %d has sequence %d and number %s, want %s", last, i.Sequence, i.Number, want)
			}
			delete(answered, i.Number)
		}
	}
}
