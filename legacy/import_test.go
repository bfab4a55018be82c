package legacy_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"xyra"
	"xyra/auth"
	"xyra/billing"
	"xyra/legacy"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

func TestImport_EarlierLayoutComesOverWhole(t *testing.T) {
	each(t, "earlier.sql", func(t *testing.T, o *old, db *store.DB, _ *storetest.Clock) {
		report := o.imported(db, legacy.Options{})
		wantSound(t, db, report)
		wantText(t, report.Ignored, "table integration_events")
		wantText(t, report.Ignored, "column agent.mood")
		acme := part(t, report, "Acme")
		wantText(t, acme.Notes, "its lines add up to 9.99, its amount is 10.0")
		wantText(t, acme.Notes, "April 2024 has no invoice of this usage: its own invoice will bill 0.3725 USD")
		wantText(t, acme.Notes, `billingmodel 2: 1 rows of seatbasedconfig are left out, for its type is "activity"`)
		totals := map[string]legacy.Total{}
		for _, total := range acme.Totals {
			totals[total.Name] = total
		}
		for name, want := range map[string]string{"cost rows": "10", "activities": "6", "costs and charges EUR": "0.75",
			"costs and charges USD": "101.907067890123", "outcome value USD": "1000.3", "invoice amounts USD": "75.2"} {
			if got := totals[name].After; !got.Equal(money.MustParse(want)) {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		org, err := db.Organization(t.Context(), 3)
		if err != nil || org.Timezone != "Europe/Berlin" || *org.ExternalID != "acme" || xyra.FormatTime(org.CreatedAt) != "2024-01-10T08:00:00.123456Z" {
			t.Errorf("organization: %+v, %v", org, err)
		}
		event, err := db.Event(t.Context(), 3, xyra.Activity, 100)
		if err != nil || event.Charge.String() != "0.1" || string(event.Details) != `{"a": 1.50}` || event.Period != 202403 {
			t.Errorf("event: %+v, %v", event, err)
		}
		for id, found := range map[xyra.EventID]bool{300: false, 307: true, 308: true} {
			if _, err := db.Event(t.Context(), 3, xyra.Cost, id); (err == nil) != found {
				t.Errorf("cost %d: %v", id, err)
			}
		}
		invoices, err := db.Invoices(t.Context(), 3, "", 0, 10)
		if err != nil || len(invoices) != 2 || invoices[0].Number != "INV-20240402-AB12" || invoices[1].Number != "ACME/7" {
			t.Fatalf("invoices: %+v, %v", invoices, err)
		}
		byHand, err := db.Invoice(t.Context(), 3, 21)
		if err != nil || byHand.Total().String() != "11.9" || byHand.Lines[0].ID != 52 || byHand.Status != xyra.InvoiceOverdue {
			t.Errorf("invoice: %+v, %v", byHand, err)
		}
	})
}

func TestImport_LaterLayoutComesOverWhole(t *testing.T) {
	each(t, "later.sql", func(t *testing.T, o *old, db *store.DB, _ *storetest.Clock) {
		report := o.imported(db, legacy.Options{})
		wantSound(t, db, report)
		notes := part(t, report, "Northwind").Notes
		wantText(t, notes, `"Per agent": type "agent" becomes "seat"`)
		wantText(t, notes, `"Flows": type "workflow" becomes "hybrid"`)
		wantText(t, notes, `"Results" is imported as inactive, for Xyra does not compute a risk premium`)
		models, err := db.BillingModels(t.Context(), 1, 0, 10)
		if err != nil || len(models) != 4 || models[3].IsActive || !models[0].IsActive || models[0].Version.Components[0].Frequency != "yearly" {
			t.Errorf("models: %+v, %v", models, err)
		}
		gate := auth.New(db, auth.Options{Secret: []byte(secret), Now: db.Now})
		t.Cleanup(gate.Close)
		for _, key := range []string{"xyra_0123456789abcdefghijklmnopqrstuv", "xyra_plain6789abcdefghijklmnopqrstuv"} {
			if caller, err := gate.Caller(t.Context(), "Bearer "+key); err != nil || caller.Organization != 1 {
				t.Errorf("key %s: %+v, %v", key, caller, err)
			}
		}
	})
}

func TestImport_PricesMayBeJSON(t *testing.T) {
	each(t, "earlier.sql", func(t *testing.T, o *old, db *store.DB, _ *storetest.Clock) {
		o.exec(`DROP TABLE activitybasedconfig, outcomebasedconfig, hybridconfig, seatbasedconfig;
			ALTER TABLE billingmodel ADD config JSON;
			UPDATE billingmodel SET config = '{"price_per_action": 0.1, "action_type": "call"}' WHERE id = 2;
			UPDATE billingmodel SET config = '{"base_fee": 20, "seat_config": {"price_per_seat": 3}, "activity_config": [{"price_per_action": 0.25, "action_type": "chat"}]}' WHERE id = 6`)
		report := o.imported(db, legacy.Options{})
		wantSound(t, db, report)
		wantText(t, part(t, report, "Acme").Notes, `"Share" has no prices and is imported as inactive`)
		for id, want := range map[xyra.BillingModelID]string{2: "activity call 0.1", 6: "base_fee  20.0, seat  3.0, activity chat 0.25"} {
			m, err := db.BillingModel(t.Context(), 3, id)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range m.Version.Components {
				got = append(got, fmt.Sprintf("%s %s %s", c.Kind, c.Type, c.Price))
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("model %d has %s, want %s", id, strings.Join(got, ", "), want)
			}
		}
	})
}

const secret = "the old deployment's secret key, 32 characters"

// What the old program signed: no version, a number of seconds, the user's id as text.
func oldToken(user int, expires int64) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	signed := part(`{"alg":"HS256","typ":"JWT"}`) + "." + part(fmt.Sprintf(`{"exp":%d,"sub":"%d"}`, expires, user))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestImport_OldPasswordsAndTokensStayValid(t *testing.T) {
	each(t, "earlier.sql", func(t *testing.T, o *old, db *store.DB, clock *storetest.Clock) {
		o.imported(db, legacy.Options{})
		gate := auth.New(db, auth.Options{Secret: []byte(secret), TokenLifetime: 1 << 40, Now: clock.Now})
		t.Cleanup(gate.Close)
		caller, err := gate.Caller(t.Context(), "Bearer "+oldToken(7, clock.Now().Unix()+60))
		if err != nil || caller.User != 7 || !caller.Administers(3) {
			t.Errorf("the old token: %+v, %v", caller, err)
		}
		if _, err := gate.Login(t.Context(), "ann@acme.example", "correct horse 7", "192.0.2.1"); err != nil {
			t.Errorf("the old password: %v", err)
		}
		if _, err := gate.Login(t.Context(), "ann@acme.example", "correct horse 8", "192.0.2.1"); err == nil {
			t.Error("another password logs in")
		}
		// The login has set last_login and hashed anew: that is no difference.
		again := o.imported(db, legacy.Options{})
		wantSound(t, db, again)
	})
}

func TestImport_AgainAddsOnlyWhatIsNew(t *testing.T) {
	each(t, "earlier.sql", func(t *testing.T, o *old, db *store.DB, _ *storetest.Clock) {
		first := o.imported(db, legacy.Options{})
		again := o.imported(db, legacy.Options{})
		wantSound(t, db, again)
		for i, p := range again.Parts {
			if p.Added != 0 || p.Known != first.Parts[i].Added {
				t.Errorf("%s: %d added, %d known, want 0 and %d", p.Name, p.Added, p.Known, first.Parts[i].Added)
			}
		}
		o.exec(`INSERT INTO agentactivity VALUES (106, 10, 'call', '2024-04-05', NULL, NULL, NULL);
			INSERT INTO agentcost VALUES (311, 10, 'activity', 0.1, 'USD', '2024-04-05', '{"activity_id": 106}', NULL, NULL);
			INSERT INTO invoice VALUES (22, 3, 'INV-20240502-AB12', '2024-05-02', '2024-05-17', 'pending', 0.4, 0, 0.4, 'USD', NULL, NULL, 'cs_22', NULL, NULL, NULL, '{"billing_period": "2024-4"}', NULL, NULL);
			UPDATE agent SET name = 'Renamed' WHERE id = 12`)
		more := o.imported(db, legacy.Options{})
		acme := part(t, more, "Acme")
		if acme.Added != 2 {
			t.Errorf("%d rows added, want an activity and an invoice", acme.Added)
		}
		wantText(t, acme.Differences, "agent 12 is here with another Name and stays as it is here")
		wantVerified(t, db)
		if session, err := db.CheckoutSession(t.Context(), "cs_22"); err != nil || session.Invoice != 22 || session.Status != xyra.CheckoutOpen {
			t.Errorf("the session of an open invoice: %+v, %v", session, err)
		}
		if _, err := db.CheckoutSession(t.Context(), "cs_1"); !xyra.HasCode(err, xyra.CodeNotFound) {
			t.Errorf("the session of a paid invoice: %v", err)
		}
		unbilled, err := db.UnbilledPeriods(t.Context(), 3, 202512)
		if err != nil || len(unbilled) != 1 || unbilled[0].Currency != "EUR" {
			t.Errorf("unbilled after April's invoice: %v, %v", unbilled, err)
		}
	})
}

func TestImport_InvoicedMonthsAreNotBilledAgain(t *testing.T) {
	each(t, "earlier.sql", func(t *testing.T, o *old, db *store.DB, _ *storetest.Clock) {
		o.imported(db, legacy.Options{})
		generate := func(month int64) (xyra.Invoice, error) { return generate(t, db, month) }
		if _, err := generate(3); !xyra.HasCode(err, xyra.CodeConflict) {
			t.Errorf("March again: %v", err)
		}
		april, err := generate(4)
		if err != nil {
			t.Fatal(err)
		}
		wantLines(t, april, "Agent usage: Caller - 1 activities = 0.1", "Agent outcomes: Seller - 7.5% of 0.3 = 0.02", "Agent usage: Both - 1 chat activities = 0.25")
		if april.ID <= 21 || april.Sequence != 3 || april.Lines[0].ID <= 52 {
			t.Errorf("new ids do not begin behind the old ones: invoice %d, sequence %d, line %d", april.ID, april.Sequence, april.Lines[0].ID)
		}
		ids, err := db.EventIDs(t.Context(), 1)
		if err != nil || ids[0] <= 310 {
			t.Errorf("a new event gets id %v, %v", ids, err)
		}
		wantVerified(t, db)
	})
}

// generate bills a month of 2024 of organization 3.
func generate(t *testing.T, db *store.DB, month int64) (i xyra.Invoice, err error) {
	t.Helper()
	numbers, err := billing.ParseNumberPattern("{PREFIX}-{SEQ:4}", "INV")
	if err != nil {
		t.Fatal(err)
	}
	err = db.Tx(t.Context(), func(tx *store.Tx) (err error) {
		i, err = billing.Generate(t.Context(), tx, xyra.Caller{Superuser: true}, billing.Issuer{Numbers: numbers}, 3, 2024, month, "")
		return err
	})
	return i, err
}

func wantLines(t *testing.T, i xyra.Invoice, want ...string) {
	t.Helper()
	var lines []string
	for _, l := range i.Lines {
		lines = append(lines, l.Description+" = "+l.Amount.String())
	}
	if strings.Join(lines, "; ") != strings.Join(want, "; ") {
		t.Errorf("the invoice bills\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestImport_CancelledInvoicesGiveTheirMonthBack(t *testing.T) {
	each(t, "earlier.sql", func(t *testing.T, o *old, db *store.DB, _ *storetest.Clock) {
		o.exec("UPDATE invoice SET status = 'pending', payment_date = NULL, payment_method = NULL WHERE id = 20")
		o.imported(db, legacy.Options{})
		if err := db.Tx(t.Context(), func(tx *store.Tx) error {
			_, err := billing.Cancel(t.Context(), tx, xyra.Caller{Superuser: true}, 20)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		march, err := generate(t, db, 3)
		if err != nil {
			t.Fatal(err)
		}
		wantLines(t, march, "Agent usage: Caller - 2 activities = 0.2", "Agent outcomes: Seller - 7.5% of 1000.0 = 75.0")
		wantSound(t, db, o.imported(db, legacy.Options{}))
	})
}

func TestImport_DryRunKeepsNothing(t *testing.T) {
	each(t, "earlier.sql", func(t *testing.T, o *old, db *store.DB, _ *storetest.Clock) {
		report := o.imported(db, legacy.Options{Dry: true})
		if !report.Holds() || part(t, report, "Acme").Added == 0 {
			t.Errorf("report: %+v", report)
		}
		if ids, err := db.OrganizationIDs(t.Context()); err != nil || len(ids) != 0 {
			t.Errorf("organizations: %v, %v", ids, err)
		}
	})
}

func TestImport_ForeignDataIsRefusedUnlessMerged(t *testing.T) {
	each(t, "earlier.sql", func(t *testing.T, o *old, db *store.DB, _ *storetest.Clock) {
		if err := db.Tx(t.Context(), func(tx *store.Tx) error {
			for _, name := range []string{"One", "Two", "Three"} {
				if _, err := tx.InsertOrganization(t.Context(), xyra.Organization{Name: name, Status: "active", Timezone: "UTC", Settings: []byte("{}"), Currency: "USD"}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := o.tried(db, legacy.Options{}); !errors.Is(err, legacy.ErrForeign) {
			t.Errorf("without merge: %v", err)
		}
		report := o.imported(db, legacy.Options{Merge: true})
		wantText(t, part(t, report, "Acme").Differences, "organization 3 is another one here (Name, ")
		if bravo := part(t, report, "Bravo"); len(bravo.Differences) > 0 || bravo.Added == 0 {
			t.Errorf("Bravo: %+v", bravo)
		}
		if report.Holds() {
			t.Error("the report holds although an organization is missing")
		}
		wantVerified(t, db)
	})
}

// Both programs have gone on, and their next agent has the same id: the events of one are not the other's.
func TestImport_OtherRowsUnderTheSameIDGetNothing(t *testing.T) {
	each(t, "earlier.sql", func(t *testing.T, o *old, db *store.DB, _ *storetest.Clock) {
		o.imported(db, legacy.Options{})
		var id xyra.AgentID
		if err := db.Tx(t.Context(), func(tx *store.Tx) (err error) {
			id, err = tx.InsertAgent(t.Context(), xyra.Agent{Organization: 3, Name: "New", Status: "active", Capabilities: []byte("[]")})
			return err
		}); err != nil || id <= 16 {
			t.Fatalf("the next agent is %d, %v", id, err)
		}
		o.exec(fmt.Sprintf(`INSERT INTO agent VALUES (%d, 'New', NULL, 3, NULL, NULL, true, NULL, NULL, 'active', NULL, '[]', NULL, '2024-05-01', NULL);
			INSERT INTO agentactivity VALUES (107, %d, 'call', '2024-05-02', NULL, NULL, NULL)`, id, id))
		acme := part(t, o.imported(db, legacy.Options{}), "Acme")
		wantText(t, acme.Differences, fmt.Sprintf("agent %d is another one here", id))
		if _, err := db.Event(t.Context(), 3, xyra.Activity, 107); !xyra.HasCode(err, xyra.CodeNotFound) {
			t.Errorf("the event of another agent: %v", err)
		}
	})
}

func TestImport_WhatCannotBeKeptIsNamed(t *testing.T) {
	each(t, "earlier.sql", func(t *testing.T, o *old, db *store.DB, _ *storetest.Clock) {
		o.exec(`INSERT INTO "user" VALUES (11, 'ann@acme.example', 'x', NULL, true, false, 3, NULL, 'owner', NULL, NULL);
			UPDATE agent SET billing_model_id = 8 WHERE id = 12;
			UPDATE agentcost SET amount = 'NaN' WHERE id = 307;
			UPDATE invoice SET total_amount = 80, status = 'draft' WHERE id = 20`)
		acme := part(t, o.imported(db, legacy.Options{}), "Acme")
		for _, want := range []string{"user 11 is not imported: its address ann@acme.example is that of user 7", "agent 12: its billing model 8 is not here or not of its organization",
			`agentcost 307: amount "NaN" is no number`, "its total 80.0 is not amount and tax (75.2)", `status "draft" becomes "pending"`} {
			wantText(t, acme.Differences, want)
		}
		wantVerified(t, db)
	})
}

func TestImport_InvoicesAreProvedToBeThoseImported(t *testing.T) {
	i := xyra.Invoice{Number: "A", Currency: "USD", Amount: money.MustParse("10"), Lines: []xyra.Line{{ID: 1, Amount: money.MustParse("9.99")}}}
	i.Imported = i.Digest()
	if err := i.Check(); err != nil {
		t.Errorf("as imported: %v", err)
	}
	i.Lines[0].Amount = money.MustParse("10")
	if err := i.Check(); err == nil {
		t.Error("a changed line is not noticed")
	}
}

func TestOpenSource_OtherDatabasesAreRefused(t *testing.T) {
	target := storetest.Postgres(t)
	if _, err := legacy.OpenSource(t.Context(), target.URL); !errors.Is(err, legacy.ErrOwn) {
		t.Errorf("a database of this program: %v", err)
	}
	o := newOld(t, "earlier.sql")
	o.exec("DROP TABLE agent CASCADE")
	if _, err := legacy.OpenSource(t.Context(), o.address); !errors.Is(err, legacy.ErrNotXyra) {
		t.Errorf("a database without agents: %v", err)
	}
}
