package api

import (
	"context"

	"xyra"
	"xyra/billing"
	"xyra/store"
)

// mailedOut names the job that sends an invoice.
type mailedOut struct {
	Invoice xyra.InvoiceID `json:"invoice_id"`
	Job     xyra.JobID     `json:"job_id"`
	To      string         `json:"to"`
}

func (s *Server) mailInvoice(c *call, in *invoiceIn) (mailedOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (mailedOut, error) {
		job, to, err := billing.Mail(ctx, tx, c.caller, s.Issuer, in.ID)
		return mailedOut{in.ID, job, to}, err
	})
}
