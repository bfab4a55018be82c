package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"xyra"
)

const webhookEndpointColumns = `id, organization_id, url, description, types, thresholds, is_active, disabled_reason, secret, previous,
	previous_until, created_at, updated_at`

func scanWebhookEndpoint(r row) (e xyra.WebhookEndpoint, err error) {
	err = r.Scan(&e.ID, &e.Organization, &e.URL, &e.Description, parsed{&e.Types}, parsed{&e.Thresholds}, &e.IsActive, &e.DisabledReason,
		&e.Secret, &e.Previous, instantOrNil{&e.PreviousUntil}, instant{&e.CreatedAt}, instant{&e.UpdatedAt})
	return e, err
}

// WebhookEndpoint reads one of an organization that is not deleted.
func (r Reader) WebhookEndpoint(ctx context.Context, organization xyra.OrganizationID, id xyra.WebhookEndpointID) (xyra.WebhookEndpoint, error) {
	return one(ctx, r, "Webhook endpoint", "webhook endpoint", scanWebhookEndpoint, `SELECT `+webhookEndpointColumns+` FROM webhook_endpoints
		WHERE organization_id = $1 AND id = $2 AND archived_at IS NULL`, organization, id)
}

// WebhookEndpointLocked reads one and keeps its row locked until the transaction ends.
func (tx *Tx) WebhookEndpointLocked(ctx context.Context, organization xyra.OrganizationID, id xyra.WebhookEndpointID) (xyra.WebhookEndpoint, error) {
	return one(ctx, tx.Reader, "Webhook endpoint", "webhook endpoint locked", scanWebhookEndpoint, `SELECT `+webhookEndpointColumns+` FROM webhook_endpoints
		WHERE organization_id = $1 AND id = $2 AND archived_at IS NULL FOR UPDATE`, organization, id)
}

// WebhookEndpointAnywhere reads one of any organization that is not deleted, for superusers.
func (r Reader) WebhookEndpointAnywhere(ctx context.Context, id xyra.WebhookEndpointID) (xyra.WebhookEndpoint, error) {
	return one(ctx, r, "Webhook endpoint", "webhook endpoint anywhere", scanWebhookEndpoint, `SELECT `+webhookEndpointColumns+` FROM webhook_endpoints
		WHERE id = $1 AND archived_at IS NULL`, id)
}

// WebhookEndpoints lists an organization's, by id.
func (r Reader) WebhookEndpoints(ctx context.Context, organization xyra.OrganizationID, skip, limit int64) ([]xyra.WebhookEndpoint, error) {
	return collect(ctx, r, "webhook endpoints", scanWebhookEndpoint, `SELECT `+webhookEndpointColumns+` FROM webhook_endpoints
		WHERE organization_id = $1 AND archived_at IS NULL ORDER BY id LIMIT $2 OFFSET $3`, organization, limit, skip)
}

// WebhookOrganizationsAfter lists the next organizations that have an active endpoint, by id.
func (r Reader) WebhookOrganizationsAfter(ctx context.Context, after xyra.OrganizationID, limit int) ([]xyra.OrganizationID, error) {
	return collect(ctx, r, "webhook organizations", scanValue[xyra.OrganizationID], `SELECT DISTINCT organization_id FROM webhook_endpoints
		WHERE organization_id > $1 AND is_active AND archived_at IS NULL ORDER BY organization_id LIMIT $2`, after, limit)
}

// NewWebhookEndpointID takes the id of an endpoint that is about to be inserted: its secret is sealed for that id.
func (tx *Tx) NewWebhookEndpointID(ctx context.Context) (xyra.WebhookEndpointID, error) {
	ids, err := tx.ids(ctx, "webhook_endpoint_ids", 1)
	if err != nil {
		return 0, err
	}
	return xyra.WebhookEndpointID(ids[0]), nil
}

// InsertWebhookEndpoint adds e under its id with times set to now.
func (tx *Tx) InsertWebhookEndpoint(ctx context.Context, e xyra.WebhookEndpoint) error {
	types, thresholds, err := webhookLists(e)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, "insert webhook endpoint", `INSERT INTO webhook_endpoints
		(organization_id, id, url, description, types, thresholds, is_active, secret, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`,
		e.Organization, e.ID, e.URL, e.Description, types, thresholds, e.IsActive, e.Secret, xyra.Micros(tx.Now))
	return err
}

