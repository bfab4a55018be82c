package usage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"xyra"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
)

// entry is one draft on its way through a commit.
type entry struct {
	ticket  *ticket
	draft   *Draft
	result  *Result
	event   xyra.Event
	parts   []part
	charges []money.Decimal // of each part; those of tiered parts are computed under the lock of their total
	twin    *entry          // an earlier entry of this batch under the same key
	stored  *xyra.Event     // what the database has had under the key since before this batch
}

func (e *entry) key() store.EventKey {
	return store.EventKey{Organization: e.event.Organization, Source: e.event.Source, Key: e.event.IdempotencyKey}
}

// commit records the tickets in one transaction. Refused drafts have their error in their result; an error of commit
// itself means that nothing was kept.
func (r *Recorder) commit(tickets []*ticket) error {
	ctx, cancel := context.WithTimeout(context.Background(), commitMax)
	defer cancel()
	drafts := 0
	for _, t := range tickets {
		drafts += len(t.drafts)
	}
	ids, err := r.db.EventIDs(ctx, drafts)
	if err != nil {
		return err
	}
	if r.db.IsPostgres() {
		if done, err := r.commitOnce(ctx, tickets, ids); done || err != nil {
			return err
		}
	}
	var add store.Rollups
	var seen []store.AgentSeen
	err = r.db.Record(ctx, func(rec *store.Recording) error {
		add = store.Rollups{}
		state, err := r.state(ctx, rec, needsOf(tickets))
		if err != nil {
			return err
		}
		entries, err := r.admit(ctx, rec.Now, state, tickets, ids)
		if err != nil {
			return err
		}
		if err := answerRefusedRepeats(ctx, rec, state, tickets); err != nil || len(entries) == 0 && !keepsAnswer(tickets) {
			return err
		}
		if err := claimRecords(ctx, rec, entries); err != nil {
			return err
		}
		fresh, err := r.insert(ctx, rec, withoutTwins(entries))
		if err != nil {
			return err
		}
		answerTwins(entries)
		if err := repointRecords(ctx, rec, entries); err != nil {
			return err
		}
		if err := keepAnswers(ctx, rec, tickets); err != nil {
			return err
		}
		add, seen = rollups(fresh)
		r.folding.choose(&add, fresh)
		return rec.Commit(ctx, add, seen)
	})
	if err == nil {
		r.folding.note(add)
	}
	return err
}

