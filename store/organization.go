package store

import (
	"context"

	"xyra"
)

const organizationColumns = `id, name, description, external_id, status, billing_email, contact_name, contact_phone,
	timezone, settings, currency, stripe_customer_id, created_at, updated_at`

func scanOrganization(r row) (o xyra.Organization, err error) {
	err = r.Scan(&o.ID, &o.Name, &o.Description, &o.ExternalID, &o.Status, &o.BillingEmail, &o.ContactName, &o.ContactPhone,
		&o.Timezone, object{&o.Settings}, &o.Currency, &o.Stripe, instant{&o.CreatedAt}, instant{&o.UpdatedAt})
	return o, err
}

// Organization reads one that is not archived.
func (r Reader) Organization(ctx context.Context, id xyra.OrganizationID) (xyra.Organization, error) {
	return one(ctx, r, "Organization", "organization", scanOrganization,
		`SELECT `+organizationColumns+` FROM organizations WHERE id = $1 AND archived_at IS NULL`, id)
}

// OrganizationLocked reads one and keeps its row locked until the transaction ends: whatever must happen one after the
// other in an organization (generating invoices, archiving) starts with it.
func (tx *Tx) OrganizationLocked(ctx context.Context, id xyra.OrganizationID) (xyra.Organization, error) {
	return one(ctx, tx.Reader, "Organization", "organization locked", scanOrganization,
		`SELECT `+organizationColumns+` FROM organizations WHERE id = $1 AND archived_at IS NULL FOR UPDATE`, id)
}

// Organizations lists all that are not archived, by id.
func (r Reader) Organizations(ctx context.Context, skip, limit int64) ([]xyra.Organization, error) {
	return collect(ctx, r, "organizations", scanOrganization, `SELECT `+organizationColumns+` FROM organizations
		WHERE archived_at IS NULL ORDER BY id LIMIT $1 OFFSET $2`, limit, skip)
}

// OrganizationIDs lists every organization that ever was, by id.
func (r Reader) OrganizationIDs(ctx context.Context) ([]xyra.OrganizationID, error) {
	return collect(ctx, r, "organization ids", scanValue[xyra.OrganizationID], `SELECT id FROM organizations ORDER BY id`)
}

// OrganizationNameTaken tells whether one that is not archived has exactly this name.
func (r Reader) OrganizationNameTaken(ctx context.Context, name string) (bool, error) {
	return value[bool](ctx, r, "organization name", `SELECT EXISTS (SELECT 1 FROM organizations WHERE name = $1 AND archived_at IS NULL)`, name)
}

// InsertOrganization adds o with times set to now and returns its id. A taken external id violates a unique key.
func (tx *Tx) InsertOrganization(ctx context.Context, o xyra.Organization) (xyra.OrganizationID, error) {
	now := xyra.Micros(tx.Now)
	return value[xyra.OrganizationID](ctx, tx.Reader, "insert organization", `INSERT INTO organizations
		(name, description, external_id, status, billing_email, contact_name, contact_phone, timezone, settings, currency, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING id`,
		o.Name, o.Description, o.ExternalID, o.Status, o.BillingEmail, o.ContactName, o.ContactPhone, o.Timezone,
		textOrNil(o.Settings), o.Currency, now)
}

// UpdateOrganization writes every field a caller may change and sets updated_at to now.
func (tx *Tx) UpdateOrganization(ctx context.Context, o xyra.Organization) error {
	if err := tx.advanceEpoch(ctx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "update organization", `UPDATE organizations SET name = $2, description = $3, external_id = $4, status = $5,
		billing_email = $6, contact_name = $7, contact_phone = $8, timezone = $9, settings = $10, currency = $11, updated_at = $12 WHERE id = $1`,
		o.ID, o.Name, o.Description, o.ExternalID, o.Status, o.BillingEmail, o.ContactName, o.ContactPhone, o.Timezone,
		textOrNil(o.Settings), o.Currency, xyra.Micros(tx.Now))
	return err
}

// DeleteOrganization archives: the row stays, its name and external id are free again.
func (tx *Tx) DeleteOrganization(ctx context.Context, id xyra.OrganizationID) error {
	if err := tx.advanceEpoch(ctx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "archive organization", `UPDATE organizations SET archived_at = $2, updated_at = $2 WHERE id = $1 AND archived_at IS NULL`, id, xyra.Micros(tx.Now))
	return err
}

// OrganizationInUse tells whether something keeps an organization from being archived: agents or users that are not
// archived, events of agents that are, or an invoice of any status.
func (r Reader) OrganizationInUse(ctx context.Context, id xyra.OrganizationID) (bool, error) {
	return value[bool](ctx, r, "organization in use", `SELECT
		EXISTS (SELECT 1 FROM agents WHERE organization_id = $1 AND archived_at IS NULL)
		OR EXISTS (SELECT 1 FROM users WHERE organization_id = $1 AND archived_at IS NULL)
		OR EXISTS (SELECT 1 FROM events WHERE organization_id = $1)
		OR EXISTS (SELECT 1 FROM invoices WHERE organization_id = $1)`, id)
}

// LockName makes transactions that claim the same name in the same scope wait for one another. PostgreSQL alone needs
// it: a name is compared exactly at creation but may be repeated by a later change, so no unique key can hold it.
func (tx *Tx) LockName(ctx context.Context, scope, name string) error {
	if !tx.d.postgres {
		return nil
	}
	_, err := tx.exec(ctx, "lock name", `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, scope+": "+name)
	return err
}
