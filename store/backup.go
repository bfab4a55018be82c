package store

import (
	"context"
	"errors"
)

// ErrBackupElsewhere says that PostgreSQL is backed up with its own tools.
var ErrBackupElsewhere = errors.New("PostgreSQL is backed up with its own tools")

// Backup copies one state of a SQLite database into path, which must be missing or empty, while other processes read and
// write. The caller makes it durable. Pages are read and written anew, so that damage is found now and not at the restore.
func (db *DB) Backup(ctx context.Context, path string) error {
	if db.d.postgres {
		return ErrBackupElsewhere
	}
	if _, err := db.write.ExecContext(ctx, `VACUUM INTO $1`, path); err != nil {
		return db.failed("back up", err)
	}
	return nil
}
