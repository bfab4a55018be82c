package store

import (
	"context"
	"database/sql/driver"
	"errors"
)

// DropWriter has the pool close its connection for writing.
func DropWriter(ctx context.Context, db *DB) error {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return err
	}
	if err := conn.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
		return errors.Join(errors.New("the connection was not dropped"), err)
	}
	return nil
}
