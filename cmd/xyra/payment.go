package main

import (
	"log/slog"
	"time"

	"xyra/jobs"
	"xyra/store"
	"xyra/stripe"
)

// paymentSettings are Stripe's.
type paymentSettings struct {
	StripeKey     string `name:"stripe-api-key" env:"STRIPE_API_KEY" placeholder:"TEXT" help:"Mirrors organizations as Stripe's customers and gives every invoice a page to pay it on. Default none: Stripe is never called."`
	WebhookSecret string `name:"stripe-webhook-secret" env:"STRIPE_WEBHOOK_SECRET" placeholder:"TEXT" help:"Verifies Stripe's webhooks. Default none: every webhook is refused."`
	SuccessURL    string `name:"stripe-success-url" env:"STRIPE_SUCCESS_URL" default:"http://localhost:3000/invoices/{INVOICE_ID}?checkout=success" help:"Where customers land who have paid; {INVOICE_ID}, {INVOICE_NUMBER} and {CHECKOUT_SESSION_ID} are replaced."`
	CancelURL     string `name:"stripe-cancel-url" env:"STRIPE_CANCEL_URL" default:"http://localhost:3000/invoices/{INVOICE_ID}?checkout=cancelled" help:"Where customers land who have not."`
	StripeAddress string `name:"stripe-api-base" env:"STRIPE_API_BASE" placeholder:"URL" help:"Address to call instead of Stripe's, for tests. Default Stripe's own."`
}

// stripeTimeout bounds one job for Stripe, which may be several calls.
const stripeTimeout = 4 * time.Minute

// addKinds adds what Stripe is told of, if there is a key.
func (s paymentSettings) addKinds(kinds map[string]jobs.Kind, db *store.DB, log *slog.Logger) error {
	if s.StripeKey == "" {
		return nil
	}
	gateway, err := stripe.New(db, stripe.Options{Key: s.StripeKey, Address: s.StripeAddress, SuccessURL: s.SuccessURL, CancelURL: s.CancelURL, Log: log})
	if err != nil {
		return badValue("STRIPE_SUCCESS_URL or STRIPE_CANCEL_URL", s.SuccessURL+" "+s.CancelURL, err.Error())
	}
	for kind, handle := range gateway.Handlers() {
		kinds[kind] = jobs.Kind{Handle: handle, Workers: 4, Timeout: stripeTimeout}
	}
	return nil
}
