package stripe

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	stripego "github.com/stripe/stripe-go/v86"

	"xyra"
	"xyra/store"
)

// Stripe's own limits, in characters.
const (
	customerNameMax = 256
	productNameMax  = 250
)

// MirrorCustomer brings Stripe's customer to what the organization is: made, renamed, or deleted when it is archived.
func (g *Gateway) MirrorCustomer(ctx context.Context, j xyra.Job) error {
	var told *xyra.Organization // what Stripe knows by our last call
	for range roundsMax {
		o, archived, err := g.db.OrganizationEver(ctx, j.Organization)
		if xyra.HasCode(err, xyra.CodeNotFound) {
			return xyra.Final(err)
		}
		switch {
		case err != nil:
			return fmt.Errorf("mirror organization %d: %w", j.Organization, err)
		case archived && o.Stripe == nil:
			return nil
		case archived:
			return g.deleteCustomer(ctx, o)
		case told != nil && told.Name == o.Name && email(*told) == email(o):
			return nil
		case o.Stripe == nil:
			_, err = g.createCustomer(ctx, system(j), o)
		default:
			err = g.updateCustomer(ctx, j, o)
		}
		if err != nil {
			return err
		}
		told = &o
	}
	return errors.New("the organization changes faster than Stripe can be told")
}

// email is an organization's billing address, "" if it is none that Stripe would take.
func email(o xyra.Organization) string {
	if o.BillingEmail == nil {
		return ""
	}
	address, _, err := xyra.ParseEmail(*o.BillingEmail)
	if err != nil {
		return ""
	}
	return address
}

func (g *Gateway) createCustomer(ctx context.Context, caller xyra.Caller, o xyra.Organization) (string, error) {
	params := &stripego.CustomerCreateParams{Name: stripego.String(cut(o.Name, customerNameMax))}
	if address := email(o); address != "" {
		params.Email = &address
	}
	params.AddMetadata("organization_id", strconv.FormatInt(int64(o.ID), 10))
	params.IdempotencyKey = key("customer", int64(o.ID), o.CreatedAt, params)
	customer, err := g.client.V1Customers.Create(ctx, params)
	if err != nil {
		return "", judged(err, "create the customer of organization %d", o.ID)
	}
	id := customer.ID
	err = g.db.Tx(ctx, func(tx *store.Tx) error {
		first, err := tx.UpdateOrganizationStripe(ctx, o.ID, customer.ID)
		if err == nil && !first { // another job was faster, and its customer stays
			now, _, err := tx.OrganizationEver(ctx, o.ID)
			if err == nil {
				id = *now.Stripe
			}
			return err
		}
		if err == nil {
			tx.Audit(caller, xyra.AuditEntry{Organization: o.ID, Action: "organization.stripe_customer", ObjectID: int64(o.ID),
				Detail: fmt.Appendf(nil, "{\"customer\":%q}", customer.ID)})
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("note the customer of organization %d: %w", o.ID, err)
	}
	return id, nil
}

// updateCustomer's key is this job's alone: the same name may come back after another one.
func (g *Gateway) updateCustomer(ctx context.Context, j xyra.Job, o xyra.Organization) error {
	params := &stripego.CustomerUpdateParams{Name: stripego.String(cut(o.Name, customerNameMax)), Email: stripego.String(email(o))}
	params.IdempotencyKey = key("customer-update", int64(o.ID), o.CreatedAt, params, j.ID, j.Attempt)
	_, err := g.client.V1Customers.Update(ctx, *o.Stripe, params)
	return judged(err, "update the customer of organization %d", o.ID)
}

func (g *Gateway) deleteCustomer(ctx context.Context, o xyra.Organization) error {
	_, err := g.client.V1Customers.Delete(ctx, *o.Stripe, nil)
	if isMissing(err) {
		return nil
	}
	return judged(err, "delete the customer of organization %d", o.ID)
}
