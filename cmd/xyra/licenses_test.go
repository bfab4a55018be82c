package main

import (
	"debug/buildinfo"
	"strings"
	"testing"
)

// Every module that is in the program is in its table of licences, in that version.
func TestLicenses_NameEveryModuleOfTheProgram(t *testing.T) {
	code, table, complaints := ended(t, command(t, nil, "licenses"))
	if code != 0 {
		t.Fatalf("ends with %d: %s", code, complaints)
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(table) {
		if words := strings.Fields(line); len(words) >= 3 {
			rows[words[0]] = words[1]
		}
	}
	for _, module := range info.Deps {
		if rows[module.Path] != module.Version {
			t.Errorf("%s %s is in the program, the table has %q", module.Path, module.Version, rows[module.Path])
		}
	}
	for _, other := range []string{"Go standard library", "Noto Sans", "Swagger UI", "ReDoc", "Azure LLM inference trace"} {
		if !strings.Contains(table, "\n"+other) {
			t.Errorf("the table lacks %s", other)
		}
	}
	if strings.Contains(table, "WITHOUT WARRANTY") {
		t.Error("the table goes on into the licences")
	}
}

// --full has the table and the words of the licences.
func TestLicenses_FullHasTheTexts(t *testing.T) {
	code, text, complaints := ended(t, command(t, nil, "licenses", "--full"))
	if code != 0 {
		t.Fatalf("ends with %d: %s", code, complaints)
	}
	for _, part := range []string{"golang.org/x/crypto", "Permission is hereby granted, free of charge", "Grant of Patent License", "SIL OPEN FONT LICENSE",
		"Redistribution and use in source and binary forms", "SQLite Is Public Domain", "CC BY 4.0", "musl"} {
		if !strings.Contains(text, part) {
			t.Errorf("the licences lack %q", part)
		}
	}
}
