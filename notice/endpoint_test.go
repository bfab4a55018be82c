package notice_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/auth"
	"xyra/billing"
	"xyra/money"
	"xyra/notice"
	"xyra/store"
	"xyra/store/storetest"
)

var root = xyra.Caller{User: 1, Superuser: true}

type world struct {
	t    *testing.T
	db   *store.DB
	desk *notice.Desk
	org  xyra.OrganizationID
}

func newWorld(t *testing.T, db *store.DB) *world {
	t.Helper()
	desk, err := notice.New([]byte("secret of the tests"), notice.Rules{}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, desk: desk}
	w.org = w.organization("Northwind")
	return w
}

func (w *world) organization(name string) (id xyra.OrganizationID) {
	w.t.Helper()
	w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
		id, err = tx.InsertOrganization(ctx, xyra.Organization{Name: name, Status: "active", Timezone: "Asia/Tokyo", Settings: []byte(`{}`), Currency: "USD"})
		return err
	})
	return id
}

func (w *world) tx(f func(context.Context, *store.Tx) error) {
	w.t.Helper()
	if err := w.try(f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) try(f func(context.Context, *store.Tx) error) error {
	return w.db.Tx(w.t.Context(), func(tx *store.Tx) error { return f(w.t.Context(), tx) })
}

func (w *world) create(caller xyra.Caller, e xyra.WebhookEndpoint) (created xyra.WebhookEndpoint, secret string, err error) {
	w.t.Helper()
	if secret, err = w.desk.NewSecret(); err != nil {
		w.t.Fatal(err)
	}
	if e.URL == "" {
		e.URL = "https://hooks.example.com/x"
	}
	e.IsActive = true
	err = w.try(func(ctx context.Context, tx *store.Tx) (err error) {
		created, err = w.desk.CreateEndpoint(ctx, tx, caller, e, secret)
		return err
	})
	return created, secret, err
}

func (w *world) mustCreate(e xyra.WebhookEndpoint) xyra.WebhookEndpoint {
	w.t.Helper()
	created, _, err := w.create(root, e)
	if err != nil {
		w.t.Fatal(err)
	}
	return created
}

// told lists what an endpoint is told, oldest first, as "type data".
func (w *world) told(e xyra.WebhookEndpoint) (list []string) {
	w.t.Helper()
	deliveries, err := w.db.WebhookDeliveries(w.t.Context(), e.Organization, e.ID, 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range deliveries {
		var payload struct {
			Type string
			Data json.RawMessage
		}
		if err := json.Unmarshal(d.Payload, &payload); err != nil || payload.Type != string(d.Type) {
			w.t.Fatalf("payload %s: %v", d.Payload, err)
		}
		list = append([]string{payload.Type + " " + string(payload.Data)}, list...)
	}
	return list
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
		t.Errorf("got\n%s\nwant\n%s", a, b)
	}
}

// types of a list of told, without data.
func types(list []string) (short []string) {
	for _, text := range list {
		name, _, _ := strings.Cut(text, " ")
		short = append(short, name)
	}
	return short
}

// The verbs of invoices and keys tell whoever subscribes in their own organization, and nobody else.
func TestAnnounce_ReachesSubscribersOfTheOrganizationAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db)
		other := w.organization("Other")
		all := w.mustCreate(xyra.WebhookEndpoint{Organization: w.org, Types: xyra.NoticeTypes()})
		paid := w.mustCreate(xyra.WebhookEndpoint{Organization: w.org, Types: []xyra.NoticeType{xyra.NoticeInvoicePaid}})
		foreign := w.mustCreate(xyra.WebhookEndpoint{Organization: other, Types: xyra.NoticeTypes()})
		create := func() (i xyra.Invoice) {
			w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
				line := xyra.Line{Description: "Work", Quantity: money.FromInt(1), UnitPrice: money.FromInt(7), Amount: money.FromInt(7), ItemType: "service"}
				i, err = billing.Create(ctx, tx, root, billing.Issuer{Random: rand.Reader}, xyra.Invoice{Organization: w.org, Number: fmt.Sprint("N", tx.Now.UnixMicro()), Currency: "USD",
					DueDate: tx.Now.Add(time.Hour), Lines: []xyra.Line{line}})
				return err
			})
			clock.Advance(time.Minute)
			return i
		}
		first, second, third := create(), create(), create()
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := billing.Pay(ctx, tx, root, first.ID, "bank", nil)
			return err
		})
		cancelled := xyra.InvoiceCancelled
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := billing.Update(ctx, tx, root, second.ID, billing.Change{Status: &cancelled})
			return err
		})
		clock.Advance(2 * time.Hour)
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, _, err := billing.MarkOverdue(ctx, tx, root, third.ID)
			return err
		})
		notes := "n"
		note := &notes
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := billing.Update(ctx, tx, root, third.ID, billing.Change{Notes: &note})
			return err
		})
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			u, err := tx.InsertUser(ctx, xyra.User{Email: "a@example.com", EmailKey: "a@example.com", PasswordHash: "x", IsActive: true, Role: xyra.RoleAdmin, Organization: w.org})
			if err != nil {
				return err
			}
			_, err = auth.CreateAPIKey(ctx, tx, xyra.Caller{User: u, Organization: w.org}, xyra.APIKey{Name: "key"}, "xyra_canary-canary-canary-canary")
			return err
		})
		told := w.told(all)
		want(t, types(told), "invoice.created", "invoice.finalized", "invoice.created", "invoice.finalized", "invoice.created", "invoice.finalized",
			"invoice.paid", "invoice.cancelled", "invoice.overdue", "api_key.created")
		want(t, w.told(paid), told[6])
		want(t, w.told(foreign))
		if !strings.Contains(told[6], `"status":"paid"`) || !strings.Contains(told[6], `"total_amount":7.0`) || strings.Contains(told[9], "canary-c") {
			t.Errorf("told %s and %s", told[6], told[9])
		}
	})
}

