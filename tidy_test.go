package xyra_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The tidy tests hold the rules of the house that no compiler knows. Each rule says why it is one; an exception is a line in
// a table with its reason, and one that is no longer needed fails as well.

// sourceFile is one Go file of the module, parsed.
type sourceFile struct {
	path   string // from the module's root, with slashes
	dir    string // "." for the root
	isTest bool
	lines  int
	fset   *token.FileSet
	syntax *ast.File
}

// packagePath is the import path of the file's package.
func (f *sourceFile) packagePath() string {
	if f.dir == "." {
		return "xyra"
	}
	return "xyra/" + f.dir
}

// at is where n begins, as an editor understands it.
func (f *sourceFile) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// lineCount is how many lines n covers.
func (f *sourceFile) lineCount(n ast.Node) int {
	return f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1
}

// nameOf is the name by which the file imports a package, "" when it does not.
func (f *sourceFile) nameOf(importPath string) string {
	for _, spec := range f.syntax.Imports {
		if importedPath(spec) != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

func importedPath(spec *ast.ImportSpec) string { return strings.Trim(spec.Path.Value, `"`) }

// modulePaths lists the module's files, without what git keeps out and what another module holds.
func modulePaths(t *testing.T) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(".", func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && slices.Contains([]string{".git", "data", "bin"}, p) {
			return filepath.SkipDir
		}
		if entry.Type().IsRegular() && name != ".env" && !strings.HasSuffix(name, ".test") && !strings.HasSuffix(name, ".out") {
			paths = append(paths, filepath.ToSlash(p))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func sourceFiles(t *testing.T) []*sourceFile {
	t.Helper()
	var files []*sourceFile
	for _, p := range modulePaths(t) {
		if path.Ext(p) != ".go" {
			continue
		}
		fset := token.NewFileSet()
		syntax, err := parser.ParseFile(fset, p, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, &sourceFile{
			path: p, dir: path.Dir(p), isTest: strings.HasSuffix(p, "_test.go"),
			lines: fset.File(syntax.Pos()).LineCount() - 1, fset: fset, syntax: syntax,
		})
	}
	return files
}

// productFiles are the files that end in a binary or a tool, not in a test.
func productFiles(t *testing.T) []*sourceFile {
	t.Helper()
	return slices.DeleteFunc(sourceFiles(t), func(f *sourceFile) bool { return f.isTest })
}

// exceptions is a table of permitted breaches, key → reason, that knows which of its lines were needed.
type exceptions struct {
	reasons map[string]string
	needed  map[string]bool
}

func allow(reasons map[string]string) *exceptions {
	return &exceptions{reasons, map[string]bool{}}
}

func (e *exceptions) permit(key string) bool {
	e.needed[key] = true
	return e.reasons[key] != ""
}

func (e *exceptions) check(t *testing.T) {
	t.Helper()
	for key := range e.reasons {
		if !e.needed[key] {
			t.Errorf("the exception for %q is no longer needed: delete its line", key)
		}
	}
}

// eachDeclaration calls visit with every top-level declaration of f and its name: Type, function or Type.method.
func eachDeclaration(f *sourceFile, visit func(name string, n ast.Node)) {
	for _, decl := range f.syntax.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			visit(functionName(d), d)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					visit(s.Name.Name, s)
				case *ast.ValueSpec:
					visit(s.Names[0].Name, s)
				}
			}
		}
	}
}

func functionName(d *ast.FuncDecl) string {
	if receiver := receiverName(d); receiver != "" {
		return receiver + "." + d.Name.Name
	}
	return d.Name.Name
}

// receiverName is the type whose method d is, "" for a function.
func receiverName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// isSelector reports whether n is pkg.name for one of the names.
func isSelector(n ast.Node, pkg string, names ...string) bool {
	selector, ok := n.(*ast.SelectorExpr)
	if !ok || pkg == "" || !slices.Contains(names, selector.Sel.Name) {
		return false
	}
	x, ok := selector.X.(*ast.Ident)
	return ok && x.Name == pkg
}
