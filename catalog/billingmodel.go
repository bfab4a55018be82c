package catalog

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"xyra"
	"xyra/pricing"
	"xyra/store"
)

// NewBillingModel is what a new model is made of. Type is as sent: only the four presets make a model.
type NewBillingModel struct {
	Organization xyra.OrganizationID
	Name         string
	Description  *string
	Type         string
	IsActive     bool
	Preset       PresetEdit
}

// CreateBillingModel adds a model with its first version, in force from now on, and returns it.
func CreateBillingModel(ctx context.Context, tx *store.Tx, caller xyra.Caller, n NewBillingModel) (xyra.BillingModel, error) {
	m := xyra.BillingModel{Organization: n.Organization, Name: n.Name, Description: n.Description, IsActive: n.IsActive}
	if !caller.Administers(n.Organization) {
		return m, xyra.Forbidden("Not enough permissions to create billing models for this organization")
	}
	if err := lockNamedOrganization(ctx, tx, n.Organization); err != nil {
		return m, err
	}
	preset, err := n.Preset.make(n.Type, Preset{})
	if err != nil {
		return m, err
	}
	if m.ID, err = tx.InsertBillingModel(ctx, m); err != nil {
		return m, err
	}
	m.CreatedAt, m.UpdatedAt = tx.Now, tx.Now
	m.Version = xyra.Version{Model: m.ID, From: tx.Now, Type: preset.Type, Components: preset.components()}
	if err := insertVersion(ctx, tx, &m); err != nil {
		return m, err
	}
	auditModel(tx, caller, "billing_model.create", m)
	return m, nil
}

// insertVersion saves m's version, unless it holds what cannot be priced.
func insertVersion(ctx context.Context, tx *store.Tx, m *xyra.BillingModel) (err error) {
	for i, c := range m.Version.Components {
		if err := c.Validate(); err != nil {
			return fmt.Errorf("component %d of billing model %d: %w", i, m.ID, err)
		}
	}
	m.Version.ID, err = tx.InsertVersion(ctx, m.Organization, m.Version)
	return err
}

func auditModel(tx *store.Tx, caller xyra.Caller, action string, m xyra.BillingModel) {
	tx.Audit(caller, xyra.AuditEntry{Organization: m.Organization, Action: action, ObjectID: int64(m.ID), Detail: detail(map[string]any{
		"name": m.Name, "is_active": m.IsActive, "model_type": m.Version.Type, "version": m.Version.ID})})
}

// BillingModelEdit is what an update may change. A nil type is never valid.
type BillingModelEdit struct {
	Name        Edit[string]
	Description Edit[*string]
	Type        Edit[*string]
	IsActive    Edit[bool]
	Preset      PresetEdit
}

// UpdateBillingModel changes a model as e says and returns it. If that changes the type or a component, a new version is
// in force from now on; what was recorded before keeps its price.
func UpdateBillingModel(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.BillingModelID, e BillingModelEdit) (xyra.BillingModel, error) {
	if e.Type.Set || !reflect.DeepEqual(e.Preset, PresetEdit{}) {
		if err := tx.PauseRecording(ctx); err != nil {
			return xyra.BillingModel{}, err
		}
	}
	present, err := lockModel(ctx, tx, caller, id)
	if err != nil {
		return present, err
	}
	m, err := e.apply(present)
	if err != nil {
		return present, err
	}
	isRepriced := m.Version.Type != present.Version.Type || !slices.EqualFunc(m.Version.Components, present.Version.Components, sameComponent)
	if isRepriced {
		m.Version.ID, m.Version.From = 0, tx.Now
		if m.Version.From.Before(present.Version.From) {
			m.Version.From = present.Version.From // a clock that was set back must not bring old prices back
		}
		if err := insertVersion(ctx, tx, &m); err != nil {
			return present, err
		}
	} else {
		m.Version = present.Version
		if reflect.DeepEqual(m, present) {
			return present, nil
		}
	}
	if err := tx.UpdateBillingModel(ctx, m); err != nil {
		return present, err
	}
	m.UpdatedAt = tx.Now
	auditModel(tx, caller, "billing_model.update", m)
	return m, nil
}

// apply is the model with e in it; its version has no id and no time yet.
func (e BillingModelEdit) apply(m xyra.BillingModel) (xyra.BillingModel, error) {
	m.Name = e.Name.or(m.Name)
	m.Description = e.Description.or(m.Description)
	m.IsActive = e.IsActive.or(m.IsActive)
	typ := string(m.Version.Type)
	if e.Type.Set {
		if e.Type.To == nil {
			return m, invalidType("None")
		}
		typ = *e.Type.To
	}
	preset, err := e.Preset.make(typ, PresetOf(m.Version))
	if err != nil {
		return m, err
	}
	m.Version = xyra.Version{Model: m.ID, Type: preset.Type, Components: preset.components()}
	return m, nil
}

// sameComponent compares prices by value. Presets are linear, so there are no tiers to compare.
func sameComponent(a, b pricing.Component) bool {
	return a.Kind == b.Kind && a.Type == b.Type && a.Frequency == b.Frequency && a.Scheme == b.Scheme && a.Price.Equal(b.Price)
}

// lockModel reads a model that the caller administers and locks its row.
func lockModel(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.BillingModelID) (xyra.BillingModel, error) {
	org := caller.Organization
	if caller.Superuser {
		m, err := tx.BillingModelAnywhere(ctx, id)
		if err != nil {
			return m, err
		}
		org = m.Organization
	}
	return tx.BillingModelLocked(ctx, org, id)
}

// DeleteBillingModel archives a model and returns it as it was. While agents are on it, that is refused with their
// names.
func DeleteBillingModel(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.BillingModelID) (xyra.BillingModel, error) {
	m, err := lockModel(ctx, tx, caller, id)
	if err != nil {
		return m, err
	}
	names, err := tx.AgentNamesOn(ctx, m.Organization, id)
	if err != nil {
		return m, err
	}
	if len(names) > 0 {
		return m, xyra.Invalid("Cannot delete billing model: It is currently in use by agents: %s", strings.Join(names, ", "))
	}
	if err := tx.DeleteBillingModel(ctx, m.Organization, id); err != nil {
		return m, err
	}
	auditModel(tx, caller, "billing_model.delete", m)
	return m, nil
}
