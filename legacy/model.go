package legacy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"xyra"
	"xyra/money"
	"xyra/pricing"
)

// configs are the rows of the tables that hold prices, by model.
type configs map[string]map[int64][]record

// configTables are those tables.
var configTables = []string{"seatbasedconfig", "agentbasedconfig", "activitybasedconfig", "outcomebasedconfig", "hybridconfig", "workflowbasedconfig",
	"workflowtype"}

// prices collects the components of one model on their way here.
type prices struct {
	base, seats, activities, outcomes []pricing.Component
	beyond                            []string // what the old prices had that components cannot say
}

// billingModel reads a model with its prices as one version that has been in force for ever. Prices that Xyra cannot
// compute are named, and make the model inactive.
func billingModel(r record, c configs) xyra.BillingModel {
	created := r.timeOr("created_at", unknownTime)
	m := xyra.BillingModel{ID: xyra.BillingModelID(r.number("id")), Organization: xyra.OrganizationID(r.number("organization_id")),
		Name: r.textOr("name", ""), Description: r.text("description"), IsActive: r.truth("is_active", true),
		CreatedAt: created, UpdatedAt: r.timeOr("updated_at", created)}
	was := strings.ToLower(r.textOr("model_type", ""))
	p := readPrices(r, was, c, int64(m.ID))
	if p.empty() {
		readConfig(r, &p)
	}
	m.Version = xyra.Version{Model: m.ID, From: created}
	m.Version.Type, m.Version.Components = p.preset(was)
	if string(m.Version.Type) != was {
		r.say.note("%s %q: type %q becomes %q", r.name(), m.Name, was, m.Version.Type)
	}
	if p.empty() {
		m.IsActive = false
		r.say.note("%s %q has no prices and is imported as inactive", r.name(), m.Name)
	}
	if len(p.beyond) > 0 {
		m.IsActive = false
		r.say.note("%s %q is imported as inactive, for Xyra does not compute %s; it charges its plain prices until you change it",
			r.name(), m.Name, strings.Join(p.beyond, ", "))
	}
	return m
}

func (p *prices) empty() bool {
	return len(p.base)+len(p.seats)+len(p.activities)+len(p.outcomes) == 0
}

// preset orders the components as presets do and names the preset that they make.
func (p *prices) preset(was string) (xyra.ModelType, []pricing.Component) {
	p.base = mergeFees(p.base)
	all := append(append(append(p.base, p.seats...), p.activities...), p.outcomes...)
	switch {
	case len(all) == 0:
		return xyra.ModelHybrid, []pricing.Component{{Kind: pricing.BaseFee}}
	case was == "hybrid" || len(all) > 1:
		return xyra.ModelHybrid, all
	case len(p.seats) == 1:
		return xyra.ModelSeat, all
	case len(p.activities) == 1:
		return xyra.ModelActivity, all
	case len(p.outcomes) == 1:
		return xyra.ModelOutcome, all
	}
	return xyra.ModelHybrid, all
}

// mergeFees makes one base fee of several: presets have one.
func mergeFees(fees []pricing.Component) []pricing.Component {
	if len(fees) < 2 {
		return fees
	}
	sum := fees[0]
	for _, f := range fees[1:] {
		sum.Price = sum.Price.Add(f.Price)
	}
	return []pricing.Component{sum}
}

// used are the tables that each type took its prices from. Rows in others are left over from a type that the model had.
var used = map[string][]string{
	"seat":     {"seatbasedconfig", "agentbasedconfig"},
	"agent":    {"agentbasedconfig", "seatbasedconfig"},
	"activity": {"activitybasedconfig"},
	"outcome":  {"outcomebasedconfig"},
	"hybrid":   {"hybridconfig", "seatbasedconfig", "agentbasedconfig", "activitybasedconfig", "outcomebasedconfig"},
	"workflow": {"workflowbasedconfig", "workflowtype"},
}

