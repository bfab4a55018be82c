package store

import (
	"context"
	"encoding/json"
	"fmt"

	"xyra"
	"xyra/money"
	"xyra/pricing"
)

const modelColumns = `id, organization_id, name, description, is_active, created_at, updated_at`

func scanBillingModel(r row) (m xyra.BillingModel, err error) {
	err = r.Scan(&m.ID, &m.Organization, &m.Name, &m.Description, &m.IsActive, instant{&m.CreatedAt}, instant{&m.UpdatedAt})
	return m, err
}

// BillingModel reads an organization's model that is not archived, with its newest version.
func (r Reader) BillingModel(ctx context.Context, org xyra.OrganizationID, id xyra.BillingModelID) (xyra.BillingModel, error) {
	m, err := one(ctx, r, "Billing model", "billing model", scanBillingModel, `SELECT `+modelColumns+` FROM billing_models
		WHERE organization_id = $1 AND id = $2 AND archived_at IS NULL`, org, id)
	return r.withVersion(ctx, m, err)
}

// BillingModelAnywhere reads a model of whatever organization, for superusers.
func (r Reader) BillingModelAnywhere(ctx context.Context, id xyra.BillingModelID) (xyra.BillingModel, error) {
	m, err := one(ctx, r, "Billing model", "billing model anywhere", scanBillingModel, `SELECT `+modelColumns+` FROM billing_models
		WHERE id = $1 AND archived_at IS NULL`, id)
	return r.withVersion(ctx, m, err)
}

// BillingModelLocked reads a model and keeps its row locked until the transaction ends: whoever puts an agent on a model,
// changes its prices or archives it starts with this.
func (tx *Tx) BillingModelLocked(ctx context.Context, org xyra.OrganizationID, id xyra.BillingModelID) (xyra.BillingModel, error) {
	m, err := one(ctx, tx.Reader, "Billing model", "billing model locked", scanBillingModel, `SELECT `+modelColumns+` FROM billing_models
		WHERE organization_id = $1 AND id = $2 AND archived_at IS NULL FOR UPDATE`, org, id)
	return tx.withVersion(ctx, m, err)
}

// BillingModels lists an organization's models that are not archived, by id, each with its newest version.
func (r Reader) BillingModels(ctx context.Context, org xyra.OrganizationID, skip, limit int64) ([]xyra.BillingModel, error) {
	list, err := collect(ctx, r, "billing models", scanBillingModel, `SELECT `+modelColumns+` FROM billing_models
		WHERE organization_id = $1 AND archived_at IS NULL ORDER BY id LIMIT $2 OFFSET $3`, org, limit, skip)
	if err != nil {
		return nil, err
	}
	return r.withVersions(ctx, org, list)
}

func (r Reader) withVersion(ctx context.Context, m xyra.BillingModel, err error) (xyra.BillingModel, error) {
	if err != nil {
		return m, err
	}
	list, err := r.withVersions(ctx, m.Organization, []xyra.BillingModel{m})
	if err != nil {
		return m, err
	}
	return list[0], nil
}

// withVersions gives each model its newest version, the one that was saved last.
func (r Reader) withVersions(ctx context.Context, org xyra.OrganizationID, list []xyra.BillingModel) ([]xyra.BillingModel, error) {
	ids := make([]int64, len(list))
	for i, m := range list {
		ids[i] = int64(m.ID)
	}
	versions, err := r.versions(ctx, "newest versions", versionRows+` WHERE v.organization_id = $1 AND v.id IN (SELECT max(id)
		FROM billing_model_versions WHERE organization_id = $1 AND billing_model_id = ANY($2) GROUP BY billing_model_id)`+versionOrder, org, ids)
	if err != nil {
		return nil, err
	}
	newest := make(map[xyra.BillingModelID]xyra.Version, len(versions))
	for _, v := range versions {
		newest[v.Model] = v
	}
	for i, m := range list {
		v, ok := newest[m.ID]
		if !ok {
			return nil, fmt.Errorf("billing model %d has no version", m.ID)
		}
		list[i].Version = v
	}
	return list, nil
}

