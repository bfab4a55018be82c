package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"xyra"
)

// instant reads a column of microseconds into a time; NULL leaves the zero time.
type instant struct{ to *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(src any) error {
	switch micros := src.(type) {
	case nil:
		*i.to = time.Time{}
		return nil
	case int64:
		*i.to = xyra.FromMicros(micros)
		return nil
	}
	return fmt.Errorf("instant column holds %T", src)
}

// instantOrNil reads a column of microseconds that may be NULL.
type instantOrNil struct{ to **time.Time }

// Scan implements sql.Scanner.
func (i instantOrNil) Scan(src any) error {
	*i.to = nil
	if src == nil {
		return nil
	}
	var t time.Time
	if err := (instant{&t}).Scan(src); err != nil {
		return err
	}
	*i.to = &t
	return nil
}

// microsOrNil is a nullable instant on its way into a column.
func microsOrNil(t *time.Time) any {
	if t == nil {
		return nil
	}
	return xyra.Micros(*t)
}

// number is any of the id types and counters.
type number interface {
	~int16 | ~int32 | ~int64 | ~int
}

// orZero reads a nullable integer column; NULL is 0.
type orZero[T number] struct{ to *T }

// Scan implements sql.Scanner.
func (z orZero[T]) Scan(src any) error {
	switch n := src.(type) {
	case nil:
		*z.to = 0
		return nil
	case int64:
		*z.to = T(n)
		return nil
	}
	return fmt.Errorf("integer column holds %T", src)
}

// orNull is an id on its way into a nullable column: 0 is NULL.
func orNull[T number](id T) any {
	if id == 0 {
		return nil
	}
	return int64(id)
}

// object reads a nullable text column that holds JSON as it was received.
type object struct{ to *json.RawMessage }

// Scan implements sql.Scanner.
func (o object) Scan(src any) error {
	switch text := src.(type) {
	case nil:
		*o.to = nil
		return nil
	case string:
		*o.to = json.RawMessage(text)
		return nil
	case []byte:
		*o.to = append(json.RawMessage(nil), text...)
		return nil
	}
	return fmt.Errorf("JSON column holds %T", src)
}

// parsed reads a nullable column of JSON that this package has written; NULL leaves the zero value.
type parsed struct{ to any }

// Scan implements sql.Scanner.
func (p parsed) Scan(src any) error {
	var raw json.RawMessage
	if err := (object{&raw}).Scan(src); err != nil || raw == nil {
		return err
	}
	return json.Unmarshal(raw, p.to)
}

// textOrNil is JSON on its way into a text column; nil is NULL.
func textOrNil(raw json.RawMessage) driver.Value {
	if raw == nil {
		return nil
	}
	return string(raw)
}