// readPrices reads the model's rows of the tables of prices that its type used.
func readPrices(m record, was string, c configs, id int64) (p prices) {
	readers := map[string]func(r record){
		"hybridconfig":        func(r record) { p.fee(m, r, "base_fee", true) },
		"seatbasedconfig":     func(r record) { p.perAgent(m, r) },
		"agentbasedconfig":    func(r record) { p.perAgent(m, r) },
		"activitybasedconfig": func(r record) { p.activity(m, r) },
		"outcomebasedconfig":  func(r record) { p.outcome(m, r) },
		"workflowbasedconfig": func(r record) { p.platform(m, r) },
		"workflowtype":        func(r record) { p.workflow(m, r) },
	}
	for _, name := range configTables {
		rows := c[name][id]
		switch {
		case len(rows) == 0:
			continue
		case used[was] != nil && !slices.Contains(used[was], name):
			m.say.note("%s: %d rows of %s are left out, for its type is %q", m.name(), len(rows), name, was)
			continue
		case slices.Contains(single, name):
			rows = rows[len(rows)-1:] // the old program knew one
		}
		for _, r := range rows {
			readers[name](r)
		}
	}
	return p
}

// single are the tables that have one row for each model.
var single = []string{"hybridconfig", "seatbasedconfig", "agentbasedconfig", "workflowbasedconfig"}

func (p *prices) perAgent(m, r record) {
	p.seat(m, price(m, r, "price_per_seat"), r.textOr("billing_frequency", pricing.Monthly))
	p.without(r.positive("setup_fee"), "a setup fee")
	p.without(r.truth("volume_discount_enabled", false), "volume discounts")
}

func (p *prices) activity(m, r record) {
	if !p.inUse(m, r, "action_type") {
		return
	}
	p.fee(m, r, "base_agent_fee", false)
	p.activities = append(p.activities, pricing.Component{Kind: pricing.Activity, Type: r.textOr("action_type", "activity"), Price: price(m, r, "price_per_action")})
	p.without(r.truth("volume_pricing_enabled", false), "volume prices")
	p.without(r.positive("minimum_charge"), "a minimum charge")
}

func (p *prices) outcome(m, r record) {
	if !p.inUse(m, r, "outcome_type") {
		return
	}
	p.fee(m, r, "base_platform_fee", false)
	p.outcomes = append(p.outcomes, pricing.Component{Kind: pricing.Outcome, Type: r.textOr("outcome_type", "outcome"), Price: price(m, r, "percentage")})
	p.without(r.positive("fixed_charge_per_outcome"), "a fixed charge per outcome")
	p.without(r.positive("risk_premium_percentage"), "a risk premium")
	p.without(r.positive("monthly_cap_amount"), "a monthly cap")
	p.without(r.positive("success_bonus_percentage"), "a success bonus")
	p.without(r.positive("minimum_attribution_value"), "a minimum value")
	p.without(r.positive("tier_1_threshold") && r.positive("tier_1_percentage"), "tiers of percentages")
}

func (p *prices) platform(m, r record) {
	p.fee(m, r, "base_platform_fee", false)
	p.without(r.truth("volume_discount_enabled", false), "volume discounts")
}

// workflow becomes an activity: whoever reports a workflow's run as an activity of its type is charged for it.
func (p *prices) workflow(m, r record) {
	if !p.inUse(m, r, "workflow_type") {
		return
	}
	typ := r.textOr("workflow_type", "workflow")
	p.activities = append(p.activities, pricing.Component{Kind: pricing.Activity, Type: typ, Price: price(m, r, "price_per_workflow")})
	p.without(r.positive("volume_tier_1_threshold"), "volume prices")
	p.without(r.positive("minimum_charge"), "a minimum charge")
	m.say.note("%s: runs of workflow %q are charged when they are recorded as activities of that type", m.name(), typ)
}

// inUse passes over prices that were switched off.
func (p *prices) inUse(m, r record, typ string) bool {
	if r.truth("is_active", true) {
		return true
	}
	m.say.note("%s: its price of %q was switched off and is left out", m.name(), r.textOr(typ, ""))
	return false
}