func TestCreateEndpoint_RefusesWhatItMust(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		w := newWorld(t, db)
		paid := []xyra.NoticeType{xyra.NoticeInvoicePaid}
		ten := []xyra.UsageThreshold{{Currency: "USD", Charge: money.FromInt(10)}}
		admin := func(o xyra.OrganizationID) xyra.Caller {
			return xyra.Caller{User: 2, Organization: o, Role: xyra.RoleAdmin}
		}
		for name, c := range map[string]struct {
			caller xyra.Caller
			e      xyra.WebhookEndpoint
			want   string
		}{
			"a member":             {xyra.Caller{User: 3, Organization: w.org, Role: xyra.RoleUser}, xyra.WebhookEndpoint{Organization: w.org, Types: paid}, "Not enough permissions to create webhook endpoints for this organization"},
			"another's admin":      {admin(w.org + 1), xyra.WebhookEndpoint{Organization: w.org, Types: paid}, "Not enough permissions to create webhook endpoints for this organization"},
			"no organization":      {root, xyra.WebhookEndpoint{Organization: 99, Types: paid}, "Organization with ID 99 not found"},
			"no type":              {root, xyra.WebhookEndpoint{Organization: w.org}, "An endpoint subscribes to at least one event type"},
			"an inner address":     {root, xyra.WebhookEndpoint{Organization: w.org, Types: paid, URL: "https://10.0.0.1/"}, "Webhook URL is not allowed: its address is not a public one"},
			"a threshold of 0":     {root, xyra.WebhookEndpoint{Organization: w.org, Types: paid, Thresholds: []xyra.UsageThreshold{{Currency: "USD"}}}, "A threshold's charge is greater than 0"},
			"one threshold twice":  {root, xyra.WebhookEndpoint{Organization: w.org, Types: paid, Thresholds: append(ten, ten...)}, "Two thresholds are the same"},
			"an agent of no one's": {root, xyra.WebhookEndpoint{Organization: w.org, Types: paid, Thresholds: []xyra.UsageThreshold{{Agent: 5, Currency: "USD", Charge: money.FromInt(1)}}}, "Agent with ID 5 not found"},
		} {
			if _, _, err := w.create(c.caller, c.e); err == nil || err.Error() != c.want {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
		for range xyra.WebhookEndpointsMax {
			if _, _, err := w.create(admin(w.org), xyra.WebhookEndpoint{Organization: w.org, Types: paid}); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := w.create(root, xyra.WebhookEndpoint{Organization: w.org, Types: paid}); !xyra.HasCode(err, xyra.CodeConflict) {
			t.Errorf("one endpoint too many: %v", err)
		}
		for name, caller := range map[string]xyra.Caller{"another's admin": admin(w.org + 1), "a member": {User: 3, Organization: w.org, Role: xyra.RoleUser}, "a key": {User: 2, Key: 1, Organization: w.org, Role: xyra.RoleAdmin}} {
			if _, err := notice.Endpoint(t.Context(), db.Reader, caller, 1); !xyra.HasCode(err, xyra.CodeNotFound) {
				t.Errorf("%s reads an endpoint: %v", name, err)
			}
		}
	})
}

// A row holds nothing that signs: neither with another secret of the installation, nor copied to another endpoint.
func TestDesk_SealsSecretsForOneEndpoint(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db)
		e, secret, err := w.create(root, xyra.WebhookEndpoint{Organization: w.org, Types: xyra.NoticeTypes()})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := w.desk.Keys(e, clock.Now())
		if err != nil || len(keys) != 1 || len(keys[0]) != 32 || !strings.HasPrefix(secret, "whsec_") || bytes.Contains(e.Secret, keys[0]) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		stranger, err := notice.New([]byte("another secret"), notice.Rules{}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		moved := e
		moved.ID++
		for name, open := range map[string]func() ([][]byte, error){
			"another installation": func() ([][]byte, error) { return stranger.Keys(e, clock.Now()) },
			"another endpoint":     func() ([][]byte, error) { return w.desk.Keys(moved, clock.Now()) },
		} {
			if keys, err := open(); err == nil || keys != nil {
				t.Errorf("%s opens the secret", name)
			}
		}
	})
}

