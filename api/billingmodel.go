package api

import (
	"context"
	"net/http"

	"xyra"
	"xyra/catalog"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
)

func (s *Server) billingModelRoutes() []*route {
	const tag = "billing models"
	creators := admins.else403("Not enough permissions to create billing models for this organization")
	updaters := admins.else403("Not enough permissions to update this billing model")
	deleters := admins.else403("Not enough permissions to delete this billing model")
	return []*route{
		{method: http.MethodGet, path: "/billing-models/", summary: "List billing models", tag: tag, rights: anyCaller, operation: endpoint(s.billingModels)},
		{method: http.MethodPost, path: "/billing-models/", summary: "Create a billing model", tag: tag, rights: creators, operation: endpoint(s.createBillingModel)},
		{method: http.MethodGet, path: "/billing-models/{model_id}", summary: "Read a billing model", tag: tag, rights: anyCaller, operation: endpoint(s.billingModel)},
		{method: http.MethodPut, path: "/billing-models/{model_id}", summary: "Update a billing model", tag: tag, rights: updaters, operation: endpoint(s.updateBillingModel)},
		{method: http.MethodDelete, path: "/billing-models/{model_id}", summary: "Archive a billing model", tag: tag, rights: deleters, operation: endpoint(s.deleteBillingModel)},
		{method: http.MethodPost, path: "/billing-models/{model_id}/calculate", summary: "Calculate a price", tag: tag, rights: anyCaller, read: true, operation: endpoint(s.calculate)},
	}
}

type billingModelOut struct {
	Name           string               `json:"name"`
	Description    *string              `json:"description"`
	ModelType      xyra.ModelType       `json:"model_type"`
	IsActive       bool                 `json:"is_active"`
	ID             xyra.BillingModelID  `json:"id"`
	OrganizationID xyra.OrganizationID  `json:"organization_id"`
	CreatedAt      instant              `json:"created_at"`
	UpdatedAt      instant              `json:"updated_at"`
	SeatConfig     *seatConfigOut       `json:"seat_config"`
	ActivityConfig []activityConfigOut  `json:"activity_config"`
	OutcomeConfig  []outcomeConfigOut   `json:"outcome_config"`
	HybridConfig   *hybridComponentsOut `json:"hybrid_config"`
}

type seatConfigOut struct {
	PricePerSeat     money.Decimal `json:"price_per_seat"`
	BillingFrequency string        `json:"billing_frequency"`
}

type activityConfigOut struct {
	PricePerAction money.Decimal `json:"price_per_action"`
	ActionType     string        `json:"action_type"`
}

type outcomeConfigOut struct {
	OutcomeType string        `json:"outcome_type"`
	Percentage  money.Decimal `json:"percentage"`
}

// hybridComponentsOut repeats the lists of the model: a client in the field reads them here.
type hybridComponentsOut struct {
	BaseFee         money.Decimal       `json:"base_fee"`
	ActivityConfigs []activityConfigOut `json:"activity_configs"`
	OutcomeConfigs  []outcomeConfigOut  `json:"outcome_configs"`
}

func newBillingModelOut(m xyra.BillingModel) billingModelOut {
	preset := catalog.PresetOf(m.Version)
	out := billingModelOut{
		Name: m.Name, Description: m.Description, ModelType: m.Version.Type, IsActive: m.IsActive, ID: m.ID, OrganizationID: m.Organization,
		CreatedAt: instant(m.CreatedAt), UpdatedAt: instant(m.UpdatedAt), SeatConfig: newSeatConfigOut(preset),
		ActivityConfig: shownAll(preset.Activities, func(a catalog.ActivityPrice) activityConfigOut { return activityConfigOut{a.Price, a.Type} }),
		OutcomeConfig:  shownAll(preset.Outcomes, func(o catalog.OutcomePrice) outcomeConfigOut { return outcomeConfigOut{o.Type, o.Percentage} }),
	}
	if preset.Type == xyra.ModelHybrid {
		out.HybridConfig = &hybridComponentsOut{baseFee(preset), out.ActivityConfig, out.OutcomeConfig}
	}
	return out
}

func newSeatConfigOut(p catalog.Preset) *seatConfigOut {
	if p.Seat == nil {
		return nil
	}
	return &seatConfigOut{p.Seat.Price, p.Seat.Frequency}
}

