package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"xyra"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
	"xyra/store/storetest"
)

// everyNode are the statements that may ask all nodes of a cluster, by what they contain. None of them locks rows, and
// none is of a request of an organization.
var everyNode = map[string]string{
	"LEFT JOIN invoice_sequences s ON s.organization_id = o.id ORDER BY o.id":                        "verify walks all organizations",
	"FROM invoice_sequences WHERE chained < sequence ORDER BY":                                       "the start chains what older programs have left",
	"SELECT organization_id, sequence, hash FROM audit_heads ORDER BY":                               "verify walks all organizations",
	"SELECT DISTINCT e.organization_id FROM audit_entries e\n":                                       "verify walks all organizations",
	"SELECT organization_id, id FROM usage_pending":                                                  "a process folds what one that is gone has left",
	"SELECT organization_id, id FROM webhook_deliveries\n\t\tWHERE created_at <= $1 ORDER":           "the job that cleans up",
	"FROM audit_entries WHERE at >= $1 AND at <= $2 ORDER BY":                                        "superusers read the audit log of all organizations",
	"SELECT id FROM invoices\n\t\tWHERE status = 'pending'":                                          "the job that marks overdue invoices",
	"SELECT organization_id, caller, key FROM idempotency_records\n\t\tWHERE created_at <= $1 ORDER": "the job that cleans up",
}

// A statement that does not say the organization asks every node of a cluster, and may not lock. PostgreSQL's own planner is
// the witness: each scan of a growing table must be bound to one parameter, as Citus finds the node.
func TestRoute_EveryStatementNamesItsOrganization(t *testing.T) {
	t.Parallel()
	target, db := postgres(t)
	sendEverything(t, db)
	conn := connect(t, target)
	if _, err := conn.Exec(t.Context(), `SET plan_cache_mode = force_generic_plan`); err != nil {
		t.Fatal(err)
	}
	checked, excused := 0, map[string]bool{}
	texts := store.SentTexts(db)
	for _, written := range slices.Sorted(maps.Keys(texts)) {
		growing, apart := tablesIn(written)
		if len(growing) == 0 {
			continue
		}
		if len(apart) > 0 {
			t.Errorf("statement reads %v, which a cluster keeps on the coordinator, beside %v:\n%s", apart, growing, written)
		}
		if begin := excuse(written); begin != "" {
			excused[begin] = true
			if strings.Contains(written, " FOR UPDATE") {
				t.Errorf("statement locks rows on every node:\n%s", written)
			}
			continue
		}
		checked++
		if fault := routeFault(t, conn, texts[written]); fault != "" {
			t.Errorf("%s:\n%s", fault, written)
		}
	}
	for begin := range everyNode {
		if !excused[begin] {
			t.Errorf("no statement contains %q any more", begin)
		}
	}
	t.Logf("%d statements on growing tables are bound to an organization", checked)
	if checked < 40 {
		t.Errorf("only %d statements were checked", checked)
	}
	checkAllSent(t, texts)
}

func excuse(written string) string {
	for begin := range everyNode {
		if strings.Contains(written, begin) {
			return begin
		}
	}
	return ""
}

// views are read like tables that grow: they consist of them.
var views = []string{"usage_hours_all", "usage_days_all", "usage_periods_all"}

var tableWord = regexp.MustCompile(`\b(?:FROM|JOIN|INTO|UPDATE) (\w+)`)

// tablesIn are the tables of a statement that grow, and those that only the coordinator has.
func tablesIn(written string) (growing, apart []string) {
	for _, match := range tableWord.FindAllStringSubmatch(written, -1) {
		switch where := placements[match[1]]; {
		case where == "distributed" || slices.Contains(views, match[1]):
			growing = append(growing, match[1])
		case where == "local":
			apart = append(apart, match[1])
		}
	}
	return growing, apart
}

var (
	insertInto   = regexp.MustCompile(`^\s*INSERT INTO \w+\s*\(\s*organization_id,`)
	conflictOn   = regexp.MustCompile(`ON CONFLICT \(organization_id\b`)
	organization = regexp.MustCompile(`organization_id = (ANY \()?(\$[1-9]\d*)\b`)
	parameter    = regexp.MustCompile(`\$(\d+)`)
)

