package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xyra"
	"xyra/catalog"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

const (
	nameTaken     = "An organization with this name already exists"
	externalTaken = "Organization with external_id crm-1 already exists"
	stillInUse    = "Cannot delete organization: it still has agents, users or invoices"
)

func createOrganization(t testing.TB, db *store.DB, name string, externalID *string) (xyra.Organization, error) {
	t.Helper()
	return in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.Organization, error) {
		return catalog.CreateOrganization(ctx, tx, operator, xyra.Organization{Name: name, ExternalID: externalID, Status: "active",
			Timezone: "Asia/Tokyo", Settings: json.RawMessage(`{"tier":"gold", "currency":"JPY"}`)})
	})
}

func deleteOrganization(t testing.TB, db *store.DB, id xyra.OrganizationID) (xyra.Organization, error) {
	t.Helper()
	return in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.Organization, error) {
		return catalog.DeleteOrganization(ctx, tx, operator, id)
	})
}

func TestCreateOrganization_NameAndExternalIDAreFreeAgainWhenArchived(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		o, err := createOrganization(t, db, "Acme", word("crm-1"))
		must(t, o, err)
		kept, err := db.Organization(t.Context(), o.ID)
		must(t, kept, err)
		if kept.Currency != "JPY" || string(kept.Settings) != `{"tier":"gold", "currency":"JPY"}` || !kept.CreatedAt.Equal(storetest.Start) {
			t.Errorf("kept %+v", kept)
		}
		_, err = createOrganization(t, db, "Acme", word("crm-1"))
		refused(t, err, xyra.CodeInvalid, nameTaken)
		_, err = createOrganization(t, db, "ACME", word("crm-1"))
		refused(t, err, xyra.CodeConflict, externalTaken)
		o, err = deleteOrganization(t, db, o.ID)
		must(t, o, err)
		_, err = deleteOrganization(t, db, o.ID)
		refused(t, err, xyra.CodeNotFound, "Organization not found")
		o, err = createOrganization(t, db, "Acme", word("crm-1"))
		must(t, o, err)
		sound(t, db)
	})
}

func TestCreateOrganization_OneOfManyAtOnceGetsTheName(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		var group sync.WaitGroup
		var made atomic.Int64
		for range 8 {
			group.Go(func() {
				if _, err := createOrganization(t, db, "Acme", nil); err == nil {
					made.Add(1)
				} else {
					refused(t, err, xyra.CodeInvalid, nameTaken)
				}
			})
		}
		group.Wait()
		if made.Load() != 1 {
			t.Errorf("%d organizations were made, want 1", made.Load())
		}
	})
}

func TestUpdateOrganization_SettingsKeepTheCurrency(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		o, err := createOrganization(t, db, "Acme", nil)
		must(t, o, err)
		clock.Advance(time.Minute)
		for _, c := range []struct {
			sent, kept string
			currency   money.Currency
		}{
			{`{}`, `{"currency":"JPY"}`, "JPY"},
			{`{"a":1}`, `{"a":1,"currency":"JPY"}`, "JPY"},
			{`{"currency":"EUR","b":[]}`, `{"currency":"EUR","b":[]}`, "EUR"},
			{`{"x":{"currency":"USD"}}`, `{"x":{"currency":"USD"},"currency":"EUR"}`, "EUR"},
		} {
			o, err := updateOrganization(t, db, admin(o.ID), o.ID, catalog.OrganizationEdit{Settings: catalog.To(json.RawMessage(c.sent))})
			must(t, o, err)
			kept, err := db.Organization(t.Context(), o.ID)
			must(t, kept, err)
			if string(o.Settings) != c.kept || string(kept.Settings) != c.kept || kept.Currency != c.currency || o.Currency != c.currency {
				t.Errorf("settings %s became %s (%s), stored %s (%s)", c.sent, o.Settings, o.Currency, kept.Settings, kept.Currency)
			}
			if !kept.UpdatedAt.Equal(clock.Now()) || !o.UpdatedAt.Equal(clock.Now()) {
				t.Errorf("updated at %s, answered %s", kept.UpdatedAt, o.UpdatedAt)
			}
		}
		sound(t, db)
	})
}

func TestUpdateOrganization_OnlyItsAdministratorsFindIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		o, other := newOrganization(t, db, "Acme"), newOrganization(t, db, "Bolt")
		rename := catalog.OrganizationEdit{Name: catalog.To("Bolt"), Description: catalog.To(word("x")), Status: catalog.To("trial")}
		for _, caller := range []xyra.Caller{member(o.ID), admin(other.ID), {}} {
			_, err := updateOrganization(t, db, caller, o.ID, rename)
			refused(t, err, xyra.CodeNotFound, "Organization not found")
		}
		_, err := updateOrganization(t, db, operator, 999, rename)
		refused(t, err, xyra.CodeNotFound, "Organization not found")
		clock.Advance(time.Minute)
		same, err := updateOrganization(t, db, operator, o.ID, catalog.OrganizationEdit{})
		if must(t, same, err); !same.UpdatedAt.Equal(o.UpdatedAt) {
			t.Errorf("nothing changed, but updated at %s", same.UpdatedAt)
		}
		changed, err := updateOrganization(t, db, admin(o.ID), o.ID, rename)
		if must(t, changed, err); changed.Name != "Bolt" || *changed.Description != "x" || changed.Status != "trial" || changed.Timezone != "UTC" {
			t.Errorf("changed to %+v", changed)
		}
		taken := catalog.OrganizationEdit{ExternalID: catalog.To(word("crm-1"))}
		changed, err = updateOrganization(t, db, operator, o.ID, taken)
		must(t, changed, err)
		_, err = updateOrganization(t, db, operator, other.ID, taken)
		refused(t, err, xyra.CodeConflict, externalTaken)
		sound(t, db)
	})
}

