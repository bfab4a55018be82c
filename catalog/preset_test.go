package catalog

import (
	"fmt"
	"strings"
	"testing"

	"xyra"
	"xyra/money"
)

const (
	noSeatPrice     = "Seat-based billing model must include a positive 'seat_price_per_seat'"
	badFrequency    = "'seat_billing_frequency' must be one of: monthly, quarterly, yearly"
	noActivityPrice = "Activity-based billing model must include a positive 'activity_price_per_action'"
	noActivityType  = "Activity-based billing model must include 'activity_action_type'"
	noOutcomeType   = "Outcome-based billing model must include 'outcome_outcome_type'"
	noPercentage    = "Outcome-based billing model must include a positive 'outcome_percentage'"
	noComponent     = "Hybrid billing model must include at least one billing component"
	negativeFee     = "'hybrid_base_fee' must not be negative"
	badHybridSeat   = "Seat configuration must include a positive 'price_per_seat'"
	badHybridTerm   = "'billing_frequency' must be one of: monthly, quarterly, yearly"
	badActivity     = "Each activity configuration must include positive 'price_per_action' and 'action_type'"
	badOutcome      = "Each outcome configuration must include 'outcome_type' and positive 'percentage'"
	unknownType     = "Invalid billing model type: %s. Must be one of: seat, activity, outcome, hybrid"
)

func dec(s string) *money.Decimal {
	d := money.MustParse(s)
	return &d
}

func str(s string) *string { return &s }

// text writes a preset in one line: "hybrid fee 5 seat 10 monthly activity 2 call outcome deal 7.5".
func (p Preset) text() string {
	parts := []string{string(p.Type)}
	if p.BaseFee != nil {
		parts = append(parts, "fee", p.BaseFee.Plain())
	}
	if p.Seat != nil {
		parts = append(parts, "seat", p.Seat.Price.Plain(), p.Seat.Frequency)
	}
	for _, a := range p.Activities {
		parts = append(parts, "activity", a.Price.Plain(), a.Type)
	}
	for _, o := range p.Outcomes {
		parts = append(parts, "outcome", o.Type, o.Percentage.Plain())
	}
	return strings.Join(parts, " ")
}

var (
	none         = Preset{}
	seatModel    = Preset{Type: xyra.ModelSeat, Seat: &SeatPrice{*dec("10"), "quarterly"}}
	callModel    = Preset{Type: xyra.ModelActivity, Activities: []ActivityPrice{{*dec("2"), "call"}}}
	dealModel    = Preset{Type: xyra.ModelOutcome, Outcomes: []OutcomePrice{{"deal", *dec("7.5")}}}
	blendedModel = Preset{
		Type: xyra.ModelHybrid, BaseFee: dec("5"), Seat: &SeatPrice{*dec("10"), "quarterly"},
		Activities: []ActivityPrice{{*dec("2"), "call"}, {*dec("3"), "mail"}}, Outcomes: []OutcomePrice{{"deal", *dec("7.5")}},
	}
)

