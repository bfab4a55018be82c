package billing

import (
	"context"
	"fmt"

	"xyra"
	"xyra/money"
	"xyra/store"
)

// verifyPayments proves an organization's payment book: its credit is what the rows add up to, every row divides its own
// amount, and no invoice is settled beyond its total, or at all when it is cancelled.
func verifyPayments(ctx context.Context, r store.Reader, s store.InvoiceSequence) (faults []string, err error) {
	kept, err := r.Credits(ctx, s.Organization)
	if err != nil {
		return nil, err
	}
	sums, err := r.CreditSums(ctx, s.Organization)
	if err != nil {
		return nil, err
	}
	balances := map[money.Currency]money.Decimal{}
	for _, c := range kept {
		balances[c.Currency] = c.Balance
	}
	for _, c := range sums {
		if balance := balances[c.Currency]; !balance.Equal(c.Balance) {
			faults = append(faults, fmt.Sprintf("organization %d: credit of %s %s is kept, its payments say %s", s.Organization, balance, c.Currency, c.Balance))
		}
	}
	var last int64
	for {
		page, err := r.InvoicesAfter(ctx, s.Organization, last, verifyPage)
		if err != nil {
			return nil, err
		}
		for _, i := range page {
			last = i.Sequence
			found, err := verifyBook(ctx, r, i)
			if err != nil {
				return nil, err
			}
			faults = append(faults, found...)
		}
		if len(page) < verifyPage {
			return faults, nil
		}
	}
}

func verifyBook(ctx context.Context, r store.Reader, i xyra.Invoice) (faults []string, err error) {
	var applied money.Decimal
	rows := int64(0)
	for {
		page, err := r.Payments(ctx, i.Organization, i.ID, rows, verifyPage)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			rows++
			if !p.Divided() {
				faults = append(faults, fmt.Sprintf("invoice %s payment %d: %s %s of %s is applied %s and credited %s", i.Number, p.ID, p.Kind, p.Currency, p.Amount, p.Applied, p.Credited))
			}
			if p.Currency == i.Currency {
				applied = applied.Add(p.Applied)
			}
		}
		if len(page) < verifyPage {
			break
		}
	}
	switch rest := i.Total().Sub(applied); {
	case rows == 0:
	case applied.Sign() > 0 && rest.Sign() < 0:
		faults = append(faults, fmt.Sprintf("invoice %s: %s is settled of %s", i.Number, applied, i.Total()))
	case applied.Sign() > 0 && i.Status == xyra.InvoiceCancelled:
		faults = append(faults, fmt.Sprintf("invoice %s: cancelled, but %s is settled", i.Number, applied))
	}
	return faults, nil
}
