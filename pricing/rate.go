package pricing

import "xyra/money"

// Rate returns the exact price of a period's total quantity. Nothing costs nothing,
// whatever flat amounts there are. A negative total, which only corrections make,
// costs minus the price of its size.
func Rate(c Component, quantity money.Decimal) money.Decimal {
	if c.Scheme == Linear {
		return c.UnitPrice().Mul(quantity)
	}
	switch quantity.Sign() {
	case 0:
		return money.Decimal{}
	case -1:
		return Rate(c, quantity.Neg()).Neg()
	}
	switch c.Scheme {
	case Graduated:
		return c.graduated(quantity)
	case Volume:
		return c.volume(quantity)
	case Package:
		return c.UnitPrice().Mul(packages(quantity, c.PackageSize))
	default:
		panic("pricing: unknown scheme " + string(c.Scheme))
	}
}

// Charge returns what quantity adds to the price when the period's total before it was
// before. A linear component does not look at before. A negative quantity takes back.
func Charge(c Component, before, quantity money.Decimal) money.Decimal {
	if c.Scheme == Linear {
		return c.UnitPrice().Mul(quantity)
	}
	return Rate(c, before.Add(quantity)).Sub(Rate(c, before))
}

func (c Component) graduated(quantity money.Decimal) money.Decimal {
	var price, start money.Decimal
	for _, tier := range c.Tiers {
		end := quantity
		if tier.UpTo != nil && tier.UpTo.Cmp(quantity) < 0 {
			end = *tier.UpTo
		}
		price = price.Add(c.inMoney(tier.Price).Mul(end.Sub(start))).Add(tier.Flat)
		start = end
		if start.Equal(quantity) {
			break
		}
	}
	return price
}

func (c Component) volume(quantity money.Decimal) money.Decimal {
	var reached Tier
	for _, tier := range c.Tiers {
		reached = tier
		if tier.UpTo == nil || quantity.Cmp(*tier.UpTo) <= 0 {
			break
		}
	}
	return c.inMoney(reached.Price).Mul(quantity).Add(reached.Flat)
}

// packages counts the started packages that a positive quantity fills.
func packages(quantity, size money.Decimal) money.Decimal {
	count := quantity.QuoHalfAway(size, 0)
	// Rounding to the nearest whole gives either the count or, when it rounded down, one less.
	if count.Mul(size).Cmp(quantity) < 0 {
		count = count.Add(money.FromInt(1))
	}
	return count
}

// Usage is what a calculation is asked about. Seats go to seat components. Actions and
// OutcomeValue count once for every component of their kind, on top of the quantity or
// value of its own type; types that no component has count nothing.
type Usage struct {
	Seats        money.Decimal
	Actions      money.Decimal
	OutcomeValue money.Decimal
	Activities   map[string]money.Decimal // by action type
	Outcomes     map[string]money.Decimal // by outcome type
}

// Calculate returns the exact price of u from nothing: each base fee once, and each
// seat, activity and outcome component for the quantity that u has for it.
func Calculate(components []Component, u Usage) money.Decimal {
	var sum money.Decimal
	for _, c := range components {
		sum = sum.Add(Rate(c, u.quantity(c)))
	}
	return sum
}

func (u Usage) quantity(c Component) money.Decimal {
	switch c.Kind {
	case BaseFee:
		return money.FromInt(1)
	case Seat:
		return u.Seats
	case Activity:
		return u.Actions.Add(u.Activities[c.Type])
	case Outcome:
		return u.OutcomeValue.Add(u.Outcomes[c.Type])
	default:
		panic("pricing: unknown kind " + string(c.Kind))
	}
}
