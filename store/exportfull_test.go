package store

import (
	"context"
	"fmt"
)

// LimitPages fills the disk of a SQLite database when it has so many pages beyond those it has now.
func (db *DB) LimitPages(ctx context.Context, more int64) error {
	var pages int64
	if err := db.write.QueryRowContext(ctx, `PRAGMA page_count`).Scan(&pages); err != nil {
		return err
	}
	_, err := db.write.ExecContext(ctx, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+more))
	return err
}
