package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"xyra/strictjson"
)

// leaks are words of what lies behind the API; no answer shows them.
var leaks = regexp.MustCompile(`(?i)sqlite|postgres|pq:|pgx|sqlstate|syntax error at|goroutine|panic|runtime error|\.go:\d|/(home|root|tmp|usr|var)/|xyra\.|strictjson|internal server error`)

// refusedWell tells what is wrong with a refusal; "" is nothing. It is 4xx, JSON, a detail and nothing else.
func refusedWell(w *httptest.ResponseRecorder) string {
	v, err := strictjson.Parse(w.Body.Bytes())
	detail, hasDetail := v.Field("detail")
	switch {
	case w.Code < 400 || w.Code >= 500:
		return "is no refusal"
	case err != nil || w.Header().Get("Content-Type") != "application/json":
		return "is not JSON"
	case !hasDetail || v.Len() != 1 || detail.Kind() != strictjson.String && detail.Kind() != strictjson.Array:
		return "has not the form of a refusal"
	case leaks.Match(withoutInput(w.Body.Bytes())):
		return "shows what is inside"
	case w.Header().Get("X-Request-ID") == "":
		return "has no request id"
	}
	return ""
}

var inputs = regexp.MustCompile(`"input":("(\\.|[^"])*"|[^,}]*)`)

// withoutInput leaves out what the client sent himself.
func withoutInput(body []byte) []byte { return inputs.ReplaceAll(body, nil) }

