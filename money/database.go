package money

import (
	"database/sql/driver"
	"fmt"
)

// Value hands the text of Canonical to the database.
func (d Decimal) Value() (driver.Value, error) { return d.Canonical(), nil }

// Scan reads what Value wrote, from a text or an integer. Everything else is an
// error: NULL, and above all a binary fraction, which has lost the exact number.
func (d *Decimal) Scan(src any) error {
	var (
		parsed Decimal
		err    error
	)
	switch v := src.(type) {
	case string:
		parsed, err = ParseExact(v)
	case []byte:
		parsed, err = parse(v, digitsMaxExact, digitsMaxExact)
	case int64:
		parsed = FromInt(v)
	default:
		return fmt.Errorf("scan decimal: a column of type %T is not exact text", src)
	}
	if err != nil {
		return fmt.Errorf("scan decimal %q: %w", src, err)
	}
	*d = parsed
	return nil
}
