package api

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"

	"xyra/billing"
	"xyra/usage"
)

// tamperedTables are the books: whatever is changed in them behind the program's back is found. Left out are the columns that
// nothing is proved of: what an event was called or described as, and the month of a cost, which nothing bills by.
var tamperedTables = map[string][]string{
	"invoices": nil, "invoice_lines": nil, "payments": nil, "audit_entries": nil, "audit_heads": nil, "invoice_sequences": nil, "credits": nil,
	"usage_billed":  {"organization_id", "invoice_id", "line_id", "quantity", "charge"},
	"usage_periods": {"period", "agent_id", "version_id", "component", "currency", "quantity", "charge"},
	"usage_hours":   {"hour", "agent_id", "kind", "quantity", "charge"},
	"usage_days":    {"day", "agent_id", "kind", "quantity", "charge"},
	"events":        {"agent_id", "kind", "quantity", "charge"},
}

// tamperer changes one thing at a time in a database, and changes it back.
type tamperer struct {
	t      *testing.T
	db     *sql.DB
	lite   bool
	random *rand.Rand
}

// Promise 25: a byte flipped, a value changed, a row deleted or one put in, anywhere in the books, is found by verify.
func TestVerify_EveryTamperingIsFound(t *testing.T) {
	count := 25
	if os.Getenv("XYRA_TEST_LONG") != "" {
		count = 200
	}
	eachTampered(t, func(st *stage, x *tamperer) {
		wantUntouched(t, st)
		tables := make([]string, 0, len(tamperedTables))
		for table := range tamperedTables {
			tables = append(tables, table)
		}
		for n := range count {
			said, undo := x.tamper(tables[n%len(tables)])
			if faults := st.faults(); len(faults) == 0 {
				st.t.Errorf("not found: %s", said)
			}
			undo()
		}
		wantUntouched(st.t, st)
	})
}

func eachTampered(t *testing.T, f func(st *stage, x *tamperer)) {
	eachStage(t, func(st *stage) {
		x := &tamperer{t: st.t, db: st.sql, lite: !st.s.db.IsPostgres()}
		seed := rand.Uint64()
		x.random = rand.New(rand.NewPCG(seed, 0))
		// Nobody who changes rows behind a program's back is kept by its foreign keys.
		off := "SET session_replication_role = replica"
		if x.lite {
			off = "PRAGMA foreign_keys = OFF"
		}
		x.exec(off)
		st.furnishBooks()
		f(st, x)
		if st.t.Failed() {
			st.t.Logf("seed %d", seed)
		}
	})
}

// furnishBooks gives the organization invoices in every state, with payments.
func (st *stage) furnishBooks() {
	st.t.Helper()
	st.must(http.MethodPost, st.fill(st.own, "/invoices/generate/monthly?org_id={org}&year=2024&month=1"), "root", "")
	for range 3 {
		id := st.fresh(st.own, "invoice")
		st.must(http.MethodPost, "/invoices/"+id+"/payments", "root", `{"amount":3,"payment_method":"wire","reference":"R-1"}`)
	}
	paid, cancelled := st.fresh(st.own, "invoice"), st.fresh(st.own, "invoice")
	st.must(http.MethodPost, "/invoices/"+paid+"/pay", "root", `{"payment_method":"card"}`)
	st.must(http.MethodPost, "/invoices/"+paid+"/payments", "root", `{"amount":2,"payment_method":"wire"}`)
	st.must(http.MethodPost, "/invoices/"+cancelled+"/cancel", "root", "")
	st.must(http.MethodPut, "/invoices/"+st.own["invoice"], "root", `{"notes":"Thank you","invoice_metadata":{"po":"7"}}`)
}

// faults is what verify says.
func (st *stage) faults() (faults []string) {
	st.t.Helper()
	for _, check := range []func() ([]string, error){
		func() ([]string, error) { return usage.Verify(st.t.Context(), st.s.db) },
		func() ([]string, error) { return billing.Verify(st.t.Context(), st.s.db) },
		func() ([]string, error) { return st.s.db.VerifyAudit(st.t.Context()) },
	} {
		found, err := check()
		if err != nil {
			found = []string{err.Error()} // what can no longer be read is found too
		}
		faults = append(faults, found...)
	}
	return faults
}

func wantUntouched(t *testing.T, st *stage) {
	t.Helper()
	if faults := st.faults(); len(faults) > 0 {
		st.t.Fatalf("without tampering: %s", strings.Join(faults, "\n"))
	}
}

