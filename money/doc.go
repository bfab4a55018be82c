// Package money keeps exact decimals and currencies.
//
// A Decimal is exact from the text it came in to the text it leaves as: sums and
// products keep every digit, and only the operations that carry a rounding mode
// in their name ever drop one. Small coefficients live in an int64 and cost no
// allocation; what does not fit moves to a big.Int and back, unseen by callers.
// Values are immutable and may be shared between goroutines.
//
// The package refuses to know binary fractions: there is no way in from them and
// no way out to them, and a database column of that kind is an error.
package money