// Versions reads every version of all models an organization has had, archived models included, in order of From.
func (r Reader) Versions(ctx context.Context, org xyra.OrganizationID) (map[xyra.BillingModelID][]xyra.Version, error) {
	versions, err := r.versions(ctx, "versions", versionRows+` WHERE v.organization_id = $1`+versionOrder, org)
	if err != nil {
		return nil, err
	}
	byModel := map[xyra.BillingModelID][]xyra.Version{}
	for _, v := range versions {
		byModel[v.Model] = append(byModel[v.Model], v)
	}
	return byModel, nil
}

// VersionsByID reads those of an organization's versions that ids name; unknown ids are not in the answer.
func (r Reader) VersionsByID(ctx context.Context, org xyra.OrganizationID, ids []int64) (map[xyra.VersionID]xyra.Version, error) {
	versions, err := r.versions(ctx, "versions by id", versionRows+` WHERE v.organization_id = $1 AND v.id = ANY($2)`+versionOrder, org, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[xyra.VersionID]xyra.Version, len(versions))
	for _, v := range versions {
		byID[v.ID] = v
	}
	return byID, nil
}

// A version's components are rows of their own, read together with it and in their order.
const (
	versionRows = `SELECT v.id, v.billing_model_id, v.from_at, v.model_type, c.kind, c.type, c.price, c.frequency, c.scheme, c.tiers
		FROM billing_model_versions v JOIN billing_model_components c ON c.organization_id = v.organization_id AND c.version_id = v.id`
	versionOrder = ` ORDER BY v.from_at, v.id, c.component`
)

func scanVersionRow(r row) (v xyra.Version, err error) {
	var c pricing.Component
	var tiers json.RawMessage
	if err = r.Scan(&v.ID, &v.Model, instant{&v.From}, &v.Type, &c.Kind, &c.Type, &c.Price, &c.Frequency, &c.Scheme, object{&tiers}); err != nil {
		return v, err
	}
	if err = decodeTiers(tiers, &c); err != nil {
		return v, fmt.Errorf("tiers of version %d: %w", v.ID, err)
	}
	v.Components = []pricing.Component{c}
	return v, nil
}

// versions reads component rows and joins neighbours of one version.
func (r Reader) versions(ctx context.Context, name, text string, args ...any) ([]xyra.Version, error) {
	rows, err := collect(ctx, r, name, scanVersionRow, text, args...)
	if err != nil {
		return nil, err
	}
	list := rows[:0]
	for _, v := range rows {
		if last := len(list) - 1; last >= 0 && list[last].ID == v.ID {
			list[last].Components = append(list[last].Components, v.Components...)
			continue
		}
		list = append(list, v)
	}
	return list, nil
}

// storedPrices is the text of the column tiers: what a component of another scheme than linear has beyond its price.
type storedPrices struct {
	Tiers       []storedTier   `json:"tiers,omitempty"`
	PackageSize *money.Decimal `json:"package_size,omitempty"`
}

type storedTier struct {
	UpTo  *money.Decimal `json:"up_to"`
	Price money.Decimal  `json:"price"`
	Flat  money.Decimal  `json:"flat"`
}

func encodeTiers(c pricing.Component) (json.RawMessage, error) {
	if c.Linear() {
		return nil, nil
	}
	var stored storedPrices
	for _, t := range c.Tiers {
		stored.Tiers = append(stored.Tiers, storedTier(t))
	}
	if !c.PackageSize.IsZero() {
		stored.PackageSize = &c.PackageSize
	}
	return json.Marshal(stored)
}