func baseFee(p catalog.Preset) (fee money.Decimal) {
	if p.BaseFee != nil {
		fee = *p.BaseFee
	}
	return fee
}

type billingModelsIn struct {
	Organization Opt[xyra.OrganizationID]
	paging
}

func (in *billingModelsIn) params() []param {
	return append([]param{optQueryID("org_id", &in.Organization)}, in.paging.params()...)
}

func (s *Server) billingModels(c *call, in *billingModelsIn) ([]billingModelOut, error) {
	id := in.Organization.Or(c.caller.Organization)
	if !in.Organization.Set && id == 0 {
		return nil, xyra.Invalid("Organization ID is required")
	}
	organization, err := c.namedOrganization(int64(id), "Not enough permissions to access billing models for this organization")
	if err != nil {
		return nil, err
	}
	list, err := c.db().BillingModels(c.context(), organization.ID, in.Skip, in.Limit)
	return shownAll(list, newBillingModelOut), err
}

// presetIn is the settings of all four types as they stand in the bodies of create and update.
type presetIn struct {
	SeatPrice         Opt[money.Decimal]
	SeatFrequency     Opt[string]
	ActivityPrice     Opt[money.Decimal]
	ActivityType      Opt[string]
	OutcomeType       Opt[string]
	OutcomePercentage Opt[money.Decimal]
	BaseFee           Opt[money.Decimal]
	Seat              Opt[seatIn]
	Activities        Opt[[]activityPriceIn]
	Outcomes          Opt[[]outcomePriceIn]
}

func (in *presetIn) presetFields() []field {
	return []field{
		decimal("seat_price_per_seat", &in.SeatPrice).nullable(),
		text("seat_billing_frequency", &in.SeatFrequency).nullable().explained("monthly, quarterly or yearly; monthly if null or empty."),
		decimal("activity_price_per_action", &in.ActivityPrice).nullable(),
		text("activity_action_type", &in.ActivityType).nullable().max(255),
		text("outcome_outcome_type", &in.OutcomeType).nullable().max(255),
		decimal("outcome_percentage", &in.OutcomePercentage).nullable(),
		decimal("hybrid_base_fee", &in.BaseFee).nullable(),
		optNested("hybrid_seat_config", &in.Seat),
		optList("hybrid_activity_configs", &in.Activities).nullable(),
		optList("hybrid_outcome_configs", &in.Outcomes).nullable(),
	}
}

type seatIn struct{ catalog.SeatPrice }

func (in *seatIn) fields() []field {
	return []field{
		decimal("price_per_seat", &in.Price).required(),
		text("billing_frequency", &in.Frequency).byDefault(pricing.Monthly),
	}
}

type activityPriceIn struct{ catalog.ActivityPrice }

func (in *activityPriceIn) fields() []field {
	return []field{
		decimal("price_per_action", &in.Price).required(),
		text("action_type", &in.Type).required().max(255),
	}
}

type outcomePriceIn struct{ catalog.OutcomePrice }

func (in *outcomePriceIn) fields() []field {
	return []field{
		text("outcome_type", &in.Type).required().max(255),
		decimal("percentage", &in.Percentage).required(),
	}
}

func (in *presetIn) edit() catalog.PresetEdit {
	e := catalog.PresetEdit{
		SeatPrice: editOrNil(in.SeatPrice), SeatFrequency: editOrNil(in.SeatFrequency),
		ActivityPrice: editOrNil(in.ActivityPrice), ActivityType: editOrNil(in.ActivityType),
		OutcomeType: editOrNil(in.OutcomeType), OutcomePercentage: editOrNil(in.OutcomePercentage), BaseFee: editOrNil(in.BaseFee),
	}
	if e.Seat.Set = in.Seat.Set; !in.Seat.Null && in.Seat.Set {
		e.Seat.To = &in.Seat.Value.SeatPrice
	}
	if e.Activities.Set = in.Activities.Set; e.Activities.Set {
		e.Activities.To = shownAll(in.Activities.Value, func(a activityPriceIn) catalog.ActivityPrice { return a.ActivityPrice })
	}
	if e.Outcomes.Set = in.Outcomes.Set; e.Outcomes.Set {
		e.Outcomes.To = shownAll(in.Outcomes.Value, func(o outcomePriceIn) catalog.OutcomePrice { return o.OutcomePrice })
	}
	return e
}

