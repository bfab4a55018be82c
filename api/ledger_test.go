package api

import (
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"xyra/store/storetest"
)

// ledger is an organization beside which everything is written down a second time, in rational numbers and without
// rollups: what its invoices and statistics must say.
type ledger struct {
	*tenant
	clock    *storetest.Clock
	zone     *time.Location
	currency string
	agents   []*ledgerAgent
	models   []*ledgerModel
	events   []*ledgerEvent
	invoices []*ledgerInvoice
}

type ledgerAgent struct {
	id, name         string
	active, archived bool
	seats            int64
	model            *ledgerModel
}

// ledgerModel has a version for each time its prices were saved.
type ledgerModel struct {
	id       string
	versions []*ledgerVersion
}

type ledgerVersion struct {
	from      time.Time
	typ       string
	fee       *big.Rat
	seat      *big.Rat
	frequency string
	calls     []ledgerPrice // per action
	sales     []ledgerPrice // percentages
}

type ledgerPrice struct {
	typ   string
	price *big.Rat
}

type ledgerEvent struct {
	kind, typ, currency string
	agent               *ledgerAgent
	at                  time.Time
	period              int // as 202403
	quantity, charge    *big.Rat
	parts               []ledgerPart
}

// ledgerPart is what one component makes of an event; events of equal parts share a line.
type ledgerPart struct {
	model     *ledgerModel
	hybrid    bool
	place     string // kind, type and which of them
	price     string
	typ       string
	invoice   *ledgerInvoice // the one that bills it now
	unitPrice *big.Rat
}

type ledgerInvoice struct {
	id, currency string
	period       int
	cancelled    bool
	text         string // of the lines when it was made
}

func newLedger(t *testing.T, s *Server, clock *storetest.Clock, root, name string) *ledger {
	l := &ledger{tenant: &tenant{t: t, s: s, root: root, admin: root}, clock: clock, zone: time.UTC, currency: "USD"}
	l.id = l.must(http.MethodPost, "/organizations", root, `{"name":"`+name+`"}`, "id")
	return l
}

// at is the version in force at an instant; the first one also covers all time before it.
func (m *ledgerModel) at(instant time.Time) *ledgerVersion {
	found := m.versions[0]
	for _, v := range m.versions[1:] {
		if !v.from.After(instant) {
			found = v
		}
	}
	return found
}

// body is the version as a request sends it, every setting in it.
func (v *ledgerVersion) body() string {
	prices := func(list []ledgerPrice, name, price string) string {
		texts := make([]string, len(list))
		for i, p := range list {
			texts[i] = fmt.Sprintf(`{"%s":"%s","%s":%s}`, name, p.typ, price, plain(p.price))
		}
		return "[" + strings.Join(texts, ",") + "]"
	}
	text := `"model_type":"` + v.typ + `"`
	switch v.typ {
	case "seat":
		return text + fmt.Sprintf(`,"seat_price_per_seat":%s,"seat_billing_frequency":"%s"`, plain(v.seat), v.frequency)
	case "activity":
		return text + fmt.Sprintf(`,"activity_price_per_action":"%s","activity_action_type":"%s"`, plain(v.calls[0].price), v.calls[0].typ)
	case "outcome":
		return text + fmt.Sprintf(`,"outcome_percentage":%s,"outcome_outcome_type":"%s"`, plain(v.sales[0].price), v.sales[0].typ)
	}
	fee, seat := "null", "null"
	if v.fee != nil {
		fee = plain(v.fee)
	}
	if v.seat != nil {
		seat = fmt.Sprintf(`{"price_per_seat":%s,"billing_frequency":"%s"}`, plain(v.seat), v.frequency)
	}
	return text + fmt.Sprintf(`,"hybrid_base_fee":%s,"hybrid_seat_config":%s,"hybrid_activity_configs":%s,"hybrid_outcome_configs":%s`, fee, seat,
		prices(v.calls, "action_type", "price_per_action"), prices(v.sales, "outcome_type", "percentage"))
}

// parts are the components of a version that charge an event.
func (v *ledgerVersion) parts(kind, typ string) (list []ledgerPart) {
	prices, factor := v.calls, big.NewRat(1, 1)
	if kind == "outcome" {
		prices, factor = v.sales, big.NewRat(1, 100)
	}
	if kind == "cost" {
		return nil
	}
	seen := 0
	for _, p := range prices {
		if p.typ != typ {
			continue
		}
		list = append(list, ledgerPart{hybrid: v.typ == "hybrid", typ: typ, place: fmt.Sprint(kind, " ", typ, " ", seen), price: plain(p.price),
			unitPrice: new(big.Rat).Mul(p.price, factor)})
		seen++
	}
	return list
}

// book writes down an event that was recorded now, and returns its charge.
func (l *ledger) book(e ledgerEvent) *big.Rat {
	local := e.at.In(l.zone)
	e.period, e.charge = local.Year()*100+int(local.Month()), new(big.Rat)
	if e.kind == "activity" {
		e.currency = l.currency
	}
	if m := e.agent.model; m != nil {
		e.parts = m.at(e.at).parts(e.kind, e.typ)
		for i := range e.parts {
			e.parts[i].model = m
			e.charge.Add(e.charge, new(big.Rat).Mul(e.quantity, e.parts[i].unitPrice))
		}
	}
	l.events = append(l.events, &e)
	return e.charge
}

// invoiced is the generated invoice of a period and currency that is not cancelled.
func (l *ledger) invoiced(period int, currency string) *ledgerInvoice {
	i := slices.IndexFunc(l.invoices, func(i *ledgerInvoice) bool { return i.period == period && i.currency == currency && !i.cancelled })
	if i < 0 {
		return nil
	}
	return l.invoices[i]
}

