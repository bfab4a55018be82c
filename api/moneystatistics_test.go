package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"
)

// moneySums is what events add up to in one currency.
type moneySums struct{ costs, charges, revenue *big.Rat }

// sums adds up the events that count, by currency, and tells the number of activities. A currency is there if an amount is.
func (l *ledger) sums(counts func(*ledgerEvent) bool) (by map[string]moneySums, activities int) {
	by = map[string]moneySums{}
	for _, e := range l.events {
		if !counts(e) {
			continue
		}
		if e.kind == "activity" {
			activities++
			if e.charge.Sign() == 0 {
				continue
			}
		}
		s, there := by[e.currency]
		if !there {
			s = moneySums{new(big.Rat), new(big.Rat), new(big.Rat)}
			by[e.currency] = s
		}
		s.charges.Add(s.charges, e.charge)
		switch e.kind {
		case "cost":
			s.costs.Add(s.costs, e.quantity)
		case "outcome":
			s.revenue.Add(s.revenue, e.quantity)
		}
	}
	return by, activities
}

func (s moneySums) cost() *big.Rat { return new(big.Rat).Add(s.costs, s.charges) }

func (s moneySums) margin() *big.Rat {
	if s.revenue.Sign() <= 0 {
		return new(big.Rat)
	}
	exact := new(big.Rat).Quo(new(big.Rat).Sub(s.revenue, s.cost()), s.revenue)
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(12), nil))
	units := new(big.Rat).Mul(exact, scale)
	twice := new(big.Int).Add(new(big.Int).Mul(new(big.Int).Abs(units.Num()), big.NewInt(2)), units.Denom())
	whole := new(big.Int).Quo(twice, new(big.Int).Mul(units.Denom(), big.NewInt(2)))
	return new(big.Rat).Quo(new(big.Rat).SetInt(whole.Mul(whole, big.NewInt(int64(exact.Sign())))), scale)
}

// text writes the sums in the order and under the names of a route.
func (s moneySums) text(names ...string) string {
	if s.costs == nil {
		s = moneySums{new(big.Rat), new(big.Rat), new(big.Rat)}
	}
	values := map[string]*big.Rat{"total_cost": s.cost(), "monthly_cost": s.cost(), "recorded_costs": s.costs, "charges": s.charges, "total_revenue": s.revenue,
		"monthly_revenue": s.revenue, "total_outcomes_value": s.revenue, "margin": s.margin()}
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = `"` + name + `":` + plain(values[name])
	}
	return strings.Join(texts, ",")
}

// byCurrency is the last key of an object, if any amount is in another currency than the billing one.
func (l *ledger) byCurrency(by map[string]moneySums, names ...string) string {
	if _, own := by[l.currency]; len(by) == 0 || own && len(by) == 1 {
		return ""
	}
	var texts []string
	for _, currency := range slices.Sorted(maps.Keys(by)) {
		texts = append(texts, `"`+currency+`":{`+by[currency].text(names...)+`}`)
	}
	return `,"by_currency":{` + strings.Join(texts, ",") + `}`
}

// asked reads a route and wants a text in its answer.
func (p *moneyPlay) asked(path, want string) {
	if got := ask(p.s, http.MethodGet, "/api/v1"+path, p.root, "").Body.String(); !strings.Contains(got, want) {
		p.t.Errorf("%s answers\n%s\nwithout\n%s", path, got, want)
	}
}

// span is two random instants, sometimes in the wrong order, often in the same hour or on a whole one.
func (p *moneyPlay) span() (from, to time.Time, query string) {
	from = p.moment()
	to = pick(p.random, p.moment(), p.clock.Now(), from.Add(time.Duration(p.random.Int64N(3600e6))*time.Microsecond))
	if p.random.IntN(3) == 0 {
		from = from.Truncate(time.Hour)
	}
	if len(p.events) > 0 && p.random.IntN(3) == 0 {
		from = pick(p.random, p.events...).at
	}
	if len(p.events) > 0 && p.random.IntN(3) == 0 {
		to = pick(p.random, p.events...).at
	}
	format := "2006-01-02T15:04:05.000000Z"
	return from, to, "?start_date=" + from.Format(format) + "&end_date=" + to.Format(format)
}

// checkSummary compares the statistics of the organization.
func (p *moneyPlay) checkSummary() {
	from, to, query := p.span()
	within := func(e *ledgerEvent) bool { return !e.at.Before(from) && !e.at.After(to) }
	by, activities := p.sums(within)
	names := []string{"total_cost", "recorded_costs", "charges", "total_revenue", "margin"}
	p.asked("/analytics/organization/"+p.id+"/summary"+query, fmt.Sprintf(`"metrics":{"activity_count":%d,%s%s},"agents":`, activities,
		by[p.currency].text("total_cost", "total_revenue", "margin", "recorded_costs", "charges"), p.byCurrency(by, names...)))
	month := p.clock.Now().AddDate(0, 0, -30)
	by, _ = p.sums(func(e *ledgerEvent) bool { return !e.at.Before(month) && !e.at.After(p.clock.Now()) })
	names = []string{"monthly_cost", "monthly_revenue", "recorded_costs", "charges"}
	p.asked("/organizations/"+p.id+"/stats", by[p.currency].text(names...)+p.byCurrency(by, names...)+"}")
	p.checkBreakdown(query, within)
	p.checkTop(query, within)
}

