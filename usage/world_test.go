package usage_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

// world is an organization with an admin and one agent on a hybrid model, and a recorder.
type world struct {
	t        *testing.T
	db       *store.DB
	clock    *storetest.Clock
	recorder *usage.Recorder
	org      xyra.OrganizationID
	admin    xyra.Caller
	model    xyra.BillingModelID
	agent    xyra.AgentID
}

func dec(s string) money.Decimal { return money.MustParse(s) }

var hybrid = []pricing.Component{
	{Kind: pricing.BaseFee, Price: dec("10")},
	{Kind: pricing.Activity, Type: "call", Price: dec("0.335")},
	{Kind: pricing.Outcome, Type: "sale", Price: dec("7.5")},
}

func newWorld(t *testing.T, db *store.DB, clock *storetest.Clock) *world {
	t.Helper()
	w := &world{t: t, db: db, clock: clock}
	w.tx(func(tx *store.Tx) (err error) {
		w.org, err = tx.InsertOrganization(t.Context(), xyra.Organization{Name: "Acme", Status: "active", Timezone: "Europe/Berlin",
			Settings: json.RawMessage(`{"currency":"USD"}`), Currency: "USD"})
		if err != nil {
			return err
		}
		email := fmt.Sprintf("admin%d@acme.example", w.org)
		user, err := tx.InsertUser(t.Context(), xyra.User{Organization: w.org, Email: email, EmailKey: email, IsActive: true, Role: xyra.RoleAdmin})
		w.admin = xyra.Caller{User: user, Organization: w.org, Role: xyra.RoleAdmin}
		return err
	})
	w.model = w.newModel(xyra.ModelHybrid, hybrid)
	w.agent = w.newAgent(w.model)
	w.recorder = w.newRecorder(db, usage.Options{})
	return w
}

// newRecorder starts a recorder that the end of the test closes; then everything must add up.
func (w *world) newRecorder(db *store.DB, o usage.Options) *usage.Recorder {
	r := usage.New(db, o)
	w.t.Cleanup(func() {
		if err := r.Close(w.t.Context()); err != nil && w.t.Context().Err() == nil {
			w.t.Errorf("close the recorder: %v", err)
		}
	})
	return r
}

func (w *world) tx(f func(*store.Tx) error) {
	w.t.Helper()
	if err := w.db.Tx(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newModel(typ xyra.ModelType, components []pricing.Component) (id xyra.BillingModelID) {
	w.t.Helper()
	w.tx(func(tx *store.Tx) (err error) {
		if id, err = tx.InsertBillingModel(w.t.Context(), xyra.BillingModel{Organization: w.org, Name: "plan", IsActive: true}); err != nil {
			return err
		}
		_, err = tx.InsertVersion(w.t.Context(), w.org, xyra.Version{Model: id, From: tx.Now, Type: typ, Components: components})
		return err
	})
	return id
}

func (w *world) newVersion(model xyra.BillingModelID, components []pricing.Component) {
	w.t.Helper()
	w.tx(func(tx *store.Tx) error {
		if err := tx.PauseRecording(w.t.Context()); err != nil {
			return err
		}
		_, err := tx.InsertVersion(w.t.Context(), w.org, xyra.Version{Model: model, From: tx.Now, Type: xyra.ModelHybrid, Components: components})
		return err
	})
}

func (w *world) newAgent(model xyra.BillingModelID) (id xyra.AgentID) {
	w.t.Helper()
	w.tx(func(tx *store.Tx) (err error) {
		id, err = tx.InsertAgent(w.t.Context(), xyra.Agent{Organization: w.org, Name: "bot", IsActive: true, Status: "active",
			Capabilities: json.RawMessage(`[]`), BillingModel: model, LastActive: tx.Now})
		return err
	})
	return id
}

// draft is an activity "call" of the world's agent now; key "" has none.
func (w *world) draft(key, quantity string) usage.Draft {
	return w.sealed(usage.Draft{Kind: xyra.Activity, Agent: w.agent, Type: "call", Quantity: dec(quantity), Timestamp: w.clock.Now(), IdempotencyKey: key})
}

func (w *world) sealed(d usage.Draft) usage.Draft {
	w.t.Helper()
	if err := d.Seal(usage.Omitted{}); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// record sends drafts as the admin in one request.
func (w *world) record(drafts ...usage.Draft) []usage.Result {
	w.t.Helper()
	results, err := w.recorder.Record(w.t.Context(), w.admin, drafts)
	if err != nil {
		w.t.Fatal(err)
	}
	return results
}

// recorded is record for one draft that must be accepted.
func (w *world) recorded(d usage.Draft) xyra.Event {
	w.t.Helper()
	result := w.record(d)[0]
	if result.Err != nil {
		w.t.Fatal(result.Err)
	}
	return result.Event
}

// verify fails the test unless rollups and charges are what the events say.
func (w *world) verify() {
	w.t.Helper()
	faults, err := usage.Verify(w.t.Context(), w.db)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range faults {
		w.t.Error(f)
	}
}

// totals are the sums over the organization's period rollup.
func (w *world) totals() (quantity, charge money.Decimal) {
	w.t.Helper()
	rows, err := w.db.PeriodUsages(w.t.Context(), w.org)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range rows {
		quantity, charge = quantity.Add(r.Quantity), charge.Add(r.Charge)
	}
	return quantity, charge
}

func (w *world) wantTotals(quantity, charge string) {
	w.t.Helper()
	q, c := w.totals()
	if !q.Equal(dec(quantity)) || !c.Equal(dec(charge)) {
		w.t.Errorf("period usage is %s for %s, want %s for %s", q, c, quantity, charge)
	}
}

func (w *world) eventCount() (n int64) {
	w.t.Helper()
	rows, err := w.db.HourUsages(w.t.Context(), w.org)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range rows {
		n += r.Count
	}
	return n
}

func keyName(i int) string { return fmt.Sprintf("key-%d", i) }

const day = 24 * time.Hour