// fee adds a fee for each agent and month; one of 0 only if it is a component of its own.
func (p *prices) fee(m, r record, column string, evenZero bool) {
	if d := price(m, r, column); evenZero || d.Sign() > 0 {
		p.base = append(p.base, pricing.Component{Kind: pricing.BaseFee, Price: d})
	}
}

func (p *prices) seat(m record, price money.Decimal, frequency string) {
	switch frequency = strings.ToLower(frequency); frequency {
	case pricing.Monthly, pricing.Quarterly, pricing.Yearly:
	case "annual", "annually":
		frequency = pricing.Yearly
	default:
		p.beyond = append(p.beyond, fmt.Sprintf("a frequency of %q", frequency))
		frequency = pricing.Monthly
	}
	p.seats = append(p.seats, pricing.Component{Kind: pricing.Seat, Price: price, Frequency: frequency})
}

func (p *prices) without(had bool, what string) {
	if had {
		p.beyond = append(p.beyond, what)
	}
}

// price is what a column says if that can be a price.
func price(m, r record, column string) money.Decimal {
	d, rounded := r.decimal(column)
	if !rounded.IsZero() {
		m.say.differ("%s: %s %s is kept as %s", r.name(), column, *r.text(column), d)
	}
	if d.Sign() < 0 {
		m.say.differ("%s: %s %s is below 0: 0 is taken", r.name(), column, d)
		return money.Decimal{}
	}
	return d
}

// jsonConfig is what the earliest layout kept in the column config.
type jsonConfig struct {
	BaseFee          *json.Number `json:"base_fee"`
	PricePerSeat     *json.Number `json:"price_per_seat"`
	BillingFrequency string       `json:"billing_frequency"`
	PricePerAction   *json.Number `json:"price_per_action"`
	ActionType       string       `json:"action_type"`
	OutcomeType      string       `json:"outcome_type"`
	Percentage       *json.Number `json:"percentage"`
	Seat             *jsonConfig  `json:"seat_config"`
	Activities       []jsonConfig `json:"activity_config"`
	Outcomes         []jsonConfig `json:"outcome_config"`
}

func readConfig(m record, p *prices) {
	raw := m.json("config", '{')
	if raw == nil {
		return
	}
	var c jsonConfig
	if err := json.Unmarshal(raw, &c); err != nil {
		m.say.differ("%s: its config cannot be read: %v", m.name(), err)
		return
	}
	number := func(n *json.Number) money.Decimal {
		if n == nil {
			return money.Decimal{}
		}
		d, err := money.ParseExact(n.String())
		if err != nil || d.Sign() < 0 {
			m.say.differ("%s: price %s of its config is none: 0 is taken", m.name(), n)
			return money.Decimal{}
		}
		return d.RoundHalfAway(placesKept)
	}
	if c.BaseFee != nil {
		p.base = append(p.base, pricing.Component{Kind: pricing.BaseFee, Price: number(c.BaseFee)})
	}
	each := append(append([]jsonConfig{c}, c.Activities...), c.Outcomes...)
	if c.Seat != nil {
		each = append(each, *c.Seat)
	}
	for _, one := range each {
		if one.PricePerSeat != nil {
			frequency := one.BillingFrequency
			if frequency == "" {
				frequency = pricing.Monthly
			}
			p.seat(m, number(one.PricePerSeat), frequency)
		}
		if one.PricePerAction != nil && one.ActionType != "" {
			p.activities = append(p.activities, pricing.Component{Kind: pricing.Activity, Type: one.ActionType, Price: number(one.PricePerAction)})
		}
		if one.Percentage != nil && one.OutcomeType != "" {
			p.outcomes = append(p.outcomes, pricing.Component{Kind: pricing.Outcome, Type: one.OutcomeType, Price: number(one.Percentage)})
		}
	}
}
