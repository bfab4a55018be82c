package catalog

import (
	"xyra"
	"xyra/money"
	"xyra/pricing"
)

// Preset is a billing model as the API speaks of it: one of four types and the settings of that type. What another type
// would use is empty.
type Preset struct {
	Type       xyra.ModelType
	BaseFee    *money.Decimal // hybrid only; a fee of 0 is a component too
	Seat       *SeatPrice     // seat and hybrid
	Activities []ActivityPrice
	Outcomes   []OutcomePrice
}

// SeatPrice is what a seat costs for each month, quarter or year.
type SeatPrice struct {
	Price     money.Decimal
	Frequency string
}

// ActivityPrice is what one action of a type costs.
type ActivityPrice struct {
	Price money.Decimal
	Type  string
}

// OutcomePrice is the share, in percent, of the value of outcomes of a type.
type OutcomePrice struct {
	Type       string
	Percentage money.Decimal
}

// PresetOf turns a version's components back into the settings they were made from.
func PresetOf(v xyra.Version) Preset {
	p := Preset{Type: v.Type}
	for _, c := range v.Components {
		switch c.Kind {
		case pricing.BaseFee:
			fee := c.Price
			p.BaseFee = &fee
		case pricing.Seat:
			p.Seat = &SeatPrice{c.Price, c.Frequency}
		case pricing.Activity:
			p.Activities = append(p.Activities, ActivityPrice{c.Price, c.Type})
		case pricing.Outcome:
			p.Outcomes = append(p.Outcomes, OutcomePrice{c.Type, c.Price})
		}
	}
	return p
}

// components are the preset's in the order they keep: base fee, seat, activities, outcomes.
func (p Preset) components() []pricing.Component {
	var list []pricing.Component
	if p.BaseFee != nil {
		list = append(list, pricing.Component{Kind: pricing.BaseFee, Price: *p.BaseFee})
	}
	if p.Seat != nil {
		list = append(list, pricing.Component{Kind: pricing.Seat, Price: p.Seat.Price, Frequency: p.Seat.Frequency})
	}
	for _, a := range p.Activities {
		list = append(list, pricing.Component{Kind: pricing.Activity, Type: a.Type, Price: a.Price})
	}
	for _, o := range p.Outcomes {
		list = append(list, pricing.Component{Kind: pricing.Outcome, Type: o.Type, Price: o.Percentage})
	}
	return list
}

// PresetEdit is the settings a request sends, for all types; those of other types than the model's are ignored. A nil
// takes the setting or component away.
type PresetEdit struct {
	SeatPrice         Edit[*money.Decimal]
	SeatFrequency     Edit[*string] // nil and "" are monthly
	ActivityPrice     Edit[*money.Decimal]
	ActivityType      Edit[*string]
	OutcomeType       Edit[*string]
	OutcomePercentage Edit[*money.Decimal]
	BaseFee           Edit[*money.Decimal]
	Seat              Edit[*SeatPrice]
	Activities        Edit[[]ActivityPrice]
	Outcomes          Edit[[]OutcomePrice]
}

// make is the preset of type typ that e makes of the present one, or the rule it breaks. The present one is empty for a
// new model. Components that the new type does not use go; when the type changes, what makes a model of the new type
// must be in e itself.
func (e PresetEdit) make(typ string, present Preset) (Preset, error) {
	isNewType := string(present.Type) != typ
	switch xyra.ModelType(typ) {
	case xyra.ModelSeat:
		return e.makeSeat(present, isNewType)
	case xyra.ModelActivity:
		return e.makeActivity(present, isNewType)
	case xyra.ModelOutcome:
		return e.makeOutcome(present, isNewType)
	case xyra.ModelHybrid:
		return e.makeHybrid(present, isNewType)
	}
	return Preset{}, invalidType(typ)
}

func invalidType(sent string) error {
	return xyra.Invalid("Invalid billing model type: %s. Must be one of: seat, activity, outcome, hybrid", sent)
}

