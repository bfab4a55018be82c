package usage

import (
	"context"
	"sync"
	"time"

	"xyra"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
)

// priceBook remembers the versions of billing models. Versions never change, so a model's list is right for as long as
// its newest id is the one the database names.
type priceBook struct {
	mu     sync.Mutex
	models map[xyra.BillingModelID][]xyra.Version
	zones  map[string]*time.Location
}

// modelsMax bounds the memory of prices; beyond it everything is forgotten and read again.
const modelsMax = 100_000

// versions are the versions of an agent's model, read anew when the database has a newer one than we know.
func (p *priceBook) versions(ctx context.Context, db *store.DB, a store.AgentState) ([]xyra.Version, error) {
	if a.Newest == 0 {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.models[a.Model]
	if len(known) > 0 && known[len(known)-1].ID == a.Newest {
		return known, nil
	}
	all, err := db.Versions(ctx, a.Organization)
	if err != nil {
		return nil, err
	}
	if p.models == nil || len(p.models) > modelsMax {
		p.models = map[xyra.BillingModelID][]xyra.Version{}
	}
	for model, versions := range all {
		p.models[model] = versions
	}
	return p.models[a.Model], nil
}

// zone is the time zone of an organization.
func (p *priceBook) zone(name string) (*time.Location, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if zone, ok := p.zones[name]; ok {
		return zone, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	if p.zones == nil {
		p.zones = map[string]*time.Location{}
	}
	p.zones[name] = zone
	return zone, nil
}

// part is what one component charges for one event.
type part struct {
	index     int
	component *pricing.Component // of a version, and so never changed
}

// appendParts adds the components of a version that charge an event.
func appendParts(list []part, components []pricing.Component, kind xyra.EventKind, typ string) []part {
	for i := range components {
		if kind.Prices(components[i], typ) {
			list = append(list, part{i, &components[i]})
		}
	}
	return list
}

// inputKeys are the usage keys a model type computes a cost's amount from.
var inputKeys = map[xyra.ModelType]map[string]bool{
	xyra.ModelSeat:     {"seats": true},
	xyra.ModelActivity: {"actions": true},
	xyra.ModelOutcome:  {"outcome_value": true},
	xyra.ModelHybrid:   {"seats": true, "actions": true, "outcome_value": true},
}

// costAmount computes the amount of a cost that was sent without one.
func costAmount(versions []xyra.Version, at time.Time, inputs []CostInput) (money.Decimal, error) {
	missing := xyra.Unprocessable("amount", "Field required")
	if len(versions) == 0 {
		return money.Decimal{}, missing
	}
	version := xyra.VersionAt(versions, at)
	var use pricing.Usage
	var bad []string
	used := false
	for _, in := range inputs {
		if !inputKeys[version.Type][in.Key] {
			continue
		}
		used = true
		switch {
		case in.Bad:
			bad = append(bad, in.Key)
		case in.Key == "seats":
			use.Seats = in.Value
		case in.Key == "actions":
			use.Actions = in.Value
		default:
			use.OutcomeValue = in.Value
		}
	}
	if len(bad) > 0 {
		return money.Decimal{}, &BadInputs{bad}
	}
	if !used {
		return money.Decimal{}, missing
	}
	return pricing.Calculate(version.Components, use), nil
}
