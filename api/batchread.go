package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"xyra"
	"xyra/strictjson"
)

// The forms a batch comes in, by media type; every other JSON is an envelope.
const (
	mediaCloudEvent  = "application/cloudevents+json"
	mediaCloudEvents = "application/cloudevents-batch+json"
	mediaLines       = "application/x-ndjson"
)

// read fills in the events, each with its refusal if it is malformed. The items it returns are about the whole body.
func (b *batch) read(raw []byte, header http.Header) []Item {
	contentType := header.Get("Content-Type")
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if attributes := cloudAttributes(header); attributes != nil {
		return b.readBinary(raw, media, attributes)
	}
	if media == mediaLines || media == "application/ndjson" {
		return b.readLines(raw)
	}
	r := newReport("body")
	if len(raw) == 0 {
		r.missing(nil)
		return r.items
	}
	if !isJSON(contentType) {
		faultNoObject(nil, strings.ToValidUTF8(string(raw), string(utf8.RuneError)), r)
		return r.items
	}
	v, syntax := strictjson.Parse(raw)
	switch {
	case syntax != nil:
		return []Item{syntaxItem(syntax)}
	case v.Kind() == strictjson.Null:
		r.missing(nil)
	case media == mediaCloudEvents:
		b.readList(v, r, b.readCloudEvent)
	case v.Kind() != strictjson.Object:
		faultNoObject(nil, json.RawMessage(v.Raw()), r)
	case media == mediaCloudEvent:
		b.events = make([]posted, 1)
		b.readCloudEvent(v, 0)
	default:
		b.readEnvelope(v, r)
	}
	return r.items
}

func (b *batch) readEnvelope(v strictjson.Value, r *report) {
	r.enter("events")
	events, sent := v.Field("events")
	if !sent {
		r.missing(json.RawMessage(v.Raw()))
		return
	}
	b.readList(events, r, b.readEvent)
}

func (b *batch) readList(list strictjson.Value, r *report, read func(strictjson.Value, int)) {
	if !isList(list, r) {
		return
	}
	count := list.Len()
	if count > eventsMax {
		r.tooLong(count)
		return
	}
	b.events = make([]posted, count)
	n := 0
	for v := range list.Elems() {
		read(v, n)
		n++
	}
}

func (r *report) tooLong(count int) {
	r.fault("too_long", fmt.Sprintf("List should have at most %d items after validation, not %d", eventsMax, count), nil, "max_length", eventsMax)
}

// readLines takes one event a line; a line that is no JSON is refused by itself, an empty one is none.
func (b *batch) readLines(raw []byte) []Item {
	lines := make([][]byte, 0, min(eventsMax, 1+len(raw)/64))
	count := 0
	for line := range bytes.SplitSeq(raw, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if count++; count <= eventsMax {
			lines = append(lines, line)
		}
	}
	if count > eventsMax {
		r := newReport("body")
		r.tooLong(count)
		return r.items
	}
	b.events = make([]posted, len(lines))
	for n, line := range lines {
		v, syntax := strictjson.Parse(line)
		if syntax != nil {
			item := syntaxItem(syntax)
			item.Loc = placed(item.Loc, n)
			b.events[n].refused = unprocessable{item}
			continue
		}
		b.readEvent(v, n)
	}
	return nil
}

// postedIn is what an event of a batch has beyond the same event posted alone.
type postedIn struct {
	Kind         string
	Agent        *xyra.AgentID
	External     *string
	Organization *xyra.OrganizationID
}

func (in *postedIn) kindField() field {
	return oneOf("kind", &in.Kind, "activity", "cost", "outcome").required()
}

func (in *postedIn) fields() []field { return []field{in.kindField()} }

// around puts the fields of a batch's event into those of a single one: the kind in front, more ways to name the agent in
// the place of agent_id.
func (in *postedIn) around(single []field) []field {
	at := slices.IndexFunc(single, func(f field) bool { return f.name == "agent_id" })
	single = slices.Replace(single, at, at+1,
		identityOrNull("agent_id", &in.Agent).explained("Either this or agent_external_id."),
		text("agent_external_id", &in.External).max(255).explained("The agent's external_id in the caller's organization."),
		identityOrNull("organization_id", &in.Organization).explained("Where agent_external_id is looked up; superusers must name it."))
	return append([]field{in.kindField()}, single...)
}

type postedActivityIn struct {
	postedIn
	activityIn
}

func (in *postedActivityIn) fields() []field { return in.around(in.activityIn.fields()) }

type postedCostIn struct {
	postedIn
	costIn
}

func (in *postedCostIn) fields() []field { return in.around(in.costIn.fields()) }

type postedOutcomeIn struct {
	postedIn
	outcomeIn
}

func (in *postedOutcomeIn) fields() []field { return in.around(in.outcomeIn.fields()) }

