package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/auth"
)

// signedToken makes a token of any header and claims with a key.
func signedToken(header, claims, key string) string {
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return text + "." + b64.EncodeToString(mac.Sum(nil))
}

// A token says who its sub is if it is signed with our secret and by no other way; a header of any form is refused or an identity.
func FuzzAuthorization(f *testing.F) {
	const plain = `{"alg":"HS256","typ":"JWT"}`
	for _, seed := range [][3]string{
		{"Bearer x.y.z", plain, `{"sub":"7","exp":4000000000}`},
		{"bearer xyra_" + strings.Repeat("a", 32), `{"alg":"none"}`, `{"sub":"7","exp":4000000000}`},
		{"Basic YTpi", `{"alg":"HS512"}`, `{"sub":"7","exp":1e300}`},
		{"Bearer  ", `{"alg":"HS256","crit":["b64"],"b64":false}`, `{"sub":"99999999999999999999","exp":4000000000,"nbf":4000000001}`},
		{"Bearer " + strings.Repeat(".", 9), `{"alg":"HS256","alg":"none"}`, `{"sub":7,"exp":"4000000000"}`},
		{"Bearer a\x00", `{"alg":"HS256","kid":"../../x","jwk":{}}`, `{"sub":"7","exp":4000000000.5,"exp":1}`},
		{"", `[]`, `{"sub":"+7","exp":4000000000,"aud":"x"}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	now := time.Unix(1_700_000_000, 0)
	gate := auth.New(nil, auth.Options{Secret: secret, TokenLifetime: time.Hour, Now: func() time.Time { return now }})
	f.Cleanup(gate.Close)
	f.Fuzz(func(t *testing.T, authorization, header, claims string) {
		if identity, err := gate.Identify(authorization); err == nil && !identity.IsKey {
			t.Fatalf("%q is user %d", authorization, identity.User)
		} else if err != nil && !xyra.HasCode(err, xyra.CodeUnauthenticated) {
			t.Fatalf("%q: %v", authorization, err)
		}
		if _, err := gate.Identify("Bearer " + signedToken(header, claims, "another secret of thirty-two bytes")); err == nil {
			t.Fatalf("%s.%s is believed without our secret", header, claims)
		}
		if _, err := gate.Identify("Bearer " + signedToken(header, claims, string(secret))); err == nil && !strings.Contains(claims, `sub`) && !strings.Contains(claims, `\u`) {
			t.Fatalf("%s.%s says nobody's name", header, claims)
		}
		token, err := gate.Token(xyra.User{ID: 7, TokenVersion: 3})
		if err != nil {
			t.Fatal(err)
		}
		if identity, err := gate.Identify("Bearer " + token); err != nil || identity.User != 7 || identity.TokenVersion != 3 {
			t.Fatalf("our own token is %+v, %v", identity, err)
		}
	})
}

// A hash of any form, as an import may bring it, verifies nothing that it was not made of, and costs a bounded effort.
func FuzzPasswordHash(f *testing.F) {
	for _, hash := range []string{passwordHash, "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$AA",
		"$argon2id$v=19$m=8,t=0,p=0$$", "$2b$31$" + strings.Repeat("a", 53), "$2x$04$", "!", "", "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2"} {
		f.Add(hash)
	}
	gate := auth.New(nil, auth.Options{Secret: secret, TokenLifetime: time.Hour, Now: time.Now})
	f.Cleanup(gate.Close)
	f.Fuzz(func(t *testing.T, hash string) {
		right, err := gate.Verify(t.Context(), hash, "a password that nobody has chosen")
		if err != nil || right {
			t.Fatalf("%q: %v %v", hash, right, err)
		}
	})
}
