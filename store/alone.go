package store

import (
	"errors"
	"io"
)

// ErrHeld means that another process serves or migrates the SQLite file.
var ErrHeld = errors.New("another process serves or migrates this database")

// hold keeps other processes from opening the file Alone until it is closed, or this process has ended in whatever way. The
// lock is on a file beside the database: closing the database's own file would take SQLite's locks from this process.
func (o Options) hold() (io.Closer, error) {
	if o.URL != "" || !o.Alone {
		return free{}, nil
	}
	return holdFile(o.Path + ".lock")
}

// free holds nothing.
type free struct{}

// Close implements io.Closer.
func (free) Close() error { return nil }
