package legacy

import (
	"reflect"
	"slices"
	"time"

	"xyra"
	"xyra/money"
)

// Report is what an import has to say, one part for each organization in order of id. The first part is of what belongs to
// none.
type Report struct {
	Ignored []string // tables and columns of the source that are not read
	Parts   []Part
}

// Part is about one organization.
type Part struct {
	Organization xyra.OrganizationID // 0: users without one
	Name         string
	Added, Known int64 // rows that this run has added, rows that were there already
	Rounded      int   // numbers cut to the decimal places that are kept
	Totals       []Total
	Notes        []string // what is the same in other words
	Differences  []string // what is not the same
}

// Holds tells whether everything is here as it was there.
func (r *Report) Holds() bool {
	for _, p := range r.Parts {
		if len(p.Differences) > 0 || slices.ContainsFunc(p.Totals, func(t Total) bool { return !t.Holds() }) {
			return false
		}
	}
	return true
}

// changed names the fields in which what is stored differs from what is imported.
func changed(stored, imported any, except ...string) (fields []string) {
	a, b := reflect.ValueOf(stored), reflect.ValueOf(imported)
	for i := range a.NumField() {
		name := a.Type().Field(i).Name
		if !slices.Contains(except, name) && !alike(a.Field(i).Interface(), b.Field(i).Interface()) {
			fields = append(fields, name)
		}
	}
	return fields
}

func alike(a, b any) bool {
	switch x := a.(type) {
	case money.Decimal:
		return x.Equal(b.(money.Decimal))
	case time.Time:
		return x.Equal(b.(time.Time))
	case *time.Time:
		y := b.(*time.Time)
		return x == y || x != nil && y != nil && x.Equal(*y)
	}
	return reflect.DeepEqual(a, b)
}
