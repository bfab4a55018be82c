package pricing

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"xyra/money"
)

var schemes = []Scheme{Linear, Graduated, Volume, Package}

func FuzzLaws(f *testing.F) {
	for seed := range uint64(500) {
		f.Add(seed, uint8(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, shape uint8) {
		checkLaws(t, generator{rand.New(rand.NewPCG(seed, uint64(shape)))})
	})
}

// checkLaws makes up a component, its events and a calculation, and holds them
// against the oracle; all that it draws follows from the seed.
func checkLaws(t *testing.T, g generator) {
	t.Helper()
	kinds := []Kind{Activity, Outcome, Seat}
	c := g.component(kinds[g.IntN(len(kinds))])
	if err := c.Validate(); err != nil {
		t.Fatalf("generated an invalid component %+v: %v", c, err)
	}
	if got := Rate(c, money.Decimal{}); !got.IsZero() {
		t.Errorf("%+v: nothing costs %s", c, got)
	}
	events := g.quantities()
	if g.IntN(4) == 0 {
		// A void takes one of them back.
		events = append(events, events[0].Neg())
	}
	var total money.Decimal
	for _, quantity := range events {
		total = total.Add(quantity)
	}
	price := Rate(c, total)
	if oracleRate(c, rational(total)).Cmp(rational(price)) != 0 {
		t.Errorf("%+v: %s units cost %s; want %s", c, total, price, oracleRate(c, rational(total)).RatString())
	}
	if c.Linear() && !price.Equal(c.UnitPrice().Mul(total)) {
		t.Errorf("%+v: %s is not quantity × price", c, price)
	}
	for range 3 {
		g.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		var before, charged money.Decimal
		for _, quantity := range events {
			charged = charged.Add(Charge(c, before, quantity))
			before = before.Add(quantity)
		}
		if !charged.Equal(price) {
			t.Errorf("%+v: charges add up to %s; the price of %s is %s; events %v", c, charged, total, price, events)
		}
	}
	checkCalculate(t, g)
}

func checkCalculate(t *testing.T, g generator) {
	t.Helper()
	var components []Component
	for _, kind := range []Kind{BaseFee, Seat, Activity, Outcome, Activity, Outcome} {
		if g.IntN(4) > 0 {
			components = append(components, g.component(kind))
		}
	}
	u := Usage{Seats: g.decimal(), Actions: g.decimal(), OutcomeValue: g.decimal()}
	u.Activities = map[string]money.Decimal{"a": g.decimal(), "b": g.decimal(), "nobody's": g.decimal()}
	u.Outcomes = map[string]money.Decimal{"a": g.decimal(), "c": g.decimal(), "nobody's": g.decimal()}
	want := new(big.Rat)
	for _, c := range components {
		quantity := new(big.Rat)
		switch c.Kind {
		case BaseFee:
			quantity.SetInt64(1)
		case Seat:
			quantity = rational(u.Seats)
		case Activity:
			quantity.Add(rational(u.Actions), rational(u.Activities[c.Type]))
		case Outcome:
			quantity.Add(rational(u.OutcomeValue), rational(u.Outcomes[c.Type]))
		}
		want.Add(want, oracleRate(c, quantity))
	}
	if got := Calculate(components, u); rational(got).Cmp(want) != 0 {
		t.Errorf("%+v of %+v = %s; want %s", components, u, got, want.RatString())
	}
}

// generator draws components and quantities, small and round ones as often as large and odd ones.
type generator struct{ *rand.Rand }

func (g generator) decimal() money.Decimal {
	switch g.IntN(5) {
	case 0:
		return money.FromInt(g.Int64N(5))
	case 1:
		return money.FromInt(g.Int64N(1000)).Shift(-g.IntN(3))
	case 2:
		return money.FromInt(g.Int64N(1_000_000_000_000_000)).Shift(-12)
	case 3:
		return money.FromInt(g.Int64N(1_000_000_000_000_000))
	default:
		whole := money.FromInt(g.Int64N(1_000_000_000_000_000))
		return whole.Add(money.FromInt(g.Int64N(1_000_000_000_000)).Shift(-12))
	}
}

func (g generator) quantities() []money.Decimal {
	quantities := make([]money.Decimal, 1+g.IntN(8))
	for i := range quantities {
		quantities[i] = g.decimal()
	}
	return quantities
}

func (g generator) component(kind Kind) Component {
	c := Component{Kind: kind, Scheme: schemes[g.IntN(len(schemes))]}
	switch kind {
	case BaseFee:
		c.Scheme = Linear
	case Seat:
		c.Frequency = Monthly
	default:
		c.Type = string("abc"[g.IntN(3)])
	}
	if kind == Outcome && c.Scheme == Package {
		c.Scheme = Volume
	}
	switch c.Scheme {
	case Linear:
		c.Price = g.decimal()
	case Package:
		c.Price = g.decimal()
		c.PackageSize = g.decimal().Add(money.FromInt(1).Shift(-g.IntN(12)))
	default:
		var end money.Decimal
		for range g.IntN(4) {
			end = end.Add(g.decimal()).Add(money.FromInt(1).Shift(-g.IntN(12)))
			here := end
			c.Tiers = append(c.Tiers, Tier{UpTo: &here, Price: g.decimal(), Flat: g.decimal()})
		}
		c.Tiers = append(c.Tiers, Tier{Price: g.decimal(), Flat: g.decimal()})
	}
	return c
}

// oracleRate is written from the definition of each scheme, over fractions.
func oracleRate(c Component, quantity *big.Rat) *big.Rat {
	if quantity.Sign() < 0 {
		minus := oracleRate(c, new(big.Rat).Neg(quantity))
		return minus.Neg(minus)
	}
	price := new(big.Rat)
	if quantity.Sign() == 0 {
		return price
	}
	unit := func(p money.Decimal) *big.Rat {
		if c.Kind == Outcome {
			return new(big.Rat).Quo(rational(p), big.NewRat(100, 1))
		}
		return rational(p)
	}
	switch c.Scheme {
	case Linear:
		return price.Mul(unit(c.Price), quantity)
	case Package:
		filled := new(big.Rat).Quo(quantity, rational(c.PackageSize))
		count, rest := new(big.Int).DivMod(filled.Num(), filled.Denom(), new(big.Int))
		if rest.Sign() > 0 {
			count.Add(count, big.NewInt(1))
		}
		return price.Mul(unit(c.Price), new(big.Rat).SetInt(count))
	}
	// From the highest tier down: the first one whose start lies below the quantity is the one reached.
	left := new(big.Rat).Set(quantity)
	for i := len(c.Tiers) - 1; i >= 0; i-- {
		start := new(big.Rat)
		if i > 0 {
			start = rational(*c.Tiers[i-1].UpTo)
		}
		if left.Cmp(start) <= 0 {
			continue
		}
		if c.Scheme == Volume {
			start = new(big.Rat)
		}
		part := new(big.Rat).Sub(left, start)
		price.Add(price, part.Mul(part, unit(c.Tiers[i].Price)))
		price.Add(price, rational(c.Tiers[i].Flat))
		if c.Scheme == Volume {
			break
		}
		left = start
	}
	return price
}

func rational(d money.Decimal) *big.Rat {
	r, ok := new(big.Rat).SetString(d.String())
	if !ok {
		panic(d.String() + " is not a number to math/big")
	}
	return r
}
