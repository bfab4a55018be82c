package money

import "testing"

func BenchmarkParse(b *testing.B) {
	for _, in := range []string{"12", "299.97", "0.000015", "999999999999999.999999999999"} {
		b.Run(in, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseBytes(b *testing.B) {
	in := []byte("299.97")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseBytes(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct{ name, d, e string }{
		{"equal scale", "299.97", "0.35"},
		{"other scale", "299.97", "0.000015"},
		{"wide", "999999999999999.999999999999", "0.000000000001"},
	} {
		d, e := MustParse(c.d), MustParse(c.e)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Add(e)
			}
		})
	}
}

func BenchmarkMul(b *testing.B) {
	for _, c := range []struct{ name, d, e string }{
		{"small", "12345", "0.000015"},
		{"wide", "999999999999999.999999999999", "0.000000000001"},
	} {
		d, e := MustParse(c.d), MustParse(c.e)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Mul(e)
			}
		})
	}
}

func BenchmarkAppendTo(b *testing.B) {
	for _, in := range []string{"20.0", "299.97", "0.000015", "999999999999999.999999999999"} {
		d := MustParse(in)
		dst := make([]byte, 0, 64)
		b.Run(in, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.AppendTo(dst)
			}
		})
	}
}
