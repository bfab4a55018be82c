package xyra_test

import (
	"errors"
	"strings"
	"testing"

	"xyra"
)

func TestParseEmail_KeepsLocalPartAndFoldsDomain(t *testing.T) {
	for _, c := range []struct{ in, address, key string }{
		{"a@b.co", "a@b.co", "a@b.co"},
		{"  Ada.Lovelace@Example.COM \n", "Ada.Lovelace@example.com", "ada.lovelace@example.com"},
		{"Ada Lovelace <Ada@Example.com>", "Ada@example.com", "ada@example.com"},
		{`"Lovelace, Ada" < ada@example.com >`, "ada@example.com", "ada@example.com"},
		{"<ada@example.com>", "ada@example.com", "ada@example.com"},
		{"o'neil+tag!#$%&*/=?^_`{|}~-@sub-1.example.io", "o'neil+tag!#$%&*/=?^_`{|}~-@sub-1.example.io", "o'neil+tag!#$%&*/=?^_`{|}~-@sub-1.example.io"},
		{"Jörg@MÜNCHEN.de", "Jörg@münchen.de", "jörg@münchen.de"},
		{"a@xn--mnchen-3ya.de", "a@münchen.de", "a@münchen.de"},
		{"用户@例え.jp", "用户@例え.jp", "用户@例え.jp"},
		{"a@example.рф", "a@example.рф", "a@example.рф"},
		{strings.Repeat("x", 64) + "@b.co", strings.Repeat("x", 64) + "@b.co", strings.Repeat("x", 64) + "@b.co"},
	} {
		address, key, err := xyra.ParseEmail(c.in)
		if err != nil || address != c.address || key != c.key {
			t.Errorf("%q: %q %q %v, want %q %q", c.in, address, key, err, c.address, c.key)
		}
	}
}

