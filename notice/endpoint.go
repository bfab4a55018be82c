package notice

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"xyra"
	"xyra/store"
)

// Endpoint reads an endpoint that the caller administers; any other one is not found.
func Endpoint(ctx context.Context, r store.Reader, caller xyra.Caller, id xyra.WebhookEndpointID) (xyra.WebhookEndpoint, error) {
	if caller.Superuser {
		return r.WebhookEndpointAnywhere(ctx, id)
	}
	if !caller.IsAdmin() {
		return xyra.WebhookEndpoint{}, xyra.NotFound("Webhook endpoint")
	}
	return r.WebhookEndpoint(ctx, caller.Organization, id)
}

func locked(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.WebhookEndpointID) (xyra.WebhookEndpoint, error) {
	e, err := Endpoint(ctx, tx.Reader, caller, id)
	if err != nil {
		return e, err
	}
	return tx.WebhookEndpointLocked(ctx, e.Organization, id)
}

// CreateEndpoint adds e, whose organization, URL, description, types, thresholds and activity are the caller's; secret is
// what NewSecret drew.
func (d *Desk) CreateEndpoint(ctx context.Context, tx *store.Tx, caller xyra.Caller, e xyra.WebhookEndpoint, secret string) (xyra.WebhookEndpoint, error) {
	if !caller.Administers(e.Organization) {
		return e, xyra.Forbidden("Not enough permissions to create webhook endpoints for this organization")
	}
	// Locked, so that endpoints are counted one after the other.
	if _, err := tx.OrganizationLocked(ctx, e.Organization); err != nil {
		if xyra.HasCode(err, xyra.CodeNotFound) {
			err = xyra.Invalid("Organization with ID %d not found", e.Organization)
		}
		return e, err
	}
	if err := d.check(ctx, tx, e); err != nil {
		return e, err
	}
	present, err := tx.WebhookEndpoints(ctx, e.Organization, 0, xyra.WebhookEndpointsMax)
	if err != nil {
		return e, err
	}
	if len(present) == xyra.WebhookEndpointsMax {
		return e, xyra.Conflict("An organization has at most %d webhook endpoints", xyra.WebhookEndpointsMax)
	}
	if e.ID, err = tx.NewWebhookEndpointID(ctx); err != nil {
		return e, err
	}
	if e.Secret, err = d.seal(e, secret); err != nil {
		return e, err
	}
	e.CreatedAt, e.UpdatedAt = tx.Now, tx.Now
	if err := tx.InsertWebhookEndpoint(ctx, e); err != nil {
		return e, err
	}
	audit(tx, caller, "webhook_endpoint.create", e)
	return e, beginSummaries(ctx, tx, e, present)
}

// check holds the rules of an endpoint that need no other endpoint.
func (d *Desk) check(ctx context.Context, tx *store.Tx, e xyra.WebhookEndpoint) error {
	if err := d.CheckURL(e.URL); err != nil {
		return err
	}
	if len(e.Types) == 0 {
		return xyra.Unprocessable("event_types", "An endpoint subscribes to at least one event type")
	}
	if len(e.Thresholds) > xyra.WebhookThresholdsMax {
		return xyra.Unprocessable("thresholds", fmt.Sprintf("An endpoint has at most %d thresholds", xyra.WebhookThresholdsMax))
	}
	for n, t := range e.Thresholds {
		same := func(o xyra.UsageThreshold) bool {
			return o.Agent == t.Agent && o.Currency == t.Currency && o.Charge.Equal(t.Charge)
		}
		switch {
		case t.Charge.Sign() <= 0:
			return xyra.Unprocessable("thresholds", "A threshold's charge is greater than 0")
		case slices.ContainsFunc(e.Thresholds[:n], same):
			return xyra.Unprocessable("thresholds", "Two thresholds are the same")
		case t.Agent == 0:
			continue
		}
		if _, err := tx.Agent(ctx, e.Organization, t.Agent); err != nil {
			if xyra.HasCode(err, xyra.CodeNotFound) {
				err = xyra.Invalid("Agent with ID %d not found", t.Agent)
			}
			return err
		}
	}
	return nil
}

