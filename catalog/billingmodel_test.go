package catalog_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/catalog"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

func deleteModel(t testing.TB, db *store.DB, caller xyra.Caller, id xyra.BillingModelID) (xyra.BillingModel, error) {
	t.Helper()
	return in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.BillingModel, error) {
		return catalog.DeleteBillingModel(ctx, tx, caller, id)
	})
}

func TestCreateBillingModel_RefusesInTheContractsOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		org, other := newOrganization(t, db, "Acme").ID, newOrganization(t, db, "Bolt").ID
		create := func(caller xyra.Caller, org xyra.OrganizationID) error {
			_, err := in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.BillingModel, error) {
				return catalog.CreateBillingModel(ctx, tx, caller, catalog.NewBillingModel{Organization: org, Type: "tiered"})
			})
			return err
		}
		for _, caller := range []xyra.Caller{member(org), admin(other), {}} {
			refused(t, create(caller, org), xyra.CodeForbidden, "Not enough permissions to create billing models for this organization")
		}
		refused(t, create(operator, 999), xyra.CodeInvalid, "Organization with ID 999 not found")
		refused(t, create(admin(org), org), xyra.CodeInvalid, "Invalid billing model type: tiered. Must be one of: seat, activity, outcome, hybrid")
	})
}

func TestUpdateBillingModel_OnlyPricesMakeAVersion(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		org := newOrganization(t, db, "Acme").ID
		m := newModel(t, db, org, "plan")
		versions := func() []xyra.Version {
			all, err := db.Versions(t.Context(), org)
			return must(t, all, err)[m.ID]
		}
		price := func(s string) catalog.BillingModelEdit {
			return catalog.BillingModelEdit{Preset: catalog.PresetEdit{ActivityPrice: catalog.To(decimal(s))}}
		}
		made := clock.Now()
		for _, step := range []struct {
			what    string
			edit    catalog.BillingModelEdit
			count   int
			updated bool
		}{
			{"nothing", catalog.BillingModelEdit{}, 1, false},
			{"the same name", catalog.BillingModelEdit{Name: catalog.To("plan")}, 1, false},
			{"a new name", catalog.BillingModelEdit{Name: catalog.To("Plan"), Description: catalog.To(word("d"))}, 1, true},
			{"activity", catalog.BillingModelEdit{IsActive: catalog.To(false)}, 1, true},
			{"the same price", price("2.00"), 1, false},
			{"the same type", catalog.BillingModelEdit{Type: catalog.To(word("activity"))}, 1, false},
			{"settings of another type", catalog.BillingModelEdit{Preset: catalog.PresetEdit{SeatPrice: catalog.To(decimal("9"))}}, 1, false},
			{"a new price", price("3"), 2, true},
			{"another type", catalog.BillingModelEdit{Type: catalog.To(word("hybrid")), Preset: catalog.PresetEdit{BaseFee: catalog.To(decimal("0"))}}, 3, true},
		} {
			before := made
			if clock.Advance(time.Minute); step.updated {
				made = clock.Now()
			}
			got, err := updateModel(t, db, admin(org), m.ID, step.edit)
			must(t, got, err)
			kept, err := db.BillingModel(t.Context(), org, m.ID)
			must(t, kept, err)
			if !kept.UpdatedAt.Equal(made) || !got.UpdatedAt.Equal(made) || len(versions()) != step.count || kept.Version.ID != got.Version.ID {
				t.Errorf("%s: %d versions, updated at %s after %s: %+v", step.what, len(versions()), kept.UpdatedAt, before, kept)
			}
		}
		_, err := updateModel(t, db, admin(org), m.ID, catalog.BillingModelEdit{Type: catalog.To((*string)(nil))})
		refused(t, err, xyra.CodeInvalid, "Invalid billing model type: None. Must be one of: seat, activity, outcome, hybrid")
		if last := versions()[2]; last.Type != xyra.ModelHybrid || len(last.Components) != 2 || last.Components[0].Kind != pricing.BaseFee || last.Components[1].Type != "call" {
			t.Errorf("the last version is %+v", last)
		}
		sound(t, db)
	})
}

// A price acts from the moment it is saved; what happened before keeps the price of its time, whenever it is recorded.
func TestUpdateBillingModel_PriceActsFromThenOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		org := newOrganization(t, db, "Acme").ID
		m := newModel(t, db, org, "plan")
		a := newAgent(t, db, xyra.Agent{Organization: org, Name: "bot", Status: "active", BillingModel: m.ID})
		clock.Advance(time.Hour)
		changed := clock.Now()
		got, err := updateModel(t, db, operator, m.ID, catalog.BillingModelEdit{Preset: catalog.PresetEdit{ActivityPrice: catalog.To(decimal("5"))}})
		must(t, got, err)
		clock.Advance(time.Hour)
		for _, c := range []struct {
			at   time.Time
			want string
		}{{storetest.Start.AddDate(-1, 0, 0), "6"}, {changed.Add(-time.Microsecond), "6"}, {changed, "15"}, {clock.Now(), "15"}} {
			if event := record(t, db, org, a.ID, c.at); !event.Charge.Equal(money.MustParse(c.want)) {
				t.Errorf("at %s the charge is %s, want %s", c.at, event.Charge, c.want)
			}
		}
		faults, err := usage.Verify(t.Context(), db)
		if must(t, faults, err); len(faults) > 0 {
			t.Errorf("verify: %v", faults)
		}
		sound(t, db)
	})
}

