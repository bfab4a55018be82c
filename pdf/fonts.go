package pdf

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"sync"

	"codeberg.org/go-pdf/fpdf"
)

//go:embed fonts/*.gz
var fontFiles embed.FS

// sans is the family of the embedded fonts.
const sans = "sans"

// Fonts are what texts are drawn with. The zero value has Noto Sans alone.
type Fonts struct {
	// Each is embedded as two fonts that share its characters block by block. The drawing library's time grows with the
	// cube of how many characters with successive codes a font has to show (2,000 take seconds), so that one invoice with
	// a list of characters could occupy the server. A block has 256.
	further [][2]*face
}

// ReadFonts adds TrueType fonts for the characters that Noto Sans lacks, such as Chinese, Japanese and Korean; the first
// that has a character draws it. Each is tried once, so that one which cannot be embedded is refused here and not when
// an invoice is printed.
func ReadFonts(further ...[]byte) (fonts Fonts, err error) {
	defer func() {
		if p := recover(); p != nil { // the drawing library trusts the tables of a font
			err = fmt.Errorf("the font cannot be embedded: %v", p)
		}
	}()
	for n, raw := range further {
		f, err := newFace(fmt.Sprintf("further%d", n+1), "", raw)
		if err != nil {
			return Fonts{}, err
		}
		if err := f.try(); err != nil {
			return Fonts{}, err
		}
		odd := *f
		odd.family += "odd"
		fonts.further = append(fonts.further, [2]*face{f, &odd})
	}
	return fonts, nil
}

// triedMax bounds how many characters of a font are tried: the drawing library's time grows with their square.
const triedMax = 256

// try draws characters from all over the font.
func (f *face) try() error {
	file := fpdf.New("P", "mm", "A4", "")
	file.AddUTF8FontFromBytes(f.family, f.style, f.raw)
	file.AddPage()
	file.SetFont(f.family, f.style, 9)
	for r := 0; r < len(f.widths); r++ {
		if f.has(rune(r)) {
			file.Text(10, 10, string(rune(r)))
			r += len(f.widths) / triedMax
		}
	}
	if err := file.Output(io.Discard); err != nil {
		return fmt.Errorf("the font cannot be embedded: %w", err)
	}
	return nil
}

// embedded are Noto Sans regular and bold. Files of our own that cannot be read are a programmer's mistake.
var embedded = sync.OnceValue(func() [2]*face {
	return [2]*face{embeddedFace("Regular", ""), embeddedFace("Bold", "B")}
})

func embeddedFace(name, style string) *face {
	packed, err := fontFiles.ReadFile("fonts/NotoSans-" + name + ".ttf.gz")
	if err != nil {
		panic(err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(err)
	}
	raw, err := io.ReadAll(unpacked)
	if err != nil {
		panic(err)
	}
	f, err := newFace(sans, style, raw)
	if err != nil {
		panic(err)
	}
	return f
}
