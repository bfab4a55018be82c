package pricing

import (
	"testing"

	"xyra/money"
)

func tiered(scheme Scheme) Component {
	return Component{Kind: Activity, Type: "call", Scheme: scheme, Tiers: []Tier{
		{UpTo: upTo("100"), Price: dec("0.10")},
		{UpTo: upTo("1000"), Price: dec("0.05")},
		{Price: dec("0.01")},
	}}
}

func TestCharge_LinearDoesNotAllocateNorLookAtTheTotal(t *testing.T) {
	c := Component{Kind: Outcome, Type: "sale", Price: dec("7.5")}
	quantity, before := dec("19.99"), dec("999999999999999.999999999999")
	if got := Charge(c, before, quantity); got.String() != "1.49925" {
		t.Errorf("charge is %s", got)
	}
	if allocations := testing.AllocsPerRun(100, func() { Charge(c, before, quantity) }); allocations != 0 {
		t.Errorf("allocates %v times", allocations)
	}
}

func TestCalculate_NilMapsAreNoUsage(t *testing.T) {
	t.Parallel()
	components := []Component{{Kind: Activity, Type: "call", Price: dec("2")}, {Kind: Outcome, Type: "sale", Price: dec("10")}}
	if got := Calculate(components, Usage{Actions: dec("3")}); got.String() != "6.0" {
		t.Errorf("costs %s", got)
	}
	if got := Calculate(nil, Usage{Actions: dec("3")}); !got.IsZero() {
		t.Errorf("no components cost %s", got)
	}
}

func TestRate_UnvalidatedComponentPanics(t *testing.T) {
	t.Parallel()
	for name, mistake := range map[string]func(){
		"unknown scheme": func() { Rate(Component{Kind: Activity, Scheme: "stairs"}, dec("1")) },
		"unknown kind":   func() { Calculate([]Component{{}}, Usage{}) },
		"no size":        func() { Rate(Component{Kind: Activity, Scheme: Package}, dec("1")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			mistake()
		})
	}
}

// priced are the components that the benchmarks price, one of each scheme.
func priced() map[string]Component {
	return map[string]Component{
		"linear":    {Kind: Activity, Type: "call", Price: dec("0.000015")},
		"outcome":   {Kind: Outcome, Type: "sale", Price: dec("7.5")},
		"graduated": tiered(Graduated),
		"volume":    tiered(Volume),
		"package":   {Kind: Activity, Type: "call", Scheme: Package, Price: dec("5"), PackageSize: dec("100")},
	}
}

func BenchmarkRate(b *testing.B) {
	quantity := dec("12345.5")
	for name, c := range priced() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Rate(c, quantity)
			}
		})
	}
}

func BenchmarkCharge(b *testing.B) {
	before, quantity := dec("12345.5"), money.FromInt(3)
	for name, c := range priced() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Charge(c, before, quantity)
			}
		})
	}
}
