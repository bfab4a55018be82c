package pricing

import (
	"strings"
	"testing"

	"xyra/money"
)

func dec(s string) money.Decimal { return money.MustParse(s) }

func upTo(s string) *money.Decimal {
	end := dec(s)
	return &end
}

func TestValidate_NamesWhatCannotBePriced(t *testing.T) {
	t.Parallel()
	open := []Tier{{Price: dec("1")}}
	for _, c := range []struct {
		component Component
		want      string // part of the text; empty: valid
	}{
		{Component{Kind: BaseFee}, ""},
		{Component{Kind: BaseFee, Price: dec("99.5")}, ""},
		{Component{Kind: Seat, Price: dec("10"), Frequency: Quarterly}, ""},
		{Component{Kind: Activity, Type: "call", Scheme: Graduated, Tiers: open}, ""},
		{Component{Kind: Outcome, Type: "sale", Price: dec("150")}, ""},
		{Component{Kind: Activity, Type: "call", Scheme: Package, PackageSize: dec("0.5")}, ""},
		{Component{}, `unknown kind of component ""`},
		{Component{Kind: "agent"}, `unknown kind of component "agent"`},
		{Component{Kind: Seat}, `unknown billing frequency ""`},
		{Component{Kind: Seat, Frequency: "Monthly"}, `unknown billing frequency "Monthly"`},
		{Component{Kind: Seat, Frequency: Monthly, Type: "call"}, "only activities and outcomes have a type"},
		{Component{Kind: BaseFee, Type: "call"}, "only activities and outcomes have a type"},
		{Component{Kind: BaseFee, Frequency: Monthly}, "only seats have a billing frequency"},
		{Component{Kind: BaseFee, Scheme: Volume, Tiers: open}, "a base fee has no tiers"},
		{Component{Kind: Activity}, `a component of kind "activity" needs a type`},
		{Component{Kind: Outcome}, `a component of kind "outcome" needs a type`},
		{Component{Kind: Activity, Type: "call", Price: dec("-1")}, "a price must not be negative"},
		{Component{Kind: Activity, Type: "call", Scheme: "stairs"}, `unknown price scheme "stairs"`},
		{Component{Kind: Activity, Type: "call", Scheme: "linear"}, `unknown price scheme "linear"`},
		{Component{Kind: Activity, Type: "call", Tiers: open}, "only graduated and volume prices have tiers"},
		{Component{Kind: Activity, Type: "call", Scheme: Package, PackageSize: dec("1"), Tiers: open}, "only graduated and volume prices have tiers"},
		{Component{Kind: Activity, Type: "call", PackageSize: dec("1")}, "only packages have a package size"},
		{Component{Kind: Activity, Type: "call", Scheme: Package}, "a package size must be positive"},
		{Component{Kind: Activity, Type: "call", Scheme: Package, PackageSize: dec("-1")}, "a package size must be positive"},
		{Component{Kind: Outcome, Type: "sale", Scheme: Package, PackageSize: dec("1")}, "a percentage is not sold in packages"},
		{Component{Kind: Activity, Type: "call", Scheme: Volume, Tiers: open, Price: dec("1")}, "prices belong to the tiers"},
	} {
		checkError(t, c.component, c.want)
	}
}

func TestValidate_TiersAscendToAnOpenEnd(t *testing.T) {
	t.Parallel()
	one := dec("1")
	for _, c := range []struct {
		tiers []Tier
		want  string
	}{
		{[]Tier{{Price: one}}, ""},
		{[]Tier{{UpTo: upTo("0.5")}, {UpTo: upTo("0.50001"), Price: one}, {Flat: one}}, ""},
		{nil, "there must be 1 to 100 tiers"},
		{make([]Tier, 101), "there must be 1 to 100 tiers"},
		{[]Tier{{UpTo: upTo("10")}}, "tier 1: the last tier must have no end"},
		{[]Tier{{}, {}}, "tier 1: only the last tier has no end"},
		{[]Tier{{UpTo: upTo("0")}, {}}, "tier 1: must end above 0"},
		{[]Tier{{UpTo: upTo("-1")}, {}}, "tier 1: must end above 0"},
		{[]Tier{{UpTo: upTo("10")}, {UpTo: upTo("10.0")}, {}}, "tier 2: must end above 10"},
		{[]Tier{{UpTo: upTo("10")}, {UpTo: upTo("9")}, {}}, "tier 2: must end above 10"},
		{[]Tier{{UpTo: upTo("10"), Price: dec("-1")}, {}}, "tier 1: a price must not be negative"},
		{[]Tier{{UpTo: upTo("10")}, {Flat: dec("-1")}}, "tier 2: a price must not be negative"},
	} {
		for _, scheme := range []Scheme{Graduated, Volume} {
			checkError(t, Component{Kind: Activity, Type: "call", Scheme: scheme, Tiers: c.tiers}, c.want)
		}
	}
}

func checkError(t *testing.T, c Component, want string) {
	t.Helper()
	err := c.Validate()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%+v: %v; want %q", c, err, want)
	}
}

func TestMatches_ComparesKindAndTypeExactly(t *testing.T) {
	t.Parallel()
	c := Component{Kind: Activity, Type: "call"}
	if !c.Matches(Activity, "call") {
		t.Error("does not match its own type")
	}
	if c.Matches(Activity, "Call") || c.Matches(Outcome, "call") || c.Matches(Activity, "") {
		t.Error("matches another type or kind")
	}
}

func TestUnitPrice_OfAnOutcomeIsAFactor(t *testing.T) {
	t.Parallel()
	if got := (Component{Kind: Outcome, Price: dec("7.5")}).UnitPrice().String(); got != "0.075" {
		t.Errorf("7.5 %% is %s", got)
	}
	if got := (Component{Kind: Activity, Price: dec("7.5")}).UnitPrice().String(); got != "7.5" {
		t.Errorf("7.5 is %s", got)
	}
}

func TestSeatDue_FollowsTheCalendar(t *testing.T) {
	t.Parallel()
	for frequency, want := range map[string]string{
		Monthly:   "xxxxxxxxxxxx",
		Quarterly: "x--x--x--x--",
		Yearly:    "x-----------",
		"":        "------------",
		"weekly":  "------------",
	} {
		var got strings.Builder
		for month := 1; month <= 12; month++ {
			if SeatDue(frequency, month) {
				got.WriteByte('x')
			} else {
				got.WriteByte('-')
			}
		}
		if got.String() != want {
			t.Errorf("%s: %s; want %s", frequency, got.String(), want)
		}
		if SeatDue(frequency, 0) || SeatDue(frequency, 13) {
			t.Errorf("%s is due outside the year", frequency)
		}
	}
}