// When the installation's secret rotates, what the earlier one has sealed opens as long as that one is told.
func TestDesk_OpensWhatEarlierSecretsSealed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db)
		made := func() xyra.WebhookEndpoint {
			e, _, err := w.create(root, xyra.WebhookEndpoint{Organization: w.org, Types: xyra.NoticeTypes()})
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		opens := func(e xyra.WebhookEndpoint) bool {
			keys, err := w.desk.Keys(e, clock.Now())
			return err == nil && len(keys) == 1
		}
		rotate := func(secret string, earlier ...[]byte) {
			if err := w.desk.Rotate([]byte(secret), earlier...); err != nil {
				t.Fatal(err)
			}
		}
		old := made()
		rotate("the next secret", []byte("secret of the tests"))
		fresh := made()
		if !opens(old) || !opens(fresh) {
			t.Error("the overlap does not open both")
		}
		rotate("the next secret")
		if opens(old) || !opens(fresh) {
			t.Error("without the earlier secret the old box opens, or the new one does not")
		}
	})
}

func (w *world) use(agent xyra.AgentID, at time.Time, period xyra.Period, charge string) {
	w.t.Helper()
	c := money.MustParse(charge)
	one := money.FromInt(1)
	err := w.db.Record(w.t.Context(), func(rec *store.Recording) error {
		return rec.Commit(w.t.Context(), store.Rollups{
			Days:    []xyra.SpanUsage{{Organization: w.org, Agent: agent, From: at.Truncate(24 * time.Hour), Kind: xyra.Activity, Type: "call", Currency: "USD", Count: 1, ChargedCount: 1, Quantity: one, Charge: c}},
			Periods: []xyra.PeriodUsage{{Organization: w.org, Period: period, Agent: agent, Version: 1, Currency: "USD", Quantity: one, Charge: c}},
		}, nil)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// Summaries add up to what was recorded since the first endpoint subscribed, late events included, each event in one.
func TestSummarizeUsage_TellsEachEventOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db)
		w.use(1, clock.Now(), 202405, "5") // before anybody listens
		e := w.mustCreate(xyra.WebhookEndpoint{Organization: w.org, Types: []xyra.NoticeType{xyra.NoticeUsageRecorded}})
		summarize := func() {
			t.Helper()
			clock.Advance(time.Hour)
			if err := notice.SummarizeUsage(t.Context(), db, w.org); err != nil {
				t.Fatal(err)
			}
		}
		summarize()
		want(t, w.told(e))
		w.use(1, clock.Now(), 202405, "1.5")
		w.use(2, clock.Now().AddDate(0, 0, -40), 202404, "2") // late
		summarize()
		summarize()
		clock.Advance(100 * 24 * time.Hour) // what is kept begins anew
		w.use(1, clock.Now(), 202408, "4")
		summarize()
		w.use(1, clock.Now(), 202408, "8")
		summarize()
		const form = `usage.recorded {"organization_id":%d,"from":"%s","to":"%s","usage":[{"kind":"activity","currency":"USD","count":%d,"quantity":%d.0,"charge":%s}]}`
		want(t, w.told(e), fmt.Sprintf(form, w.org, "2024-05-15T13:00:00Z", "2024-05-15T14:00:00Z", 2, 2, "3.5"),
			fmt.Sprintf(form, w.org, "2024-05-15T15:00:00Z", "2024-08-23T16:00:00Z", 1, 1, "4.0"),
			fmt.Sprintf(form, w.org, "2024-08-23T16:00:00Z", "2024-08-23T17:00:00Z", 1, 1, "8.0"))
	})
}