// routeFault says why a cluster could not find the node of a statement, "" if it can.
func routeFault(t *testing.T, conn *pgx.Conn, sent string) string {
	t.Helper()
	if strings.HasPrefix(strings.TrimSpace(sent), "INSERT") {
		if !insertInto.MatchString(sent) {
			return "insert does not begin with organization_id"
		}
		if strings.Contains(sent, "ON CONFLICT") && !conflictOn.MatchString(sent) {
			return "conflict is not looked for in the organization"
		}
		return ""
	}
	used := map[string]bool{}
	for _, scan := range scans(t, conn, sent) {
		bound := organization.FindStringSubmatch(scan.conditions)
		if bound == nil {
			return fmt.Sprintf("table %s is read without an organization (%s)", scan.table, scan.conditions)
		}
		if bound[1] != "" && strings.Contains(sent, " FOR UPDATE") {
			return "rows of several organizations are locked"
		}
		used[bound[2]] = true
	}
	if len(used) > 1 {
		return fmt.Sprintf("tables are bound to different parameters %v", slices.Collect(maps.Keys(used)))
	}
	return ""
}

// tableScan is where a plan reads a growing table.
type tableScan struct{ table, conditions string }

// scans plans a statement for parameters that are not known and lists where it reads growing tables.
func scans(t *testing.T, conn *pgx.Conn, sent string) (found []tableScan) {
	t.Helper()
	most := 0
	for _, match := range parameter.FindAllStringSubmatch(sent, -1) {
		n, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, n)
	}
	execute := "EXECUTE route"
	if most > 0 {
		execute += "(NULL" + strings.Repeat(", NULL", most-1) + ")"
	}
	if _, err := conn.Exec(t.Context(), "PREPARE route AS "+sent, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("prepare %s: %v", sent, err)
	}
	var text string
	if err := conn.QueryRow(t.Context(), "EXPLAIN (VERBOSE, FORMAT JSON) "+execute, pgx.QueryExecModeSimpleProtocol).Scan(&text); err != nil {
		t.Fatalf("explain %s: %v", sent, err)
	}
	if _, err := conn.Exec(t.Context(), "DEALLOCATE route"); err != nil {
		t.Fatal(err)
	}
	var plans []struct{ Plan map[string]any }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}
	walkPlan(plans[0].Plan, func(node map[string]any) {
		table, _ := node["Relation Name"].(string)
		if placements[table] != "distributed" || node["Node Type"] == "ModifyTable" {
			return
		}
		var conditions []string
		for _, name := range []string{"Index Cond", "Recheck Cond", "Filter"} {
			if text, ok := node[name].(string); ok {
				conditions = append(conditions, text)
			}
		}
		found = append(found, tableScan{table, strings.Join(conditions, " and ")})
	})
	return found
}

func walkPlan(node map[string]any, visit func(map[string]any)) {
	visit(node)
	children, _ := node["Plans"].([]any)
	for _, child := range children {
		walkPlan(child.(map[string]any), visit)
	}
}