func decodeTiers(text json.RawMessage, c *pricing.Component) error {
	if text == nil {
		return nil
	}
	var stored storedPrices
	if err := json.Unmarshal(text, &stored); err != nil {
		return err
	}
	for _, t := range stored.Tiers {
		c.Tiers = append(c.Tiers, pricing.Tier(t))
	}
	if stored.PackageSize != nil {
		c.PackageSize = *stored.PackageSize
	}
	return nil
}

// InsertBillingModel adds m with times set to now and returns its id. It needs a version before it can be read.
func (tx *Tx) InsertBillingModel(ctx context.Context, m xyra.BillingModel) (xyra.BillingModelID, error) {
	return value[xyra.BillingModelID](ctx, tx.Reader, "insert billing model", `INSERT INTO billing_models
		(organization_id, name, description, is_active, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5) RETURNING id`,
		m.Organization, m.Name, m.Description, m.IsActive, xyra.Micros(tx.Now))
}

// InsertVersion adds v to its model as the newest and returns its id. It must have a component.
func (tx *Tx) InsertVersion(ctx context.Context, org xyra.OrganizationID, v xyra.Version) (xyra.VersionID, error) {
	if err := tx.advanceEpoch(ctx); err != nil {
		return 0, err
	}
	if len(v.Components) == 0 {
		return 0, fmt.Errorf("insert a version of billing model %d: it has no component", v.Model)
	}
	id, err := value[xyra.VersionID](ctx, tx.Reader, "insert version", `INSERT INTO billing_model_versions
		(organization_id, billing_model_id, from_at, model_type) VALUES ($1, $2, $3, $4) RETURNING id`,
		org, v.Model, xyra.Micros(v.From), v.Type)
	if err != nil {
		return 0, err
	}
	return id, tx.insertComponents(ctx, org, id, v.Components)
}

func (tx *Tx) insertComponents(ctx context.Context, org xyra.OrganizationID, version xyra.VersionID, components []pricing.Component) error {
	const columns = 9
	for from := 0; from < len(components); from += rowsAtOnce {
		part := components[from:min(from+rowsAtOnce, len(components))]
		args := make([]any, 0, columns*len(part))
		for i, c := range part {
			tiers, err := encodeTiers(c)
			if err != nil {
				return fmt.Errorf("encode tiers of component %d: %w", from+i, err)
			}
			args = append(args, org, version, from+i, c.Kind, c.Type, c.Price, c.Frequency, c.Scheme, textOrNil(tiers))
		}
		if _, err := tx.exec(ctx, "insert components", `INSERT INTO billing_model_components
			(organization_id, version_id, component, kind, type, price, frequency, scheme, tiers) VALUES `+placeholders(len(part), columns), args...); err != nil {
			return err
		}
	}
	return nil
}

// UpdateBillingModel writes name, description and whether m is active, and sets updated_at to now. Prices are versions.
func (tx *Tx) UpdateBillingModel(ctx context.Context, m xyra.BillingModel) error {
	_, err := tx.exec(ctx, "update billing model", `UPDATE billing_models SET name = $3, description = $4, is_active = $5, updated_at = $6
		WHERE organization_id = $1 AND id = $2`, m.Organization, m.ID, m.Name, m.Description, m.IsActive, xyra.Micros(tx.Now))
	return err
}

// DeleteBillingModel archives: versions stay, for the usage they priced.
func (tx *Tx) DeleteBillingModel(ctx context.Context, org xyra.OrganizationID, id xyra.BillingModelID) error {
	_, err := tx.exec(ctx, "archive billing model", `UPDATE billing_models SET archived_at = $3
		WHERE organization_id = $1 AND id = $2 AND archived_at IS NULL`, org, id, xyra.Micros(tx.Now))
	return err
}

// DeleteBillingModels archives all models of an organization.
func (tx *Tx) DeleteBillingModels(ctx context.Context, org xyra.OrganizationID) error {
	_, err := tx.exec(ctx, "archive billing models", `UPDATE billing_models SET archived_at = $2
		WHERE organization_id = $1 AND archived_at IS NULL`, org, xyra.Micros(tx.Now))
	return err
}
