package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"xyra/store"
	"xyra/store/storetest"
)

// where each table belongs on a Citus cluster. Growing tables are distributed by organization; what they or their rules
// are joined with is on every node; the rest stays on the coordinator.
var placements = map[string]string{
	"organizations": "reference", "users": "reference", "api_keys": "reference", "agents": "reference", "billing_models": "reference",
	"billing_model_versions": "reference", "billing_model_components": "reference", "webhook_endpoints": "reference",

	"events": "distributed", "usage_hours": "distributed", "usage_days": "distributed", "usage_periods": "distributed",
	"usage_billed": "distributed", "agent_activity": "distributed", "invoices": "distributed", "invoice_lines": "distributed",
	"invoice_sequences": "distributed", "idempotency_records": "distributed", "audit_entries": "distributed",
	"audit_heads": "distributed", "payments": "distributed", "credits": "distributed", "webhook_deliveries": "distributed",
	"webhook_thresholds": "distributed", "usage_summaries": "distributed", "usage_pending": "distributed",

	"invoice_numbers": "local", "checkout_sessions": "local", "stripe_events": "local", "login_attempts": "local", "jobs": "local",
	"recording_epoch": "local", "goose_db_version": "local",
}

func postgres(t *testing.T) (store.Options, *store.DB) {
	t.Helper()
	target := storetest.Postgres(t)
	target.Now = storetest.NewClock(storetest.Start).Now
	return target, storetest.Open(t, target)
}

