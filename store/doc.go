// Package store keeps the nouns in SQLite or PostgreSQL. Both run the same statements: SQL is written once, in
// PostgreSQL's words, and dialect.go says all that differs.
//
// Reads are methods of Reader, which both DB and Tx have. Writes are methods of Tx alone, so a write outside a
// transaction does not compile. A transaction has one Now. The store decides nothing: rules live on the nouns and in
// the verbs. Errors it returns are *xyra.Error (not found, unavailable) or internal; callers ask IsUnique about
// constraint violations.
package store