// A new model needs what its type asks for; the first rule that fails is the one told.
func TestPresetEdit_NewModelFollowsItsRules(t *testing.T) {
	seat := func(price *money.Decimal, frequency *string) PresetEdit {
		return PresetEdit{SeatPrice: To(price), SeatFrequency: To(frequency)}
	}
	activity := func(price *money.Decimal, typ *string) PresetEdit {
		return PresetEdit{ActivityPrice: To(price), ActivityType: To(typ)}
	}
	outcome := func(typ *string, percentage *money.Decimal) PresetEdit {
		return PresetEdit{OutcomeType: To(typ), OutcomePercentage: To(percentage)}
	}
	run(t, []presetCase{
		{"seat", none, PresetEdit{}, noSeatPrice},
		{"seat", none, seat(nil, nil), noSeatPrice},
		{"seat", none, seat(dec("0"), str("daily")), noSeatPrice},
		{"seat", none, seat(dec("-1"), nil), noSeatPrice},
		{"seat", none, seat(dec("1"), str("daily")), badFrequency},
		{"seat", none, seat(dec("1"), str("Monthly")), badFrequency},
		{"seat", none, seat(dec("1"), nil), "seat seat 1 monthly"},
		{"seat", none, seat(dec("1"), str("")), "seat seat 1 monthly"},
		{"seat", none, seat(dec("1"), str("yearly")), "seat seat 1 yearly"},
		{"seat", none, PresetEdit{SeatPrice: To(dec("1")), BaseFee: To(dec("-9")), ActivityPrice: To(dec("-1"))}, "seat seat 1 monthly"},
		{"activity", none, activity(nil, nil), noActivityPrice},
		{"activity", none, activity(dec("0"), str("")), noActivityPrice},
		{"activity", none, activity(dec("0.000000000001"), nil), noActivityType},
		{"activity", none, activity(dec("1"), str("")), noActivityType},
		{"activity", none, activity(dec("1"), str("call")), "activity activity 1 call"},
		{"outcome", none, outcome(nil, nil), noOutcomeType},
		{"outcome", none, outcome(str(""), dec("0")), noOutcomeType},
		{"outcome", none, outcome(str("deal"), nil), noPercentage},
		{"outcome", none, outcome(str("deal"), dec("0")), noPercentage},
		{"outcome", none, outcome(str("deal"), dec("250")), "outcome outcome deal 250"},
		{"hybrid", none, PresetEdit{}, noComponent},
		{"hybrid", none, PresetEdit{Activities: To([]ActivityPrice{}), Outcomes: To([]OutcomePrice{}), BaseFee: To((*money.Decimal)(nil))}, noComponent},
		{"hybrid", none, PresetEdit{BaseFee: To(dec("-1"))}, noComponent},
		{"hybrid", none, PresetEdit{BaseFee: To(dec("-1")), Seat: To(&SeatPrice{*dec("0"), "monthly"})}, negativeFee},
		{"hybrid", none, PresetEdit{BaseFee: To(dec("0"))}, "hybrid fee 0"},
		{"hybrid", none, PresetEdit{Seat: To(&SeatPrice{*dec("0"), "daily"})}, badHybridSeat},
		{"hybrid", none, PresetEdit{Seat: To(&SeatPrice{*dec("1"), "daily"})}, badHybridTerm},
		{"hybrid", none, PresetEdit{Seat: To(&SeatPrice{*dec("1"), ""})}, badHybridTerm},
		{"hybrid", none, PresetEdit{Activities: To([]ActivityPrice{{*dec("1"), "a"}, {*dec("0"), "b"}})}, badActivity},
		{"hybrid", none, PresetEdit{Activities: To([]ActivityPrice{{*dec("1"), ""}})}, badActivity},
		{"hybrid", none, PresetEdit{Outcomes: To([]OutcomePrice{{"", *dec("1")}})}, badOutcome},
		{"hybrid", none, PresetEdit{Outcomes: To([]OutcomePrice{{"x", *dec("-1")}})}, badOutcome},
		{"hybrid", none, PresetEdit{Outcomes: To([]OutcomePrice{{"x", *dec("-1")}}), Activities: To([]ActivityPrice{{*dec("0"), "b"}})}, badActivity},
		{"hybrid", none, PresetEdit{Activities: To([]ActivityPrice{{*dec("2"), "b"}, {*dec("1"), "a"}, {*dec("1"), "a"}})}, "hybrid activity 2 b activity 1 a activity 1 a"},
		{"Seat", none, seat(dec("1"), nil), fmt.Sprintf(unknownType, "Seat")},
		{"", none, PresetEdit{}, fmt.Sprintf(unknownType, "")},
	})
}

