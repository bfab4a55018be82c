package pdf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// face is a TrueType font as far as cutting and measuring texts needs it.
type face struct {
	family string // by which the drawing library knows it
	style  string
	raw    []byte
	widths []uint16 // by code of the Basic Multilingual Plane, in 1/1000 of the size, plus 1; 0: no such glyph
}

func (f *face) has(r rune) bool { return r >= 0 && int(r) < len(f.widths) && f.widths[r] > 0 }

// width is the advance in 1/1000 of the size.
func (f *face) width(r rune) float64 { return float64(f.widths[r]) - 1 }

// table is a part of a font file; what lies outside reads as 0 and is remembered.
type table struct {
	raw []byte
	bad *bool
}

func (t table) u16(at int) int {
	if at < 0 || at+2 > len(t.raw) {
		*t.bad = true
		return 0
	}
	return int(binary.BigEndian.Uint16(t.raw[at:]))
}

func (t table) u32(at int) int { return t.u16(at)<<16 | t.u16(at+2) }

func (t table) from(at int) table {
	if at < 0 || at > len(t.raw) {
		*t.bad = true
		return table{nil, t.bad}
	}
	return table{t.raw[at:], t.bad}
}

// newFace reads the tables of a font that tell which characters it has and how wide they are.
func newFace(family, style string, raw []byte) (*face, error) {
	bad := false
	file := table{raw, &bad}
	if kind := file.u32(0); kind != 0x00010000 && kind != 0x74727565 {
		return nil, errors.New("not a TrueType font (.ttf): collections and OpenType fonts with PostScript outlines cannot be embedded")
	}
	tables := map[string]table{}
	for n := range file.u16(4) {
		entry := 12 + 16*n
		if entry+16 > len(raw) {
			break
		}
		tables[string(raw[entry:entry+4])] = file.from(file.u32(entry + 8))
	}
	for _, name := range []string{"cmap", "head", "hhea", "hmtx", "glyf", "loca", "maxp", "OS/2", "post", "name"} {
		if _, present := tables[name]; !present {
			return nil, fmt.Errorf("the font has no table %q", name)
		}
	}
	f := &face{family: family, style: style, raw: raw, widths: make([]uint16, 0xffff)}
	unitsPerEm, advances, glyphs := tables["head"].u16(18), tables["hhea"].u16(34), tables["maxp"].u16(4)
	if unitsPerEm == 0 || advances == 0 {
		return nil, errors.New("the font has no measures")
	}
	found := eachGlyph(tables["cmap"], func(code, glyph int) {
		bad = bad || glyph >= glyphs || !inOrder(tables["loca"], tables["head"].u16(50), glyph, len(tables["glyf"].raw))
		advance := tables["hmtx"].u16(4 * min(glyph, advances-1))
		f.widths[code] = uint16(min(advance*1000/unitsPerEm, 0xfffe)) + 1
	})
	if !found || bad {
		return nil, errors.New("the font has no readable table of Unicode characters (cmap format 4)")
	}
	return f, nil
}

// eachGlyph visits the characters of the Basic Multilingual Plane that have a glyph, by the same subtable as the drawing
// library uses.
func eachGlyph(cmap table, visit func(code, glyph int)) bool {
	for n := range cmap.u16(2) {
		entry := 4 + 8*n
		platform, encoding := cmap.u16(entry), cmap.u16(entry+2)
		sub := cmap.from(cmap.u32(entry + 4))
		if (platform == 3 && encoding == 1 || platform == 0) && sub.u16(0) == 4 {
			eachGlyphOfFormat4(sub, visit)
			return true
		}
	}
	return false
}

func eachGlyphOfFormat4(sub table, visit func(code, glyph int)) {
	twice := sub.u16(6) &^ 1
	for at := 0; at < twice && !*sub.bad; at += 2 {
		last, first := sub.u16(14+at), sub.u16(16+twice+at)
		delta, offset := sub.u16(16+2*twice+at), sub.u16(16+3*twice+at)
		for code := first; code <= last && code < 0xffff; code++ {
			glyph := code
			if offset != 0 {
				if glyph = sub.u16(16 + 3*twice + at + offset + 2*(code-first)); glyph == 0 {
					continue
				}
			}
			if glyph = (glyph + delta) & 0xffff; glyph != 0 {
				visit(code, glyph)
			}
		}
	}
}

// inOrder tells whether the outline of a glyph lies inside of its table.
func inOrder(loca table, long, glyph, outlines int) bool {
	from, to := 2*loca.u16(2*glyph), 2*loca.u16(2*glyph+2)
	if long != 0 {
		from, to = loca.u32(4*glyph), loca.u32(4*glyph+4)
	}
	return from <= to && to <= outlines
}