func (x *tamperer) exec(text string, args ...any) {
	x.t.Helper()
	if _, err := x.db.Exec(text, args...); err != nil {
		x.t.Fatalf("%s: %v", text, err)
	}
}

// row reads a random row of a table.
func (x *tamperer) row(table string) (columns []string, cells []any) {
	x.t.Helper()
	var count int
	if err := x.db.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&count); err != nil || count == 0 {
		x.t.Fatalf("%s has %d rows, %v", table, count, err)
	}
	rows, err := x.db.Query(fmt.Sprintf("SELECT * FROM %s ORDER BY 1, 2 LIMIT 1 OFFSET %d", table, x.random.IntN(count)))
	if err != nil {
		x.t.Fatal(err)
	}
	defer rows.Close()
	if columns, err = rows.Columns(); err != nil || !rows.Next() {
		x.t.Fatalf("%s: %v", table, err)
	}
	cells = make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	if err := errors.Join(rows.Scan(into...), rows.Err()); err != nil {
		x.t.Fatal(err)
	}
	return columns, cells
}

// tamper changes or deletes a random row, says what it did, and can undo it.
func (x *tamperer) tamper(table string) (said string, undo func()) {
	x.t.Helper()
	columns, cells := x.row(table)
	where, values := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		values[i] = fmt.Sprintf("$%d", i+1)
		where[i] = fmt.Sprintf("%s IS NOT DISTINCT FROM $%d", c, i+1)
	}
	there := strings.Join(where, " AND ")
	into := "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
	insert := func(cells []any) { x.exec(into, cells...) }
	remove := func(cells []any) { x.exec("DELETE FROM "+table+" WHERE "+there, cells...) }
	remove(cells)
	if x.random.IntN(5) == 0 {
		return fmt.Sprintf("%s: row %v deleted", table, cells), func() { insert(cells) }
	}
	for {
		at := x.random.IntN(len(columns))
		changed, ok := x.change(table, columns[at], cells[at])
		if !ok {
			continue
		}
		other := append([]any(nil), cells...)
		other[at] = changed
		if _, err := x.db.Exec(into, other...); err != nil {
			continue // another row is there, or the type does not hold it
		}
		return fmt.Sprintf("%s: %s of %v is %v", table, columns[at], cells, changed), func() { remove(other); insert(cells) }
	}
}

// change is another value of a column; it is false where nothing is proved of it.
func (x *tamperer) change(table, column string, cell any) (any, bool) {
	if proved := tamperedTables[table]; proved != nil && !strings.Contains(" "+strings.Join(proved, " ")+" ", " "+column+" ") {
		return nil, false
	}
	switch v := cell.(type) {
	case int64:
		return v + 1, true
	case bool:
		return !v, true
	case []byte:
		return x.flipped(v), true
	case string:
		if table != "audit_entries" && isDigits(v) { // a decimal
			return "9" + v, true
		}
		return string(x.flipped([]byte(v))), true
	case nil:
		return x.filled(table, column)
	}
	x.t.Fatalf("%s.%s holds %T", table, column, cell)
	return nil, false
}

// flipped has one bit changed, so that text stays text.
func (x *tamperer) flipped(b []byte) []byte {
	if len(b) == 0 {
		return []byte("x")
	}
	b = append([]byte(nil), b...)
	b[x.random.IntN(len(b))] ^= 1
	return b
}

