package store_test

import (
	"slices"
	"strings"
	"testing"

	"xyra/store"
	"xyra/store/storetest"
)

// releasedSchema is the version of the release before. Each release moves it; see docs/operations.md, "A new release".
const releasedSchema = 6

// columnsText lists table, column, type, whether a row may leave it out, and whether it may be NULL.
const columnsText = `SELECT c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' ||
		CASE WHEN a.attnotnull THEN CASE WHEN d.oid IS NULL AND a.attidentity = '' THEN 'needed' ELSE 'filled' END ELSE 'optional' END
	FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1`

// rulesText lists what may refuse a write: table, then the columns that it looks at, then the rule.
const rulesText = `SELECT c.relname || '|' || (SELECT string_agg(a.attname, ' ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)) ||
			'|' || pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
			WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique
	UNION ALL SELECT c.relname || '|' || COALESCE((SELECT string_agg(a.attname, ' ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey)), '') ||
			'|' || pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
			WHERE c.relnamespace = 'public'::regnamespace AND k.contype IN ('c', 'f', 'x')
	UNION ALL SELECT c.relname || '||trigger ' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
			WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal ORDER BY 1`

// Promise 24: replicas of the release before go on writing while this version migrates and serves beside them. So a migration
// takes nothing away, and asks of the old tables nothing that those replicas do not know of.
func TestMigrate_LeavesRoomForTheReleaseBefore(t *testing.T) {
	t.Parallel()
	old := open(t, oldDatabase(t, store.Options{URL: "PostgreSQL"}, releasedSchema))
	now := open(t, storetest.Postgres(t))
	read := func(db *store.DB, text string) []string {
		rows, err := store.Texts(t.Context(), db, text)
		must(t, err)
		return rows
	}
	were, are := read(old, columnsText), read(now, columnsText)
	tables, added := map[string]bool{}, map[string]string{}
	for _, column := range were {
		table, _, _ := strings.Cut(column, " ")
		tables[table] = true
		if !slices.Contains(are, column) && !slices.Contains(are, strings.Replace(column, " needed", " optional", 1)) && !slices.Contains(are, strings.Replace(column, " needed", " filled", 1)) {
			t.Errorf("the release before writes %q, and that is changed or gone", column)
		}
	}
	for _, column := range are {
		words := strings.Fields(column)
		if !tables[words[0]] || slices.ContainsFunc(were, func(was string) bool { return strings.HasPrefix(was, words[0]+" "+words[1]+" ") }) {
			continue
		}
		added[words[0]+" "+words[1]] = words[len(words)-1]
		if words[len(words)-1] == "needed" {
			t.Errorf("the release before does not know %q: give it a default, or let it be NULL", column)
		}
	}
	known := read(old, rulesText)
	for _, rule := range read(now, rulesText) {
		parts := strings.SplitN(rule, "|", 3)
		if !tables[parts[0]] || slices.Contains(known, rule) {
			continue
		}
		if !slices.ContainsFunc(strings.Fields(parts[1]), func(column string) bool { return added[parts[0]+" "+column] == "optional" }) {
			t.Errorf("%s has a rule that may refuse what the release before writes: %s", parts[0], parts[2])
		}
	}
	if len(were) < 200 || len(known) < 40 {
		t.Errorf("only %d columns and %d rules were compared", len(were), len(known))
	}
}
