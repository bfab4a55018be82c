package main

import (
	"bufio"
	"os"
	"strings"
	"syscall"
	"testing"

	"xyra/money"
)

// The demo bills the whole trace: its invoice is known to the cent, its books add up, and it leaves nothing behind.
func TestDemo_BillsTheTrace(t *testing.T) {
	cmd := command(t, []string{"POSTGRES_SERVER=must-not-be-asked.invalid"}, "demo", "--exit")
	code, out, complaint := ended(t, cmd)
	if code != 0 || complaint != "" {
		t.Fatalf("ends with %d: %s", code, complaint)
	}
	want := wantInvoice(t)
	for _, part := range append(want, "no difference", "19,366", "40,672 events recorded in") {
		if !strings.Contains(out, part) {
			t.Errorf("does not say %q:\n%s", part, out)
		}
	}
	if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("leaves %v, %v", left, err)
	}
}

// wantInvoice computes the amounts of the demo's invoice from the trace, without Xyra.
func wantInvoice(t *testing.T) []string {
	t.Helper()
	rows, err := readTrace()
	if err != nil {
		t.Fatal(err)
	}
	var tokens [4]int64
	var tickets [4]int64
	for i, row := range rows {
		tokens[i%4] += row.generated
		if i/4%10 == 0 {
			tickets[i%4]++
		}
	}
	cents := func(d money.Decimal) money.Decimal { return d.RoundHalfAway(2) }
	lines := []money.Decimal{
		money.FromInt(12 * 29),
		cents(money.FromInt(tokens[1] * 8).Shift(-5)),
		cents(money.FromInt(tickets[2] * 400 * 15).Shift(-4)),
		money.FromInt(250),
		cents(money.FromInt(tokens[3] * 4).Shift(-5)),
		cents(money.FromInt(tickets[3] * 400 * 5).Shift(-4)),
	}
	var total money.Decimal
	var want []string
	for _, line := range lines {
		total = total.Add(line)
		want = append(want, " "+amount(line)+"\n")
	}
	return append(want, " "+amount(total)+"\n")
}

// Ctrl-C in the middle ends the demo and removes its folder.
func TestDemo_InterruptCleansUp(t *testing.T) {
	cmd := command(t, nil, "demo")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "64 at a time") {
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // until the program ends
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("ends with %v", err)
	}
	if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("leaves %v, %v", left, err)
	}
}
