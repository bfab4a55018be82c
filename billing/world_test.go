package billing_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
)

var operator = xyra.Caller{User: 1, Superuser: true}

// world is an organization whose months are billed.
type world struct {
	t   testing.TB
	db  *store.DB
	org xyra.OrganizationID
}

func newWorld(t testing.TB, db *store.DB, currency money.Currency, zone string) *world {
	t.Helper()
	w := &world{t: t, db: db}
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		w.org, err = tx.InsertOrganization(ctx, xyra.Organization{Name: "Northwind", Status: "active", Timezone: zone,
			Settings: fmt.Appendf(nil, `{"currency":"%s"}`, currency), Currency: currency})
		return err
	})
	return w
}

func (w *world) tx(f func(context.Context, *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Tx(w.t.Context(), func(tx *store.Tx) error { return f(w.t.Context(), tx) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) model() (id xyra.BillingModelID) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		id, err = tx.InsertBillingModel(ctx, xyra.BillingModel{Organization: w.org, Name: "Plan", IsActive: true})
		return err
	})
	return id
}

func (w *world) version(model xyra.BillingModelID, typ xyra.ModelType, from string, components ...pricing.Component) (id xyra.VersionID) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		id, err = tx.InsertVersion(ctx, w.org, xyra.Version{Model: model, Type: typ, From: at(w.t, from), Components: components})
		return err
	})
	return id
}

func (w *world) agent(name string, model xyra.BillingModelID, config string) (id xyra.AgentID) {
	w.t.Helper()
	a := xyra.Agent{Organization: w.org, Name: name, IsActive: true, Status: "active", Capabilities: []byte("[]"), BillingModel: model}
	if config != "" {
		a.Config = []byte(config)
	}
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		id, err = tx.InsertAgent(ctx, a)
		return err
	})
	return id
}

// use adds to a usage row as the recorder does.
func (w *world) use(period xyra.Period, agent xyra.AgentID, version xyra.VersionID, component int, currency money.Currency, quantity, charge string) {
	w.t.Helper()
	row := xyra.PeriodUsage{Organization: w.org, Period: period, Agent: agent, Version: version, Component: component,
		Currency: currency, Quantity: dec(w.t, quantity), Charge: dec(w.t, charge)}
	err := w.db.Record(w.t.Context(), func(rec *store.Recording) error {
		return rec.Commit(w.t.Context(), store.Rollups{Periods: []xyra.PeriodUsage{row}}, nil)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) generate(year, month int64, currency money.Currency) (invoice xyra.Invoice, err error) {
	w.t.Helper()
	err = w.db.Tx(w.t.Context(), func(tx *store.Tx) error {
		invoice, err = billing.Generate(w.t.Context(), tx, operator, billing.Issuer{Random: rand.Reader}, w.org, year, month, currency)
		return err
	})
	return invoice, err
}

// mustGenerate also reads the invoice back: what is stored is what was answered.
func (w *world) mustGenerate(year, month int64, currency money.Currency) xyra.Invoice {
	w.t.Helper()
	invoice, err := w.generate(year, month, currency)
	if err != nil {
		w.t.Fatal(err)
	}
	read, err := w.db.Invoice(w.t.Context(), w.org, invoice.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	if a, b := show(invoice), show(read); a != b {
		w.t.Fatalf("answered\n%s\nstored\n%s", a, b)
	}
	return read
}

func (w *world) cancel(id xyra.InvoiceID) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := billing.Cancel(ctx, tx, operator, id)
		return err
	})
}

// verify proves that the books hold.
func (w *world) verify() {
	w.t.Helper()
	faults, err := billing.Verify(w.t.Context(), w.db)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, fault := range faults {
		w.t.Error(fault)
	}
}

// show is an invoice as text: total, currency, then a line each.
func show(i xyra.Invoice) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s\n", i.Amount, i.Currency)
	for _, l := range i.Lines {
		fmt.Fprintf(&text, "%s | %s x %s = %s | %s | %s %s\n", l.Description, l.Quantity, l.UnitPrice, l.Amount, l.ItemType, *l.ReferenceType, l.Metadata)
	}
	return text.String()
}

// lines is show without total and references.
func lines(i xyra.Invoice) string {
	var text strings.Builder
	for _, l := range i.Lines {
		fmt.Fprintf(&text, "%s | %s x %s = %s\n", l.Description, l.Quantity, l.UnitPrice, l.Amount)
	}
	return text.String()
}

func want(t testing.TB, got, want string) {
	t.Helper()
	if got = strings.TrimSpace(got); got != strings.TrimSpace(want) {
		t.Errorf("got\n%s\nwant\n%s", got, strings.TrimSpace(want))
	}
}

func wantRefusal(t testing.TB, err error, code xyra.Code, text string) {
	t.Helper()
	if !xyra.HasCode(err, code) || err.Error() != text {
		t.Errorf("got %v, want %s: %s", err, code, text)
	}
}

func dec(t testing.TB, text string) money.Decimal {
	t.Helper()
	d, err := money.ParseExact(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	instant, err := xyra.ParseTime(text)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

func activity(t testing.TB, typ, price string) pricing.Component {
	return pricing.Component{Kind: pricing.Activity, Type: typ, Price: dec(t, price)}
}

func outcome(t testing.TB, typ, percentage string) pricing.Component {
	return pricing.Component{Kind: pricing.Outcome, Type: typ, Price: dec(t, percentage)}
}

func seat(t testing.TB, price, frequency string) pricing.Component {
	return pricing.Component{Kind: pricing.Seat, Price: dec(t, price), Frequency: frequency}
}

func fee(t testing.TB, price string) pricing.Component {
	return pricing.Component{Kind: pricing.BaseFee, Price: dec(t, price)}
}