// admit turns every draft that may be recorded, by what holds now, into an event.
func (r *Recorder) admit(ctx context.Context, now time.Time, state store.RecordingState, tickets []*ticket, ids []xyra.EventID) ([]*entry, error) {
	all := make([]entry, len(ids))
	entries := make([]*entry, 0, len(ids))
	next := 0
	of := &room{make([]part, 0, len(ids)), make([]money.Decimal, 0, len(ids))}
	for _, t := range tickets {
		for i := range t.drafts {
			e := &all[next]
			*e = entry{ticket: t, draft: &t.drafts[i], result: &t.results[i]}
			*e.result = Result{}
			if refused, err := r.prepare(ctx, now, state, e, of); err != nil {
				return nil, err
			} else if refused != nil {
				e.result.Err = refused
				continue
			}
			e.event.ID = ids[next]
			e.result.Event = e.event
			next++
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// room is where the parts and charges of many entries are, one behind the other: making room for each alone costs more than
// filling it.
type room struct {
	parts   []part
	charges []money.Decimal
}

// find adds the parts that charge an event, and as many charges of 0.
func (of *room) find(v *xyra.Version, kind xyra.EventKind, typ string) ([]part, []money.Decimal) {
	before := len(of.parts)
	of.parts = appendParts(of.parts, v.Components, kind, typ)
	for range of.parts[before:] {
		of.charges = append(of.charges, money.Decimal{})
	}
	return slices.Clip(of.parts[before:]), slices.Clip(of.charges[before:])
}

// prepare holds one draft against the state and prices its linear components. refused is the caller's fault, err ours.
func (r *Recorder) prepare(ctx context.Context, now time.Time, state store.RecordingState, e *entry, of *room) (refused, err error) {
	d := e.draft
	agent, refused := mayRecord(state, e.ticket.caller, d.Agent, now)
	if refused != nil {
		return refused, nil
	}
	versions, err := r.prices.versions(ctx, r.db, agent)
	if err != nil {
		return nil, err
	}
	zone, err := r.prices.zone(agent.Timezone)
	if err != nil {
		return nil, err
	}
	e.event = xyra.Event{Organization: agent.Organization, Kind: d.Kind, Agent: d.Agent, Type: d.Type, Quantity: d.Quantity, Currency: d.Currency,
		Timestamp: d.Timestamp, RecordedAt: now, Period: xyra.PeriodOf(d.Timestamp, zone), Details: d.Details, Verified: d.Verified,
		Source: d.Source, IdempotencyKey: d.IdempotencyKey, Digest: d.Digest, RecordedBy: e.ticket.caller.Name()}
	if d.Kind == xyra.Activity {
		e.event.Currency = money.Currency(agent.Currency)
	}
	if d.Kind == xyra.Cost {
		if d.CostInputs != nil {
			e.event.Quantity, refused = costAmount(versions, d.Timestamp, d.CostInputs)
		}
		return refused, nil
	}
	if len(versions) == 0 {
		return nil, nil
	}
	version := xyra.VersionAt(versions, d.Timestamp)
	e.event.Version = version.ID
	e.parts, e.charges = of.find(&version, d.Kind, d.Type)
	for i, p := range e.parts {
		if p.component.Linear() {
			e.charges[i] = pricing.Rate(*p.component, d.Quantity)
			e.event.Charge = e.event.Charge.Add(e.charges[i])
		}
	}
	return nil, nil
}

// tieredParts tells whether a part of the price depends on the period's total.
func (e *entry) tieredParts() bool {
	return slices.ContainsFunc(e.parts, func(p part) bool { return !p.component.Linear() })
}

// sortByKey orders entries as they are inserted, so that recordings never wait for each other in a circle.
func sortByKey(entries []*entry) {
	slices.SortStableFunc(entries, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.event.Organization, b.event.Organization), cmp.Compare(a.event.Source, b.event.Source),
			cmp.Compare(a.event.IdempotencyKey, b.event.IdempotencyKey))
	})
}

// twinsSorted tells whether a key comes twice in entries that are sorted by it.
func twinsSorted(entries []*entry) bool {
	for i := 1; i < len(entries); i++ {
		if entries[i].event.IdempotencyKey != "" && entries[i].key() == entries[i-1].key() {
			return true
		}
	}
	return false
}

func eventsOf(entries []*entry) []xyra.Event {
	events := make([]xyra.Event, len(entries))
	for i, e := range entries {
		events[i] = e.event
	}
	return events
}

// mayRecord checks the caller as the database knows it now, with the texts of the HTTP wall, then the agent.
func mayRecord(state store.RecordingState, caller xyra.Caller, id xyra.AgentID, now time.Time) (store.AgentState, error) {
	organization, superuser := caller.Organization, false
	if caller.IsKey() {
		key, usable := state.Keys[caller.Key]
		if !usable || key.Organization != caller.Organization || key.Expires != nil && !now.Before(*key.Expires) {
			return store.AgentState{}, xyra.Unauthenticated("Could not validate credentials")
		}
	} else {
		user, exists := state.Users[caller.User]
		switch {
		case !exists:
			return store.AgentState{}, xyra.Unauthenticated("User not found")
		case user.TokenVersion != caller.TokenVersion:
			return store.AgentState{}, xyra.Unauthenticated("Could not validate credentials")
		case !user.Active:
			return store.AgentState{}, xyra.Unauthenticated("Inactive user")
		}
		organization, superuser = user.Organization, user.Superuser
	}
	agent, exists := state.Agents[id]
	if !exists || agent.Archived || !superuser && (organization == 0 || agent.Organization != organization) {
		return store.AgentState{}, xyra.NotFound("Agent")
	}
	if agent.Suspended && !superuser {
		return store.AgentState{}, xyra.Forbidden("Organization is suspended")
	}
	return agent, nil
}

