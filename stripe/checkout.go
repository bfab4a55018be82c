package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v86"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
)

// due is what an invoice needs of Stripe.
type due struct {
	invoice      xyra.Invoice
	organization xyra.Organization
	charge       money.Decimal // 0: nothing
	sessions     []xyra.CheckoutSession
	made         string // the session that this job has made
}

// served tells whether a session is the one that is wanted. One just made is, whatever Stripe says of its end.
func (d due) served(s xyra.CheckoutSession, now time.Time) bool {
	if s.ID == d.made {
		now = time.Time{}
	}
	return d.charge.Sign() > 0 && s.Pays(d.charge, now)
}

// MirrorCheckout leaves one open session for what is due on an invoice, and none when nothing is.
func (g *Gateway) MirrorCheckout(ctx context.Context, j xyra.Job) error {
	var args xyra.StripeJobArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return xyra.Final(fmt.Errorf("read the arguments of job %d: %w", j.ID, err))
	}
	made := ""
	for range roundsMax {
		d, err := g.due(ctx, j.Organization, args.Invoice)
		if xyra.HasCode(err, xyra.CodeNotFound) {
			return xyra.Final(err)
		}
		if err != nil {
			return fmt.Errorf("mirror invoice %d: %w", args.Invoice, err)
		}
		d.made = made
		settled, err := g.step(ctx, system(j), &d)
		if err != nil || settled {
			return err
		}
		made = d.made
	}
	return errors.New("the invoice changes faster than Stripe can be told")
}

func (g *Gateway) due(ctx context.Context, organization xyra.OrganizationID, id xyra.InvoiceID) (d due, err error) {
	err = g.db.Snapshot(ctx, func(r store.Reader) error {
		if d.invoice, err = r.Invoice(ctx, organization, id); err != nil {
			return err
		}
		if d.organization, _, err = r.OrganizationEver(ctx, organization); err != nil {
			return err
		}
		settled, err := r.Settlement(ctx, organization, id, d.invoice.Currency)
		if err != nil {
			return err
		}
		d.charge = xyra.StripeCharge(d.invoice.Currency, d.invoice.Due(settled.Applied))
		d.sessions, err = r.CheckoutSessions(ctx, organization, id)
		return err
	})
	return d, err
}

// step ends one difference; it is true when there is none left.
func (g *Gateway) step(ctx context.Context, caller xyra.Caller, d *due) (settled bool, err error) {
	processing, open := false, false
	for _, s := range d.sessions {
		switch {
		case s.Status == xyra.CheckoutProcessing:
			processing = true
		case !open && d.served(s, g.db.Now()):
			open = true
		case s.Status == xyra.CheckoutOpen:
			return false, g.end(ctx, caller, s)
		}
	}
	if open || processing || d.charge.Sign() <= 0 {
		return true, nil
	}
	d.made, err = g.create(ctx, caller, *d)
	return false, err
}

// end closes a session. One that the customer has finished in the meantime counts as if its event had come.
func (g *Gateway) end(ctx context.Context, caller xyra.Caller, s xyra.CheckoutSession) error {
	params := &stripego.CheckoutSessionExpireParams{}
	params.IdempotencyKey = stripego.String("xyra-expire-" + s.ID)
	told := xyra.StripeEvent{Type: "checkout.session.expired", Session: s.ID}
	_, err := g.client.V1CheckoutSessions.Expire(ctx, s.ID, params)
	if isRefused(err) {
		var now *stripego.CheckoutSession
		if now, err = g.client.V1CheckoutSessions.Retrieve(ctx, s.ID, nil); err == nil && now.Status != stripego.CheckoutSessionStatusExpired {
			told, err = finished(now)
		}
	}
	if err != nil && !isMissing(err) {
		return judged(err, "close checkout session %s", s.ID)
	}
	var alarms []string
	err = g.db.Tx(ctx, func(tx *store.Tx) (err error) {
		alarms, err = billing.ReceiveStripe(ctx, tx, caller, told)
		return err
	})
	if err != nil {
		return fmt.Errorf("note the end of checkout session %s: %w", s.ID, err)
	}
	for _, text := range alarms {
		g.Log.WarnContext(ctx, "payment alarm", "reason", text, "request", caller.Request, "session", s.ID)
	}
	return nil
}

// finished is a completed session as the event that tells of it.
func finished(s *stripego.CheckoutSession) (xyra.StripeEvent, error) {
	e := xyra.StripeEvent{Type: "checkout.session.completed", Session: s.ID, Status: string(s.PaymentStatus)}
	if s.Status != stripego.CheckoutSessionStatusComplete {
		return e, fmt.Errorf("session %s can neither be paid nor closed: it is %q", s.ID, s.Status)
	}
	if s.PaymentIntent != nil {
		e.Intent = s.PaymentIntent.ID
	}
	currency, known := money.ParseCurrency(string(s.Currency))
	if !known {
		e.AmountUnknown = true
		return e, nil
	}
	amount := xyra.FromStripeAmount(currency, s.AmountTotal)
	e.Amount, e.Currency = &amount, currency
	return e, nil
}

