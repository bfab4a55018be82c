package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"xyra"
)

// What new passwords cost: 19 MiB, two passes, one lane.
const (
	argonMemory = 19 * 1024 // KiB
	argonPasses = 2
	argonLanes  = 1
	argonSalt   = 16
	argonLength = 32
)

// Bounds of hashes that were made elsewhere; dearer ones never verify, for one login could stall the instance.
const (
	argonMemoryMax = 256 * 1024
	argonPassesMax = 16
	argonLanesMax  = 16
	bcryptCostMax  = 15
	bcryptLength   = 72 // bcrypt looks at no more bytes
)

// nobodysHash is evaluated where there is no user, so that the answer takes as long.
const nobodysHash = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// hasher bounds how many passwords are hashed at once, and how many requests wait for that.
type hasher struct {
	slots      chan struct{}
	waiting    *atomic.Int64
	waitingMax int64
	random     io.Reader
}

func newHasher(slots int, random io.Reader) hasher {
	// A hash takes about 30 ms: who is last in a full queue waits for about two seconds.
	return hasher{slots: make(chan struct{}, slots), waiting: new(atomic.Int64), waitingMax: 64 * int64(slots), random: random}
}

var errHashQueueFull = errors.New("too many passwords wait to be hashed")

// enter waits for a slot; leave gives it back.
func (h *hasher) enter(ctx context.Context) error {
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > h.waitingMax {
		return xyra.Unavailable(errHashQueueFull)
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *hasher) leave() { <-h.slots }

// Hash makes the text that is stored for a new password. It takes tens of milliseconds: call it before a transaction.
func (g *Gate) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, argonSalt)
	if _, err := io.ReadFull(g.hasher.random, salt); err != nil {
		return "", fmt.Errorf("draw a salt: %w", err)
	}
	if err := g.hasher.enter(ctx); err != nil {
		return "", err
	}
	defer g.hasher.leave()
	sum := argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, argonLength)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes,
		b64.EncodeToString(salt), b64.EncodeToString(sum)), nil
}

// Verify tells whether password is the one that hash was made of. A hash of unknown form verifies nothing and takes as
// long as any other.
func (g *Gate) Verify(ctx context.Context, hash, password string) (bool, error) {
	if err := g.hasher.enter(ctx); err != nil {
		return false, err
	}
	defer g.hasher.leave()
	if isBcrypt(hash) {
		secret := []byte(password)
		return bcrypt.CompareHashAndPassword([]byte(hash), secret[:min(len(secret), bcryptLength)]) == nil, nil
	}
	parsed, err := parseArgon(hash)
	if err != nil {
		parsed, err = parseArgon(nobodysHash)
		if err != nil {
			return false, err
		}
	}
	sum := argon2.IDKey([]byte(password), parsed.salt, parsed.passes, parsed.memory, parsed.lanes, uint32(len(parsed.sum)))
	return subtle.ConstantTimeCompare(sum, parsed.sum) == 1, nil
}

func isBcrypt(hash string) bool {
	for _, prefix := range []string{"$2a$", "$2b$", "$2y$"} {
		if strings.HasPrefix(hash, prefix) {
			cost, err := bcrypt.Cost([]byte(hash))
			return err == nil && cost <= bcryptCostMax
		}
	}
	return false
}

// isCurrent tells whether a hash is as dear as new ones are.
func isCurrent(hash string) bool {
	return strings.HasPrefix(hash, fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, argonMemory, argonPasses, argonLanes))
}

type argonHash struct {
	memory, passes uint32
	lanes          uint8
	salt, sum      []byte
}

func parseArgon(hash string) (a argonHash, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return a, errors.New("not an argon2id hash")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &a.memory, &a.passes, &a.lanes); err != nil {
		return a, fmt.Errorf("read argon2id costs %q: %w", parts[3], err)
	}
	if a.memory > argonMemoryMax || a.passes == 0 || a.passes > argonPassesMax || a.lanes == 0 || a.lanes > argonLanesMax {
		return a, fmt.Errorf("argon2id costs %q are out of bounds", parts[3])
	}
	if a.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return a, fmt.Errorf("read argon2id salt: %w", err)
	}
	if a.sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return a, fmt.Errorf("read argon2id sum: %w", err)
	}
	if len(a.salt) < 8 || len(a.sum) < 16 || len(a.sum) > 64 {
		return a, errors.New("argon2id salt or sum has no usable length")
	}
	return a, nil
}