// kinds of fields: what is wrong for each. "…" stands for a text as long as is allowed, and one more.
var badValues = map[string][]string{
	"text":     {`1`, `1.5`, `true`, `[]`, `{}`, `["x"]`, `"a\u0000b"`, `"\ud800"`, `"\udc00\ud800"`, "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"a\x00\"", "\"a\nb\"", `"\x"`, `"\u12"`, `'x'`, `x`},
	"id":       {`"1"`, `"x"`, `1.5`, `true`, `[]`, `{}`, `[1]`, `1e-1`, `NaN`, `0x1`, `01`, `+1`, `1.`, `.5`, `-`},
	"dec":      {`""`, `" "`, `"abc"`, `"0x10"`, `"1e"`, `"NaN"`, `"nan"`, `"Infinity"`, `"-inf"`, `"1_000"`, `"1,5"`, `"١"`, `"１"`, `"--1"`, `"1 2"`, `true`, `[]`, `{}`, `1e15`, `1000000000000000`, `-1e15`, `1e400`, `1e999999999999`, `0.0000000000001`, `1e-13`, `"1e-999999999"`, `NaN`, `Infinity`, `01`, `1.`, `"1\u0000"`},
	"bool":     {`"true"`, `"false"`, `"yes"`, `""`, `1`, `0`, `1.5`, `[]`, `{}`, `TRUE`, `"\u0000"`},
	"time":     {`""`, `"2024-1-1"`, `"2024-13-01"`, `"2024-00-01"`, `"2024-02-30"`, `"2023-02-29"`, `"2024-04-31"`, `"0000-01-01"`, `"10000-01-01"`, `"-001-01-01"`, `"2024-01-01T25:00"`, `"2024-01-01T24:00:00"`, `"2024-01-01T00:60"`, `"2024-01-01T00:00:60"`, `"2024-01-01T00:00:00+24:00"`, `"2024-01-01T00:00:00.Z"`, `"2024-01-01T00:00:00 01:00"`, `"2024-01-01x"`, `"tomorrow"`, `"0001-01-01T00:00:00+01:00"`, `"9999-12-31T23:59:59-01:00"`, `"２０２４-01-01"`, `true`, `[]`, `{}`, `1e20`, `-1e20`, `1e400`, `253402300800000`, `"1e99999"`, `"2024-01-01T00:00:00Z\u0000"`},
	"object":   {`1`, `"x"`, `""`, `[]`, `true`, `[{}]`, `{"a":"\u0000"}`, `{"\u0000":1}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":1}}`, `{"a":"\ud800"}`, `{"a":NaN}`, `{"a":01}`, `{a:1}`, strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40)},
	"list":     {`1`, `"x"`, `{}`, `true`, `{"0":1}`, `["\u0000"]`, `[1,]`, `[NaN]`, strings.Repeat(`[`, 40) + strings.Repeat(`]`, 40)},
	"email":    {`""`, `"x"`, `"@"`, `"a@"`, `"@b.example"`, `"a@b"`, `"a b@c.example"`, `"a@b c.example"`, `"a@@b.example"`, `".a@b.example"`, `"a.@b.example"`, `"a..b@c.example"`, `"a@.b.example"`, `"a@b..example"`, `"a@-b.example"`, `"a@b.test"`, `"a@b.local"`, `"a@localhost"`, `"a@[127.0.0.1]"`, `"\"a b\"@c.example"`, `"a@b.example\u0000"`, `"a@b.example,c@d.example"`, `"a\n@b.example"`, `1`, `[]`, `true`},
	"password": {`"short"`, `"1234567"`, `"password"`, `"12345678"`, `"qwertyui"`, `1`, `true`, `[]`, `"longenough\u0000"`, `"` + strings.Repeat("p", 1025) + `"`},
	"currency": {`""`, `"US"`, `"USDD"`, `" USD"`, `"ÜSD"`, `"us d"`, `"$"`, `null`, `1`, `[]`, `"U\u0000D"`},
	"timezone": {`""`, `"Nowhere/City"`, `"../../etc/passwd"`, `"/etc/localtime"`, `"Local"`, `"local"`, `"Europe"`, `"Europe/"`, `"EUROPE/BERLIN/"`, `"UTC\u0000"`, `"UTC+1"`, `"+01:00"`, `"zone.tab"`, `"posix"`, `1`, `null`, `[]`},
	"role":     {`""`, `"root"`, `"Admin"`, `"superuser"`, `"user "`, `1`, `null`, `[]`},
	"settings": {`1`, `"x"`, `[]`, `null`, `{"currency":""}`, `{"currency":1}`, `{"currency":null}`, `{"currency":"QQQ"}`, `{"currency":[]}`, `{"currency":{}}`},
	"url":      {`""`, `"x"`, `"http://hooks.example.com/"`, `"ftp://hooks.example.com/"`, `"https://"`, `"https:///x"`, `"//hooks.example.com"`, `"https://127.0.0.1/"`, `"https://localhost/"`, `"https://10.0.0.1/"`, `"https://[::1]/"`, `"https://a:b@hooks.example.com/"`, `"https://0x7f000001/"`, `"https://2130706433/"`, `"javascript:alert(1)"`, `"https://hooks.example.com:22/"`, `"https://hooks.example.com/\n"`},
	"events":   {`[]`, `[""]`, `["x"]`, `[1]`, `[null]`, `["invoice.paid",1]`},
	"key":      {`""`, `1`, `true`, `[]`, `{}`, `"\u0000"`, `"` + strings.Repeat("k", 256) + `"`},
	"quantity": {`0`, `-1`, `-0.000000000001`, `"-5"`, `null`},
	"least0":   {`-1`, `-0.000000000001`, `"-5"`, `null`},
	"future":   {`"9999-12-31"`, `7258118400`, `"9999-12-31T23:59:59.999999Z"`},
	"notnull":  {`null`},
	"max50":    {`"` + strings.Repeat("ä", 51) + `"`}, "max100": {`"` + strings.Repeat("𝕏", 101) + `"`}, "max255": {`"` + strings.Repeat("x", 256) + `"`, `"` + strings.Repeat("x", 100_000) + `"`},
}

// A form is a valid body of a route and its fields, each with the kinds whose bad values it must refuse.
type form422 struct{ method, path, body, fields string }

