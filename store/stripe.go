package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"xyra"
)

// InsertStripeJob adds work for Stripe, if this installation has Stripe at all.
func (tx *Tx) InsertStripeJob(ctx context.Context, j xyra.Job) error {
	if !tx.Stripe {
		return nil
	}
	_, _, err := tx.InsertJob(ctx, j)
	return err
}

const checkoutColumns = `id, organization_id, invoice_id, status, amount, link, payment_intent, created_at, expires_at`

func scanCheckout(r row) (c xyra.CheckoutSession, err error) {
	err = r.Scan(&c.ID, &c.Organization, &c.Invoice, &c.Status, &c.Amount, &c.Link, &c.Intent, instant{&c.CreatedAt}, instant{&c.ExpiresAt})
	return c, err
}

// CheckoutSession reads one of any organization.
func (r Reader) CheckoutSession(ctx context.Context, id string) (xyra.CheckoutSession, error) {
	return one(ctx, r, "Checkout session", "checkout session", scanCheckout, `SELECT `+checkoutColumns+` FROM checkout_sessions WHERE id = $1`, id)
}

// CheckoutSessionByIntent reads the one whose payment Stripe knows by that name.
func (r Reader) CheckoutSessionByIntent(ctx context.Context, intent string) (xyra.CheckoutSession, error) {
	return one(ctx, r, "Checkout session", "checkout session by intent", scanCheckout,
		`SELECT `+checkoutColumns+` FROM checkout_sessions WHERE payment_intent = $1 ORDER BY created_at DESC LIMIT 1`, intent)
}

// CheckoutSessions lists an invoice's, the newest first.
func (r Reader) CheckoutSessions(ctx context.Context, organization xyra.OrganizationID, invoice xyra.InvoiceID) ([]xyra.CheckoutSession, error) {
	return collect(ctx, r, "checkout sessions", scanCheckout, `SELECT `+checkoutColumns+` FROM checkout_sessions
		WHERE organization_id = $1 AND invoice_id = $2 ORDER BY created_at DESC, id LIMIT 1000`, organization, invoice)
}

// InsertCheckoutSession adds one; one that is there already stays as it is.
func (tx *Tx) InsertCheckoutSession(ctx context.Context, c xyra.CheckoutSession) error {
	_, err := tx.exec(ctx, "insert checkout session", `INSERT INTO checkout_sessions (`+checkoutColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING`, c.ID, c.Organization, c.Invoice, c.Status, c.Amount,
		c.Link, c.Intent, xyra.Micros(tx.Now), xyra.Micros(c.ExpiresAt))
	return err
}

// UpdateCheckoutSession writes status and intent. The invoice must be locked.
func (tx *Tx) UpdateCheckoutSession(ctx context.Context, c xyra.CheckoutSession) error {
	_, err := tx.exec(ctx, "update checkout session", `UPDATE checkout_sessions SET status = $2, payment_intent = $3 WHERE id = $1`, c.ID, c.Status, c.Intent)
	return err
}

// UpdateInvoiceCheckout writes the session that an invoice is paid on, and the page where the customer does; nil is none. It
// returns the invoice as it is then.
func (tx *Tx) UpdateInvoiceCheckout(ctx context.Context, i xyra.Invoice, session, link *string) (xyra.Invoice, error) {
	i.Stripe.CheckoutSession, i.Stripe.PaymentLink, i.UpdatedAt = session, link, tx.Now
	_, err := tx.exec(ctx, "update invoice checkout", `UPDATE invoices SET stripe_checkout_session_id = $3, stripe_payment_link = $4,
		updated_at = $5 WHERE organization_id = $1 AND id = $2`, i.Organization, i.ID, session, link, xyra.Micros(tx.Now))
	return i, err
}

// InsertStripeEvent remembers an event for ever. It is false when the event was there already.
func (tx *Tx) InsertStripeEvent(ctx context.Context, id, kind string) (bool, error) {
	added, err := tx.exec(ctx, "insert stripe event", `INSERT INTO stripe_events (id, type, received_at) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO NOTHING`, id, kind, xyra.Micros(tx.Now))
	return added == 1, err
}

// UpdateStripeEventWaiting keeps what an event said until the payment that it is about is known.
func (tx *Tx) UpdateStripeEventWaiting(ctx context.Context, e xyra.StripeEvent) error {
	said, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("keep event %s: %w", e.ID, err)
	}
	_, err = tx.exec(ctx, "keep stripe event", `UPDATE stripe_events SET payment_intent = $2, waiting = $3 WHERE id = $1`, e.ID, e.Intent, string(said))
	return err
}

// UpdateStripeEventsReleased returns the events that wait for a payment, in the order of their coming; they wait no more.
func (tx *Tx) UpdateStripeEventsReleased(ctx context.Context, intent string) ([]xyra.StripeEvent, error) {
	scan := func(r row) (e xyra.StripeEvent, err error) {
		var said string
		if err := r.Scan(&said); err != nil {
			return e, err
		}
		return e, json.Unmarshal([]byte(said), &e)
	}
	events, err := collect(ctx, tx.Reader, "waiting stripe events", scan, `SELECT waiting FROM stripe_events
		WHERE payment_intent = $1 AND waiting IS NOT NULL ORDER BY received_at, id LIMIT 1000`, intent)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	_, err = tx.exec(ctx, "release stripe events", `UPDATE stripe_events SET waiting = NULL WHERE payment_intent = $1 AND waiting IS NOT NULL`, intent)
	return events, err
}

// DeleteStripeEventsWaitingBefore forgets events that were received until then and still wait for their payment, most at a
// time, and returns how many it was: what they are about is nothing of ours.
func (tx *Tx) DeleteStripeEventsWaitingBefore(ctx context.Context, until time.Time, most int) (int64, error) {
	return tx.exec(ctx, "forget stripe events", `DELETE FROM stripe_events WHERE id IN (SELECT id FROM stripe_events
		WHERE waiting IS NOT NULL AND received_at <= $1 LIMIT $2)`, xyra.Micros(until), most)
}

// OrganizationEver reads one whether it is archived or not, which the second value says.
func (r Reader) OrganizationEver(ctx context.Context, id xyra.OrganizationID) (o xyra.Organization, archived bool, err error) {
	if o, err = one(ctx, r, "Organization", "organization ever", scanOrganization,
		`SELECT `+organizationColumns+` FROM organizations WHERE id = $1`, id); err != nil {
		return o, false, err
	}
	archived, err = value[bool](ctx, r, "organization archived", `SELECT archived_at IS NOT NULL FROM organizations WHERE id = $1`, id)
	return o, archived, err
}

// UpdateOrganizationStripe notes Stripe's customer of an organization that has none yet. It is false when it has one.
func (tx *Tx) UpdateOrganizationStripe(ctx context.Context, id xyra.OrganizationID, customer string) (bool, error) {
	touched, err := tx.exec(ctx, "organization customer", `UPDATE organizations SET stripe_customer_id = $2 WHERE id = $1 AND stripe_customer_id IS NULL`, id, customer)
	return touched == 1, err
}
