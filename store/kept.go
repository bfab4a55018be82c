package store

import (
	"context"
	"database/sql"
	"sync"
)

// keptStatements is SQLite's pool of readers with its statements compiled once: compiling one that reads rollups takes longer
// than running it. PostgreSQL's driver does the same by itself.
type keptStatements struct {
	*sql.DB
	mu     sync.Mutex
	byText map[string]*sql.Stmt
}

// keptMax bounds the memory of statements. Texts are constants, but for lists of placeholders.
const keptMax = 300

// QueryContext implements querier.
func (k *keptStatements) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	k.mu.Lock()
	stmt, full := k.byText[text], len(k.byText) >= keptMax
	k.mu.Unlock()
	switch {
	case stmt != nil:
		return stmt.QueryContext(ctx, args...)
	case full:
		return k.DB.QueryContext(ctx, text, args...)
	}
	compiled, err := k.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if err := k.keep(text, compiled); err != nil {
		return nil, err
	}
	return k.QueryContext(ctx, text, args...)
}

// keep keeps a compiled text unless another has been kept meanwhile.
func (k *keptStatements) keep(text string, stmt *sql.Stmt) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byText[text] != nil {
		return stmt.Close()
	}
	k.byText[text] = stmt
	return nil
}