// EndpointChange is what an update asks for; nil fields stay as they are.
type EndpointChange struct {
	URL         *string
	Description **string
	Types       *[]xyra.NoticeType
	Thresholds  *[]xyra.UsageThreshold
	IsActive    *bool // true also forgets why it was made inactive
}

func (c EndpointChange) applyTo(e xyra.WebhookEndpoint) xyra.WebhookEndpoint {
	set(&e.URL, c.URL)
	set(&e.Description, c.Description)
	set(&e.Types, c.Types)
	set(&e.Thresholds, c.Thresholds)
	set(&e.IsActive, c.IsActive)
	if e.IsActive {
		e.DisabledReason = nil
	}
	return e
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

// UpdateEndpoint makes a change. What is already on its way goes to the address that the endpoint has when it is sent.
func (d *Desk) UpdateEndpoint(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.WebhookEndpointID, change EndpointChange) (xyra.WebhookEndpoint, error) {
	if d == nil {
		return xyra.WebhookEndpoint{}, xyra.Invalid("Webhooks are not configured")
	}
	e, err := locked(ctx, tx, caller, id)
	if err != nil {
		return e, err
	}
	present, err := tx.WebhookEndpoints(ctx, e.Organization, 0, xyra.WebhookEndpointsMax)
	if err != nil {
		return e, err
	}
	if change == (EndpointChange{}) {
		return e, nil
	}
	e = change.applyTo(e)
	if err := d.check(ctx, tx, e); err != nil {
		return e, err
	}
	e.UpdatedAt = tx.Now
	if err := tx.UpdateWebhookEndpoint(ctx, e); err != nil {
		return e, err
	}
	audit(tx, caller, "webhook_endpoint.update", e)
	return e, beginSummaries(ctx, tx, e, present)
}

// RotateSecret replaces the secret of an endpoint by one that NewSecret drew. The one before signs as well for
// xyra.WebhookOverlap; an earlier one ends at once.
func (d *Desk) RotateSecret(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.WebhookEndpointID, secret string) (xyra.WebhookEndpoint, error) {
	e, err := locked(ctx, tx, caller, id)
	if err != nil {
		return e, err
	}
	until := tx.Now.Add(xyra.WebhookOverlap)
	e.Previous, e.PreviousUntil, e.UpdatedAt = e.Secret, &until, tx.Now
	if e.Secret, err = d.seal(e, secret); err != nil {
		return e, err
	}
	audit(tx, caller, "webhook_endpoint.rotate_secret", e)
	return e, tx.UpdateWebhookEndpoint(ctx, e)
}

// DeleteEndpoint ends an endpoint. What is on its way to it is given up.
func DeleteEndpoint(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.WebhookEndpointID) error {
	e, err := locked(ctx, tx, caller, id)
	if err != nil {
		return err
	}
	audit(tx, caller, "webhook_endpoint.delete", e)
	return tx.DeleteWebhookEndpoint(ctx, e.Organization, id)
}

// DisableEndpoint makes an endpoint inactive by itself, and tells the organization's other ones.
func DisableEndpoint(ctx context.Context, tx *store.Tx, caller xyra.Caller, e xyra.WebhookEndpoint, reason string) error {
	e, err := tx.WebhookEndpointLocked(ctx, e.Organization, e.ID)
	if xyra.HasCode(err, xyra.CodeNotFound) {
		return nil
	}
	if err != nil || !e.IsActive {
		return err
	}
	e.IsActive, e.DisabledReason = false, &reason
	audit(tx, caller, "webhook_endpoint.disable", e)
	tx.Announce(e.DisabledNotice(reason))
	return tx.UpdateWebhookEndpoint(ctx, e)
}

// DisableFailing makes those endpoints of an organization inactive of which nothing has arrived for days.
func DisableFailing(ctx context.Context, db *store.DB, id xyra.OrganizationID) error {
	endpoints, err := db.WebhookEndpoints(ctx, id, 0, xyra.WebhookEndpointsMax)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		since, err := db.WebhookFailingSince(ctx, id, e.ID, e.UpdatedAt)
		if err != nil {
			return fmt.Errorf("look how long endpoint %d has failed: %w", e.ID, err)
		}
		if !e.Fails(since, db.Now()) {
			continue
		}
		err = db.Tx(ctx, func(tx *store.Tx) error {
			return DisableEndpoint(ctx, tx, xyra.Caller{}, e, "nothing has arrived since "+xyra.FormatTime(*since))
		})
		if err != nil {
			return fmt.Errorf("disable endpoint %d: %w", e.ID, err)
		}
	}
	return nil
}

