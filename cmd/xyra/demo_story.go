package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"xyra/money"
)

// demoStory does what a month does, and says so: customers, events, an invoice, the proof.
func demoStory(ctx context.Context, c console, in *instance, dir string, login firstLogin) error {
	rows, err := readTrace()
	if err != nil {
		return err
	}
	root := localURL(in.listener.Addr().String())
	introduce(c.out, root, dir, rows)
	api := newDemoClient(root+"/api/v1", demoWorkers)
	token, err := api.login(ctx, login.email, login.password)
	if err != nil {
		return err
	}
	operator := api.as(token)
	customer, agents, reporter, err := makeWorld(ctx, operator)
	if err != nil {
		return err
	}
	describe(c.out, customer, agents)
	tasks := demoTasks(rows, agents)
	fmt.Fprintf(c.out, "\n3. %s events, one POST each, %d at a time, with the customer's API key\n", grouped(int64(len(tasks))), demoWorkers)
	took, err := sendTrace(ctx, c.out, reporter, tasks)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "  %s events recorded in %s: %s a second, each answered only after its commit was synced to disk\n",
		grouped(int64(len(tasks))), took.Round(10*time.Millisecond), grouped(perSecond(int64(len(tasks)), took)))
	invoice, err := generate(ctx, operator, customer)
	if err != nil {
		return err
	}
	invoice.print(c.out, customer)
	if err := reportAgents(ctx, c.out, operator, agents, invoice); err != nil {
		return err
	}
	return prove(ctx, c.out, in)
}

func introduce(out io.Writer, root, dir string, rows []traceRow) {
	var read, written int64
	for _, row := range rows {
		read, written = read+row.context, written+row.generated
	}
	first, last := rows[0].timestamp, rows[len(rows)-1].timestamp
	fmt.Fprintf(out, "Xyra demo: real requests of a language model, billed as the month they came from\n\n")
	fmt.Fprintf(out, "1. A private instance\n  %s, embedded SQLite in %s\n", root, dir)
	fmt.Fprintf(out, "  Trace: %s requests from %s to %s UTC,\n  %s tokens of context and %s generated\n", grouped(int64(len(rows))), first[:19], last[:19], grouped(read), grouped(written))
	fmt.Fprintf(out, "  (Azure LLM inference trace 2023, conversation; Microsoft; CC BY 4.0)\n")
}

func describe(out io.Writer, customer demoCustomer, agents []demoAgent) {
	fmt.Fprintf(out, "\n2. A customer, %s, with an agent on each type of billing model; the requests are dealt to them in turn\n", customer.Name)
	t := table{right: []bool{false, false, false}}
	for _, a := range agents {
		t.rows = append(t.rows, []string{a.Name, a.model, a.terms})
	}
	t.print(out)
	fmt.Fprintf(out, "  Assumed, for the trace has no prices: a million tokens cost %s USD (context) and %s USD (generated),\n  and one in %d conversations resolves a ticket that is worth %s USD to the customer\n",
		amount(money.FromInt(contextCents).Shift(-2)), amount(money.FromInt(generatedCents).Shift(-2)), outcomeEvery, outcomeValue)
}

// demoInvoice is the part of an invoice that is printed.
type demoInvoice struct {
	Number   string        `json:"invoice_number"`
	Currency string        `json:"currency"`
	Status   string        `json:"status"`
	Notes    string        `json:"notes"`
	Issued   string        `json:"issue_date"`
	Due      string        `json:"due_date"`
	Total    money.Decimal `json:"total_amount"`
	Lines    []struct {
		Description string        `json:"description"`
		Quantity    money.Decimal `json:"quantity"`
		Price       money.Decimal `json:"unit_price"`
		Amount      money.Decimal `json:"amount"`
	} `json:"line_items"`
}

func generate(ctx context.Context, operator *demoClient, customer demoCustomer) (invoice demoInvoice, err error) {
	path := fmt.Sprintf("/invoices/generate/monthly?org_id=%d&year=2023&month=11", customer.ID)
	return invoice, operator.post(ctx, path, nil, &invoice)
}

func (i demoInvoice) print(out io.Writer, customer demoCustomer) {
	fmt.Fprintf(out, "\n4. The invoice\n  %s   %s\n  to %s   issued %s   due %s   %s\n\n", i.Number, i.Notes, customer.Name, i.Issued[:10], i.Due[:10], i.Status)
	t := table{head: []string{"", "Quantity", "Unit price", i.Currency}, right: []bool{false, true, true, true}}
	for _, line := range i.Lines {
		t.rows = append(t.rows, []string{line.Description, groupedDecimal(line.Quantity), amount(line.Price), amount(line.Amount)})
	}
	t.foot = []string{"Total", "", "", amount(i.Total)}
	t.print(out)
}

// demoStats is the part of an agent's statistics that is printed.
type demoStats struct {
	Activities int64         `json:"activity_count"`
	Costs      money.Decimal `json:"recorded_costs"`
	Charges    money.Decimal `json:"charges"`
	Worth      money.Decimal `json:"total_outcomes_value"`
	Margin     money.Decimal `json:"margin"`
}

func reportAgents(ctx context.Context, out io.Writer, operator *demoClient, agents []demoAgent, invoice demoInvoice) error {
	fmt.Fprintf(out, "\n5. What each agent did, cost and achieved\n")
	t := table{head: []string{"Agent", "Requests", "Token cost", "Charged", "Outcomes", "Margin"}, right: []bool{false, true, true, true, true, true}}
	var all demoStats
	for _, a := range agents {
		var s demoStats
		if err := operator.read(ctx, fmt.Sprintf("/agents/%d/stats", a.ID), &s); err != nil {
			return err
		}
		t.rows = append(t.rows, []string{a.Name, grouped(s.Activities), amount(s.Costs), amount(s.Charges), amount(s.Worth), percent(s.Margin)})
		all.Activities, all.Costs, all.Charges, all.Worth = all.Activities+s.Activities, all.Costs.Add(s.Costs), all.Charges.Add(s.Charges), all.Worth.Add(s.Worth)
	}
	t.foot = []string{"All", grouped(all.Activities), amount(all.Costs), amount(all.Charges), amount(all.Worth), ""}
	t.print(out)
	fmt.Fprint(out, "  USD, exact: only lines of an invoice are rounded. Charged is what events were charged, without seats and base fee.\n")
	fmt.Fprint(out, "  Margin is the customer's: (outcomes - token cost - charged) / outcomes.\n")
	costs := money.Currency(invoice.Currency).Round(all.Costs)
	earned := invoice.Total.Sub(costs)
	fmt.Fprintf(out, "  The operator invoices %s and pays %s for tokens: %s are left, %s.\n", amount(invoice.Total), amount(costs), amount(earned),
		percent(earned.QuoHalfAway(invoice.Total, 6)))
	return nil
}

// prove recomputes everything from the raw events.
func prove(ctx context.Context, out io.Writer, in *instance) error {
	started := time.Now()
	faults, err := verify(ctx, in.db)
	if err != nil {
		return fmt.Errorf("verify the demo: %w", err)
	}
	if len(faults) > 0 {
		return errors.New("the demo does not add up: " + strings.Join(faults, "; "))
	}
	fmt.Fprintf(out, "\n6. The proof\n  xyra verify: every charge, hour, period, invoice and audit chain recomputed from the raw events in %s: no difference\n",
		time.Since(started).Round(10*time.Millisecond))
	return nil
}
