package pdf

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"
)

// file is a PDF read back as far as the tests look at it.
type file struct {
	pages    [][]string // the texts of each page, in the order in which they were drawn
	contents []string   // what draws each page
	skeleton []byte     // all bytes outside of streams
}

var stream = regexp.MustCompile(`(?s)/Length (\d+)[^>]*>>\nstream\n(.*?)\nendstream`)

// readFile decompresses the content of the pages and finds the texts in it.
func readFile(t testing.TB, raw []byte) (f file) {
	t.Helper()
	if !bytes.HasPrefix(raw, []byte("%PDF-1.")) || !bytes.HasSuffix(raw, []byte("%%EOF\n")) {
		t.Fatalf("not a whole PDF: %.20q", raw)
	}
	for _, match := range stream.FindAllSubmatch(raw, -1) {
		unpacked, err := zlib.NewReader(bytes.NewReader(match[2]))
		if err != nil {
			continue // a stream that is not compressed holds no page
		}
		content, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(") Tj ET")) {
			f.pages, f.contents = append(f.pages, shownTexts(content)), append(f.contents, string(content))
		}
	}
	f.skeleton = stream.ReplaceAll(raw, nil)
	return f
}

// shownTexts are the operands of the operators that show text.
func shownTexts(content []byte) (texts []string) {
	for {
		begin := bytes.Index(content, []byte(" Td ("))
		if begin < 0 {
			return texts
		}
		content = content[begin+5:]
		var units []byte
		end := 0
		for ; content[end] != ')'; end++ {
			if content[end] != '\\' {
				units = append(units, content[end])
				continue
			}
			end++
			if escaped := content[end]; escaped == 'r' {
				units = append(units, '\r')
			} else {
				units = append(units, escaped)
			}
		}
		content = content[end:]
		codes := make([]uint16, len(units)/2)
		for n := range codes {
			codes[n] = uint16(units[2*n])<<8 | uint16(units[2*n+1])
		}
		texts = append(texts, string(utf16.Decode(codes)))
	}
}

// text is everything shown on all pages, without spaces: where a line broke, or a font changed, is not what a text says.
func (f file) text() string {
	var all strings.Builder
	for _, page := range f.pages {
		all.WriteString(strings.Join(page, ""))
	}
	return withoutSpaces(all.String())
}

func withoutSpaces(s string) string { return strings.Join(strings.Fields(s), "") }
