package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// tableEnds separates the table of works from the texts; xyra licenses prints what stands above it.
const tableEnds = "================================================================================"

// render writes the table and then each text once, under the names of all works that have it.
func render(works []work) (string, error) {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "WORK\tVERSION\tLICENCE")
	for _, w := range works {
		fmt.Fprintf(table, "%s\t%s\t%s\n", w.name, w.version, strings.Join(w.kinds, ", "))
	}
	if err := table.Flush(); err != nil {
		return "", fmt.Errorf("write the table: %w", err)
	}
	holders := map[string][]string{}
	var order []string
	for _, w := range works {
		for _, t := range w.texts {
			content := tidied(t.content)
			if holders[content] == nil {
				order = append(order, content)
			}
			holders[content] = append(holders[content], strings.TrimSpace(w.name+" "+w.version)+", "+t.name)
		}
	}
	for _, content := range order {
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n\n%s\n", tableEnds, strings.Join(holders[content], "\n"), tableEnds, content)
	}
	return b.String(), nil
}

// tidied is a text without what editors and systems differ in.
func tidied(content string) string {
	lines := strings.Split(strings.ReplaceAll(strings.TrimPrefix(content, "\ufeff"), "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\f")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}
