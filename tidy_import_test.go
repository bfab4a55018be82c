package xyra_test

import (
	"slices"
	"strings"
	"testing"
)

// rings is the house: a package imports only packages of a smaller number, so none imports a neighbour.
var rings = map[string]int{
	"xyra/money": 0, "xyra/strictjson": 0,
	"xyra/pricing": 1,
	"xyra":         2,
	"xyra/store":   3,
	"xyra/usage":   4, "xyra/billing": 4, "xyra/catalog": 4, "xyra/auth": 4, "xyra/notice": 4,
	"xyra/api": 5, "xyra/jobs": 5, "xyra/stripe": 5, "xyra/azure": 5, "xyra/webhook": 5, "xyra/pdf": 5, "xyra/telemetry": 5, "xyra/legacy": 5,
	"xyra/web": 5, "xyra/client": 5, "xyra/mail": 5, "xyra/front": 5,
	// For tests alone; it opens stores, so it lies outside them.
	storeTest: 4, azureTest: 4,
}

const (
	storeTest = "xyra/store/storetest"
	azureTest = "xyra/azure/azuretest"
)

// outerRing holds what nothing imports: programs and measurements.
const outerRing = 6

func ringOf(importPath string) (ring int, known bool) {
	for _, program := range []string{"xyra/cmd/", "xyra/tools/", "xyra/bench"} {
		if strings.HasPrefix(importPath, program) {
			return outerRing, true
		}
	}
	ring, known = rings[importPath]
	return ring, known
}

// Imports go inwards only: what a package means can then be read without what stands around it.
func TestTidy_ImportsGoInwards(t *testing.T) {
	for _, f := range productFiles(t) {
		own, known := ringOf(f.packagePath())
		if !known {
			t.Errorf("%s: package %s has no ring: give it one in rings, or a place in a package that has", f.path, f.packagePath())
			continue
		}
		for _, spec := range f.syntax.Imports {
			imported := importedPath(spec)
			if imported != "xyra" && !strings.HasPrefix(imported, "xyra/") {
				continue
			}
			ring, known := ringOf(imported)
			switch {
			case imported == storeTest || imported == azureTest:
				t.Errorf("%s imports %s, which is for tests", f.at(spec), imported)
			case !known:
				t.Errorf("%s imports %s, which has no ring", f.at(spec), imported)
			case ring >= own:
				t.Errorf("%s: %s (ring %d) imports %s (ring %d): only smaller rings may be imported", f.at(spec), f.packagePath(), own, imported, ring)
			}
		}
	}
}

// The innermost packages are sums and rules: given the same values they answer the same, on any machine, at any time.
func TestTidy_InnermostKnowNoDiskNoNetworkNoClock(t *testing.T) {
	outside := []string{"os", "os/exec", "net", "net/http", "database/sql", "syscall", "log", "log/slog", "crypto/rand", "math/rand", "math/rand/v2"}
	for _, f := range productFiles(t) {
		if ring, known := ringOf(f.packagePath()); !known || ring > rings["xyra"] {
			continue
		}
		for _, spec := range f.syntax.Imports {
			if slices.Contains(outside, importedPath(spec)) {
				t.Errorf("%s: %s imports %s", f.at(spec), f.packagePath(), importedPath(spec))
			}
		}
	}
}

// A foreign library is known to one package, so that replacing it is one package's work.
func TestTidy_LibrariesAreConfined(t *testing.T) {
	homes := map[string][]string{
		"github.com/jackc/pgx":           {"xyra/store", storeTest, "xyra/bench"}, // bench measures a bare COPY
		"modernc.org/sqlite":             {"xyra/store", storeTest},
		"github.com/pressly/goose":       {"xyra/store"},
		"github.com/danielgtaylor/huma":  {"xyra/api"},
		"github.com/go-chi/":             {"xyra/api"},
		"github.com/golang-jwt/":         {"xyra/auth"},
		"golang.org/x/crypto":            {"xyra/auth"},
		"github.com/stripe/":             {"xyra/stripe"},
		"github.com/Azure/":              {"xyra/azure"},
		"codeberg.org/go-pdf/":           {"xyra/pdf"},
		"github.com/boombuler/":          {"xyra/pdf"},
		"github.com/wneessen/":           {"xyra/mail"},
		"github.com/alecthomas/kong":     {"xyra/cmd/xyra"},
		"github.com/joho/godotenv":       {"xyra/cmd/xyra"},
		"github.com/prometheus/":         {"xyra/telemetry"},
		"go.opentelemetry.io/":           {"xyra/telemetry"},
		"github.com/standard-webhooks/":  {"xyra/webhook"},
		"github.com/bojanz/currency":     {"xyra/money"},
		"github.com/shopspring/decimal":  nil, // money.Decimal is ours
		"github.com/stretchr/testify":    nil, // plain testing reads like Go
		"github.com/sirupsen/logrus":     nil, // log/slog
		"github.com/mattn/go-sqlite3":    nil, // wants a C compiler of every user
		"github.com/golang/mock":         nil, // tests run against the real thing
		"go.uber.org/mock":               nil,
		"github.com/DATA-DOG/go-sqlmock": nil,
	}
	for _, f := range productFiles(t) {
		for _, spec := range f.syntax.Imports {
			for library, allowed := range homes {
				if strings.HasPrefix(importedPath(spec), library) && !slices.Contains(allowed, f.packagePath()) {
					t.Errorf("%s: %s imports %s, which is for %v alone", f.at(spec), f.packagePath(), importedPath(spec), allowed)
				}
			}
		}
	}
}
