package xyra_test

import (
	"bytes"
	"go/ast"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Unfinished work is an issue with a number, and the tree is nobody's machine.
func TestTidy_TextsHoldNothingUnfinishedOrLocal(t *testing.T) {
	rules := []struct {
		reason  string
		pattern *regexp.Regexp
	}{
		{"unfinished without an issue's number", regexp.MustCompile(`\bTO` + `DO\b(?:[^(]|\([^#]|$)`)},
		{"unfinished without an issue's number", regexp.MustCompile(`\bFIX` + `ME\b`)},
		{"unfinished", regexp.MustCompile(`(?i)not ` + `implemented`)},
		{"a path of one machine", regexp.MustCompile(`/(?:wo` + `rk|ro` + `ot|Us` + `ers)/|/home/[a-z]+/[^.]`)},
		{"a recorded download address", regexp.MustCompile(`(?:pro` + `xy|sum)\.golang\.org|regi` + `stry\.npmjs|deb` + `ian\.org/debian|py` + `pi\.org/simple|"resolved": *"http`)},
	}
	allowed := allow(map[string]string{})
	for _, p := range modulePaths(t) {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 || path.Ext(p) == ".sum" || strings.HasPrefix(p, "api/assets/") {
			continue
		}
		for number, line := range strings.Split(string(text), "\n") {
			for _, rule := range rules {
				if rule.pattern.MatchString(line) && !allowed.permit(p) {
					t.Errorf("%s:%d: %s: %s", p, number+1, rule.reason, strings.TrimSpace(line))
				}
			}
		}
	}
	allowed.check(t)
}

// growing are the tables that are spread over machines by organization, and those that point into them. A statement on one
// that does not name the organization would ask every machine, and could answer with another organization's rows.
var growing = []string{"agent_activity", "agents", "api_keys", "audit_entries", "audit_heads", "billing_model_components",
	"billing_model_versions", "billing_models", "credits", "events", "idempotency_records", "invoice_lines", "invoice_sequences", "invoices", "payments",
	"usage_billed", "usage_days", "usage_days_all", "usage_hours", "usage_hours_all", "usage_pending", "usage_periods", "usage_periods_all", "usage_summaries", "webhook_deliveries", "webhook_endpoints",
	"webhook_thresholds"}

// placeless are the statements that are right without the organization, by file and function.
var placeless = map[string]string{
	"store/agent.go:Reader.AgentAnywhere":                    "superusers read by id",
	"store/agent.go:Reader.AgentsByExternalIDAnywhere":       "superusers read by a customer's id",
	"store/apikey.go:Reader.APIKeyAnywhere":                  "superusers read by id",
	"store/apikey.go:Tx.UpdateAPIKeysDisabled":               "a user's keys end in every organization",
	"store/apikey.go:Tx.UpdateAPIKeysUsed":                   "one write for the keys of all organizations",
	"store/auditlog.go:Reader.AuditEntries":                  "superusers read the log of all organizations",
	"store/billingmodel.go:Reader.BillingModelAnywhere":      "superusers read by id",
	"store/idempotency.go:Tx.DeleteIdempotencyRecordsBefore": "a job looks for the old ones of all organizations",
	"store/webhook.go:Reader.WebhookEndpointAnywhere":        "superusers read by id",
	"store/webhook.go:Tx.DeleteWebhookDeliveriesBefore":      "a job looks for the old ones of all organizations",
	"store/duebilling.go:Reader.InvoicesPastDue":             "a job looks for the late ones of all organizations",
}

// Every statement on a table that grows names the organization, beyond the columns that it reads.
func TestTidy_StatementsNameTheOrganization(t *testing.T) {
	allowed := allow(placeless)
	constants := map[string]string{}
	var files []*sourceFile
	for _, f := range productFiles(t) {
		if f.dir == "store" {
			files = append(files, f)
			collectConstants(f, constants)
		}
	}
	for _, f := range files {
		eachDeclaration(f, func(name string, n ast.Node) {
			if _, isFunc := n.(*ast.FuncDecl); !isFunc {
				return
			}
			eachText(n, constants, func(at ast.Node, text string) {
				table := tableOf(text)
				if table != "" && !strings.Contains(conditionsOf(text), "organization_id") && !allowed.permit(f.path+":"+name) {
					t.Errorf("%s: %s: statement on %s without organization_id", f.at(at), name, table)
				}
			})
		})
	}
	allowed.check(t)
}

// collectConstants gathers the package's text constants, so that a statement put together from them can be read whole.
func collectConstants(f *sourceFile, into map[string]string) {
	for _, decl := range f.syntax.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.CONST {
			continue
		}
		for _, spec := range d.Specs {
			s := spec.(*ast.ValueSpec)
			for i, name := range s.Names {
				if i < len(s.Values) {
					into[name.Name] = textOf(s.Values[i], into)
				}
			}
		}
	}
}

// eachText calls visit with every text in n, sums of texts as one.
func eachText(n ast.Node, constants map[string]string, visit func(at ast.Node, text string)) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.BinaryExpr:
			if x.Op == token.ADD {
				visit(x, textOf(x, constants))
				return false
			}
		case *ast.BasicLit:
			visit(x, textOf(x, constants))
		}
		return true
	})
}

// textOf reads an expression as text; what is known only at run time becomes a question mark.
func textOf(e ast.Expr, constants map[string]string) string {
	switch x := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(x.Value); err == nil && x.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		return textOf(x.X, constants) + textOf(x.Y, constants)
	case *ast.ParenExpr:
		return textOf(x.X, constants)
	case *ast.Ident:
		if text, ok := constants[x.Name]; ok {
			return text
		}
	}
	return "?"
}

var tableWord = regexp.MustCompile(`(?:^|\s|\()(?:FROM|JOIN|INTO|UPDATE)\s+([a-z_]+)`)

// tableOf is the first growing table that a statement reads or writes, "" for none or no statement.
func tableOf(text string) string {
	for _, match := range tableWord.FindAllStringSubmatch(text, -1) {
		if slices.Contains(growing, match[1]) {
			return match[1]
		}
	}
	return ""
}

// conditionsOf is the part of a statement that says which rows: all of an INSERT, what follows FROM or SET of the others.
func conditionsOf(text string) string {
	if strings.Contains(text, "INSERT INTO") {
		return text
	}
	for _, word := range []string{"FROM", "SET"} {
		if _, after, found := strings.Cut(text, word); found {
			return after
		}
	}
	return text
}