func (p *moneyPlay) checkBreakdown(query string, within func(*ledgerEvent) bool) {
	counts, total := map[string]int64{}, int64(0)
	for _, e := range p.events {
		if e.kind == "activity" && within(e) {
			counts[e.typ]++
			total++
		}
	}
	var texts []string
	for _, typ := range slices.Sorted(maps.Keys(counts)) {
		hundredths := (counts[typ]*20000/total + 1) / 2
		texts = append(texts, fmt.Sprintf(`"%s":{"count":%d,"percentage":%s}`, typ, counts[typ], plain(big.NewRat(hundredths, 100))))
	}
	p.asked("/analytics/organization/"+p.id+"/activity-breakdown"+query, fmt.Sprintf(`"total_activities":%d,"activity_types":{%s}}`, total, strings.Join(texts, ",")))
}

// checkTop compares the ranking by each metric.
func (p *moneyPlay) checkTop(query string, within func(*ledgerEvent) bool) {
	metric := pick(p.random, "margin", "revenue", "cost", "activity")
	type ranked struct {
		text  string
		value *big.Rat
	}
	var list []ranked
	for _, a := range p.agents {
		if a.archived {
			continue
		}
		by, activities := p.sums(func(e *ledgerEvent) bool { return e.agent == a && within(e) })
		s := by[p.currency]
		text := fmt.Sprintf(`{"agent_id":%s,"name":"%s","is_active":%t,"metrics":{"activity_count":%d,%s}}`, a.id, a.name, a.active, activities,
			s.text("total_cost", "total_revenue", "margin"))
		if s.costs == nil {
			s = moneySums{new(big.Rat), new(big.Rat), new(big.Rat)}
		}
		list = append(list, ranked{text, map[string]*big.Rat{"margin": s.margin(), "revenue": s.revenue, "cost": s.cost(), "activity": big.NewRat(int64(activities), 1)}[metric]})
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return b.value.Cmp(a.value) })
	var texts []string
	for _, r := range list {
		texts = append(texts, r.text)
	}
	p.asked("/analytics/organization/"+p.id+"/top-agents"+query+"&limit=1000&metric="+metric, "["+strings.Join(texts, ",")+"]")
}

// checkAgent compares the statistics of one agent.
func (p *moneyPlay) checkAgent() {
	a := p.present()
	if a == nil {
		return
	}
	by, activities := p.sums(func(e *ledgerEvent) bool { return e.agent == a })
	p.asked("/agents/"+a.id+"/stats", fmt.Sprintf(`"activity_count":%d,%s%s}`, activities,
		by[p.currency].text("total_cost", "total_outcomes_value", "margin", "recorded_costs", "charges"),
		p.byCurrency(by, "total_cost", "recorded_costs", "charges", "total_outcomes_value", "margin")))
	days := p.random.IntN(40)
	var texts []string
	today := p.clock.Now().Truncate(24 * time.Hour)
	for n := days; n >= 0; n-- {
		day := today.AddDate(0, 0, -n)
		by, activities := p.sums(func(e *ledgerEvent) bool { return e.agent == a && e.at.Truncate(24*time.Hour).Equal(day) })
		sums := strings.NewReplacer("total_cost", "cost", "total_revenue", "revenue").Replace(by[p.currency].text("total_cost", "total_revenue", "margin"))
		texts = append(texts, fmt.Sprintf(`{"date":"%s","activity_count":%d,%s}`, day.Format(time.DateOnly), activities, sums))
	}
	p.asked(fmt.Sprintf("/analytics/agent/%s/daily-metrics?days=%d", a.id, days), "["+strings.Join(texts, ",")+"]")
	p.checkBill(a)
}

// checkBill compares the billing summary of an agent, whose maps hold the billing currency and whose list holds all.
func (p *moneyPlay) checkBill(a *ledgerAgent) {
	from, to, query := p.span()
	within := func(e *ledgerEvent) bool { return e.agent == a && !e.at.Before(from) && !e.at.After(to) }
	by, _ := p.sums(within)
	var got struct {
		Total  json.Number `json:"total_cost"`
		ByType map[string]struct {
			Total json.Number
			Count int
		} `json:"cost_by_type"`
		Breakdown []struct {
			Type, Currency string
			Amount         json.Number
		} `json:"cost_breakdown"`
		ByCurrency json.RawMessage `json:"by_currency"`
	}
	answer := ask(p.s, http.MethodGet, "/api/v1/agents/"+a.id+"/billing-summary"+query, p.root, "").Body.Bytes()
	if err := json.Unmarshal(answer, &got); err != nil {
		p.t.Fatal(err)
	}
	types, listed := map[string]*big.Rat{}, 0
	for _, e := range p.events {
		amount, typ := e.charge, e.kind
		if e.kind == "cost" {
			amount, typ = e.quantity, e.typ
		}
		if !within(e) || e.kind != "cost" && amount.Sign() == 0 {
			continue
		}
		listed++
		if e.currency == p.currency {
			if types[typ] == nil {
				types[typ] = new(big.Rat)
			}
			types[typ].Add(types[typ], amount)
		}
	}
	// Outcomes without a charge are amounts of their currency, but no entries.
	want := p.byCurrency(by, "total_cost", "recorded_costs", "charges")
	if have := string(got.ByCurrency); have != strings.TrimPrefix(want, `,"by_currency":`) {
		p.t.Errorf("billing summary by currency is %s, want %s", have, want)
	}
	if total := strings.TrimPrefix(by[p.currency].text("total_cost"), `"total_cost":`); string(got.Total) != total || len(got.Breakdown) != listed || len(got.ByType) != len(types) {
		p.t.Errorf("billing summary is %s, want a total of %s, %d entries and the types %v", answer, total, listed, types)
	}
	for typ, amount := range types {
		if string(got.ByType[typ].Total) != plain(amount) {
			p.t.Errorf("billing summary has %s of %s, want %s", got.ByType[typ].Total, typ, plain(amount))
		}
	}
}