// TestEndpoint sends a notice of the type webhook.test, whatever the endpoint subscribes to.
func TestEndpoint(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.WebhookEndpointID) (xyra.WebhookDelivery, error) {
	e, err := active(ctx, tx, caller, id)
	if err != nil {
		return xyra.WebhookDelivery{}, err
	}
	n := xyra.NewNotice(xyra.NoticeTest, e.Organization, map[string]int64{"organization_id": int64(e.Organization), "endpoint_id": int64(e.ID)})
	audit(tx, caller, "webhook_endpoint.test", e)
	return tx.InsertWebhookDelivery(ctx, xyra.WebhookDelivery{Organization: e.Organization, Endpoint: e.ID, Type: n.Type, Payload: n.Payload(tx.Now)}, true)
}

// ReplayDelivery sends a message again, as a delivery of its own under the same message id.
func ReplayDelivery(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.WebhookEndpointID, delivery xyra.WebhookDeliveryID) (xyra.WebhookDelivery, error) {
	e, err := active(ctx, tx, caller, id)
	if err != nil {
		return xyra.WebhookDelivery{}, err
	}
	d, err := tx.WebhookDelivery(ctx, e.Organization, id, delivery)
	if err != nil {
		return d, err
	}
	audit(tx, caller, "webhook_endpoint.replay", e)
	again := xyra.WebhookDelivery{Organization: e.Organization, Endpoint: e.ID, Message: d.Message, Type: d.Type, Payload: d.Payload, ReplayOf: d.ID}
	return tx.InsertWebhookDelivery(ctx, again, true)
}

// FollowJob lets a delivery end with its job, when a person has given the job up. Of a delivery that has ended no job is run
// again: it is replayed.
func FollowJob(ctx context.Context, tx *store.Tx, j xyra.Job) error {
	var args xyra.WebhookJobArgs
	if j.Kind != xyra.JobWebhook || json.Unmarshal(j.Args, &args) != nil {
		return nil
	}
	d, err := tx.WebhookDeliveryLocked(ctx, j.Organization, args.Endpoint, args.Delivery)
	switch {
	case xyra.HasCode(err, xyra.CodeNotFound):
		return nil
	case err != nil:
		return err
	case j.State == xyra.JobDiscarded && d.State == xyra.WebhookPending:
		_, err = tx.UpdateWebhookDelivery(ctx, d.Discarded("its job was discarded", tx.Now), d.Attempts)
		return err
	case j.State == xyra.JobWaiting && d.State != xyra.WebhookPending:
		return xyra.Conflict("The delivery of the job is %s: replay it", d.State)
	}
	return nil
}

func active(ctx context.Context, tx *store.Tx, caller xyra.Caller, id xyra.WebhookEndpointID) (xyra.WebhookEndpoint, error) {
	e, err := Endpoint(ctx, tx.Reader, caller, id)
	if err == nil && !e.IsActive {
		err = xyra.Invalid("Webhook endpoint is not active")
	}
	return e, err
}

// audit names the host alone: the rest of a URL may be what its owner keeps secret.
func audit(tx *store.Tx, caller xyra.Caller, action string, e xyra.WebhookEndpoint) {
	host := ""
	if u, err := url.Parse(e.URL); err == nil {
		host = u.Host
	}
	detail, _ := json.Marshal(map[string]any{"host": host, "types": e.Types, "is_active": e.IsActive}) // plain values always marshal
	tx.Audit(caller, xyra.AuditEntry{Organization: e.Organization, Action: action, ObjectID: int64(e.ID), Detail: detail})
}
