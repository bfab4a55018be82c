package api

import (
	"strings"
	"time"

	"xyra"
	"xyra/money"
	"xyra/strictjson"
)

// email is an address as xyra.ParseEmail reads it; the destination takes the address.
func email[D slot[string]](name string, dst D) field { return of[string](emailKind, name, dst) }

// newPassword is a password to be set: 8 to 1024 characters, not among the common ones,
// and not what owner returns, the e-mail of its owner. A nil owner is not asked.
func newPassword[D slot[string]](name string, dst D, owner func() string) field {
	f := of[string](passwordKind, name, dst)
	f.more = owner
	return f.min(8).max(1024)
}

// currencyCode is an ISO 4217 code in any case.
func currencyCode[D slot[money.Currency]](name string, dst D) field {
	return of[money.Currency](currencyKind, name, dst)
}

// timezone is the IANA name of a zone that this server knows.
func timezone[D slot[string]](name string, dst D) field {
	return of[string](timezoneKind, name, dst).max(50)
}

// oneOf is one of a few words.
func oneOf[D slot[string]](name string, dst D, words ...string) field {
	f := text(name, dst)
	f.more = choice(words)
	return f
}

// exactly lets a text be one word only, told as a pattern.
func (f field) exactly(word string) field {
	f.more = pattern("^" + word + "$")
	return f
}

type (
	choice  []string
	pattern string // a word between ^ and $
)

var (
	emailKind    = newKind(schema{"type": "string", "format": "email"}, readEmail, nil)
	passwordKind = newKind(schema{"type": "string", "format": "password"}, readPassword, nil)
	currencyKind = acceptingCode(newKind(schema{"type": "string", "examples": []string{"USD"}}, readCurrency, parseCurrency))
	timezoneKind = newKind(schema{"type": "string", "examples": []string{"Europe/Berlin"}}, readTimezone, nil)
)

// checkWord holds a text against the words that its field allows, if it names any.
func (f *field) checkWord(value string, from source, r *report) bool {
	switch more := f.more.(type) {
	case choice:
		for _, word := range more {
			if word == value {
				return true
			}
		}
		expected := more.String()
		r.fault("literal_error", "Input should be "+expected, from.input(), "expected", expected)
		return false
	case pattern:
		if "^"+value+"$" != string(more) {
			r.fault("string_pattern_mismatch", "String should match pattern '"+string(more)+"'", from.input(), "pattern", string(more))
			return false
		}
	}
	return true
}

// String lists the words as errors do: 'user' or 'admin'.
func (c choice) String() string {
	quoted := make([]string, len(c))
	for i, word := range c {
		quoted[i] = "'" + word + "'"
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

func readEmail(f *field, v strictjson.Value, r *report) (string, bool) {
	value, ok := readText(f, v, r)
	if !ok {
		return "", false
	}
	address, _, err := xyra.ParseEmail(value)
	if err != nil {
		reason := err.Error()
		r.fault("value_error", "value is not a valid email address: "+reason, received(v), "reason", reason)
		return "", false
	}
	return address, true
}

func readPassword(f *field, v strictjson.Value, r *report) (string, bool) {
	value, ok := readText(f, v, r)
	if !ok {
		return "", false
	}
	owner := ""
	if ask, ok := f.more.(func() string); ok && ask != nil {
		owner = ask()
	}
	if xyra.EasyPassword(value, owner) {
		r.valueError("password is too easy to guess", received(v))
		return "", false
	}
	return value, true
}

// acceptingCode lets a default be written as a plain constant.
func acceptingCode(k *kind) *kind {
	exact := k.put
	k.put = func(dst, value any) {
		if code, ok := value.(string); ok {
			value = money.Currency(code)
		}
		exact(dst, value)
	}
	return k
}

const textUnknownCurrency = "unknown currency code"

func readCurrency(f *field, v strictjson.Value, r *report) (money.Currency, bool) {
	value, ok := readText(f, v, r)
	if !ok {
		return "", false
	}
	return checkCurrency(value, source{value: v}, r)
}

func parseCurrency(_ *field, value string, r *report) (money.Currency, bool) {
	return checkCurrency(value, source{text: value}, r)
}

func checkCurrency(value string, from source, r *report) (money.Currency, bool) {
	code, known := money.ParseCurrency(value)
	if !known {
		r.valueError(textUnknownCurrency, from.input())
	}
	return code, known
}

func readTimezone(f *field, v strictjson.Value, r *report) (string, bool) {
	value, ok := readText(f, v, r)
	if !ok {
		return "", false
	}
	if !knownZone(value) {
		r.valueError("unknown time zone", received(v))
		return "", false
	}
	return value, true
}

// knownZone refuses also what Go takes beyond the names of IANA: the zone of the
// machine, and the doubled trees of some systems' databases.
func knownZone(name string) bool {
	switch tree, _, _ := strings.Cut(name, "/"); tree {
	case "", "Local", "localtime", "posix", "posixrules", "right", "Factory":
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}
