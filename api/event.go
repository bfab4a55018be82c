package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"xyra"
	"xyra/money"
	"xyra/strictjson"
	"xyra/usage"
)

func (s *Server) eventRoutes() []*route {
	return []*route{
		{method: http.MethodPost, path: "/agents/{agent_id}/activities", summary: "Record an activity", tag: "events", rights: anyCaller, operation: endpoint(s.recordActivity)},
		{method: http.MethodPost, path: "/agents/{agent_id}/costs", summary: "Record a cost", tag: "events", rights: anyCaller, operation: endpoint(s.recordCost)},
		{method: http.MethodPost, path: "/agents/{agent_id}/outcomes", summary: "Record an outcome", tag: "events", rights: anyCaller, operation: endpoint(s.recordOutcome)},
	}
}

// futureMax is how far ahead of the server's clock an event may lie.
const futureMax = 5 * time.Minute

const whyFuture = "timestamp must not be more than 5 minutes in the future"

// eventIn is what the three kinds of event have in common.
type eventIn struct {
	PathAgent xyra.AgentID
	Agent     Opt[xyra.AgentID]
	Timestamp Opt[time.Time]
	Key       *string
	latest    time.Time
}

// setNow implements clocked.
func (in *eventIn) setNow(now time.Time) { in.latest = now.Add(futureMax) }

func (in *eventIn) params() []param { return []param{pathID("agent_id", &in.PathAgent)} }

func (in *eventIn) agentField() field { return optIdentity("agent_id", &in.Agent) }

func (in *eventIn) keyFields() []field {
	return []field{
		moment("timestamp", &in.Timestamp).notAfter(in.latest, whyFuture).explained("When it happened; now if not given."),
		text("idempotency_key", &in.Key).min(1).max(255).explained("Unique in the organization for ever; a repeat answers the first record."),
	}
}

// draft begins the event; kind, type and amounts are the caller's to fill in.
func (in *eventIn) draft(c *call) usage.Draft {
	d := usage.Draft{Agent: in.PathAgent, Timestamp: in.Timestamp.Or(c.now)}
	if in.Key != nil {
		d.IdempotencyKey = *in.Key
	}
	return d
}

type activityIn struct {
	eventIn
	Type     string
	Metadata json.RawMessage
	Quantity money.Decimal
}

func (in *activityIn) fields() []field {
	return append([]field{
		text("activity_type", &in.Type).required().max(255),
		object("activity_metadata", &in.Metadata).nullable(),
		in.agentField(),
		decimal("quantity", &in.Quantity).byDefault(1).over(0),
	}, in.keyFields()...)
}

type costIn struct {
	eventIn
	Type     string
	Amount   Opt[money.Decimal]
	Currency money.Currency
	Details  json.RawMessage
}

func (in *costIn) fields() []field {
	return append([]field{
		text("cost_type", &in.Type).required().max(255),
		decimal("amount", &in.Amount).requiredUnless(holdsCostInputs).min(0).explained("May be left out when details hold a usage key of the agent's billing model."),
		currencyCode("currency", &in.Currency).byDefault(money.Currency("USD")),
		object("details", &in.Details).nullable(),
		in.agentField(),
	}, in.keyFields()...)
}

type outcomeIn struct {
	eventIn
	Type     string
	Value    money.Decimal
	Currency money.Currency
	Details  json.RawMessage
	Verified bool
}

func (in *outcomeIn) fields() []field {
	return append([]field{
		text("outcome_type", &in.Type).required().max(255),
		decimal("value", &in.Value).required().min(0),
		currencyCode("currency", &in.Currency).byDefault(money.Currency("USD")),
		object("details", &in.Details).nullable(),
		boolean("verified", &in.Verified).byDefault(false),
		in.agentField(),
	}, in.keyFields()...)
}

// costInputs are the usage keys of a cost's details.
type costInputs struct{ Seats, Actions, OutcomeValue money.Decimal }

func (in *costInputs) fields() []field {
	return []field{
		decimal("seats", &in.Seats).min(0),
		decimal("actions", &in.Actions).min(0),
		decimal("outcome_value", &in.OutcomeValue).min(0),
	}
}

// holdsCostInputs tells whether a cost's details have any key to compute the amount from.
func holdsCostInputs(body strictjson.Value) bool {
	details, _ := body.Field("details")
	if details.Kind() != strictjson.Object {
		return false
	}
	for _, f := range (&costInputs{}).fields() {
		if _, sent := details.Field(f.name); sent {
			return true
		}
	}
	return false
}

