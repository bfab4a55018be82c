// Package stripe brings Stripe to what the books say: a customer for every organization, and on every invoice that is
// due one page on which it can be paid.
//
// Its two jobs are never told what to do, only where to look. Each reads what is so now, compares it with what Stripe
// has, makes one call, writes down the answer, and looks again until nothing differs. So jobs may be repeated, run late,
// or run twice at once. No call is made inside a transaction, and every call that changes something carries an
// idempotency key, which is the same when the same is asked for again after an answer was lost.
//
// What Stripe tells us arrives elsewhere, as signed events; here its answers are only ever believed about sessions that
// were made here. The package knows nothing of HTTP routes.
package stripe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v86"

	"xyra"
	"xyra/store"
)

// Options say which Stripe account is used and where customers land after its page.
type Options struct {
	Key        string
	Address    string // of the API; "" is Stripe's own
	SuccessURL string // {INVOICE_ID} and {INVOICE_NUMBER} are replaced, {CHECKOUT_SESSION_ID} by Stripe
	CancelURL  string
	Log        *slog.Logger // nil discards
}

// Gateway calls Stripe. It is safe for concurrent use.
type Gateway struct {
	Options
	db     *store.DB
	client *stripego.Client
}

// callTimeout bounds one call, its answer included.
const callTimeout = 30 * time.Second

// roundsMax bounds how often a job looks again; each round ends one difference.
const roundsMax = 20

// New makes a gateway; nothing is called yet. Addresses that customers are sent to must be absolute.
func New(db *store.DB, o Options) (*Gateway, error) {
	if o.Key == "" {
		return nil, errors.New("no API key of Stripe")
	}
	for _, address := range []string{o.SuccessURL, o.CancelURL} {
		if read, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(address)); err != nil || read.Scheme != "http" && read.Scheme != "https" || read.Host == "" {
			return nil, fmt.Errorf("%q is no address of a web page", address)
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	config := &stripego.BackendConfig{
		EnableTelemetry:   stripego.Bool(false),
		MaxNetworkRetries: stripego.Int64(0), // the job is what retries: its pauses are longer and can be seen
		LeveledLogger:     &stripego.LeveledLogger{Level: stripego.LevelNull},
		HTTPClient: &http.Client{Timeout: callTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the key goes to one address alone
		}},
	}
	if o.Address != "" {
		config.URL = stripego.String(strings.TrimSuffix(o.Address, "/"))
	}
	return &Gateway{Options: o, db: db, client: stripego.NewClient(o.Key, stripego.WithBackends(stripego.NewBackendsWithConfig(config)))}, nil
}

// Handlers are what runs each kind of job.
func (g *Gateway) Handlers() map[string]func(context.Context, xyra.Job) error {
	return map[string]func(context.Context, xyra.Job) error{xyra.JobStripeCustomer: g.MirrorCustomer, xyra.JobStripeCheckout: g.MirrorCheckout}
}

// system is who acts in a job.
func system(j xyra.Job) xyra.Caller {
	return xyra.Caller{Request: "job-" + strconv.FormatInt(int64(j.ID), 10)}
}

// judged makes final what Stripe will refuse again however often it is asked. A wrong key is not: it can be replaced.
func judged(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf(format+": %w", append(args, err)...)
	if refusal := (*stripego.Error)(nil); errors.As(err, &refusal) {
		switch refusal.HTTPStatusCode {
		case http.StatusBadRequest, http.StatusPaymentRequired, http.StatusNotFound:
			return xyra.Final(err)
		}
	}
	return err
}

// isMissing tells that Stripe does not know what was asked for.
func isMissing(err error) bool {
	refusal := (*stripego.Error)(nil)
	return errors.As(err, &refusal) && (refusal.HTTPStatusCode == http.StatusNotFound || refusal.Code == stripego.ErrorCodeResourceMissing)
}

// isRefused tells that Stripe understood and will not.
func isRefused(err error) bool {
	refusal := (*stripego.Error)(nil)
	return errors.As(err, &refusal) && refusal.HTTPStatusCode == http.StatusBadRequest
}

// key names a call so that Stripe obeys it once. The moment at which an organization or invoice was made tells apart
// installations that share an account. Parameters are part of it: the same key with others would be refused.
func key(call string, id int64, made time.Time, params any, more ...any) *string {
	text, _ := json.Marshal(params) // parameters are plain values
	digest := sha256.Sum256(text)
	name := fmt.Sprintf("xyra-%s-%d-%d-%s", call, id, xyra.Micros(made), hex.EncodeToString(digest[:8]))
	for _, part := range more {
		name += fmt.Sprintf("-%v", part)
	}
	return &name
}

// cut bounds a text to what Stripe takes.
func cut(text string, runes int) string {
	if all := []rune(text); len(all) > runes {
		return string(all[:runes-1]) + "…"
	}
	return text
}
