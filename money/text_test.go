package money

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

var (
	_ sql.Scanner  = (*Decimal)(nil)
	_ fmt.Stringer = Decimal{}
)

func TestString_IsPlainNotation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d             Decimal
		String, Plain string
	}{
		{Decimal{}, "0.0", "0"},
		{FromInt(20), "20.0", "20"},
		{FromInt(-7).Shift(-2), "-0.07", "-0.07"},
		{FromInt(0).Shift(-5), "0.0", "0"},
		{MustParse("0.5").Sub(MustParse("0.5")), "0.0", "0"},
		{MustParse("-0.5").Add(MustParse("0.5")).Neg(), "0.0", "0"},
		{MustParse("0.5").Add(MustParse("0.5")), "1.0", "1"},
		{FromInt(2500).Shift(-3), "2.5", "2.5"},
		{FromInt(15).Shift(-6), "0.000015", "0.000015"},
		{MustParse("1e30"), "1000000000000000000000000000000.0", "1000000000000000000000000000000"},
		{MustParse("1e30").Shift(-60), "0.000000000000000000000000000001", "0.000000000000000000000000000001"},
		{MustParse("-123456789012345678901234567890").Shift(-29), "-1.2345678901234567890123456789", "-1.2345678901234567890123456789"},
		{MustParse("3000000000000000000000.00").Shift(-2).Add(MustParse("0.10")), "30000000000000000000.1", "30000000000000000000.1"},
		{MustParse("0.335").Mul(FromInt(3)), "1.005", "1.005"},
	} {
		if c.d.String() != c.String || c.d.Plain() != c.Plain || c.d.Canonical() != c.Plain {
			t.Errorf("%s, %s, %s; want %s, %s", c.d.String(), c.d.Plain(), c.d.Canonical(), c.String, c.Plain)
		}
		if got := string(c.d.AppendTo([]byte("="))); got != "="+c.String {
			t.Errorf("appended %s; want =%s", got, c.String)
		}
	}
}

func TestJSON_IsANumberBothWays(t *testing.T) {
	t.Parallel()
	var in struct {
		Number, Text Decimal
		Absent       *Decimal
		Omitted      Decimal `json:",omitzero"`
	}
	text := `{"Number":12345678901234567890.123456789,"Text":"1.50e1","Absent":null}`
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"Number":12345678901234567890.123456789,"Text":15.0,"Absent":null}`; string(out) != want {
		t.Errorf("%s; want %s", out, want)
	}
}

func TestUnmarshalJSON_RefusesWhatIsNoNumber(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`null`, `""`, `"`, ``, `true`, `" 1"`, `"NaN"`, `[]`, `{}`, `1e999999999`, `"1e-999999999"`} {
		d := FromInt(7)
		if err := d.UnmarshalJSON([]byte(text)); err == nil || !d.Equal(FromInt(7)) {
			t.Errorf("%s: %s, %v", text, d, err)
		}
	}
}

func TestScan_ReadsBackWhatValueWrote(t *testing.T) {
	t.Parallel()
	for _, s := range edges {
		d := MustParse(s)
		v, err := d.Value()
		if err != nil {
			t.Fatal(err)
		}
		text, ok := v.(string)
		if !ok || text != d.Plain() {
			t.Fatalf("%s is stored as %v", d, v)
		}
		for _, column := range []any{text, []byte(text), text + ".000"} {
			var back Decimal
			if s, ok := column.(string); ok && !d.IsInt() {
				column = s[:len(text)] + "000"
			}
			if err := back.Scan(column); err != nil || !back.Equal(d) {
				t.Errorf("%s read back from %v as %s, %v", d, column, back, err)
			}
		}
	}
	var whole Decimal
	if err := whole.Scan(int64(-42)); err != nil || whole.Plain() != "-42" {
		t.Errorf("integer column read as %s, %v", whole, err)
	}
}

func TestScan_RefusesInexactColumns(t *testing.T) {
	t.Parallel()
	for _, column := range []any{nil, 0.1, true, int(3), "NaN", "", []byte("Infinity")} {
		d := FromInt(7)
		if err := d.Scan(column); err == nil || !d.Equal(FromInt(7)) {
			t.Errorf("%v (%T): %s, %v", column, column, d, err)
		}
	}
	var d Decimal
	if err := d.Scan("x"); !errors.Is(err, ErrSyntax) {
		t.Errorf("%v does not wrap ErrSyntax", err)
	}
}
