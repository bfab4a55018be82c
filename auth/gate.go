package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"xyra"
	"xyra/store"
)

// Options is what a Gate cannot know by itself. Secret signs tokens and must be the same on all replicas.
type Options struct {
	Secret        []byte
	TokenLifetime time.Duration
	Now           func() time.Time
	Random        io.Reader    // nil: the system's
	Log           *slog.Logger // nil discards
	HashesMax     int          // passwords hashed at the same time; 0: one a processor
}

// Gate knows credentials. It is safe for concurrent use; Close it before its database.
type Gate struct {
	db     *store.DB
	random io.Reader
	tokens tokens
	hasher hasher
	keyUse keyUse
	recent *recent[Identity, standing]
}

// standing is a caller as the database had it at an instant.
type standing struct {
	caller xyra.Caller
	read   time.Time
}

// staleMax is how long CallerRecent may answer from memory.
const staleMax = time.Second

// New makes a gate. An empty secret is a programmer's mistake: anybody could sign with it.
func New(db *store.DB, o Options) *Gate {
	if len(o.Secret) == 0 {
		panic("auth: no secret to sign tokens with")
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.HashesMax == 0 {
		o.HashesMax = runtime.NumCPU()
	}
	return &Gate{
		db: db, random: o.Random,
		tokens: newTokens(o.Secret, o.TokenLifetime, o.Now),
		hasher: newHasher(o.HashesMax, o.Random),
		keyUse: keyUse{db: db, now: o.Now, log: o.Log, noted: map[xyra.APIKeyID]time.Time{}},
		recent: newRecent[Identity, standing](10_000),
	}
}

// Close waits until the uses of API keys are written. Requests must have ended before.
func (g *Gate) Close() { g.keyUse.writer.Wait() }

// The texts of a refused credential.
const (
	textNotAuthenticated = "Not authenticated"
	textBadCredentials   = "Could not validate credentials"
	textUserNotFound     = "User not found"
	textInactiveUser     = "Inactive user"
)

// Identity is what a credential says by itself, before the database is asked: whose it is, not whether it still holds.
// It is comparable; two requests with the same credential have the same one.
type Identity struct {
	User         xyra.UserID // of a token
	TokenVersion int64
	KeyHash      [sha256.Size]byte // of an API key
	IsKey        bool
}

// Caller is who sends a request with this Authorization header. Refusals are unauthenticated errors with the contract's
// texts; the caller's Request is left to the wall.
func (g *Gate) Caller(ctx context.Context, authorization string) (xyra.Caller, error) {
	identity, err := g.Identify(authorization)
	if err != nil {
		return xyra.Caller{}, err
	}
	return g.CallerOf(ctx, identity)
}

// CallerRecent is Caller as it was at most a second ago. It is for the ingest path alone, which asks the database again
// in the transaction that records: see usage.Recorder.
func (g *Gate) CallerRecent(ctx context.Context, authorization string) (xyra.Caller, error) {
	identity, err := g.Identify(authorization)
	if err != nil {
		return xyra.Caller{}, err
	}
	now := g.tokens.now()
	known, found := g.recent.value(identity)
	if age := now.Sub(known.read); found && age >= 0 && age < staleMax && !known.caller.Suspended {
		return known.caller, nil
	}
	caller, err := g.CallerOf(ctx, identity)
	if err == nil {
		g.recent.put(identity, standing{caller, now})
	}
	return caller, err
}

// Identify reads an Authorization header without the database: a token's signature and times, or a key's hash.
func (g *Gate) Identify(authorization string) (Identity, error) {
	scheme, credential, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return Identity{}, xyra.Unauthenticated(textNotAuthenticated)
	}
	if strings.HasPrefix(credential, keyPrefix) {
		return Identity{KeyHash: sha256.Sum256([]byte(credential)), IsKey: true}, nil
	}
	claims, err := g.tokens.read(credential)
	if err != nil {
		return Identity{}, &xyra.Error{Code: xyra.CodeUnauthenticated, Message: textBadCredentials}
	}
	return Identity{User: claims.user, TokenVersion: claims.version}, nil
}

// CallerOf is who an identity is at this moment, with one read of the database.
func (g *Gate) CallerOf(ctx context.Context, identity Identity) (xyra.Caller, error) {
	if identity.IsKey {
		return g.keyCaller(ctx, identity)
	}
	found, err := g.db.UserStanding(ctx, identity.User)
	switch {
	case xyra.HasCode(err, xyra.CodeNotFound):
		return xyra.Caller{}, xyra.Unauthenticated(textUserNotFound)
	case err != nil:
		return xyra.Caller{}, err
	case found.TokenVersion != identity.TokenVersion:
		return xyra.Caller{}, xyra.Unauthenticated(textBadCredentials)
	case !found.IsActive:
		return xyra.Caller{}, xyra.Unauthenticated(textInactiveUser)
	}
	return xyra.Caller{User: found.User, Organization: found.Organization, Superuser: found.IsSuperuser,
		Role: found.Role, TokenVersion: found.TokenVersion, Suspended: found.Suspended}, nil
}

func (g *Gate) keyCaller(ctx context.Context, identity Identity) (xyra.Caller, error) {
	found, err := g.db.KeyStanding(ctx, identity.KeyHash[:])
	if err != nil && !xyra.HasCode(err, xyra.CodeNotFound) {
		return xyra.Caller{}, err
	}
	key := found.Key
	if err != nil || !key.Usable(g.keyUse.now()) || !found.IsActive || found.Organization != key.Organization {
		return xyra.Caller{}, xyra.Unauthenticated(textBadCredentials)
	}
	g.keyUse.note(key)
	// A key is never more than a plain member, whoever made it.
	return xyra.Caller{User: found.User, Key: key.ID, Organization: key.Organization, Role: xyra.RoleUser,
		Suspended: found.Suspended}, nil
}
