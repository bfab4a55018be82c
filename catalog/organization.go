package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"xyra"
	"xyra/money"
	"xyra/store"
	"xyra/strictjson"
)

// currencyDefault is the billing currency of settings that name none.
const currencyDefault money.Currency = "USD"

// CreateOrganization adds o and returns it with its id and times. A name in use is invalid, an external id in use a
// conflict.
func CreateOrganization(ctx context.Context, tx *store.Tx, caller xyra.Caller, o xyra.Organization) (xyra.Organization, error) {
	if err := tx.LockName(ctx, "organization", o.Name); err != nil {
		return o, err
	}
	taken, err := tx.OrganizationNameTaken(ctx, o.Name)
	if err != nil {
		return o, err
	}
	if taken {
		return o, xyra.Invalid("An organization with this name already exists")
	}
	if o.Currency, err = currencyOf(o.Settings); err != nil {
		return o, err
	}
	if o.ID, err = tx.InsertOrganization(ctx, o); err != nil {
		return o, externalIDTaken(tx, o, err)
	}
	o.CreatedAt, o.UpdatedAt = tx.Now, tx.Now
	tx.Audit(caller, xyra.AuditEntry{Organization: o.ID, Action: "organization.create", ObjectID: int64(o.ID), Detail: detail(map[string]any{"name": o.Name})})
	return o, tx.InsertStripeJob(ctx, xyra.StripeCustomerJob(o.ID))
}

// OrganizationEdit is what an update may change.
type OrganizationEdit struct {
	Name         Edit[string]
	Description  Edit[*string]
	ExternalID   Edit[*string]
	Status       Edit[string]
	BillingEmail Edit[*string]
	ContactName  Edit[*string]
	ContactPhone Edit[*string]
	Timezone     Edit[string]
	Settings     Edit[json.RawMessage] // replaced whole; without "currency" the present one is copied in
}

// UpdateOrganization changes o as e says and returns it. A caller who does not administer it does not find it. A new
// currency or time zone acts on what is recorded from now on.
func UpdateOrganization(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.OrganizationID, e OrganizationEdit) (xyra.Organization, error) {
	if !caller.Administers(id) {
		return xyra.Organization{}, xyra.NotFound("Organization")
	}
	if e.Status.Set || e.Timezone.Set || e.Settings.Set {
		if err := tx.PauseRecording(ctx); err != nil {
			return xyra.Organization{}, err
		}
	}
	present, err := tx.OrganizationLocked(ctx, id)
	if err != nil {
		return present, err
	}
	o, err := e.apply(present)
	if err != nil || reflect.DeepEqual(o, present) {
		return o, err
	}
	if err := tx.UpdateOrganization(ctx, o); err != nil {
		return o, externalIDTaken(tx, o, err)
	}
	o.UpdatedAt = tx.Now
	tx.Audit(caller, xyra.AuditEntry{Organization: id, Action: "organization.update", ObjectID: int64(id), Detail: detail(map[string]any{
		"name": o.Name, "status": o.Status, "timezone": o.Timezone, "currency": o.Currency})})
	if o.Name == present.Name && reflect.DeepEqual(o.BillingEmail, present.BillingEmail) {
		return o, nil
	}
	return o, tx.InsertStripeJob(ctx, xyra.StripeCustomerJob(id))
}

func (e OrganizationEdit) apply(o xyra.Organization) (xyra.Organization, error) {
	o.Name = e.Name.or(o.Name)
	o.Description = e.Description.or(o.Description)
	o.ExternalID = e.ExternalID.or(o.ExternalID)
	o.Status = e.Status.or(o.Status)
	o.BillingEmail = e.BillingEmail.or(o.BillingEmail)
	o.ContactName = e.ContactName.or(o.ContactName)
	o.ContactPhone = e.ContactPhone.or(o.ContactPhone)
	o.Timezone = e.Timezone.or(o.Timezone)
	if !e.Settings.Set {
		return o, nil
	}
	var err error
	if o.Settings, err = withCurrency(e.Settings.To, o.Currency); err != nil {
		return o, err
	}
	o.Currency, err = currencyOf(o.Settings)
	return o, err
}

// currencyOf is the billing currency that settings name, in upper case already.
func currencyOf(settings json.RawMessage) (money.Currency, error) {
	v, err := strictjson.Parse(settings)
	if err != nil {
		return "", fmt.Errorf("read settings: %w", err)
	}
	named, ok := v.Field("currency")
	if !ok {
		return currencyDefault, nil
	}
	code, ok := money.ParseCurrency(named.Text())
	if !ok {
		return "", fmt.Errorf("settings with the currency %s", named.Raw())
	}
	return code, nil
}

// withCurrency appends the present currency to settings that name none.
func withCurrency(settings json.RawMessage, present money.Currency) (json.RawMessage, error) {
	v, err := strictjson.Parse(settings)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if _, ok := v.Field("currency"); ok {
		return settings, nil
	}
	text := v.Compact()
	text = text[:len(text)-1]
	if v.Len() > 0 {
		text = append(text, ',')
	}
	text = append(text, `"currency":`...)
	return append(strictjson.AppendString(text, string(present)), '}'), nil
}

// externalIDTaken words the violation of the one unique key of organizations.
func externalIDTaken(tx *store.Tx, o xyra.Organization, err error) error {
	if tx.IsUnique(err) && o.ExternalID != nil {
		return xyra.Conflict("Organization with external_id %s already exists", *o.ExternalID)
	}
	return err
}

// DeleteOrganization archives an organization, with its billing models, and returns it as it was. One that has agents or
// users, or whose archived agents have recorded events, or that has invoices, is a conflict.
func DeleteOrganization(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.OrganizationID) (xyra.Organization, error) {
	if err := tx.PauseRecording(ctx); err != nil {
		return xyra.Organization{}, err
	}
	o, err := tx.OrganizationLocked(ctx, id)
	if err != nil {
		return o, err
	}
	inUse, err := tx.OrganizationInUse(ctx, id)
	if err != nil {
		return o, err
	}
	if inUse {
		return o, xyra.Conflict("Cannot delete organization: it still has agents, users or invoices")
	}
	if err := tx.DeleteBillingModels(ctx, id); err != nil {
		return o, err
	}
	if err := tx.DeleteWebhookEndpoints(ctx, id); err != nil {
		return o, err
	}
	if err := tx.DeleteOrganization(ctx, id); err != nil {
		return o, err
	}
	tx.Audit(caller, xyra.AuditEntry{Organization: id, Action: "organization.delete", ObjectID: int64(id), Detail: detail(map[string]any{"name": o.Name})})
	return o, tx.InsertStripeJob(ctx, xyra.StripeCustomerJob(id))
}
