package xyra_test

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// A reader learns from one place what a package keeps, and what it refuses to do.
func TestTidy_EveryPackageHasOneDoc(t *testing.T) {
	docs := map[string][]string{}
	for _, f := range productFiles(t) {
		if _, seen := docs[f.dir]; !seen {
			docs[f.dir] = nil
		}
		if f.syntax.Doc != nil {
			docs[f.dir] = append(docs[f.dir], f.path)
		}
	}
	for dir, files := range docs {
		if len(files) != 1 {
			t.Errorf("package in %s has %d docs, want one: %v", dir, len(files), files)
		}
	}
}

// What a package offers is said where it is offered. Methods that a standard interface names are known from there.
func TestTidy_ExportedNamesAreDocumented(t *testing.T) {
	standard := []string{"String", "Error", "Unwrap", "Is", "MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "Scan", "Value",
		"ServeHTTP", "Read", "Write", "Close", "Len", "Less", "Swap", "LogValue", "Connect", "Driver"}
	for _, f := range productFiles(t) {
		if f.syntax.Name.Name == "main" {
			continue
		}
		for _, decl := range f.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				receiver := receiverName(d)
				known := receiver != "" && (!ast.IsExported(receiver) || slices.Contains(standard, d.Name.Name))
				if d.Name.IsExported() && d.Doc == nil && !known {
					t.Errorf("%s: %s has no doc", f.at(d), functionName(d))
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					s, ok := spec.(*ast.TypeSpec)
					if ok && s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						t.Errorf("%s: type %s has no doc", f.at(s), s.Name.Name)
					}
				}
			}
		}
	}
}

// A float cannot hold a tenth: every amount, quantity and value is a money.Decimal from the wire to the disk and back.
func TestTidy_NoFloatNearMoney(t *testing.T) {
	allowed := allow(map[string]string{})
	guarded := []string{".", "money", "pricing", "store", "usage", "billing", "catalog", "auth", "api"}
	floats := []string{"float32", "float64", "ParseFloat", "FormatFloat", "AppendFloat", "NewFloat", "SetFloat64", "Float64", "InexactFloat64"}
	for _, f := range productFiles(t) {
		if !slices.Contains(guarded, f.dir) {
			continue
		}
		eachDeclaration(f, func(name string, n ast.Node) {
			ast.Inspect(n, func(n ast.Node) bool {
				id, ok := n.(*ast.Ident)
				if ok && slices.Contains(floats, id.Name) && !allowed.permit(f.path+":"+name) {
					t.Errorf("%s: %s in %s", f.at(id), id.Name, name)
				}
				return true
			})
		})
	}
	allowed.check(t)
}

// The clock is a value set in cmd: a test can then stand at any moment, and one transaction has one now.
func TestTidy_ClockIsHandedIn(t *testing.T) {
	for _, f := range productFiles(t) {
		if ring, known := ringOf(f.packagePath()); known && ring == outerRing {
			continue
		}
		name := f.nameOf("time")
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if isSelector(n, name, "Now", "Since", "Until", "Sleep") {
				t.Errorf("%s: time.%s outside cmd, tools and bench", f.at(n), n.(*ast.SelectorExpr).Sel.Name)
			}
			return true
		})
	}
}

// A skipped test is a promise that nobody keeps, and a slept one is slow or flaky: wait for the event, or use testing/synctest.
func TestTidy_TestsNeitherSkipNorSleep(t *testing.T) {
	for _, f := range sourceFiles(t) {
		if !f.isTest && f.packagePath() != storeTest {
			continue
		}
		clock := f.nameOf("time")
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if isSelector(n, clock, "Sleep") {
				t.Errorf("%s: sleeps", f.at(n))
			}
			for _, tb := range []string{"t", "b", "f", "tb"} {
				if isSelector(n, tb, "Skip", "Skipf", "SkipNow") {
					t.Errorf("%s: skips", f.at(n))
				}
			}
			return true
		})
	}
}

// A test's name is the sentence that it proves: its subject, then the fact.
func TestTidy_TestNamesSayTheFact(t *testing.T) {
	form := regexp.MustCompile(`^Test[A-Z][A-Za-z0-9]*_[A-Z0-9][A-Za-z0-9]*$`)
	for _, f := range sourceFiles(t) {
		for _, decl := range f.syntax.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if ok && f.isTest && d.Recv == nil && strings.HasPrefix(d.Name.Name, "Test") && d.Name.Name != "TestMain" && !form.MatchString(d.Name.Name) {
				t.Errorf("%s: %s, want TestSubject_FactThatHolds", f.at(d), d.Name.Name)
			}
		}
	}
}

