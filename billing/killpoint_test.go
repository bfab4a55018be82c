package billing_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

// order is the invoice that a process is sent to make: a month's if Number is empty.
type order struct {
	Organization xyra.OrganizationID
	Number       string
}

const killMonth = xyra.Period(202402)

// listener is the endpoint that hears of an organization's invoices.
func listener(of xyra.OrganizationID) xyra.WebhookEndpointID { return xyra.WebhookEndpointID(of) }

// fullIssuer makes invoices with all that may hang on them.
var fullIssuer = billing.Issuer{Random: rand.Reader, Mails: true, MailsAll: true, Seller: xyra.Party{Name: "Seller"}}

func (o order) make(t testing.TB, db *store.DB) (i xyra.Invoice, err error) {
	t.Helper()
	err = db.Tx(t.Context(), func(tx *store.Tx) error {
		if o.Number == "" {
			year, month := int64(killMonth)/100, int64(killMonth)%100
			i, err = billing.Generate(t.Context(), tx, operator, fullIssuer, o.Organization, year, month, "")
			return err
		}
		line := xyra.Line{Description: "Work", Quantity: money.FromInt(3), UnitPrice: dec(t, "2.5"), Amount: dec(t, "7.5"), ItemType: "work"}
		i, err = billing.Create(t.Context(), tx, operator, fullIssuer, xyra.Invoice{Organization: o.Organization, Number: o.Number,
			Currency: "USD", DueDate: tx.Now, Lines: []xyra.Line{line, line}})
		return err
	})
	return i, err
}

// dying makes an invoice in a process of its own. Its last steps are the transaction's last statement, after which COMMIT is
// still to come, and the moment between COMMIT and answer.
func dying(t *testing.T) bool {
	return storetest.OnErrand(t, func(e *storetest.Envoy) {
		var o order
		e.ReadArgs(&o)
		db := e.Open(nil)
		e.Begin()
		i, err := o.make(t, db)
		if err != nil {
			t.Fatal(err)
		}
		e.Step("answer")
		e.Say(i.Number)
	})
}

// newKillWorld is an organization that has one invoice already, usage in the month after it, an address that invoices are
// sent to and an endpoint that hears of them.
func newKillWorld(t *testing.T, db *store.DB) *world {
	t.Helper()
	w := newWorld(t, db, "USD", "UTC")
	model := w.model()
	version := w.version(model, xyra.ModelHybrid, "2024-01-01", activity(t, "call", "0.125"), seat(t, "20", "monthly"), fee(t, "30"))
	for n, name := range []string{"Desk", "Door"} {
		agent := w.agent(name, model, "")
		for _, period := range []xyra.Period{killMonth - 1, killMonth} {
			w.use(period, agent, version, 0, "USD", fmt.Sprint(8*(n+1)), fmt.Sprint(n+1))
		}
	}
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		o, err := tx.OrganizationLocked(ctx, w.org)
		if err != nil {
			return err
		}
		email := "pay@northwind.example"
		o.BillingEmail = &email
		if err := tx.UpdateOrganization(ctx, o); err != nil {
			return err
		}
		return tx.InsertWebhookEndpoint(ctx, xyra.WebhookEndpoint{ID: listener(w.org), Organization: w.org, URL: "https://hooks.example.com", IsActive: true, Secret: []byte("sealed"),
			Types: []xyra.NoticeType{xyra.NoticeInvoiceCreated, xyra.NoticeInvoiceFinalized}})
	})
	w.mustGenerate(2024, int64(killMonth)%100-1, "")
	return w
}

