package catalog_test

import (
	"context"
	"encoding/json"
	"testing"

	"xyra"
	"xyra/catalog"
	"xyra/money"
	"xyra/store"
)

// operator may everything.
var operator = xyra.Caller{User: 1, Superuser: true}

// member and admin belong to an organization.
func member(org xyra.OrganizationID) xyra.Caller {
	return xyra.Caller{User: 2, Organization: org, Role: xyra.RoleUser}
}

func admin(org xyra.OrganizationID) xyra.Caller {
	return xyra.Caller{User: 3, Organization: org, Role: xyra.RoleAdmin}
}

// in runs one verb in a transaction of its own.
func in[T any](t testing.TB, db *store.DB, verb func(context.Context, *store.Tx) (T, error)) (T, error) {
	t.Helper()
	var out T
	err := db.Tx(t.Context(), func(tx *store.Tx) (err error) {
		out, err = verb(t.Context(), tx)
		return err
	})
	return out, err
}

func must[T any](t testing.TB, out T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refused checks code and text of a refusal.
func refused(t testing.TB, err error, code xyra.Code, text string) {
	t.Helper()
	if err == nil || !xyra.HasCode(err, code) || err.Error() != text {
		t.Errorf("got the error %v, want %s: %s", err, code, text)
	}
}

func newOrganization(t testing.TB, db *store.DB, name string) xyra.Organization {
	t.Helper()
	o, err := in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.Organization, error) {
		return catalog.CreateOrganization(ctx, tx, operator, xyra.Organization{Name: name, Status: "active", Timezone: "UTC", Settings: json.RawMessage(`{}`)})
	})
	return must(t, o, err)
}

func newModel(t testing.TB, db *store.DB, org xyra.OrganizationID, name string) xyra.BillingModel {
	t.Helper()
	m, err := in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.BillingModel, error) {
		return catalog.CreateBillingModel(ctx, tx, operator, catalog.NewBillingModel{Organization: org, Name: name, Type: "activity", IsActive: true,
			Preset: catalog.PresetEdit{ActivityPrice: catalog.To(decimal("2")), ActivityType: catalog.To(word("call"))}})
	})
	return must(t, m, err)
}

func newAgent(t testing.TB, db *store.DB, a xyra.Agent) xyra.Agent {
	t.Helper()
	a, err := createAgent(t, db, operator, a)
	return must(t, a, err)
}

func createAgent(t testing.TB, db *store.DB, caller xyra.Caller, a xyra.Agent) (xyra.Agent, error) {
	t.Helper()
	if a.Capabilities == nil {
		a.Capabilities = json.RawMessage(`[]`)
	}
	var model *xyra.BillingModelID
	if a.BillingModel != 0 {
		model = &a.BillingModel
	}
	return in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.Agent, error) {
		return catalog.CreateAgent(ctx, tx, caller, a, model)
	})
}

func updateAgent(t testing.TB, db *store.DB, caller xyra.Caller, id xyra.AgentID, e catalog.AgentEdit) (xyra.Agent, error) {
	t.Helper()
	return in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.Agent, error) {
		return catalog.UpdateAgent(ctx, tx, caller, id, e)
	})
}

func updateModel(t testing.TB, db *store.DB, caller xyra.Caller, id xyra.BillingModelID, e catalog.BillingModelEdit) (xyra.BillingModel, error) {
	t.Helper()
	return in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.BillingModel, error) {
		return catalog.UpdateBillingModel(ctx, tx, caller, id, e)
	})
}

func updateOrganization(t testing.TB, db *store.DB, caller xyra.Caller, id xyra.OrganizationID, e catalog.OrganizationEdit) (xyra.Organization, error) {
	t.Helper()
	return in(t, db, func(ctx context.Context, tx *store.Tx) (xyra.Organization, error) {
		return catalog.UpdateOrganization(ctx, tx, caller, id, e)
	})
}

func decimal(s string) *money.Decimal {
	d := money.MustParse(s)
	return &d
}

func word(s string) *string { return &s }

// sound checks that the audit chains hold, which every test of the verbs ends with.
func sound(t testing.TB, db *store.DB) {
	t.Helper()
	faults, err := db.VerifyAudit(t.Context())
	if err != nil || len(faults) > 0 {
		t.Errorf("audit: %v %v", faults, err)
	}
}
