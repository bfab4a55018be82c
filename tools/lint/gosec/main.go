// Command gosec runs the security rules of github.com/securego/gosec over a module, given as a folder, and compares what they find
// with exceptions.txt: what is found and has no line there is a fault, and so is a line that nothing needs. It uses the library
// instead of gosec's own command, which would bring clients of three language models into the build.
//
// A line of exceptions.txt is: rule, file or folder with a slash at its end, a text in the line of code or - for any, and the reason,
// with " | " between. A rule with * as its place is off everywhere.
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/securego/gosec/v2"
	"github.com/securego/gosec/v2/analyzers"
	"github.com/securego/gosec/v2/issue"
	"github.com/securego/gosec/v2/rules"
)

//go:embed exceptions.txt
var exceptionsText string

// exception is one permitted finding, or many of a kind.
type exception struct {
	rule, place, code string
	needed            bool
}

func main() {
	flag.Parse()
	faults, err := run(flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "gosec:", err)
		os.Exit(1)
	}
	for _, fault := range faults {
		fmt.Println(fault)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
}

func run(module string) (faults []string, err error) {
	permitted, off, err := parseExceptions(exceptionsText)
	if err != nil {
		return nil, err
	}
	if err := os.Chdir(module); err != nil {
		return nil, err
	}
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	found, err := findings(off)
	if err != nil {
		return nil, err
	}
	for _, one := range found {
		path, err := filepath.Rel(root, one.File)
		if err != nil {
			return nil, err
		}
		line, err := markedLine(one)
		if err != nil {
			return nil, err
		}
		if !permit(permitted, one.RuleID, filepath.ToSlash(path), line) {
			faults = append(faults, fmt.Sprintf("%s:%s: %s %s: %s", path, one.Line, one.RuleID, one.What, strings.TrimSpace(line)))
		}
	}
	for _, e := range permitted {
		if !e.needed {
			faults = append(faults, fmt.Sprintf("the exception for %s in %s is no longer needed: delete its line", e.rule, e.place))
		}
	}
	return faults, nil
}

// findings runs every rule that is not off over the packages of the module in the working folder. The packages are loaded
// together: gosec's own way reads what they share once for each of them.
func findings(off []string) ([]*issue.Issue, error) {
	loaded, err := packages.Load(&packages.Config{Mode: gosec.LoadMode}, "./...")
	if err != nil {
		return nil, fmt.Errorf("load the packages: %w", err)
	}
	config := gosec.NewConfig()
	config.SetGlobal(gosec.Nosec, "true") // comments excuse nothing: exceptions.txt does
	analyzer := gosec.NewAnalyzer(config, false, false, false, 1, log.New(io.Discard, "", 0))
	analyzer.LoadRules(rules.Generate(false, rules.NewRuleFilter(true, off...)).RulesInfo())
	analyzer.LoadAnalyzers(analyzers.Generate(false, analyzers.NewAnalyzerFilter(true, off...)).AnalyzersInfo())
	for _, one := range loaded {
		if len(one.Errors) > 0 {
			return nil, fmt.Errorf("%s does not compile: %v", one.PkgPath, one.Errors)
		}
		analyzer.CheckRules(one)
		analyzer.CheckAnalyzers(one)
	}
	found, _, _ := analyzer.Report()
	return found, nil
}

// markedLine is the line of code that a finding points at, the first of several.
func markedLine(one *issue.Issue) (string, error) {
	first, _, _ := strings.Cut(one.Line, "-")
	number, err := strconv.Atoi(first)
	if err != nil {
		return "", fmt.Errorf("read the line of a finding: %w", err)
	}
	text, err := os.ReadFile(one.File)
	if err != nil {
		return "", err
	}
	lines := strings.Split(string(text), "\n")
	if number < 1 || number > len(lines) {
		return "", fmt.Errorf("%s has no line %d", one.File, number)
	}
	return lines[number-1], nil
}

// parseExceptions reads exceptions.txt; off are the rules that are off everywhere.
func parseExceptions(text string) (permitted []*exception, off []string, err error) {
	for number, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, " | ")
		if len(columns) != 4 || strings.TrimSpace(columns[3]) == "" {
			return nil, nil, fmt.Errorf("exceptions.txt:%d: want rule, place, code and reason with \" | \" between", number+1)
		}
		if columns[1] == "*" {
			off = append(off, columns[0])
			continue
		}
		permitted = append(permitted, &exception{rule: columns[0], place: columns[1], code: columns[2]})
	}
	return permitted, off, nil
}

// permit finds the exceptions of a finding; all that fit are needed.
func permit(permitted []*exception, rule, path, line string) bool {
	found := false
	for _, e := range permitted {
		here := e.place == path || strings.HasSuffix(e.place, "/") && strings.HasPrefix(path, e.place)
		if e.rule == rule && here && (e.code == "-" || strings.Contains(line, e.code)) {
			e.needed, found = true, true
		}
	}
	return found
}
