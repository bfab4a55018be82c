package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The committed file is what the modules of this go.mod make.
func TestFile_IsOfTheModulesThatAreCompiledIn(t *testing.T) {
	root := filepath.Join("..", "..")
	works, err := collect(root)
	if err != nil {
		t.Fatal(err)
	}
	want, err := render(works)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, output))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is of other modules than those in go.mod: go run ./tools/licenses writes it again", output)
	}
}

// A licence is recognised by its words, however they are broken into lines.
func TestKinds_AreRecognised(t *testing.T) {
	for text, want := range map[string][]string{
		"Apache License\n  Version 2.0, January 2004\n 3. Grant of Patent License.":                                                                                             {"Apache-2.0"},
		"Permission is hereby granted, free of charge, to any person\nobtaining a copy … The above copyright notice and this permission notice shall be included in all copies": {"MIT"},
		"Redistribution and use in source and binary forms … Redistributions in binary form must reproduce":                                                                     {"BSD-2-Clause"},
		"GNU GENERAL PUBLIC LICENSE Version 3":         {"GPL"},
		"GNU Affero General Public License, version 3": {"AGPL"},
		"All rights reserved.":                         nil,
	} {
		if got := kindsOf(text); !slices.Equal(got, want) {
			t.Errorf("%.40q is %v, want %v", text, got, want)
		}
	}
}

// What has no licence, an unknown one or one that binds the whole program is not compiled in.
func TestWork_IsRefusedWithoutAnAcceptedLicense(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	unknown := write("unknown", "Pay me.")
	if err := (&work{name: "w"}).read(unknown, "LICENSE", false); err == nil || !strings.Contains(err.Error(), "no known kind") {
		t.Errorf("an unknown licence: %v", err)
	}
	bound := work{name: "w"}
	if err := bound.read(write("gpl", "GNU General Public License"), "COPYING", false); err != nil {
		t.Fatal(err)
	}
	if err := bound.check(); err == nil || !strings.Contains(err.Error(), "GPL, which is not accepted") {
		t.Errorf("a licence that binds: %v", err)
	}
	if err := (&work{name: "w"}).check(); err == nil || !strings.Contains(err.Error(), "no licence") {
		t.Errorf("no licence: %v", err)
	}
}

// An embedded file that nobody has named is refused.
func TestEmbedded_IsRefusedWithoutAnOwner(t *testing.T) {
	p := listed{ImportPath: "xyra/x", Dir: "/m/x", EmbedFiles: []string{"font.ttf"}}
	p.Module = &struct {
		Path, Version, Dir string
		Main               bool
	}{Main: true}
	if err := checkEmbedded("/m", map[string]listed{"xyra/x": p}); err == nil || !strings.Contains(err.Error(), "x/font.ttf") {
		t.Errorf("an embedded file: %v", err)
	}
}
