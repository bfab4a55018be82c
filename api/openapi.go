package api

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// docsRoutes are the pages of the reference with the document made from the other routes.
func (s *Server) docsRoutes(documented []*route) []*route {
	var routes []*route
	for path, page := range docsPages(s.openapi(documented)) {
		routes = append(routes, &route{method: http.MethodGet, path: path, rights: everyone, handler: page, outside: true, undocumented: true})
	}
	return routes
}

// openapi writes the OpenAPI document of the routes; equal routes give equal bytes.
func (s *Server) openapi(routes []*route) []byte {
	d := &document{prefix: s.Prefix, shapes: newShapes()}
	var paths ordered
	for _, rt := range routes {
		if rt.undocumented {
			continue
		}
		pattern := s.pattern(rt)
		place := slices.IndexFunc(paths, func(m member) bool { return m.name == pattern })
		if place < 0 {
			place = len(paths)
			paths = append(paths, member{pattern, ordered{}})
		}
		paths[place].value = append(paths[place].value.(ordered), member{strings.ToLower(rt.method), d.operation(rt)})
	}
	return encode(ordered{
		{"openapi", "3.1.0"},
		{"info", ordered{{"title", "Xyra"}, {"version", "1"}, {"description", documentIntroduction}}},
		{"paths", paths},
		{"components", ordered{
			{"schemas", d.shapes.components},
			{"responses", errorResponses},
			{"parameters", schema{"IdempotencyKey": idempotencyParameter}},
			{"securitySchemes", d.securitySchemes()},
		}},
	})
}

const documentIntroduction = "Billing for AI agents. Money, prices, quantities and values are exact decimals, times are RFC 3339 in UTC. " +
	"Every answer carries X-Request-ID."

var idempotencyParameter = schema{"name": "Idempotency-Key", "in": "header", "required": false,
	"description": "Makes a repeat of this request within 30 days answer what the first one did, without effect.",
	"schema":      schema{"type": "string", "minLength": 1, "maxLength": 255}}

// document is an OpenAPI document being made.
type document struct {
	prefix string
	shapes *shapes
}

const (
	schemePerson = "password"
	schemeKey    = "key"
)

func (d *document) securitySchemes() schema {
	return schema{
		schemePerson: schema{"type": "oauth2", "description": "A person's e-mail and password.",
			"flows": schema{"password": schema{"tokenUrl": d.prefix + "/auth/login", "scopes": schema{}}}},
		schemeKey: schema{"type": "http", "scheme": "bearer", "description": "An API key (xyra_…), or a token got elsewhere."},
	}
}

var pathSign = regexp.MustCompile(`[^A-Za-z0-9]+`)

func (d *document) operation(rt *route) ordered {
	o := ordered{
		{"tags", []string{rt.tag}},
		{"summary", rt.summary},
		{"operationId", strings.Trim(pathSign.ReplaceAllString(strings.ToLower(rt.method)+" "+rt.path, "_"), "_")},
	}
	if !rt.rights.public {
		o = append(o, member{"description", "For " + rt.rights.describe() + "."})
	}
	parameters := d.parameters(rt)
	if len(parameters) > 0 {
		o = append(o, member{"parameters", parameters})
	}
	body := d.requestBody(rt)
	if body != nil {
		o = append(o, member{"requestBody", body})
	}
	o = append(o, member{"responses", d.responses(rt, len(parameters) > 0 || body != nil, body != nil)})
	return append(o, member{"security", rt.rights.security()})
}

// describe names the callers that are admitted.
func (r rights) describe() string {
	callers := []string{"superusers"}
	for _, group := range []struct {
		admitted bool
		name     string
	}{{r.admin, "admins"}, {r.user, "members"}, {r.loner, "users without organization"}, {r.key, "API keys"}} {
		if group.admitted {
			callers = append(callers, group.name)
		}
	}
	return strings.Join(callers, ", ")
}

func (r rights) security() []schema {
	switch none := []string{}; {
	case r.public:
		return []schema{}
	case r.key:
		return []schema{{schemePerson: none}, {schemeKey: none}}
	default:
		return []schema{{schemePerson: none}}
	}
}

func (d *document) parameters(rt *route) []schema {
	var all []schema
	if in, ok := rt.operation.in.(parameters); ok {
		for _, p := range in.params() {
			described := p.parameter()
			if kinds, ok := described["schema"].(schema)["type"].([]any); ok { // null cannot be said in a path or a query
				described["schema"].(schema)["type"] = kinds[0]
			}
			all = append(all, described)
		}
	}
	if rt.method == http.MethodPost && !rt.rights.public {
		all = append(all, schema{"$ref": "#/components/parameters/IdempotencyKey"})
	}
	return all
}

// requestBody is nil for a route that reads none.
func (d *document) requestBody(rt *route) any {
	var content schema
	switch in := rt.operation.in.(type) {
	case form:
		shape := d.shapes.input(in, in.formFields())
		content = schema{"application/x-www-form-urlencoded": schema{"schema": shape}, "multipart/form-data": schema{"schema": shape}}
	case documented:
		content = in.content(d.shapes)
	case body:
		content = schema{"application/json": schema{"schema": d.shapes.input(in, in.fields())}}
	default:
		return nil
	}
	return ordered{{"required", true}, {"content", content}}
}

func (d *document) responses(rt *route, reads, readsBody bool) ordered {
	content := schema{"application/json": schema{"schema": d.shapes.output(rt.operation.out)}}
	for ending, contentType := range map[string]string{"/pdf": "application/pdf", "/html": "text/html", ".csv": "text/csv"} {
		if strings.HasSuffix(rt.path, ending) {
			content = schema{contentType: schema{"schema": schema{"type": "string", "format": "binary"}}}
		}
	}
	all := ordered{{"200", ordered{{"description", "Success"}, {"content", content}}}}
	_, login := rt.operation.in.(form)
	protected, writes := !rt.rights.public, rt.method != http.MethodGet
	for _, e := range []struct {
		status string
		occurs bool
	}{
		{"400", reads || writes},
		{"401", protected || login},
		{"403", protected || readsBody && !login},
		{"404", protected && reads},
		{"409", protected && writes || strings.Contains(rt.path, "/external/")},
		{"413", writes},
		{"422", reads || protected && rt.method == http.MethodPost},
		{"429", login || rt.method == http.MethodPut && rt.tag == "users"},
		{"503", true},
	} {
		if e.occurs {
			all = append(all, member{e.status, schema{"$ref": "#/components/responses/" + e.status}})
		}
	}
	return all
}

// errorResponses are the refusals that all routes share.
var errorResponses = ordered{
	refusalResponse("400", "A rule of the business refuses the request as it stands.", "Refusal"),
	refusalResponse("401", "The credentials are missing or not valid (any more).", "Refusal"),
	refusalResponse("403", "The caller may not do this.", "Refusal"),
	refusalResponse("404", "There is no such thing for this caller.", "Refusal"),
	refusalResponse("409", "The present state contradicts the request.", "Refusal"),
	refusalResponse("413", "The body is too large.", "Refusal"),
	refusalResponse("422", "The input is malformed: one item for each fault.", "InvalidInput"),
	refusalResponse("429", "Too many attempts; Retry-After says when to come again.", "Refusal"),
	refusalResponse("503", "Overload or an unreachable database: nothing was written, try again.", "Refusal"),
}

func refusalResponse(status, description, component string) member {
	return member{status, ordered{
		{"description", description},
		{"content", schema{"application/json": schema{"schema": reference(component)}}},
	}}
}

func reference(component string) schema {
	return schema{"$ref": fmt.Sprintf("#/components/schemas/%s", component)}
}
