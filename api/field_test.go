package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/money"
)

// fieldList is a body of fields made by the test itself.
type fieldList []field

func (o fieldList) fields() []field { return o }

// faultMessages of the contract's table; %s stands for what the case names behind the type.
var faultMessages = map[string][2]string{
	"missing":               {"Field required", ""},
	"model_attributes_type": {"Input should be a valid dictionary or object to extract fields from", ""},
	"dict_type":             {"Input should be a valid dictionary", ""},
	"list_type":             {"Input should be a valid list", ""},
	"string_type":           {"Input should be a valid string", ""},
	"string_too_short":      {"String should have at least %s characters", `{"min_length":%s}`},
	"string_too_long":       {"String should have at most %s characters", `{"max_length":%s}`},
	"int_parsing":           {"Input should be a valid integer, unable to parse string as an integer", ""},
	"int_from_float":        {"Input should be a valid integer, got a number with a fractional part", ""},
	"int_type":              {"Input should be a valid integer", ""},
	"float_parsing":         {"Input should be a valid number, unable to parse string as a number", ""},
	"float_type":            {"Input should be a valid number", ""},
	"decimal_max_places":    {"Decimal input should have no more than 12 decimal places", `{"decimal_places":12}`},
	"decimal_whole_digits":  {"Decimal input should have no more than 15 digits before the decimal point", `{"whole_digits":15}`},
	"greater_than_equal":    {"Input should be greater than or equal to %s", `{"ge":%s}`},
	"greater_than":          {"Input should be greater than %s", `{"gt":%s}`},
	"less_than_equal":       {"Input should be less than or equal to %s", `{"le":%s}`},
	"bool_parsing":          {"Input should be a valid boolean, unable to interpret input", ""},
	"bool_type":             {"Input should be a valid boolean", ""},
	"datetime_type":         {"Input should be a valid datetime", ""},
	"datetime_from_date_parsing": {"Input should be a valid datetime or date, %s",
		`{"error":"%s"}`},
	"literal_error": {"Input should be 'user' or 'admin'", `{"expected":"'user' or 'admin'"}`},
	"value_error":   {"Value error, %s", `{"error":"%s"}`},
	"email":         {"value is not a valid email address: %s", `{"reason":"%s"}`},
}

// itemText is the exact JSON of one item; fault is a type and what fills its message.
func itemText(fault, loc, input string) string {
	kind, detail, _ := strings.Cut(fault, " ")
	texts, known := faultMessages[kind]
	if !known {
		panic("no message for " + kind)
	}
	if kind == "email" {
		kind = "value_error"
	}
	ctx := ""
	if texts[1] != "" {
		ctx = `,"ctx":` + strings.ReplaceAll(texts[1], "%s", detail)
	}
	message := strings.ReplaceAll(texts[0], "%s", detail)
	return fmt.Sprintf(`{"type":"%s","loc":%s,"msg":"%s","input":%s%s}`, kind, loc, message, input, ctx)
}

func itemsText(items []Item) string {
	if items == nil {
		items = []Item{}
	}
	return string(encode(items))
}

// Each line of a catalogue is a JSON value, " => ", and either "= " with what is
// decoded or the fault that is reported at ["body","x"].
func checkCatalogue[T any](t *testing.T, declare func(*T) field, catalogue string) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(catalogue), "\n") {
		value, want, found := strings.Cut(strings.TrimSpace(line), " => ")
		if !found {
			t.Fatalf("catalogue line %q", line)
		}
		var dst T
		raw := []byte(`{"y":0,"x":` + value + `}`)
		got := itemsText(decodeBody(raw, "", fieldList{declare(&dst)}))
		clear(raw) // what was decoded must not point into the body
		if plain, ok := strings.CutPrefix(want, "= "); ok {
			if shown := showDecoded(dst); got != "[]" || shown != plain {
				t.Errorf("%s: decoded %s, items %s, want %s", value, shown, got, plain)
			}
			continue
		}
		if text := "[" + itemText(want, `["body","x"]`, value) + "]"; got != text {
			t.Errorf("%s:\n got %s\nwant %s", value, got, text)
		}
	}
}

func showDecoded(v any) string {
	switch v := v.(type) {
	case string:
		if v == "" || strings.TrimSpace(v) != v {
			return strconv.Quote(v)
		}
		return v
	case *string:
		return showPointer(v)
	case *bool:
		return showPointer(v)
	case *int64:
		return showPointer(v)
	case *money.Decimal:
		return showPointer(v)
	case *time.Time:
		return showPointer(v)
	case time.Time:
		return xyra.FormatTime(v)
	case json.RawMessage:
		if v == nil {
			return "null"
		}
		return string(v)
	case Opt[string]:
		return fmt.Sprintf("%v %v %s", v.Set, v.Null, showDecoded(v.Value))
	}
	return fmt.Sprint(v)
}