// A threshold is told once a period to the endpoint that has it, of one agent or of all, in its currency.
func TestWatchThresholds_TellOncePerPeriod(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db)
		var agent xyra.AgentID
		w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
			agent, err = tx.InsertAgent(ctx, xyra.Agent{Organization: w.org, Name: "bot", IsActive: true, Status: "active", Capabilities: []byte("[]")})
			return err
		})
		only := []xyra.NoticeType{xyra.NoticeUsageThreshold}
		e := w.mustCreate(xyra.WebhookEndpoint{Organization: w.org, Types: only, Thresholds: []xyra.UsageThreshold{{Currency: "USD", Charge: money.FromInt(10)}, {Agent: agent, Currency: "USD", Charge: money.FromInt(8)}, {Currency: "EUR", Charge: money.FromInt(1)}}})
		none := w.mustCreate(xyra.WebhookEndpoint{Organization: w.org, Types: only})
		watch := func() {
			t.Helper()
			if err := notice.WatchThresholds(t.Context(), db, w.org); err != nil {
				t.Fatal(err)
			}
		}
		watch()
		w.use(agent, clock.Now(), 202405, "7.99")
		watch()
		want(t, w.told(e))
		w.use(agent+1, clock.Now(), 202405, "2.01")
		watch()
		watch()
		w.use(agent, clock.Now(), 202405, "0.01")
		watch()
		clock.Set(time.Date(2024, 5, 31, 15, 30, 0, 0, time.UTC)) // June in Tokyo; May is still watched
		w.use(agent, clock.Now(), 202406, "100")
		watch()
		const form = `usage.threshold {"organization_id":%d,"agent_id":%s,"billing_period":"%s","currency":"USD","threshold":%s,"charge":%s}`
		want(t, w.told(e), fmt.Sprintf(form, w.org, "null", "2024-5", "10.0", "10.0"), fmt.Sprintf(form, w.org, fmt.Sprint(agent), "2024-5", "8.0", "8.0"),
			fmt.Sprintf(form, w.org, "null", "2024-6", "10.0", "100.0"), fmt.Sprintf(form, w.org, fmt.Sprint(agent), "2024-6", "8.0", "100.0"))
		want(t, w.told(none))
	})
}