// filled is something where there was nothing.
func (x *tamperer) filled(table, column string) (any, bool) {
	switch column {
	case "reference_id", "payment_date":
		return int64(7), true
	case "hash", "seal", "imported":
		return []byte("x"), true
	}
	return "x", true
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789.-") == "" }

// Invoices that are swapped, renumbered, copied, taken from the end or taken out of the chain are found, and so is a chain that
// was made anew to its end but for the audit log.
func TestVerify_ChainsHoldAgainstCarefulHands(t *testing.T) {
	eachTampered(t, func(st *stage, x *tamperer) {
		org := st.own["org"]
		of := " WHERE organization_id = " + org
		for name, steps := range map[string][]string{
			"two swapped": {"UPDATE invoices SET sequence = -1" + of + " AND sequence = 2", "UPDATE invoices SET sequence = 2" + of + " AND sequence = 3",
				"UPDATE invoices SET sequence = 3" + of + " AND sequence = -1"},
			"last one deleted, counter set back": {"DELETE FROM invoice_lines" + of + " AND invoice_id = (SELECT id FROM invoices" + of + " AND sequence = 4)",
				"DELETE FROM invoices" + of + " AND sequence > 3", "UPDATE invoice_sequences SET sequence = 3, chained = 3, hash = (SELECT hash FROM invoices" + of + " AND sequence = 3)" + of},
			"all forgotten":                    {"DELETE FROM usage_billed" + of, "DELETE FROM credits" + of, "DELETE FROM payments" + of, "DELETE FROM invoice_lines" + of, "DELETE FROM invoices" + of, "DELETE FROM invoice_sequences" + of},
			"taken out of the chain":           {"UPDATE invoices SET hash = NULL" + of, "UPDATE invoice_sequences SET chained = 0, hash = NULL" + of},
			"payments and credit forgotten":    {"DELETE FROM payments" + of, "DELETE FROM credits" + of},
			"paid one open again":              {"UPDATE invoices SET status = 'pending', payment_date = NULL, payment_method = NULL" + of + " AND status = 'paid'"},
			"audit entries cut with their end": {"DELETE FROM audit_entries" + of + " AND sequence > 5", "UPDATE audit_heads SET sequence = 5, hash = (SELECT hash FROM audit_entries" + of + " AND sequence = 5)" + of},
		} {
			restore := x.copyOf("invoices", "invoice_lines", "payments", "credits", "usage_billed", "invoice_sequences", "audit_entries", "audit_heads")
			for _, step := range steps {
				x.exec(step)
			}
			if faults := st.faults(); len(faults) == 0 || !strings.Contains(strings.Join(faults, "\n"), "organization "+org) {
				st.t.Errorf("%s: %q", name, faults)
			}
			restore()
			wantUntouched(st.t, st)
		}
	})
}

// copyOf keeps tables aside and returns what brings them back.
func (x *tamperer) copyOf(tables ...string) (restore func()) {
	for _, table := range tables {
		x.exec("CREATE TEMPORARY TABLE kept_" + table + " AS SELECT * FROM " + table)
	}
	return func() {
		for _, table := range tables {
			x.exec("DELETE FROM " + table)
			x.exec("INSERT INTO " + table + " SELECT * FROM kept_" + table)
			x.exec("DROP TABLE kept_" + table)
		}
	}
}

// What an older program issued is chained at the next start, or before the next invoice, and the audit log says so; until then
// it is not a fault, and after that its bytes are proved like any other's.
func TestVerify_OlderProgramsInvoicesAreChainedLate(t *testing.T) {
	eachTampered(t, func(st *stage, x *tamperer) {
		of := " WHERE organization_id = " + st.own["org"]
		older := func() { // as a program without a chain would have left it
			x.exec("UPDATE invoices SET hash = NULL" + of)
			x.exec("UPDATE invoice_sequences SET chained = 0, hash = NULL" + of)
			x.exec("DELETE FROM audit_entries" + of)
			x.exec("DELETE FROM audit_heads" + of)
			x.exec("DELETE FROM payments" + of)
			x.exec("DELETE FROM credits" + of)
			x.exec("UPDATE invoices SET status = 'pending'" + of + " AND status = 'paid'")
		}
		chained := func() (count int) {
			if err := x.db.QueryRow("SELECT COUNT(*) FROM audit_entries" + of + " AND action = 'invoice.chain'").Scan(&count); err != nil {
				st.t.Fatal(err)
			}
			return count
		}
		older()
		wantUntouched(st.t, st)
		st.must(http.MethodPost, "/invoices/"+st.own["invoice"]+"/pay", "root", `{"payment_method":"card"}`) // a change seals what is not chained yet
		wantUntouched(st.t, st)
		st.fresh(st.own, "invoice")
		wantUntouched(st.t, st)
		before := chained()
		if before < 5 {
			st.t.Errorf("the next invoice chained %d", before)
		}
		older()
		if _, err := st.s.db.Migrate(st.t.Context()); err != nil {
			st.t.Fatal(err)
		}
		if now := chained(); now != before+1 {
			st.t.Errorf("the next start chained %d, want %d", now, before+1)
		}
		wantUntouched(st.t, st)
		x.exec("UPDATE invoice_lines SET description = 'Another'" + of)
		if len(st.faults()) == 0 {
			st.t.Error("a changed line of a chained invoice is not found")
		}
	})
}
