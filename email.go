package xyra

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// EmailError says why a text is not an e-mail address; Reason is the wording of the contract.
type EmailError struct {
	Reason string
}

// Error returns Reason.
func (e *EmailError) Error() string { return e.Reason }

// The reasons of ParseEmail that carry no value.
const (
	reasonNoAt          = "An email address must have an @-sign."
	reasonNoLocal       = "There must be something before the @-sign."
	reasonNoDomain      = "There must be something after the @-sign."
	reasonNoPeriod      = "The part after the @-sign is not valid. It should have a period."
	reasonTopLevel      = "The part after the @-sign is not valid. It is not within a valid top-level domain."
	reasonPeriodFirst   = "An email address cannot start with a period."
	reasonPeriodAt      = "An email address cannot have a period immediately before the @-sign."
	reasonPeriodAfter   = "An email address cannot have a period immediately after the @-sign."
	reasonPeriodLast    = "An email address cannot end with a period."
	reasonTwoPeriods    = "An email address cannot have two periods in a row."
	reasonHyphenAfter   = "An email address cannot have a hyphen immediately after the @-sign."
	reasonHyphenLast    = "An email address cannot end with a hyphen."
	reasonHyphenPeriod  = "An email address cannot have a period and a hyphen next to each other."
	reasonTwoHyphens    = "An email address cannot have two letters followed by two dashes immediately after the @-sign or after a period, except Punycode."
	reasonBracket       = "A bracketed IP address after the @-sign is not allowed here."
	reasonQuoted        = "Quoting the part before the @-sign is not allowed here."
	reasonSpecialDomain = "The part after the @-sign is a special-use or reserved name that cannot be used with email."
)

// Most characters of an address and of its parts.
const (
	emailInputMax  = 2048
	emailMax       = 254
	emailLocalMax  = 64
	emailDomainMax = 253
	emailLabelMax  = 63
)

var specialTopLevels = []string{"test", "local", "localhost", "invalid", "onion", "arpa"}

// The profile of mail domains: names are mapped to lower case and their normal form.
var mailDomains = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.BidiRule())

// ParseEmail reads `a@b.c` or `Name <a@b.c>`, surrounding white space ignored. The
// address has its domain in lower case and in Unicode, its local part as given; key is
// its EmailKey. Every error is an *EmailError.
func ParseEmail(s string) (address, key string, err error) {
	if utf8.RuneCountInString(s) > emailInputMax {
		return "", "", &EmailError{fmt.Sprintf("Length must not exceed %d characters", emailInputMax)}
	}
	local, domain, found := splitAddress(bareAddress(strings.TrimSpace(s)))
	if !found {
		return "", "", &EmailError{reasonNoAt}
	}
	if reason := localReason(local); reason != "" {
		return "", "", &EmailError{reason}
	}
	domain, reason := mailDomain(domain)
	if reason != "" {
		return "", "", &EmailError{reason}
	}
	address = local + "@" + domain
	if excess := utf8.RuneCountInString(address) - emailMax; excess > 0 {
		return "", "", &EmailError{"The email address is too long " + tooMany(excess) + "."}
	}
	return address, EmailKey(address), nil
}

// EmailKey folds an address for comparison: two addresses are the same exactly when
// their keys are equal. It takes any text, so that a login may be looked up with it.
func EmailKey(address string) string {
	// Punycode takes quadratic time, and a login may send any length.
	if at := strings.LastIndexByte(address, '@'); at >= 0 && len(address)-at <= emailDomainMax {
		if domain, err := mailDomains.ToUnicode(address[at+1:]); err == nil {
			address = address[:at+1] + domain
		}
	}
	return strings.ToLower(norm.NFC.String(address))
}

// bareAddress takes the address out of `Name <address>`; the name is words of
// letters, digits and atom characters, or anything in quotes.
func bareAddress(s string) string {
	name, address, found := strings.Cut(s, "<")
	if !found || !strings.HasSuffix(address, ">") {
		return s
	}
	name = strings.TrimSpace(name)
	if quoted := len(name) > 2 && name[0] == '"' && name[len(name)-1] == '"'; !quoted {
		for _, c := range name {
			if !unicode.IsSpace(c) && !isAtom(c) {
				return s
			}
		}
	}
	return strings.TrimSpace(strings.TrimSuffix(address, ">"))
}

