package billing

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"xyra"
	"xyra/store"
)

// numberDefault is the look of invoice numbers that nobody has chosen.
const (
	numberDefault = "{PREFIX}-{YYYY}{MM}{DD}-{RAND:4}"
	prefixDefault = "INV"
)

// Bounds of a pattern and of its counted parts.
const (
	numberPatternMax = 100
	prefixMax        = 32
	digitsMax        = 12
	randomMin        = 4 // digits that make a number without a sequence likely to be free
)

// NumberPattern is the look of invoice numbers. The zero value is INV-YYYYMMDD-XXXX.
type NumberPattern struct{ pattern, prefix string }

var placeholder = regexp.MustCompile(`\{([A-Z]+)(?::(\d+))?\}`)

// ParseNumberPattern reads a pattern of plain text and of {PREFIX}, {YYYY}, {YY}, {MM}, {DD} (of the day of issue, UTC),
// {ORG} (the organization's id), {SEQ:n} (its count of invoices, with n digits or more) and {RAND:n} (n random ones). It
// must hold {SEQ} or {RAND:4} or longer. Empty texts are the defaults; an organization's own prefix beats prefix.
func ParseNumberPattern(pattern, prefix string) (NumberPattern, error) {
	p := NumberPattern{pattern: pattern, prefix: prefix}
	if len(pattern) > numberPatternMax || len(prefix) > prefixMax {
		return p, fmt.Errorf("a pattern has at most %d characters, a prefix %d", numberPatternMax, prefixMax)
	}
	distinct := false
	rest := placeholder.ReplaceAllStringFunc(p.orDefault(), func(text string) string {
		name, digits := readPlaceholder(text)
		counted := name == "SEQ" || name == "RAND"
		if !strings.Contains(" PREFIX YYYY YY MM DD ORG SEQ RAND ", " "+name+" ") || digits > digitsMax || digits > 0 && !counted || strings.Contains(text, ":0") {
			return "{"
		}
		distinct = distinct || name == "SEQ" || name == "RAND" && digits >= randomMin
		return ""
	})
	switch {
	case strings.ContainsAny(rest, "{}"):
		return p, fmt.Errorf("known are {PREFIX}, {YYYY}, {YY}, {MM}, {DD}, {ORG}, {SEQ:n} and {RAND:n} with n from 1 to %d", digitsMax)
	case strings.ContainsFunc(rest+prefix, func(r rune) bool { return r < ' ' || r > '~' }):
		return p, fmt.Errorf("only printable ASCII characters may stand between the placeholders and in a prefix")
	case !distinct:
		return p, fmt.Errorf("without {SEQ} or {RAND:%d} numbers would soon be taken", randomMin)
	}
	return p, nil
}

func (p NumberPattern) orDefault() string {
	if p.pattern == "" {
		return numberDefault
	}
	return p.pattern
}

func readPlaceholder(text string) (name string, digits int) {
	match := placeholder.FindStringSubmatch(text)
	digits, err := strconv.Atoi(match[2])
	if err != nil && match[2] != "" {
		digits = digitsMax + 1 // too many to be a number
	}
	return match[1], digits
}

// numbering is what the numbers of one invoice are made of.
type numbering struct {
	pattern      NumberPattern
	organization xyra.Organization
	issued       time.Time
	sequence     int64
	random       io.Reader
}

// widenings are how many random digits more each try has than the pattern says. The first are short enough to read out;
// the longer ones only follow collisions, so that a busy day cannot run out of numbers.
var widenings = [...]int{0, 0, 2, 4, 12, 28}

// number writes one. After the first try a pattern without random digits gets some at its end.
func (n numbering) number(try int) (number string, err error) {
	text := n.pattern.orDefault()
	if try > 0 && !strings.Contains(text, "{RAND") {
		text += fmt.Sprintf("-{RAND:%d}", randomMin)
	}
	number = placeholder.ReplaceAllStringFunc(text, func(text string) string {
		name, digits := readPlaceholder(text)
		switch name {
		case "PREFIX":
			return n.prefix()
		case "YYYY":
			return n.issued.Format("2006")
		case "YY":
			return n.issued.Format("06")
		case "MM":
			return n.issued.Format("01")
		case "DD":
			return n.issued.Format("02")
		case "ORG":
			return strconv.FormatInt(int64(n.organization.ID), 10)
		case "SEQ":
			return fmt.Sprintf("%0*d", digits, n.sequence)
		}
		var drawn string
		if drawn, err = draw(n.random, max(digits, 1)+widenings[try]); err != nil {
			return ""
		}
		return drawn
	})
	return number, err
}

func (n numbering) prefix() string {
	if own := n.organization.Billing().InvoicePrefix; own != "" {
		return own
	}
	if n.pattern.prefix != "" {
		return n.pattern.prefix
	}
	return prefixDefault
}

// draw makes so many random hexadecimal digits.
func draw(random io.Reader, digits int) (string, error) {
	drawn := make([]byte, (digits+1)/2)
	if _, err := io.ReadFull(random, drawn); err != nil {
		return "", fmt.Errorf("draw an invoice number: %w", err)
	}
	return strings.ToUpper(hex.EncodeToString(drawn))[:digits], nil
}

// claimNumber gives an invoice a free number and its id. The organization must be locked: its sequence then stays where
// it is until the invoice is inserted.
func (by Issuer) claimNumber(ctx context.Context, tx *store.Tx, o xyra.Organization) (string, xyra.InvoiceID, error) {
	last, err := tx.InvoiceSequence(ctx, o.ID)
	if err != nil {
		return "", 0, err
	}
	n := numbering{pattern: by.Numbers, organization: o, issued: tx.Now, sequence: last + 1, random: by.Random}
	for try := range widenings {
		number, err := n.number(try)
		if err != nil {
			return "", 0, err
		}
		id, claimed, err := tx.InsertInvoiceNumber(ctx, o.ID, number)
		if err != nil || claimed {
			return number, id, err
		}
	}
	return "", 0, fmt.Errorf("draw an invoice number: %d were taken", len(widenings))
}