func TestDeleteOrganization_WhatBelongsToItKeepsIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		withAgent, withUser, withEvent, withInvoice := newOrganization(t, db, "a"), newOrganization(t, db, "u"), newOrganization(t, db, "e"), newOrganization(t, db, "i")
		newAgent(t, db, xyra.Agent{Organization: withAgent.ID, Name: "bot", Status: "active"})
		recorded := newAgent(t, db, xyra.Agent{Organization: withEvent.ID, Name: "bot", Status: "active"})
		record(t, db, withEvent.ID, recorded.ID, clock.Now())
		deleteAgent(t, db, operator, recorded.ID)
		_, err := in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.UserID, error) {
			return tx.InsertUser(ctx, xyra.User{Organization: withUser.ID, Email: "u@a.io", EmailKey: "u@a.io", Role: xyra.RoleUser})
		})
		must(t, withUser, err)
		_, err = in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.Invoice, error) {
			id, _, err := tx.InsertInvoiceNumber(ctx, withInvoice.ID, "1")
			if err != nil {
				return xyra.Invoice{}, err
			}
			i, _, err := tx.InsertInvoice(ctx, xyra.Invoice{ID: id, Organization: withInvoice.ID, Number: "1", Currency: "USD", Status: xyra.InvoiceCancelled,
				IssueDate: tx.Now, DueDate: tx.Now})
			return i, err
		})
		must(t, withInvoice, err)
		for _, o := range []xyra.Organization{withAgent, withUser, withEvent, withInvoice} {
			_, err := deleteOrganization(t, db, o.ID)
			refused(t, err, xyra.CodeConflict, stillInUse)
		}
		free := newOrganization(t, db, "free")
		model := newModel(t, db, free.ID, "plan")
		gone := newAgent(t, db, xyra.Agent{Organization: free.ID, Name: "bot", Status: "active"})
		deleteAgent(t, db, operator, gone.ID)
		o, err := deleteOrganization(t, db, free.ID)
		must(t, o, err)
		_, err = db.BillingModelAnywhere(t.Context(), model.ID)
		refused(t, err, xyra.CodeNotFound, "Billing model not found")
		sound(t, db)
	})
}

func TestDeleteOrganization_NeverLeavesAnAgentBehind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		for round := range 10 {
			o := newOrganization(t, db, fmt.Sprint("Acme ", round))
			var group sync.WaitGroup
			var created, deleted error
			group.Go(func() {
				_, created = createAgent(t, db, operator, xyra.Agent{Organization: o.ID, Name: "bot", Status: "active"})
			})
			group.Go(func() { _, deleted = deleteOrganization(t, db, o.ID) })
			group.Wait()
			switch {
			case created == nil:
				refused(t, deleted, xyra.CodeConflict, stillInUse)
			case deleted == nil:
				refused(t, created, xyra.CodeInvalid, fmt.Sprintf("Organization with ID %d not found", o.ID))
			default:
				t.Errorf("both were refused: %v, %v", created, deleted)
			}
		}
	})
}

// record records an activity of one call by a superuser who is in the database, and returns it.
func record(t testing.TB, db *store.DB, org xyra.OrganizationID, agent xyra.AgentID, at time.Time) xyra.Event {
	t.Helper()
	caller := operator
	_, err := in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.UserID, error) {
		email := fmt.Sprintf("operator-%d-%d@xyra.io", org, at.UnixMicro())
		id, err := tx.InsertUser(ctx, xyra.User{Email: email, EmailKey: email, IsActive: true, IsSuperuser: true, Role: xyra.RoleUser})
		caller.User = id
		return id, err
	})
	must(t, caller, err)
	recorder := usage.New(db, usage.Options{Committers: 1})
	results, err := recorder.Record(t.Context(), caller, []usage.Draft{{Kind: xyra.Activity, Agent: agent, Type: "call", Quantity: money.MustParse("3"), Timestamp: at}})
	must(t, results, err)
	if err := recorder.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return must(t, results[0].Event, results[0].Err)
}

func deleteAgent(t testing.TB, db *store.DB, caller xyra.Caller, id xyra.AgentID) xyra.Agent {
	t.Helper()
	a, err := in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.Agent, error) {
		return catalog.DeleteAgent(ctx, tx, caller, id)
	})
	return must(t, a, err)
}
