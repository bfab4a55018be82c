package api

import (
	"context"
	"encoding/json"
	"net/http"

	"xyra"
	"xyra/catalog"
	"xyra/money"
	"xyra/store"
)

func (s *Server) agentRoutes() []*route {
	const tag = "agents"
	archivers := admins.else403("Not enough permissions to delete this agent")
	return []*route{
		{method: http.MethodGet, path: "/agents/", summary: "List agents", tag: tag, rights: anyCaller, operation: endpoint(s.agents)},
		{method: http.MethodPost, path: "/agents/", summary: "Create an agent", tag: tag, rights: people, operation: endpoint(s.createAgent)},
		{method: http.MethodGet, path: "/agents/external/{external_id}", summary: "Read an agent by its external id", tag: tag, rights: anyCaller, operation: endpoint(s.externalAgent)},
		{method: http.MethodGet, path: "/agents/{agent_id}", summary: "Read an agent", tag: tag, rights: anyCaller, operation: endpoint(s.agent)},
		{method: http.MethodPut, path: "/agents/{agent_id}", summary: "Update an agent", tag: tag, rights: people, operation: endpoint(s.updateAgent)},
		{method: http.MethodDelete, path: "/agents/{agent_id}", summary: "Archive an agent", tag: tag, rights: archivers, operation: endpoint(s.deleteAgent)},
		{method: http.MethodGet, path: "/agents/{agent_id}/billing-config", summary: "Read how an agent is billed", tag: tag, rights: anyCaller, operation: endpoint(s.billingConfig)},
	}
}

type agentOut struct {
	Name           string               `json:"name"`
	Description    *string              `json:"description"`
	Config         json.RawMessage      `json:"config"`
	IsActive       bool                 `json:"is_active"`
	ExternalID     *string              `json:"external_id"`
	Status         string               `json:"status"`
	Type           *string              `json:"type"`
	Capabilities   json.RawMessage      `json:"capabilities"`
	ID             xyra.AgentID         `json:"id"`
	OrganizationID xyra.OrganizationID  `json:"organization_id"`
	BillingModelID *xyra.BillingModelID `json:"billing_model_id"`
	CreatedAt      instant              `json:"created_at"`
	UpdatedAt      instant              `json:"updated_at"`
	LastActive     instant              `json:"last_active"`
}

func newAgentOut(a xyra.Agent) agentOut {
	return agentOut{
		Name: a.Name, Description: a.Description, Config: a.Config, IsActive: a.IsActive, ExternalID: a.ExternalID, Status: a.Status,
		Type: a.Type, Capabilities: a.Capabilities, ID: a.ID, OrganizationID: a.Organization, BillingModelID: idOrNil(a.BillingModel),
		CreatedAt: instant(a.CreatedAt), UpdatedAt: instant(a.UpdatedAt), LastActive: instant(a.LastActive),
	}
}

type agentsIn struct {
	Organization int64
	ActiveOnly   bool
	paging
}

func (in *agentsIn) params() []param {
	return append([]param{
		queryID("org_id", &in.Organization).required(),
		queryBool("active_only", &in.ActiveOnly).byDefault(false),
	}, in.paging.params()...)
}

func (s *Server) agents(c *call, in *agentsIn) ([]agentOut, error) {
	organization, err := c.namedOrganization(in.Organization, "Not enough permissions to access agents for this organization")
	if err != nil {
		return nil, err
	}
	list, err := c.db().Agents(c.context(), organization.ID, in.ActiveOnly, in.Skip, in.Limit)
	return shownAll(list, newAgentOut), err
}

type createAgentIn struct {
	xyra.Agent
	Model *xyra.BillingModelID
}

func (in *createAgentIn) fields() []field {
	return []field{
		text("name", &in.Name).required().max(255),
		text("description", &in.Description),
		object("config", &in.Config).nullable().explained("An integer seats counts the seats billed; 1 if there is none."),
		boolean("is_active", &in.IsActive).byDefault(true),
		text("external_id", &in.ExternalID).max(255),
		text("status", &in.Status).byDefault("active").max(50),
		text("type", &in.Type).max(100),
		freeList("capabilities", &in.Capabilities).byDefault("[]"),
		identity("organization_id", &in.Organization).required(),
		identityOrNull("billing_model_id", &in.Model),
	}
}

func (s *Server) createAgent(c *call, in *createAgentIn) (agentOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (agentOut, error) {
		a, err := catalog.CreateAgent(ctx, tx, c.caller, in.Agent, in.Model)
		return newAgentOut(a), err
	})
}

func (s *Server) agent(c *call, in *agentIn) (agentOut, error) {
	a, err := c.agent(in.Agent)
	return newAgentOut(a), err
}

type externalAgentIn struct {
	ExternalID   string
	Organization Opt[xyra.OrganizationID]
}

func (in *externalAgentIn) params() []param {
	return []param{pathText("external_id", &in.ExternalID), optQueryID("org_id", &in.Organization)}
}

