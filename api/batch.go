package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
	"xyra/strictjson"
	"xyra/usage"
)

func (s *Server) batchRoutes() []*route {
	return []*route{{method: http.MethodPost, path: "/events", summary: "Record up to 10,000 events of any kind", tag: "events", rights: anyCaller,
		operation: operation{in: eventsIn{}, out: reflect.TypeFor[eventsOut](), run: s.recordEvents, batch: true}}}
}

const (
	eventsMax  = 10_000
	batchesMax = 3 // being worked on at once in a process; the others wait, so that memory stays bounded
)

// eventsOut is the answer to a batch, for documents: appendEvents writes it.
type eventsOut struct {
	Accepted  int              `json:"accepted"`
	Duplicate int              `json:"duplicate"`
	Rejected  int              `json:"rejected"`
	Results   []eventResultOut `json:"results"`
}

// eventResultOut holds id and charge, or, when rejected, code and detail.
type eventResultOut struct {
	Status string          `json:"status"`
	ID     *xyra.EventID   `json:"id,omitempty"`
	Charge *money.Decimal  `json:"charge,omitempty"`
	Code   *int            `json:"code,omitempty"`
	Detail json.RawMessage `json:"detail,omitempty"`
}

// posted is one event of a batch between its text and its result.
type posted struct {
	draft        usage.Draft
	external     string // the agent's id elsewhere; with named
	named        bool
	organization xyra.OrganizationID // where external is looked up; 0: the caller's
	omitted      usage.Omitted
	details      strictjson.Value // of the draft where they are at hand, for its digest
	cost         *postedCost      // a cost without its amount
	refused      error
}

// postedCost is what the refusal of a cost without amount must show.
type postedCost struct {
	place  []any // of the object that should hold the amount
	raw    json.RawMessage
	faults map[string]Item
}

// batch is a request of many events.
type batch struct {
	caller xyra.Caller
	now    time.Time
	events []posted
	words  map[string]string // types seen, each kept once
}

// recordEvents reads the events in whatever form they came, records those that are right in one transaction and answers
// each of them.
func (s *Server) recordEvents(c *call) (any, error) {
	raw, err := c.body()
	if err != nil {
		return nil, err
	}
	select {
	case s.batches <- struct{}{}:
		defer func() { <-s.batches }()
	case <-c.context().Done():
		return nil, c.context().Err()
	}
	b := &batch{caller: c.caller, now: c.now, words: map[string]string{}}
	if items := b.read(raw, c.request.Header); items != nil {
		return nil, unprocessable(items)
	}
	if err := b.resolve(c); err != nil {
		return nil, err
	}
	drafts, err := b.drafts()
	if err != nil {
		return nil, err
	}
	if len(drafts) == 0 {
		return b.answerWithoutEvents(c)
	}
	var kept *usage.Kept
	if c.flight != nil {
		kept = &usage.Kept{Record: c.flight.record, Body: b.keptBody}
		kept.Record.Status = http.StatusOK
	}
	// Who leaves keeps the place until the events are on disk: they wait in the recorder's queue all the same, and others could
	// not be let in for them without end.
	results, err := s.recorder.RecordKept(context.WithoutCancel(c.context()), c.caller, drafts, kept)
	if err != nil {
		return nil, err
	}
	body, err := b.appendEvents(nil, results)
	if errors.Is(err, usage.ErrKeyInFlight) {
		return nil, errInFlight
	}
	if err != nil {
		return nil, err
	}
	if c.flight != nil {
		c.flight.kept = true
	}
	return answer{status: http.StatusOK, body: body}, nil
}

// keptBody is the answer for a later repeat; nil where the request as a whole failed.
func (b *batch) keptBody(results []usage.Result) []byte {
	body, err := b.appendEvents(nil, results)
	if err != nil {
		return nil
	}
	return body
}

// answerWithoutEvents answers a batch of which nothing can be recorded.
func (b *batch) answerWithoutEvents(c *call) (any, error) {
	body, err := b.appendEvents(nil, nil)
	if err != nil || c.flight == nil {
		return answer{status: http.StatusOK, body: body}, err
	}
	return write(c, func(context.Context, *store.Tx) (json.RawMessage, error) { return body, nil })
}

// resolve finds the agents that were named by their external ids.
func (b *batch) resolve(c *call) error {
	wanted := map[xyra.OrganizationID]map[string]xyra.AgentID{}
	for i := range b.events {
		p := &b.events[i]
		if p.refused != nil || !p.named {
			continue
		}
		if p.organization == 0 {
			p.organization = b.caller.Organization
		}
		if !b.caller.Superuser && p.organization != b.caller.Organization {
			p.refused = xyra.Forbidden("Not enough permissions to access this agent")
			continue
		}
		if wanted[p.organization] == nil {
			wanted[p.organization] = map[string]xyra.AgentID{}
		}
		wanted[p.organization][p.external] = 0
	}
	missing := map[xyra.OrganizationID]error{}
	for organization, agents := range wanted {
		if err := c.findAgents(organization, agents); xyra.HasCode(err, xyra.CodeInvalid) {
			missing[organization] = err
		} else if err != nil {
			return err
		}
	}
	for i := range b.events {
		p := &b.events[i]
		if p.refused != nil || !p.named {
			continue
		}
		if p.draft.Agent = wanted[p.organization][p.external]; p.draft.Agent == 0 {
			p.refused = xyra.NotFound("Agent")
		}
		if err := missing[p.organization]; err != nil {
			p.refused = err
		}
	}
	return nil
}