// sendEverything calls every method of the store that sends a statement, once with something in all arguments and once
// with nothing, in transactions that are rolled back.
func sendEverything(t *testing.T, db *store.DB) {
	t.Helper()
	seed(t, db)
	undo := errors.New("undo")
	for _, full := range []bool{true, false} {
		for name := range methods(&store.Tx{}) {
			err := db.Tx(t.Context(), func(tx *store.Tx) error {
				call(t.Context(), reflect.ValueOf(tx).MethodByName(name), full)
				return undo
			})
			if !errors.Is(err, undo) {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if _, err := db.PendingKeys(t.Context(), store.PendingKey{}, 1); err != nil {
			t.Fatal(err)
		}
		for name := range methods(&store.Recording{}) {
			//nolint:errcheck // what was sent counts, not what came of it
			_ = db.Record(t.Context(), func(rec *store.Recording) error {
				call(t.Context(), reflect.ValueOf(rec).MethodByName(name), full)
				return undo
			})
		}
	}
	if _, err := db.VerifyAudit(t.Context()); err != nil {
		t.Fatal(err)
	}
	// As a program of before the chain leaves its invoices: the start chains them.
	if err := store.Do(t.Context(), db, `UPDATE invoices SET hash = NULL; UPDATE invoice_sequences SET chained = 0, hash = NULL`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	sequences, err := db.InvoiceSequences(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sequences {
		if _, err := db.VerifyInvoices(t.Context(), s.Organization); err != nil {
			t.Fatal(err)
		}
	}
}

func methods(of any) map[string]bool {
	names := map[string]bool{}
	for i := range reflect.TypeOf(of).NumMethod() {
		names[reflect.TypeOf(of).Method(i).Name] = true
	}
	return names
}

func call(ctx context.Context, method reflect.Value, full bool) {
	var args []reflect.Value
	for i := range method.Type().NumIn() {
		in := method.Type().In(i)
		switch {
		case in == reflect.TypeFor[context.Context]():
			args = append(args, reflect.ValueOf(ctx))
		case in.Kind() == reflect.Func:
			return
		case method.Type().IsVariadic() && i == method.Type().NumIn()-1:
			args = append(args, something(in.Elem(), full))
		default:
			args = append(args, something(in, full))
		}
	}
	method.Call(args)
}

// something is a value of a type: ones, texts and lists of one, or nothing.
func something(of reflect.Type, full bool) reflect.Value {
	v := reflect.New(of).Elem()
	switch {
	case of == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(storetest.Start))
	case of == reflect.TypeFor[json.RawMessage]():
		v.Set(reflect.ValueOf(json.RawMessage(`{}`)))
	case !full || of == reflect.TypeFor[money.Decimal]():
	case of.Kind() == reflect.String:
		v.SetString("a")
	case v.CanInt():
		v.SetInt(1)
	case of.Kind() == reflect.Bool:
		v.SetBool(true)
	case of.Kind() == reflect.Slice && of.Elem().Kind() != reflect.Uint8:
		v.Set(reflect.Append(v, something(of.Elem(), full)))
	case of.Kind() == reflect.Pointer:
		v.Set(reflect.New(of.Elem()))
		v.Elem().Set(something(of.Elem(), full))
	case of.Kind() == reflect.Struct:
		for i := range of.NumField() {
			if of.Field(i).IsExported() {
				v.Field(i).Set(something(of.Field(i).Type, full))
			}
		}
	}
	return v
}

// seed makes one row of what methods ask for before they send more: all have the id 1.
func seed(t *testing.T, db *store.DB) {
	t.Helper()
	ctx := t.Context()
	err := db.Tx(ctx, func(tx *store.Tx) error {
		tx.Audit(xyra.Caller{}, xyra.AuditEntry{Organization: 1, Action: "test"})
		org, err := tx.InsertOrganization(ctx, xyra.Organization{Name: "Acme", Status: "active", Timezone: "UTC", Settings: json.RawMessage(`{}`), Currency: "USD"})
		if err != nil {
			return err
		}
		if _, err := tx.InsertUser(ctx, xyra.User{Organization: org, Email: "a", EmailKey: "a", Role: xyra.RoleAdmin}); err != nil {
			return err
		}
		model, err := tx.InsertBillingModel(ctx, xyra.BillingModel{Organization: org, Name: "plan"})
		if err != nil {
			return err
		}
		price := []pricing.Component{{Kind: pricing.Activity, Type: "call", Price: money.MustParse("1")}}
		if _, err := tx.InsertVersion(ctx, org, xyra.Version{Model: model, From: tx.Now, Type: xyra.ModelHybrid, Components: price}); err != nil {
			return err
		}
		external := "a"
		if _, err := tx.InsertAgent(ctx, xyra.Agent{Organization: org, Name: "bot", ExternalID: &external, Capabilities: json.RawMessage(`[]`), BillingModel: model}); err != nil {
			return err
		}
		invoice, _, err := tx.InsertInvoiceNumber(ctx, org, "1")
		if err != nil {
			return err
		}
		none := money.Decimal{}
		_, _, err = tx.InsertInvoice(ctx, xyra.Invoice{ID: invoice, Organization: org, Number: "1", Currency: "USD", Status: "pending",
			IssueDate: tx.Now, DueDate: tx.Now, Lines: []xyra.Line{{Description: "by hand", Quantity: none, UnitPrice: none, Amount: none}}})
		if err != nil {
			return err
		}
		_, err = tx.InsertPayment(ctx, xyra.Payment{Organization: org, Invoice: invoice, Kind: "payment", Currency: "USD", Credited: money.MustParse("1"), At: tx.Now})
		if err != nil {
			return err
		}
		if _, err := tx.InsertWebhookDelivery(ctx, xyra.WebhookDelivery{Organization: org, Endpoint: 1, Payload: json.RawMessage(`{}`)}, false); err != nil {
			return err
		}
		return tx.InsertIdempotencyRecord(ctx, store.IdempotencyRecord{Organization: org, Caller: "a", Key: "a", RequestDigest: []byte{1}})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkAllSent compares what was sent with the texts in the sources, so that none escapes the check above.
func checkAllSent(t *testing.T, texts map[string]string) {
	t.Helper()
	apart := []string{"bulk.go", "migrate.go", "open.go", "distribute.go", "copy.go"} // built from parts, or not of requests
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	sql := regexp.MustCompile(`^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH) `)
	for _, path := range paths {
		if slices.Contains(apart, path) || strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			if growing, _ := tablesIn(text); sql.MatchString(text) && len(growing) > 0 && !wasSent(texts, text) {
				t.Errorf("%s: this statement was not sent, so it was not checked: call what sends it in sendEverything\n%s", path, text)
			}
			return true
		})
	}
}

func wasSent(texts map[string]string, part string) bool {
	for written := range texts {
		if strings.Contains(written, part) {
			return true
		}
	}
	return false
}
