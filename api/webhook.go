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
	data, _ := event.Field("data")
	object, _ := data.Field("object")
	session, _ := object.Field("id")
	if kind.Text() != "checkout.session.completed" || session.Text() == "" {
		return done, nil
	}
	return write(c, func(ctx context.Context, tx *store.Tx) (webhookOut, error) {
		return done, billing.MarkPaidByCheckout(ctx, tx, xyra.Caller{Request: requestID(ctx)}, session.Text())
	})
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