// UpdateWebhookEndpoint writes every field but the id and sets updated_at to now.
func (tx *Tx) UpdateWebhookEndpoint(ctx context.Context, e xyra.WebhookEndpoint) error {
	types, thresholds, err := webhookLists(e)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, "update webhook endpoint", `UPDATE webhook_endpoints SET url = $3, description = $4, types = $5, thresholds = $6, is_active = $7,
		disabled_reason = $8, secret = $9, previous = $10, previous_until = $11, updated_at = $12
		WHERE organization_id = $1 AND id = $2`, e.Organization, e.ID, e.URL, e.Description, types, thresholds, e.IsActive, e.DisabledReason,
		e.Secret, bytesOrNil(e.Previous), microsOrNil(e.PreviousUntil), xyra.Micros(tx.Now))
	return err
}

func webhookLists(e xyra.WebhookEndpoint) (types, thresholds string, err error) {
	typeList, err := json.Marshal(e.Types)
	if err != nil {
		return "", "", fmt.Errorf("write the types of an endpoint: %w", err)
	}
	thresholdList, err := json.Marshal(e.Thresholds)
	if err != nil {
		return "", "", fmt.Errorf("write the thresholds of an endpoint: %w", err)
	}
	return string(typeList), string(thresholdList), nil
}

// bytesOrNil keeps an empty value NULL on both databases.
func bytesOrNil(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// DeleteWebhookEndpoint archives one, without its secrets; its deliveries stay until they are forgotten.
func (tx *Tx) DeleteWebhookEndpoint(ctx context.Context, organization xyra.OrganizationID, id xyra.WebhookEndpointID) error {
	_, err := tx.exec(ctx, "archive webhook endpoint", `UPDATE webhook_endpoints SET archived_at = $3, is_active = $4, secret = $5, previous = NULL
		WHERE organization_id = $1 AND id = $2 AND archived_at IS NULL`, organization, id, xyra.Micros(tx.Now), false, []byte{})
	return err
}

// DeleteWebhookEndpoints archives all of an organization.
func (tx *Tx) DeleteWebhookEndpoints(ctx context.Context, organization xyra.OrganizationID) error {
	_, err := tx.exec(ctx, "archive webhook endpoints", `UPDATE webhook_endpoints SET archived_at = $2, is_active = $3, secret = $4, previous = NULL
		WHERE organization_id = $1 AND archived_at IS NULL`, organization, xyra.Micros(tx.Now), false, []byte{})
	return err
}

const webhookDeliveryColumns = `id, organization_id, endpoint_id, message, type, payload, replay_of, state, attempts, last_status, last_error,
	next_attempt, created_at, finished_at`

func scanWebhookDelivery(r row) (d xyra.WebhookDelivery, err error) {
	err = r.Scan(&d.ID, &d.Organization, &d.Endpoint, &d.Message, &d.Type, object{&d.Payload}, orZero[xyra.WebhookDeliveryID]{&d.ReplayOf},
		&d.State, &d.Attempts, &d.LastStatus, &d.LastError, instantOrNil{&d.NextAttempt}, instant{&d.CreatedAt}, instantOrNil{&d.FinishedAt})
	return d, err
}

// WebhookDelivery reads one of an endpoint.
func (r Reader) WebhookDelivery(ctx context.Context, organization xyra.OrganizationID, endpoint xyra.WebhookEndpointID, id xyra.WebhookDeliveryID) (xyra.WebhookDelivery, error) {
	return one(ctx, r, "Webhook delivery", "webhook delivery", scanWebhookDelivery, `SELECT `+webhookDeliveryColumns+` FROM webhook_deliveries
		WHERE organization_id = $1 AND endpoint_id = $2 AND id = $3`, organization, endpoint, id)
}

// WebhookDeliveryLocked reads one and keeps its row locked until the transaction ends.
func (tx *Tx) WebhookDeliveryLocked(ctx context.Context, organization xyra.OrganizationID, endpoint xyra.WebhookEndpointID, id xyra.WebhookDeliveryID) (xyra.WebhookDelivery, error) {
	return one(ctx, tx.Reader, "Webhook delivery", "webhook delivery locked", scanWebhookDelivery, `SELECT `+webhookDeliveryColumns+` FROM webhook_deliveries
		WHERE organization_id = $1 AND endpoint_id = $2 AND id = $3 FOR UPDATE`, organization, endpoint, id)
}

// WebhookDeliveries lists an endpoint's, newest first.
func (r Reader) WebhookDeliveries(ctx context.Context, organization xyra.OrganizationID, endpoint xyra.WebhookEndpointID, skip, limit int64) ([]xyra.WebhookDelivery, error) {
	return collect(ctx, r, "webhook deliveries", scanWebhookDelivery, `SELECT `+webhookDeliveryColumns+` FROM webhook_deliveries
		WHERE organization_id = $1 AND endpoint_id = $2 ORDER BY id DESC LIMIT $3 OFFSET $4`, organization, endpoint, limit, skip)
}

// WebhookFailingSince is when the oldest delivery of an endpoint was made that was given up after from, with none that has
// arrived since; nil if there is no such one.
func (r Reader) WebhookFailingSince(ctx context.Context, organization xyra.OrganizationID, endpoint xyra.WebhookEndpointID, from time.Time) (*time.Time, error) {
	scan := func(r row) (t time.Time, err error) { return t, r.Scan(instant{&t}) }
	arrived, err := collect(ctx, r, "webhook arrived", scan, `SELECT finished_at FROM webhook_deliveries
		WHERE organization_id = $1 AND endpoint_id = $2 AND state = 'delivered' ORDER BY id DESC LIMIT 1`, organization, endpoint)
	if err != nil {
		return nil, err
	}
	if len(arrived) > 0 && arrived[0].After(from) {
		from = arrived[0]
	}
	failed, err := collect(ctx, r, "webhook failed", scan, `SELECT created_at FROM webhook_deliveries
		WHERE organization_id = $1 AND endpoint_id = $2 AND state = 'failed' AND created_at >= $3 ORDER BY id LIMIT 1`, organization, endpoint, xyra.Micros(from))
	if err != nil || len(failed) == 0 {
		return nil, err
	}
	return &failed[0], nil
}

// UpdateWebhookDelivery writes what an attempt has changed. It is false, and nothing is written, when another attempt has
// been written since d was read, or d has ended.
func (tx *Tx) UpdateWebhookDelivery(ctx context.Context, d xyra.WebhookDelivery, attemptsBefore int) (bool, error) {
	touched, err := tx.exec(ctx, "update webhook delivery", `UPDATE webhook_deliveries SET state = $3, attempts = $4, last_status = $5, last_error = $6,
		next_attempt = $7, finished_at = $8 WHERE organization_id = $1 AND id = $2 AND state = 'pending' AND attempts = $9`,
		d.Organization, d.ID, d.State, d.Attempts, d.LastStatus, d.LastError, microsOrNil(d.NextAttempt), microsOrNil(d.FinishedAt), attemptsBefore)
	return touched == 1, err
}

// DeleteWebhookDeliveriesBefore forgets deliveries that were made until then, most at a time, and returns how many it was.
func (tx *Tx) DeleteWebhookDeliveriesBefore(ctx context.Context, until time.Time, most int) (int64, error) {
	scan := func(r row) (d xyra.WebhookDelivery, err error) { return d, r.Scan(&d.Organization, &d.ID) }
	old, err := collect(ctx, tx.Reader, "old webhook deliveries", scan, `SELECT organization_id, id FROM webhook_deliveries
		WHERE created_at <= $1 ORDER BY created_at LIMIT $2`, xyra.Micros(until), most)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	organizations, ids := make([]int64, len(old)), make([]int64, len(old))
	for i, d := range old {
		organizations[i], ids[i] = int64(d.Organization), int64(d.ID)
	}
	return tx.exec(ctx, "forget webhook deliveries", `DELETE FROM webhook_deliveries
		WHERE organization_id = ANY($1) AND id = ANY($2) AND created_at <= $3`, organizations, ids, xyra.Micros(until))
}
