package money

import (
	"errors"
	"strings"
	"testing"
)

func TestParse_ReadsTheGrammarAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"0", "0.0"}, {"-0", "0.0"}, {"+0.00", "0.0"}, {"00012", "12.0"}, {"20.00", "20.0"},
		{"1.50", "1.5"}, {"-1.5", "-1.5"}, {"+1.5", "1.5"}, {"0.000015", "0.000015"}, {"1.5e-5", "0.000015"},
		{"1E3", "1000.0"}, {"1e+3", "1000.0"}, {"12.34e1", "123.4"}, {"1200e-2", "12.0"}, {"0e99999", "0.0"},
		{"0e-99999999999999999999999", "0.0"}, {"0.0e5", "0.0"}, {"999999999999999.999999999999", "999999999999999.999999999999"},
		{"-999999999999999", "-999999999999999.0"}, {"0.000000000001", "0.000000000001"},
		{"1.0000000000000000000000", "1.0"}, {"100000000000000000000e-20", "1.0"}, {"0.00000000000000000001e20", "1.0"},
		{"000000000000000000000000000000000000001", "1.0"}, {"10203.0405060", "10203.040506"},
	} {
		d, err := Parse(c.in)
		if err != nil || d.String() != c.want {
			t.Errorf("Parse(%q) = %s, %v; want %s", c.in, d, err, c.want)
		}
		b, err := ParseBytes([]byte(c.in))
		if err != nil || b.String() != c.want {
			t.Errorf("ParseBytes(%q) = %s, %v; want %s", c.in, b, err, c.want)
		}
	}
}

func TestParse_NamesWhatItRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want error
	}{
		{"", ErrSyntax}, {" ", ErrSyntax}, {"-", ErrSyntax}, {"+", ErrSyntax}, {".", ErrSyntax}, {".5", ErrSyntax},
		{"5.", ErrSyntax}, {"-.5", ErrSyntax}, {"5.e1", ErrSyntax}, {"1e", ErrSyntax}, {"1e+", ErrSyntax}, {"e5", ErrSyntax},
		{"1.2.3", ErrSyntax}, {"1..2", ErrSyntax}, {" 1", ErrSyntax}, {"1 ", ErrSyntax}, {"1\n", ErrSyntax}, {"--1", ErrSyntax},
		{"1e1.5", ErrSyntax}, {"1e5e5", ErrSyntax}, {"0x10", ErrSyntax}, {"1_000", ErrSyntax}, {"1,5", ErrSyntax},
		{"NaN", ErrSyntax}, {"Infinity", ErrSyntax}, {"-inf", ErrSyntax}, {"١", ErrSyntax}, {"1e999999999999x", ErrSyntax},
		{"1000000000000000", ErrWhole}, {"1e15", ErrWhole}, {"-1e15", ErrWhole}, {"1e999999999", ErrWhole},
		{"1e99999999999999999999999999", ErrWhole}, {"1000000000000000.0000000000001", ErrWhole},
		{"0.0000000000001", ErrPlaces}, {"1e-13", ErrPlaces}, {"1e-999999999", ErrPlaces}, {"5e-99999999999999999999999999", ErrPlaces},
		{"999999999999999.9999999999999", ErrPlaces},
		{strings.Repeat("9", 1_000_000), ErrWhole}, {"0." + strings.Repeat("3", 1_000_000), ErrPlaces},
	} {
		if d, err := Parse(c.in); !errors.Is(err, c.want) || !d.IsZero() {
			t.Errorf("Parse(%.40q) = %.40s, %v; want 0, %v", c.in, d, err, c.want)
		}
	}
}

func TestParse_AbsurdInputDoesNotAllocate(t *testing.T) {
	long := strings.Repeat("9", 100_000)
	for _, in := range []string{"1e999999999", "1e-999999999", "0e999999999", long, "0." + long} {
		allocations := testing.AllocsPerRun(10, func() {
			if _, err := Parse(in); err == nil && in[0] != '0' {
				t.Errorf("Parse(%.20q) took it", in)
			}
		})
		if allocations != 0 {
			t.Errorf("Parse(%.20q) allocates %v times", in, allocations)
		}
	}
}

func TestParseExact_ReadsBackProductsAndBoundsDigits(t *testing.T) {
	t.Parallel()
	largest := MustParse("999999999999999.999999999999")
	product := largest.Mul(largest).Mul(largest)
	back, err := ParseExact(product.String())
	if err != nil || !back.Equal(product) {
		t.Errorf("ParseExact(%s) = %s, %v", product, back, err)
	}
	for in, want := range map[string]error{
		strings.Repeat("9", 200) + "." + strings.Repeat("9", 200): nil,
		strings.Repeat("9", 201):                                  ErrWhole,
		"1e200":                                                   ErrWhole,
		"1e-201":                                                  ErrPlaces,
		"1e999999999":                                             ErrWhole,
		"ten":                                                     ErrSyntax,
		"1e199":                                                   nil,
		"1e-200":                                                  nil,
		"-" + "1" + "e-999999999":                                 ErrPlaces,
	} {
		if _, err := ParseExact(in); !errors.Is(err, want) {
			t.Errorf("ParseExact(%.30q) = %v; want %v", in, err, want)
		}
	}
}

func TestMustParse_PanicsOnNoNumber(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("MustParse took a word")
		}
	}()
	MustParse("ten")
}
