// Package auth knows who asks and what a person or a key may change about people and keys.
//
// Gate turns a request's Authorization header into a Caller and checks passwords. The rights it finds are those of this
// moment: the user's row is read for every request, only the arithmetic of a token's signature is remembered. The verbs
// on users and API keys run inside their caller's transaction.
//
// Passwords are kept as argon2id; bcrypt is read, and replaced when its owner logs in. Hashing happens outside of
// transactions, a few at a time. Failed logins are counted in the database, so that replicas share the count: an
// attempt is counted before its password is looked at and given back when it was right, hence never more than the
// limit are evaluated.
package auth