// Names that fit everything say nothing; each has a better one in the customer's words.
func TestTidy_NoEmptyNames(t *testing.T) {
	empty := []string{"manager", "helper", "helpers", "util", "utils", "common", "impl", "dto", "adapter", "connector", "processor", "service"}
	allowed := allow(map[string]string{})
	check := func(where, name string, words []string) {
		for _, word := range words {
			if slices.Contains(empty, word) && !allowed.permit(where) {
				t.Errorf("%s: %q in the name %s", where, word, name)
			}
		}
	}
	for _, f := range sourceFiles(t) {
		stem := strings.TrimSuffix(path.Base(f.path), ".go")
		check(f.path, stem, strings.Split(stem, "_"))
		check(f.path, f.syntax.Name.Name, []string{f.syntax.Name.Name})
		eachDeclaration(f, func(name string, n ast.Node) {
			if f.isTest && strings.HasPrefix(name, "Test") {
				return
			}
			last := name[strings.LastIndexByte(name, '.')+1:]
			words := wordsOf(last)
			check(f.path+":"+name, name, words)
			_, isType := n.(*ast.TypeSpec)
			if isType && (words[0] == "base" || words[len(words)-1] == "base") {
				t.Errorf("%s: type %s is a base of something: say what it is", f.at(n), name)
			}
			_, isFunc := n.(*ast.FuncDecl)
			if isFunc && words[0] == "get" && len(words) > 1 && !f.isTest && !allowed.permit(f.path+":"+name) {
				t.Errorf("%s: %s: a read is named by its noun, without Get", f.at(n), name)
			}
		})
	}
	allowed.check(t)
}

// wordsOf splits an identifier at its capitals, in lower case: HTTPServer → http, server.
func wordsOf(name string) []string {
	var words []string
	letters := []rune(name)
	begin := 0
	for i := 1; i < len(letters); i++ {
		endOfLower := unicode.IsUpper(letters[i]) && !unicode.IsUpper(letters[i-1])
		endOfCapitals := unicode.IsUpper(letters[i]) && i+1 < len(letters) && unicode.IsLower(letters[i+1])
		if endOfLower || endOfCapitals || letters[i] == '_' {
			words = append(words, strings.ToLower(strings.Trim(string(letters[begin:i]), "_")))
			begin = i
		}
	}
	return append(words, strings.ToLower(strings.Trim(string(letters[begin:]), "_")))
}

// What runs before main, or is changed after it, acts at a distance that no signature shows.
func TestTidy_NoInit(t *testing.T) {
	for _, f := range sourceFiles(t) {
		for _, decl := range f.syntax.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
				t.Errorf("%s: func init", f.at(d))
			}
		}
	}
}

// A package's variables are tables made once: whoever assigns to one changes what others read.
func TestTidy_GlobalsStay(t *testing.T) {
	globals := map[string]map[string]bool{}
	files := productFiles(t)
	for _, f := range files {
		for _, decl := range f.syntax.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if globals[f.dir] == nil {
						globals[f.dir] = map[string]bool{}
					}
					globals[f.dir][name.Name] = true
				}
			}
		}
	}
	for _, f := range files {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			assign, ok := n.(*ast.AssignStmt)
			if !ok || assign.Tok == token.DEFINE {
				return true
			}
			for _, left := range assign.Lhs {
				if id, ok := left.(*ast.Ident); ok && id.Name != "_" && globals[f.dir][id.Name] && !declaredInside(f, id) {
					t.Errorf("%s: assigns to the package's variable %s", f.at(id), id.Name)
				}
			}
			return true
		})
	}
}

// declaredInside reports whether the function around id declares or receives a variable of its name, which then is meant.
func declaredInside(f *sourceFile, id *ast.Ident) bool {
	found := false
	for _, decl := range f.syntax.Decls {
		if id.Pos() < decl.Pos() || id.Pos() >= decl.End() {
			continue
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.AssignStmt:
				for _, left := range x.Lhs {
					if name, ok := left.(*ast.Ident); ok && x.Tok == token.DEFINE && name.Name == id.Name {
						found = true
					}
				}
			case *ast.Field:
				found = found || slices.ContainsFunc(x.Names, func(name *ast.Ident) bool { return name.Name == id.Name })
			case *ast.ValueSpec:
				found = found || slices.ContainsFunc(x.Names, func(name *ast.Ident) bool { return name.Name == id.Name })
			}
			return true
		})
	}
	return found
}