func (e PresetEdit) makeSeat(present Preset, isNewType bool) (Preset, error) {
	var price *money.Decimal
	frequency := pricing.Monthly
	if present.Seat != nil {
		frequency = present.Seat.Frequency
		if !isNewType {
			price = &present.Seat.Price
		}
	}
	if price = e.SeatPrice.or(price); price == nil || price.Sign() <= 0 {
		return Preset{}, xyra.Invalid("Seat-based billing model must include a positive 'seat_price_per_seat'")
	}
	if e.SeatFrequency.Set {
		frequency = pricing.Monthly
		if sent := e.SeatFrequency.To; sent != nil && *sent != "" {
			frequency = *sent
		}
	}
	if !isFrequency(frequency) {
		return Preset{}, xyra.Invalid("'seat_billing_frequency' must be one of: monthly, quarterly, yearly")
	}
	return Preset{Type: xyra.ModelSeat, Seat: &SeatPrice{*price, frequency}}, nil
}

func isFrequency(s string) bool {
	return s == pricing.Monthly || s == pricing.Quarterly || s == pricing.Yearly
}

func (e PresetEdit) makeActivity(present Preset, isNewType bool) (Preset, error) {
	var price *money.Decimal
	var typ *string
	if !isNewType && len(present.Activities) > 0 {
		price, typ = &present.Activities[0].Price, &present.Activities[0].Type
	}
	if price = e.ActivityPrice.or(price); price == nil || price.Sign() <= 0 {
		return Preset{}, xyra.Invalid("Activity-based billing model must include a positive 'activity_price_per_action'")
	}
	if typ = e.ActivityType.or(typ); typ == nil || *typ == "" {
		return Preset{}, xyra.Invalid("Activity-based billing model must include 'activity_action_type'")
	}
	return Preset{Type: xyra.ModelActivity, Activities: []ActivityPrice{{*price, *typ}}}, nil
}

func (e PresetEdit) makeOutcome(present Preset, isNewType bool) (Preset, error) {
	var percentage *money.Decimal
	var typ *string
	if !isNewType && len(present.Outcomes) > 0 {
		percentage, typ = &present.Outcomes[0].Percentage, &present.Outcomes[0].Type
	}
	if typ = e.OutcomeType.or(typ); typ == nil || *typ == "" {
		return Preset{}, xyra.Invalid("Outcome-based billing model must include 'outcome_outcome_type'")
	}
	if percentage = e.OutcomePercentage.or(percentage); percentage == nil || percentage.Sign() <= 0 {
		return Preset{}, xyra.Invalid("Outcome-based billing model must include a positive 'outcome_percentage'")
	}
	return Preset{Type: xyra.ModelOutcome, Outcomes: []OutcomePrice{{*typ, *percentage}}}, nil
}

// makeHybrid keeps a present seat, activity or outcome component when the type changes, for hybrid models use them all;
// the component that makes the model hybrid must be sent.
func (e PresetEdit) makeHybrid(present Preset, isNewType bool) (Preset, error) {
	sent := Preset{BaseFee: e.BaseFee.To, Seat: e.Seat.To, Activities: e.Activities.To, Outcomes: e.Outcomes.To}
	p := Preset{
		Type:       xyra.ModelHybrid,
		BaseFee:    e.BaseFee.or(present.BaseFee),
		Seat:       e.Seat.or(present.Seat),
		Activities: e.Activities.or(present.Activities),
		Outcomes:   e.Outcomes.or(present.Outcomes),
	}
	if !p.hasComponent() || isNewType && !sent.hasComponent() {
		return Preset{}, xyra.Invalid("Hybrid billing model must include at least one billing component")
	}
	return p, p.checkHybrid()
}

func (p Preset) hasComponent() bool {
	return p.BaseFee != nil && p.BaseFee.Sign() >= 0 || p.Seat != nil || len(p.Activities) > 0 || len(p.Outcomes) > 0
}

func (p Preset) checkHybrid() error {
	if p.BaseFee != nil && p.BaseFee.Sign() < 0 {
		return xyra.Invalid("'hybrid_base_fee' must not be negative")
	}
	if p.Seat != nil && p.Seat.Price.Sign() <= 0 {
		return xyra.Invalid("Seat configuration must include a positive 'price_per_seat'")
	}
	if p.Seat != nil && !isFrequency(p.Seat.Frequency) {
		return xyra.Invalid("'billing_frequency' must be one of: monthly, quarterly, yearly")
	}
	for _, a := range p.Activities {
		if a.Price.Sign() <= 0 || a.Type == "" {
			return xyra.Invalid("Each activity configuration must include positive 'price_per_action' and 'action_type'")
		}
	}
	for _, o := range p.Outcomes {
		if o.Percentage.Sign() <= 0 || o.Type == "" {
			return xyra.Invalid("Each outcome configuration must include 'outcome_type' and positive 'percentage'")
		}
	}
	return nil
}
