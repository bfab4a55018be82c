package api

import (
	"strings"
	"testing"

	"xyra"
)

type sampleLogin struct{ grant, username, password string }

func (in *sampleLogin) fields() []field {
	return []field{
		formText("grant_type", &in.grant).exactly("password"),
		formText("username", &in.username).required(),
		formText("password", &in.password).required(),
	}
}

func TestDecodeForm_ReadsBothEncodings(t *testing.T) {
	const parts = "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nada@x.io\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\np w\r\n--b--\r\n"
	const urlencoded = "application/x-www-form-urlencoded"
	missing := func(name string) string { return itemText("missing", `["body","`+name+`"]`, "null") }
	both := "[" + missing("username") + "," + missing("password") + "]"
	grant := func(sent string) string {
		return `[{"type":"string_pattern_mismatch","loc":["body","grant_type"],"msg":"String should match pattern '^password$'","input":"` +
			sent + `","ctx":{"pattern":"^password$"}}]`
	}
	for _, c := range []struct{ raw, contentType, want, username, password string }{
		{"username=admin%40example.com&password=a+b", urlencoded, "[]", "admin@example.com", "a b"},
		{"username=x&username=y&password=", urlencoded + "; charset=utf-8", "[]", "y", ""},
		{"grant_type=password&username=&password=b&scope=x", urlencoded, "[]", "", "b"},
		{"username=%00&password=%ff", urlencoded, "[]", "\ufffd", "\ufffd"},
		{"username=a", urlencoded, "[" + missing("password") + "]", "a", ""},
		{"grant_type=implicit&username=a&password=b", urlencoded, grant("implicit"), "a", "b"},
		{"grant_type=&username=a&password=b", urlencoded, grant(""), "a", "b"},
		{"", urlencoded, both, "", ""},
		{`{"username":"a","password":"b"}`, "application/json", both, "", ""},
		{"username=a&password=b", "", both, "", ""},
		{parts, "multipart/form-data; boundary=b", "[]", "ada@x.io", "p w"},
		{parts, "Multipart/Form-Data; boundary=\"b\"", "[]", "ada@x.io", "p w"},
		{parts, "multipart/form-data; boundary=other", both, "", ""},
		{parts[:len(parts)-14], "multipart/form-data; boundary=b", "[" + missing("password") + "]", "ada@x.io", ""},
		{strings.Replace(parts, `"password"`, `"password"; filename="p"`, 1), "multipart/form-data; boundary=b",
			"[" + missing("password") + "]", "ada@x.io", ""},
	} {
		var in sampleLogin
		items, err := decodeForm([]byte(c.raw), c.contentType, in.fields())
		if err != nil || itemsText(items) != c.want || in.username != c.username || in.password != c.password {
			t.Errorf("%q (%s): %v %+v\n got %s\nwant %s", c.raw, c.contentType, err, in, itemsText(items), c.want)
		}
	}
}

func TestDecodeForm_MultipartNeedsABoundary(t *testing.T) {
	for _, contentType := range []string{"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; charset=utf-8"} {
		var in sampleLogin
		_, err := decodeForm([]byte("x"), contentType, in.fields())
		if !xyra.HasCode(err, xyra.CodeInvalid) || err.Error() != "Missing boundary in multipart." {
			t.Errorf("%s: %v", contentType, err)
		}
	}
}