func showPointer[T any](v *T) string {
	if v == nil {
		return "nil"
	}
	return showDecoded(*v)
}

func TestText_IsAStringWithinItsLength(t *testing.T) {
	wrong := `
		null => string_type
		true => string_type
		5 => string_type
		5.5 => string_type
		[] => string_type
		["a"] => string_type
		{} => string_type
		{"a":[1,2]} => string_type`
	checkCatalogue(t, func(s *string) field { return text("x", s) }, wrong+`
		"" => = ""
		" a " => = " a "
		"caf\u00e9 \ud83d\ude00\"" => = café 😀"`)
	checkCatalogue(t, func(s *string) field { return text("x", s).min(2).max(4) }, `
		"" => string_too_short 2
		"a" => string_too_short 2
		"\u00e9" => string_too_short 2
		"ab" => = ab
		"éééé" => = éééé
		"😀😀😀😀" => = 😀😀😀😀
		"abcde" => string_too_long 4
		"ééééé" => string_too_long 4
		"<b>&x" => string_too_long 4
		null => string_type`)
	checkCatalogue(t, func(s **string) field { return text("x", s).max(3) }, `
		null => = nil
		"" => = ""
		"abc" => = abc
		"abcd" => string_too_long 3
		0 => string_type
		false => string_type
		[null] => string_type`)
	checkCatalogue(t, func(s *Opt[string]) field { return text("x", s) }, `
		null => string_type
		"" => = true false ""
		"a" => = true false a
		1 => string_type`)
	checkCatalogue(t, func(s *Opt[string]) field { return text("x", s).nullable() }, `
		null => = true true ""
		"a" => = true false a
		{} => string_type`)
}

func TestText_OneCharacterIsSingular(t *testing.T) {
	var key *string
	got := itemsText(decodeBody([]byte(`{"k":""}`), "", fieldList{text("k", &key).min(1).max(255)}))
	want := `[{"type":"string_too_short","loc":["body","k"],"msg":"String should have at least 1 character","input":"","ctx":{"min_length":1}}]`
	if got != want {
		t.Errorf("%s", got)
	}
}

func TestBoolean_IsNothingThatResemblesOne(t *testing.T) {
	catalogue := `
		true => = true
		false => = false
		"true" => bool_parsing
		"yes" => bool_parsing
		"" => bool_parsing
		"1" => bool_parsing
		0 => bool_parsing
		1 => bool_parsing
		-1 => bool_parsing
		2 => bool_parsing
		1.0 => bool_parsing
		1e0 => bool_parsing
		1e400 => bool_parsing
		0.5 => bool_type
		1e-400 => bool_type
		[] => bool_type
		[true] => bool_type
		{} => bool_type`
	checkCatalogue(t, func(b *bool) field { return boolean("x", b) }, catalogue+"\nnull => bool_type")
	checkCatalogue(t, func(b **bool) field { return boolean("x", b) }, catalogue+"\nnull => = nil")
	checkCatalogue(t, func(b *bool) field { return boolean("x", b).byDefault(true).nullIsDefault() }, catalogue+"\nnull => = true")
}

func TestInteger_HasNoFractionAndNoQuotes(t *testing.T) {
	wrong := `
		"1" => int_parsing
		"" => int_parsing
		"abc" => int_parsing
		"1.5" => int_parsing
		1.5 => int_from_float
		-0.1 => int_from_float
		1e-1 => int_from_float
		12345678901234567890.5 => int_from_float
		1e-999999999 => int_from_float
		true => int_type
		false => int_type
		[] => int_type
		[1] => int_type
		{} => int_type
		{"id":1} => int_type`
	right := `
		0 => = 0
		-0 => = 0
		7 => = 7
		-7 => = -7
		1.0 => = 1
		1.000 => = 1
		1e0 => = 1
		1E2 => = 100
		150e-1 => = 15
		9223372036854775807 => = 9223372036854775807
		9223372036854775807.0 => = 9223372036854775807
		-9223372036854775808 => = -9223372036854775808`
	checkCatalogue(t, func(n *int64) field { return integer("x", n) }, wrong+right+`
		null => int_type
		9223372036854775808 => less_than_equal 9223372036854775807
		1e19 => less_than_equal 9223372036854775807
		1e999999999 => less_than_equal 9223372036854775807
		-9223372036854775809 => greater_than_equal -9223372036854775808
		-1e999999999 => greater_than_equal -9223372036854775808`)
	checkCatalogue(t, func(n *int64) field { return integer("x", n).min(0).max(10) }, wrong+`
		0 => = 0
		10 => = 10
		10.0 => = 10
		11 => less_than_equal 10
		11.0 => less_than_equal 10
		-1 => greater_than_equal 0
		-1.0 => greater_than_equal 0
		99999999999999999999 => less_than_equal 9223372036854775807
		-99999999999999999999 => greater_than_equal 0`)
	checkCatalogue(t, func(id *xyra.OrganizationID) field { return identity("x", id) }, wrong+right+`
		null => int_type
		9223372036854775808 => = 9223372036854775807
		1e30 => = 9223372036854775807
		1e999999999 => = 9223372036854775807
		-1e30 => = -9223372036854775808`)
	checkCatalogue(t, func(id **int64) field { return identityOrNull("x", id) }, wrong+right+`
		null => = nil
		1e30 => = 9223372036854775807`)
	checkCatalogue(t, func(id *Opt[int64]) field { return optIdentity("x", id).nullable() }, wrong+`
		null => = {true true 0}
		5 => = {true false 5}`)
	checkCatalogue(t, func(id *Opt[int64]) field { return optIdentity("x", id) }, `
		null => int_type
		5 => = {true false 5}`)
}