// withoutTwins leaves out entries whose key an earlier entry of the same batch has; those wait for its result.
func withoutTwins(entries []*entry) []*entry {
	first := map[store.EventKey]*entry{}
	alone := make([]*entry, 0, len(entries))
	for _, e := range entries {
		if e.event.IdempotencyKey != "" {
			if e.twin = first[e.key()]; e.twin != nil {
				continue
			}
			first[e.key()] = e
		}
		alone = append(alone, e)
	}
	return alone
}

// insert stores the entries in order of organization and key and returns those that were not known before.
func (r *Recorder) insert(ctx context.Context, rec *store.Recording, entries []*entry) ([]*entry, error) {
	sortByKey(entries)
	tiered := tieredKeys(entries)
	if len(tiered) > 0 {
		stored, err := storedUnder(ctx, rec, entries) // a repeat must not move the running total
		if err != nil {
			return nil, err
		}
		entries = replay(entries, stored)
		if err := chargeTiered(ctx, rec, entries); err != nil {
			return nil, err
		}
	}
	for _, e := range entries {
		e.result.Event = e.event
	}
	inserted, err := rec.InsertEvents(ctx, eventsOf(entries))
	if err != nil || inserted == int64(len(entries)) {
		return entries, err
	}
	if len(tiered) > 0 {
		return nil, store.ErrAgain
	}
	r.known.sawRepeat(true)
	stored, err := storedUnder(ctx, rec, entries)
	if err != nil {
		return nil, err
	}
	return replay(entries, stored), nil
}

// storedUnder reads the events that the database has under the entries' keys, the entries themselves included.
func storedUnder(ctx context.Context, rec *store.Recording, entries []*entry) (map[store.EventKey]xyra.Event, error) {
	var keys []store.EventKey
	for _, e := range entries {
		if e.event.IdempotencyKey != "" {
			keys = append(keys, e.key())
		}
	}
	return rec.EventsByKey(ctx, keys)
}

// replay answers the entries whose key is known with the first event, or refuses them if that one was different, and
// returns the others.
func replay(entries []*entry, known map[store.EventKey]xyra.Event) []*entry {
	fresh := make([]*entry, 0, len(entries))
	for _, e := range entries {
		stored, ok := known[e.key()]
		if e.event.IdempotencyKey == "" || !ok || stored.ID == e.event.ID && stored.Kind == e.event.Kind {
			fresh = append(fresh, e)
			continue
		}
		e.stored = &stored
		*e.result = repeat(e, stored)
	}
	return fresh
}

// repeat is the result of sending an event whose key is taken.
func repeat(e *entry, stored xyra.Event) Result {
	if stored.Kind != e.event.Kind || stored.Agent != e.event.Agent || string(stored.Digest) != string(e.event.Digest) {
		return Result{Err: xyra.Conflict("Idempotency key %s was already used with different content", e.event.IdempotencyKey)}
	}
	return Result{Event: stored, Replayed: true}
}

// answerTwins gives entries that waited for a twin of the same batch its result.
func answerTwins(entries []*entry) {
	for _, e := range entries {
		if e.twin == nil {
			continue
		}
		first := e.twin.result.Event
		if e.twin.stored != nil {
			first = *e.twin.stored // the twin may have been refused where this one is a repeat
		}
		*e.result = repeat(e, first)
	}
}

func agentsOf(tickets []*ticket) (list []xyra.AgentID) {
	for _, t := range tickets {
		for i := range t.drafts {
			list = append(list, t.drafts[i].Agent)
		}
	}
	return distinct(list)
}

func usersOf(tickets []*ticket) (list []xyra.UserID) {
	for _, t := range tickets {
		if !t.caller.IsKey() {
			list = append(list, t.caller.User)
		}
	}
	return distinct(list)
}

func keysOf(tickets []*ticket) (list []xyra.APIKeyID) {
	for _, t := range tickets {
		if t.caller.IsKey() {
			list = append(list, t.caller.Key)
		}
	}
	return distinct(list)
}

func distinct[T cmp.Ordered](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
}
