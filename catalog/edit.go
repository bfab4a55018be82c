package catalog

import (
	"encoding/json"
	"fmt"
)

// Edit is the new value of one field, or none: without Set the field stays as it is. A field that can be cleared has a
// T with a nil.
type Edit[T any] struct {
	Set bool
	To  T
}

// or is the value that holds after the edit.
func (e Edit[T]) or(present T) T {
	if e.Set {
		return e.To
	}
	return present
}

// To makes an edit that sets a field.
func To[T any](value T) Edit[T] { return Edit[T]{Set: true, To: value} }

// detail is the detail of an audit entry, such as {"name": "Desk"}.
func detail(fields map[string]any) json.RawMessage {
	text, err := json.Marshal(fields)
	if err != nil {
		panic(fmt.Sprintf("encode the detail of an audit entry: %v", err))
	}
	return text
}