// readCostInputs reads the usage keys that details have; faults hold an item for each that is no quantity.
func readCostInputs(details json.RawMessage) (inputs []usage.CostInput, faults map[string]Item, err error) {
	v, syntax := strictjson.Parse(details)
	if syntax != nil {
		return nil, nil, syntax
	}
	in := &costInputs{}
	faults = map[string]Item{}
	for _, item := range decodeValue(v, in, "body", "details") {
		faults[item.Loc[2].(string)] = item
	}
	values := map[string]money.Decimal{"seats": in.Seats, "actions": in.Actions, "outcome_value": in.OutcomeValue}
	for _, f := range in.fields() {
		if _, sent := v.Field(f.name); sent {
			_, bad := faults[f.name]
			inputs = append(inputs, usage.CostInput{Key: f.name, Value: values[f.name], Bad: bad})
		}
	}
	return inputs, faults, nil
}

type activityOut struct {
	Type           string          `json:"activity_type"`
	Metadata       json.RawMessage `json:"activity_metadata"`
	ID             xyra.EventID    `json:"id"`
	AgentID        xyra.AgentID    `json:"agent_id"`
	Timestamp      instant         `json:"timestamp"`
	IdempotencyKey *string         `json:"idempotency_key"`
	Quantity       money.Decimal   `json:"quantity"`
	Charge         money.Decimal   `json:"charge"`
}

type costOut struct {
	Type           string          `json:"cost_type"`
	Amount         money.Decimal   `json:"amount"`
	Currency       money.Currency  `json:"currency"`
	Details        json.RawMessage `json:"details"`
	ID             xyra.EventID    `json:"id"`
	AgentID        xyra.AgentID    `json:"agent_id"`
	Timestamp      instant         `json:"timestamp"`
	IdempotencyKey *string         `json:"idempotency_key"`
	Charge         money.Decimal   `json:"charge"`
}

type outcomeOut struct {
	Type           string          `json:"outcome_type"`
	Value          money.Decimal   `json:"value"`
	Currency       money.Currency  `json:"currency"`
	Details        json.RawMessage `json:"details"`
	Verified       bool            `json:"verified"`
	ID             xyra.EventID    `json:"id"`
	AgentID        xyra.AgentID    `json:"agent_id"`
	Timestamp      instant         `json:"timestamp"`
	IdempotencyKey *string         `json:"idempotency_key"`
	Charge         money.Decimal   `json:"charge"`
}

func newActivityOut(e xyra.Event) activityOut {
	return activityOut{e.Type, e.Details, e.ID, e.Agent, instant(e.Timestamp), textOrNull(e.IdempotencyKey), e.Quantity, e.Charge}
}

func newCostOut(e xyra.Event) costOut {
	return costOut{e.Type, e.Quantity, e.Currency, e.Details, e.ID, e.Agent, instant(e.Timestamp), textOrNull(e.IdempotencyKey), e.Charge}
}

func newOutcomeOut(e xyra.Event) outcomeOut {
	return outcomeOut{e.Type, e.Quantity, e.Currency, e.Details, e.Verified, e.ID, e.Agent, instant(e.Timestamp), textOrNull(e.IdempotencyKey), e.Charge}
}

// appendJSON implements appender.
func (o activityOut) appendJSON(dst []byte) []byte {
	dst = appendText(dst, `{"activity_type":`, o.Type)
	dst = appendRaw(dst, `,"activity_metadata":`, o.Metadata)
	dst = appendPlace(dst, o.ID, o.AgentID, o.Timestamp, o.IdempotencyKey)
	dst = o.Quantity.AppendTo(append(dst, `,"quantity":`...))
	return append(o.Charge.AppendTo(append(dst, `,"charge":`...)), '}')
}

// appendJSON implements appender.
func (o costOut) appendJSON(dst []byte) []byte {
	dst = appendText(dst, `{"cost_type":`, o.Type)
	dst = appendMoney(dst, `,"amount":`, o.Amount, o.Currency, o.Details)
	dst = appendPlace(dst, o.ID, o.AgentID, o.Timestamp, o.IdempotencyKey)
	return append(o.Charge.AppendTo(append(dst, `,"charge":`...)), '}')
}

// appendJSON implements appender.
func (o outcomeOut) appendJSON(dst []byte) []byte {
	dst = appendText(dst, `{"outcome_type":`, o.Type)
	dst = appendMoney(dst, `,"value":`, o.Value, o.Currency, o.Details)
	dst = strconv.AppendBool(append(dst, `,"verified":`...), o.Verified)
	dst = appendPlace(dst, o.ID, o.AgentID, o.Timestamp, o.IdempotencyKey)
	return append(o.Charge.AppendTo(append(dst, `,"charge":`...)), '}')
}

func appendText(dst []byte, name, text string) []byte {
	return strictjson.AppendString(append(dst, name...), text)
}