// readEvent reads event n of the batch. The quick way takes most that are right; what it leaves goes through the fields,
// which also say what is wrong.
func (b *batch) readEvent(v strictjson.Value, n int) {
	p := &b.events[n]
	if b.readQuickly(v, p) {
		return
	}
	*p = posted{}
	of := &postedIn{}
	items := decodeValue(v, of, "body", "events", n)
	if items == nil {
		items = b.readFields(v, of.Kind, n)
	}
	if items != nil {
		p.refused = unprocessable(items)
	}
}

func (b *batch) readFields(v strictjson.Value, kind string, n int) []Item {
	p := &b.events[n]
	latest := b.now.Add(futureMax)
	switch kind {
	case "activity":
		in := &postedActivityIn{activityIn: activityIn{eventIn: eventIn{latest: latest}}}
		items := decodeValue(v, in, "body", "events", n)
		p.draft.Kind, p.draft.Type, p.draft.Quantity, p.draft.Details = xyra.Activity, in.Type, in.Quantity, in.Metadata
		return b.identify(v, &in.postedIn, &in.eventIn, n, items)
	case "cost":
		in := &postedCostIn{costIn: costIn{eventIn: eventIn{latest: latest}}}
		items := decodeValue(v, in, "body", "events", n)
		p.draft.Kind, p.draft.Type, p.draft.Quantity, p.draft.Currency, p.draft.Details = xyra.Cost, in.Type, in.Amount.Value, in.Currency, in.Details
		if items == nil && !in.Amount.Set {
			p.withoutAmount(json.RawMessage(v.Raw()), []any{"body", "events", n}, "details")
		}
		return b.identify(v, &in.postedIn, &in.eventIn, n, items)
	default:
		in := &postedOutcomeIn{outcomeIn: outcomeIn{eventIn: eventIn{latest: latest}}}
		items := decodeValue(v, in, "body", "events", n)
		p.draft.Kind, p.draft.Type, p.draft.Quantity, p.draft.Currency, p.draft.Details = xyra.Outcome, in.Type, in.Value, in.Currency, in.Details
		p.draft.Verified = in.Verified && b.mayVerify()
		return b.identify(v, &in.postedIn, &in.eventIn, n, items)
	}
}

func (b *batch) mayVerify() bool { return b.caller.Superuser || b.caller.IsAdmin() }

// withoutAmount prepares a cost whose amount is to be computed from the details, which stand at name below place.
func (p *posted) withoutAmount(raw json.RawMessage, place []any, name string) {
	inputs, faults, err := readCostInputs(p.draft.Details)
	if err != nil {
		p.refused = err
		return
	}
	for key, item := range faults {
		item.Loc = append(place[:len(place):len(place)], name, key)
		faults[key] = item
	}
	p.draft.CostInputs, p.omitted.Amount = inputs, true
	p.cost = &postedCost{place: place, raw: bytes.Clone(raw), faults: faults}
}

// identify takes over agent, time and key, and adds to the items what is wrong with the ways the agent is named.
func (b *batch) identify(v strictjson.Value, in *postedIn, common *eventIn, n int, items []Item) []Item {
	p := &b.events[n]
	b.happened(p, common.Timestamp)
	if common.Key != nil {
		p.draft.IdempotencyKey = *common.Key
	}
	external, byExternal := given(v, "agent_external_id")
	_, byID := given(v, "agent_id")
	switch {
	case byID && byExternal:
		return append(items, valueErrorItem("give agent_id or agent_external_id, not both", received(external), "body", "events", n, "agent_external_id"))
	case !byID && !byExternal:
		return append(items, missingItem(json.RawMessage(v.Raw()), "body", "events", n, "agent_id"))
	case in.Agent != nil:
		p.draft.Agent = *in.Agent
	case in.External != nil:
		return append(items, b.name(v, p, *in.External, in.Organization, n, "organization_id")...)
	}
	return items
}

// given finds a member that is not null.
func given(v strictjson.Value, name string) (strictjson.Value, bool) {
	member, sent := v.Field(name)
	return member, sent && member.Kind() != strictjson.Null
}

// name remembers an agent's external id with the organization to look in.
func (b *batch) name(v strictjson.Value, p *posted, external string, organization *xyra.OrganizationID, n int, field string) []Item {
	p.named, p.external = true, external
	if organization != nil {
		p.organization = *organization
		if p.organization <= 0 {
			p.organization = -1 // no organization has it; 0 would be the caller's
		}
	} else if _, sent := given(v, field); !sent && b.caller.Superuser {
		return []Item{missingItem(json.RawMessage(v.Raw()), "body", "events", n, field)}
	}
	return nil
}

func (b *batch) happened(p *posted, at Opt[time.Time]) {
	p.draft.Timestamp, p.omitted.Timestamp = at.Or(b.now), !at.Set
}