var forms = []form422{
	{"POST", "/users", `"email":"{unique}@example.com","password":"quite-a-secret"`, "email:email full_name:text,max255 is_active:bool is_superuser:bool,notnull role:role password:password organization_id:id"},
	{"PUT", "/users/{colleague}", ``, "email:email,notnull full_name:text,max255 is_active:bool,notnull is_superuser:bool,notnull role:role password:password organization_id:id current_password:text"},
	{"POST", "/organizations", `"name":"{unique}"`, "name:text,max255,notnull description:text external_id:text,max255 status:text,max50,notnull billing_email:text,max255 contact_name:text,max255 contact_phone:text,max50 timezone:timezone settings:settings,object"},
	{"PUT", "/organizations/{org}", ``, "name:text,max255,notnull description:text external_id:text,max255 status:text,max50,notnull billing_email:text,max255 contact_name:text,max255 contact_phone:text,max50 timezone:timezone settings:settings,object"},
	{"POST", "/billing-models", `"name":"n","model_type":"seat","seat_price_per_seat":1,"organization_id":{org}`, "name:text,max255,notnull description:text model_type:text,max255,notnull is_active:bool,notnull organization_id:id,notnull seat_price_per_seat:dec seat_billing_frequency:text activity_price_per_action:dec activity_action_type:text,max255 outcome_outcome_type:text,max255 outcome_percentage:dec hybrid_base_fee:dec hybrid_seat_config:object hybrid_activity_configs:list hybrid_outcome_configs:list"},
	{"PUT", "/billing-models/{model}", ``, "name:text,max255,notnull description:text model_type:text,max255 is_active:bool,notnull seat_price_per_seat:dec seat_billing_frequency:text activity_price_per_action:dec outcome_percentage:dec hybrid_base_fee:dec hybrid_seat_config:object hybrid_activity_configs:list hybrid_outcome_configs:list"},
	{"POST", "/agents", `"name":"n","organization_id":{org}`, "name:text,max255,notnull description:text config:object is_active:bool,notnull external_id:text,max255 status:text,max50,notnull type:text,max100 capabilities:list,notnull organization_id:id,notnull billing_model_id:id"},
	{"PUT", "/agents/{agent}", ``, "name:text,max255,notnull description:text config:object is_active:bool,notnull status:text,max50,notnull type:text,max100 capabilities:list,notnull billing_model_id:id"},
	{"POST", "/agents/{agent}/activities", `"activity_type":"call"`, "activity_type:text,max255,notnull activity_metadata:object agent_id:id quantity:dec,quantity timestamp:time,future idempotency_key:key"},
	{"POST", "/agents/{agent}/costs", `"cost_type":"c","amount":1`, "cost_type:text,max255,notnull amount:dec,least0 currency:currency details:object agent_id:id timestamp:time,future idempotency_key:key"},
	{"POST", "/agents/{agent}/outcomes", `"outcome_type":"o","value":1`, "outcome_type:text,max255,notnull value:dec,least0 currency:currency details:object verified:bool,notnull agent_id:id timestamp:time,future idempotency_key:key"},
	{"POST", "/invoices", `"organization_id":{org},"due_date":"2030-01-01","items":[]`, "organization_id:id,notnull due_date:time,notnull items:list,notnull notes:text invoice_metadata:object invoice_number:text,max255 currency:currency"},
	{"PUT", "/invoices/{invoice}", ``, "status:text,max50,notnull payment_method:text,max255 payment_date:time notes:text invoice_metadata:object"},
	{"POST", "/invoices/{invoice}/pay", `"payment_method":"m"`, "payment_method:text,max255,notnull payment_date:time"},
	{"POST", "/invoices/{invoice}/payments", `"payment_method":"m","amount":1`, "amount:dec,notnull payment_method:text,max255,notnull payment_date:time reference:text,max255"},
	{"POST", "/invoices/{invoice}/credits", ``, "amount:dec"},
	{"POST", "/api-keys", `"name":"n"`, "name:text,max100,notnull description:text expires_at:time"},
	{"PUT", "/api-keys/{apikey}", ``, "name:text,max100,notnull description:text is_active:bool,notnull expires_at:time"},
	{"POST", "/webhook-endpoints", `"url":"https://hooks.example.com/1","event_types":["invoice.paid"]`, "url:text,url,notnull description:text event_types:list,notnull,events thresholds:list is_active:bool,notnull organization_id:id"},
	{"PUT", "/webhook-endpoints/{endpoint}", ``, "url:text,url,notnull description:text event_types:list,notnull,events thresholds:list is_active:bool,notnull"},
	{"POST", "/billing-models/{model}/calculate", ``, "seats:dec,least0 actions:dec,least0 outcome_value:dec,least0 activities:object outcomes:object"},
}

// with puts a field into a valid body, in the place of the one it has.
func with(body, name, value string) string {
	body = regexp.MustCompile(`"`+name+`":("[^"]*"|[^,]*),?`).ReplaceAllString(body, "")
	body = strings.Trim(body, ",")
	if body != "" {
		body += ","
	}
	return "{" + body + `"` + name + `":` + value + "}"
}