// splitAddress cuts at the first @ outside quotes.
func splitAddress(s string) (local, domain string, found bool) {
	quoted, escaped := false, false
	for i, c := range s {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == '@' && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

func localReason(local string) string {
	if local == "" {
		return reasonNoLocal
	}
	if excess := utf8.RuneCountInString(local) - emailLocalMax; excess > 0 {
		return "The email address is too long before the @-sign " + tooMany(excess) + "."
	}
	if len(local) > 1 && local[0] == '"' && local[len(local)-1] == '"' {
		return reasonQuoted
	}
	if bad := refused(local, func(c rune) bool { return c == '.' || isAtom(c) }); bad != "" {
		return "The email address contains invalid characters before the @-sign: " + bad + "."
	}
	switch {
	case strings.HasSuffix(local, "."):
		return reasonPeriodAt
	case strings.HasPrefix(local, "."):
		return reasonPeriodFirst
	case strings.Contains(local, ".."):
		return reasonTwoPeriods
	}
	return ""
}

// mailDomain checks a domain and returns it in lower case and Unicode.
func mailDomain(domain string) (normal, reason string) {
	if domain == "" {
		return "", reasonNoDomain
	}
	if domain[0] == '[' && domain[len(domain)-1] == ']' {
		return "", reasonBracket
	}
	const invalid = "The part after the @-sign contains invalid characters: "
	if bad := refused(domain, isDomainCharacter); bad != "" {
		return "", invalid + bad + "."
	}
	if reason := lengthReason(utf8.RuneCountInString(domain)); reason != "" {
		return "", reason
	}
	mapped, err := mailDomains.ToUnicode(domain)
	if reason := dotReason(domain); reason != "" {
		return "", reason
	}
	if reason := dotReason(mapped); reason != "" {
		return "", reason
	}
	ascii, errASCII := mailDomains.ToASCII(domain)
	if err != nil || errASCII != nil {
		return "", invalid + display(firstForeign(domain)) + "."
	}
	return mapped, lengthAndNameReason(ascii)
}

func dotReason(domain string) string {
	switch {
	case strings.HasSuffix(domain, "."):
		return reasonPeriodLast
	case strings.HasPrefix(domain, "."):
		return reasonPeriodAfter
	case strings.Contains(domain, ".."):
		return reasonTwoPeriods
	case strings.HasSuffix(domain, "-"):
		return reasonHyphenLast
	case strings.HasPrefix(domain, "-"):
		return reasonHyphenAfter
	case strings.Contains(domain, ".-") || strings.Contains(domain, "-."):
		return reasonHyphenPeriod
	}
	for label := range strings.SplitSeq(domain, ".") {
		if len(label) > 4 && label[2:4] == "--" && !strings.EqualFold(label[:2], "xn") {
			return reasonTwoHyphens
		}
	}
	return ""
}

func lengthReason(domainLength int) string {
	if excess := domainLength - emailDomainMax; excess > 0 {
		return "The email address is too long after the @-sign " + tooMany(excess) + "."
	}
	return ""
}

func lengthAndNameReason(ascii string) string {
	if reason := lengthReason(len(ascii)); reason != "" {
		return reason
	}
	labels := strings.Split(ascii, ".")
	for _, label := range labels {
		if excess := len(label) - emailLabelMax; excess > 0 {
			return "After the @-sign, periods cannot be separated by so many characters " + tooMany(excess) + "."
		}
	}
	if len(labels) == 1 {
		return reasonNoPeriod
	}
	top := labels[len(labels)-1]
	if last := top[len(top)-1]; last >= '0' && last <= '9' && !strings.HasPrefix(top, "xn--") {
		return reasonTopLevel
	}
	if slices.Contains(specialTopLevels, top) {
		return reasonSpecialDomain
	}
	return ""
}

// isAtom tells whether c may stand in an unquoted local part; outside ASCII these are
// all characters that can be seen.
func isAtom(c rune) bool {
	if c < utf8.RuneSelf {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", c)
	}
	return c != utf8.RuneError && unicode.In(c, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S)
}

func isDomainCharacter(c rune) bool {
	if c < utf8.RuneSelf {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.'
	}
	// Joiners are no letters but part of names in several scripts; idna knows where they may stand.
	return isAtom(c) || c == '\u200c' || c == '\u200d'
}

// refused lists the characters of s that are not allowed, each once and sorted; "" if none.
func refused(s string, allowed func(rune) bool) string {
	var bad []string
	for _, c := range s {
		if !allowed(c) {
			bad = append(bad, display(c))
		}
	}
	slices.Sort(bad)
	return strings.Join(slices.Compact(bad), ", ")
}

func firstForeign(s string) rune {
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return c
		}
	}
	c, _ := utf8.DecodeRuneInString(s)
	return c
}

// display names a character in a reason: in quotes when it can be seen, else by number.
func display(c rune) string {
	switch {
	case c == ' ':
		return "SPACE"
	case c == '\\':
		return `"\"`
	case unicode.In(c, unicode.L, unicode.N, unicode.P, unicode.S):
		return "'" + string(c) + "'"
	}
	return fmt.Sprintf("U+%04X", c)
}

func tooMany(excess int) string {
	if excess == 1 {
		return "(1 character too many)"
	}
	return fmt.Sprintf("(%d characters too many)", excess)
}
