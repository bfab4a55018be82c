package pdf

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// drawnSquares are the filled black rectangles of a page's content, in points from its lower left corner.
var drawnSquares = regexp.MustCompile(`(?m)^([\d.]+) ([\d.]+) ([\d.]+) -?([\d.]+) re f`)

// readQR finds the modules of the code in the content of a page and reads its text.
func readQR(t *testing.T, content string) string {
	t.Helper()
	at := strings.LastIndex(content, "\n0.000 g\n")
	if at < 0 {
		t.Fatal("nothing is black")
	}
	content, _, _ = strings.Cut(content[at:], " rg\n") // until another colour
	var squares [][4]float64
	for _, match := range drawnSquares.FindAllStringSubmatch(content, -1) {
		var s [4]float64
		for n := range s {
			s[n], _ = strconv.ParseFloat(match[n+1], 64)
		}
		squares = append(squares, s)
	}
	x, y, side := math.Inf(1), math.Inf(-1), 0.0
	for _, s := range squares {
		x, y, side = min(x, s[0]), max(y, s[1]), max(side, s[3])
	}
	side -= 0.01 * 72 / 25.4
	right := 0.0
	for _, s := range squares {
		right = max(right, s[0]+s[2])
	}
	size := int(math.Round((right - x) / side))
	modules := make([][]bool, size)
	for n := range modules {
		modules[n] = make([]bool, size)
	}
	for _, s := range squares {
		column, row, wide := int(math.Round((s[0]-x)/side)), int(math.Round((y-s[1])/side)), int(math.Round(s[2]/side))
		for n := range wide {
			modules[row][column+n] = true
		}
	}
	text, err := decodeQR(modules)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What the standard says of the codes of error correction level L, by version: check words of a block, and how many
// blocks have how many data words.
var qrBlocks = [][5]int{{}, {7, 1, 19}, {10, 1, 34}, {15, 1, 55}, {20, 1, 80}, {26, 1, 108}, {18, 2, 68}, {20, 2, 78}, {24, 2, 97}, {30, 2, 116}, {18, 2, 68, 2, 69},
	{20, 4, 81}, {24, 2, 92, 2, 93}, {26, 4, 107}, {30, 3, 115, 1, 116}, {22, 5, 87, 1, 88}, {24, 5, 98, 1, 99}, {28, 1, 107, 5, 108}}

// Where alignment patterns stand, by version.
var qrAlignments = [][]int{{}, {}, {6, 18}, {6, 22}, {6, 26}, {6, 30}, {6, 34}, {6, 22, 38}, {6, 24, 42}, {6, 26, 46}, {6, 28, 50}, {6, 30, 54}, {6, 32, 58}, {6, 34, 62},
	{6, 26, 46, 66}, {6, 26, 48, 70}, {6, 26, 50, 74}, {6, 30, 54, 78}}

var qrMasks = []func(row, column int) bool{
	func(i, j int) bool { return (i+j)%2 == 0 }, func(i, _ int) bool { return i%2 == 0 }, func(_, j int) bool { return j%3 == 0 },
	func(i, j int) bool { return (i+j)%3 == 0 }, func(i, j int) bool { return (i/2+j/3)%2 == 0 }, func(i, j int) bool { return i*j%2+i*j%3 == 0 },
	func(i, j int) bool { return (i*j%2+i*j%3)%2 == 0 }, func(i, j int) bool { return ((i+j)%2+i*j%3)%2 == 0 },
}

// decodeQR reads a code of level L and bytes as the standard describes it. It corrects no errors, since there may be none.
func decodeQR(modules [][]bool) (string, error) {
	size := len(modules)
	version := (size - 17) / 4
	if size%4 != 1 || version < 1 || version >= len(qrBlocks) {
		return "", fmt.Errorf("%d modules are no version", size)
	}
	bits := 0
	for _, at := range [][2]int{{8, 0}, {8, 1}, {8, 2}, {8, 3}, {8, 4}} {
		bits <<= 1
		if modules[at[0]][at[1]] {
			bits |= 1
		}
	}
	if bits ^= 0b10101; bits>>3 != 0b01 {
		return "", fmt.Errorf("the level is not L: %05b", bits)
	}
	mask := qrMasks[bits&7]
	fixed := qrFixed(size, version)
	var words []byte
	count, word := 0, byte(0)
	upwards := true
	for column := size - 1; column > 0; column -= 2 {
		if column == 6 {
			column--
		}
		for n := range size {
			row := n
			if upwards {
				row = size - 1 - n
			}
			for _, c := range []int{column, column - 1} {
				if fixed[row][c] {
					continue
				}
				word <<= 1
				if modules[row][c] != mask(row, c) {
					word |= 1
				}
				if count++; count%8 == 0 {
					words, word = append(words, word), 0
				}
			}
		}
		upwards = !upwards
	}
	return qrText(qrData(words, qrBlocks[version]), version)
}

// qrFixed marks the modules that carry no data.
func qrFixed(size, version int) [][]bool {
	fixed := make([][]bool, size)
	for n := range fixed {
		fixed[n] = make([]bool, size)
	}
	fill := func(row, column, height, width int) {
		for r := row; r < row+height; r++ {
			for c := column; c < column+width; c++ {
				fixed[r][c] = true
			}
		}
	}
	fill(0, 0, 9, 9)
	fill(0, size-8, 9, 8)
	fill(size-8, 0, 8, 9)
	fill(6, 0, 1, size)
	fill(0, 6, size, 1)
	places := qrAlignments[version]
	for n, row := range places {
		for m, column := range places {
			last := len(places) - 1
			if n == 0 && (m == 0 || m == last) || n == last && m == 0 {
				continue
			}
			fill(row-2, column-2, 5, 5)
		}
	}
	if version >= 7 {
		fill(0, size-11, 6, 3)
		fill(size-11, 0, 3, 6)
	}
	return fixed
}

// qrData puts the interleaved words of the blocks one after the other.
func qrData(words []byte, layout [5]int) (data []byte) {
	var lengths []int
	for range layout[1] {
		lengths = append(lengths, layout[2])
	}
	for range layout[3] {
		lengths = append(lengths, layout[4])
	}
	blocks := make([][]byte, len(lengths))
	at := 0
	for n := range max(layout[2], layout[4]) {
		for b, length := range lengths {
			if n < length {
				blocks[b] = append(blocks[b], words[at])
				at++
			}
		}
	}
	for _, block := range blocks {
		data = append(data, block...)
	}
	return data
}

// qrText reads one segment of bytes.
func qrText(data []byte, version int) (string, error) {
	at := 0
	take := func(n int) (value int) {
		for range n {
			value = value<<1 | int(data[at/8]>>(7-at%8)&1)
			at++
		}
		return value
	}
	if mode := take(4); mode != 4 {
		return "", fmt.Errorf("mode %d is not bytes", mode)
	}
	wide := 8
	if version > 9 {
		wide = 16
	}
	text := make([]byte, take(wide))
	for n := range text {
		text[n] = byte(take(8))
	}
	return string(text), nil
}

// A telephone that looks at the page opens the very address that stands beside the code.
func TestInvoice_TheCodeReadsBackAsTheLink(t *testing.T) {
	for _, length := range []int{30, 78, 79, 120, 200, 271, 272, 380, 500, linkMax} {
		link := "https://pay.example/c/pay/cs_live_a1#"
		for n := 0; len(link) < length; n++ {
			link += string("Zk3xQ9bT%fid-WxOYHwn_Pyd1"[n*7%25])
		}
		link = link[:length]
		if length == 30 {
			link = "https://pay.example/ü/日?a=1&b="
		}
		doc := sample("USD", line("Work", "1", "10"))
		doc.Invoice.Stripe.PaymentLink = &link
		f := readFile(t, draw(t, doc))
		if got := readQR(t, f.contents[0]); got != link {
			t.Errorf("%d: %q became %q", length, link, got)
		}
	}
	tooLong := "https://pay.example/" + strings.Repeat("x", linkMax)
	doc := sample("USD", line("Work", "1", "10"))
	doc.Invoice.Stripe.PaymentLink = &tooLong
	f := readFile(t, draw(t, doc))
	wantTexts(t, f, tooLong)
	if strings.Count(f.contents[0], " re f") > 20 {
		t.Error("a code is drawn that no telephone reads")
	}
}
