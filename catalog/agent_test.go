package catalog_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xyra"
	"xyra/catalog"
	"xyra/store"
	"xyra/store/storetest"
)

func TestCreateAgent_KeepsEveryField(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		org := newOrganization(t, db, "Acme").ID
		model := newModel(t, db, org, "plan")
		want := xyra.Agent{Organization: org, Name: "bot", Description: word("d"), Config: json.RawMessage(`{"seats": 3.0}`), ExternalID: word("a/b"),
			Status: "trial", Type: word("chat"), Capabilities: json.RawMessage(`["mail", 1]`), BillingModel: model.ID}
		a, err := createAgent(t, db, member(org), want)
		must(t, a, err)
		want.ID, want.CreatedAt, want.UpdatedAt, want.LastActive = a.ID, clock.Now(), clock.Now(), clock.Now()
		kept, err := db.AgentByExternalID(t.Context(), org, "a/b")
		must(t, kept, err)
		if fmt.Sprint(show(a), show(kept)) != fmt.Sprint(show(want), show(want)) {
			t.Errorf("answered %s\nkept     %s\nwant     %s", show(a), show(kept), show(want))
		}
		sound(t, db)
	})
}

// show writes an agent with what its pointers point to.
func show(a xyra.Agent) string {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestCreateAgent_RefusesInTheContractsOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		org, other := newOrganization(t, db, "Acme").ID, newOrganization(t, db, "Bolt").ID
		foreign := newModel(t, db, other, "plan")
		bot := xyra.Agent{Organization: org, Name: "bot", Status: "active", ExternalID: word("x")}
		for _, caller := range []xyra.Caller{member(other), {User: 9}} {
			_, err := createAgent(t, db, caller, bot)
			refused(t, err, xyra.CodeForbidden, "Not enough permissions to create agents for this organization")
		}
		missing := bot
		missing.Organization, missing.BillingModel = 999, 999
		_, err := createAgent(t, db, member(org), missing)
		refused(t, err, xyra.CodeForbidden, "Not enough permissions to create agents for this organization")
		_, err = createAgent(t, db, operator, missing)
		refused(t, err, xyra.CodeInvalid, "Organization with ID 999 not found")
		newAgent(t, db, bot)
		onForeign := bot
		onForeign.BillingModel = foreign.ID
		_, err = createAgent(t, db, operator, onForeign)
		refused(t, err, xyra.CodeInvalid, fmt.Sprintf("Billing model with ID %d not found", foreign.ID))
		_, err = createAgent(t, db, operator, bot)
		refused(t, err, xyra.CodeConflict, "Agent with external_id x already exists in this organization")
		elsewhere := bot
		elsewhere.Organization = other
		newAgent(t, db, elsewhere)
		sound(t, db)
	})
}

func TestCreateAgent_OneOfManyAtOnceGetsTheExternalID(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		org := newOrganization(t, db, "Acme").ID
		var group sync.WaitGroup
		var made atomic.Int64
		for range 8 {
			group.Go(func() {
				if _, err := createAgent(t, db, member(org), xyra.Agent{Organization: org, Name: "bot", Status: "active", ExternalID: word("x")}); err == nil {
					made.Add(1)
				} else {
					refused(t, err, xyra.CodeConflict, "Agent with external_id x already exists in this organization")
				}
			})
		}
		group.Wait()
		if made.Load() != 1 {
			t.Errorf("%d agents were made, want 1", made.Load())
		}
	})
}

func TestUpdateAgent_ModelIsForAdministrators(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		org, other := newOrganization(t, db, "Acme").ID, newOrganization(t, db, "Bolt").ID
		first, second, foreign := newModel(t, db, org, "one").ID, newModel(t, db, org, "two").ID, newModel(t, db, other, "three").ID
		a := newAgent(t, db, xyra.Agent{Organization: org, Name: "bot", Status: "active", BillingModel: first})
		to := func(id xyra.BillingModelID) catalog.AgentEdit {
			return catalog.AgentEdit{Name: catalog.To("renamed"), BillingModel: catalog.To(&id)}
		}
		none := catalog.AgentEdit{BillingModel: catalog.To((*xyra.BillingModelID)(nil))}
		const forbidden = "Not enough permissions to update this agent"
		for _, e := range []catalog.AgentEdit{to(second), to(foreign), to(0), to(999), none} {
			_, err := updateAgent(t, db, member(org), a.ID, e)
			refused(t, err, xyra.CodeForbidden, forbidden)
		}
		for _, id := range []xyra.BillingModelID{foreign, 0, 999} {
			_, err := updateAgent(t, db, operator, a.ID, to(id))
			refused(t, err, xyra.CodeInvalid, fmt.Sprintf("Billing model with ID %d not found", id))
		}
		kept, err := db.Agent(t.Context(), org, a.ID)
		if must(t, kept, err); kept.Name != "bot" || kept.BillingModel != first {
			t.Errorf("a refused update left %s", show(kept))
		}
		for _, step := range []struct {
			caller xyra.Caller
			edit   catalog.AgentEdit
			want   xyra.BillingModelID
		}{{member(org), to(first), first}, {admin(org), to(second), second}, {admin(org), none, 0}, {member(org), none, 0}, {operator, to(first), first}} {
			got, err := updateAgent(t, db, step.caller, a.ID, step.edit)
			if must(t, got, err); got.BillingModel != step.want {
				t.Errorf("the agent is on %d, want %d", got.BillingModel, step.want)
			}
		}
		for _, caller := range []xyra.Caller{admin(other), {User: 9}} {
			_, err := updateAgent(t, db, caller, a.ID, to(first))
			refused(t, err, xyra.CodeNotFound, "Agent not found")
		}
		sound(t, db)
	})
}

