package catalog

import (
	"context"
	"encoding/json"
	"reflect"

	"xyra"
	"xyra/store"
)

// CreateAgent adds a, on model if that is not nil, and returns it with its id and times. Any member of the organization
// may; the model must be the organization's.
func CreateAgent(ctx context.Context, tx *store.Tx, caller xyra.Caller, a xyra.Agent, model *xyra.BillingModelID) (xyra.Agent, error) {
	if !caller.Reaches(a.Organization) {
		return a, xyra.Forbidden("Not enough permissions to create agents for this organization")
	}
	if err := lockNamedOrganization(ctx, tx, a.Organization); err != nil {
		return a, err
	}
	if model != nil {
		if err := lockModelFor(ctx, tx, a.Organization, *model); err != nil {
			return a, err
		}
		a.BillingModel = *model
	}
	id, err := tx.InsertAgent(ctx, a)
	if tx.IsUnique(err) && a.ExternalID != nil {
		return a, xyra.Conflict("Agent with external_id %s already exists in this organization", *a.ExternalID)
	}
	if err != nil {
		return a, err
	}
	a.ID, a.CreatedAt, a.UpdatedAt, a.LastActive = id, tx.Now, tx.Now, tx.Now
	tx.Audit(caller, xyra.AuditEntry{Organization: a.Organization, Action: "agent.create", ObjectID: int64(id), Detail: detail(map[string]any{
		"name": a.Name, "billing_model_id": a.BillingModel})})
	return a, nil
}

// lockNamedOrganization keeps the organization that a create body names from being archived before the transaction
// ends. One that does not exist is invalid.
func lockNamedOrganization(ctx context.Context, tx *store.Tx, id xyra.OrganizationID) error {
	_, err := tx.OrganizationLocked(ctx, id)
	if xyra.HasCode(err, xyra.CodeNotFound) {
		return xyra.Invalid("Organization with ID %d not found", id)
	}
	return err
}

// lockModelFor keeps a model that an agent is about to be put on from being archived before the transaction ends.
func lockModelFor(ctx context.Context, tx *store.Tx, org xyra.OrganizationID, id xyra.BillingModelID) error {
	_, err := tx.BillingModelLocked(ctx, org, id)
	if xyra.HasCode(err, xyra.CodeNotFound) {
		return xyra.Invalid("Billing model with ID %d not found", id)
	}
	return err
}

// AgentEdit is what an update may change.
type AgentEdit struct {
	Name         Edit[string]
	Description  Edit[*string]
	Config       Edit[json.RawMessage]
	IsActive     Edit[bool]
	BillingModel Edit[*xyra.BillingModelID]
	Status       Edit[string]
	Type         Edit[*string]
	Capabilities Edit[json.RawMessage]
}

// UpdateAgent changes an agent as e says and returns it. Another billing model, or none, is for administrators and acts
// on what is recorded from now on. An active agent counts as seen now, unless e is empty.
func UpdateAgent(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.AgentID, e AgentEdit) (xyra.Agent, error) {
	if e.BillingModel.Set {
		if err := tx.PauseRecording(ctx); err != nil {
			return xyra.Agent{}, err
		}
	}
	present, err := lockAgent(ctx, tx, caller, id)
	if err != nil || reflect.DeepEqual(e, AgentEdit{}) {
		return present, err
	}
	a := e.apply(present)
	if e.movesFrom(present) {
		if !caller.Administers(a.Organization) {
			return present, xyra.Forbidden("Not enough permissions to update this agent")
		}
		if model := e.BillingModel.To; model != nil {
			if err := lockModelFor(ctx, tx, a.Organization, *model); err != nil {
				return present, err
			}
		}
	}
	isChanged := !reflect.DeepEqual(a, present)
	if isChanged {
		a.UpdatedAt = tx.Now
	}
	if a.IsActive {
		a.LastActive = tx.Now
	}
	if err := tx.UpdateAgent(ctx, a); err != nil {
		return a, err
	}
	if isChanged {
		tx.Audit(caller, xyra.AuditEntry{Organization: a.Organization, Action: "agent.update", ObjectID: int64(id), Detail: detail(map[string]any{
			"name": a.Name, "is_active": a.IsActive, "billing_model_id": a.BillingModel})})
	}
	return a, nil
}

// lockAgent reads an agent that the caller reaches and locks its row.
func lockAgent(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.AgentID) (xyra.Agent, error) {
	org := caller.Organization
	if caller.Superuser {
		a, err := tx.AgentAnywhere(ctx, id)
		if err != nil {
			return a, err
		}
		org = a.Organization
	}
	return tx.AgentLocked(ctx, org, id)
}

func (e AgentEdit) apply(a xyra.Agent) xyra.Agent {
	a.Name = e.Name.or(a.Name)
	a.Description = e.Description.or(a.Description)
	a.Config = e.Config.or(a.Config)
	a.IsActive = e.IsActive.or(a.IsActive)
	a.Status = e.Status.or(a.Status)
	a.Type = e.Type.or(a.Type)
	a.Capabilities = e.Capabilities.or(a.Capabilities)
	if e.BillingModel.Set {
		a.BillingModel = 0
		if model := e.BillingModel.To; model != nil {
			a.BillingModel = *model
		}
	}
	return a
}

// movesFrom tells whether e names another billing model than a has. An id of 0 is no model's, and not the same as none.
func (e AgentEdit) movesFrom(a xyra.Agent) bool {
	if !e.BillingModel.Set {
		return false
	}
	if e.BillingModel.To == nil {
		return a.BillingModel != 0
	}
	return a.BillingModel == 0 || *e.BillingModel.To != a.BillingModel
}

// DeleteAgent archives an agent and returns it as it was. Its usage keeps counting, its external id is free.
func DeleteAgent(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.AgentID) (xyra.Agent, error) {
	if err := tx.PauseRecording(ctx); err != nil {
		return xyra.Agent{}, err
	}
	a, err := lockAgent(ctx, tx, caller, id)
	if err != nil {
		return a, err
	}
	if err := tx.DeleteAgent(ctx, a.Organization, id); err != nil {
		return a, err
	}
	tx.Audit(caller, xyra.AuditEntry{Organization: a.Organization, Action: "agent.delete", ObjectID: int64(id), Detail: detail(map[string]any{"name": a.Name})})
	return a, nil
}