// create makes a session, writes it down and returns its id.
func (g *Gateway) create(ctx context.Context, caller xyra.Caller, d due) (string, error) {
	customer := d.organization.Stripe
	if customer == nil {
		made, err := g.createCustomer(ctx, caller, d.organization)
		if err != nil {
			return "", err
		}
		customer = &made
	}
	params, err := g.params(d, *customer)
	if err != nil {
		return "", g.refused(ctx, caller, d.invoice, xyra.Final(err))
	}
	params.IdempotencyKey = key("checkout", int64(d.invoice.ID), d.invoice.CreatedAt, params, len(d.sessions))
	made, err := g.client.V1CheckoutSessions.Create(ctx, params)
	if err != nil {
		return "", g.refused(ctx, caller, d.invoice, judged(err, "create a checkout session of invoice %d", d.invoice.ID))
	}
	session := xyra.CheckoutSession{ID: made.ID, Organization: d.invoice.Organization, Invoice: d.invoice.ID, Status: xyra.CheckoutOpen,
		Amount: d.charge, Link: made.URL, ExpiresAt: time.Unix(made.ExpiresAt, 0)}
	err = g.db.Tx(ctx, func(tx *store.Tx) error { return billing.AddCheckout(ctx, tx, caller, session) })
	if err != nil {
		return "", fmt.Errorf("note checkout session %s: %w", made.ID, err)
	}
	return made.ID, nil
}

// refused has it noted on the invoice when Stripe will not make a page for it, now or later.
func (g *Gateway) refused(ctx context.Context, caller xyra.Caller, i xyra.Invoice, cause error) error {
	var wish *xyra.JobError
	if !errors.As(cause, &wish) || !wish.Final {
		return cause
	}
	why, refusal := cause.Error(), (*stripego.Error)(nil)
	if errors.As(cause, &refusal) {
		why = refusal.Msg
		if refusal.Code != "" {
			why += " (" + string(refusal.Code) + ")"
		}
	}
	err := g.db.Tx(ctx, func(tx *store.Tx) error {
		billing.RefuseCheckout(tx, caller, i, why)
		return nil
	})
	if err != nil {
		return fmt.Errorf("note that %s: %w", why, err)
	}
	return cause
}

func (g *Gateway) params(d due, customer string) (*stripego.CheckoutSessionCreateParams, error) {
	i := d.invoice
	units, ok := xyra.StripeAmount(i.Currency, d.charge)
	if !ok {
		return nil, fmt.Errorf("invoice %d: %s %s is more than Stripe can charge", i.ID, d.charge, i.Currency)
	}
	id := strconv.FormatInt(int64(i.ID), 10)
	about := map[string]string{"invoice_id": id, "organization_id": strconv.FormatInt(int64(i.Organization), 10), "invoice_number": i.Number}
	name := "Invoice " + i.Number
	return &stripego.CheckoutSessionCreateParams{
		Mode:              stripego.String(string(stripego.CheckoutSessionModePayment)),
		Customer:          &customer,
		ClientReferenceID: &id,
		SuccessURL:        stripego.String(landing(g.SuccessURL, i)),
		CancelURL:         stripego.String(landing(g.CancelURL, i)),
		// The customer pays in the invoice's currency, or the amount could not be compared with it.
		AdaptivePricing: &stripego.CheckoutSessionCreateAdaptivePricingParams{Enabled: stripego.Bool(false)},
		LineItems: []*stripego.CheckoutSessionCreateLineItemParams{{
			Quantity: stripego.Int64(1),
			PriceData: &stripego.CheckoutSessionCreateLineItemPriceDataParams{
				Currency:    stripego.String(strings.ToLower(string(i.Currency))),
				UnitAmount:  &units,
				ProductData: &stripego.CheckoutSessionCreateLineItemPriceDataProductDataParams{Name: stripego.String(cut(name, productNameMax))},
			},
		}},
		Metadata:          about,
		PaymentIntentData: &stripego.CheckoutSessionCreatePaymentIntentDataParams{Description: &name, Metadata: about},
	}, nil
}

// landing is where a customer lands, with what is known of the invoice.
func landing(address string, i xyra.Invoice) string {
	return strings.NewReplacer("{INVOICE_ID}", strconv.FormatInt(int64(i.ID), 10), "{INVOICE_NUMBER}", url.QueryEscape(i.Number)).Replace(address)
}