// findAgents fills in the agents of an organization by external id; those not found stay 0.
func (c *call) findAgents(organization xyra.OrganizationID, agents map[string]xyra.AgentID) error {
	if organization == 0 {
		return nil // a caller without organization has no agents
	}
	if c.caller.Superuser {
		if _, err := c.db().Organization(c.context(), organization); xyra.HasCode(err, xyra.CodeNotFound) {
			return missingOrganization(int64(organization))
		} else if err != nil {
			return err
		}
	}
	names := make([]string, 0, len(agents))
	for name := range agents {
		names = append(names, name)
	}
	found, err := c.db().AgentsByExternalID(c.context(), organization, names)
	for name, id := range found {
		agents[name] = id
	}
	return err
}

// drafts are the events that may be recorded, in order.
func (b *batch) drafts() ([]usage.Draft, error) {
	drafts := make([]usage.Draft, 0, len(b.events))
	for i := range b.events {
		p := &b.events[i]
		if p.refused != nil {
			continue
		}
		switch {
		case p.draft.IdempotencyKey == "":
		case p.details.Kind() == strictjson.Object:
			p.draft.SealParsed(p.details, p.omitted)
		default:
			if err := p.draft.Seal(p.omitted); err != nil {
				return nil, err
			}
		}
		drafts = append(drafts, p.draft)
	}
	return drafts, nil
}

// appendEvents writes the answer from the refusals and the results of drafts. An error is about the request as a whole.
func (b *batch) appendEvents(dst []byte, results []usage.Result) ([]byte, error) {
	var accepted, duplicate, rejected int
	list := make([]byte, 0, 64*len(b.events))
	for i := range b.events {
		p := &b.events[i]
		refused := p.refused
		var result usage.Result
		if refused == nil {
			result, results = results[0], results[1:]
			refused = p.refusal(result.Err)
		}
		if i > 0 {
			list = append(list, ',')
		}
		status := "accepted"
		switch {
		case refused != nil:
			var err error
			if list, err = appendRefusal(list, refused, i, len(list) > echoMax); err != nil {
				return nil, err
			}
			rejected++
			continue
		case result.Replayed:
			status = "duplicate"
			duplicate++
		default:
			accepted++
		}
		list = append(append(append(list, `{"status":"`...), status...), `","id":`...)
		list = strconv.AppendInt(list, int64(result.Event.ID), 10)
		list = append(result.Event.Charge.AppendTo(append(list, `,"charge":`...)), '}')
	}
	dst = strconv.AppendInt(append(dst, `{"accepted":`...), int64(accepted), 10)
	dst = strconv.AppendInt(append(dst, `,"duplicate":`...), int64(duplicate), 10)
	dst = strconv.AppendInt(append(dst, `,"rejected":`...), int64(rejected), 10)
	return append(append(append(dst, `,"results":[`...), list...), "]}"...), nil
}

// refusal turns what the recorder says of a cost without amount into items, as a single post does.
func (p *posted) refusal(err error) error {
	if err == nil || p.cost == nil {
		return err
	}
	var bad *usage.BadInputs
	if errors.As(err, &bad) {
		var items unprocessable
		for _, key := range bad.Keys {
			items = append(items, p.cost.faults[key])
		}
		return items
	}
	if refused := (*xyra.Error)(nil); errors.As(err, &refused) && refused.Field == "amount" {
		return unprocessable{missingItem(p.cost.raw, append(p.cost.place[:len(p.cost.place):len(p.cost.place)], "amount")...)}
	}
	return err
}

// echoMax is how long an answer grows before its refusals no longer repeat what was sent: each item may hold a whole event.
const echoMax = 32 << 20

// appendRefusal writes the result of an event that was refused, with the status and detail of a single post; an error
// that is not about this event alone is returned. With brief the items have no input.
func appendRefusal(dst []byte, refused error, n int, brief bool) ([]byte, error) {
	code, detail := 0, []byte(nil)
	var items unprocessable
	var rule *xyra.Error
	switch {
	case errors.As(refused, &items):
		if brief {
			items = slices.Clone(items)
			for i := range items {
				items[i].Input = nil
			}
		}
		code, detail = http.StatusUnprocessableEntity, encode([]Item(items))
	case errors.Is(refused, usage.ErrKeyInFlight) || !errors.As(refused, &rule) || rule.Err != nil || rule.Code == xyra.CodeUnauthenticated:
		return nil, refused
	case rule.Field != "":
		code, detail = statuses[rule.Code], encode([]Item{{Type: "value_error", Loc: placed(fieldPlace(rule.Field), n), Msg: rule.Message}})
	default:
		code, detail = statuses[rule.Code], strictjson.AppendString(nil, rule.Message)
	}
	dst = strconv.AppendInt(append(dst, `{"status":"rejected","code":`...), int64(code), 10)
	return append(append(append(dst, `,"detail":`...), detail...), '}'), nil
}

// placed is a place in a single event's body as a place in a batch.
func placed(loc []any, n int) []any {
	return append([]any{"body", "events", n}, loc[1:]...)
}
