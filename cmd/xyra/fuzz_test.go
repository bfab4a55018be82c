package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// A setting of any text is used or refused with one line that names its variable; what is used means what net/url and net/netip
// take it for.
func FuzzSettings(f *testing.F) {
	for _, text := range []string{"10.0.0.0/8, ::1", `["https://a.example"]`, "6000/m", "127.0.0.1:8000", "/api/v1", "[", "::ffff:1.2.3.4/120", "1/s/s", "-1/h", ":99999", "https://a/;,"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := listenSettings{TrustedProxies: text, RateLimit: text, Address: text}
		a := apiSettings{Origins: text, Prefix: text}
		networks, proxiesFault := s.proxies()
		requests, each, rateFault := s.rate()
		_, addressFault := s.address()
		origins, originsFault := a.origins()
		prefix, prefixFault := a.prefix()
		for variable, err := range map[string]error{"TRUSTED_PROXIES": proxiesFault, "RATE_LIMIT": rateFault, "XYRA_ADDR": addressFault, "CORS_ORIGINS": originsFault, "API_V1_STR": prefixFault} {
			if err != nil && (!strings.Contains(err.Error(), variable) || strings.Contains(err.Error(), "\n")) {
				t.Fatalf("%s=%q: %v", variable, text, err)
			}
		}
		for _, network := range networks {
			if proxiesFault == nil && (!network.IsValid() || network != network.Masked()) {
				t.Fatalf("TRUSTED_PROXIES=%q is %v", text, network)
			}
		}
		if rateFault == nil && text != "" && (requests < 1 || each <= 0) {
			t.Fatalf("RATE_LIMIT=%q is %d in %s", text, requests, each)
		}
		for _, origin := range origins {
			if u, err := url.Parse(origin); originsFault == nil && (err != nil || u.Host == "" || u.Path != "") {
				t.Fatalf("CORS_ORIGINS=%q is %q", text, origin)
			}
		}
		if prefixFault == nil && (!strings.HasPrefix(prefix, "/") || strings.HasSuffix(prefix, "/")) {
			t.Fatalf("API_V1_STR=%q is %q", text, prefix)
		}
	})
}

// The address of a database is refused without telling the password, or holds user and password as they were given, with the @ of
// Azure's user names.
func FuzzDatabaseSettings(f *testing.F) {
	f.Add("postgres://u:p@h:5432/db?sslmode=require", "db.example.com", "user@server", "p@:/?#%", "xyra", "sslmode=require&a=b")
	f.Add("postgresql+psycopg2://u@h/db", "/var/run/postgresql", "", "", "", "a=1 b=2")
	f.Add("mysql://u:secret@h/db", "[::1]:6000", "ü", "\x00", "a/b", "?sslmode")
	f.Add("://", "::1", "u", "secret", "d?", "%")
	f.Fuzz(func(t *testing.T, address, host, user, password, name, options string) {
		given := databaseSettings{URL: address, ConnsMax: 24}
		if _, err := given.target(); err != nil && given.isPostgres() && strings.Contains(err.Error(), "\n") {
			t.Fatalf("DATABASE_URL=%q: %v", address, err)
		}
		s := databaseSettings{Server: host, Port: 5432, User: user, Password: password, Name: name, Options: options, ConnsMax: 24}
		if !s.isPostgres() {
			return
		}
		made, err := s.url()
		if err != nil {
			return
		}
		again, err := url.Parse(made.String())
		if err != nil {
			return // a host that no address can have; opening it says so
		}
		if secret, _ := again.User.Password(); again.User.Username() != user || secret != password {
			t.Fatalf("user %q and password %q became %q", user, password, made)
		}
	})
}

// Every row of a file is a fault or JSON to send, with a kind and a key, and the same file gives the same keys.
func FuzzImportRows(f *testing.F) {
	f.Add("type,quantity,timestamp\ncall,1,2024-01-01\n", "activity", "id", true)
	f.Add("\xef\xbb\xbfkind,agent_id,details\ncost,7,\"{\"\"a\"\":1}\"\n,+7,{\n", "activity", "", true)
	f.Add("type\n\"a\nb\"\n\"", "outcome", "TYPE", true)
	f.Add(`{"activity_type":"a"}`+"\n\n{}\r\n[1]\n"+`{"idempotency_key":null,"id":7}`, "activity", "id", false)
	f.Add(`{"kind":null}`, "", "", false)
	f.Fuzz(func(t *testing.T, text, kind, keyColumn string, isTable bool) {
		first, second := rowsOf(t, text, kind, keyColumn, isTable), rowsOf(t, text, kind, keyColumn, isTable)
		if strings.Join(first, "\n") != strings.Join(second, "\n") {
			t.Fatalf("%q is read in two ways", text)
		}
	})
}

func rowsOf(t *testing.T, text, kind, keyColumn string, isTable bool) (events []string) {
	t.Helper()
	form := rowForm{name: "file", kind: kind, keyColumn: keyColumn}
	var rows rowReader = newLineRows(strings.NewReader(text), form)
	if isTable {
		table, err := newCSVRows(strings.NewReader(text), form)
		if err != nil {
			return nil
		}
		rows = table
	}
	for {
		row, err := rows.next()
		if errors.Is(err, io.EOF) || err != nil {
			return events
		}
		if row.fault != "" {
			continue
		}
		var sent map[string]any
		if isTable && (json.Unmarshal(row.event, &sent) != nil || sent["kind"] == nil || sent["idempotency_key"] == nil) {
			t.Fatalf("a row of %q is sent as %q", text, row.event)
		}
		if json.Unmarshal(row.event, &sent) == nil && sent != nil && sent["idempotency_key"] == nil {
			t.Fatalf("a line of %q is sent without a key: %q", text, row.event)
		}
		events = append(events, string(row.event))
	}
}

// A connection's address is one of the visitor or of his network.
func FuzzAddressOf(f *testing.F) {
	for _, text := range []string{"192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "fe80::1%eth0", "::"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := netip.ParseAddr(text)
		if err != nil || at.Zone() != "" {
			return
		}
		from := addressOf(&visitor{from: text})
		network, err := from.Prefix(min(64, from.BitLen()))
		if err != nil || !network.Contains(at.Unmap()) {
			t.Fatalf("%s counts as %s", text, from)
		}
	})
}
