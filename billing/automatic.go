package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
)

// Bounds are what an invoice must keep within that nobody has asked for.
type Bounds struct {
	After    time.Duration // how long after its end a month is billed: late events still come on time
	Since    xyra.Period   // earlier months are left to people; 0: none
	Multiple int64         // of the largest earlier invoice, beyond which a total is not plausible; 0: every total is
}

// An organization's totals say what is plausible once there are so many; of the latest months alone.
const (
	plausibleFrom = 3
	plausibleOver = 24
)

// AutomaticallyDue lists what is to be billed of an organization without anybody asking: months that have usage no invoice
// has billed, and the latest month also for usage that came late to invoiced ones and for the fees of agents. A month
// that ever had an invoice in the currency is left out: who cancelled it decides.
func AutomaticallyDue(ctx context.Context, r store.Reader, o xyra.Organization, now time.Time, b Bounds) ([]store.PeriodCurrency, error) {
	zone, err := time.LoadLocation(o.Timezone)
	if err != nil {
		return nil, fmt.Errorf("time zone of organization %d: %w", o.ID, err)
	}
	latest := latestOver(now.Add(-b.After), zone)
	unbilled, err := r.UnbilledPeriods(ctx, o.ID, latest)
	if err != nil {
		return nil, err
	}
	generated, err := r.GeneratedPeriods(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	_, end := latest.Span(zone)
	fees, err := r.FeesExpected(ctx, o.ID, end)
	if err != nil {
		return nil, err
	}
	if fees {
		unbilled = append(unbilled, store.PeriodCurrency{Period: latest, Currency: o.Currency})
	}
	return dueOf(unbilled, generated, latest, b.Since), nil
}

// dueOf decides what to bill, earliest first.
func dueOf(unbilled, generated []store.PeriodCurrency, latest, since xyra.Period) (due []store.PeriodCurrency) {
	for _, p := range unbilled {
		if slices.Contains(generated, p) {
			p.Period = latest // what came late is billed by the next invoice
		}
		if p.Period >= since && !slices.Contains(generated, p) && !slices.Contains(due, p) {
			due = append(due, p)
		}
	}
	slices.SortStableFunc(due, func(a, b store.PeriodCurrency) int { return int(a.Period - b.Period) })
	return due
}

// latestOver is the latest month that is over at an instant.
func latestOver(at time.Time, zone *time.Location) xyra.Period {
	p := xyra.PeriodOf(at, zone)
	if p.Month() == time.January {
		return xyra.NewPeriod(p.Year()-1, time.December)
	}
	return p - 1
}

// GenerateAutomatically is Generate without anybody asking. It bills no fees of agents made after the period, and proves
// the invoice within the transaction before it counts: one that is in doubt is a final error, and nothing is kept.
func GenerateAutomatically(ctx context.Context, tx *store.Tx, caller xyra.Caller, by Issuer, id xyra.OrganizationID, of store.PeriodCurrency, b Bounds) (xyra.Invoice, error) {
	m, err := load(ctx, tx, id, int64(of.Period.Year()), int64(of.Period.Month()), of.Currency)
	if err != nil {
		return xyra.Invoice{}, err
	}
	m.automatic = true
	if tx.Now.Before(m.end.Add(b.After)) {
		return xyra.Invoice{}, xyra.Invalid("Billing period %s has not been over for %s yet", m.period, b.After)
	}
	generated, err := tx.GeneratedPeriods(ctx, id)
	if err != nil {
		return xyra.Invoice{}, err
	}
	if slices.Contains(generated, of) {
		return xyra.Invoice{}, xyra.Conflict("Organization with ID %d has had an invoice for period %s and currency %s", id, m.period, m.currency)
	}
	earlier, err := tx.GeneratedAmounts(ctx, id, of.Currency, plausibleOver)
	if err != nil {
		return xyra.Invoice{}, err
	}
	drafts, err := m.decide()
	if err == nil {
		err = m.doubt(drafts, earlier, b.Multiple)
	}
	if err != nil {
		return xyra.Invoice{}, xyra.Final(fmt.Errorf("bill %s of organization %d in %s: %w", m.period, id, m.currency, err))
	}
	if len(drafts) == 0 {
		return xyra.Invoice{}, xyra.Invalid("No billable items found for organization with ID %d in %s", id, m.period)
	}
	invoice, err := m.save(ctx, tx, caller, by, drafts)
	if err != nil {
		return xyra.Invoice{}, err
	}
	return invoice, m.prove(ctx, tx, invoice)
}

// doubt finds what must not be on an invoice that nobody looks at: usage billed by two lines, a fee charged twice, a line
// below zero, or a total far beyond all earlier ones.
func (m month) doubt(drafts []draft, earlier []money.Decimal, multiple int64) error {
	used, fees, total := map[string]bool{}, map[string]bool{}, money.Decimal{}
	for _, d := range drafts {
		for _, u := range d.from {
			if used[u.Name()] {
				return fmt.Errorf("usage %s is billed by two lines", u.Name())
			}
			used[u.Name()] = true
		}
		if len(d.from) == 0 {
			if d.fee == "" || fees[d.fee] {
				return fmt.Errorf("fee %q of line %q is charged twice", d.fee, d.line.Description)
			}
			fees[d.fee] = true
		}
		if d.line.Amount.Sign() < 0 {
			return fmt.Errorf("line %q is %s", d.line.Description, d.line.Amount)
		}
		total = total.Add(d.line.Amount)
	}
	if multiple == 0 || len(earlier) < plausibleFrom {
		return nil
	}
	most := slices.MaxFunc(earlier, money.Decimal.Cmp)
	if bound := most.Mul(money.FromInt(multiple)); most.Sign() > 0 && total.Cmp(bound) > 0 {
		return fmt.Errorf("total %s %s is more than %d times the largest earlier one (%s): generate it by hand if it is right", total, m.currency, multiple, most)
	}
	return nil
}

// prove reads back what was written and applies the checks of Verify to it.
func (m month) prove(ctx context.Context, tx *store.Tx, invoice xyra.Invoice) error {
	read, err := tx.Invoice(ctx, m.organization.ID, invoice.ID)
	if err != nil {
		return err
	}
	billed, err := tx.BilledUsage(ctx, m.organization.ID, invoice.ID)
	if err != nil {
		return err
	}
	faults := verifyInvoice(read, billed)
	if !read.Amount.Equal(invoice.Amount) {
		faults = append(faults, fmt.Sprintf("invoice %s: %s was written, %s is stored", invoice.Number, invoice.Amount, read.Amount))
	}
	var periods []xyra.Period
	for _, b := range billed {
		if !slices.Contains(periods, b.Usage.Period) {
			periods = append(periods, b.Usage.Period)
		}
	}
	found, err := verifyPeriodsUsage(ctx, tx.Reader, m.organization.ID, periods)
	if err != nil {
		return err
	}
	faults = append(faults, found...)
	if len(faults) > 0 {
		errs := make([]error, len(faults))
		for n, fault := range faults {
			errs[n] = errors.New(fault)
		}
		return xyra.Final(fmt.Errorf("prove the invoice of %s: %w", m.period, errors.Join(errs...)))
	}
	return nil
}