// A clock that was set back must not bring back the price before.
func TestUpdateBillingModel_ClockSetBackKeepsTheOrderOfVersions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		org := newOrganization(t, db, "Acme").ID
		m := newModel(t, db, org, "plan")
		clock.Advance(-time.Hour)
		got, err := updateModel(t, db, operator, m.ID, catalog.BillingModelEdit{Preset: catalog.PresetEdit{ActivityPrice: catalog.To(decimal("5"))}})
		must(t, got, err)
		all, err := db.Versions(t.Context(), org)
		must(t, all, err)
		if v := xyra.VersionAt(all[m.ID], storetest.Start.Add(time.Hour)); v.ID != got.Version.ID {
			t.Errorf("version %d is in force, want %d", v.ID, got.Version.ID)
		}
	})
}

func TestDeleteBillingModel_NamesTheAgentsOnIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		org, other := newOrganization(t, db, "Acme").ID, newOrganization(t, db, "Bolt").ID
		m := newModel(t, db, org, "plan")
		first := newAgent(t, db, xyra.Agent{Organization: org, Name: "Zoe", Status: "active", BillingModel: m.ID})
		second := newAgent(t, db, xyra.Agent{Organization: org, Name: "Ann", Status: "active", BillingModel: m.ID})
		_, err := deleteModel(t, db, admin(other), m.ID)
		refused(t, err, xyra.CodeNotFound, "Billing model not found")
		_, err = deleteModel(t, db, admin(org), m.ID)
		refused(t, err, xyra.CodeInvalid, "Cannot delete billing model: It is currently in use by agents: Zoe, Ann")
		deleteAgent(t, db, admin(org), first.ID)
		moved, err := updateAgent(t, db, admin(org), second.ID, catalog.AgentEdit{BillingModel: catalog.To((*xyra.BillingModelID)(nil))})
		must(t, moved, err)
		was, err := deleteModel(t, db, admin(org), m.ID)
		if must(t, was, err); was.Name != "plan" || was.Version.ID != m.Version.ID {
			t.Errorf("deleted %+v", was)
		}
		_, err = deleteModel(t, db, operator, m.ID)
		refused(t, err, xyra.CodeNotFound, "Billing model not found")
		_, err = updateAgent(t, db, operator, second.ID, catalog.AgentEdit{BillingModel: catalog.To(&m.ID)})
		refused(t, err, xyra.CodeInvalid, fmt.Sprintf("Billing model with ID %d not found", m.ID))
		byID, err := db.VersionsByID(t.Context(), org, []int64{int64(m.Version.ID), 999})
		if must(t, byID, err); len(byID) != 1 || byID[m.Version.ID].Components[0].Type != "call" {
			t.Errorf("versions of an archived model: %v", byID)
		}
		sound(t, db)
	})
}

func TestDeleteBillingModel_NeverLeavesAnAgentOnIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		org := newOrganization(t, db, "Acme").ID
		for round := range 10 {
			m := newModel(t, db, org, "plan")
			a := newAgent(t, db, xyra.Agent{Organization: org, Name: "bot", Status: "active"})
			var group sync.WaitGroup
			var attached, deleted error
			group.Go(func() {
				_, attached = updateAgent(t, db, admin(org), a.ID, catalog.AgentEdit{BillingModel: catalog.To(&m.ID)})
			})
			group.Go(func() { _, deleted = deleteModel(t, db, admin(org), m.ID) })
			group.Wait()
			if (attached == nil) == (deleted == nil) {
				t.Errorf("round %d: attached %v, deleted %v", round, attached, deleted)
			}
		}
	})
}

// Tiers and packages come with models of a later day; what is stored of them is exact already.
func TestInsertVersion_ComponentsComeBackExactly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		org := newOrganization(t, db, "Acme").ID
		m := newModel(t, db, org, "plan")
		var want []pricing.Component
		for i := range 250 {
			want = append(want, pricing.Component{Kind: pricing.Activity, Type: fmt.Sprint("call ", i), Price: money.MustParse("999999999999999.999999999999")})
		}
		want = append(want,
			pricing.Component{Kind: pricing.Activity, Type: "t", Scheme: pricing.Graduated, Tiers: []pricing.Tier{
				{UpTo: decimal("10.5"), Price: money.MustParse("0.000000000001"), Flat: money.MustParse("3")}, {Price: money.MustParse("2")}}},
			pricing.Component{Kind: pricing.Activity, Type: "p", Scheme: pricing.Package, Price: money.MustParse("4"), PackageSize: money.MustParse("1000")})
		id, err := in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.VersionID, error) {
			return tx.InsertVersion(ctx, org, xyra.Version{Model: m.ID, From: tx.Now, Type: xyra.ModelActivity, Components: want})
		})
		must(t, id, err)
		kept, err := db.BillingModel(t.Context(), org, m.ID)
		must(t, kept, err)
		if kept.Version.ID != id || text(kept.Version.Components) != text(want) {
			t.Errorf("kept  %s\nwant %s", text(kept.Version.Components), text(want))
		}
	})
}

// text writes components with their decimals as they are stored.
func text(components []pricing.Component) string {
	s := ""
	for _, c := range components {
		s += fmt.Sprintf("%s %s %s %s %q %s", c.Kind, c.Type, c.Price.Canonical(), c.Frequency, c.Scheme, c.PackageSize.Canonical())
		for _, tier := range c.Tiers {
			if tier.UpTo != nil {
				s += " to " + tier.UpTo.Canonical()
			}
			s += " " + tier.Price.Canonical() + "+" + tier.Flat.Canonical()
		}
		s += "\n"
	}
	return s
}
