package notice_test

import (
	"net/netip"
	"strings"
	"testing"

	"xyra"
	"xyra/notice"
)

// What an address may look like in a URL and in DNS, so that it stays outside.
func TestCheckURL_RefusesWhatLeadsInwards(t *testing.T) {
	refused := []string{
		"http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd", "gopher://hooks.example.com/", "javascript:alert(1)",
		"https:hooks.example.com", "https://", "https:///path", "//hooks.example.com/", "hooks.example.com", "",
		"https://user@hooks.example.com/", "https://user:secret@hooks.example.com/", "https://@hooks.example.com/", "https://hooks.example.com@127.0.0.1/",
		"https://hooks.example.com/#fragment", "https://hooks.example.com#@127.0.0.1/", `https://hooks.example.com\@127.0.0.1/`,
		"https://hooks.example.com/ ", " https://hooks.example.com/", "https://hooks.example.com/\r\nHost: x", "https://hooks.example.com/\x00",
		"https://hooks.example.com:22/", "https://hooks.example.com:80/", "https://hooks.example.com:0/", "https://hooks.example.com:65536/",
		"https://hooks.example.com:/", "https://hooks.example.com:443x/", "https://hooks.example.com:-1/",
		"https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://db/", "https://db.internal/", "https://metadata.google.internal/",
		"https://printer.local/", "https://router.lan/", "https://a.home.arpa/", "https://x.svc/", "https://.example.com/", "https://a..example.com/",
		"https://ex%61mple.com/", "https://ex\u00e4mple.com/", "https://127\u30020\u30020\u30021/", "https://\u2460\u2461\u2466.0.0.1/", "https://-a.example.com/",
		"https://" + strings.Repeat("a", 64) + ".example.com/", "https://" + strings.Repeat("a.", 200) + "com/", "https://hooks.example.com/" + strings.Repeat("a", 2000),
	}
	for _, form := range innerForms {
		refused = append(refused, "https://"+form+"/", "https://"+form+":443/x?y=z")
	}
	for _, text := range refused {
		if err := (notice.Rules{}).CheckURL(text); !xyra.HasCode(err, xyra.CodeUnprocessable) {
			t.Errorf("%q: %v, want a refusal", text, err)
		}
	}
	for _, text := range []string{"https://hooks.example.com", "https://hooks.example.com/", "https://HOOKS.example.com.:443/a/b?c=d&e", "https://xn--bcher-kva.example.com/x",
		"https://93.184.216.34/", "https://[2606:2800:220:1:248:1893:25c8:1946]/", "https://a_b.example.com/%20"} {
		if err := (notice.Rules{}).CheckURL(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	inner := notice.Rules{AllowHTTP: true, Ports: []uint16{80, 8080}, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	for text, allowed := range map[string]bool{"http://127.0.0.1:8080/": true, "http://receiver/": true, "http://localhost:8080/": true,
		"http://10.0.0.1/": false, "http://127.1/": false, "http://2130706433/": false, "https://hooks.example.com/": false} {
		if err := inner.CheckURL(text); (err == nil) != allowed {
			t.Errorf("%q with a private network: %v", text, err)
		}
	}
}

// innerForms are ways to write addresses that are not public, as hosts of URLs.
var innerForms = []string{
	"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1", "017700000001", "0177.1", "127.0.0.1.",
	"127.000.000.001", "127.0.0.01", "0", "0.0.0.0", "0x0", "00000000", "1.2.3", "256.1.1.1", "1.2.3.4.5", "4294967296", "0x", "09.0.0.1",
	"10.0.0.1", "10.255.255.255", "0xa.0.0.1", "167772161", "100.64.0.1", "100.100.100.200", "169.254.169.254", "0xa9fea9fe", "2852039166",
	"0251.0376.0251.0376", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.7",
	"203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
	"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[::127.0.0.1]",
	"[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::]", "[2001::1]", "[2001:0:4136:e378::]",
	"[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]", "[3fff::1]", "[100::1]", "[4000::1]",
	"[2606:2800:220:1:248:1893:25c8:1946%25eth0]", "[127.0.0.1]", "[v1.127]", "::1",
}

// The same addresses as DNS may answer them.
func TestCheckAddress_KnowsWhatIsPublic(t *testing.T) {
	count := 0
	for _, form := range innerForms {
		address, err := netip.ParseAddr(strings.Replace(strings.Trim(form, "[]"), "%25", "%", 1))
		if err != nil || address.Zone() == "eth0" && strings.HasPrefix(form, "[26") {
			continue // no answer of DNS, or public but for its zone
		}
		if count++; (notice.Rules{}).CheckAddress(address) {
			t.Errorf("%s counts as public", address)
		}
	}
	if count < 40 {
		t.Errorf("only %d addresses were tried", count)
	}
	for _, text := range []string{"1.1.1.1", "93.184.216.34", "::ffff:93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::1.1.1.1", "100.63.255.255",
		"100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "223.255.255.255"} {
		if !(notice.Rules{}).CheckAddress(netip.MustParseAddr(text)) {
			t.Errorf("%s does not count as public", text)
		}
	}
	if (notice.Rules{}).CheckAddress(netip.Addr{}) {
		t.Error("no address counts as public")
	}
	private := notice.Rules{Private: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	for text, allowed := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "127.0.0.1": false} {
		if private.CheckAddress(netip.MustParseAddr(text)) != allowed {
			t.Errorf("%s is allowed: %v", text, !allowed)
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, form := range innerForms {
		f.Add("https://" + form + "/")
	}
	f.Add("https://hooks.example.com:443/a?b")
	f.Fuzz(func(t *testing.T, text string) {
		if (notice.Rules{}).CheckURL(text) == nil && !strings.HasPrefix(strings.ToLower(text), "https://") {
			t.Errorf("%q is allowed", text)
		}
	})
}
