package api

import (
	"bytes"
	"encoding/json"
	"slices"

	"xyra/strictjson"
)

// schema is a part of the OpenAPI 3.1 document.
type schema map[string]any

// ordered is an object of the document whose members keep their order.
type ordered []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in order.
func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(strictjson.AppendString(nil, m.name))
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// schemaOf describes a record by its fields, in their order.
func schemaOf(fields []field) schema {
	properties := make(ordered, 0, len(fields))
	var required []string
	for i := range fields {
		f := &fields[i]
		properties = append(properties, member{f.name, f.schema()})
		if _, waivable := f.more.(waiver); f.needed && !waivable {
			required = append(required, f.name)
		}
	}
	s := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// schema describes the field's value.
func (f *field) schema() schema {
	s := schema{}
	for name, value := range f.kind.schema {
		s[name] = value
	}
	if r, ok := f.dst.(records); ok {
		record := schemaOf(r.sample().fields())
		if s["type"] == "array" {
			s["items"] = record
		} else {
			s = record
		}
	}
	f.describeLimits(s)
	if f.fallback != nil {
		s["default"] = f.fallback
		if text, ok := f.fallback.(string); ok && s["type"] != "string" {
			s["default"] = json.RawMessage(text)
		}
	}
	if f.explanation != "" {
		s["description"] = f.explanation
	}
	if f.canBeNull {
		s["type"] = []any{s["type"], "null"}
		if words, ok := s["enum"].([]any); ok {
			s["enum"] = append(slices.Clip(words), nil)
		}
	}
	return s
}

func (f *field) describeLimits(s schema) {
	switch more := f.more.(type) {
	case choice:
		words := make([]any, len(more))
		for i, word := range more {
			words[i] = word
		}
		s["enum"] = words
	case pattern:
		s["pattern"] = string(more)
	}
	if f.lengthMin > 0 {
		s["minLength"] = f.lengthMin
	}
	if f.lengthMax > 0 {
		s["maxLength"] = f.lengthMax
	}
	if f.bound.hasLeast {
		s["minimum"] = f.bound.least
	}
	if f.bound.hasOver {
		s["exclusiveMinimum"] = f.bound.over
	}
	if f.bound.hasMost {
		s["maximum"] = f.bound.most
	}
}

// parameter describes a param of the path or the query.
func (f *field) parameter() schema {
	s := f.schema()
	p := schema{"name": f.name, "in": f.in, "required": f.needed, "schema": s}
	if f.explanation != "" {
		delete(s, "description")
		p["description"] = f.explanation
	}
	return p
}