func connect(t *testing.T, target store.Options) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), target.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// list reads one column of text.
func list(t *testing.T, conn *pgx.Conn, query string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// tablesAt are the tables of one placement.
func tablesAt(placement string) (names []string) {
	for name, at := range placements {
		if at == placement {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestDistribute_EveryTableHasItsPlace(t *testing.T) {
	t.Parallel()
	_, db := postgres(t)
	names, found, err := store.Placements(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		if placements[name] == "" {
			t.Errorf("table %s is new and would be %s: say in placements where it belongs", name, found[i])
		} else if found[i] != placements[name] {
			t.Errorf("table %s is %s, want %s", name, found[i], placements[name])
		}
	}
	for name := range placements {
		if !slices.Contains(names, name) {
			t.Errorf("there is no table %s any more", name)
		}
	}
}

// Citus refuses any other key: it could not be checked on one node.
func TestDistribute_EveryKeyOfGrowingTablesBeginsWithTheOrganization(t *testing.T) {
	t.Parallel()
	target, _ := postgres(t)
	conn := connect(t, target)
	growing := tablesAt("distributed")
	for _, fault := range list(t, conn, `SELECT i.indexrelid::regclass || ' of ' || i.indrelid::regclass FROM pg_index i
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = ANY($1::text[]::regclass[]) AND i.indisunique AND a.attname <> 'organization_id'`, growing) {
		t.Errorf("unique key %s does not begin with organization_id", fault)
	}
	for _, fault := range list(t, conn, `SELECT c::text FROM unnest($1::text[]::regclass[]) c
		WHERE NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c AND i.indisprimary)`, growing) {
		t.Errorf("table %s has no primary key", fault)
	}
	for _, fault := range list(t, conn, `SELECT k.conname || ' of ' || k.conrelid::regclass FROM pg_constraint k
		JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
		JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
		WHERE k.contype = 'f' AND k.conrelid = ANY($1::text[]::regclass[])
		AND (a.attname <> 'organization_id' OR b.attname <> 'organization_id' OR NOT k.confrelid = ANY($1::text[]::regclass[]))`, growing) {
		t.Errorf("foreign key %s does not lead from organization_id to that of another growing table", fault)
	}
	// Neither a default nor a trigger may run where the organization's node does not know what it needs.
	for _, fault := range list(t, conn, `SELECT tgname || ' of ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = ANY($1::text[]::regclass[])
		UNION ALL SELECT attname || ' of ' || attrelid::regclass FROM pg_attribute WHERE attidentity <> '' AND attrelid = ANY($1::text[]::regclass[])`, growing) {
		t.Errorf("%s: triggers and identity columns do not belong on a growing table", fault)
	}
}

// citus stands in for the extension's calls and holds the rules that the order of the calls must keep. It spreads nothing.
const citus = `
	CREATE TABLE pg_dist_local_group (groupid INTEGER NOT NULL);
	INSERT INTO pg_dist_local_group VALUES (0);
	CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY, partmethod "char", repmodel "char", beside TEXT, place BIGSERIAL);
	CREATE FUNCTION create_reference_table(relation regclass) RETURNS VOID LANGUAGE plpgsql AS $$ BEGIN
		IF current_setting('citus.enable_local_reference_table_foreign_keys', TRUE) IS DISTINCT FROM 'off' THEN
			RAISE EXCEPTION 'cannot complete operation on a table with identity column';
		END IF;
		IF EXISTS (SELECT 1 FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid = relation AND k.confrelid <> relation
			AND k.confrelid NOT IN (SELECT logicalrelid FROM pg_dist_partition WHERE repmodel = 't')) THEN
			RAISE EXCEPTION 'reference table % has a foreign key to a table that is none', relation;
		END IF;
		INSERT INTO pg_dist_partition VALUES (relation, 'n', 't', '');
	END $$;
	CREATE FUNCTION create_distributed_table(relation regclass, distribution TEXT, colocate_with TEXT) RETURNS VOID LANGUAGE plpgsql AS $$ BEGIN
		IF EXISTS (SELECT 1 FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid = relation
			AND k.confrelid NOT IN (SELECT logicalrelid FROM pg_dist_partition)) THEN
			RAISE EXCEPTION 'distributed table % has a foreign key to a table that is not distributed', relation;
		END IF;
		IF colocate_with <> 'none' AND colocate_with::regclass NOT IN (SELECT logicalrelid FROM pg_dist_partition WHERE partmethod = 'h') THEN
			RAISE EXCEPTION 'cannot place % beside %', relation, colocate_with;
		END IF;
		INSERT INTO pg_dist_partition VALUES (relation, 'h', 's', colocate_with);
	END $$`

func TestDistribute_MigrateSpreadsWhatIsNotSpreadYet(t *testing.T) {
	t.Parallel()
	target, db := postgres(t)
	conn := connect(t, target)
	if _, err := conn.Exec(t.Context(), citus); err != nil {
		t.Fatal(err)
	}
	check := func(more ...string) {
		t.Helper()
		if _, err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		for placement, method := range map[string]string{"reference": "n", "distributed": "h"} {
			want := tablesAt(placement)
			if placement == "distributed" {
				want = append(want, more...)
				slices.Sort(want)
			}
			if got := list(t, conn, `SELECT logicalrelid::text FROM pg_dist_partition WHERE partmethod = $1::"char" ORDER BY logicalrelid::text COLLATE "C"`, method); !slices.Equal(got, want) {
				t.Errorf("%s tables are %v, want %v", placement, got, want)
			}
		}
		if alone := list(t, conn, `SELECT logicalrelid::text FROM pg_dist_partition WHERE beside = 'none'`); len(alone) != 1 {
			t.Errorf("%v start a group of their own, want one table", alone)
		}
	}
	check()
	check() // nothing is spread twice: its row would be
	if _, err := conn.Exec(t.Context(), `CREATE TABLE refunds (organization_id BIGINT, id BIGINT, invoice_id BIGINT, PRIMARY KEY (organization_id, id),
		FOREIGN KEY (organization_id, invoice_id) REFERENCES invoices (organization_id, id))`); err != nil {
		t.Fatal(err)
	}
	check("refunds") // a table of a later version
}

func TestDistribute_RefusesAWorker(t *testing.T) {
	t.Parallel()
	target, db := postgres(t)
	if _, err := connect(t, target).Exec(t.Context(), strings.Replace(citus, "VALUES (0)", "VALUES (2)", 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context()); !errors.Is(err, store.ErrWorkerNode) {
		t.Errorf("migrating on a worker answers %v, want %v", err, store.ErrWorkerNode)
	}
}
