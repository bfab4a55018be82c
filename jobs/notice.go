package jobs

import (
	"context"
	"errors"

	"xyra"
	"xyra/store"
)

// eachListener makes a handler that does something for every organization that has an active webhook endpoint.
func (w Work) eachListener(do func(context.Context, *store.DB, xyra.OrganizationID) error) Handler {
	return func(ctx context.Context, _ xyra.Job) error {
		var faults []error
		var last xyra.OrganizationID
		for {
			page, err := w.db.WebhookOrganizationsAfter(ctx, last, organizationsAtOnce)
			if err != nil {
				return errors.Join(append(faults, err)...)
			}
			for _, id := range page {
				last = id
				if err := do(ctx, w.db, id); err != nil {
					faults = append(faults, err)
				}
			}
			if len(page) < organizationsAtOnce {
				return errors.Join(faults...)
			}
		}
	}
}
