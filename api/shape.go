package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"xyra/money"
)

// shapes collects the document's component schemas: one for each Go type that a route reads or answers, under the
// type's name.
type shapes struct {
	components ordered
	types      map[string]reflect.Type
}

func newShapes() *shapes {
	item := schema{"type": "object", "required": []string{"type", "loc", "msg", "input"}, "properties": ordered{
		{"type", schema{"type": "string"}},
		{"loc", schema{"type": "array", "items": schema{"type": []string{"string", "integer"}}}},
		{"msg", schema{"type": "string"}},
		{"input", schema{}},
		{"ctx", schema{"type": "object"}},
	}}
	return &shapes{types: map[string]reflect.Type{}, components: ordered{
		{"Refusal", schema{"type": "object", "required": []string{"detail"}, "properties": schema{"detail": schema{"type": "string"}}}},
		{"InvalidInput", schema{"type": "object", "required": []string{"detail"}, "properties": schema{
			"detail": schema{"oneOf": []schema{{"type": "array", "items": item}, {"type": "string"}}}}}},
	}}
}

// add keeps a component of a type under a name and returns the reference to it; made again it is only referred to.
func (s *shapes) add(name string, t reflect.Type, make func() schema) schema {
	if known, taken := s.types[name]; taken {
		if known != t {
			panic(fmt.Sprintf("%v and %v have the same name in the OpenAPI document: %s", known, t, name))
		}
		return reference(name)
	}
	s.types[name] = t
	place := len(s.components)
	s.components = append(s.components, member{name: name})
	s.components[place].value = make()
	return reference(name)
}

// input describes a request body by its fields.
func (s *shapes) input(in any, fields []field) schema {
	t := reflect.TypeOf(in).Elem()
	name := exportedName(t.Name())
	if stem, ok := strings.CutSuffix(name, "In"); ok {
		name = stem + "Input"
	}
	return s.add(name, t, func() schema { return schemaOf(fields) })
}

func exportedName(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

// freeform are the answers' fields of a client's own that are not an object or null.
var freeform = map[string]schema{
	"capabilities": {"type": "array", "items": schema{}},
	"settings":     {"type": "object"},
}

var (
	instantType = reflect.TypeFor[instant]()
	decimalType = reflect.TypeFor[money.Decimal]()
	rawType     = reflect.TypeFor[json.RawMessage]()
	answerType  = reflect.TypeFor[answer]()
	marshaler   = reflect.TypeFor[json.Marshaler]()
)

// output describes the JSON that encode makes of a value of type t.
func (s *shapes) output(t reflect.Type) schema {
	switch {
	case t == nil || t == answerType:
		return schema{}
	case t == instantType:
		return schema{"type": "string", "format": "date-time"}
	case t == decimalType:
		return schema{"type": "number"}
	case t == rawType:
		return schema{"type": []string{"object", "null"}}
	case t.Kind() == reflect.Pointer:
		return orNull(s.output(t.Elem()))
	case t.Implements(marshaler):
		return schema{}
	}
	switch t.Kind() {
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Slice:
		return schema{"type": "array", "items": s.output(t.Elem())}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": s.output(t.Elem())}
	case reflect.Struct:
		if t.Name() == "" {
			return s.record(t)
		}
		return s.add(exportedName(strings.TrimSuffix(t.Name(), "Out")), t, func() schema { return s.record(t) })
	}
	return schema{}
}

func orNull(s schema) schema {
	if kind, ok := s["type"].(string); ok {
		s["type"] = []string{kind, "null"}
		return s
	}
	if _, ok := s["$ref"]; ok {
		return schema{"anyOf": []schema{s, {"type": "null"}}}
	}
	return s
}

// record describes a struct by its fields, those of embedded structs in their place.
func (s *shapes) record(t reflect.Type) schema {
	properties, required := s.properties(t)
	record := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		record["required"] = required
	}
	return record
}

func (s *shapes) properties(t reflect.Type) (properties ordered, required []string) {
	properties = ordered{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			embedded, needed := s.properties(f.Type)
			properties, required = append(properties, embedded...), append(required, needed...)
			continue
		case name == "" || name == "-":
			continue
		}
		shape := s.output(f.Type)
		if own, ok := freeform[name]; ok && f.Type == rawType {
			shape = own
		}
		properties = append(properties, member{name, shape})
		if options == "" {
			required = append(required, name)
		}
	}
	return properties, required
}
