package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"xyra/store"
)

// openFault is a database that could not be opened or migrated.
type openFault struct {
	target target
	err    error
}

// Error implements error.
func (f openFault) Error() string { return f.err.Error() }

// Unwrap implements errors.
func (f openFault) Unwrap() error { return f.err }

// remedy is an error as one line that says what to do.
func remedy(err error) string {
	text := err.Error()
	var fault openFault
	if errors.As(err, &fault) {
		text = fault.remedy()
	}
	return strings.Join(strings.Fields(text), " ")
}

func (f openFault) remedy() string {
	if f.target.URL == "" {
		return f.sqliteRemedy()
	}
	host, user, name := f.server()
	switch store.OpenFaultOf(f.err) {
	case store.FaultUnreachable:
		return fmt.Sprintf("no PostgreSQL server answers at %s: start it, or correct POSTGRES_SERVER and POSTGRES_PORT (or DATABASE_URL)", host)
	case store.FaultHandshake:
		return fmt.Sprintf("the PostgreSQL server at %s does not agree on a connection: %v; correct POSTGRES_OPTIONS (sslmode=require or sslmode=disable) or DATABASE_URL", host, innermost(f.err))
	case store.FaultStarting:
		return fmt.Sprintf("the PostgreSQL server at %s is starting up or shutting down: try again in a moment", host)
	case store.FaultCredentials:
		return fmt.Sprintf("the PostgreSQL server at %s refuses user %q: correct POSTGRES_USER and POSTGRES_PASSWORD (or DATABASE_URL)", host, user)
	case store.FaultNoDatabase:
		return fmt.Sprintf("the PostgreSQL server at %s has no database %q: create it with `%s`, or correct POSTGRES_DB", host, name, createdb(host, user, name))
	case store.FaultRights:
		return fmt.Sprintf("user %q may not make tables in database %q: let it own the database (ALTER DATABASE %q OWNER TO %q), or give it the schema (GRANT ALL ON SCHEMA public TO %q)", user, name, name, user, user)
	case store.FaultFull:
		return fmt.Sprintf("the PostgreSQL server at %s has no room for connections or data: raise max_connections, lower XYRA_POSTGRES_CONNS, or free disk space", host)
	case store.FaultNewerSchema, store.FaultOlderSchema:
		return f.otherSchema()
	}
	return fmt.Sprintf("database %q on %s cannot be used: %v", name, host, f.err)
}

// innermost is the first cause in a chain of errors.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func (f openFault) sqliteRemedy() string {
	path := f.target.Path
	switch store.OpenFaultOf(f.err) {
	case store.FaultNotADatabase:
		return path + " is damaged or no SQLite database: move it away, or choose another folder with XYRA_DATA_DIR"
	case store.FaultFileForbidden:
		return path + " cannot be opened for writing: change its owner, or choose another folder with XYRA_DATA_DIR"
	case store.FaultFull:
		return "the disk of " + path + " is full: free some space, or choose another folder with XYRA_DATA_DIR"
	case store.FaultBusy:
		return path + " is held by another process: end that one; an embedded database serves one process"
	case store.FaultNewerSchema, store.FaultOlderSchema:
		return f.otherSchema()
	}
	return fmt.Sprintf("%s cannot be used: %v", path, f.err)
}

func (f openFault) otherSchema() string {
	if store.OpenFaultOf(f.err) == store.FaultOlderSchema {
		return fmt.Sprintf("%v (%s): run `xyra migrate` or start the server first", f.err, f.target.name)
	}
	return fmt.Sprintf("%v (%s): start the newer version again, or restore a backup taken before it", f.err, f.target.name)
}

// server is whom the target names: nothing of it is secret.
func (f openFault) server() (host, user, name string) {
	address, err := url.Parse(f.target.URL)
	if err != nil {
		return "?", "?", "?"
	}
	host, user, name = address.Host, address.User.Username(), strings.TrimPrefix(address.Path, "/")
	if host == "" {
		host = address.Query().Get("host")
	}
	return host, user, name
}

// createdb is the command that makes a database.
func createdb(host, user, name string) string {
	server, port, found := strings.Cut(host, ":")
	if !found || strings.HasPrefix(host, "/") {
		return fmt.Sprintf("createdb -h %s -U %s %s", host, user, name)
	}
	return fmt.Sprintf("createdb -h %s -p %s -U %s %s", server, port, user, name)
}