// externalAgent looks inside one organization; only a superuser who names none searches all of them.
func (s *Server) externalAgent(c *call, in *externalAgentIn) (agentOut, error) {
	id := c.caller.Organization
	if in.Organization.Set {
		organization, err := c.namedOrganization(int64(in.Organization.Value), "Not enough permissions to access this agent")
		if err != nil {
			return agentOut{}, err
		}
		id = organization.ID
	}
	if !c.caller.Superuser || in.Organization.Set {
		a, err := c.db().AgentByExternalID(c.context(), id, in.ExternalID)
		return newAgentOut(a), err
	}
	found, err := c.db().AgentsByExternalIDAnywhere(c.context(), in.ExternalID)
	switch {
	case err != nil:
		return agentOut{}, err
	case len(found) == 0:
		return agentOut{}, xyra.NotFound("Agent")
	case len(found) > 1:
		return agentOut{}, xyra.Conflict("External ID %s exists in several organizations; give org_id", in.ExternalID)
	}
	return newAgentOut(found[0]), nil
}

type updateAgentIn struct {
	agentIn
	Name         Opt[string]
	Description  Opt[string]
	Config       Opt[json.RawMessage]
	IsActive     Opt[bool]
	BillingModel Opt[xyra.BillingModelID]
	Status       Opt[string]
	Type         Opt[string]
	Capabilities Opt[json.RawMessage]
}

func (in *updateAgentIn) fields() []field {
	return []field{
		text("name", &in.Name).max(255),
		text("description", &in.Description).nullable(),
		object("config", &in.Config).nullable(),
		boolean("is_active", &in.IsActive),
		optIdentity("billing_model_id", &in.BillingModel).nullable().explained("Acts on events recorded from now on."),
		text("status", &in.Status).max(50),
		text("type", &in.Type).nullable().max(100),
		freeList("capabilities", &in.Capabilities),
	}
}

func (s *Server) updateAgent(c *call, in *updateAgentIn) (agentOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (agentOut, error) {
		a, err := catalog.UpdateAgent(ctx, tx, c.caller, xyra.AgentID(in.agentIn.Agent), catalog.AgentEdit{
			Name: edit(in.Name), Description: editOrNil(in.Description), Config: edit(in.Config), IsActive: edit(in.IsActive),
			BillingModel: editOrNil(in.BillingModel), Status: edit(in.Status), Type: editOrNil(in.Type), Capabilities: edit(in.Capabilities),
		})
		return newAgentOut(a), err
	})
}

func (s *Server) deleteAgent(c *call, in *agentIn) (agentOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (agentOut, error) {
		a, err := catalog.DeleteAgent(ctx, tx, c.caller, xyra.AgentID(in.Agent))
		return newAgentOut(a), err
	})
}

// billingConfigOut holds of the four configs those of the model's type; a hybrid model has all four, empty ones too.
type billingConfigOut struct {
	ModelType       xyra.ModelType      `json:"model_type"`
	ModelID         xyra.BillingModelID `json:"model_id"`
	ModelName       string              `json:"model_name"`
	IsActive        bool                `json:"is_active"`
	HybridConfig    *fixedFeeOut        `json:"hybrid_config,omitempty"`
	SeatConfig      **seatConfigOut     `json:"seat_config,omitempty"`
	ActivityConfigs *[]billedActionOut  `json:"activity_configs,omitempty"`
	OutcomeConfigs  *[]billedOutcomeOut `json:"outcome_configs,omitempty"`
}

type fixedFeeOut struct {
	BaseFee money.Decimal `json:"base_fee"`
}

type billedActionOut struct {
	ActivityType string        `json:"activity_type"`
	PricePerUnit money.Decimal `json:"price_per_unit"`
	UnitType     string        `json:"unit_type"`
	IsActive     bool          `json:"is_active"`
}

type billedOutcomeOut struct {
	OutcomeType          string        `json:"outcome_type"`
	OutcomeName          string        `json:"outcome_name"`
	Percentage           money.Decimal `json:"percentage"`
	RequiresVerification bool          `json:"requires_verification"`
	IsActive             bool          `json:"is_active"`
}

func newBillingConfigOut(m xyra.BillingModel) billingConfigOut {
	preset := catalog.PresetOf(m.Version)
	out := billingConfigOut{ModelType: m.Version.Type, ModelID: m.ID, ModelName: m.Name, IsActive: m.IsActive}
	isHybrid := preset.Type == xyra.ModelHybrid
	if isHybrid {
		out.HybridConfig = &fixedFeeOut{baseFee(preset)}
	}
	if isHybrid || preset.Type == xyra.ModelSeat {
		seat := newSeatConfigOut(preset)
		out.SeatConfig = &seat
	}
	if isHybrid || preset.Type == xyra.ModelActivity {
		list := shownAll(preset.Activities, func(a catalog.ActivityPrice) billedActionOut {
			return billedActionOut{ActivityType: a.Type, PricePerUnit: a.Price, UnitType: "action", IsActive: true}
		})
		out.ActivityConfigs = &list
	}
	if isHybrid || preset.Type == xyra.ModelOutcome {
		list := shownAll(preset.Outcomes, func(o catalog.OutcomePrice) billedOutcomeOut {
			return billedOutcomeOut{OutcomeType: o.Type, OutcomeName: o.Type, Percentage: o.Percentage, IsActive: true}
		})
		out.OutcomeConfigs = &list
	}
	return out
}

func (s *Server) billingConfig(c *call, in *agentIn) (billingConfigOut, error) {
	a, err := c.agent(in.Agent)
	if err != nil {
		return billingConfigOut{}, err
	}
	if a.BillingModel == 0 {
		return billingConfigOut{}, &xyra.Error{Code: xyra.CodeNotFound, Message: "No billing configuration found for this agent"}
	}
	m, err := c.db().BillingModel(c.context(), a.Organization, a.BillingModel)
	return newBillingConfigOut(m), err
}
