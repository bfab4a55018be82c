package api

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"xyra/strictjson"
)

// example is one line of the contract's examples.
type example struct {
	Name    string            `json:"name"`
	Method  string            `json:"method"`
	Path    string            `json:"path_template"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Sign    string            `json:"sign"`
	Repeat  int               `json:"repeat"`
	Env     map[string]string `json:"env"`
	Status  int               `json:"status"`
	Want    json.RawMessage   `json:"response"`
	Header  map[string]string `json:"response_headers"`
	Capture map[string]string `json:"capture"`
}

// The examples of the contract, replayed in order as it says, are answered to the letter.
func TestReplay_ExamplesOfTheContractHold(t *testing.T) {
	raw, err := os.ReadFile("testdata/examples.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	eachServer(t, Options{Docs: true, WebhookSecret: "whsec_contract", Print: printPDF}, func(t *testing.T, s *Server) {
		p := &replay{t: t, plain: s, tokens: map[string]string{}, captured: map[string][]byte{}}
		lines := bufio.NewScanner(bytes.NewReader(raw))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var e example
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			for range max(e.Repeat, 1) {
				p.play(e)
			}
		}
	})
}

// replay is a run through the examples with what was captured so far, as JSON.
type replay struct {
	t        *testing.T
	plain    *Server
	tokens   map[string]string
	captured map[string][]byte
}

// server is the one that runs with these settings.
func (p *replay) server(settings map[string]string) *Server {
	if len(settings) == 0 {
		return p.plain
	}
	return p.plain.withOptions(func(o *Options) {
		for name, value := range settings {
			if name != "SIGNUP_ENABLED" {
				p.t.Fatalf("an example sets %s", name)
			}
			o.Signup = value == "true"
		}
	})
}

var (
	variableAlone = regexp.MustCompile(`"\{\{(\w+)\}\}"`)
	variable      = regexp.MustCompile(`\{\{(\w+)\}\}`)
)

// fill puts captured values in the place of variables.
func (p *replay) fill(name, template string) string {
	value := func(of string) []byte {
		raw, known := p.captured[of]
		if !known {
			p.t.Errorf("%s: nothing was captured as %s", name, of)
		}
		return raw
	}
	template = variableAlone.ReplaceAllStringFunc(template, func(s string) string {
		return string(value(variableAlone.FindStringSubmatch(s)[1]))
	})
	return variable.ReplaceAllStringFunc(template, func(s string) string {
		return strings.Trim(string(value(variable.FindStringSubmatch(s)[1])), `"`)
	})
}

func (p *replay) request(e example) *http.Request {
	var body string
	if len(e.Body) > 0 && e.Body[0] == '"' {
		if err := json.Unmarshal(e.Body, &body); err != nil {
			p.t.Fatal(err)
		}
		body = p.fill(e.Name, body)
	} else if string(e.Body) != "null" {
		body = p.fill(e.Name, string(e.Body))
	}
	r := httptest.NewRequest(e.Method, p.fill(e.Name, e.Path), strings.NewReader(body))
	for name, value := range e.Headers {
		if name != "auth" {
			r.Header.Set(name, p.fill(e.Name, value))
		}
	}
	if role := e.Headers["auth"]; role != "none" {
		if p.tokens[role] == "" {
			p.t.Errorf("%s: there is no token of %s", e.Name, role)
		}
		r.Header.Set("Authorization", "Bearer "+p.tokens[role])
	}
	if e.Sign != "" {
		at := strconv.FormatInt(time.Now().Unix(), 10)
		mac := hmac.New(sha256.New, []byte(e.Sign))
		mac.Write([]byte(at + "." + body))
		r.Header.Set("Stripe-Signature", "t="+at+",v1="+hex.EncodeToString(mac.Sum(nil)))
	}
	return r
}

func (p *replay) play(e example) {
	p.t.Helper()
	w := httptest.NewRecorder()
	p.server(e.Env).ServeHTTP(w, p.request(e))
	if w.Code != e.Status {
		p.t.Errorf("%s: %d, want %d: %s", e.Name, w.Code, e.Status, w.Body)
		return
	}
	for name, want := range e.Header {
		if got := w.Header().Get(name); got != want && (want != "<any>" || got == "") {
			p.t.Errorf("%s: %s is %q, want %q", e.Name, name, got, want)
		}
	}
	p.compareBody(e, w.Body.Bytes())
	for name, path := range e.Capture {
		p.capture(e.Name, name, path, w.Body.Bytes())
	}
}

