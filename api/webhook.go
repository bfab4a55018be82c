package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"xyra"
	"xyra/billing"
	"xyra/money"
	"xyra/store"
	"xyra/strictjson"
)

// webhookAge is how far Stripe's clock and ours may lie apart, and how long a stolen request can be replayed.
const webhookAge = 300 * time.Second

type webhookOut struct {
	Status string `json:"status"`
}

// stripeWebhook believes nothing before the signature over the raw body is proved.
func (s *Server) stripeWebhook(c *call, _ *nothing) (webhookOut, error) {
	done := webhookOut{"success"}
	raw, err := c.body()
	if err != nil {
		return webhookOut{}, err
	}
	if !signedByStripe(c.request.Header.Get("Stripe-Signature"), s.WebhookSecret, raw, c.now) {
		return webhookOut{}, xyra.Invalid("Invalid signature")
	}
	event, syntax := strictjson.Parse(raw)
	if syntax != nil || event.Kind() != strictjson.Object {
		return webhookOut{}, xyra.Invalid("Invalid payload")
	}
	kind, ok := event.Field("type")
	if !ok || kind.Kind() != strictjson.String {
		return webhookOut{}, xyra.Invalid("Invalid payload")
	}
	read := readStripeEvent(kind.Text(), event)
	var alarms []string
	out, err := write(c, func(ctx context.Context, tx *store.Tx) (webhookOut, error) {
		var err error
		alarms, err = billing.ReceiveStripe(ctx, tx, xyra.Caller{Request: requestID(ctx)}, read)
		return done, err
	})
	if err == nil {
		s.raise(c, alarms)
	}
	return out, err
}

// raise logs what a person should look at; the audit log has it too.
func (s *Server) raise(c *call, alarms []string) {
	for _, text := range alarms {
		s.Log.WarnContext(c.context(), "payment alarm", "reason", text, "request", c.caller.Request, "path", c.request.URL.Path)
	}
}

// stripeNameMax bounds Stripe's names of things; theirs are shorter.
const stripeNameMax = 255

// readStripeEvent takes from an event what matters here. What is missing or of another form stays empty.
func readStripeEvent(kind string, event strictjson.Value) (e xyra.StripeEvent) {
	data, _ := event.Field("data")
	object, _ := data.Field("object")
	e = xyra.StripeEvent{ID: stripeName(event, "id"), Type: kind, Intent: stripeName(object, "payment_intent")}
	amount := ""
	switch id := stripeName(object, "id"); {
	case strings.HasPrefix(kind, "checkout.session."):
		e.Session, e.Status, amount = id, stripeName(object, "payment_status"), "amount_total"
		e.Invoice, e.InvoiceNumber = writtenOn(object)
	case kind == "charge.refunded":
		e.Charge, amount = id, "amount_refunded"
	case strings.HasPrefix(kind, "charge.dispute."):
		e.Dispute, e.Charge, e.Status, amount = id, stripeName(object, "charge"), stripeName(object, "status"), "amount"
	case strings.HasPrefix(kind, "refund.") || kind == "charge.refund.updated":
		e.Refund, e.Charge, e.Status, amount = id, stripeName(object, "charge"), stripeName(object, "status"), "amount"
	}
	sent, ok := object.Field(amount)
	if !ok || sent.Kind() == strictjson.Null {
		return e
	}
	units, err := strconv.ParseInt(sent.Number(), 10, 64)
	currency, known := money.ParseCurrency(stripeName(object, "currency"))
	if err != nil || units < 0 || !known {
		e.AmountUnknown = true
		return e
	}
	value := xyra.FromStripeAmount(currency, units)
	e.Amount, e.Currency = &value, currency
	return e
}

// writtenOn is what was written on a session when it was made, if an installation of Xyra made it.
func writtenOn(session strictjson.Value) (id xyra.InvoiceID, number string) {
	about, _ := session.Field("metadata")
	written, err := strconv.ParseInt(stripeName(about, "invoice_id"), 10, 64)
	if err != nil {
		return 0, ""
	}
	return xyra.InvoiceID(written), stripeName(about, "invoice_number")
}

// stripeName is a text of an object, "" if there is none or none that Stripe would send.
func stripeName(object strictjson.Value, field string) string {
	value, _ := object.Field(field)
	if value.Kind() != strictjson.String || len(value.Text()) > stripeNameMax {
		return ""
	}
	return value.Text()
}

// signedByStripe checks a header "t={unix},v1={hex}" whose hex is the HMAC-SHA256 of "{t}.{body}". While a secret is
// being rotated there are several v1; unknown parts are skipped.
func signedByStripe(header, secret string, body []byte, now time.Time) bool {
	if secret == "" {
		return false
	}
	var stamp string
	var signatures [][]byte
	for _, part := range strings.Split(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			if stamp != "" {
				return false
			}
			stamp = value
		case "v1":
			if signature, err := hex.DecodeString(value); err == nil {
				signatures = append(signatures, signature)
			}
		}
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Unix(seconds, 0).Sub(now).Abs() > webhookAge {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	expected, matched := mac.Sum(nil), false
	for _, signature := range signatures {
		matched = hmac.Equal(signature, expected) || matched
	}
	return matched
}
