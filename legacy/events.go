package legacy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"xyra"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
	"xyra/usage"
)

// recordedBy is who recorded an imported event.
const recordedBy = "import"

// eventsPage is how many events are read and written at a time.
const eventsPage = 5000

// eventName tells an event of the source from all others.
type eventName struct {
	kind xyra.EventKind
	id   int64
}

// autoCost is a cost that the old program had made of an event.
type autoCost struct {
	row      int64
	agent    xyra.AgentID
	typ      string // of the event; "" if the row does not say
	amount   money.Decimal
	currency money.Currency
}

// issued is an imported invoice that bills a month.
type issued struct {
	invoice xyra.Invoice
	fresh   bool // added by this run
}

// openMonth is the charged usage of a month that no imported invoice bills.
type openMonth struct {
	charged, priced money.Decimal
	unpriced        int64 // charged events that no price of the model is for
}

// invoices imports them before the events, whose months they bill.
func (im *importer) invoices(ctx context.Context) error {
	rows, err := im.source.records(ctx, "invoice", "WHERE t.organization_id = $1::bigint", im.say, int64(im.org.ID))
	if err != nil {
		return err
	}
	lines := map[int64][]record{}
	if len(rows) > 0 {
		list, err := im.source.records(ctx, "invoicelineitem", "JOIN "+im.source.tables["invoice"].name+" i ON i.id = t.invoice_id WHERE i.organization_id = $1::bigint",
			im.say, int64(im.org.ID))
		if err != nil {
			return err
		}
		for _, l := range list {
			lines[l.number("invoice_id")] = append(lines[l.number("invoice_id")], l)
		}
	}
	for _, r := range rows {
		if err := im.invoice(ctx, r, lines[r.number("id")]); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) invoice(ctx context.Context, r record, lines []record) error {
	i := invoice(r, lines, im.totals)
	bills := store.PeriodCurrency{Period: i.Period, Currency: i.Currency}
	if first := im.covered[bills]; first != nil && i.Status != xyra.InvoiceCancelled {
		im.say.note("%s (%s) bills %s like %s: it counts as written by hand", r.name(), i.Number, i.Period, first.invoice.Number)
		i.Period = 0
	}
	saved, fresh, err := im.tx.InsertImportedInvoice(ctx, i)
	if err != nil {
		return err
	}
	if !fresh {
		saved, err = im.tx.Invoice(ctx, im.org.ID, i.ID)
	}
	usable, err := im.judge(fresh, r, err, func() []string {
		// What may change after an invoice is issued may have changed here.
		fields := changed(saved, i, "Sequence", "Status", "PaymentMethod", "PaymentDate", "Notes", "Metadata", "Parties", "Lines", "InvoiceOrigin", "Stripe")
		if string(saved.Imported) != string(i.Digest()) {
			fields = append(fields, "Lines")
		}
		return fields
	})
	if err != nil || !usable {
		return err
	}
	if session := i.Stripe.CheckoutSession; fresh && session != nil && !i.Final() {
		if err := im.tx.InsertCheckoutSession(ctx, checkout(i, *session)); err != nil {
			return err
		}
	}
	if i.Period != 0 && i.Status != xyra.InvoiceCancelled {
		im.covered[bills] = &issued{saved, fresh}
	}
	return nil
}

// checkoutLife is how long after it is made a session can be paid, unless Stripe was told otherwise.
const checkoutLife = 24 * time.Hour

// checkout is the session on which an open invoice may still be paid: its webhook finds the invoice by it.
func checkout(i xyra.Invoice, session string) xyra.CheckoutSession {
	c := xyra.CheckoutSession{ID: session, Organization: i.Organization, Invoice: i.ID, Status: xyra.CheckoutOpen, Amount: i.Total(),
		ExpiresAt: i.CreatedAt.Add(checkoutLife)}
	if i.Stripe.PaymentLink != nil {
		c.Link = *i.Stripe.PaymentLink
	}
	return c
}

// events imports activities and outcomes with the costs made of them, then the other costs.
func (im *importer) events(ctx context.Context) error {
	if err := im.readAutoCosts(ctx); err != nil {
		return err
	}
	for _, kind := range []xyra.EventKind{xyra.Activity, xyra.Outcome, xyra.Cost} {
		for last := int64(-1 << 62); ; {
			rows, err := im.page(ctx, kind, last)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				break
			}
			last = rows[len(rows)-1].number("id")
			if err := im.record(ctx, kind, rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// tableOf are the tables of events.
var tableOf = map[xyra.EventKind]string{xyra.Activity: "agentactivity", xyra.Cost: "agentcost", xyra.Outcome: "agentoutcome"}

func (im *importer) page(ctx context.Context, kind xyra.EventKind, after int64) ([]record, error) {
	return im.source.records(ctx, tableOf[kind], fmt.Sprintf(`JOIN %s a ON a.id = t.agent_id WHERE a.organization_id = $1::bigint AND t.id > $2::bigint
		ORDER BY t.id LIMIT %d`, im.source.tables["agent"].name, eventsPage), im.say, int64(im.org.ID), after)
}

// readAutoCosts finds the costs that the old program made by itself: their details name the event that they are for.
func (im *importer) readAutoCosts(ctx context.Context) error {
	if !im.source.tables["agentcost"].has("details") {
		return nil
	}
	for last := int64(-1 << 62); ; {
		rows, err := im.page(ctx, xyra.Cost, last)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			last = r.number("id")
			name, cost, automatic := autoCostOf(r)
			if automatic && im.auto[name] == nil {
				im.auto[name] = &cost
			}
		}
	}
}

func autoCostOf(r record) (name eventName, c autoCost, automatic bool) {
	var details struct {
		Activity     int64  `json:"activity_id"`
		Outcome      int64  `json:"outcome_id"`
		ActivityType string `json:"activity_type"`
		OutcomeType  string `json:"outcome_type"`
	}
	text := r.text("details")
	if text == nil || json.Unmarshal([]byte(*text), &details) != nil {
		return name, c, false
	}
	switch typ := r.textOr("cost_type", ""); {
	case typ == "activity" && details.Activity > 0:
		name, c.typ = eventName{xyra.Activity, details.Activity}, details.ActivityType
	case typ == "outcome" && details.Outcome > 0:
		name, c.typ = eventName{xyra.Outcome, details.Outcome}, details.OutcomeType
	default:
		return name, c, false
	}
	silent := record{table: r.table, columns: r.columns, values: r.values, say: &remarks{}} // told when its event is recorded
	c.row, c.agent, c.currency = r.number("id"), xyra.AgentID(r.number("agent_id")), r.currency("currency")
	c.amount, _ = silent.decimal("amount")
	return name, c, true
}

// record imports one page of events.
func (im *importer) record(ctx context.Context, kind xyra.EventKind, rows []record) error {
	events := make([]xyra.Event, 0, len(rows))
	byID := map[xyra.EventID]record{}
	for _, r := range rows {
		e := im.event(kind, r)
		if _, known := im.agents[e.Agent]; !known || kind == xyra.Cost && im.mapped[int64(e.ID)] {
			continue
		}
		events, byID[e.ID] = append(events, e), r
	}
	ids := make([]int64, len(events))
	for i, e := range events {
		ids[i] = int64(e.ID)
	}
	stored, err := im.tx.EventsByID(ctx, im.org.ID, kind, ids)
	if err != nil {
		return err
	}
	var fresh, all []xyra.Event
	for _, e := range events {
		there, known := stored[e.ID]
		if !known {
			fresh, all = append(fresh, e), append(all, e)
			im.part.Added++
			continue
		}
		if _, err := im.judge(false, byID[e.ID], nil, func() []string { return changed(there, e, "RecordedAt", "Version") }); err != nil {
			return err
		}
		if there.Imported() {
			all = append(all, there)
		}
	}
	if err := im.tx.InsertImportedEvents(ctx, fresh, usage.ImportedRollups(fresh, im.versions)); err != nil {
		return err
	}
	return im.bill(ctx, all, stored)
}

// event reads one. A cost made of it is its charge; its agent's model prices it if there is one.
func (im *importer) event(kind xyra.EventKind, r record) xyra.Event {
	e := xyra.Event{Organization: im.org.ID, Kind: kind, ID: xyra.EventID(r.number("id")), Agent: xyra.AgentID(r.number("agent_id")),
		Details: r.json("details", '{'), Source: xyra.SourceImport, RecordedBy: recordedBy}
	created := r.timeOr("created_at", unknownTime)
	if e.Timestamp = r.timeOr("timestamp", created); e.Timestamp.Equal(unknownTime) {
		im.say.note("%s has no time: it counts as of 1970", r.name())
	}
	e.RecordedAt = r.timeOr("created_at", e.Timestamp)
	e.Period = xyra.PeriodOf(e.Timestamp, im.zone)
	switch kind {
	case xyra.Activity:
		e.Type, e.Quantity, e.Currency = r.textOr("activity_type", ""), money.FromInt(1), im.org.Currency
	case xyra.Outcome:
		e.Type, e.Currency, e.Verified = r.textOr("outcome_type", ""), r.currency("currency"), r.truth("verified", false)
		e.Quantity = im.totals.sum(r, sumOutcomes, e.Currency, "value")
	case xyra.Cost:
		e.Type, e.Currency = r.textOr("cost_type", ""), r.currency("currency")
		e.Quantity = im.totals.sum(r, sumCosts, e.Currency, "amount")
		return e
	}
	cost := im.auto[eventName{kind, int64(e.ID)}]
	if cost == nil || cost.agent != e.Agent || cost.typ != "" && cost.typ != e.Type || kind == xyra.Outcome && cost.currency != e.Currency {
		return e
	}
	im.mapped[cost.row] = true
	e.Charge, e.Currency = cost.amount, cost.currency
	version := im.first[im.agents[e.Agent].BillingModel]
	for _, c := range version.Components {
		if kind.Prices(c, e.Type) {
			e.Version = version.ID
		}
	}
	return e
}

// bill marks the usage of months that were invoiced before as billed by that invoice, and adds up the others. An invoice
// bills what had happened when it was issued.
func (im *importer) bill(ctx context.Context, events []xyra.Event, before map[xyra.EventID]xyra.Event) error {
	byInvoice := map[*issued][]xyra.Event{}
	for _, e := range events {
		if e.Charge.IsZero() && e.Version == 0 {
			continue
		}
		of := store.PeriodCurrency{Period: e.Period, Currency: e.Currency}
		by := im.covered[of]
		if by == nil || e.Timestamp.After(by.invoice.IssueDate) {
			im.leaveOpen(of, e)
			continue
		}
		if _, known := before[e.ID]; !known || by.fresh {
			byInvoice[by] = append(byInvoice[by], e)
		}
	}
	for by, list := range byInvoice {
		var billed []xyra.BilledUsage
		for _, u := range usage.ImportedRollups(list, im.versions).Periods {
			billed = append(billed, xyra.BilledUsage{Usage: u, Invoice: by.invoice.ID, Line: lineOf(by.invoice, u.Agent)})
		}
		if err := im.tx.AddBilledUsage(ctx, billed); err != nil {
			return err
		}
	}
	return nil
}

// lineOf is the line of an invoice that is about an agent's usage, or the one that comes closest.
func lineOf(i xyra.Invoice, agent xyra.AgentID) (id int64) {
	best := 0
	for _, l := range i.Lines {
		rank := 1
		if l.ReferenceID != nil && *l.ReferenceID == int64(agent) {
			if rank = 2; l.ItemType != "subscription" {
				rank = 3
			}
		}
		if rank > best {
			best, id = rank, l.ID
		}
	}
	return id
}

func (im *importer) leaveOpen(of store.PeriodCurrency, e xyra.Event) {
	m := im.open[of]
	if m == nil {
		m = &openMonth{}
		im.open[of] = m
	}
	m.charged = m.charged.Add(e.Charge)
	if e.Version == 0 {
		m.unpriced++
		return
	}
	for _, c := range im.versions[e.Version].Components {
		if e.Kind.Prices(c, e.Type) {
			m.priced = m.priced.Add(pricing.Rate(c, e.Quantity))
		}
	}
}

// describeOpen says what the months without an invoice will bill.
func (im *importer) describeOpen() {
	months := slices.SortedFunc(maps.Keys(im.open), func(a, b store.PeriodCurrency) int {
		if a.Period != b.Period {
			return int(a.Period - b.Period)
		}
		return strings.Compare(string(a.Currency), string(b.Currency))
	})
	for _, of := range months {
		m := im.open[of]
		text := fmt.Sprintf("%s has no invoice of this usage: its own invoice will bill %s %s by the models' prices", of.Period.Name(), m.priced, of.Currency)
		if !m.priced.Equal(m.charged) {
			text += fmt.Sprintf("; the old program had charged %s", m.charged)
		}
		if m.unpriced > 0 {
			text += fmt.Sprintf("; %d charged events match no price of their agent's model and are not billed", m.unpriced)
		}
		im.say.note("%s", text)
	}
}