// inventory is all that hangs on an organization's invoices, without what chance or the database numbers.
func (w *world) inventory() string {
	w.t.Helper()
	var text strings.Builder
	list, err := w.db.InvoicesAfter(w.t.Context(), w.org, 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, i := range list {
		billed, err := w.db.BilledUsage(w.t.Context(), w.org, i.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&text, "invoice %d of %s: %s %s, bills %d rows\n%s", i.Sequence, i.Period, i.Amount, i.Status, len(billed), lines(i))
	}
	jobs, err := w.db.Jobs(w.t.Context(), "", "", 0, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	var kinds []string
	for _, j := range jobs {
		if j.Organization == w.org {
			kinds = append(kinds, j.Kind)
		}
	}
	slices.Sort(kinds)
	deliveries, err := w.db.WebhookDeliveries(w.t.Context(), w.org, listener(w.org), 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	entries, err := w.db.AuditEntries(w.t.Context(), store.AuditFilter{Organization: &w.org}, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	fmt.Fprintf(&text, "jobs %s; %d deliveries, %d audit entries\n", kinds, len(deliveries), len(entries))
	return text.String()
}

// verifyAll proves the books and the audit chains.
func (w *world) verifyAll() {
	w.t.Helper()
	w.verify()
	faults, err := w.db.VerifyAudit(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, fault := range faults {
		w.t.Error(fault)
	}
}

// Promise 5: at whatever statement of its making the process dies, an invoice is there whole or not at all, and making it
// again makes it be there once. Between COMMIT and answer it is there.
func TestInvoice_KilledAtAnyStatementIsWholeOrAbsent(t *testing.T) {
	if dying(t) {
		return
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now, target.Stripe = storetest.NewClock(storetest.Start).Now, true
		for _, number := range []string{"", "by hand"} {
			for range rounds(1, 3) {
				k := &killing{target: target, number: number}
				for point := 1 + mathrand.IntN(rounds(4, 1)); k.killedAt(t, point, 0); point += rounds(4, 1) {
					continue
				}
				k.killedAt(t, k.statements+1, 0)
				for range rounds(1, 20) { // while it commits
					k.killedAt(t, k.statements, time.Duration(mathrand.IntN(4000))*time.Microsecond)
				}
				t.Logf("invoice %q: dies at %d statements, %d invoices stand", number, k.statements, k.stood)
			}
		}
		(&world{t: t, db: storetest.Open(t, target)}).verifyAll()
	})
}

// killing is one kind of invoice whose making is interrupted again and again.
type killing struct {
	target     store.Options
	number     string
	statements int // of its transaction; known once a process has come to its end
	stood      int
}

// killedAt lets a process make an invoice and die, looks at what it left behind, and makes the invoice again. It is false when
// the process came to its end instead.
func (k *killing) killedAt(t *testing.T, point int, later time.Duration) bool {
	t.Helper()
	db := storetest.Open(t, k.target)
	whole, w := newKillWorld(t, db), newKillWorld(t, db)
	absent := w.inventory()
	mine, other := order{Organization: w.org}, order{Organization: whole.org}
	if k.number != "" {
		mine.Number, other.Number = fmt.Sprintf("%s %d", k.number, w.org), fmt.Sprintf("%s %d", k.number, whole.org)
	}
	if _, err := other.make(t, db); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil { // nobody has the database open when the process dies, and the next one recovers it
		t.Fatal(err)
	}
	fate := storetest.Send(t, storetest.Errand{Path: k.target.Path, URL: k.target.URL, Stripe: true, Now: storetest.Start, DiesAt: point, DiesLater: later, Args: mine}).Wait()
	at := fmt.Sprintf("killed %s after step %d, %s", later, len(fate.Steps), fate.Last())

	db = storetest.Open(t, k.target)
	w.db, whole.db = db, db
	stands := w.inventory()
	switch answered := fate.Last() == "answer"; {
	case stands != absent && stands != whole.inventory():
		t.Errorf("%s: neither absent nor whole:\n%s", at, stands)
	case answered && stands == absent:
		t.Errorf("%s: lost after its COMMIT", at)
	case !answered && later == 0 && stands != absent:
		t.Errorf("%s: there before its COMMIT:\n%s", at, stands)
	}
	made, err := mine.make(t, db)
	switch {
	case stands == absent && err != nil:
		t.Errorf("%s: made again: %v", at, err)
	case stands != absent:
		k.stood++
		if made, err = w.latest(), k.asRefused(err, w.latest()); err != nil {
			t.Errorf("%s: made again: %v", at, err)
		}
	}
	if got, want := w.inventory(), whole.inventory(); got != want || made.Sequence != 2 {
		t.Errorf("%s, then made again: invoice %d\n%swant\n%s", at, made.Sequence, got, want)
	}
	if !fate.Killed {
		k.statements = len(fate.Steps) - 1
	}
	return fate.Killed
}

// asRefused expects the refusal of an invoice that is there.
func (k *killing) asRefused(err error, there xyra.Invoice) error {
	if err == nil || !strings.Contains(err.Error(), there.Number) || !xyra.HasCode(err, xyra.CodeConflict) && !xyra.HasCode(err, xyra.CodeInvalid) {
		return fmt.Errorf("%s is there, and the answer is %w", there.Number, err)
	}
	return nil
}

// latest is the organization's last invoice.
func (w *world) latest() xyra.Invoice {
	w.t.Helper()
	list, err := w.db.InvoicesAfter(w.t.Context(), w.org, 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return list[len(list)-1]
}
