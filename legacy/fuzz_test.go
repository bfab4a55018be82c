package legacy

import (
	"database/sql"
	"encoding/json"
	"testing"
	"time"

	"xyra/money"
)

// fuzzColumns are columns of all tables that are read.
var fuzzColumns = []string{"id", "name", "email", "hashed_password", "status", "timezone", "settings", "created_at", "is_active", "quantity", "unit_price",
	"amount", "currency", "config", "invoice_metadata", "issue_date", "billing_email", "agent_id", "organization_id", "total_amount", "model_type"}

// A row of the old database with any texts in it becomes something that can be kept, with a remark for what could not be read.
func FuzzRow(f *testing.F) {
	for _, text := range []string{"1", "-1.5e3", "NaN", "Infinity", "2024-01-01 10:00:00.123456+00", "infinity", "t", `{"a":1,"a":2}`, "[", "null", "eur ", "\x00", "Europe/Berlin", "0.1234567890123456789"} {
		f.Add(text, "7")
	}
	f.Fuzz(func(t *testing.T, text, other string) {
		if len(text)+len(other) > 200 {
			return
		}
		r := record{table: "row", columns: map[string]int{}, say: &remarks{}}
		for i, column := range fuzzColumns {
			r.columns[column] = i
			r.values = append(r.values, sql.NullString{String: []string{text, other}[i%2], Valid: true})
		}
		totals := newTotals()
		organization(r)
		user(r)
		agent(r)
		billingModel(r, configs{})
		apiKey(r)
		i := invoice(r, []record{r}, totals)
		if i.CreatedAt.After(time.Date(300000, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Fatalf("%q is the time %s", text, i.CreatedAt)
		}
		for _, column := range fuzzColumns {
			d, rounded := r.decimal(column)
			exact, err := money.ParseExact(*r.text(column))
			if err == nil && !d.Sub(rounded).Equal(exact) {
				t.Fatalf("%q is %s, rounded by %s", *r.text(column), d, rounded)
			}
			if raw := r.json(column, '{'); raw != nil && !json.Valid(raw) {
				t.Fatalf("%q is JSON %q", *r.text(column), raw)
			}
		}
	})
}
