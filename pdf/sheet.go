package pdf

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
)

// The page, in millimetres: A4, which a printer with Letter paper scales by itself.
const (
	pageWidth   = 210.0
	pageHeight  = 297.0
	margin      = 18.0
	left        = margin
	right       = pageWidth - margin
	bodyTop     = 20.0
	bodyBottom  = pageHeight - 24
	footerLine  = pageHeight - 14
	lineSpacing = 1.36 // of the size
)

// sheet draws on pages from top to bottom.
type sheet struct {
	file   *fpdf.Fpdf
	fonts  Fonts
	y      float64 // where the next thing begins
	opened func()  // draws what every page begins with

	missing bool // a character was drawn as '�'
}

func newSheet(fonts Fonts, title, author string, created, modified time.Time) *sheet {
	file := fpdf.New("P", "mm", "A4", "")
	file.SetCatalogSort(true)
	file.SetCreationDate(created.UTC())
	file.SetModificationDate(modified.UTC())
	file.SetProducer("Xyra", true)
	file.SetTitle(title, true)
	file.SetAuthor(author, true)
	file.SetLang("en")
	file.SetAutoPageBreak(false, 0)
	for _, f := range embedded() {
		file.AddUTF8FontFromBytes(f.family, f.style, f.raw)
	}
	return &sheet{file: file, fonts: fonts, opened: func() {}}
}

// page begins a new one.
func (s *sheet) page() {
	s.file.AddPage()
	s.y = bodyTop
	s.opened()
}

// room begins a new page when less than the height is left.
func (s *sheet) room(height float64) {
	if s.y+height > bodyBottom {
		s.page()
	}
}

// lineHeight is from one line to the next, in millimetres.
func (t typeface) lineHeight() float64 { return t.size * 25.4 / 72 * lineSpacing }

// baseline is where the letters of a line that begins at y stand.
func (t typeface) baseline(y float64) float64 { return y + t.size*25.4/72*1.05 }

// text draws one line whose box begins at x, y.
func (s *sheet) text(x, y float64, t typeface, text string) {
	for _, r := range s.fonts.runs(visual(text), t.bold) {
		if r.face.family != sans {
			s.file.AddUTF8FontFromBytes(r.face.family, r.face.style, r.face.raw) // the second time it does nothing
		}
		s.file.SetFont(r.face.family, r.face.style, t.size)
		s.file.SetTextColor(t.ink[0], t.ink[1], t.ink[2])
		s.file.Text(x, t.baseline(y), r.text)
		s.missing = s.missing || strings.ContainsRune(r.text, unicode.ReplacementChar)
		x += s.fonts.width(r.text, t)
	}
}

// textRight draws one line that ends at x.
func (s *sheet) textRight(x, y float64, t typeface, text string) {
	s.text(x-s.fonts.width(text, t), y, t, text)
}

// lines draws a text from y on, broken to the width, and returns where it ends. It does not change pages.
func (s *sheet) lines(x, y, width float64, t typeface, text string) float64 {
	for _, line := range s.fonts.wrap(text, t, width) {
		s.text(x, y, t, line)
		y += t.lineHeight()
	}
	return y
}

// flow draws a text of any length from s.y on, over as many pages as it takes.
func (s *sheet) flow(x, width float64, t typeface, text string) {
	for _, line := range s.fonts.wrap(text, t, width) {
		s.room(t.lineHeight())
		s.text(x, s.y, t, line)
		s.y += t.lineHeight()
	}
}

// fitted is t made smaller until the text is no wider than the width; below half of its size it stays as it is.
func (s *sheet) fitted(t typeface, text string, width float64) typeface {
	if actual := s.fonts.width(text, t); actual > width {
		t.size = max(t.size*width/actual, t.size/2)
	}
	return t
}

// rule draws a thin horizontal line.
func (s *sheet) rule(x1, x2, y, width float64, colour ink) {
	s.file.SetDrawColor(colour[0], colour[1], colour[2])
	s.file.SetLineWidth(width)
	s.file.Line(x1, y, x2, y)
}

// box fills a rectangle.
func (s *sheet) box(x, y, width, height float64, colour ink) {
	s.file.SetFillColor(colour[0], colour[1], colour[2])
	s.file.Rect(x, y, width, height, "F")
}

// stamp draws a large word across the page.
func (s *sheet) stamp(word string, colour ink) {
	t := typeface{size: 110, bold: true, ink: colour}
	width := s.fonts.width(word, t)
	s.file.TransformBegin()
	s.file.TransformRotate(38, pageWidth/2, pageHeight/2)
	s.text(pageWidth/2-width/2, pageHeight/2-20, t, word)
	s.file.TransformEnd()
}

// footers draws the foot of every page, once their number is known.
func (s *sheet) footers(text string) {
	t := typeface{size: 7.5, ink: inkFaint}
	pages := s.file.PageCount()
	for page := 1; page <= pages; page++ {
		s.file.SetPage(page)
		s.box(left, footerLine, right-left, 0.1, inkLine) // sets the colour that the library takes this page to have
		number := fmt.Sprintf("Page %d of %d", page, pages)
		s.textRight(right, footerLine+1.5, t, number)
		s.text(left, footerLine+1.5, t, s.short(text, right-left-30, t))
	}
}

// output writes the file.
func (s *sheet) output(w io.Writer) error {
	if err := s.file.Output(w); err != nil {
		return fmt.Errorf("draw invoice: %w", err)
	}
	return nil
}
