package store

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// OpenFault is why a database could not be opened or migrated, as far as it has a known remedy.
type OpenFault string

// The faults that OpenFaultOf tells apart.
const (
	FaultOther         OpenFault = ""
	FaultUnreachable   OpenFault = "unreachable" // no server answers there, or not in time
	FaultHandshake     OpenFault = "handshake"   // it answers, and does not agree on TLS or parameters
	FaultStarting      OpenFault = "starting"    // it answers, and takes no connections now
	FaultCredentials   OpenFault = "credentials"
	FaultNoDatabase    OpenFault = "no database"
	FaultRights        OpenFault = "rights" // the user may not make or read the tables
	FaultFull          OpenFault = "full"   // connections or disk
	FaultNotADatabase  OpenFault = "not a database"
	FaultFileForbidden OpenFault = "file forbidden"
	FaultBusy          OpenFault = "busy" // another process holds the file
	FaultNewerSchema   OpenFault = "newer schema"
	FaultOlderSchema   OpenFault = "older schema"
)

// OpenFaultOf finds the fault in an error of Open, Migrate or CheckSchema.
func OpenFaultOf(err error) OpenFault {
	switch {
	case errors.Is(err, ErrNewerSchema):
		return FaultNewerSchema
	case errors.Is(err, ErrOlderSchema):
		return FaultOlderSchema
	case errors.Is(err, ErrHeld):
		return FaultBusy
	}
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return postgresFaults[pg.Code]
	}
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		return sqliteFaults[lite.Code()&0xff]
	}
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return FaultUnreachable
	case errors.As(err, &connect):
		return FaultHandshake
	}
	return FaultOther
}

var postgresFaults = map[string]OpenFault{
	"28P01": FaultCredentials, "28000": FaultCredentials, "3D000": FaultNoDatabase, "42501": FaultRights,
	"57P03": FaultStarting, "57P01": FaultStarting, "53300": FaultFull, "53100": FaultFull,
}

var sqliteFaults = map[int]OpenFault{
	sqlite3.SQLITE_NOTADB: FaultNotADatabase, sqlite3.SQLITE_CORRUPT: FaultNotADatabase, sqlite3.SQLITE_CANTOPEN: FaultFileForbidden,
	sqlite3.SQLITE_READONLY: FaultFileForbidden, sqlite3.SQLITE_PERM: FaultFileForbidden, sqlite3.SQLITE_FULL: FaultFull,
	sqlite3.SQLITE_BUSY: FaultBusy, sqlite3.SQLITE_LOCKED: FaultBusy,
}
