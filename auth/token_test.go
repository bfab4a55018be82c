package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
	"testing"
	"time"

	"xyra"
)

const (
	notAuthenticated = "Not authenticated"
	badCredentials   = "Could not validate credentials"
	headerHS256      = `{"alg":"HS256","typ":"JWT"}`
)

// forge writes a token as any other program with this secret would.
func forge(newHash func() hash.Hash, secret []byte, header, claims string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(header)) + "." + b64([]byte(claims))
	mac := hmac.New(newHash, secret)
	mac.Write([]byte(signed))
	return signed + "." + b64(mac.Sum(nil))
}

func hs256(claims string) string { return forge(sha256.New, secret, headerHS256, claims) }

// Whatever is not a token of ours, in its time, for a user as the user is now, is refused with the contract's text.
func TestCaller_ForgedTokensAreRefused(t *testing.T) {
	each(t, func(w *world) {
		id, exp := w.member.ID, w.clock.Now().Add(time.Hour).Unix()
		good := fmt.Sprintf(`{"exp":%d,"sub":"%d"}`, exp, id)
		claims := func(format string, args ...any) string { return hs256(fmt.Sprintf(format, args...)) }
		plain := base64.RawURLEncoding.EncodeToString
		token := hs256(good)
		for name, bad := range map[string]string{
			"empty":               "",
			"no token":            "abc.def.ghi",
			"two parts":           token[:strings.LastIndexByte(token, '.')],
			"four parts":          token + ".x",
			"space before":        " " + token,
			"too long":            hs256(fmt.Sprintf(`{"exp":%d,"sub":"%d","x":"%s"}`, exp, id, strings.Repeat("x", 5000))),
			"alg none":            plain([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + plain([]byte(good)) + ".",
			"alg None, signed":    forge(sha256.New, secret, `{"alg":"None","typ":"JWT"}`, good),
			"alg HS512":           forge(sha512.New, secret, `{"alg":"HS512","typ":"JWT"}`, good),
			"alg RS256":           forge(sha256.New, secret, `{"alg":"RS256","typ":"JWT"}`, good),
			"no alg":              forge(sha256.New, secret, `{"typ":"JWT"}`, good),
			"other secret":        forge(sha256.New, []byte("another secret of thirty-two bytes"), headerHS256, good),
			"empty secret":        forge(sha256.New, nil, headerHS256, good),
			"loose last bits":     token[:len(token)-1] + string(token[len(token)-1]+1),
			"other claims":        hs256(good)[:20] + plain([]byte(strings.Replace(good, `"sub":"`, `"sub":"1`, 1))) + token[strings.LastIndexByte(token, '.'):],
			"refresh token":       forge(sha256.New, secret, `{"alg":"HS256","typ":"refresh"}`, good),
			"typ no text":         forge(sha256.New, secret, `{"alg":"HS256","typ":1}`, good),
			"critical extension":  forge(sha256.New, secret, `{"alg":"HS256","crit":["exp"]}`, good),
			"audience":            claims(`{"exp":%d,"sub":"%d","aud":"billing"}`, exp, id),
			"expired":             claims(`{"exp":%d,"sub":"%d"}`, w.clock.Now().Unix(), id),
			"no exp":              claims(`{"sub":"%d"}`, id),
			"exp null":            claims(`{"exp":null,"sub":"%d"}`, id),
			"exp text":            claims(`{"exp":"%d","sub":"%d"}`, exp, id),
			"exp list":            claims(`{"exp":[%d],"sub":"%d"}`, exp, id),
			"not yet":             claims(`{"exp":%d,"nbf":%d,"sub":"%d"}`, exp, w.clock.Now().Unix()+1, id),
			"nbf text":            claims(`{"exp":%d,"nbf":"0","sub":"%d"}`, exp, id),
			"no sub":              claims(`{"exp":%d}`, exp),
			"sub number":          claims(`{"exp":%d,"sub":%d}`, exp, id),
			"sub empty":           claims(`{"exp":%d,"sub":""}`, exp),
			"sub signed":          claims(`{"exp":%d,"sub":"+%d"}`, exp, id),
			"sub negative":        claims(`{"exp":%d,"sub":"-%d"}`, exp, id),
			"sub text":            claims(`{"exp":%d,"sub":"admin"}`, exp),
			"sub spaced":          claims(`{"exp":%d,"sub":" %d"}`, exp, id),
			"sub other case":      claims(`{"exp":%d,"Sub":"%d"}`, exp, id),
			"sub twice":           claims(`{"exp":%d,"sub":"1","sub":"%d"}`, exp, id),
			"version older":       claims(`{"exp":%d,"sub":"%d","ver":-1}`, exp, id),
			"version newer":       claims(`{"exp":%d,"sub":"%d","ver":1}`, exp, id),
			"version text":        claims(`{"exp":%d,"sub":"%d","ver":"0"}`, exp, id),
			"version null":        claims(`{"exp":%d,"sub":"%d","ver":null}`, exp, id),
			"claims null":         hs256(`null`),
			"claims list":         hs256(`[]`),
			"claims not JSON":     hs256(`{`),
			"unknown key":         "xyra_" + strings.Repeat("a", 32),
			"key without secret":  "xyra_",
			"key in capital case": "XYRA_" + strings.Repeat("a", 32),
		} {
			w.Run(name, func(t *testing.T) {
				for range 2 { // the second time, what was remembered must not help
					_, err := w.gate.Caller(w.Context(), "Bearer "+bad)
					checkRefused(t, err, xyra.CodeUnauthenticated, badCredentials)
				}
			})
		}
	})
}

// The header has one form: the scheme in any case, one space.
func TestCaller_HeaderHasOneForm(t *testing.T) {
	each(t, func(w *world) {
		token := bearer(w.token(w.member))
		for _, header := range []string{"", "Basic YTpi", token, "Bearer\t" + token, "Token " + token, " Bearer " + token, "xyra_" + token} {
			w.refuses(header, notAuthenticated)
		}
		w.refuses("Bearer", badCredentials)
		w.refuses("Bearer  "+token, badCredentials)
		w.refuses("Bearer "+token+" ", badCredentials)
		for _, scheme := range []string{"Bearer", "bearer", "BEARER"} {
			if caller := w.admits(scheme + " " + token); caller != callerOf(w.member) {
				w.Errorf("caller %+v, want %+v", caller, callerOf(w.member))
			}
		}
	})
}

// Tokens that a Python deployment signed with the same secret keep working until they expire.
func TestCaller_TokensOfOlderDeploymentsHold(t *testing.T) {
	each(t, func(w *world) {
		id, exp := w.member.ID, w.clock.Now().Add(time.Hour).Unix()
		for _, claims := range []string{
			fmt.Sprintf(`{"exp":%d,"sub":"%d"}`, exp, id),
			fmt.Sprintf(`{"exp": %d.25, "sub": "%d"}`, exp, id),
			fmt.Sprintf(`{"iat":1,"sub":"%d","nbf":%d,"exp":%d,"scopes":[]}`, id, w.clock.Now().Unix(), exp),
			fmt.Sprintf(`{"exp":%d,"sub":"00%d"}`, exp, id),
		} {
			if caller := w.admits("Bearer " + hs256(claims)); caller.User != id {
				w.Errorf("%s: user %d, want %d", claims, caller.User, id)
			}
		}
		w.admits("Bearer " + forge(sha256.New, secret, `{"alg":"HS256"}`, fmt.Sprintf(`{"exp":%d,"sub":"%d"}`, exp, id)))
	})
}

// A token ends with its time to the second, however often it was seen before.
func TestCaller_TokenEndsWithItsTime(t *testing.T) {
	each(t, func(w *world) {
		token := w.token(w.member)
		w.clock.Advance(8*24*time.Hour - time.Second)
		w.admits(token)
		w.clock.Advance(time.Second)
		w.refuses(token, badCredentials)
		w.clock.Set(w.clock.Now().Add(-time.Hour))
		w.admits(token)
	})
}

// Nobody's token says so; its number may be anything.
func TestCaller_MissingUserIsNotFound(t *testing.T) {
	each(t, func(w *world) {
		exp := w.clock.Now().Add(time.Hour).Unix()
		for _, sub := range []string{"0", "999999", "9223372036854775807", "99999999999999999999999999"} {
			w.refuses("Bearer "+hs256(fmt.Sprintf(`{"exp":%d,"sub":"%s"}`, exp, sub)), "User not found")
		}
	})
}

// Secrets rotate with an overlap: the new one signs, tokens of an earlier one are accepted as long as it is told, and those
// of one that is gone are refused at once, however often they were seen before.
func TestRotate_EarlierSecretsVerifyWhileTheyAreTold(t *testing.T) {
	each(t, func(w *world) {
		next := []byte("the next secret, of thirty-two bytes or more")
		old := w.token(w.member)
		w.admits(old)
		w.gate.Rotate(next, secret)
		fresh := w.token(w.member)
		w.admits(old)
		w.admits(fresh)
		claims := fmt.Sprintf(`{"exp":%d,"sub":"%d"}`, w.clock.Now().Add(time.Hour).Unix(), w.member.ID)
		w.admits("Bearer " + forge(sha256.New, next, headerHS256, claims))
		w.refuses("Bearer "+forge(sha256.New, []byte("a secret that was never told to anybody"), headerHS256, claims), badCredentials)
		if bearer(fresh)[strings.LastIndexByte(bearer(fresh), '.'):] == bearer(old)[strings.LastIndexByte(bearer(old), '.'):] {
			t.Error("the new secret does not sign")
		}
		w.gate.Rotate(next)
		w.refuses(old, badCredentials)
		w.admits(fresh)
	})
}
