package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"xyra"
	"xyra/money"
	"xyra/strictjson"
)

// cloudEventIn is a CloudEvent of version 1.0. Its source and id together are the event's idempotency key, its type is
// the event's type and its subject the agent's external id. Kind and organization are extensions of ours.
type cloudEventIn struct {
	Version      string
	ID           string
	Source       string
	Type         string
	Subject      string
	Time         Opt[time.Time]
	Kind         string
	Organization *xyra.OrganizationID
	Data         json.RawMessage
	latest       time.Time
}

const whyFutureTime = "time must not be more than 5 minutes in the future"

func (in *cloudEventIn) fields() []field {
	return []field{
		text("specversion", &in.Version).required().exactly("1.0"),
		text("id", &in.ID).required().min(1).max(255),
		text("source", &in.Source).required().min(1).max(255).explained("Together with id the idempotency key."),
		text("type", &in.Type).required().min(1).max(255).explained("The activity_type, cost_type or outcome_type."),
		text("subject", &in.Subject).required().min(1).max(255).explained("The agent's external_id."),
		moment("time", &in.Time).nullIsDefault().notAfter(in.latest, whyFutureTime).explained("When it happened; now if not given."),
		oneOf("xyrakind", &in.Kind, "activity", "cost", "outcome").byDefault("activity"),
		identityOrNull("xyraorganization", &in.Organization).explained("Where subject is looked up; superusers must name it."),
		object("data", &in.Data).nullable().explained("quantity of an activity, amount or value of the others; stored as a whole."),
	}
}

// cloudDataIn are the members of data that count, by kind.
type cloudDataIn struct {
	kind     string
	Quantity Opt[money.Decimal]
	Currency money.Currency
	Verified bool
}

func (in *cloudDataIn) fields() []field {
	switch in.kind {
	case "cost":
		return []field{
			decimal("amount", &in.Quantity).requiredUnless(isCostInput).min(0),
			currencyCode("currency", &in.Currency).byDefault(money.Currency("USD")),
		}
	case "outcome":
		return []field{
			decimal("value", &in.Quantity).required().min(0),
			currencyCode("currency", &in.Currency).byDefault(money.Currency("USD")),
			boolean("verified", &in.Verified).byDefault(false),
		}
	}
	return []field{decimal("quantity", &in.Quantity).byDefault(1).over(0)}
}

// isCostInput tells whether an object has any key to compute a cost's amount from.
func isCostInput(data strictjson.Value) bool {
	return slices.ContainsFunc((&costInputs{}).fields(), func(f field) bool {
		_, sent := data.Field(f.name)
		return sent
	})
}

const whyBinaryData = "data_base64 is not supported, send data as a JSON object"

// readCloudEvent reads event n of the batch from a CloudEvent.
func (b *batch) readCloudEvent(v strictjson.Value, n int) {
	if b.cloudQuickly(v, &b.events[n]) {
		return
	}
	b.events[n] = posted{}
	b.readCloudFields(v, n)
}

func (b *batch) readCloudFields(v strictjson.Value, n int) {
	p := &b.events[n]
	in := &cloudEventIn{latest: b.now.Add(futureMax)}
	items := decodeValue(v, in, "body", "events", n)
	if packed, sent := v.Field("data_base64"); sent && packed.Kind() != strictjson.Null {
		items = append(items, valueErrorItem(whyBinaryData, received(packed), "body", "events", n, "data_base64"))
	}
	if items == nil {
		items = b.readCloudData(v, in, n)
	}
	if items == nil {
		items = b.name(v, p, in.Subject, in.Organization, n, "xyraorganization")
	}
	if items != nil {
		p.refused = unprocessable(items)
		return
	}
	b.happened(p, in.Time)
	p.draft.Type, p.draft.Source, p.draft.IdempotencyKey = in.Type, in.Source, in.ID
}

func (b *batch) readCloudData(v strictjson.Value, in *cloudEventIn, n int) []Item {
	d := &b.events[n].draft
	d.Kind, d.Details = kindWords[in.Kind], in.Data
	place := []any{"body", "events", n, "data"}
	if in.Data == nil && d.Kind != xyra.Activity {
		return []Item{missingItem(json.RawMessage(v.Raw()), place...)}
	}
	counted := &cloudDataIn{kind: in.Kind, Quantity: Opt[money.Decimal]{Set: true, Value: money.FromInt(1)}}
	if in.Data != nil {
		data, _ := v.Field("data")
		counted.Quantity = Opt[money.Decimal]{}
		if items := decodeValue(data, counted, place...); items != nil {
			return items
		}
		if !counted.Quantity.Set {
			b.events[n].withoutAmount(json.RawMessage(data.Raw()), place[:3], "data")
			b.events[n].cost.place = place
		}
	}
	d.Quantity, d.Currency, d.Verified = counted.Quantity.Value, counted.Currency, counted.Verified && b.mayVerify()
	return nil
}

// cloudAttributes are the members that a CloudEvent in HTTP's binary mode has as headers, in order; nil for any other
// request.
func cloudAttributes(header http.Header) (members []byte) {
	if header.Get("Ce-Specversion") == "" {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		attribute, isAttribute := strings.CutPrefix(strings.ToLower(name), "ce-")
		if !isAttribute || attribute == "data" || attribute == "data_base64" {
			continue
		}
		value, err := url.PathUnescape(header.Get(name))
		if err != nil {
			value = header.Get(name)
		}
		members = append(append(strictjson.AppendString(members, attribute), ':'), attributeValue(attribute, storable(value))...)
		members = append(members, ',')
	}
	return members
}

// readBinary reads a CloudEvent in HTTP's binary mode: the attributes are headers, the body is data. It is put together
// as the same event would be in a JSON document.
func (b *batch) readBinary(raw []byte, media string, attributes []byte) []Item {
	if len(raw) > 0 && !isJSON(media) {
		r := newReport("body")
		faultNoObject(nil, storable(string(raw)), r)
		return r.items
	}
	if len(raw) > 0 {
		if _, syntax := strictjson.Parse(raw); syntax != nil {
			return []Item{syntaxItem(syntax)}
		}
		raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	} else {
		raw = []byte("null")
	}
	v, syntax := strictjson.Parse(slices.Concat([]byte{'{'}, attributes, []byte(`"data":`), raw, []byte{'}'}))
	if syntax != nil {
		return []Item{syntaxItem(syntax)}
	}
	b.events = make([]posted, 1)
	b.readCloudEvent(v, 0)
	return nil
}

// attributeValue is an attribute's JSON; in headers numbers look like texts.
func attributeValue(name, value string) []byte {
	if name == "xyraorganization" {
		if v, syntax := strictjson.Parse([]byte(value)); syntax == nil && v.Kind() == strictjson.Number {
			return []byte(value)
		}
	}
	return strictjson.AppendString(nil, value)
}