// Every field of every body refuses all that it cannot be, with items that say where, and nothing is written.
func TestHostile_FieldsRefuseWhatTheyCannotBe(t *testing.T) {
	eachStage(t, func(st *stage) {
		before, count := st.fingerprint(), 0
		for _, form := range forms {
			caller := "root"
			if form.path == "/api-keys" || form.path == "/webhook-endpoints" {
				caller = "ownadmin"
			}
			for field := range strings.FieldsSeq(form.fields) {
				name, kinds, _ := strings.Cut(field, ":")
				for kind := range strings.SplitSeq(kinds, ",") {
					if badValues[kind] == nil {
						st.t.Fatalf("nothing is bad for the kind %q", kind)
					}
					for _, value := range badValues[kind] {
						count++
						body := st.fill(st.own, with(form.body, name, value))
						w := st.send(form.method, st.fill(st.own, form.path), caller, body)
						if fault := refusedWell(w); fault != "" || w.Code != 422 {
							st.t.Errorf("%s %s %.200s %s: %d %.300s", form.method, form.path, body, fault, w.Code, w.Body)
						}
					}
				}
			}
		}
		if st.unchanged(before, "bad fields"); count < 650 {
			st.t.Errorf("%d bad inputs are not enough", count)
		}
	})
}

// Ids in paths: what is no integer is 422, what no object can have is 404, whatever the route.
func TestHostile_PathsRefuseWhatIsNoID(t *testing.T) {
	bad := []string{"x", "%20", "1.5", "1e3", "0x1", "-", "+", "--1", "1_", "_1", "1__0", "%D9%A3", "%EF%BC%91", "1;2", "1'--", "1%27%20OR%201=1", "%00", "1%00", "%F0%28", "%ff", "null", "true", "[]", "NaN", "%2e%2e", "..%2f1", "1%2F", "%5C", "1%0a2",
		"1,2", "*", "$1", "%25", "%", "%zz", "%E2%80%8B1", "1%C2%A02", "🙂", strings.Repeat("9", 5000) + "x", "{agent_id}", "<script>", "1%3F", "%231"}
	gone := []string{"0", "-1", "-0", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", strings.Repeat("9", 5000), "00", "+0", "1_000_000_000_000_000_000_000", "0.0", "-1.0"}
	parameter := regexp.MustCompile(`\{\w+\}`)
	bodies := map[string]string{}
	for _, form := range forms {
		bodies[form.method+" "+parameter.ReplaceAllString(form.path, "@")] = "{" + form.body + "}"
	}
	eachStage(t, func(st *stage) {
		before := st.fingerprint()
		for _, rt := range st.s.routes() {
			if !strings.Contains(rt.path, "_id}") || rt.path == "/agents/external/{external_id}" {
				continue
			}
			path := parameter.ReplaceAllString(rt.path, "@")
			body := st.fill(st.own, bodies[rt.method+" "+path])
			first, others, _ := strings.Cut(path, "@")
			path = first + "@" + strings.ReplaceAll(others, "@", "1")
			for n, ids := range [][]string{bad, gone} {
				for _, id := range ids {
					r := httptest.NewRequest(rt.method, "/", strings.NewReader(body))
					target := "/api/v1" + strings.ReplaceAll(strings.Replace(path, "@", id, 1), "@", "1")
					r.URL = &url.URL{RawPath: target}
					if plain, err := url.PathUnescape(target); err == nil {
						r.URL.Path = plain
					} else {
						r.URL = &url.URL{Path: target}
					}
					r.Header.Set("Authorization", "Bearer "+st.tokens["root"])
					w := httptest.NewRecorder()
					st.s.ServeHTTP(w, r)
					isPre := w.Code == 400 && strings.Contains(w.Body.String(), "no Stripe") // it is said before the invoice is looked for
					if fault := refusedWell(w); fault != "" || w.Code != []int{422, 404}[n] && !isPre {
						st.t.Errorf("%s %.200s %s: %d %.300s", rt.method, target, fault, w.Code, w.Body)
					}
				}
			}
		}
		st.unchanged(before, "bad ids")
	})
}

// Queries: every parameter refuses what it cannot be.
func TestHostile_QueriesRefuseWhatTheyCannotBe(t *testing.T) {
	integers := []string{"", "x", "1.5", "1e3", "0x1", "%00", "%ff", "٣", "1_", "--1", "null", "9223372036854775808", "-9223372036854775809", strings.Repeat("9", 5000), "1%00", "+", "%2B%2B1"}
	times := []string{"", "x", "2024-13-01", "2024-02-30", "0000-01-01", "2024-01-01T25:00", "2024-01-01T00:00:00+01:00", "1e30", "%00", "%ff", "2024-01-01%00", "10000-01-01"}
	queries := map[string]map[string][]string{
		"/users":                                           {"skip": integers, "limit": integers},
		"/organizations":                                   {"skip": append(integers, "-1"), "limit": append(integers, "0", "-1", "1001")},
		"/billing-models":                                  {"org_id": {"", "x", "1.5", "%00", "%ff", "null", "1e3"}},
		"/agents?org_id={org}":                             {"skip": integers, "limit": append(integers, "0", "1001"), "active_only": {"", "x", "2", "%00", "truee", "null", "-1", "1.0"}, "org_id": {"", "x", "1.5", "%00", "%ff"}},
		"/agents/external/x":                               {"org_id": {"", "x", "1.5", "%00", "%ff"}},
		"/invoices?org_id={org}":                           {"skip": append(integers, "-1"), "limit": append(integers, "0", "1001"), "org_id": {"", "x", "%ff"}},
		"/agents/{agent}/activities":                       {"limit": append(integers, "0", "1001"), "from": times, "to": times, "after": {"", "x", "%00", "AAAA", "MS4x%3D", "MTcwNA", strings.Repeat("A", 5000)}},
		"/agents/{agent}/costs":                            {"from": times, "after": {"LjE", "MS4", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OS4x"}},
		"/agents/{agent}/billing-summary":                  {"start_date": times, "end_date": times, "skip": append(integers, "-1"), "limit": append(integers, "0", "1001")},
		"/analytics/organization/{org}/summary":            {"start_date": times, "end_date": times},
		"/analytics/organization/{org}/top-agents":         {"start_date": times, "end_date": times, "limit": append(integers, "0", "1001"), "metric": {"", "x", "%00", "MARGIN", "margin%20", "%ff"}},
		"/analytics/organization/{org}/activity-breakdown": {"start_date": times, "end_date": times},
		"/analytics/agent/{agent}/daily-metrics":           {"days": append(integers, "3661")},
		"/audit":                                           {"limit": append(integers, "0", "1001"), "org_id": {"", "x", "%ff"}},
		"/jobs":                                            {"skip": append(integers, "-1"), "limit": append(integers, "0", "1001")},
		"/api-keys":                                        {"skip": append(integers, "-1"), "limit": append(integers, "0", "1001")},
	}
	eachStage(t, func(st *stage) {
		before := st.fingerprint()
		for path, parameters := range queries {
			for name, values := range parameters {
				for _, value := range values {
					joint := "?"
					if strings.Contains(path, "?") {
						joint = "&"
					}
					caller := "root"
					if path == "/api-keys" {
						caller = "ownadmin"
					}
					target := st.fill(st.own, path) + joint + name + "=" + value
					r := httptest.NewRequest(http.MethodGet, "/", nil)
					r.URL = &url.URL{}
					r.URL.Path, r.URL.RawQuery, _ = strings.Cut("/api/v1"+target, "?")
					r.Header.Set("Authorization", "Bearer "+st.tokens[caller])
					w := httptest.NewRecorder()
					st.s.ServeHTTP(w, r)
					if fault := refusedWell(w); fault != "" {
						st.t.Errorf("%.200s %s: %d %.300s", target, fault, w.Code, w.Body)
					}
				}
			}
		}
		st.unchanged(before, "bad queries")
	})
}

// Headers: no form of credentials, types and encodings makes more of a request than it is.
func TestHostile_HeadersAreNoWayIn(t *testing.T) {
	eachStage(t, func(st *stage) {
		before, root := st.fingerprint(), st.tokens["root"]
		parts := strings.Split(root, ".")
		for _, value := range []string{"", "Bearer", "Bearer ", "Bearer  " + root, "Bearer\t" + root, root, "Basic " + root, "Token " + root, "Bearer " + root + " x", "Bearer " + root + ".", "Bearer ." + root, "Bearer " + root[:len(root)-1],
			"Bearer " + parts[0] + "." + parts[1] + ".", "Bearer " + parts[0] + "." + parts[1], "Bearer " + parts[1] + "." + parts[0] + "." + parts[2], "Bearer " + strings.ToUpper(root), "Bearer " + root + "=", "Bearer xyra_", "Bearer xyra_' OR 1=1 --",
			"Bearer \x00", "Bearer ü", "Bearer " + strings.Repeat("a", 100_000), "Bearer " + strings.Repeat("a.", 1000), "Bearer " + root + "," + root, "Bearer null", "Bearer undefined", `Bearer "` + root + `"`, "Digest " + root, "Bearer:" + root} {
			r := httptest.NewRequest(http.MethodGet, "/api/v1/auth/me", nil)
			r.Header["Authorization"] = []string{value}
			w := httptest.NewRecorder()
			st.s.ServeHTTP(w, r)
			if fault := refusedWell(w); fault != "" || w.Code != 401 {
				st.t.Errorf("Authorization %.80q %s: %d %s", value, fault, w.Code, w.Body)
			}
		}
		body := st.fill(st.own, `{"name":"n","organization_id":{org}}`)
		for _, value := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "application/jsonp", "json", "*/*", "application/", "application/+json x", "text/json", "application/x-ndjson", "\x00", ",", "application/json,text/plain"} {
			w := st.send(http.MethodPost, "/agents", "root", body, "Content-Type", value)
			if fault := refusedWell(w); fault != "" || w.Code != 422 {
				st.t.Errorf("Content-Type %q %s: %d %s", value, fault, w.Code, w.Body)
			}
		}
		for _, value := range []string{"gzip", "GZIP", "br", "deflate", "zstd", "gzip, gzip", "identity, gzip", "\x00", "x"} {
			w := st.send(http.MethodPost, "/agents", "root", body, "Content-Encoding", value)
			if fault := refusedWell(w); fault != "" {
				st.t.Errorf("Content-Encoding %q %s: %d %s", value, fault, w.Code, w.Body)
			}
		}
		for _, value := range []string{"", "x", "t=1", "v1=00", "t=1,v1=", "t=x,v1=00", "t=99999999999999999999,v1=00", strings.Repeat("v1=00,", 10_000), "t=1,v1=zz", "t=-1,v1=00", "\x00"} {
			w := st.send(http.MethodPost, "/invoices/stripe/webhook", "nobody", `{"type":"x"}`, "Stripe-Signature", value)
			if fault := refusedWell(w); fault != "" || w.Body.String() != detailText("Invalid signature") {
				st.t.Errorf("Stripe-Signature %.80q %s: %d %s", value, fault, w.Code, w.Body)
			}
		}
		st.unchanged(before, "bad headers")
	})
}

// Log-in and sign-up take forms and words from strangers.
func TestHostile_StrangersGetNoFurther(t *testing.T) {
	eachStage(t, func(st *stage) {
		st.s.Signup = true
		boundary := "multipart/form-data; boundary=b"
		forms := []struct{ contentType, body string }{
			{"", ""}, {"application/x-www-form-urlencoded", ""}, {"application/x-www-form-urlencoded", "username=a"}, {"application/x-www-form-urlencoded", "password=a"}, {"application/x-www-form-urlencoded", "%zz=%zz&&&==&username"},
			{"application/x-www-form-urlencoded", "grant_type=&username=a&password=b"}, {"application/x-www-form-urlencoded", "grant_type=client_credentials&username=a&password=b"}, {"application/json", `{"username":"a","password":"b"}`},
			{"application/x-www-form-urlencoded", "username=%00&password=%00"}, {"application/x-www-form-urlencoded", "username=%ff&password=%ff"}, {"application/x-www-form-urlencoded", "username=' OR 1=1 --&password=x"},
			{"application/x-www-form-urlencoded", "username=" + strings.Repeat("a", 1_000_000) + "&password=x"}, {"application/x-www-form-urlencoded", "username=a%40" + strings.Repeat("a", 500_000) + ".example&password=x"}, {"application/x-www-form-urlencoded", "username=a&password=" + strings.Repeat("a", 1_000_000)},
			{"application/x-www-form-urlencoded", strings.Repeat("a=b&", 250_000)}, {"multipart/form-data", "x"}, {"multipart/form-data; boundary=", "x"}, {"multipart/form-data; boundary=\"", "x"}, {boundary, ""}, {boundary, "--b"}, {boundary, "--b\r\n"},
			{boundary, "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na"}, {boundary, strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n", 15_000)}, {boundary, "--b\r\n" + strings.Repeat("X: y\r\n", 20_000) + "\r\n"},
			{"multipart/mixed; boundary=b", "--b--"}, {"\x00", "\x00"},
		}
		for n, f := range forms {
			for _, path := range []string{"/auth/login", "/auth/login/access-token"} {
				r := httptest.NewRequest(http.MethodPost, "/api/v1"+path, bytes.NewReader([]byte(f.body)))
				r.RemoteAddr = "198.51.100." + id(int64(n)) + ":1"
				r.Header["Content-Type"] = []string{f.contentType}
				w := httptest.NewRecorder()
				st.s.ServeHTTP(w, r)
				if fault := refusedWell(w); fault != "" {
					st.t.Errorf("%s %q %.100q %s: %d %.300s", path, f.contentType, f.body, fault, w.Code, w.Body)
				}
			}
		}
		before := st.fingerprint()
		for field := range strings.FieldsSeq("email:email full_name:text,max255 is_active:bool is_superuser:bool,notnull role:text,max50,notnull password:password organization_id:id") {
			name, kinds, _ := strings.Cut(field, ":")
			for kind := range strings.SplitSeq(kinds, ",") {
				for _, value := range badValues[kind] {
					w := st.send(http.MethodPost, "/auth/signup", "nobody", st.fill(st.own, with(`"email":"{unique}@example.com","password":"quite-a-secret"`, name, value)))
					if fault := refusedWell(w); fault != "" || w.Code != 422 {
						st.t.Errorf("signup with %s %.100s %s: %d %.300s", name, value, fault, w.Code, w.Body)
					}
				}
			}
		}
		st.unchanged(before, "bad signups")
	})
}

// Numbers and times at the ends of what is allowed are questions like others, on every list and every statistic.
func TestHostile_ExtremesAreOrdinary(t *testing.T) {
	paged := []string{"/users?", "/organizations?", "/billing-models?org_id={org}&", "/agents?org_id={org}&", "/invoices?org_id={org}&", "/jobs?", "/agents/{agent}/billing-summary?", "/invoices/{invoice}/payments?", "/webhook-endpoints?org_id={org}&"}
	times := []string{"0001-01-01", "9999-12-31T23:59:59.999999Z", "0", "-62135596800", "1e-6", "20000000000", "2024-02-29T23:59:59.999999%2B14:00", "1969-12-31T23:59:59.999999"}
	questions := []string{"/analytics/agent/{agent}/daily-metrics?days=3660", "/analytics/agent/{agent}/daily-metrics?days=-9223372036854775808", "/analytics/agent/{agent}/daily-metrics?days=0", "/agents/external/own%2F1?org_id={org}"}
	for _, path := range paged {
		questions = append(questions, path+"skip=9223372036854775807&limit=1000", path+"skip=0&limit=1", path+"skip=%2B1_0.0&limit=%201%20")
	}
	for _, from := range times {
		for _, to := range times {
			questions = append(questions, "/analytics/organization/{org}/summary?start_date="+from+"&end_date="+to, "/agents/{agent}/billing-summary?start_date="+from+"&end_date="+to, "/agents/{agent}/outcomes?limit=1&from="+from+"&to="+to)
		}
		questions = append(questions, "/analytics/organization/{org}/top-agents?limit=1000&metric=cost&start_date="+from, "/analytics/organization/{org}/activity-breakdown?end_date="+from)
	}
	eachStage(t, func(st *stage) {
		for _, question := range questions {
			w := st.send(http.MethodGet, st.fill(st.own, question), "root", "")
			if _, err := strictjson.Parse(w.Body.Bytes()); w.Code != http.StatusOK || err != nil {
				st.t.Errorf("%s: %d %.300s", question, w.Code, w.Body)
			}
		}
	})
}
