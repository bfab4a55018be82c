package webhook_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"xyra/webhook"
)

// documented is the code of a language in docs/webhooks.md.
func documented(t *testing.T, fence string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(text), "\n```"+fence+"\n")
	if !found {
		t.Fatalf("no code in %s", fence)
	}
	code, _, _ = strings.Cut(code, "\n```")
	return code
}

// letter is a request as a receiver has it, and whether it is to be believed.
type letter struct {
	Secret, ID, Time, Signature, Body string
	Good                              bool
}

func letters() (list []letter) {
	const secret, other, id, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "msg_1", `{"type":"invoice.paid","data":{"é":"\u2028"}}`
	key, zero := []byte("1\xf2\x90\xf6\xbf\x06)\x8a\xabO\x08\xd4<?\x08,\xf6H\xa3b\xda-\xa4\xb0"), make([]byte, 24)
	sign := func(at time.Time, keys ...[]byte) letter {
		return letter{secret, id, strconv.FormatInt(at.Unix(), 10), webhook.Sign(keys, id, at, []byte(body)), body, true}
	}
	now := time.Now()
	good := sign(now, key)
	list = append(list, good, sign(now, zero, key), sign(now, key, zero), sign(now.Add(-4*time.Minute), key), sign(now.Add(4*time.Minute), key))
	change := func(f func(l *letter)) {
		l := good
		f(&l)
		l.Good = false
		list = append(list, l)
	}
	change(func(l *letter) { l.Secret = other })
	change(func(l *letter) { l.ID = "msg_2" })
	change(func(l *letter) { l.Body += " " })
	change(func(l *letter) { *l = sign(now.Add(-6*time.Minute), key) })
	change(func(l *letter) { *l = sign(now.Add(6*time.Minute), key) })
	change(func(l *letter) { l.Time = strconv.FormatInt(now.Unix()+1, 10) })
	for _, text := range []string{"", "x", "-1"} {
		change(func(l *letter) { l.Time = text })
	}
	for _, text := range []string{"", "v1", "v1,", "v1,AAAA", "v1,!!", strings.Replace(good.Signature, "v1,", "v2,", 1), good.Signature[:len(good.Signature)-4]} {
		change(func(l *letter) { l.Signature = text })
	}
	return list
}

const goReader = `package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	var list []struct{ Secret, ID, Time, Signature, Body string }
	if err := json.NewDecoder(os.Stdin).Decode(&list); err != nil {
		panic(err)
	}
	for _, l := range list {
		h := http.Header{"Webhook-Id": {l.ID}, "Webhook-Timestamp": {l.Time}, "Webhook-Signature": {l.Signature}}
		fmt.Println(verify(l.Secret, h, []byte(l.Body)) == nil)
	}
}

`

const pythonReader = `

import json, sys
for l in json.load(sys.stdin):
    try:
        verify(l["Secret"], {"webhook-id": l["ID"], "webhook-timestamp": l["Time"], "webhook-signature": l["Signature"]}, l["Body"].encode())
        print("true")
    except ValueError:
        print("false")
`

const nodeReader = `
for (const l of JSON.parse(require("node:fs").readFileSync(0, "utf8"))) {
  try {
    verify(l.Secret, {"webhook-id": l.ID, "webhook-timestamp": l.Time, "webhook-signature": l.Signature}, Buffer.from(l.Body));
    console.log("true");
  } catch (e) { console.log("false"); }
}
`

// What docs/webhooks.md gives readers to copy believes what we sign and nothing else, in each language that is here.
func TestSign_TheDocumentedReadersAgree(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	list := letters()
	sent, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{
		{"go", "run", write("verify.go", goReader+documented(t, "go")+"\n")},
		{"python3", write("verify.py", documented(t, "python")+pythonReader)},
		{"node", write("verify.js", documented(t, "js")+nodeReader)},
	} {
		if _, err := exec.LookPath(c[0]); err != nil && c[0] != "go" {
			t.Logf("%s is not here", c[0])
			continue
		}
		cmd := exec.CommandContext(t.Context(), c[0], c[1:]...)
		cmd.Stdin = strings.NewReader(string(sent))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", c[0], err, out)
			continue
		}
		answers := strings.Fields(string(out))
		for n, l := range list {
			if len(answers) != len(list) || answers[n] != strconv.FormatBool(l.Good) {
				t.Errorf("%s on %+v: %s", c[0], l, answers)
			}
		}
	}
}
