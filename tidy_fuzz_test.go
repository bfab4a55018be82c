package xyra_test

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fuzzed are the fuzz targets, by folder and name, and the readers of outside texts that each of them feeds directly.
var fuzzed = map[string][]string{
	".:FuzzParseTime":                      {"time.go:ParseTime", "time.go:parseDate", "time.go:parseClock", "time.go:parseFraction"},
	".:FuzzParseEmail":                     {"email.go:ParseEmail"},
	".:FuzzPeriod":                         nil, // time zones, which the standard library reads
	".:FuzzCurrency":                       {"money/currency.go:ParseCurrency"},
	"api:FuzzBatch":                        nil, // envelopes, lines and CloudEvents: batch.read
	"api:FuzzCloudEventHeaders":            nil, // batch.readBinary
	"api:FuzzCursor":                       {"api/eventlist.go:parseCursor", "api/eventlist.go:parseCursorText", "api/audit.go:parseAuditCursor"},
	"api:FuzzDecodeBody":                   {"api/input.go:decodeBody", "api/input.go:decodeValue", "api/input.go:decodeRecord", "api/field.go:field.decode"},
	"api:FuzzForm":                         {"api/form.go:decodeForm"},
	"api:FuzzForwardedFor":                 nil, // Server.clientAddress
	"api:FuzzHeaders":                      nil, // X-Request-ID, Idempotency-Key, Accept-Encoding
	"api:FuzzQuery":                        {"api/param.go:decodeParams", "api/param.go:field.decodeText", "api/field_types.go:parseText", "api/field_types.go:parseInteger", "api/field_types.go:parseMoment"},
	"api:FuzzReadBody":                     {"api/encoding.go:unpackBody"},
	"api:FuzzRequest":                      {"api/field_types.go:parseBoolean", "api/field_words.go:parseCurrency", "store/billingmodel.go:decodeTiers", "store/idempotency.go:unpack"},
	"api:FuzzStripeWebhook":                nil, // signature and event
	"auth:FuzzAuthorization":               {"auth/token.go:claims.UnmarshalJSON"},
	"auth:FuzzPasswordHash":                {"auth/password.go:parseArgon"},
	"billing:FuzzNumberPattern":            {"billing/number.go:ParseNumberPattern"},
	"cmd/xyra:FuzzAddressOf":               nil, // where a connection comes from
	"cmd/xyra:FuzzDatabaseSettings":        {"cmd/xyra/database.go:parseOptions"},
	"cmd/xyra:FuzzImportRows":              nil, // CSV and NDJSON files
	"cmd/xyra:FuzzSettings":                nil, // TRUSTED_PROXIES, RATE_LIMIT, XYRA_ADDR, CORS_ORIGINS, API_V1_STR
	"front:FuzzFront_AnswersAsNetHTTPDoes": nil, // whole connections
	"front:FuzzParse":                      {"front/parse.go:head.parse", "front/parse.go:head.parseFields"},
	"legacy:FuzzRow":                       nil, // rows of the old database
	"mail:FuzzLine":                        nil, // texts in headers of a message
	"money:FuzzArithmetic":                 nil,
	"money:FuzzCoefficients":               nil,
	"money:FuzzParse":                      {"money/parse.go:Parse", "money/parse.go:ParseBytes", "money/parse.go:ParseExact", "money/parse.go:parse"},
	"notice:FuzzCheckURL":                  nil, // addresses of webhooks
	"pdf:FuzzFont":                         nil, // PDF_CJK_FONT
	"pdf:FuzzInvoiceText":                  nil, // every text and the link of an invoice
	"pdf:FuzzVisual":                       nil, // right-to-left texts
	"pricing:FuzzLaws":                     nil,
	"strictjson:FuzzParse":                 {"strictjson/parse.go:Parse"},
	"telemetry:FuzzConnectionString":       nil, // APPLICATIONINSIGHTS_CONNECTION_STRING
	"webhook:FuzzRetryAfter":               nil, // what receivers answer
}

// unfuzzed are readers that no outside text reaches, and why.
var unfuzzed = map[string]string{
	"money/text.go:Decimal.UnmarshalJSON":  "reads what was stored, and through Parse",
	"cmd/xyra/demo_trace.go:parseTraceRow": "reads a file that is compiled in",
}

var readerName = regexp.MustCompile(`^(?:parse|Parse|decode|Decode|unpack|Unmarshal)`)

// Whoever adds a reader of texts says what fuzzes it, and a target that is renamed is not forgotten. It looks at names: parse…,
// decode…, unpack… and Unmarshal… with a text among their arguments.
func TestTidy_ReadersOfTextsAreFuzzed(t *testing.T) {
	excused := allow(unfuzzed)
	fed, targets, readers := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, list := range fuzzed {
		for _, reader := range list {
			fed[reader] = true
		}
	}
	for _, f := range sourceFiles(t) {
		for _, decl := range f.syntax.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || strings.HasPrefix(f.dir, "bench") || strings.HasPrefix(f.dir, "tools") {
				continue
			}
			name := f.path + ":" + functionName(d)
			switch {
			case f.isTest && strings.HasPrefix(d.Name.Name, "Fuzz"):
				targets[f.dir+":"+d.Name.Name] = true
				if _, known := fuzzed[f.dir+":"+d.Name.Name]; !known {
					t.Errorf("%s: %s is not in fuzzed", f.at(d), d.Name.Name)
				}
			case !f.isTest && readerName.MatchString(d.Name.Name) && takesText(d):
				readers[name] = true
				if !fed[name] && !excused.permit(name) {
					t.Errorf("%s: nothing is said to fuzz %s", f.at(d), name)
				}
			}
		}
	}
	for target, list := range fuzzed {
		if !targets[target] {
			t.Errorf("there is no target %s", target)
		}
		for _, reader := range list {
			if !readers[reader] {
				t.Errorf("%s feeds %s, which is none", target, reader)
			}
		}
	}
	excused.check(t)
}

// takesText tells whether an argument of d may hold a text from outside.
func takesText(d *ast.FuncDecl) bool {
	return slices.ContainsFunc(d.Type.Params.List, func(p *ast.Field) bool {
		switch typ := p.Type.(type) {
		case *ast.Ident:
			return typ.Name == "string" || d.Type.TypeParams != nil
		case *ast.ArrayType:
			element, ok := typ.Elt.(*ast.Ident)
			return ok && (element.Name == "byte" || element.Name == "string")
		case *ast.SelectorExpr:
			return slices.Contains([]string{"Value", "RawMessage", "Reader"}, typ.Sel.Name)
		}
		return false
	})
}
