package api

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// documentOf reads the served document as a client does.
func documentOf(t *testing.T) (s *Server, raw []byte, document map[string]any) {
	t.Helper()
	s = New(nil, nil, nil, Options{Prefix: "/api/v1", Docs: true, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	w := ask(s, http.MethodGet, "/openapi.json", "", "")
	if w.Code != http.StatusOK {
		t.Fatalf("GET /openapi.json: %d", w.Code)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	return s, w.Body.Bytes(), document
}

// at follows a path of keys into the document; what is not there is nil.
func at(v any, keys ...string) any {
	for _, key := range keys {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	return v
}

// Whoever reads the document finds every route, under a name of its own, with its answer and its refusals.
func TestOpenAPI_HoldsEveryRoute(t *testing.T) {
	s, _, document := documentOf(t)
	names := map[any]bool{}
	operations := 0
	for _, rt := range s.routes() {
		if rt.undocumented {
			continue
		}
		operations++
		operation := at(document, "paths", s.pattern(rt), strings.ToLower(rt.method))
		if operation == nil {
			t.Errorf("%s %s is missing", rt.method, s.pattern(rt))
			continue
		}
		name := at(operation, "operationId")
		if name == nil || names[name] {
			t.Errorf("%s %s: the operation's name %v is not its own", rt.method, rt.path, name)
		}
		names[name] = true
		if at(operation, "responses", "200") == nil || at(operation, "tags") == nil || at(operation, "summary") == "" {
			t.Errorf("%s %s: no answer, tag or summary: %v", rt.method, rt.path, operation)
		}
		if protected := at(operation, "responses", "401") != nil; !protected && !rt.rights.public {
			t.Errorf("%s %s: protected, but without 401", rt.method, rt.path)
		}
	}
	if total := strings.Count(strings.Join(keysOf(names), " "), "_"); operations != len(names) || total == 0 {
		t.Errorf("%d operations have %d names", operations, len(names))
	}
	if at(document, "info", "title") != "Xyra" {
		t.Errorf("title %v", at(document, "info", "title"))
	}
	if got := at(document, "components", "securitySchemes", "password", "flows", "password", "tokenUrl"); got != "/api/v1/auth/login" {
		t.Errorf("tokens are got at %v", got)
	}
}

func keysOf(set map[any]bool) (keys []string) {
	for key := range set {
		keys = append(keys, key.(string))
	}
	return keys
}

// The parameters in a path are declared, and nothing is declared that is not in it.
func TestOpenAPI_DeclaresThePathsParameters(t *testing.T) {
	_, _, document := documentOf(t)
	inBraces := regexp.MustCompile(`\{(\w+)\}`)
	for path, item := range document["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			declared := map[string]bool{}
			list, _ := at(operation, "parameters").([]any)
			for _, p := range list {
				if at(p, "in") == "path" {
					declared[at(p, "name").(string)] = true
				}
			}
			for _, match := range inBraces.FindAllStringSubmatch(path, -1) {
				if !declared[match[1]] {
					t.Errorf("%s %s: %s is not declared", method, path, match[1])
				}
				delete(declared, match[1])
			}
			if len(declared) > 0 {
				t.Errorf("%s %s: declares %v, which the path does not have", method, path, declared)
			}
		}
	}
}

// Every reference leads to something, and every component is led to.
func TestOpenAPI_ReferencesLeadSomewhere(t *testing.T) {
	_, _, document := documentOf(t)
	used := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			if target, ok := x["$ref"].(string); ok {
				used[target] = true
				if at(document, strings.Split(strings.TrimPrefix(target, "#/"), "/")...) == nil {
					t.Errorf("%s leads nowhere", target)
				}
			}
			for _, value := range x {
				walk(value)
			}
		case []any:
			for _, value := range x {
				walk(value)
			}
		}
	}
	walk(document)
	for _, kind := range []string{"schemas", "responses", "parameters"} {
		for name := range at(document, "components", kind).(map[string]any) {
			if target := "#/components/" + kind + "/" + name; !used[target] {
				t.Errorf("nothing leads to %s", target)
			}
		}
	}
}

// Equal routes give equal bytes, so that two builds can be compared.
func TestOpenAPI_IsTheSameEveryTime(t *testing.T) {
	_, first, _ := documentOf(t)
	_, second, _ := documentOf(t)
	if !bytes.Equal(first, second) {
		t.Error("two documents differ")
	}
}

// Switched off, the reference does not exist.
func TestDocs_SwitchedOffIsNotFound(t *testing.T) {
	s := New(nil, nil, nil, Options{Prefix: "/api/v1", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	for _, path := range []string{"/docs", "/redoc", "/openapi.json", "/docs/init.js", "/docs/assets/swagger-ui.css"} {
		if w := ask(s, http.MethodGet, path, "", ""); w.Code != http.StatusNotFound || w.Body.String() != `{"detail":"Not Found"}` {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
		}
	}
}
