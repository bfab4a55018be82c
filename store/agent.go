package store

import (
	"context"

	"xyra"
)

// An agent was last active when its own row says so or when the recorder last saw it, whichever is later.
const (
	agentColumns = `a.id, a.organization_id, a.name, a.description, a.config, a.is_active, a.external_id, a.status, a.type,
	a.capabilities, a.billing_model_id, a.created_at, a.updated_at,
	CASE WHEN v.last_active > a.last_active THEN v.last_active ELSE a.last_active END, a.archived_at IS NOT NULL`
	agentTables = `agents a LEFT JOIN agent_activity v ON v.organization_id = a.organization_id AND v.agent_id = a.id`
)

func scanAgent(r row) (a xyra.Agent, err error) {
	err = r.Scan(&a.ID, &a.Organization, &a.Name, &a.Description, object{&a.Config}, &a.IsActive, &a.ExternalID, &a.Status, &a.Type,
		object{&a.Capabilities}, orZero[xyra.BillingModelID]{&a.BillingModel}, instant{&a.CreatedAt}, instant{&a.UpdatedAt},
		instant{&a.LastActive}, &a.Archived)
	return a, err
}

// Agent reads an organization's agent that is not archived.
func (r Reader) Agent(ctx context.Context, org xyra.OrganizationID, id xyra.AgentID) (xyra.Agent, error) {
	return one(ctx, r, "Agent", "agent", scanAgent, `SELECT `+agentColumns+` FROM `+agentTables+`
		WHERE a.organization_id = $1 AND a.id = $2 AND a.archived_at IS NULL`, org, id)
}

// AgentAnywhere reads an agent of whatever organization, for superusers.
func (r Reader) AgentAnywhere(ctx context.Context, id xyra.AgentID) (xyra.Agent, error) {
	org, err := one(ctx, r, "Agent", "agent owner", scanValue[xyra.OrganizationID],
		`SELECT organization_id FROM agents WHERE id = $1 AND archived_at IS NULL`, id)
	if err != nil {
		return xyra.Agent{}, err
	}
	return r.Agent(ctx, org, id)
}

// AgentLocked reads an agent and keeps its row locked until the transaction ends.
func (tx *Tx) AgentLocked(ctx context.Context, org xyra.OrganizationID, id xyra.AgentID) (xyra.Agent, error) {
	return one(ctx, tx.Reader, "Agent", "agent locked", scanAgent, `SELECT `+agentColumns+` FROM `+agentTables+`
		WHERE a.organization_id = $1 AND a.id = $2 AND a.archived_at IS NULL FOR UPDATE OF a`, org, id)
}

// Agents lists an organization's agents that are not archived, by id; activeOnly leaves out those that are not active.
func (r Reader) Agents(ctx context.Context, org xyra.OrganizationID, activeOnly bool, skip, limit int64) ([]xyra.Agent, error) {
	return collect(ctx, r, "agents", scanAgent, `SELECT `+agentColumns+` FROM `+agentTables+`
		WHERE a.organization_id = $1 AND a.archived_at IS NULL AND (a.is_active OR NOT $2) ORDER BY a.id LIMIT $3 OFFSET $4`,
		org, activeOnly, limit, skip)
}

// AgentsEver lists all agents an organization has had, archived ones included, by id: their usage keeps counting.
func (r Reader) AgentsEver(ctx context.Context, org xyra.OrganizationID) ([]xyra.Agent, error) {
	return collect(ctx, r, "agents ever", scanAgent, `SELECT `+agentColumns+` FROM `+agentTables+`
		WHERE a.organization_id = $1 ORDER BY a.id`, org)
}

// AgentByExternalID reads an organization's agent by the customer's own id for it.
func (r Reader) AgentByExternalID(ctx context.Context, org xyra.OrganizationID, externalID string) (xyra.Agent, error) {
	return one(ctx, r, "Agent", "agent by external id", scanAgent, `SELECT `+agentColumns+` FROM `+agentTables+`
		WHERE a.organization_id = $1 AND a.external_id = $2 AND a.archived_at IS NULL`, org, externalID)
}

// AgentsByExternalIDAnywhere reads up to two agents of whatever organizations: enough to see that there are several.
func (r Reader) AgentsByExternalIDAnywhere(ctx context.Context, externalID string) ([]xyra.Agent, error) {
	ids, err := collect(ctx, r, "agent ids by external id", scanValue[xyra.AgentID], `SELECT id FROM agents
		WHERE external_id = $1 AND archived_at IS NULL ORDER BY id LIMIT 2`, externalID)
	agents := make([]xyra.Agent, len(ids))
	for i := 0; i < len(ids) && err == nil; i++ {
		agents[i], err = r.AgentAnywhere(ctx, ids[i])
	}
	return agents, err
}

// AgentNamesOn lists the names of the agents that are not archived and on a billing model, in the order of their ids.
func (r Reader) AgentNamesOn(ctx context.Context, org xyra.OrganizationID, model xyra.BillingModelID) ([]string, error) {
	return collect(ctx, r, "agent names on model", scanValue[string], `SELECT name FROM agents
		WHERE organization_id = $1 AND billing_model_id = $2 AND archived_at IS NULL ORDER BY id`, org, model)
}

// InsertAgent adds a with all its times set to now and returns its id. A taken external id violates a unique key.
func (tx *Tx) InsertAgent(ctx context.Context, a xyra.Agent) (xyra.AgentID, error) {
	return value[xyra.AgentID](ctx, tx.Reader, "insert agent", `INSERT INTO agents
		(organization_id, name, description, config, is_active, external_id, status, type, capabilities, billing_model_id, created_at, updated_at, last_active)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $11) RETURNING id`,
		a.Organization, a.Name, a.Description, textOrNil(a.Config), a.IsActive, a.ExternalID, a.Status, a.Type,
		textOrNil(a.Capabilities), orNull(a.BillingModel), xyra.Micros(tx.Now))
}

// UpdateAgent writes every field that may change, UpdatedAt and LastActive as a has them.
func (tx *Tx) UpdateAgent(ctx context.Context, a xyra.Agent) error {
	if err := tx.advanceEpoch(ctx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "update agent", `UPDATE agents SET name = $3, description = $4, config = $5, is_active = $6, status = $7,
		type = $8, capabilities = $9, billing_model_id = $10, updated_at = $11, last_active = $12 WHERE organization_id = $1 AND id = $2`,
		a.Organization, a.ID, a.Name, a.Description, textOrNil(a.Config), a.IsActive, a.Status, a.Type, textOrNil(a.Capabilities),
		orNull(a.BillingModel), xyra.Micros(a.UpdatedAt), xyra.Micros(a.LastActive))
	return err
}

// DeleteAgent archives: the row and all usage stay, its external id is free again.
func (tx *Tx) DeleteAgent(ctx context.Context, org xyra.OrganizationID, id xyra.AgentID) error {
	if err := tx.advanceEpoch(ctx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, "archive agent", `UPDATE agents SET archived_at = $3 WHERE organization_id = $1 AND id = $2 AND archived_at IS NULL`,
		org, id, xyra.Micros(tx.Now))
	return err
}
