package xyra_test

import (
	"fmt"
	"go/ast"
	"testing"
)

// What a reader can hold in mind at once.
const (
	functionLinesMax    = 70
	fileLinesMax        = 500
	interfaceMethodsMax = 5
	structFieldsMax     = 20
)

// oversized is the ratchet: what was too large already, with the size it had. A size here only ever goes down.
var oversized = map[string]int{}

// Limits are a ratchet: nothing new exceeds them, and nothing that does may grow.
func TestTidy_NothingIsOversized(t *testing.T) {
	needed := map[string]bool{}
	measure := func(what string, size, limit int, unit string) {
		if size <= limit {
			return
		}
		needed[what] = true
		if known := oversized[what]; known == 0 {
			t.Errorf("%s has %d %s, the limit is %d", what, size, unit, limit)
		} else if size > known {
			t.Errorf("%s has grown from %d %s to %d, beyond the limit of %d", what, known, unit, size, limit)
		} else if size < known {
			t.Errorf("%s has shrunk from %d %s to %d: write that into the table", what, known, unit, size)
		}
	}
	for _, f := range sourceFiles(t) {
		measure(f.path, f.lines, fileLinesMax, "lines")
		if f.isTest {
			continue // a table of cases is long, and read one line at a time
		}
		eachDeclaration(f, func(name string, n ast.Node) {
			if d, ok := n.(*ast.FuncDecl); ok {
				measure(fmt.Sprintf("%s:%s", f.path, name), f.lineCount(d), functionLinesMax, "lines")
			}
			ast.Inspect(n, func(n ast.Node) bool {
				switch x := n.(type) {
				case *ast.InterfaceType:
					measure(fmt.Sprintf("%s:%s", f.path, name), x.Methods.NumFields(), interfaceMethodsMax, "methods")
				case *ast.StructType:
					measure(fmt.Sprintf("%s:%s", f.path, name), x.Fields.NumFields(), structFieldsMax, "fields")
				}
				return true
			})
		})
	}
	for what := range oversized {
		if !needed[what] {
			t.Errorf("%s keeps within the limits now: delete its line from the table", what)
		}
	}
}
