package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
)

// organizationsAtOnce bounds how many organizations one transaction plans for.
const organizationsAtOnce = 100

// invoiceArgs say which invoice a job makes; the organization is the job's.
type invoiceArgs struct {
	Period   xyra.Period    `json:"period"`
	Currency money.Currency `json:"currency"`
}

// planInvoices adds a job for each invoice that is due. An organization with a failed one is parked: nothing more is
// billed of it until a person retries or discards that job.
func (w Work) planInvoices(ctx context.Context, _ xyra.Job) error {
	var faults []error
	var last xyra.OrganizationID
	for {
		page, err := w.db.OrganizationsAfter(ctx, last, organizationsAtOnce)
		if err != nil {
			return err
		}
		var planned []xyra.Job
		for _, o := range page {
			last = o.ID
			list, err := w.planOrganization(ctx, o)
			if err != nil {
				faults = append(faults, fmt.Errorf("plan the invoices of organization %d: %w", o.ID, err))
			}
			planned = append(planned, list...)
		}
		if err := w.add(ctx, planned); err != nil {
			return err
		}
		if len(page) < organizationsAtOnce {
			return errors.Join(faults...)
		}
	}
}

func (w Work) planOrganization(ctx context.Context, o xyra.Organization) (planned []xyra.Job, err error) {
	if parked, err := w.db.JobFailed(ctx, o.ID, KindInvoice); err != nil || parked {
		return nil, err
	}
	now := w.db.Now()
	due, err := billing.AutomaticallyDue(ctx, w.db.Reader, o, now, w.Bounds)
	if err != nil {
		return nil, err
	}
	for _, d := range due {
		args, err := json.Marshal(invoiceArgs{d.Period, d.Currency})
		if err != nil {
			return nil, err
		}
		// The day is in the key: what had nothing to bill is looked at again tomorrow, not every hour.
		planned = append(planned, xyra.Job{Kind: KindInvoice, Organization: o.ID, Args: args, AttemptsMax: 5,
			UniqueKey: fmt.Sprintf("%s:%d:%d:%s:%s", KindInvoice, o.ID, d.Period, d.Currency, now.Format("2006-01-02"))})
	}
	return planned, nil
}

func (w Work) add(ctx context.Context, planned []xyra.Job) error {
	if len(planned) == 0 {
		return nil
	}
	return w.db.Tx(ctx, func(tx *store.Tx) error {
		for _, j := range planned {
			if _, _, err := tx.InsertJob(ctx, j); err != nil {
				return err
			}
		}
		return nil
	})
}

// generateInvoice makes one invoice in one transaction. A refusal of the business (it exists, there is nothing to bill)
// means that the work is done; an invariant that does not hold is final and parks the organization.
func (w Work) generateInvoice(ctx context.Context, j xyra.Job) error {
	var args invoiceArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return xyra.Final(fmt.Errorf("read the arguments: %w", err))
	}
	if j.Attempt == 1 { // later ones may be a person's retry of a parked organization
		if parked, err := w.db.JobFailed(ctx, j.Organization, KindInvoice); err != nil || parked {
			return err
		}
	}
	err := w.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := billing.GenerateAutomatically(ctx, tx, system(j), w.Issuer, j.Organization, store.PeriodCurrency(args), w.Bounds)
		return err
	})
	if xyra.HasCode(err, xyra.CodeInvalid) || xyra.HasCode(err, xyra.CodeConflict) || xyra.HasCode(err, xyra.CodeNotFound) {
		return nil
	}
	return err
}