func (p *replay) compareBody(e example, got []byte) {
	p.t.Helper()
	switch string(e.Want) {
	case `"<any>"`:
		return
	case `"<pdf>"`:
		if !bytes.HasPrefix(got, []byte("%PDF-")) {
			p.t.Errorf("%s: no PDF: %.40q", e.Name, got)
		}
		return
	case `"<html>"`:
		if !bytes.HasPrefix(bytes.ToLower(got), []byte("<!doctype html>")) {
			p.t.Errorf("%s: no HTML: %.40q", e.Name, got)
		}
		return
	}
	for _, fault := range differences(parsed(p.t, []byte(p.fill(e.Name, string(e.Want)))), parsed(p.t, got), "") {
		p.t.Errorf("%s: %s\nin %s", e.Name, fault, got)
	}
}

func parsed(t *testing.T, raw []byte) strictjson.Value {
	t.Helper()
	v, err := strictjson.Parse(raw)
	if err != nil {
		t.Errorf("not JSON (%v): %s", err, raw)
	}
	return v
}

func (p *replay) capture(example, name, path string, got []byte) {
	p.t.Helper()
	v := parsed(p.t, got)
	for step := range strings.SplitSeq(path, ".") {
		v = child(v, step)
	}
	if v.Kind() == strictjson.Absent {
		p.t.Errorf("%s: no %s to capture in %s", example, path, got)
		return
	}
	if role, isToken := strings.CutPrefix(name, "token:"); isToken {
		p.tokens[role] = v.Text()
		return
	}
	p.captured[name] = bytes.Clone(v.Raw())
}

// child is a member of an object or an element of a list.
func child(v strictjson.Value, step string) strictjson.Value {
	if found, ok := v.Field(step); ok {
		return found
	}
	place := 0
	for element := range v.Elems() {
		if strconv.Itoa(place) == step {
			return element
		}
		place++
	}
	return strictjson.Value{}
}

// placeholders stand in expected answers for what only the server knows.
var placeholders = map[string]func(strictjson.Value) bool{
	"<any>":    func(strictjson.Value) bool { return true },
	"<token>":  func(v strictjson.Value) bool { return v.Text() != "" },
	"<time>":   matches(strictjson.String, `"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z"`),
	"<id>":     matches(strictjson.Number, `[1-9]\d*`),
	"<number>": matches(strictjson.String, `"INV-\d{8}-[0-9A-F]{4,}"`),
	"<prefix>": matches(strictjson.String, `"xyra_.{7}\.\.\."`),
}

func matches(kind strictjson.Kind, pattern string) func(strictjson.Value) bool {
	whole := regexp.MustCompile("^" + pattern + "$")
	return func(v strictjson.Value) bool { return v.Kind() == kind && whole.Match(v.Raw()) }
}

// differences lists where got is not what is wanted: keys in their order, numbers by their spelling.
func differences(want, got strictjson.Value, place string) (faults []string) {
	if fits, ok := placeholders[want.Text()]; ok {
		if !fits(got) {
			return []string{fmt.Sprintf("%s is %s, want %s", place, got.Raw(), want.Raw())}
		}
		return nil
	}
	differ := []string{fmt.Sprintf("%s is %s, want %s", place, got.Raw(), want.Raw())}
	if want.Kind() != got.Kind() || want.Len() != got.Len() {
		return differ
	}
	switch want.Kind() {
	case strictjson.String:
		if want.Text() != got.Text() {
			return differ
		}
	case strictjson.Object:
		gotNames, gotValues := members(got)
		position := 0
		for name, value := range want.Members() {
			if gotNames[position] != name {
				return append(faults, fmt.Sprintf("%s: key %d is %s, want %s", place, position, gotNames[position], name))
			}
			faults = append(faults, differences(value, gotValues[position], place+"."+name)...)
			position++
		}
	case strictjson.Array:
		position := 0
		for value := range want.Elems() {
			faults = append(faults, differences(value, child(got, strconv.Itoa(position)), fmt.Sprintf("%s.%d", place, position))...)
			position++
		}
	default:
		if !bytes.Equal(want.Raw(), got.Raw()) {
			return differ
		}
	}
	return faults
}

func members(v strictjson.Value) (names []string, values []strictjson.Value) {
	for name, value := range v.Members() {
		names, values = append(names, name), append(values, value)
	}
	return names, values
}
