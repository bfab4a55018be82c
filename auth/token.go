package auth

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"xyra"
	"xyra/strictjson"
)

// versionClaim carries the user's TokenVersion. Tokens of older deployments lack it, which is version 0.
const versionClaim = "ver"

// tokenLengthMax is far above any token of ours and keeps strangers from having long ones decoded.
const tokenLengthMax = 4096

// tokens signs and reads access tokens.
type tokens struct {
	ring     *atomic.Pointer[keyring]
	lifetime time.Duration
	now      func() time.Time
	parser   *jwt.Parser
}

// keyring is the secrets of one moment, with what they have verified: a secret that goes takes its tokens along.
type keyring struct {
	signs    []byte
	verifies jwt.VerificationKeySet
	verified *recent[string, claims]
}

func newKeyring(signs []byte, earlier [][]byte) *keyring {
	ring := &keyring{signs: signs, verifies: jwt.VerificationKeySet{Keys: []jwt.VerificationKey{signs}}, verified: newRecent[string, claims](4096)}
	for _, secret := range earlier {
		ring.verifies.Keys = append(ring.verifies.Keys, secret)
	}
	return ring
}

func newTokens(secret []byte, lifetime time.Duration, now func() time.Time) tokens {
	// Times are checked at every use, so the parser does not: it runs once a token.
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	t := tokens{ring: &atomic.Pointer[keyring]{}, lifetime: lifetime, now: now, parser: parser}
	t.ring.Store(newKeyring(secret, nil))
	return t
}

// Rotate has tokens signed with signs from now on, and those that signs or an earlier secret has signed accepted; all
// others are refused at once. An empty secret is a programmer's mistake.
func (g *Gate) Rotate(signs []byte, earlier ...[]byte) {
	for _, secret := range append([][]byte{signs}, earlier...) {
		if len(secret) == 0 {
			panic("auth: an empty secret to sign tokens with")
		}
	}
	g.tokens.ring.Store(newKeyring(signs, earlier))
}

// claims is what a token says. It implements jwt.Claims for the parser, which asks it nothing.
type claims struct {
	user          xyra.UserID
	version       int64
	expires       time.Time
	notBefore     time.Time // zero: at once
	jwt.MapClaims `json:"-"`
}

var errToken = errors.New("token is not one of ours")

// read checks a token's form and signature, once, and its times, always.
func (t *tokens) read(token string) (claims, error) {
	if len(token) > tokenLengthMax {
		return claims{}, fmt.Errorf("%w: too long", errToken)
	}
	ring := t.ring.Load()
	c, known := ring.verified.value(token)
	if !known {
		parsed, err := t.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return ring.verifies, nil })
		if err != nil {
			return claims{}, err
		}
		if err := checkHeader(parsed.Header); err != nil {
			return claims{}, err
		}
		ring.verified.put(strings.Clone(token), c)
	}
	now := t.now()
	if !now.Before(c.expires) || now.Before(c.notBefore) {
		return claims{}, fmt.Errorf("%w: out of its time", errToken)
	}
	return c, nil
}

// checkHeader refuses tokens that were signed with our secret for another purpose.
func checkHeader(header map[string]any) error {
	if kind, sent := header["typ"]; sent {
		if text, isText := kind.(string); !isText || !strings.EqualFold(text, "JWT") {
			return fmt.Errorf("%w: typ %v", errToken, kind)
		}
	}
	if _, sent := header["crit"]; sent {
		return fmt.Errorf("%w: critical extensions", errToken)
	}
	return nil
}

// UnmarshalJSON reads the claims that matter; names are compared exactly and none may come twice.
func (c *claims) UnmarshalJSON(raw []byte) error {
	body, syntax := strictjson.Parse(raw)
	if syntax != nil || body.Kind() != strictjson.Object {
		return fmt.Errorf("%w: no claims", errToken)
	}
	if _, sent := body.Field("aud"); sent {
		return fmt.Errorf("%w: meant for somebody else", errToken)
	}
	subject, _ := body.Field("sub")
	if subject.Kind() != strictjson.String || !isDecimal(subject.Text()) {
		return fmt.Errorf("%w: sub", errToken)
	}
	// A number beyond 64 bits is a decimal string all the same, of a user that does not exist: 0.
	if id, err := strconv.ParseInt(subject.Text(), 10, 64); err == nil {
		c.user = xyra.UserID(id)
	}
	expires, err := timeClaim(body, "exp")
	if err != nil || expires == nil {
		return fmt.Errorf("%w: exp", errToken)
	}
	c.expires = *expires
	notBefore, err := timeClaim(body, "nbf")
	if err != nil {
		return fmt.Errorf("%w: nbf", errToken)
	}
	if notBefore != nil {
		c.notBefore = *notBefore
	}
	if version, sent := body.Field(versionClaim); sent {
		c.version, err = strconv.ParseInt(version.Number(), 10, 64)
		if version.Kind() != strictjson.Number || err != nil {
			return fmt.Errorf("%w: %s", errToken, versionClaim)
		}
	}
	return nil
}

// timeClaim reads seconds since 1970, whole or fractional; nil when not sent.
func timeClaim(body strictjson.Value, name string) (*time.Time, error) {
	v, sent := body.Field(name)
	if !sent {
		return nil, nil
	}
	if v.Kind() != strictjson.Number {
		return nil, errToken
	}
	var date jwt.NumericDate
	if err := date.UnmarshalJSON(v.Raw()); err != nil {
		return nil, err
	}
	return &date.Time, nil
}

func isDecimal(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// Token signs an access token for a user as the user is now.
func (g *Gate) Token(u xyra.User) (string, error) {
	t := &g.tokens
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub":        strconv.FormatInt(int64(u.ID), 10),
		"exp":        t.now().Add(t.lifetime).Unix(),
		versionClaim: u.TokenVersion,
	}).SignedString(t.ring.Load().signs)
	if err != nil {
		return "", fmt.Errorf("sign a token for user %d: %w", u.ID, err)
	}
	return signed, nil
}

// recent remembers between half and all of the last most values that were put or asked for, in two generations: when
// the young one is full, the old one is dropped.
type recent[K comparable, V any] struct {
	mu         sync.Mutex
	young, old map[K]V
	most       int
}

func newRecent[K comparable, V any](most int) *recent[K, V] {
	return &recent[K, V]{young: map[K]V{}, most: most}
}

func (r *recent[K, V]) value(k K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, found := r.young[k]
	if !found {
		if v, found = r.old[k]; found {
			r.add(k, v)
		}
	}
	return v, found
}

func (r *recent[K, V]) put(k K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(k, v)
}

func (r *recent[K, V]) add(k K, v V) {
	if len(r.young) >= r.most/2 {
		r.young, r.old = map[K]V{}, r.young
	}
	r.young[k] = v
}
