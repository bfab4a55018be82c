package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrWorkerNode means that the address is a worker of a Citus cluster. Locks and numbers are the coordinator's: all
// replicas must talk to it.
var ErrWorkerNode = errors.New("this PostgreSQL is a worker node of a Citus cluster: connect to its coordinator")

// placement is where a table's rows are when the Citus extension is installed.
type placement int

const (
	local       placement = iota // on the coordinator: nothing is joined with it
	reference                    // on every node, for joins and foreign keys
	distributed                  // on the node of its organization
)

// placedTable is a table as the catalog knows it.
type placedTable struct {
	name       string
	keyed      bool // organization_id is the first column of its primary key
	references []string
	placement
}

// A shard's name ends with its number; Citus hides shards, unless a setting shows them.
const tablesText = `SELECT c.relname,
		COALESCE((SELECT a.attname = 'organization_id' FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
			WHERE i.indrelid = c.oid AND i.indisprimary), FALSE),
		COALESCE((SELECT string_agg(DISTINCT f.relname, ' ' ORDER BY f.relname) FROM pg_constraint k JOIN pg_class f ON f.oid = k.confrelid
			WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid <> c.oid), '')
	FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND c.relname !~ '_[0-9]{6,}$' ORDER BY c.relname`

// tables lists all tables with their placement, each after those that it references.
func (r Reader) tables(ctx context.Context) ([]placedTable, error) {
	list, err := collect(ctx, r, "tables", func(r row) (t placedTable, err error) {
		var references string
		err = r.Scan(&t.name, &t.keyed, &references)
		t.references = strings.Fields(references)
		return t, err
	}, tablesText)
	return placed(list), err
}

// placed orders tables by their foreign keys and decides where each belongs. There is no list to keep: a table whose
// primary key begins with organization_id, and which references only tables like it, is distributed; of the others, those
// with foreign keys from or to them are reference tables.
func placed(list []placedTable) []placedTable {
	byName, referenced := map[string]placedTable{}, map[string]bool{}
	for _, t := range list {
		byName[t.name] = t
		for _, name := range t.references {
			referenced[name] = true
		}
	}
	ordered := make([]placedTable, 0, len(list))
	where := map[string]placement{}
	var place func(t placedTable)
	place = func(t placedTable) {
		if _, done := where[t.name]; done {
			return
		}
		if len(t.references) > 0 || referenced[t.name] {
			t.placement = reference
		}
		apart := t.keyed
		for _, name := range t.references {
			place(byName[name])
			apart = apart && where[name] == distributed
		}
		if apart {
			t.placement = distributed
		}
		where[t.name] = t.placement
		ordered = append(ordered, t)
	}
	for _, t := range list {
		place(t)
	}
	return ordered
}

// distributeLock keeps two starting processes from distributing at once.
const distributeLock = recordingLock + 1

// distribute spreads the tables over the nodes of a Citus cluster; without the extension it does nothing. What is spread
// already stays as it is, so every migration may add tables.
func (db *DB) distribute(ctx context.Context) error {
	if !db.d.postgres {
		return nil
	}
	installed, err := value[bool](ctx, db.Reader, "citus", `SELECT to_regclass('pg_dist_partition') IS NOT NULL`)
	if err != nil || !installed {
		return err
	}
	node, err := value[int64](ctx, db.Reader, "citus node", `SELECT groupid FROM pg_dist_local_group`)
	if err != nil {
		return err
	}
	if node != 0 {
		return ErrWorkerNode
	}
	// Each table is spread by a transaction of its own: one that is large has its rows copied, and keeps none waiting.
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin distribution: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it holds a lock and has written nothing
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, distributeLock); err != nil {
		return fmt.Errorf("lock distribution: %w", err)
	}
	return db.distributeTables(ctx)
}

func (db *DB) distributeTables(ctx context.Context) error {
	done, err := collect(ctx, db.Reader, "citus tables", scanValue[string], `SELECT c.relname FROM pg_dist_partition p JOIN pg_class c ON c.oid = p.logicalrelid
		WHERE c.relnamespace = current_schema()::regnamespace AND (p.partmethod = 'h' OR p.repmodel = 't')`)
	if err != nil {
		return err
	}
	tables, err := db.tables(ctx)
	if err != nil {
		return err
	}
	beside := "none" // the first starts a group of its own, the others join it: joins stay on one node
	for _, t := range tables {
		if t.placement == distributed && slices.Contains(done, t.name) {
			beside = t.name
			break
		}
	}
	for _, t := range tables {
		if t.placement == local || slices.Contains(done, t.name) {
			continue
		}
		if t.placement == reference {
			err = db.spread(ctx, t.name, `SELECT create_reference_table($1::text::regclass)`, t.name)
		} else {
			err = db.spread(ctx, t.name, `SELECT create_distributed_table($1::text::regclass, 'organization_id', colocate_with => $2)`, t.name, beside)
			beside = t.name
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keepLocal keeps Citus from managing tables by itself because they reference a reference table. Up to version 12.1 it
// cannot turn such a table into a reference table afterwards if it has an identity column, see
// https://github.com/citusdata/citus/issues/7036. Without Citus the setting means nothing.
const keepLocal = `SET LOCAL citus.enable_local_reference_table_foreign_keys TO off`

func (db *DB) spread(ctx context.Context, table, text string, args ...any) error {
	return db.Tx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, "keep local tables", keepLocal); err != nil {
			return err
		}
		_, err := tx.exec(ctx, "spread "+table, text, args...)
		return err
	})
}
