package api

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// copyable is the first code of a language in docs/payments.md that holds a word.
func copyable(t *testing.T, fence, word string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/payments.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "\n```"+fence+"\n")[1:] {
		if code, _, _ := strings.Cut(part, "\n```"); strings.Contains(code, word) {
			return code
		}
	}
	t.Fatalf("no code in %s with %s", fence, word)
	return ""
}

// What docs/payments.md gives readers to copy signs what we believe and believes what we believe, where its programs are here.
func TestSignedByStripe_TheDocumentedCodeAgrees(t *testing.T) {
	run := func(stdin string, args ...string) (string, bool) {
		t.Helper()
		if _, err := exec.LookPath(args[0]); err != nil {
			t.Logf("%s is not here", args[0])
			return "", false
		}
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "STRIPE_WEBHOOK_SECRET="+stripeSecret)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", args[0], err, out)
		}
		return string(out), err == nil
	}
	now := time.Now()
	if _, err := exec.LookPath("openssl"); err == nil {
		signing, _, _ := strings.Cut(copyable(t, "sh", "openssl dgst"), "curl ")
		out, ok := run("", "sh", "-c", signing+"printf '%s\\n%s' \"t=$T,v1=$V1\" \"$BODY\"\n")
		header, body, _ := strings.Cut(out, "\n")
		if ok && !signedByStripe(header, stripeSecret, []byte(body), now) {
			t.Errorf("the documented shell signs %q with %s", body, header)
		}
	}
	const body = `{"type":"x","é":1}`
	var list [][2]string
	var want []string
	good := signedAt(stripeSecret, body, now)
	for _, header := range []string{good, "v0=1," + good + ",v1=00", signedAt("whsec_other", body, now), signedAt(stripeSecret, body, now.Add(-310*time.Second)),
		signedAt(stripeSecret, body, now.Add(310*time.Second)), "t=1," + good, "", "v1=" + strings.SplitN(good, "v1=", 2)[1], strings.Replace(good, "v1", "v0", 1), "t=x,v1=00"} {
		list = append(list, [2]string{header, body})
		want = append(want, fmt.Sprint(signedByStripe(header, stripeSecret, []byte(body), now)))
	}
	list, want = append(list, [2]string{good, body + " "}), append(want, "false")
	sent, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "verify.py")
	text := copyable(t, "python", "signed_by_stripe") + "\n\nimport json, sys\nfor header, body in json.load(sys.stdin):\n" +
		"    print(str(signed_by_stripe(header, body.encode(), \"" + stripeSecret + "\")).lower())\n"
	if err := os.WriteFile(program, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, ok := run(string(sent), "python3", program); ok && strings.Join(strings.Fields(out), " ") != strings.Join(want, " ") {
		t.Errorf("the documented Python says %s, we say %s", strings.Fields(out), want)
	}
}