// What an update does not send stays, null takes away, and the rules hold for what comes out.
func TestPresetEdit_UpdateIsMerged(t *testing.T) {
	run(t, []presetCase{
		{"seat", seatModel, PresetEdit{}, "seat seat 10 quarterly"},
		{"seat", seatModel, PresetEdit{SeatPrice: To(dec("12"))}, "seat seat 12 quarterly"},
		{"seat", seatModel, PresetEdit{SeatFrequency: To(str("yearly"))}, "seat seat 10 yearly"},
		{"seat", seatModel, PresetEdit{SeatFrequency: To((*string)(nil))}, "seat seat 10 monthly"},
		{"seat", seatModel, PresetEdit{SeatFrequency: To(str(""))}, "seat seat 10 monthly"},
		{"seat", seatModel, PresetEdit{SeatFrequency: To(str("weekly"))}, badFrequency},
		{"seat", seatModel, PresetEdit{SeatPrice: To((*money.Decimal)(nil))}, noSeatPrice},
		{"seat", seatModel, PresetEdit{SeatPrice: To(dec("0"))}, noSeatPrice},
		{"seat", seatModel, PresetEdit{Seat: To(&SeatPrice{*dec("99"), "yearly"}), BaseFee: To(dec("3")), ActivityPrice: To(dec("1"))}, "seat seat 10 quarterly"},
		{"activity", callModel, PresetEdit{ActivityPrice: To(dec("4"))}, "activity activity 4 call"},
		{"activity", callModel, PresetEdit{ActivityType: To(str("mail"))}, "activity activity 2 mail"},
		{"activity", callModel, PresetEdit{ActivityType: To((*string)(nil))}, noActivityType},
		{"activity", callModel, PresetEdit{ActivityPrice: To((*money.Decimal)(nil))}, noActivityPrice},
		{"outcome", dealModel, PresetEdit{OutcomePercentage: To(dec("8"))}, "outcome outcome deal 8"},
		{"outcome", dealModel, PresetEdit{OutcomeType: To(str("upsell"))}, "outcome outcome upsell 7.5"},
		{"outcome", dealModel, PresetEdit{OutcomeType: To(str(""))}, noOutcomeType},
		{"outcome", dealModel, PresetEdit{OutcomePercentage: To((*money.Decimal)(nil))}, noPercentage},
		{"hybrid", blendedModel, PresetEdit{}, blendedModel.text()},
		{"hybrid", blendedModel, PresetEdit{BaseFee: To(dec("6"))}, "hybrid fee 6 seat 10 quarterly activity 2 call activity 3 mail outcome deal 7.5"},
		{"hybrid", blendedModel, PresetEdit{BaseFee: To((*money.Decimal)(nil))}, "hybrid seat 10 quarterly activity 2 call activity 3 mail outcome deal 7.5"},
		{"hybrid", blendedModel, PresetEdit{BaseFee: To(dec("-6"))}, negativeFee},
		{"hybrid", blendedModel, PresetEdit{Seat: To(&SeatPrice{*dec("11"), "monthly"})}, "hybrid fee 5 seat 11 monthly activity 2 call activity 3 mail outcome deal 7.5"},
		{"hybrid", blendedModel, PresetEdit{Seat: To((*SeatPrice)(nil))}, "hybrid fee 5 activity 2 call activity 3 mail outcome deal 7.5"},
		{"hybrid", blendedModel, PresetEdit{Activities: To([]ActivityPrice{{*dec("1"), "chat"}})}, "hybrid fee 5 seat 10 quarterly activity 1 chat outcome deal 7.5"},
		{"hybrid", blendedModel, PresetEdit{Activities: To([]ActivityPrice(nil))}, "hybrid fee 5 seat 10 quarterly outcome deal 7.5"},
		{"hybrid", blendedModel, PresetEdit{Outcomes: To([]OutcomePrice{})}, "hybrid fee 5 seat 10 quarterly activity 2 call activity 3 mail"},
		{"hybrid", blendedModel, PresetEdit{BaseFee: To((*money.Decimal)(nil)), Seat: To((*SeatPrice)(nil)), Activities: To([]ActivityPrice(nil)),
			Outcomes: To([]OutcomePrice(nil))}, noComponent},
		{"hybrid", blendedModel, PresetEdit{SeatPrice: To(dec("77")), SeatFrequency: To(str("yearly")), ActivityPrice: To(dec("-1"))}, blendedModel.text()},
	})
}