const wrongDecimals = `
		"" => float_parsing
		" " => float_parsing
		" 1" => float_parsing
		"1 " => float_parsing
		"1 0" => float_parsing
		"1,5" => float_parsing
		"1_000" => float_parsing
		"0x10" => float_parsing
		"nan" => float_parsing
		"NaN" => float_parsing
		"inf" => float_parsing
		"-Infinity" => float_parsing
		"abc" => float_parsing
		"1.2.3" => float_parsing
		"1e" => float_parsing
		"e5" => float_parsing
		"--1" => float_parsing
		"+" => float_parsing
		"." => float_parsing
		".5" => float_parsing
		"5." => float_parsing
		"١" => float_parsing
		true => float_type
		false => float_type
		[] => float_type
		[1] => float_type
		{} => float_type
		0.0000000000001 => decimal_max_places
		"0.0000000000001" => decimal_max_places
		1e-13 => decimal_max_places
		"1e-999999999" => decimal_max_places
		1.1234567890123 => decimal_max_places
		1000000000000000 => decimal_whole_digits
		"1000000000000000" => decimal_whole_digits
		-1e15 => decimal_whole_digits
		1e999999999 => decimal_whole_digits
		99999999999999999999.99 => decimal_whole_digits`

func TestDecimal_IsExactAndBounded(t *testing.T) {
	right := `
		0 => = 0.0
		"0" => = 0.0
		7 => = 7.0
		"7.50" => = 7.5
		0.1 => = 0.1
		1.50 => = 1.5
		1e2 => = 100.0
		"+1E+2" => = 100.0
		15e-12 => = 0.000000000015
		0.1000000000000000000 => = 0.1
		999999999999999.999999999999 => = 999999999999999.999999999999
		0e999999999 => = 0.0
		"\u0031" => = 1.0`
	negative := `
		-0 => = 0.0
		-0.5 => = -0.5
		"-3" => = -3.0
		-999999999999999.999999999999 => = -999999999999999.999999999999`
	checkCatalogue(t, func(d *money.Decimal) field { return decimal("x", d) }, wrongDecimals+right+negative+"\nnull => float_type")
	checkCatalogue(t, func(d **money.Decimal) field { return decimal("x", d) }, wrongDecimals+right+negative+"\nnull => = nil")
	checkCatalogue(t, func(d *money.Decimal) field { return decimal("x", d).min(0) }, wrongDecimals+right+`
		-0 => = 0.0
		-0.0 => = 0.0
		-1 => greater_than_equal 0
		"-0.000000000001" => greater_than_equal 0
		-1e-13 => decimal_max_places
		null => float_type`)
	checkCatalogue(t, func(d *money.Decimal) field { return decimal("x", d).over(0) }, wrongDecimals+`
		0 => greater_than 0
		0.0 => greater_than 0
		"-0" => greater_than 0
		-5 => greater_than 0
		0.000000000001 => = 0.000000000001`)
}

