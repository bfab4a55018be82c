package pricing

import (
	"errors"
	"fmt"

	"xyra/money"
)

// Kind says which quantity a component prices. Its text is stored.
type Kind string

// The kinds of components.
const (
	BaseFee  Kind = "base_fee" // a fixed fee; its quantity is the number of fees, usually 1
	Seat     Kind = "seat"
	Activity Kind = "activity"
	Outcome  Kind = "outcome" // its quantity is the value achieved, its prices are percentages
)

// Scheme says how the price depends on the quantity. Its text is stored.
type Scheme string

// The schemes of prices. Linear is the zero value and is stored as an empty text.
const (
	Linear    Scheme = ""          // every unit costs Price
	Graduated Scheme = "graduated" // every unit costs the price of the tier it falls into
	Volume    Scheme = "volume"    // all units cost the price of the tier that the total reaches
	Package   Scheme = "package"   // every started package of PackageSize units costs Price
)

// How often a seat is billed. The price is that of the whole month, quarter or year.
const (
	Monthly   = "monthly"
	Quarterly = "quarterly"
	Yearly    = "yearly"
)

// tiersMax bounds the work of one event.
const tiersMax = 100

// Component is one priced part of a billing model.
type Component struct {
	Kind        Kind
	Type        string        // the action type or outcome type, compared exactly; empty for fees and seats
	Price       money.Decimal // a fee, or per seat, action or package; for outcomes a percentage: 7.5 is 7.5 %
	Frequency   string        // seats only
	Scheme      Scheme
	Tiers       []Tier        // of Graduated and Volume, in ascending order
	PackageSize money.Decimal // of Package
}

// Tier is a span of quantities: above the end of the tier before it, up to and including UpTo.
type Tier struct {
	UpTo  *money.Decimal // nil has no end
	Price money.Decimal  // per unit; for outcomes a percentage
	Flat  money.Decimal  // an amount owed once when the tier is reached; never a percentage
}

// Validate returns the first thing that makes c impossible to price. That a preset asks
// for a positive price is the preset's own rule and not looked at: here 0 is a price.
func (c Component) Validate() error {
	switch c.Kind {
	case Seat:
		if c.Frequency != Monthly && c.Frequency != Quarterly && c.Frequency != Yearly {
			return fmt.Errorf("unknown billing frequency %q", c.Frequency)
		}
	case BaseFee:
		if c.Scheme != Linear {
			return errors.New("a base fee has no tiers or packages")
		}
	case Activity, Outcome:
		if c.Type == "" {
			return fmt.Errorf("a component of kind %q needs a type", c.Kind)
		}
	default:
		return fmt.Errorf("unknown kind of component %q", c.Kind)
	}
	if c.Kind != Seat && c.Frequency != "" {
		return errors.New("only seats have a billing frequency")
	}
	if (c.Kind == Seat || c.Kind == BaseFee) && c.Type != "" {
		return errors.New("only activities and outcomes have a type")
	}
	return c.validateScheme()
}

func (c Component) validateScheme() error {
	if c.Price.Sign() < 0 {
		return errors.New("a price must not be negative")
	}
	if c.Scheme != Package && !c.PackageSize.IsZero() {
		return errors.New("only packages have a package size")
	}
	if c.Scheme != Graduated && c.Scheme != Volume && len(c.Tiers) > 0 {
		return errors.New("only graduated and volume prices have tiers")
	}
	switch c.Scheme {
	case Linear:
		return nil
	case Package:
		if c.Kind == Outcome {
			return errors.New("a percentage is not sold in packages")
		}
		if c.PackageSize.Sign() <= 0 {
			return errors.New("a package size must be positive")
		}
		return nil
	case Graduated, Volume:
		if !c.Price.IsZero() {
			return errors.New("prices belong to the tiers, not to the component")
		}
		return validateTiers(c.Tiers)
	default:
		return fmt.Errorf("unknown price scheme %q", c.Scheme)
	}
}

func validateTiers(tiers []Tier) error {
	if len(tiers) == 0 || len(tiers) > tiersMax {
		return fmt.Errorf("there must be 1 to %d tiers", tiersMax)
	}
	var end money.Decimal
	for i, tier := range tiers {
		if tier.Price.Sign() < 0 || tier.Flat.Sign() < 0 {
			return fmt.Errorf("tier %d: a price must not be negative", i+1)
		}
		last := i == len(tiers)-1
		switch {
		case last && tier.UpTo != nil:
			return fmt.Errorf("tier %d: the last tier must have no end", i+1)
		case last:
			return nil
		case tier.UpTo == nil:
			return fmt.Errorf("tier %d: only the last tier has no end", i+1)
		case tier.UpTo.Cmp(end) <= 0:
			return fmt.Errorf("tier %d: must end above %s", i+1, end.Plain())
		}
		end = *tier.UpTo
	}
	return nil
}

// Linear tells whether a charge depends on its own quantity only, so that no running total is needed.
func (c Component) Linear() bool { return c.Scheme == Linear }

// UnitPrice returns what one unit of a linear component costs in money: for outcomes
// the percentage as a factor. Tiers and packages have no such price; Rate prices them.
func (c Component) UnitPrice() money.Decimal { return c.inMoney(c.Price) }

// Matches tells whether an event of this kind and type is priced by c. Types are compared exactly.
func (c Component) Matches(kind Kind, typ string) bool { return c.Kind == kind && c.Type == typ }

// inMoney makes a factor of a price that is a percentage.
func (c Component) inMoney(price money.Decimal) money.Decimal {
	if c.Kind == Outcome {
		return price.Shift(-2)
	}
	return price
}

// SeatDue tells whether seats of this frequency are billed in this month, 1 to 12:
// monthly ones in each, quarterly ones in 1, 4, 7 and 10, yearly ones in 1.
func SeatDue(frequency string, month int) bool {
	switch frequency {
	case Monthly:
		return month >= 1 && month <= 12
	case Quarterly:
		return month == 1 || month == 4 || month == 7 || month == 10
	case Yearly:
		return month == 1
	default:
		return false
	}
}
