package api

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"xyra/billing"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

// moneyPlay is a ledger that random requests are sent to.
type moneyPlay struct {
	*ledger
	random *rand.Rand
}

// Whatever is recorded, changed, generated and cancelled in whatever order: charges, invoices and statistics are to the
// letter what a ledger in rational numbers says. XYRA_TEST_LONG runs more; a failure names its seed.
func TestMoney_RandomHistoriesEqualALedger(t *testing.T) {
	histories, steps := 4, 120
	if os.Getenv("XYRA_TEST_LONG") != "" {
		histories, steps = 500, 250
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(time.Date(2024, 1, 10, 9, 30, 0, 0, time.UTC))
		target.Now = clock.Now
		s := newServer(t, storetest.Open(t, target), Options{}).withOptions(func(o *Options) { o.Now = clock.Now })
		root := (&tenant{t: t, s: s}).login(superuserEmail, superuserPassword)
		for n := range histories {
			seed := rand.Uint64()
			p := &moneyPlay{newLedger(t, s, clock, root, fmt.Sprint("Ledger ", n)), rand.New(rand.NewPCG(seed, 0))}
			p.run(steps)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		wantNoFaults(t, s.db)
	})
}

func wantNoFaults(t *testing.T, db *store.DB) {
	t.Helper()
	faults, err := usage.Verify(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	more, err := billing.Verify(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range append(faults, more...) {
		t.Error(fault)
	}
}

func (p *moneyPlay) run(steps int) {
	p.newModel()
	p.newAgent()
	acts := []func(){p.record, p.record, p.record, p.record, p.record, p.record, p.generate, p.generate, p.generate, p.generate, p.cancel, p.editModel,
		p.moveAgent, p.changeAgent, p.checkSummary, p.checkAgent, p.jump, p.jump}
	rare := []func(){p.newModel, p.newAgent, p.newAgent, p.archiveAgent, p.changeOrganization}
	for range steps {
		if p.random.IntN(12) == 0 {
			rare[p.random.IntN(len(rare))]()
		} else {
			acts[p.random.IntN(len(acts))]()
		}
		if p.t.Failed() {
			return
		}
	}
	for range 12 {
		p.generate()
	}
	for _, i := range p.invoices {
		if got := p.readLines(i.id); got != i.text {
			p.t.Errorf("invoice %s was\n%s\nis\n%s", i.id, i.text, got)
		}
	}
}

func (p *moneyPlay) jump() {
	p.clock.Advance(time.Duration(p.random.Int64N(int64(20*24*time.Hour)/1000)) * time.Microsecond)
	if p.random.IntN(4) == 0 { // to the first instants of a month, where events on time lie beside the border
		next := p.clock.Now().AddDate(0, 1, 0)
		p.clock.Set(time.Date(next.Year(), next.Month(), 1, 0, 0, 0, 1000*p.random.IntN(3), time.UTC))
	}
}

func pick[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }

var ledgerNumbers = []string{"1.0", "3.0", "0.335", "0.005", "0.000000000001", "2.5", "0.125", "999.999999999999", "1234567.000001", "33.333333333333", "0.5", "100.0", "7.0"}

func (p *moneyPlay) number() *big.Rat {
	r, _ := new(big.Rat).SetString(pick(p.random, ledgerNumbers...))
	return r
}

func (p *moneyPlay) prices(types ...string) (list []ledgerPrice) {
	for range p.random.IntN(4) {
		list = append(list, ledgerPrice{pick(p.random, types...), p.number()})
	}
	return list
}

func (p *moneyPlay) version() *ledgerVersion {
	v := &ledgerVersion{from: p.clock.Now(), typ: pick(p.random, "seat", "activity", "outcome", "hybrid", "hybrid", "hybrid"), frequency: pick(p.random, "monthly", "monthly", "quarterly", "yearly")}
	switch v.typ {
	case "seat":
		v.seat = p.number()
	case "activity":
		v.calls = []ledgerPrice{{"call", p.number()}}
	case "outcome":
		v.sales = []ledgerPrice{{"sale", p.number()}}
	default:
		if p.random.IntN(2) == 0 {
			v.seat = p.number()
		}
		v.fee = pick(p.random, nil, new(big.Rat), p.number())
		v.calls, v.sales = append(p.prices("call", "mail"), ledgerPrice{"call", p.number()}), p.prices("sale", "lead")
	}
	return v
}

func (p *moneyPlay) newModel() {
	v := p.version()
	m := &ledgerModel{versions: []*ledgerVersion{v}}
	m.id = p.must(http.MethodPost, "/billing-models", p.root, fmt.Sprintf(`{"name":"plan","organization_id":%s,%s}`, p.id, v.body()), "id")
	p.models = append(p.models, m)
}

func (p *moneyPlay) editModel() {
	m, v := pick(p.random, p.models...), p.version()
	p.must(http.MethodPut, "/billing-models/"+m.id, p.root, "{"+v.body()+"}", "id")
	m.versions = append(m.versions, v)
}

func (p *moneyPlay) newAgent() {
	a := &ledgerAgent{name: fmt.Sprint("Agent ", len(p.agents)), active: true, seats: 1, model: pick(p.random, p.models...)}
	a.id = p.must(http.MethodPost, "/agents", p.root, fmt.Sprintf(`{"name":"%s","organization_id":%s,"billing_model_id":%s}`, a.name, p.id, a.model.id), "id")
	p.agents = append(p.agents, a)
}

// present is an agent that is not archived, or nil.
func (p *moneyPlay) present() *ledgerAgent {
	if a := pick(p.random, p.agents...); !a.archived {
		return a
	}
	return nil
}

func (p *moneyPlay) moveAgent() {
	a := p.present()
	if a == nil {
		return
	}
	a.model = pick(p.random, append(p.models, nil)...)
	to := "null"
	if a.model != nil {
		to = a.model.id
	}
	p.must(http.MethodPut, "/agents/"+a.id, p.root, `{"billing_model_id":`+to+`}`, "id")
}

func (p *moneyPlay) changeAgent() {
	a := p.present()
	if a == nil {
		return
	}
	seats := pick(p.random, "0", "3", "17.0", "-1", `"4"`, "2.5", "null", "true")
	a.seats = map[string]int64{"0": 0, "3": 3, "17.0": 17}[seats]
	if a.seats == 0 && seats != "0" {
		a.seats = 1
	}
	a.active, a.name = p.random.IntN(4) > 0, fmt.Sprint(pick(p.random, "Bot", "Désk", "A|B"), " ", p.random.IntN(100))
	p.must(http.MethodPut, "/agents/"+a.id, p.root, fmt.Sprintf(`{"name":"%s","is_active":%t,"config":{"seats":%s}}`, a.name, a.active, seats), "id")
}

func (p *moneyPlay) archiveAgent() {
	if a := p.present(); a != nil && len(p.agents) > 2 {
		p.must(http.MethodDelete, "/agents/"+a.id, p.root, "", "id")
		a.archived = true
	}
}

func (p *moneyPlay) changeOrganization() {
	if p.random.IntN(2) == 0 {
		p.currency = pick(p.random, "USD", "JPY", "KWD", "EUR")
		p.must(http.MethodPut, "/organizations/"+p.id, p.root, `{"settings":{"currency":"`+p.currency+`"}}`, "id")
		return
	}
	name := pick(p.random, zones...)
	zone, err := time.LoadLocation(name)
	if err != nil {
		p.t.Fatal(err)
	}
	p.zone = zone
	p.must(http.MethodPut, "/organizations/"+p.id, p.root, `{"timezone":"`+name+`"}`, "id")
}

// moment is when an event happened: now, lately, long ago, or at the border of a month.
func (p *moneyPlay) moment() time.Time {
	now := p.clock.Now()
	switch p.random.IntN(6) {
	case 0:
		return now
	case 3, 4: // too late for an invoice
		if len(p.invoices) > 0 {
			return p.end(pick(p.random, p.invoices...).period).Add(-time.Duration(p.random.Int64N(31*86400*1e6)) * time.Microsecond)
		}
	case 1:
		return now.Add(-time.Duration(p.random.Int64N(400*86400*1e6)) * time.Microsecond)
	case 2:
		month := now.AddDate(0, 0, -31*(1+p.random.IntN(4)))
		return p.end(month.Year()*100 + int(month.Month())).Add(time.Duration(p.random.IntN(3)-1) * time.Microsecond)
	}
	return now.Add(-time.Duration(p.random.Int64N(100*86400*1e6)) * time.Microsecond)
}

// record sends some events.
func (p *moneyPlay) record() {
	for range 1 + p.random.IntN(5) {
		if a := p.present(); a != nil {
			p.recordOn(a)
		}
	}
}

func (p *moneyPlay) recordOn(a *ledgerAgent) {
	e := ledgerEvent{kind: pick(p.random, "activity", "activity", "outcome", "cost"), agent: a, at: p.moment(), quantity: p.number(), currency: pick(p.random, "USD", "USD", "JPY", "KWD", "EUR")}
	if e.at.After(p.clock.Now()) {
		return
	}
	stamp := e.at.Format("2006-01-02T15:04:05.000000Z")
	var path, body string
	switch e.kind {
	case "activity":
		e.typ = pick(p.random, "call", "mail", "other")
		path, body = "activities", fmt.Sprintf(`"activity_type":"%s","quantity":%s`, e.typ, plain(e.quantity))
	case "outcome":
		e.typ = pick(p.random, "sale", "lead", "other")
		if p.random.IntN(9) == 0 {
			e.quantity = new(big.Rat)
		}
		path, body = "outcomes", fmt.Sprintf(`"outcome_type":"%s","value":"%s","currency":"%s"`, e.typ, plain(e.quantity), e.currency)
	default:
		e.typ = pick(p.random, "tokens", "activity", "outcome")
		path, body = "costs", fmt.Sprintf(`"cost_type":"%s","amount":%s,"currency":"%s"`, e.typ, plain(e.quantity), e.currency)
	}
	charge := p.must(http.MethodPost, "/agents/"+a.id+"/"+path, p.root, fmt.Sprintf(`{%s,"timestamp":"%s"}`, body, stamp), "charge")
	if want := plain(p.book(e)); charge != want {
		p.t.Errorf("%s of %s at %s on agent %s was charged %s, the ledger says %s", e.kind, plain(e.quantity), stamp, a.id, charge, want)
	}
}

// generate asks for the invoice of one of the latest months and compares it.
func (p *moneyPlay) generate() {
	month := p.clock.Now().AddDate(0, 0, 1-p.clock.Now().Day()).AddDate(0, -p.random.IntN(5), 0)
	period, currency := month.Year()*100+int(month.Month()), pick(p.random, p.currency, p.currency, p.currency, p.currency, p.currency, "USD", "EUR", "JPY", "KWD")
	path := fmt.Sprintf("/api/v1/invoices/generate/monthly?org_id=%s&year=%d&month=%d&currency=%s", p.id, period/100, period%100, currency)
	w := ask(p.s, http.MethodPost, path, p.root, "")
	sections := p.expected(period, currency)
	want := http.StatusOK
	switch {
	case p.clock.Now().Before(p.end(period)):
		want = http.StatusBadRequest
	case p.invoiced(period, currency) != nil:
		want = http.StatusConflict
	case len(sections) == 0:
		want = http.StatusBadRequest
	}
	if w.Code != want {
		p.t.Errorf("generate %d in %s: %d %s, want %d with %v", period, currency, w.Code, w.Body, want, sections)
	}
	if w.Code != http.StatusOK || want != http.StatusOK {
		return
	}
	i := &ledgerInvoice{period: period, currency: currency}
	i.id, i.text = p.compare(w.Body.Bytes(), sections, currency)
	p.invoices = append(p.invoices, i)
	for _, s := range sections {
		for _, part := range s.parts {
			part.invoice = i
		}
	}
}

type moneyInvoice struct {
	ID       json.Number
	Amount   json.Number
	Total    json.Number `json:"total_amount"`
	Tax      json.Number `json:"tax_amount"`
	Currency string
	Lines    []struct {
		Description string
		Quantity    json.Number
		UnitPrice   json.Number `json:"unit_price"`
		Amount      json.Number
		Type        string          `json:"item_type"`
		Reference   json.Number     `json:"reference_id"`
		Noun        string          `json:"reference_type"`
		Metadata    json.RawMessage `json:"item_metadata"`
	} `json:"line_items"`
}

func (p *moneyPlay) parse(answer []byte) (i moneyInvoice, lines []string) {
	if err := json.Unmarshal(answer, &i); err != nil {
		p.t.Fatal(err)
	}
	for _, n := range i.Lines {
		lines = append(lines, fmt.Sprintf("%s | %s x %s = %s | %s | %s %s %s", n.Description, n.Quantity, n.UnitPrice, n.Amount, n.Type, n.Noun, n.Reference, n.Metadata))
	}
	return i, lines
}

func (p *moneyPlay) readLines(id string) string {
	_, lines := p.parse(ask(p.s, http.MethodGet, "/api/v1/invoices/"+id, p.root, "").Body.Bytes())
	return strings.Join(lines, "\n")
}

func (p *moneyPlay) compare(answer []byte, sections []section, currency string) (id, text string) {
	i, lines := p.parse(answer)
	text = strings.Join(lines, "\n")
	var want []string
	sorted := slices.Clone(lines)
	for _, s := range sections {
		if s.parts != nil && len(want)+len(s.lines) <= len(sorted) {
			slices.Sort(sorted[len(want) : len(want)+len(s.lines)])
		}
		want = append(want, s.lines...)
	}
	if got, want := strings.Join(sorted, "\n"), strings.Join(want, "\n"); got != want {
		p.t.Errorf("the invoice has\n%s\nthe ledger says\n%s", got, want)
	}
	sum := new(big.Rat)
	for _, line := range i.Lines {
		amount, _ := new(big.Rat).SetString(string(line.Amount))
		sum.Add(sum, amount)
	}
	if string(i.Amount) != plain(sum) || i.Total != i.Amount || i.Tax != "0.0" || i.Currency != currency {
		p.t.Errorf("the invoice is of %s %s, its lines make %s", i.Amount, i.Currency, plain(sum))
	}
	if read := p.readLines(string(i.ID)); read != text {
		p.t.Errorf("answered\n%s\nstored\n%s", text, read)
	}
	return string(i.ID), text
}

func (p *moneyPlay) cancel() {
	if len(p.invoices) == 0 {
		return
	}
	i := pick(p.random, p.invoices...)
	p.must(http.MethodPost, "/invoices/"+i.id+"/cancel", p.root, "", "id")
	i.cancelled = true
}
