package legacy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"xyra"
	"xyra/money"
	"xyra/store"
)

// Total is one number of an organization on both sides. Rounded is what the numbers behind it became more by being cut to
// the decimal places that are kept.
type Total struct {
	Name                   string
	Before, Rounded, After money.Decimal
}

// Holds tells whether nothing was lost or gained.
func (t Total) Holds() bool { return t.Before.Add(t.Rounded).Equal(t.After) }

// Totals are an organization's numbers by name.
type Totals struct{ byName map[string]*Total }

// The names of totals, in the order of reports; sums have their currency behind.
const (
	countUsers         = "users"
	countKeys          = "API keys"
	countModels        = "billing models"
	countAgents        = "agents"
	countActivities    = "activities"
	countOutcomes      = "outcomes"
	countCosts         = "cost rows"
	countInvoices      = "invoices"
	countLines         = "invoice lines"
	sumOutcomes        = "outcome value"
	sumCosts           = "costs and charges"
	sumInvoiceAmounts  = "invoice amounts"
	sumInvoiceTaxTotal = "invoice tax"
)

var totalOrder = []string{countUsers, countKeys, countModels, countAgents, countActivities, countOutcomes, countCosts, countInvoices, countLines,
	sumOutcomes, sumCosts, sumInvoiceAmounts, sumInvoiceTaxTotal}

func newTotals() *Totals { return &Totals{map[string]*Total{}} }

func (t *Totals) of(name string) *Total {
	if t.byName[name] == nil {
		t.byName[name] = &Total{Name: name}
	}
	return t.byName[name]
}

func (t *Totals) before(name string, d money.Decimal) { t.of(name).Before = t.of(name).Before.Add(d) }

func (t *Totals) after(name string, d money.Decimal) { t.of(name).After = t.of(name).After.Add(d) }

// sum reads a column that counts towards a total and notes what rounding makes of it.
func (t *Totals) sum(r record, name string, currency money.Currency, column string) money.Decimal {
	d, rounded := r.decimal(column)
	if !rounded.IsZero() {
		of := t.of(name + " " + string(currency))
		of.Rounded = of.Rounded.Add(rounded)
	}
	return d
}

// List is all totals in order.
func (t *Totals) List() []Total {
	list := make([]Total, 0, len(t.byName))
	for _, total := range t.byName {
		list = append(list, *total)
	}
	place := func(t Total) int {
		return slices.IndexFunc(totalOrder, func(name string) bool { return t.Name == name || strings.HasPrefix(t.Name, name+" ") })
	}
	slices.SortFunc(list, func(a, b Total) int { return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.Name, b.Name)) })
	return list
}

// readTotals counts and adds up on the side of the source, by its own arithmetic. Organization 0 is what belongs to none.
func (s *Source) readTotals(ctx context.Context, id xyra.OrganizationID, t *Totals) error {
	own := func(of string) string {
		if id == 0 {
			return " WHERE COALESCE(" + of + ".organization_id, 0) = $1::bigint"
		}
		return " WHERE " + of + ".organization_id = $1::bigint"
	}
	agents, invoices := s.tables["agent"].name, s.tables["invoice"].name
	ofAgents := " JOIN " + agents + " a ON a.id = t.agent_id" + own("a")
	counts := []struct{ name, table, where string }{
		{countUsers, "user", own("t")}, {countKeys, "apikey", own("t")}, {countModels, "billingmodel", own("t")}, {countAgents, "agent", own("t")},
		{countActivities, "agentactivity", ofAgents}, {countOutcomes, "agentoutcome", ofAgents}, {countCosts, "agentcost", ofAgents},
		{countInvoices, "invoice", own("t")}, {countLines, "invoicelineitem", " JOIN " + invoices + " i ON i.id = t.invoice_id" + own("i")},
	}
	for _, c := range counts {
		if c.name == countLines && invoices == "" {
			continue
		}
		if err := s.total(ctx, t, c.name, "''", "COUNT(*)", c.table, c.where, id); err != nil {
			return err
		}
	}
	sums := []struct{ name, column, table, where string }{
		{sumOutcomes, "value", "agentoutcome", ofAgents}, {sumCosts, "amount", "agentcost", ofAgents},
		{sumInvoiceAmounts, "amount", "invoice", own("t")}, {sumInvoiceTaxTotal, "tax_amount", "invoice", own("t")},
	}
	for _, c := range sums {
		table := s.tables[c.table]
		if !table.has(c.column) {
			continue
		}
		text := "t." + table.columns[c.column] + "::text"
		currency := "'USD'"
		if table.has("currency") {
			currency = "UPPER(TRIM(COALESCE(NULLIF(t." + table.columns["currency"] + "::text, ''), 'USD')))"
		}
		sum := "SUM(CASE WHEN " + text + " IN ('NaN', 'Infinity', '-Infinity') THEN 0 ELSE COALESCE(" + text + "::numeric, 0) END)"
		if err := s.total(ctx, t, c.name, currency, sum, c.table, c.where, id); err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) total(ctx context.Context, t *Totals, name, currency, what, tableName, where string, id xyra.OrganizationID) error {
	table := s.tables[tableName]
	if table.name == "" {
		return nil
	}
	rows, err := s.tx.QueryContext(ctx, "SELECT "+currency+", ("+what+")::text FROM "+table.name+" t"+where+" GROUP BY 1", int64(id))
	if err != nil {
		return fmt.Errorf("add up %s: %w", name, err)
	}
	defer rows.Close()
	for rows.Next() {
		var in, text string
		if err := rows.Scan(&in, &text); err != nil {
			return fmt.Errorf("add up %s: %w", name, err)
		}
		d, err := money.ParseExact(text)
		if err != nil {
			return fmt.Errorf("add up %s: %w", name, err)
		}
		t.before(strings.TrimSpace(name+" "+in), d)
	}
	return rows.Err()
}

// storedTotals adds up what has been imported of an organization, now or earlier. mapped is how many cost rows became
// charges.
func storedTotals(ctx context.Context, r store.Reader, id xyra.OrganizationID, mapped int64, t *Totals) error {
	events, err := r.ImportedEvents(ctx, id)
	if err != nil {
		return err
	}
	t.after(countCosts, money.FromInt(mapped))
	for _, e := range events {
		switch e.Kind {
		case xyra.Activity:
			t.after(countActivities, money.FromInt(e.Count))
		case xyra.Outcome:
			t.after(countOutcomes, money.FromInt(e.Count))
			t.after(sumOutcomes+" "+string(e.Currency), e.Quantity)
		case xyra.Cost:
			t.after(countCosts, money.FromInt(e.Count))
			t.after(sumCosts+" "+string(e.Currency), e.Quantity)
		}
		if !e.Charge.IsZero() {
			t.after(sumCosts+" "+string(e.Currency), e.Charge)
		}
	}
	invoices, err := r.ImportedInvoices(ctx, id)
	if err != nil {
		return err
	}
	for _, i := range invoices {
		t.after(countInvoices, money.FromInt(i.Count))
		t.after(countLines, money.FromInt(i.Lines))
		t.after(sumInvoiceAmounts+" "+string(i.Currency), i.Amount)
		t.after(sumInvoiceTaxTotal+" "+string(i.Currency), i.Tax)
	}
	return nil
}

// present counts those ids of one side that the other side has.
func present[A, B ~int64](ours []A, theirs []B) money.Decimal {
	have := make(map[int64]bool, len(ours))
	for _, id := range ours {
		have[int64(id)] = true
	}
	n := int64(0)
	for _, id := range theirs {
		if have[int64(id)] {
			n++
		}
	}
	return money.FromInt(n)
}