// Another type needs its own settings in the same request; what that type uses of the present components stays.
func TestPresetEdit_TypeChangeNeedsTheNewTypesFields(t *testing.T) {
	run(t, []presetCase{
		{"activity", seatModel, PresetEdit{}, noActivityPrice},
		{"activity", seatModel, PresetEdit{ActivityPrice: To(dec("1"))}, noActivityType},
		{"activity", seatModel, PresetEdit{ActivityPrice: To(dec("1")), ActivityType: To(str("x"))}, "activity activity 1 x"},
		{"outcome", seatModel, PresetEdit{OutcomeType: To(str("x")), OutcomePercentage: To(dec("1"))}, "outcome outcome x 1"},
		{"seat", callModel, PresetEdit{SeatPrice: To(dec("1"))}, "seat seat 1 monthly"},
		{"seat", callModel, PresetEdit{SeatFrequency: To(str("yearly"))}, noSeatPrice},
		{"seat", blendedModel, PresetEdit{}, noSeatPrice},
		{"seat", blendedModel, PresetEdit{SeatPrice: To(dec("1"))}, "seat seat 1 quarterly"},
		{"activity", blendedModel, PresetEdit{ActivityPrice: To(dec("1"))}, noActivityType},
		{"activity", blendedModel, PresetEdit{ActivityPrice: To(dec("1")), ActivityType: To(str("x"))}, "activity activity 1 x"},
		{"outcome", blendedModel, PresetEdit{OutcomePercentage: To(dec("1"))}, noOutcomeType},
		{"hybrid", seatModel, PresetEdit{}, noComponent},
		{"hybrid", seatModel, PresetEdit{BaseFee: To(dec("-1"))}, noComponent},
		{"hybrid", seatModel, PresetEdit{BaseFee: To(dec("0"))}, "hybrid fee 0 seat 10 quarterly"},
		{"hybrid", seatModel, PresetEdit{BaseFee: To(dec("1")), Seat: To((*SeatPrice)(nil))}, "hybrid fee 1"},
		{"hybrid", callModel, PresetEdit{Outcomes: To([]OutcomePrice{{"x", *dec("1")}})}, "hybrid activity 2 call outcome x 1"},
		{"hybrid", dealModel, PresetEdit{Activities: To([]ActivityPrice{{*dec("1"), "x"}})}, "hybrid activity 1 x outcome deal 7.5"},
		{"tiered", seatModel, PresetEdit{}, fmt.Sprintf(unknownType, "tiered")},
	})
}

type presetCase struct {
	typ     string
	present Preset
	edit    PresetEdit
	want    string // the preset, or the refusal
}

func run(t *testing.T, cases []presetCase) {
	t.Helper()
	for i, c := range cases {
		before := c.present.text()
		p, err := c.edit.make(c.typ, c.present)
		got := p.text()
		if err != nil {
			got = err.Error()
			if !xyra.HasCode(err, xyra.CodeInvalid) {
				t.Errorf("case %d: %v is not a rule of the business", i, err)
			}
		}
		if got != c.want {
			t.Errorf("case %d, %s of %q: got %q, want %q", i, c.typ, before, got, c.want)
		}
		if c.present.text() != before {
			t.Errorf("case %d changed the present model to %q", i, c.present.text())
		}
		if err != nil {
			continue
		}
		back := PresetOf(xyra.Version{Type: p.Type, Components: p.components()})
		if back.text() != p.text() {
			t.Errorf("case %d: components give back %q, want %q", i, back.text(), p.text())
		}
		for _, component := range p.components() {
			if err := component.Validate(); err != nil {
				t.Errorf("case %d: component %v: %v", i, component, err)
			}
		}
	}
}
