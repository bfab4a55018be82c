package store

import (
	"context"
	"fmt"
	"strconv"

	"xyra"
)

// Announce has a notice told to whoever wants to hear of it. Its deliveries and their jobs are written when the
// transaction commits, or never. Nobody need know who listens.
func (tx *Tx) Announce(n xyra.Notice) { tx.notices = append(tx.notices, n) }

// writeNotices makes a delivery and its job for each endpoint that a notice reaches.
func (tx *Tx) writeNotices(ctx context.Context) error {
	for _, n := range tx.notices {
		endpoints, err := tx.WebhookEndpoints(ctx, n.Organization, 0, xyra.WebhookEndpointsMax)
		if err != nil {
			return err
		}
		message := ""
		for _, e := range endpoints {
			if !n.Reaches(e) {
				continue
			}
			d := xyra.WebhookDelivery{Organization: n.Organization, Endpoint: e.ID, Message: message, Type: n.Type, Payload: n.Payload(tx.Now)}
			if d, err = tx.InsertWebhookDelivery(ctx, d, false); err != nil {
				return fmt.Errorf("announce %s: %w", n.Type, err)
			}
			message = d.Message
		}
	}
	return nil
}

// InsertWebhookDelivery adds a delivery with its job; id, message (if empty), state and times are set here. byHand says
// that a person waits for it.
func (tx *Tx) InsertWebhookDelivery(ctx context.Context, d xyra.WebhookDelivery, byHand bool) (xyra.WebhookDelivery, error) {
	ids, err := tx.ids(ctx, "webhook_delivery_ids", 1)
	if err != nil {
		return d, err
	}
	d.ID = xyra.WebhookDeliveryID(ids[0])
	if d.Message == "" {
		// The moment keeps the names of two installations, or of a restored one, apart.
		d.Message = "msg_" + strconv.FormatInt(xyra.Micros(tx.Now), 36) + "_" + strconv.FormatInt(ids[0], 10)
	}
	now := tx.Now
	d.State, d.Attempts, d.LastStatus, d.LastError, d.NextAttempt, d.CreatedAt, d.FinishedAt = xyra.WebhookPending, 0, nil, nil, &now, now, nil
	if _, err := tx.exec(ctx, "insert webhook delivery", `INSERT INTO webhook_deliveries
		(organization_id, id, endpoint_id, message, type, payload, replay_of, state, attempts, next_attempt, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)`, d.Organization, d.ID, d.Endpoint, d.Message, d.Type, string(d.Payload),
		orNull(d.ReplayOf), d.State, d.Attempts, xyra.Micros(now)); err != nil {
		return d, err
	}
	_, _, err = tx.InsertJob(ctx, d.Job(byHand))
	return d, err
}
