package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"xyra/store"
	"xyra/store/storetest"
)

// rounds is how often something is tried: all of it with XYRA_TEST_LONG.
func rounds(short, long int) int {
	if os.Getenv("XYRA_TEST_LONG") != "" {
		return long
	}
	return short
}

// starter is what a process is told that starts on a database.
type starter struct {
	Alone bool
}

// starting migrates in a process of its own. Each statement of a migration is a step.
func starting(t *testing.T) bool {
	return storetest.OnErrand(t, func(e *storetest.Envoy) {
		var s starter
		e.ReadArgs(&s)
		db, err := store.Open(t.Context(), store.Options{Path: e.Path, URL: e.URL, Alone: s.Alone, Now: time.Now, SlowAfter: time.Hour,
			Watch: func(_ context.Context, statement string, _, _ time.Time) { e.Step(statement) }})
		if errors.Is(err, store.ErrHeld) {
			e.Say("held")
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		e.Begin()
		steps, err := db.Migrate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e.Say(strconv.Itoa(steps))
		if err := db.CheckSchema(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// bare is a database of a target's kind that has nothing in it.
func bare(t *testing.T, kind store.Options) store.Options {
	t.Helper()
	target := store.Options{Path: filepath.Join(t.TempDir(), "xyra.db"), Now: time.Now}
	if kind.URL == "" {
		return target
	}
	target = storetest.Postgres(t)
	target.Now = time.Now
	db := storetest.Open(t, target)
	must(t, store.Do(t.Context(), db, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`))
	return target
}

func open(t *testing.T, target store.Options) *store.DB {
	t.Helper()
	target.Now = time.Now
	return storetest.Open(t, target)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kept is what an old database holds when it is migrated.
const kept = `INSERT INTO organizations (name, status, timezone, settings, currency, created_at, updated_at) VALUES ('Kept', 'active', 'UTC', '{}', 'USD', 1, 1);
	INSERT INTO invoices (organization_id, id, number, sequence, is_generated, period, currency, status, amount, tax_amount, issue_date, due_date, created_at, updated_at)
		VALUES (1, 1, 'K-1', 1, TRUE, 202401, 'USD', 'pending', '12.5', '0', 1, 2, 1, 1);
	INSERT INTO invoice_lines (organization_id, invoice_id, id, description, quantity, unit_price, amount, item_type, created_at, updated_at)
		VALUES (1, 1, 1, 'Work', '5', '2.5', '12.5', 'work', 1, 1);
	INSERT INTO checkout_sessions (id, organization_id, invoice_id) VALUES ('cs_1', 1, 1)`

// oldDatabase is one that has been migrated to a version, with rows in it if it has tables.
func oldDatabase(t *testing.T, kind store.Options, version int64) store.Options {
	t.Helper()
	target := bare(t, kind)
	if version == 0 {
		return target
	}
	db, err := store.Open(t.Context(), target)
	must(t, err)
	must(t, store.MigrateTo(t.Context(), db, version))
	must(t, store.Do(t.Context(), db, kept))
	must(t, db.Close())
	return target
}

// What a schema is made of, one text for each part.
const (
	sqliteSchema   = `SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY 1`
	postgresSchema = `SELECT c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || a.attnotnull || COALESCE(pg_get_expr(d.adbin, d.adrelid), '')
			FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
			WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S') AND a.attnum > 0
		UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE c.relnamespace = 'public'::regnamespace
		UNION ALL SELECT conrelid::regclass::text || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`
)

// stepsTaken are the versions that a database has been brought to.
const stepsTaken = `SELECT CAST(version_id AS TEXT) FROM goose_db_version ORDER BY version_id`

// form is all that the migrations have made of a database.
func form(t *testing.T, db *store.DB) (parts []string) {
	t.Helper()
	schema := sqliteSchema
	if db.IsPostgres() {
		schema = postgresSchema
	}
	for _, text := range []string{schema, stepsTaken} {
		rows, err := store.Texts(t.Context(), db, text)
		must(t, err)
		parts = append(parts, rows...)
	}
	return parts
}

// mustBeWhole compares a database with one that was migrated at once, and looks for the rows that it had.
func mustBeWhole(t *testing.T, target store.Options, whole []string, rows bool) {
	t.Helper()
	db, err := store.Open(t.Context(), target)
	must(t, err)
	defer db.Close()
	must(t, db.CheckSchema(t.Context()))
	if got := form(t, db); !slices.Equal(got, whole) {
		t.Errorf("has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(whole, "\n"))
	}
	if !rows {
		return
	}
	got, err := store.Texts(t.Context(), db, `SELECT o.name || ' ' || i.number || ' ' || CAST(i.amount AS TEXT) || ' ' || l.description || ' ' || s.id || ' ' || s.status
		FROM organizations o, invoices i, invoice_lines l, checkout_sessions s`)
	must(t, err)
	if want := []string{"Kept K-1 12.5 Work cs_1 open"}; !slices.Equal(got, want) {
		t.Errorf("the rows of before are %q, want %q", got, want)
	}
}

// Promise 24: five processes that start at once on an empty, old or half-migrated database migrate it once. On PostgreSQL all
// of them then serve; a SQLite file is one's, and the others are told so.
func TestMigrate_StartersTogetherMigrateOnce(t *testing.T) {
	if starting(t) {
		return
	}
	storetest.EachTarget(t, func(t *testing.T, kind store.Options) {
		levels, whole := oldLevels(t, kind), form(t, open(t, kind))
		for n := range rounds(2, 50) {
			level := levels[rand.IntN(len(levels))]
			if n < len(levels) && n%2 == 0 {
				level = levels[n]
			}
			target := oldDatabase(t, kind, level)
			half := n%2 == 1
			if half { // somebody died on the way before
				storetest.Send(t, storetest.Errand{Path: target.Path, URL: target.URL, DiesAt: 1 + rand.IntN(40)}).Wait()
			}
			startTogether(t, target, half)
			mustBeWhole(t, target, whole, level > 0)
		}
	})
}

// oldLevels are the versions that a database may have, 0 for none.
func oldLevels(t *testing.T, kind store.Options) []int64 {
	t.Helper()
	versions, err := store.Versions(open(t, kind))
	must(t, err)
	return append([]int64{0}, versions...)
}

const startersAtOnce = 5

// startTogether sends the starters and adds up what they say they did.
func startTogether(t *testing.T, target store.Options, half bool) {
	t.Helper()
	db, err := store.Open(t.Context(), target)
	must(t, err)
	versions, err := store.Versions(db)
	must(t, err)
	due := len(versions)
	if has, err := store.Texts(t.Context(), db, stepsTaken); err == nil {
		due -= len(has) - 1 // goose's own zero
	}
	must(t, db.Close())
	var processes []*storetest.Process
	for range startersAtOnce {
		processes = append(processes, storetest.Send(t, storetest.Errand{Path: target.Path, URL: target.URL, Args: starter{Alone: true}}))
	}
	taken, held := 0, 0
	for _, p := range processes {
		said := strings.Join(p.Wait().Said, " ")
		if said == "held" {
			held++
			continue
		}
		steps, err := strconv.Atoi(said)
		must(t, err)
		taken += steps
	}
	if taken != due || held > 0 && target.URL != "" || held == startersAtOnce {
		t.Errorf("%d starters took %d steps of %d, %d were refused (half-migrated before: %v)", startersAtOnce, taken, due, held, half)
	}
}

// Promise 24: a process that is killed after any statement of a migration leaves the step undone or done, and the next start
// brings the schema to its end, with all rows.
func TestMigrate_KilledAtAnyStatementHeals(t *testing.T) {
	if starting(t) {
		return
	}
	storetest.EachTarget(t, func(t *testing.T, kind store.Options) {
		whole := form(t, open(t, kind))
		for _, level := range []int64{0, 1} {
			alive := oldDatabase(t, kind, level)
			points := rand.Perm(len(storetest.Send(t, storetest.Errand{Path: alive.Path, URL: alive.URL}).Wait().Steps))
			for _, point := range points[:min(rounds(1+int(level), 30), len(points))] {
				target := oldDatabase(t, kind, level)
				later := time.Duration(0)
				if point%2 == 0 { // while the next statement runs
					later = time.Duration(rand.IntN(1000)) * time.Microsecond
				}
				fate := storetest.Send(t, storetest.Errand{Path: target.Path, URL: target.URL, DiesAt: point + 1, DiesLater: later}).Wait()
				if !fate.Killed && later == 0 {
					t.Errorf("from %d: not killed after statement %d", level, point+1)
				}
				db, err := store.Open(t.Context(), target)
				must(t, err)
				if _, err := db.Migrate(t.Context()); err != nil {
					t.Errorf("from %d, killed %s after statement %d: %v", level, later, point+1, err)
				}
				must(t, db.Close())
				mustBeWhole(t, target, whole, level > 0)
			}
			t.Logf("from %d: %d statements", level, len(points))
		}
	})
}

// A table that a long reading has in use stops the migration and nobody else: what queued behind the migration goes on, and
// the migration gets its turn in the end.
func TestMigrate_WaitsWithoutHoldingOthersUp(t *testing.T) {
	t.Parallel()
	target := oldDatabase(t, store.Options{URL: "PostgreSQL"}, 1) // the next step changes invoices
	db, reader := storetest.Open(t, target), connect(t, target)
	reading, err := reader.Begin(t.Context())
	must(t, err)
	_, err = reading.Exec(t.Context(), `SELECT count(*) FROM invoices`)
	must(t, err)
	migrated := make(chan error, 1)
	go func() {
		_, err := storetest.Open(t, target).Migrate(t.Context())
		migrated <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for waits := 0; waits < 2; { // twice, so that it has let go once
		queued, err := store.Texts(ctx, db, `SELECT CAST(pid AS TEXT) FROM pg_locks WHERE NOT granted AND relation = 'invoices'::regclass`)
		must(t, err)
		if len(queued) == 0 {
			continue
		}
		waits++
		if _, err := store.Texts(ctx, db, `SELECT number FROM invoices`); err != nil { // it queues behind the migration, until that lets go
			t.Fatalf("a request that wants the table: %v", err)
		}
	}
	must(t, reading.Rollback(ctx))
	must(t, <-migrated)
	mustBeWhole(t, target, form(t, open(t, storetest.Postgres(t))), true)
}

// A SQLite file is one process's, and free again once that has ended in whatever way.
func TestOpen_AloneIsOneAtATime(t *testing.T) {
	t.Parallel()
	target := storetest.SQLite(t)
	target.Now, target.Alone = time.Now, true
	first, err := store.Open(t.Context(), target)
	must(t, err)
	if _, err := store.Open(t.Context(), target); !errors.Is(err, store.ErrHeld) || store.OpenFaultOf(err) != store.FaultBusy {
		t.Errorf("a second process: %v, want ErrHeld", err)
	}
	target.Alone = false
	storetest.Open(t, target) // backups and verify stand beside
	must(t, first.Close())
	target.Alone = true
	storetest.Open(t, target)
}