func TestUpdateAgent_TimesSayWhatHappened(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		org := newOrganization(t, db, "Acme").ID
		a := newAgent(t, db, xyra.Agent{Organization: org, Name: "bot", Status: "active", IsActive: true})
		made := clock.Now()
		check := func(what string, e catalog.AgentEdit, updated, seen time.Time) {
			t.Helper()
			answered, err := updateAgent(t, db, member(org), a.ID, e)
			must(t, answered, err)
			kept, err := db.Agent(t.Context(), org, a.ID)
			must(t, kept, err)
			if show(answered) != show(kept) || !kept.UpdatedAt.Equal(updated) || !kept.LastActive.Equal(seen) || !kept.CreatedAt.Equal(made) {
				t.Errorf("%s: answered %s, kept %s", what, show(answered), show(kept))
			}
		}
		clock.Advance(time.Minute)
		first := clock.Now()
		check("nothing", catalog.AgentEdit{}, made, made)
		check("the same name", catalog.AgentEdit{Name: catalog.To("bot")}, made, first)
		clock.Advance(time.Minute)
		second := clock.Now()
		check("a new name", catalog.AgentEdit{Name: catalog.To("bot 2")}, second, second)
		clock.Advance(time.Minute)
		third := clock.Now()
		check("deactivation", catalog.AgentEdit{IsActive: catalog.To(false), Config: catalog.To(json.RawMessage(`{"b":1,"a":2}`)), Type: catalog.To(word("t"))}, third, second)
		clock.Advance(time.Minute)
		check("clearing", catalog.AgentEdit{Config: catalog.To(json.RawMessage(nil)), Type: catalog.To((*string)(nil)), Description: catalog.To((*string)(nil))}, clock.Now(), second)
		updated := clock.Now()
		clock.Advance(time.Minute)
		record(t, db, org, a.ID, made)
		kept, err := db.Agent(t.Context(), org, a.ID)
		if must(t, kept, err); !kept.LastActive.Equal(clock.Now()) || !kept.UpdatedAt.Equal(updated) {
			t.Errorf("after an event: %s", show(kept))
		}
		sound(t, db)
	})
}

func TestDeleteAgent_FreesTheExternalIDAndKeepsTheRow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		org := newOrganization(t, db, "Acme").ID
		old := newAgent(t, db, xyra.Agent{Organization: org, Name: "old", Status: "active", ExternalID: word("x")})
		if was := deleteAgent(t, db, admin(org), old.ID); show(was) != show(old) {
			t.Errorf("deleted %s, was %s", show(was), show(old))
		}
		_, err := updateAgent(t, db, admin(org), old.ID, catalog.AgentEdit{Name: catalog.To("x")})
		refused(t, err, xyra.CodeNotFound, "Agent not found")
		_, err = db.AgentAnywhere(t.Context(), old.ID)
		refused(t, err, xyra.CodeNotFound, "Agent not found")
		fresh := newAgent(t, db, xyra.Agent{Organization: org, Name: "new", Status: "active", ExternalID: word("x"), IsActive: true})
		idle := newAgent(t, db, xyra.Agent{Organization: org, Name: "idle", Status: "active"})
		names := func(list []xyra.Agent, err error) string {
			text := ""
			for _, a := range must(t, list, err) {
				text += fmt.Sprint(" ", a.Name, " ", a.Archived)
			}
			return text
		}
		for want, got := range map[string]string{
			" old true new false idle false": names(db.AgentsEver(t.Context(), org)),
			" new false idle false":          names(db.Agents(t.Context(), org, false, 0, 10)),
			" new false":                     names(db.Agents(t.Context(), org, true, 0, 10)),
			" idle false":                    names(db.Agents(t.Context(), org, false, 1, 1)),
		} {
			if got != want {
				t.Errorf("listed%s, want%s", got, want)
			}
		}
		elsewhere := newAgent(t, db, xyra.Agent{Organization: newOrganization(t, db, "Bolt").ID, Name: "b", Status: "active", ExternalID: word("x")})
		found, err := db.AgentsByExternalIDAnywhere(t.Context(), "x")
		if must(t, found, err); len(found) != 2 || found[0].ID != fresh.ID || found[1].ID != elsewhere.ID || idle.ExternalID != nil {
			t.Errorf("found %v", found)
		}
		sound(t, db)
	})
}
