package pricing

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xyra/money"
)

// goldenCase is one case of testdata, see its README.
type goldenCase struct {
	name       string
	components []Component
	checks     []goldenCheck
}

type goldenCheck struct {
	line     int
	verb     string
	operands []string
	want     []string
}

func TestRate_GoldenTablesHold(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 4 {
		t.Fatalf("golden files: %v, %v", files, err)
	}
	for _, file := range files {
		for _, c := range readGolden(t, file) {
			t.Run(filepath.Base(file)+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				for i, component := range c.components {
					if err := component.Validate(); err != nil {
						t.Errorf("component %d: %v", i, err)
					}
				}
				for _, check := range c.checks {
					if got := c.run(t, check); strings.Join(got, " ") != strings.Join(check.want, " ") {
						t.Errorf("%s:%d: %s %s = %s; want %s", file, check.line, check.verb,
							strings.Join(check.operands, " "), strings.Join(got, " "), strings.Join(check.want, " "))
					}
				}
			})
		}
	}
}

// run answers in the emitted form of decimals, so that the tables show what clients see.
func (c goldenCase) run(t *testing.T, check goldenCheck) (answers []string) {
	t.Helper()
	switch check.verb {
	case "rate":
		answers = append(answers, Rate(c.components[0], money.MustParse(check.operands[0])).String())
	case "charges":
		var total money.Decimal
		for _, operand := range check.operands {
			quantity := money.MustParse(operand)
			answers = append(answers, Charge(c.components[0], total, quantity).String())
			total = total.Add(quantity)
		}
	case "calculate":
		u := Usage{Activities: map[string]money.Decimal{}, Outcomes: map[string]money.Decimal{}}
		for _, operand := range check.operands {
			key, text, _ := strings.Cut(operand, "=")
			kind, typ, _ := strings.Cut(key, ":")
			quantity := money.MustParse(text)
			switch kind {
			case "seats":
				u.Seats = quantity
			case "actions":
				u.Actions = quantity
			case "outcome_value":
				u.OutcomeValue = quantity
			case "activity":
				u.Activities[typ] = quantity
			case "outcome":
				u.Outcomes[typ] = quantity
			default:
				t.Fatalf("line %d: unknown key %q", check.line, key)
			}
		}
		answers = append(answers, Calculate(c.components, u).String())
	}
	return answers
}

func readGolden(t *testing.T, file string) (cases []goldenCase) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "case "); ok {
			cases = append(cases, goldenCase{name: name})
			continue
		}
		if len(cases) == 0 {
			t.Fatalf("%s:%d: before the first case", file, number)
		}
		if err := cases[len(cases)-1].add(line, number); err != nil {
			t.Fatalf("%s:%d: %v", file, number, err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

func (c *goldenCase) add(line string, number int) error {
	words := strings.Fields(line)
	switch words[0] {
	case "component":
		component := Component{Kind: Kind(words[1])}
		c.components = append(c.components, component)
		return c.components[len(c.components)-1].set(words[2:])
	case "tier":
		component := &c.components[len(c.components)-1]
		var tier Tier
		if words[1] != "open" {
			end := money.MustParse(words[1])
			tier.UpTo = &end
		}
		for _, word := range words[2:] {
			switch key, text, _ := strings.Cut(word, "="); key {
			case "price":
				tier.Price = money.MustParse(text)
			case "flat":
				tier.Flat = money.MustParse(text)
			default:
				return fmt.Errorf("unknown key %q", key)
			}
		}
		component.Tiers = append(component.Tiers, tier)
		return nil
	case "rate", "charges", "calculate":
		left, right, found := strings.Cut(strings.TrimPrefix(line, words[0]), " = ")
		if !found {
			return fmt.Errorf("no expectation in %q", line)
		}
		c.checks = append(c.checks, goldenCheck{number, words[0], strings.Fields(left), strings.Fields(right)})
		return nil
	default:
		return fmt.Errorf("unknown word %q", words[0])
	}
}

func (c *Component) set(words []string) error {
	for _, word := range words {
		switch key, text, _ := strings.Cut(word, "="); key {
		case "type":
			c.Type = text
		case "price", "percentage":
			c.Price = money.MustParse(text)
		case "frequency":
			c.Frequency = text
		case "scheme":
			c.Scheme = Scheme(text)
		case "package_size":
			c.PackageSize = money.MustParse(text)
		default:
			return fmt.Errorf("unknown key %q", key)
		}
	}
	return nil
}
