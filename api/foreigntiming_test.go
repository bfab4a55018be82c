package api

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// How long an answer takes does not tell a foreign object from a missing one. The medians of answers taken in turn are
// compared; XYRA_TEST_LONG takes more and is stricter. That the statements are the same is another test's business.
func TestForeign_TakesAsLongAsMissing(t *testing.T) {
	timings, tolerance, grain := 15, 3.0, 500*time.Microsecond
	if os.Getenv("XYRA_TEST_LONG") != "" {
		timings, tolerance, grain = 200, 1.3, 50*time.Microsecond
	}
	eachStage(t, func(st *stage) {
		gone, names := missingHome(st.own), regexp.MustCompile(`\{\+?[a-z]+\}`)
		routes := 0
		for _, r := range matrix {
			method, pattern, _ := strings.Cut(r.route, " ")
			path := strings.ReplaceAll(r.path, "{+", "{")
			if path == "" {
				path = pattern
			}
			if method == http.MethodDelete || len(names.FindAllString(strings.ReplaceAll(path+r.body, "{unique}", ""), -1)) == 0 {
				continue
			}
			once := func(h home) time.Duration {
				body, target := st.fill(h, strings.ReplaceAll(r.body, "{unique}", "same")), st.fill(h, path)
				start := time.Now()
				st.send(method, target, "otheradmin", body)
				return time.Since(start)
			}
			medians := func() (a, b time.Duration) {
				var foreign, missing []time.Duration
				for n := range timings + 2 {
					a, b := once(st.own), once(gone)
					if n%2 == 0 { // whoever is second may find caches warm
						b, a = once(gone), once(st.own)
					}
					if n >= 2 {
						foreign, missing = append(foreign, a), append(missing, b)
					}
				}
				slices.Sort(foreign)
				slices.Sort(missing)
				return foreign[timings/2], missing[timings/2]
			}
			told := 0
			for told < 3 { // on a busy machine half of the answers may wait for a processor; an answer that tells takes longer every time
				a, b := medians()
				if longer, shorter := max(a, b), min(a, b); longer-shorter <= grain || float64(longer) <= tolerance*float64(shorter) {
					break
				}
				if told++; told == 3 {
					st.t.Errorf("%s: %s if foreign, %s if missing", r.route, a, b)
				}
			}
			routes++
		}
		if routes < 30 {
			st.t.Errorf("%d routes are not enough", routes)
		}
	})
}
