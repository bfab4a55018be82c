package store

import (
	"context"
	"time"

	"xyra"
)

// AgentState is what recording needs to know of an agent.
type AgentState struct {
	Organization xyra.OrganizationID
	Agent        xyra.AgentID
	ExternalID   *string
	Archived     bool // the agent or its organization
	Model        xyra.BillingModelID
	Newest       xyra.VersionID // the model's newest version; 0 without a model
	Currency     string
	Timezone     string
	Suspended    bool
}

// UserState is what recording needs to know of a user who calls.
type UserState struct {
	Organization xyra.OrganizationID
	Active       bool
	Superuser    bool
	TokenVersion int64
}

// KeyState is what recording needs to know of an API key that calls.
type KeyState struct {
	Organization xyra.OrganizationID
	Expires      *time.Time
}

// RecordingState is what holds for the agents and callers of a batch while the epoch is Epoch. Agents that do not exist,
// users that are archived and keys that are no longer usable are missing from the maps.
type RecordingState struct {
	Epoch  int64
	Agents map[xyra.AgentID]AgentState
	Users  map[xyra.UserID]UserState
	Keys   map[xyra.APIKeyID]KeyState
}

const epochText = `SELECT epoch FROM recording_epoch WHERE id = 1`

const agentStateText = `SELECT a.organization_id, a.id, a.external_id, a.archived_at IS NOT NULL OR o.archived_at IS NOT NULL, a.billing_model_id,
	(SELECT MAX(v.id) FROM billing_model_versions v WHERE v.organization_id = a.organization_id AND v.billing_model_id = a.billing_model_id),
	o.currency, o.timezone, o.status
	FROM agents a JOIN organizations o ON o.id = a.organization_id WHERE a.id = ANY($1)`

const userStateText = `SELECT id, organization_id, is_active, is_superuser, token_version FROM users
	WHERE id = ANY($1) AND archived_at IS NULL`

// A key works while it and its owner do, in the organization it was made for.
const keyStateText = `SELECT k.id, k.organization_id, k.expires_at FROM api_keys k JOIN users u ON u.id = k.user_id
	WHERE k.id = ANY($1) AND k.is_active AND k.archived_at IS NULL
	AND u.is_active AND u.archived_at IS NULL AND u.organization_id = k.organization_id`

// NewRecordingState is a state that knows of nothing.
func NewRecordingState(epoch int64) RecordingState {
	return RecordingState{epoch, map[xyra.AgentID]AgentState{}, map[xyra.UserID]UserState{}, map[xyra.APIKeyID]KeyState{}}
}

// State reads what recording needs of the named agents and callers, in one round trip.
func (rec *Recording) State(ctx context.Context, agents []xyra.AgentID, users []xyra.UserID, keys []xyra.APIKeyID) (RecordingState, error) {
	state := NewRecordingState(0)
	steps := []*step{{name: "epoch", text: epochText, scan: func(r row) error { return r.Scan(&state.Epoch) }}}
	if len(agents) > 0 {
		steps = append(steps, &step{name: "agent states", text: agentStateText, args: []any{int64s(agents)}, scan: func(r row) error {
			a, err := scanAgentState(r)
			state.Agents[a.Agent] = a
			return err
		}})
	}
	if len(users) > 0 {
		steps = append(steps, &step{name: "user states", text: userStateText, args: []any{int64s(users)}, scan: func(r row) error {
			var id xyra.UserID
			var u UserState
			err := r.Scan(&id, orZero[xyra.OrganizationID]{&u.Organization}, &u.Active, &u.Superuser, &u.TokenVersion)
			state.Users[id] = u
			return err
		}})
	}
	if len(keys) > 0 {
		steps = append(steps, &step{name: "key states", text: keyStateText, args: []any{int64s(keys)}, scan: func(r row) error {
			var id xyra.APIKeyID
			var k KeyState
			err := r.Scan(&id, &k.Organization, instantOrNil{&k.Expires})
			state.Keys[id] = k
			return err
		}})
	}
	err := rec.run(ctx, "recording state", steps...)
	return state, err
}

func scanAgentState(r row) (a AgentState, err error) {
	var status string
	err = r.Scan(&a.Organization, &a.Agent, &a.ExternalID, &a.Archived, orZero[xyra.BillingModelID]{&a.Model}, orZero[xyra.VersionID]{&a.Newest},
		&a.Currency, &a.Timezone, &status)
	a.Suspended = status == xyra.StatusSuspended
	return a, err
}

// AgentsByExternalID finds agents of one organization that are not archived by the ids they have elsewhere.
func (r Reader) AgentsByExternalID(ctx context.Context, organization xyra.OrganizationID, externalIDs []string) (map[string]xyra.AgentID, error) {
	found := map[string]xyra.AgentID{}
	_, err := collect(ctx, r, "agents by external id", func(r row) (id xyra.AgentID, err error) {
		var externalID string
		err = r.Scan(&externalID, &id)
		found[externalID] = id
		return id, err
	}, `SELECT external_id, id FROM agents WHERE organization_id = $1 AND external_id = ANY($2) AND archived_at IS NULL`, organization, externalIDs)
	return found, err
}

// int64s are ids as the plain numbers that lists of parameters are made of.
func int64s[T ~int64](ids []T) []int64 {
	list := make([]int64, len(ids))
	for i, id := range ids {
		list[i] = int64(id)
	}
	return list
}

// EventIDs takes n ids for events. Ids of a recording that fails are not given again.
func (db *DB) EventIDs(ctx context.Context, n int) ([]xyra.EventID, error) {
	return db.eventIDs.take(ctx, db, n)
}

// micros cuts an instant to what is stored.
func micros(t time.Time) int64 { return t.UnixMicro() }
