package store_test

import (
	"errors"
	"reflect"
	"testing"

	"xyra"
	"xyra/store"
	"xyra/store/storetest"
)

func noteTables(string, int64) {}

func sqlite(t *testing.T) *store.DB {
	t.Helper()
	target := storetest.SQLite(t)
	target.Now = storetest.NewClock(storetest.Start).Now
	return storetest.Open(t, target)
}

// What was stored is there after a copy, to the byte and the last digit, and new rows get the ids that they would have got.
func TestCopy_PostgresContinuesWhereSQLiteWas(t *testing.T) {
	t.Parallel()
	from := sqlite(t)
	seed(t, from)
	awkward := "tab\t newline\n return\r backslash\\ \\N \\. \\x41 ☃"
	write := func(db *store.DB, name string) (id xyra.OrganizationID) {
		err := db.Tx(t.Context(), func(tx *store.Tx) (err error) {
			tx.Audit(xyra.Caller{}, xyra.AuditEntry{Action: name})
			id, err = tx.InsertOrganization(t.Context(), xyra.Organization{Name: name, Description: &awkward, Settings: []byte(`{}`), Timezone: "UTC", Currency: "USD"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	second := write(from, "second")
	ids, err := from.EventIDs(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}

	_, to := postgres(t)
	copied := map[string]int64{}
	if err := store.Copy(t.Context(), from, to, func(table string, rows int64) { copied[table] = rows }); err != nil {
		t.Fatal(err)
	}
	if copied["organizations"] != 2 || copied["invoice_lines"] != 1 || copied["audit_entries"] != 2 {
		t.Errorf("copied %v", copied)
	}
	for _, read := range []func(*store.DB) (any, error){
		func(db *store.DB) (any, error) { return db.Organization(t.Context(), second) },
		func(db *store.DB) (any, error) { return db.Invoice(t.Context(), 1, 1) },
		func(db *store.DB) (any, error) { return db.Credits(t.Context(), 1) },
		func(db *store.DB) (any, error) { return db.BillingModel(t.Context(), 1, 1) },
	} {
		was, err := read(from)
		is, err2 := read(to)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(was, is) {
			t.Errorf("SQLite has %+v, PostgreSQL %+v", was, is)
		}
	}
	if o, err := to.Organization(t.Context(), second); err != nil || *o.Description != awkward {
		t.Errorf("the text became %q, %v", *o.Description, err)
	}
	if third := write(to, "third"); third != second+1 {
		t.Errorf("the next organization has id %d, want %d", third, second+1)
	}
	if more, err := to.EventIDs(t.Context(), 1); err != nil || more[0] <= ids[2] {
		t.Errorf("the next event has id %v, those before %v: %v", more, ids, err)
	}
	faults, err := to.VerifyAudit(t.Context())
	if err != nil || len(faults) > 0 {
		t.Errorf("audit chains: %v %v", faults, err)
	}
}

func TestCopy_FillsOnlyWhatIsEmpty(t *testing.T) {
	t.Parallel()
	from := sqlite(t)
	seed(t, from)
	_, to := postgres(t)
	if err := store.Copy(t.Context(), from, to, noteTables); err != nil {
		t.Fatal(err)
	}
	if err := store.Copy(t.Context(), from, to, noteTables); !errors.Is(err, store.ErrCopyNotEmpty) {
		t.Errorf("a second copy answers %v, want %v", err, store.ErrCopyNotEmpty)
	}
	if err := store.Copy(t.Context(), to, from, noteTables); !errors.Is(err, store.ErrCopyKinds) {
		t.Errorf("a copy backwards answers %v, want %v", err, store.ErrCopyKinds)
	}
	if agents, err := to.Agents(t.Context(), 1, false, 0, 10); err != nil || len(agents) != 1 {
		t.Errorf("after that there are %d agents, %v", len(agents), err)
	}
}
