package legacy_test

import (
	"database/sql"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"xyra/billing"
	"xyra/legacy"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

// old is an existing deployment's database, made from a file of testdata.
type old struct {
	*testing.T
	address string
	db      *sql.DB
}

func newOld(t *testing.T, fixture string) *old {
	t.Helper()
	address, err := url.Parse(storetest.Postgres(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	query := address.Query()
	query.Set("search_path", "old")
	address.RawQuery = query.Encode()
	o := &old{T: t, address: address.String()}
	query.Set("default_query_exec_mode", "simple_protocol") // a file is many statements
	address.RawQuery = query.Encode()
	if o.db, err = sql.Open("pgx", address.String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.db.Close() })
	text, err := os.ReadFile("testdata/" + fixture)
	if err != nil {
		t.Fatal(err)
	}
	o.exec("CREATE SCHEMA old")
	o.exec(string(text))
	return o
}

func (o *old) exec(statements string) {
	o.Helper()
	if _, err := o.db.ExecContext(o.Context(), statements); err != nil {
		o.Fatal(err)
	}
}

// imported runs an import of the old database into db.
func (o *old) imported(db *store.DB, options legacy.Options) *legacy.Report {
	o.Helper()
	report, err := o.tried(db, options)
	if err != nil {
		o.Fatal(err)
	}
	return report
}

func (o *old) tried(db *store.DB, options legacy.Options) (*legacy.Report, error) {
	o.Helper()
	source, err := legacy.OpenSource(o.Context(), o.address)
	if err != nil {
		o.Fatal(err)
	}
	defer source.Close()
	return legacy.Import(o.Context(), source, db, options)
}

// each imports a fixture into an empty store of each kind.
func each(t *testing.T, fixture string, f func(t *testing.T, o *old, db *store.DB, clock *storetest.Clock)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		clock.Set(time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC))
		f(t, newOld(t, fixture), db, clock)
	})
}

// wantSound fails for every total that does not hold, every difference, and whatever verify finds.
func wantSound(t *testing.T, db *store.DB, report *legacy.Report) {
	t.Helper()
	for _, p := range report.Parts {
		for _, total := range p.Totals {
			if !total.Holds() {
				t.Errorf("%s: %s: %s before, %s after", p.Name, total.Name, total.Before, total.After)
			}
		}
		for _, text := range p.Differences {
			t.Errorf("%s: %s", p.Name, text)
		}
	}
	wantVerified(t, db)
}

func wantVerified(t *testing.T, db *store.DB) {
	t.Helper()
	var faults []string
	for _, check := range []func() ([]string, error){
		func() ([]string, error) { return usage.Verify(t.Context(), db) },
		func() ([]string, error) { return billing.Verify(t.Context(), db) },
		func() ([]string, error) { return db.VerifyAudit(t.Context()) },
	} {
		found, err := check()
		if err != nil {
			t.Fatal(err)
		}
		faults = append(faults, found...)
	}
	for _, fault := range faults {
		t.Errorf("verify: %s", fault)
	}
}

// part is what a report says of an organization.
func part(t *testing.T, report *legacy.Report, name string) legacy.Part {
	t.Helper()
	i := slices.IndexFunc(report.Parts, func(p legacy.Part) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("the report has nothing of %s", name)
	}
	return report.Parts[i]
}

func wantText(t *testing.T, texts []string, want string) {
	t.Helper()
	if !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, want) }) {
		t.Errorf("nothing says %q, only:\n  %s", want, strings.Join(texts, "\n  "))
	}
}
