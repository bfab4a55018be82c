package api

import (
	"encoding/json"
	"strconv"
	"time"

	"xyra"
	"xyra/money"
	"xyra/strictjson"
	"xyra/usage"
)

// wordsMax bounds how many types of a batch are kept once instead of once an event.
const wordsMax = 1000

// word is a short text that is likely to come again.
func (b *batch) word(text []byte) string {
	if known, ok := b.words[string(text)]; ok {
		return known
	}
	word := string(text)
	if b.words != nil && len(b.words) < wordsMax {
		b.words[word] = word
	}
	return word
}

// quick is an event while its members are read in whatever order they come. A member that only one kind knows is held
// against the kind at the end.
type quick struct {
	kind, typeOf, amountOf, detailsOf xyra.EventKind // 0: not seen
	currency                          money.Currency
	verified                          bool
	details                           strictjson.Value
	at                                Opt[time.Time]
}

var kindWords = map[string]xyra.EventKind{"activity": xyra.Activity, "cost": xyra.Cost, "outcome": xyra.Outcome}

// readQuickly reads an event in one pass and without reflection. It takes nothing that the fields would refuse or read
// differently; for all else it answers false, with p in any state.
func (b *batch) readQuickly(v strictjson.Value, p *posted) bool {
	if v.Kind() != strictjson.Object {
		return false
	}
	q := quick{currency: "USD"}
	for name, value := range v.RawMembers() {
		if !b.quickMember(name, value, p, &q) {
			return false
		}
	}
	d := &p.draft
	if !q.complete(d, b.mayVerify()) || (d.Agent != 0) == p.named || p.named && b.caller.Superuser {
		return false
	}
	b.happened(p, q.at)
	p.details = q.details
	return true
}

// complete fills in what the members leave to the kind, and tells whether they fit it.
func (q *quick) complete(d *usage.Draft, mayVerify bool) bool {
	if q.kind == 0 || q.typeOf != q.kind || q.detailsOf != 0 && (q.detailsOf == xyra.Activity) != (q.kind == xyra.Activity) {
		return false
	}
	switch {
	case q.amountOf == 0 && q.kind == xyra.Activity:
		d.Quantity = money.FromInt(1)
	case q.amountOf != q.kind || q.kind == xyra.Activity && d.Quantity.IsZero():
		return false
	}
	d.Kind = q.kind
	if q.kind != xyra.Activity {
		d.Currency = q.currency
	}
	d.Verified = q.verified && q.kind == xyra.Outcome && mayVerify
	return true
}

func (b *batch) quickMember(name []byte, v strictjson.Value, p *posted, q *quick) bool {
	switch string(name) {
	case "kind":
		q.kind = kindWords[string(v.RawText())]
		return q.kind != 0
	case "activity_type":
		return b.quickType(v, p, q, xyra.Activity)
	case "cost_type":
		return b.quickType(v, p, q, xyra.Cost)
	case "outcome_type":
		return b.quickType(v, p, q, xyra.Outcome)
	case "quantity":
		return quickAmount(v, &p.draft, q, xyra.Activity)
	case "amount":
		return quickAmount(v, &p.draft, q, xyra.Cost)
	case "value":
		return quickAmount(v, &p.draft, q, xyra.Outcome)
	case "activity_metadata":
		return quickDetails(v, &p.draft, q, xyra.Activity)
	case "details":
		return quickDetails(v, &p.draft, q, xyra.Cost)
	case "agent_id":
		id, err := strconv.ParseInt(string(v.Raw()), 10, 64)
		p.draft.Agent = xyra.AgentID(id)
		return err == nil && id > 0
	case "agent_external_id":
		p.named, p.external = true, v.Text()
		return v.Kind() == strictjson.String && len(p.external) <= 255
	case "organization_id":
		return false
	case "currency":
		var known bool
		q.currency, known = money.ParseCurrency(string(v.RawText()))
		return known
	case "verified":
		q.verified = v.Bool()
		return v.Kind() == strictjson.Bool
	case "timestamp":
		return b.quickTime(v, q)
	case "idempotency_key":
		p.draft.IdempotencyKey = v.Text()
		return v.Kind() == strictjson.Null || len(p.draft.IdempotencyKey) > 0 && len(p.draft.IdempotencyKey) <= 255
	}
	return true
}

func (b *batch) quickType(v strictjson.Value, p *posted, q *quick, kind xyra.EventKind) bool {
	text := v.RawText()
	if q.typeOf != 0 || v.Kind() != strictjson.String || len(text) > 255 {
		return false
	}
	q.typeOf, p.draft.Type = kind, b.word(text)
	return true
}

func quickAmount(v strictjson.Value, d *usage.Draft, q *quick, kind xyra.EventKind) bool {
	if q.amountOf != 0 {
		return false
	}
	text := v.Raw()
	switch v.Kind() {
	case strictjson.Number:
	case strictjson.String:
		text = v.RawText()
	default:
		return false
	}
	var err error
	q.amountOf = kind
	d.Quantity, err = money.ParseBytes(text)
	return err == nil && d.Quantity.Sign() >= 0
}

func quickDetails(v strictjson.Value, d *usage.Draft, q *quick, kind xyra.EventKind) bool {
	if q.detailsOf != 0 {
		return false
	}
	q.detailsOf = kind
	if v.Kind() == strictjson.Object {
		d.Details, q.details = json.RawMessage(v.Compact()), v
	}
	return v.Kind() == strictjson.Object || v.Kind() == strictjson.Null
}

func (b *batch) quickTime(v strictjson.Value, q *quick) bool {
	at, err := xyra.ParseTime(string(v.RawText()))
	q.at = Opt[time.Time]{Set: true, Value: at}
	return err == nil && !at.After(b.now.Add(futureMax))
}

// cloudQuickly is readQuickly for the CloudEvent of an activity.
func (b *batch) cloudQuickly(v strictjson.Value, p *posted) bool {
	if v.Kind() != strictjson.Object || b.caller.Superuser {
		return false
	}
	d := &p.draft
	d.Kind, d.Quantity = xyra.Activity, money.FromInt(1)
	var version bool
	var q quick
	for name, value := range v.RawMembers() {
		ok := true
		switch string(name) {
		case "specversion":
			version = string(value.RawText()) == "1.0"
		case "id":
			d.IdempotencyKey, ok = value.Text(), isShort(value)
		case "source":
			d.Source, ok = b.word(value.RawText()), isShort(value)
		case "type":
			d.Type, ok = b.word(value.RawText()), isShort(value)
		case "subject":
			p.named, p.external, ok = true, b.word(value.RawText()), isShort(value)
		case "time":
			ok = b.quickTime(value, &q)
		case "data":
			ok = quickData(value, d)
		case "xyrakind", "xyraorganization", "data_base64":
			ok = false
		}
		if !ok {
			return false
		}
	}
	b.happened(p, q.at)
	return version && p.named && d.IdempotencyKey != "" && d.Source != "" && d.Type != ""
}

// isShort tells whether a value is a text of 1 to 255 bytes, and so of no more characters.
func isShort(v strictjson.Value) bool {
	text := v.RawText()
	return len(text) > 0 && len(text) <= 255
}

func quickData(v strictjson.Value, d *usage.Draft) bool {
	if v.Kind() != strictjson.Object {
		return false
	}
	d.Details = json.RawMessage(v.Compact())
	quantity, sent := v.Field("quantity")
	q := quick{}
	return !sent || quickAmount(quantity, d, &q, xyra.Activity) && !d.Quantity.IsZero()
}
