package store

import (
	"context"

	"xyra"
)

// Paper reads what the printed forms of an invoice show besides its lines, which it must have. Seller is for
// invoices from before their seller was kept.
func (r Reader) Paper(ctx context.Context, i xyra.Invoice, seller xyra.Party) (xyra.Paper, error) {
	organization, err := r.Organization(ctx, i.Organization)
	if err != nil {
		return xyra.Paper{}, err
	}
	settlement, err := r.Settlement(ctx, i.Organization, i.ID, i.Currency)
	if err != nil {
		return xyra.Paper{}, err
	}
	return xyra.NewPaper(i, settlement.Applied, seller, organization), nil
}
