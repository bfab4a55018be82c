package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"xyra"
	"xyra/notice"
	"xyra/store"
)

// Pauses between the attempts of a delivery.
const (
	pauseFirst = 5 * time.Second
	pauseMost  = 2 * time.Hour
)

// Timeout is how long a job of the kind xyra.JobWebhook may take.
const Timeout = attemptTimeout + 20*time.Second

// Options are what a Sender cannot know by itself.
type Options struct {
	Workers int                                                          // attempts at once in this process
	Lookup  func(ctx context.Context, name string) ([]netip.Addr, error) // nil: the system's resolver
	Roots   *x509.CertPool                                               // nil: the system's
	Now     func() time.Time
	Log     *slog.Logger // nil discards
}

// Sender sends deliveries. It is safe for concurrent use.
type Sender struct {
	Options
	db     *store.DB
	desk   *notice.Desk
	client *http.Client
	gate   *gate
}

// New makes a sender for the endpoints of a desk.
func New(db *store.DB, desk *notice.Desk, o Options) *Sender {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Sender{Options: o, db: db, desk: desk, client: newClient(newDialer(desk.Rules, o.Lookup), o.Roots), gate: newGate(o.Workers)}
}

// Deliver makes one attempt of the delivery that a job of the kind xyra.JobWebhook names. Run twice, it sends twice at
// worst; a delivery that has ended is left alone.
func (s *Sender) Deliver(ctx context.Context, j xyra.Job) error {
	var args xyra.WebhookJobArgs
	if err := json.Unmarshal(j.Args, &args); err != nil {
		return xyra.Final(fmt.Errorf("read the arguments: %w", err))
	}
	d, err := s.db.WebhookDelivery(ctx, j.Organization, args.Endpoint, args.Delivery)
	if xyra.HasCode(err, xyra.CodeNotFound) || err == nil && d.State != xyra.WebhookPending {
		return nil // forgotten, or done
	}
	if err != nil {
		return err
	}
	e, err := s.db.WebhookEndpoint(ctx, j.Organization, args.Endpoint)
	switch {
	case xyra.HasCode(err, xyra.CodeNotFound):
		return s.write(ctx, d.Discarded("the endpoint was deleted", s.db.Now()), d.Attempts)
	case err != nil:
		return err
	case !e.IsActive:
		return s.write(ctx, d.Discarded("the endpoint is not active", s.db.Now()), d.Attempts)
	}
	leave, wait := s.gate.enter(e.ID, s.Now(), args.ByHand)
	if leave == nil {
		return xyra.Postponed("the endpoint is busy or was given a rest", wait)
	}
	began := s.Now()
	result, cause := s.attempt(ctx, e, d)
	leave(s.Now().Sub(began), result.Status != 0, s.Now())
	if ctx.Err() != nil {
		return ctx.Err() // the process stops: this was no attempt
	}
	return s.settle(ctx, j, e, d, result, cause)
}

// settle writes what came of an attempt, and asks for the next one.
func (s *Sender) settle(ctx context.Context, j xyra.Job, e xyra.WebhookEndpoint, d xyra.WebhookDelivery, result xyra.WebhookAttempt, cause error) error {
	pause := Pause(d.Attempts + 1)
	after := d.Attempted(result, s.db.Now(), pause)
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		if result.Gone {
			caller := xyra.Caller{Request: "job-" + strconv.FormatInt(int64(j.ID), 10)}
			if err := notice.DisableEndpoint(ctx, tx, caller, e, "the receiver answered 410 Gone"); err != nil {
				return err
			}
		}
		_, err := tx.UpdateWebhookDelivery(ctx, after, d.Attempts)
		return err
	})
	if err != nil {
		return fmt.Errorf("write attempt %d of delivery %d: %w", after.Attempts, d.ID, err)
	}
	log := s.Log.With("organization", d.Organization, "endpoint", d.Endpoint, "delivery", d.ID, "type", d.Type, "attempts", after.Attempts)
	switch after.State {
	case xyra.WebhookDelivered:
		return nil
	case xyra.WebhookPending:
		return xyra.RetryAfter(cause, after.NextAttempt.Sub(s.db.Now()))
	}
	log.ErrorContext(ctx, "webhook given up", "state", after.State, "err", cause)
	return nil
}

func (s *Sender) write(ctx context.Context, d xyra.WebhookDelivery, attemptsBefore int) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := tx.UpdateWebhookDelivery(ctx, d, attemptsBefore)
		return err
	})
}

// Pause is how long a delivery waits after that many attempts, give or take a tenth.
func Pause(attempts int) time.Duration {
	pause := min(pauseFirst<<min(attempts-1, 20), pauseMost)
	return pause - pause/10 + rand.N(pause/5+1)
}

// attempt sends a delivery once. What it found is in words that tell the customer nothing of what lies behind an address;
// cause is for the log.
func (s *Sender) attempt(ctx context.Context, e xyra.WebhookEndpoint, d xyra.WebhookDelivery) (result xyra.WebhookAttempt, cause error) {
	now := s.Now()
	failed := func(fault string, err error) (xyra.WebhookAttempt, error) {
		return xyra.WebhookAttempt{Fault: fault}, fmt.Errorf("%s: %w", fault, err)
	}
	keys, err := s.desk.Keys(e, now)
	if err != nil {
		return failed("the message could not be signed: rotate the secret", err)
	}
	if err := s.desk.CheckURL(e.URL); err != nil { // the rules may have become stricter since it was saved
		return failed("the address is not allowed", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(d.Payload))
	if err != nil {
		return failed("the address is not allowed", err)
	}
	request.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Xyra-Webhooks/1"},
		"Webhook-Id": {d.Message}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Webhook-Signature": {Sign(keys, d.Message, now, d.Payload)}}
	answer, err := s.client.Do(request)
	if err != nil {
		return failed(fault(err), pathless(err))
	}
	if err := answer.Body.Close(); err != nil { // whatever it holds is not read
		s.Log.DebugContext(ctx, "close the answer of a webhook", "err", err)
	}
	result.Status = answer.StatusCode
	if result.Status >= 200 && result.Status < 300 {
		return result, nil
	}
	result.Wait = retryAfter(answer.Header.Get("Retry-After"), now)
	result.Fault, result.Gone = "answered "+strconv.Itoa(result.Status), result.Status == http.StatusGone
	if result.Status >= 300 && result.Status < 400 {
		result.Fault += ": redirects are not followed"
	}
	return result, errors.New(result.Fault)
}

// retryAfter reads the header: seconds or a moment. It is as long as the longest pause at most.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, pauseMost)
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, min(at.Sub(now), pauseMost))
	}
	return 0
}

// fault words why there was no answer.
func fault(err error) string {
	var network net.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, errNotAllowed):
		return "the address is not allowed"
	case errors.Is(err, errUnresolved):
		return "the name could not be resolved"
	case errors.As(err, &certificate):
		return "the certificate is not trusted"
	case errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	}
	return "no connection, or no proper answer"
}

// pathless leaves out the URL, which may hold what its owner keeps secret.
func pathless(err error) error {
	if whole := (*url.Error)(nil); errors.As(err, &whole) {
		return whole.Err
	}
	return err
}
