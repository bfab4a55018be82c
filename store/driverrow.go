package store

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
)

// driverRow is a row as the driver gives it. It scans like a row of database/sql, but never turns a text into a number, nor
// the other way round.
type driverRow []driver.Value

// Scan implements row.
func (r driverRow) Scan(dest ...any) error {
	if len(dest) != len(r) {
		return fmt.Errorf("scan a row of %d columns into %d", len(r), len(dest))
	}
	for i, to := range dest {
		if err := assign(to, r[i]); err != nil {
			return fmt.Errorf("scan column %d: %w", i+1, err)
		}
	}
	return nil
}

func assign(to any, cell driver.Value) error {
	switch to := to.(type) {
	case sql.Scanner:
		return to.Scan(cell)
	case *bool:
		truth, err := driver.Bool.ConvertValue(cell)
		if err == nil {
			*to = truth.(bool)
		}
		return err
	case **string:
		if *to = nil; cell == nil {
			return nil
		}
		*to = new(string)
		return assign(*to, cell)
	}
	into := reflect.ValueOf(to).Elem()
	switch cell := cell.(type) {
	case nil:
		if list, ok := to.(*[]byte); ok {
			*list = nil
			return nil
		}
	case int64:
		if into.CanInt() && !into.OverflowInt(cell) {
			into.SetInt(cell)
			return nil
		}
	case string:
		switch list, ok := to.(*[]byte); {
		case ok:
			*list = []byte(cell)
			return nil
		case into.Kind() == reflect.String:
			into.SetString(cell)
			return nil
		}
	case []byte:
		if list, ok := to.(*[]byte); ok {
			*list = bytes.Clone(cell)
			return nil
		}
	}
	return fmt.Errorf("%T does not go into %T", cell, to)
}