func appendRaw(dst []byte, name string, raw json.RawMessage) []byte {
	dst = append(dst, name...)
	if raw == nil {
		return append(dst, "null"...)
	}
	return append(dst, raw...)
}

func appendMoney(dst []byte, name string, amount money.Decimal, currency money.Currency, details json.RawMessage) []byte {
	dst = amount.AppendTo(append(dst, name...))
	return appendRaw(appendText(dst, `,"currency":`, string(currency)), `,"details":`, details)
}

// appendPlace writes the members that every event has.
func appendPlace(dst []byte, id xyra.EventID, agent xyra.AgentID, at instant, key *string) []byte {
	dst = strconv.AppendInt(append(dst, `,"id":`...), int64(id), 10)
	dst = strconv.AppendInt(append(dst, `,"agent_id":`...), int64(agent), 10)
	dst = append(xyra.AppendTime(append(dst, `,"timestamp":"`...), time.Time(at)), '"')
	if key == nil {
		return append(dst, `,"idempotency_key":null`...)
	}
	return appendText(dst, `,"idempotency_key":`, *key)
}

// newEventOut is the answer for an event of any kind.
func newEventOut(e xyra.Event) any {
	switch e.Kind {
	case xyra.Cost:
		return newCostOut(e)
	case xyra.Outcome:
		return newOutcomeOut(e)
	}
	return newActivityOut(e)
}

func (s *Server) recordActivity(c *call, in *activityIn) (activityOut, error) {
	d := in.draft(c)
	d.Kind, d.Type, d.Quantity, d.Details = xyra.Activity, in.Type, in.Quantity, in.Metadata
	e, err := s.record(c, &in.eventIn, d, usage.Omitted{})
	return newActivityOut(e), err
}

func (s *Server) recordCost(c *call, in *costIn) (costOut, error) {
	d := in.draft(c)
	d.Kind, d.Type, d.Quantity, d.Currency, d.Details = xyra.Cost, in.Type, in.Amount.Value, in.Currency, in.Details
	var faults map[string]Item
	if !in.Amount.Set {
		var err error
		if d.CostInputs, faults, err = readCostInputs(in.Details); err != nil {
			return costOut{}, err
		}
	}
	e, err := s.record(c, &in.eventIn, d, usage.Omitted{Amount: !in.Amount.Set})
	return newCostOut(e), c.costFault(err, faults)
}

// costFault shows what the recorder found wrong with a cost that was sent without its amount.
func (c *call) costFault(err error, faults map[string]Item) error {
	var bad *usage.BadInputs
	if errors.As(err, &bad) {
		var items unprocessable
		for _, key := range bad.Keys {
			items = append(items, faults[key])
		}
		return items
	}
	if refused := (*xyra.Error)(nil); errors.As(err, &refused) && refused.Field == "amount" {
		return unprocessable{missingItem(json.RawMessage(c.raw), "body", "amount")}
	}
	return err
}

func (s *Server) recordOutcome(c *call, in *outcomeIn) (outcomeOut, error) {
	d := in.draft(c)
	d.Kind, d.Type, d.Quantity, d.Currency, d.Details = xyra.Outcome, in.Type, in.Value, in.Currency, in.Details
	d.Verified = in.Verified && (c.caller.Superuser || c.caller.IsAdmin())
	e, err := s.record(c, &in.eventIn, d, usage.Omitted{})
	return newOutcomeOut(e), err
}

// record hands one event to the recorder and waits until it is on disk.
func (s *Server) record(c *call, in *eventIn, d usage.Draft, omitted usage.Omitted) (xyra.Event, error) {
	if in.Agent.Set && in.Agent.Value != in.PathAgent {
		return xyra.Event{}, xyra.Invalid("Agent ID in path must match the one in request body")
	}
	if d.IdempotencyKey != "" {
		omitted.Timestamp = !in.Timestamp.Set
		if err := d.Seal(omitted); err != nil {
			return xyra.Event{}, err
		}
	}
	if c.flight != nil {
		d.Record = &c.flight.record
		d.Record.Status = http.StatusOK
	}
	results, err := s.recorder.Record(c.context(), c.caller, []usage.Draft{d})
	if err != nil {
		return xyra.Event{}, err
	}
	if err := results[0].Err; err != nil {
		if errors.Is(err, usage.ErrKeyInFlight) {
			return xyra.Event{}, errInFlight
		}
		return xyra.Event{}, err
	}
	if c.flight != nil {
		c.flight.kept = true
	}
	if results[0].Replayed {
		c.header.Set("Idempotent-Replayed", "true")
	}
	return results[0].Event, nil
}

// textOrNull shows an empty text as null.
func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
