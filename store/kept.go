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
	stmt, err := k.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return k.DB.QueryContext(ctx, text, args...)
	}
	return stmt.QueryContext(ctx, args...)
}

// statement is the compiled text, or nil when there are too many already.
func (k *keptStatements) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	k.mu.Lock()
	stmt, full := k.byText[text], len(k.byText) >= keptMax
	k.mu.Unlock()
	if stmt != nil || full {
		return stmt, nil
	}
	stmt, err := k.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if other := k.byText[text]; other != nil {
		return other, stmt.Close() // two have compiled it at once
	}
	k.byText[text] = stmt
	return stmt, nil
}