// end ends the latest delivery of an endpoint.
func (w *world) end(e xyra.WebhookEndpoint, state xyra.WebhookDeliveryState) {
	w.t.Helper()
	list, err := w.db.WebhookDeliveries(w.t.Context(), e.Organization, e.ID, 0, 1)
	if err != nil || len(list) != 1 {
		w.t.Fatalf("%+v, %v", list, err)
	}
	w.tx(func(ctx context.Context, tx *store.Tx) error {
		d := list[0]
		d.State, d.FinishedAt, d.NextAttempt = state, &tx.Now, nil
		_, err := tx.UpdateWebhookDelivery(ctx, d, 0)
		return err
	})
}

// An endpoint that takes nothing for five days is made inactive, and the others are told; what arrives, and whoever changes
// it, gives it a new beginning.
func TestDisableFailing_AfterFiveDaysWithoutAnArrival(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := newWorld(t, db)
		paid := []xyra.NoticeType{xyra.NoticeInvoicePaid}
		dead, live := w.mustCreate(xyra.WebhookEndpoint{Organization: w.org, Types: paid}), w.mustCreate(xyra.WebhookEndpoint{Organization: w.org, Types: paid})
		watcher := w.mustCreate(xyra.WebhookEndpoint{Organization: w.org, Types: []xyra.NoticeType{xyra.NoticeEndpointDisabled}})
		announce := func(deadState, liveState xyra.WebhookDeliveryState) {
			t.Helper()
			clock.Advance(time.Hour)
			w.tx(func(_ context.Context, tx *store.Tx) error {
				tx.Announce(xyra.NewNotice(xyra.NoticeInvoicePaid, w.org, map[string]int{"id": 1}))
				return nil
			})
			w.end(live, liveState)
			w.end(dead, deadState)
		}
		active := func(e xyra.WebhookEndpoint) (on bool, reason string) {
			t.Helper()
			if err := notice.DisableFailing(t.Context(), db, w.org); err != nil {
				t.Fatal(err)
			}
			now, err := db.WebhookEndpoint(t.Context(), w.org, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if now.DisabledReason != nil {
				reason = *now.DisabledReason
			}
			return now.IsActive, reason
		}
		announce(xyra.WebhookFailed, xyra.WebhookFailed)
		clock.Advance(24 * time.Hour)
		announce(xyra.WebhookDelivered, xyra.WebhookFailed)
		clock.Advance(24 * time.Hour)
		announce(xyra.WebhookFailed, xyra.WebhookDelivered)
		first := clock.Now()
		clock.Set(first.Add(5*24*time.Hour - time.Second))
		if on, reason := active(dead); !on {
			t.Errorf("disabled a second early: %s", reason)
		}
		clock.Set(first.Add(5 * 24 * time.Hour))
		if on, reason := active(dead); on || reason != "nothing has arrived since "+xyra.FormatTime(first) {
			t.Errorf("active %t, %q", on, reason)
		}
		if on, reason := active(live); !on {
			t.Errorf("the live one was disabled: %s", reason)
		}
		want(t, w.told(watcher), fmt.Sprintf(`webhook_endpoint.disabled {"organization_id":%d,"endpoint_id":%d,"reason":"nothing has arrived since %s"}`, w.org, dead.ID, xyra.FormatTime(first)))
		yes := true
		w.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := w.desk.UpdateEndpoint(ctx, tx, root, dead.ID, notice.EndpointChange{IsActive: &yes})
			return err
		})
		if on, reason := active(dead); !on || reason != "" {
			t.Errorf("back in use: %t, %q", on, reason)
		}
	})
}