// section is lines whose order among each other is not said by more than their component.
type section struct {
	lines []string
	parts []*ledgerPart
}

// expected are the lines of an invoice made now.
func (l *ledger) expected(period int, currency string) (sections []section) {
	end := l.end(period)
	for _, a := range l.agents {
		if a.active && !a.archived && a.model != nil && currency == l.currency {
			sections = append(sections, section{lines: l.fees(a, period, end)})
		}
		sections = append(sections, l.usage(a, period, period, currency, "activity"), l.usage(a, period, period, currency, "outcome"))
	}
	var late []int
	for _, e := range l.events {
		if e.period < period && e.currency == currency && l.invoiced(e.period, currency) != nil && !slices.Contains(late, e.period) {
			late = append(late, e.period)
		}
	}
	slices.Sort(late)
	for _, p := range late {
		for _, a := range l.agents {
			sections = append(sections, l.usage(a, p, period, currency, "activity"), l.usage(a, p, period, currency, "outcome"))
		}
	}
	return slices.DeleteFunc(sections, func(s section) bool { return len(s.lines) == 0 })
}

func (l *ledger) end(period int) time.Time {
	return begin(l.t, fmt.Sprintf("%04d-%02d", (period+period%100/12*88+1)/100, (period%100)%12+1), l.zone)
}

func (l *ledger) fees(a *ledgerAgent, period int, end time.Time) (lines []string) {
	v := a.model.at(end.Add(-time.Microsecond))
	if v.fee != nil && v.fee.Sign() > 0 {
		lines = append(lines, l.line("Agent base fee: "+a.name, "1.0", v.fee, big.NewRat(1, 1), l.currency, "subscription", a, a.model, period))
	}
	month := period % 100
	due := v.frequency == "monthly" || v.frequency == "quarterly" && month%3 == 1 || v.frequency == "yearly" && month == 1
	if v.seat != nil && due && a.seats > 0 {
		lines = append(lines, l.line("Agent access: "+a.name+" - "+v.frequency+" subscription", fmt.Sprintf("%d.0", a.seats), v.seat, big.NewRat(a.seats, 1),
			l.currency, "subscription", a, a.model, period))
	}
	return lines
}

// usage are the lines about an agent's unbilled events of one kind, in a period that may be earlier than the invoice's.
func (l *ledger) usage(a *ledgerAgent, period, invoicePeriod int, currency, kind string) (s section) {
	type group struct {
		first *ledgerPart
		total *big.Rat
	}
	groups := map[string]*group{}
	for _, e := range l.events {
		if e.agent != a || e.period != period || e.currency != currency || e.kind != kind {
			continue
		}
		for i := range e.parts {
			p := &e.parts[i]
			if p.invoice != nil && !p.invoice.cancelled || e.quantity.Sign() == 0 {
				continue
			}
			key := fmt.Sprint(p.model.id, p.hybrid, p.place, p.price)
			if groups[key] == nil {
				groups[key] = &group{p, new(big.Rat)}
			}
			groups[key].total.Add(groups[key].total, e.quantity)
			s.parts = append(s.parts, p)
		}
	}
	suffix := ""
	if period != invoicePeriod {
		suffix = " (" + time.Month(period%100).String() + fmt.Sprintf(" %d)", period/100)
	}
	for _, g := range groups {
		named := ""
		if g.first.hybrid {
			named = " " + g.first.typ
		}
		if kind == "activity" {
			text := fmt.Sprintf("Agent usage: %s - %s%s activities%s", a.name, strings.TrimSuffix(plain(g.total), ".0"), named, suffix)
			s.lines = append(s.lines, l.line(text, plain(g.total), g.first.unitPrice, g.total, currency, "usage", a, g.first.model, period))
			continue
		}
		text := fmt.Sprintf("Agent outcomes: %s - %s%% of %s%s%s", a.name, g.first.price, plain(g.total), named, suffix)
		worth := new(big.Rat).Mul(g.total, g.first.unitPrice)
		s.lines = append(s.lines, l.line(text, "1.0", worth, big.NewRat(1, 1), currency, "outcome", a, g.first.model, period))
	}
	slices.Sort(s.lines)
	return s
}

func (l *ledger) line(description, quantity string, unitPrice, times *big.Rat, currency, item string, a *ledgerAgent, m *ledgerModel, period int) string {
	amount := rounded(new(big.Rat).Mul(unitPrice, times), currency)
	return fmt.Sprintf(`%s | %s x %s = %s | %s | Agent %s {"billing_model_id":%s,"billing_period":"%d-%d"}`, description, quantity, plain(unitPrice), plain(amount),
		item, a.id, m.id, period/100, period%100)
}

// rounded is a sum to the minor unit of its currency, half away from zero.
func rounded(r *big.Rat, currency string) *big.Rat {
	scale := map[string]int64{"USD": 100, "EUR": 100, "JPY": 1, "KWD": 1000}[currency]
	units := new(big.Rat).Mul(new(big.Rat).Abs(r), big.NewRat(scale, 1))
	twice := new(big.Int).Add(new(big.Int).Mul(units.Num(), big.NewInt(2)), units.Denom())
	whole := new(big.Int).Quo(twice, new(big.Int).Mul(units.Denom(), big.NewInt(2)))
	return new(big.Rat).SetFrac(new(big.Int).Mul(whole, big.NewInt(int64(r.Sign()))), big.NewInt(scale))
}

// plain is a decimal as the API emits it: no exponent, one digit after the point or as many as it needs.
func plain(r *big.Rat) string {
	text := strings.TrimRight(r.FloatString(60), "0")
	if strings.HasSuffix(text, ".") {
		text += "0"
	}
	return text
}