func TestParseEmail_SaysWhy(t *testing.T) {
	const foreign = "The part after the @-sign contains invalid characters: "
	const local = "The email address contains invalid characters before the @-sign: "
	for in, reason := range map[string]string{
		"":                                      "An email address must have an @-sign.",
		"theo":                                  "An email address must have an @-sign.",
		`"a@b.co`:                               "An email address must have an @-sign.",
		"@":                                     "There must be something before the @-sign.",
		"@b.co":                                 "There must be something before the @-sign.",
		"Name <@b.co>":                          "There must be something before the @-sign.",
		"a@":                                    "There must be something after the @-sign.",
		"a@b":                                   "The part after the @-sign is not valid. It should have a period.",
		"a@localhost":                           "The part after the @-sign is not valid. It should have a period.",
		"a@b_c.co":                              foreign + "'_'.",
		"a@b@c.co":                              foreign + "'@'.",
		"a@b c.co":                              foreign + "SPACE.",
		"a@b!!(.co":                             foreign + "'!', '('.",
		"a@b.co>":                               foreign + "'>'.",
		"a@b\u200b.co":                          foreign + "U+200B.",
		"a b@c.co":                              local + "SPACE.",
		"a(b@c.co":                              local + "'('.",
		`a\b@c.co`:                              local + `"\".`,
		`a"b"c@d.co`:                            local + `'"'.`,
		"a\tb,@c.co":                            local + "',', U+0009.",
		"a\x00@c.co":                            local + "U+0000.",
		"a\u00a0b@c.co":                         local + "U+00A0.",
		"x;y <a@b.co>":                          local + "';', '<', SPACE.",
		".a@b.co":                               "An email address cannot start with a period.",
		"a.@b.co":                               "An email address cannot have a period immediately before the @-sign.",
		"a@b.co.":                               "An email address cannot end with a period.",
		"a@.b.co":                               "An email address cannot have a period immediately after the @-sign.",
		"a..b@c.co":                             "An email address cannot have two periods in a row.",
		"a@b..co":                               "An email address cannot have two periods in a row.",
		"a@-b.co":                               "An email address cannot have a hyphen immediately after the @-sign.",
		"a@b.co-":                               "An email address cannot end with a hyphen.",
		"a@b-.co":                               "An email address cannot have a period and a hyphen next to each other.",
		"a@ab--cd.co":                           "An email address cannot have two letters followed by two dashes immediately after the @-sign or after a period, except Punycode.",
		"a@[127.0.0.1]":                         "A bracketed IP address after the @-sign is not allowed here.",
		"a@[IPv6:::1]":                          "A bracketed IP address after the @-sign is not allowed here.",
		`"a b"@c.co`:                            "Quoting the part before the @-sign is not allowed here.",
		`"a@x"@c.co`:                            "Quoting the part before the @-sign is not allowed here.",
		strings.Repeat("x", 65) + "@b.co":       "The email address is too long before the @-sign (1 character too many).",
		strings.Repeat("é", 70) + "@b.co":       "The email address is too long before the @-sign (6 characters too many).",
		"a@b.test":                              "The part after the @-sign is a special-use or reserved name that cannot be used with email.",
		"a@b.LOCAL":                             "The part after the @-sign is a special-use or reserved name that cannot be used with email.",
		"a@b.localhost":                         "The part after the @-sign is a special-use or reserved name that cannot be used with email.",
		"a@b.invalid":                           "The part after the @-sign is a special-use or reserved name that cannot be used with email.",
		"a@b.onion":                             "The part after the @-sign is a special-use or reserved name that cannot be used with email.",
		"a@4.3.in-addr.arpa":                    "The part after the @-sign is a special-use or reserved name that cannot be used with email.",
		"a@1.2.3.4":                             "The part after the @-sign is not valid. It is not within a valid top-level domain.",
		"a@" + strings.Repeat("b", 64) + ".co":  "After the @-sign, periods cannot be separated by so many characters (1 character too many).",
		"a@" + strings.Repeat("b.", 140) + "co": "The email address is too long after the @-sign (29 characters too many).",
		"aaaa@" + strings.Repeat("b.", 125) + "co": "The email address is too long (3 characters too many).",
		strings.Repeat("a", 2049):                  "Length must not exceed 2048 characters",
	} {
		_, _, err := xyra.ParseEmail(in)
		var e *xyra.EmailError
		if !errors.As(err, &e) || e.Reason != reason {
			t.Errorf("%.60q: %v\nwant %s", in, err, reason)
		}
	}
}

func TestEmailKey_FoldsAnyText(t *testing.T) {
	for in, want := range map[string]string{
		"Admin@Example.COM":   "admin@example.com",
		" x@Y.z":              " x@y.z",
		"no address":          "no address",
		"A@XN--MNCHEN-3YA.de": "a@münchen.de",
		"Jo\u0308rg@x.de":     "jörg@x.de",
		"a@\x00":              "a@\x00",
	} {
		if got := xyra.EmailKey(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"a@b.co", "Name <A@B.co>", `"q"@b.co`, "ä@ö.de", "a@xn--x.de", "a@b\u0131.co", "A\u0308@x.de"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		address, key, err := xyra.ParseEmail(s)
		if err != nil {
			var e *xyra.EmailError
			if !errors.As(err, &e) || e.Reason == "" {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		again, againKey, err := xyra.ParseEmail(address)
		if err != nil || again != address || againKey != key {
			t.Fatalf("%q gives %q, which gives %q %q %v", s, address, again, againKey, err)
		}
		if xyra.EmailKey(key) != key {
			t.Fatalf("key %q of %q is not stable: %q", key, s, xyra.EmailKey(key))
		}
	})
}

func TestEasyPassword_KnowsCommonOnesAndTheAddress(t *testing.T) {
	for password, easy := range map[string]bool{
		"password": true, "PassWord123": true, "12345678": true, "qwertyuiop": true, "Ada@Example.com": true,
		"good-pass-9": false, "": false, "passwordpassword9": false, "let-me-in-1": false,
	} {
		if got := xyra.EasyPassword(password, " ada@example.COM"); got != easy {
			t.Errorf("%q: %v", password, got)
		}
	}
	if xyra.EasyPassword("", "") {
		t.Error("without an address an empty password equals nothing")
	}
}
