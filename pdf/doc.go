// Package pdf draws invoices as PDF. The same document gives the same bytes, at any time and on any machine. Everything
// that is text stays text: it is drawn glyph by glyph and never interpreted, there are no links, scripts, forms or
// attachments in the file, and nothing is fetched. The payment link stands there as text and as a QR code.
//
// Noto Sans, which is embedded, covers Latin, Greek and Cyrillic; a text is cut into runs, and what Noto Sans lacks is
// drawn from the further fonts of Fonts. A character that no font has is drawn as '�', so that nothing is dropped unseen.
// Hebrew and Arabic are put in order and joined; scripts that a font's own rules must shape are drawn as '�' too, since
// letters in a wrong place look like another text.
//
// Geometry is in millimetres and floating point; amounts are formatted by package money and never calculated with here.
package pdf
