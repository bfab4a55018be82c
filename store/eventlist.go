package store

import (
	"context"
	"math"
	"strconv"
	"time"

	"xyra"
)

// EventCursor is a place in an agent's list of events: behind the event with this time and id.
type EventCursor struct {
	Timestamp time.Time
	ID        xyra.EventID
}

// EventFilter narrows an agent's list of events. What is nil is no bound.
type EventFilter struct {
	Type     *string
	From, To *time.Time // both inclusive
	After    *EventCursor
}

// AgentEvents lists an agent's events of one kind, newest first, those of the same instant by descending id.
func (r Reader) AgentEvents(ctx context.Context, organization xyra.OrganizationID, agent xyra.AgentID, kind xyra.EventKind, f EventFilter, limit int64) ([]xyra.Event, error) {
	from, to, id := int64(math.MinInt64), int64(math.MaxInt64), int64(math.MaxInt64)
	last := to
	if f.From != nil {
		from = xyra.Micros(*f.From)
	}
	if f.To != nil {
		to = xyra.Micros(*f.To)
	}
	if f.After != nil {
		last, id = xyra.Micros(f.After.Timestamp), int64(f.After.ID)
	}
	// The kind stands in the text, so that the planner can see that the partial index holds it.
	text := `SELECT ` + eventColumns + ` FROM events WHERE organization_id = $1 AND agent_id = $2 AND kind = ` + strconv.Itoa(int(kind)) + `
		AND timestamp >= $3 AND timestamp <= $4 AND (timestamp < $5 OR id < $6)`
	args := []any{organization, agent, from, min(to, last), last, id, limit}
	if kind > xyra.Activity {
		text += ` AND kind > 1`
	}
	if f.Type != nil {
		text += ` AND type = $8`
		args = append(args, *f.Type)
	}
	return collect(ctx, r, "agent events", scanEvent, text+` ORDER BY timestamp DESC, id DESC LIMIT $7`, args...)
}
