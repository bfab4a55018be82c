package pdf

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"xyra"
)

// many is an invoice of so many lines, in several scripts.
func many(lines int) Document {
	var all []xyra.Line
	for n := range lines {
		all = append(all, line(fmt.Sprintf("Agent usage: %s %d - %d activities", []string{"Ada", "Ωmega", "Йота", "日旦", "ﬁ"}[n%5], n+1, n*7), fmt.Sprint(n*7), "0.37"))
	}
	return sample("USD", all...)
}

// sums are the hashes of some documents.
func sums(t *testing.T) string {
	t.Helper()
	fonts, err := ReadFonts(withHan(t))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for n, doc := range []Document{sample("EUR"), many(40), sample("JPY", line("日旦 Café שלום فاتورة", "3", "1"))} {
		link := "https://pay.example/c/42"
		doc.Fonts, doc.Invoice.Stripe.PaymentLink = fonts, &link
		if n == 2 {
			doc.Invoice.Status = xyra.InvoiceDraft
		}
		fmt.Fprintf(&all, "%x\n", sha256.Sum256(draw(t, doc)))
	}
	return all.String()
}

// Another process, with any number of processors, in another time zone and language, draws the same bytes.
func TestInvoice_SameInputGivesTheSameBytesInEveryProcess(t *testing.T) {
	const report = "XYRA_TEST_PDF_SUMS"
	if path := os.Getenv(report); path != "" {
		if err := os.WriteFile(path, []byte(sums(t)), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := sums(t)
	for n, environment := range [][]string{{"GOMAXPROCS=1", "TZ=Pacific/Kiritimati"}, {"GOMAXPROCS=2", "LANG=ar_EG.UTF-8"}, {"GOMAXPROCS=8", "GODEBUG=randautoseed=0"}} {
		path := fmt.Sprintf("%s/%d", t.TempDir(), n)
		again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		again.Env = append(append(os.Environ(), report+"="+path), environment...)
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", environment, err, out)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%v: %v\n%s\nwant\n%s", environment, err, got, want)
		}
	}
}

// Twenty at once, of different sizes, do not disturb each other.
func TestInvoice_ConcurrentOnesAreEachTheirOwn(t *testing.T) {
	docs := []Document{many(1), many(7), many(60), sample("INR", line("Спасибо", "2", "1")), sample("KWD")}
	want := make([]string, len(docs))
	for n, doc := range docs {
		want[n] = string(draw(t, doc))
	}
	var drawing sync.WaitGroup
	for n := range 20 {
		drawing.Go(func() {
			var b strings.Builder
			if err := Invoice(&b, docs[n%len(docs)]); err != nil || b.String() != want[n%len(docs)] {
				t.Errorf("document %d: %d bytes, %v", n, b.Len(), err)
			}
		})
	}
	drawing.Wait()
}

// However many lines there are, the last one stands on the page of the totals.
func TestInvoice_TotalsAreNeverAlone(t *testing.T) {
	for lines := 17; lines < 33; lines++ {
		f := readFile(t, draw(t, many(lines)))
		last := strings.Join(f.pages[len(f.pages)-1], " ")
		if !strings.Contains(last, "Amount due") || !strings.Contains(last, fmt.Sprintf(" %d - ", lines)) {
			t.Errorf("%d lines: the last page is %q", lines, last)
		}
	}
}

// What a long invoice takes grows with its lines and not faster; XYRA_TEST_LONG draws 10,000.
func TestInvoice_LongOnesTakeMemoryByTheLine(t *testing.T) {
	lines := 1500
	if os.Getenv("XYRA_TEST_LONG") != "" {
		lines = 10_000
	}
	took := func(lines int) (bytes uint64, drawn []byte) {
		doc := many(lines)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		drawn = draw(t, doc)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc, drawn
	}
	none, _ := took(1)
	some, _ := took(lines / 10)
	all, drawn := took(lines)
	if all-none > 13*(some-none) {
		t.Errorf("%d lines take %d bytes, a tenth of them %d", lines, all-none, some-none)
	}
	if perLine := (all - none) / uint64(lines); perLine > 200_000 || len(drawn) > 200*lines+100_000 {
		t.Errorf("%d bytes a line; the file has %d", perLine, len(drawn))
	}
	f := readFile(t, drawn)
	last := f.pages[len(f.pages)-1]
	for _, want := range []string{"Brought forward", fmt.Sprintf(" %d - ", lines), "Amount due", fmt.Sprintf("Page %d of %d", len(f.pages), len(f.pages))} {
		if !strings.Contains(strings.Join(last, " "), want) {
			t.Errorf("%q is not on the last page: %q", want, last)
		}
	}
}