func TestMoment_IsTextOrUnixTime(t *testing.T) {
	wrong := `
		"" => datetime_from_date_parsing input is too short
		"soon" => datetime_from_date_parsing input is too short
		"tomorrow at noon" => datetime_from_date_parsing invalid character in year
		"2024/01/01" => datetime_from_date_parsing invalid date separator, expected ` + "`-`" + `
		"2024-13-01" => datetime_from_date_parsing month value is outside expected range of 1-12
		"2024-02-30" => datetime_from_date_parsing day value is outside expected range
		"2024-01-01T25:00:00" => datetime_from_date_parsing unexpected extra characters at the end of the input
		"2024-01-01T10:00:00 02:00" => datetime_from_date_parsing unexpected extra characters at the end of the input
		1e300 => datetime_from_date_parsing dates after 9999 are not supported as unix timestamps
		true => datetime_type
		false => datetime_type
		[] => datetime_type
		["2024-01-01"] => datetime_type
		{} => datetime_type`
	right := `
		"2024-03-01" => = 2024-03-01T00:00:00Z
		"2024-03-01T10:00:00.25+02:00" => = 2024-03-01T08:00:00.250000Z
		1709287200 => = 2024-03-01T10:00:00Z
		1709287200.5 => = 2024-03-01T10:00:00.500000Z
		1709287200250 => = 2024-03-01T10:00:00.250000Z
		"1709287200" => = 2024-03-01T10:00:00Z
		-1 => = 1969-12-31T23:59:59Z`
	checkCatalogue(t, func(at *time.Time) field { return moment("x", at) }, wrong+right+"\nnull => datetime_type")
	checkCatalogue(t, func(at **time.Time) field { return moment("x", at) }, wrong+right+"\nnull => = nil")
	latest := time.Date(2024, 3, 1, 10, 5, 0, 0, time.UTC)
	const why = "timestamp must not be more than 5 minutes in the future"
	checkCatalogue(t, func(at **time.Time) field { return moment("x", at).notAfter(latest, why) }, wrong+`
		null => = nil
		"2024-03-01T10:05:00Z" => = 2024-03-01T10:05:00Z
		"2024-03-01T10:05:00.000001Z" => value_error `+why+`
		"2999-01-01" => value_error `+why)
}

func TestEmail_SaysWhatIsWrong(t *testing.T) {
	checkCatalogue(t, func(s *string) field { return email("x", s) }, `
		null => string_type
		1 => string_type
		[] => string_type
		{} => string_type
		true => string_type
		"theo" => email An email address must have an @-sign.
		"" => email An email address must have an @-sign.
		"@b.co" => email There must be something before the @-sign.
		"a@" => email There must be something after the @-sign.
		"a@b" => email The part after the @-sign is not valid. It should have a period.
		"a@b.test" => email The part after the @-sign is a special-use or reserved name that cannot be used with email.
		"a b@c.co" => email The email address contains invalid characters before the @-sign: SPACE.
		" Theo@Example.IO " => = Theo@example.io
		"Theo <theo@example.io>" => = theo@example.io`)
}

func TestNewPassword_IsLongAndNotEasy(t *testing.T) {
	long := strings.Repeat("x", 1025)
	wrong := `
		5 => string_type
		[] => string_type
		"short" => string_too_short 8
		"ééééééé" => string_too_short 8
		"` + long + `" => string_too_long 1024
		"password" => value_error password is too easy to guess
		"QWERTYUIOP" => value_error password is too easy to guess
		"theo@example.io" => value_error password is too easy to guess
		"good-pass-9" => = good-pass-9
		"` + long[1:] + `" => = ` + long[1:]
	owner := func() string { return "Theo@example.io" }
	checkCatalogue(t, func(s *string) field { return newPassword("x", s, owner) }, wrong+`
		null => string_type
		"" => string_too_short 8`)
	var none Opt[string]
	for _, blank := range []string{`null`, `""`} {
		if items := decodeBody([]byte(`{"p":`+blank+`}`), "", fieldList{newPassword("p", &none, nil).blankIsOmitted()}); items != nil || none.Set {
			t.Errorf("%s: %s %v", blank, itemsText(items), none)
		}
	}
}

func TestWords_AreFromTheirLists(t *testing.T) {
	checkCatalogue(t, func(s *string) field { return oneOf("x", s, "user", "admin") }, `
		"user" => = user
		"admin" => = admin
		"owner" => literal_error
		"Admin" => literal_error
		"" => literal_error
		null => string_type
		1 => string_type
		["user"] => string_type`)
	checkCatalogue(t, func(c *money.Currency) field { return currencyCode("x", c) }, `
		"USD" => = USD
		"eur" => = EUR
		"jPy" => = JPY
		"DOLLARS" => value_error unknown currency code
		"" => value_error unknown currency code
		" USD" => value_error unknown currency code
		"ZZZ" => value_error unknown currency code
		"U\u017fD" => value_error unknown currency code
		null => string_type
		840 => string_type
		{} => string_type`)
	checkCatalogue(t, func(s *string) field { return timezone("x", s) }, `
		"UTC" => = UTC
		"Europe/Berlin" => = Europe/Berlin
		"America/Argentina/Buenos_Aires" => = America/Argentina/Buenos_Aires
		"Moon/Base" => value_error unknown time zone
		"" => value_error unknown time zone
		"Local" => value_error unknown time zone
		"localtime" => value_error unknown time zone
		"../etc/passwd" => value_error unknown time zone
		"/etc/localtime" => value_error unknown time zone
		"posix/UTC" => value_error unknown time zone
		"+02:00" => value_error unknown time zone
		"`+strings.Repeat("x", 51)+`" => string_too_long 50
		null => string_type
		0 => string_type`)
}
