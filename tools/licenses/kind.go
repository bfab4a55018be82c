package main

import (
	"slices"
	"strings"
)

// kinds are the licences that are recognised, each by phrases that all occur in its text, with blanks and case made even. SPDX has
// the names.
var kinds = []struct {
	name    string
	phrases []string
	without string // a phrase that another licence has in addition
}{
	{name: "Apache-2.0", phrases: []string{"apache license version 2.0", "grant of patent license"}},
	{name: "Apache-2.0", phrases: []string{"licensed under the apache license, version 2.0"}},
	{name: "BSD-3-Clause", phrases: []string{"redistribution and use in source and binary forms", "may be used to endorse or promote products derived from this software"}},
	{name: "BSD-2-Clause", phrases: []string{"redistribution and use in source and binary forms", "redistributions in binary form must reproduce"}, without: "endorse or promote"},
	{name: "MIT", phrases: []string{"permission is hereby granted, free of charge, to any person obtaining a copy", "the above copyright notice and this permission notice shall be included in all"}},
	{name: "ISC", phrases: []string{"permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"}},
	{name: "MPL-2.0", phrases: []string{"mozilla public license", "2.0", "covered software"}},
	{name: "OFL-1.1", phrases: []string{"sil open font license", "version 1.1"}},
	{name: "CC-BY-4.0", phrases: []string{"cc by 4.0"}},
	{name: "CC-BY-ND-4.0", phrases: []string{"attribution-noderivatives 4.0 international"}},
	{name: "public domain", phrases: []string{"has been dedicated to the public domain by the authors"}},
	{name: "GPL", phrases: []string{"gnu general public license"}, without: "mozilla public license"}, // which mentions it
	{name: "AGPL", phrases: []string{"gnu affero general public license"}, without: "mozilla public license"},
	{name: "LGPL", phrases: []string{"gnu lesser general public license"}, without: "mozilla public license"},
}

// accepted are the kinds that a proprietary or open product may be built with by keeping the text beside it, and why the
// less usual ones are among them.
var accepted = map[string]string{
	"Apache-2.0":    "",
	"BSD-2-Clause":  "",
	"BSD-3-Clause":  "",
	"ISC":           "",
	"MIT":           "",
	"public domain": "SQLite",
	"MPL-2.0":       "binds the files that are under it, and we change none",
	"OFL-1.1":       "for fonts, which are embedded and not sold alone",
	"CC-BY-4.0":     "for data, with its authors named",
}

// excused are texts beside a module that license nothing of what is compiled in.
var excused = map[string]string{
	"modernc.org/memory/LICENSE-LOGO":                       "the address of a picture",
	"github.com/wneessen/go-mail/LICENSES/CC-BY-ND-4.0.txt": "of the logo",
}

// kindsOf recognises the licences in one text.
func kindsOf(text string) (found []string) {
	even := strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, k := range kinds {
		fits := k.without == "" || !strings.Contains(even, k.without)
		for _, phrase := range k.phrases {
			fits = fits && strings.Contains(even, phrase)
		}
		if fits && !slices.Contains(found, k.name) {
			found = append(found, k.name)
		}
	}
	slices.Sort(found)
	return found
}

// isLicense tells by its name whether a file holds licences; one that only lists notices and what others hold is kept too, and
// is not asked for its kind.
func isLicense(name string) (license, notice bool) {
	upper := strings.ToUpper(name)
	if strings.HasSuffix(upper, ".GO") || strings.HasSuffix(upper, ".LICENSE") {
		return false, false
	}
	for _, word := range []string{"NOTICE", "PATENTS", "LICENSE-3RD-PARTY", "THIRD"} {
		if strings.HasPrefix(upper, word) {
			return false, true
		}
	}
	for _, word := range []string{"LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "UNLICENSE"} {
		if strings.HasPrefix(upper, word) {
			return true, false
		}
	}
	return false, false
}
