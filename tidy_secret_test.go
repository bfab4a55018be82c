package xyra_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// secretName is what a variable or field that holds a secret, or something made of one, is called.
var secretName = regexp.MustCompile(`(?i)(secret|token|password|hash|signature|mac|apikey|credential)s?$`)

// plainCompares are comparisons of such names that tell nothing to whoever may time them, and why.
var plainCompares = map[string]string{
	"auth/login.go: user.PasswordHash != verified.PasswordHash":                "both are the database's, read twice",
	"azure/azuretest/cloud.go: r.FormValue(\"client_secret\") == ClientSecret": "a vault of the tests",
	"cmd/xyra/serve.go: s.Login.Password == passwordDefault":                   "the operator's own setting, against a word of the documents",
	"cmd/xyra/superuser.go: s.Password == passwordDefault":                     "the operator's own setting, against a word of the documents",
	"store/audit.go: string(last.hash) != string(head.hash)":                   "verify's chain: no secret",
	"store/invoicechain.go: reached.hash bytes.Equal said.hash":                "verify's chain: no secret",
	"store/invoicechain.go: f.link(before) bytes.Equal f.Hash":                 "verify's chain: no secret",
}

// A comparison that ends at the first difference tells how much was right: secrets are compared by crypto/subtle or hmac.Equal,
// or found by their hash.
func TestTidy_SecretsAreComparedInConstantTime(t *testing.T) {
	excused := map[string]bool{}
	for _, f := range productFiles(t) {
		if ring, known := ringOf(f.packagePath()); !known || ring < rings["xyra/store"] || strings.HasPrefix(f.packagePath(), "xyra/tools/") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			left, right, operator := compared(n)
			if left == nil || constant(left) || constant(right) || !isSecret(left) && !isSecret(right) {
				return true
			}
			text := f.path + ": " + written(left) + " " + operator + " " + written(right)
			if plainCompares[text] == "" {
				t.Errorf("%s: %s: compare it with crypto/subtle or hmac.Equal, or say in plainCompares why not", f.at(n), text)
			}
			excused[text] = true
			return true
		})
	}
	for text := range plainCompares {
		if !excused[text] {
			t.Errorf("plainCompares: %q is nowhere any more", text)
		}
	}
}

// compared is what a node compares byte by byte; nil when it does not.
func compared(n ast.Node) (left, right ast.Expr, operator string) {
	switch e := n.(type) {
	case *ast.BinaryExpr:
		if e.Op == token.EQL || e.Op == token.NEQ {
			return e.X, e.Y, e.Op.String()
		}
	case *ast.CallExpr:
		switch name := written(e.Fun); name {
		case "bytes.Equal", "bytes.Compare", "strings.EqualFold", "strings.Compare", "slices.Equal", "reflect.DeepEqual":
			return e.Args[0], e.Args[1], name
		}
	}
	return nil, nil, ""
}

// constant tells whether an expression is a literal, nil, or a name of the language.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.CompositeLit:
		return len(e.Elts) == 0
	case *ast.Ident:
		return e.Name == "nil" || e.Name == "true" || e.Name == "false"
	}
	return false
}

// isSecret looks at the last name of an expression, through conversions, slices and pointers.
func isSecret(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return secretName.MatchString(e.Name)
	case *ast.SelectorExpr:
		return secretName.MatchString(e.Sel.Name)
	case *ast.StarExpr:
		return isSecret(e.X)
	case *ast.ParenExpr:
		return isSecret(e.X)
	case *ast.SliceExpr:
		return isSecret(e.X)
	case *ast.CallExpr:
		name := written(e.Fun)
		if (name == "string" || name == "[]byte") && len(e.Args) == 1 {
			return isSecret(e.Args[0])
		}
	}
	return false
}

// written is a name or call as the source has it, without what is too long to matter.
func written(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.BasicLit:
		return e.Value
	case *ast.SelectorExpr:
		return written(e.X) + "." + e.Sel.Name
	case *ast.StarExpr:
		return "*" + written(e.X)
	case *ast.CallExpr:
		args := make([]string, len(e.Args))
		for i, a := range e.Args {
			args[i] = written(a)
		}
		return written(e.Fun) + "(" + strings.Join(args, ", ") + ")"
	case *ast.ArrayType:
		return "[]" + written(e.Elt)
	}
	return "…"
}