type createBillingModelIn struct {
	catalog.NewBillingModel
	presetIn
}

func (in *createBillingModelIn) fields() []field {
	return append([]field{
		text("name", &in.Name).required().max(255),
		text("description", &in.Description),
		text("model_type", &in.Type).required().max(255).explained("seat, activity, outcome or hybrid"),
		boolean("is_active", &in.IsActive).byDefault(true),
		identity("organization_id", &in.Organization).required(),
	}, in.presetFields()...)
}

func (s *Server) createBillingModel(c *call, in *createBillingModelIn) (billingModelOut, error) {
	in.Preset = in.presetIn.edit()
	return write(c, func(ctx context.Context, tx *store.Tx) (billingModelOut, error) {
		m, err := catalog.CreateBillingModel(ctx, tx, c.caller, in.NewBillingModel)
		return newBillingModelOut(m), err
	})
}

type billingModelIn struct{ Model xyra.BillingModelID }

func (in *billingModelIn) params() []param { return []param{pathID("model_id", &in.Model)} }

func (s *Server) billingModel(c *call, in *billingModelIn) (billingModelOut, error) {
	m, err := c.billingModel(int64(in.Model))
	return newBillingModelOut(m), err
}

type updateBillingModelIn struct {
	billingModelIn
	Name        Opt[string]
	Description Opt[string]
	Type        Opt[string]
	IsActive    Opt[bool]
	presetIn
}

func (in *updateBillingModelIn) fields() []field {
	return append([]field{
		text("name", &in.Name).max(255),
		text("description", &in.Description).nullable(),
		text("model_type", &in.Type).nullable().max(255).explained("null is never valid"),
		boolean("is_active", &in.IsActive),
	}, in.presetFields()...)
}

func (s *Server) updateBillingModel(c *call, in *updateBillingModelIn) (billingModelOut, error) {
	e := catalog.BillingModelEdit{Name: edit(in.Name), Description: editOrNil(in.Description), Type: editOrNil(in.Type),
		IsActive: edit(in.IsActive), Preset: in.presetIn.edit()}
	return write(c, func(ctx context.Context, tx *store.Tx) (billingModelOut, error) {
		m, err := catalog.UpdateBillingModel(ctx, tx, c.caller, in.Model, e)
		return newBillingModelOut(m), err
	})
}

func (s *Server) deleteBillingModel(c *call, in *billingModelIn) (billingModelOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (billingModelOut, error) {
		m, err := catalog.DeleteBillingModel(ctx, tx, c.caller, in.Model)
		return newBillingModelOut(m), err
	})
}

type calculateIn struct {
	billingModelIn
	Usage pricing.Usage
}

// freeObject: the body is a map of the client's own, of which some keys mean something.
func (in *calculateIn) freeObject() {}

func (in *calculateIn) fields() []field {
	return []field{
		decimal("seats", &in.Usage.Seats).min(0).byDefault(0),
		decimal("actions", &in.Usage.Actions).min(0).byDefault(0),
		decimal("outcome_value", &in.Usage.OutcomeValue).min(0).byDefault(0),
		decimals("activities", &in.Usage.Activities).min(0),
		decimals("outcomes", &in.Usage.Outcomes).min(0),
	}
}

type calculateOut struct {
	Cost             money.Decimal       `json:"cost"`
	Currency         money.Currency      `json:"currency"`
	BillingModelID   xyra.BillingModelID `json:"billing_model_id"`
	BillingModelType xyra.ModelType      `json:"billing_model_type"`
}

func (s *Server) calculate(c *call, in *calculateIn) (calculateOut, error) {
	m, err := c.billingModel(int64(in.Model))
	if err != nil {
		return calculateOut{}, err
	}
	organization, err := c.db().Organization(c.context(), m.Organization)
	if err != nil {
		return calculateOut{}, err
	}
	return calculateOut{pricing.Calculate(m.Version.Components, in.Usage), organization.Currency, m.ID, m.Version.Type}, nil
}
