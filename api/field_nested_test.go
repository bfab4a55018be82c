package api

import (
	"encoding/json"
	"testing"
)

func TestFreeValues_AreKeptAsReceived(t *testing.T) {
	notObject := `
		[] => dict_type
		"{}" => dict_type
		1 => dict_type
		true => dict_type`
	checkCatalogue(t, func(o *json.RawMessage) field { return object("x", o) }, notObject+`
		null => dict_type
		{} => = {}
		{ "b" : 1.50, "a": [1e2 , "x y", null] } => = {"b":1.50,"a":[1e2,"x y",null]}
		{"\u0061":"\u00e9"} => = {"\u0061":"\u00e9"}`)
	checkCatalogue(t, func(o *json.RawMessage) field { return object("x", o).nullable() }, notObject+"\nnull => = null")
	checkCatalogue(t, func(o *json.RawMessage) field { return settings("x", o) }, notObject+`
		null => dict_type
		{} => = {}
		{"a":1.0,"currency":"eur","b":{"currency":5}} => = {"a":1.0,"currency":"EUR","b":{"currency":5}}
		{ "currency" : "USD" } => = {"currency":"USD"}`)
	checkCatalogue(t, func(o *json.RawMessage) field { return freeList("x", o) }, `
		null => list_type
		"x" => list_type
		{} => list_type
		5 => list_type
		[] => = []
		[ 1.0, {"a" : 2}, null ] => = [1.0,{"a":2},null]`)
}

func TestSettings_FaultsAreAtTheCurrency(t *testing.T) {
	for value, fault := range map[string]string{
		`null`: "string_type", `5`: "string_type", `"dollars"`: "value_error unknown currency code",
		`""`: "value_error unknown currency code",
	} {
		var dst json.RawMessage
		got := itemsText(decodeBody([]byte(`{"settings":{"currency":`+value+`}}`), "", fieldList{settings("settings", &dst)}))
		if want := "[" + itemText(fault, `["body","settings","currency"]`, value) + "]"; got != want {
			t.Errorf("%s:\n got %s\nwant %s", value, got, want)
		}
	}
}
