// Package azuretest is Entra ID, a Key Vault and App Service's token endpoint on this machine, for tests alone. They speak as
// the real ones do: the vault challenges who comes without a token, Entra ID gives one to who proves itself, lists come in
// pages and refusals as JSON.
package azuretest

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What the fake knows: an application that proves itself by its secret, a federated token or the platform.
const (
	Tenant        = "11111111-2222-3333-4444-555555555555"
	Application   = "66666666-7777-8888-9999-000000000000"
	ClientSecret  = "a secret of the application"
	Federated     = "a.federated.token"
	managedHeader = "a header of the platform"
)

// Version is a version as the vault keeps it.
type Version struct {
	Value           string
	Created         time.Time
	NotBefore, Ends time.Time
	Disabled        bool
}

// Cloud speaks as Entra ID, as a Key Vault and as App Service's token endpoint do, over TLS where they do.
type Cloud struct {
	*httptest.Server
	t        testing.TB
	now      func() time.Time
	platform *httptest.Server // managed identity, plain HTTP on this machine as on App Service

	mu         sync.Mutex
	secrets    map[string][]Version // newest last
	asked      []string             // of Entra ID and the platform, by identity
	status     int                  // what the vault answers instead, if not 0
	code       string
	challenges int
}

// New starts the fake; the test's end closes it.
func New(t testing.TB, now func() time.Time) *Cloud {
	t.Helper()
	f := &Cloud{t: t, now: now, secrets: map[string][]Version{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /"+Tenant+"/oauth2/v2.0/token", f.token)
	mux.HandleFunc("GET /"+Tenant+"/v2.0/.well-known/openid-configuration", f.configuration)
	mux.HandleFunc("GET /secrets/{name}/versions", f.admitted(f.versions))
	mux.HandleFunc("GET /secrets/{name}/{version}", f.admitted(f.secret))
	mux.HandleFunc("GET /secrets/{name}/{$}", f.admitted(f.secret))
	mux.HandleFunc("GET /secrets/{name}", f.admitted(f.secret))
	f.Server = httptest.NewTLSServer(mux)
	t.Cleanup(f.Server.Close)
	f.platform = httptest.NewServer(http.HandlerFunc(f.managed))
	t.Cleanup(f.platform.Close)
	return f
}

// Put adds the newest version of a secret; without a time it is a day old.
func (f *Cloud) Put(name string, v Version) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v.Created.IsZero() {
		v.Created = f.now().Add(-24 * time.Hour)
	}
	f.secrets[name] = append(f.secrets[name], v)
}

// Refuse has the vault answer everybody so; 0 ends it.
func (f *Cloud) Refuse(status int, code string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status, f.code = status, code
}

// Identities are the proofs for which tokens were given.
func (f *Cloud) Identities() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

// Challenges are how often somebody came without a token.
func (f *Cloud) Challenges() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.challenges
}

// Platform is the environment of a process on App Service: with it managed identities are asked of the fake, and never of
// the address that virtual machines have for it.
func (f *Cloud) Platform() map[string]string {
	return map[string]string{"IDENTITY_ENDPOINT": f.platform.URL, "IDENTITY_HEADER": managedHeader}
}

// Environment has the program ask the fake as an application with a secret.
func (f *Cloud) Environment() []string {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return []string{"SSL_CERT_FILE=" + path, "AZURE_AUTHORITY_HOST=" + f.URL, "AZURE_KEY_VAULT_URL=" + f.URL,
		"AZURE_TENANT_ID=" + Tenant, "AZURE_CLIENT_ID=" + Application, "AZURE_CLIENT_SECRET=" + ClientSecret}
}

func (f *Cloud) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		f.t.Error(err)
	}
}

func (f *Cloud) configuration(w http.ResponseWriter, _ *http.Request) {
	at := f.URL + "/" + Tenant
	f.answer(w, http.StatusOK, map[string]string{"issuer": at + "/v2.0", "authorization_endpoint": at + "/oauth2/v2.0/authorize", "token_endpoint": at + "/oauth2/v2.0/token"})
}

// token is Entra ID's: the vault's scope for an application that proves itself.
func (f *Cloud) token(w http.ResponseWriter, r *http.Request) {
	proof := ""
	switch {
	case r.FormValue("client_secret") == ClientSecret:
		proof = "secret"
	case r.FormValue("client_assertion") == Federated && r.FormValue("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		proof = "federated"
	}
	if proof == "" || r.FormValue("client_id") != Application || !strings.Contains(r.FormValue("scope"), "https://vault.azure.net/.default") {
		f.answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.", "error_codes": []int{7000215}})
		return
	}
	f.note(proof)
	f.answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": "the vault's token"})
}

// managed is App Service's token endpoint.
func (f *Cloud) managed(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.Header.Get("X-Identity-Header") != managedHeader || q.Get("client_id") != Application || q.Get("resource") != "https://vault.azure.net" {
		f.answer(w, http.StatusBadRequest, map[string]any{"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."})
		return
	}
	f.note("managed")
	f.answer(w, http.StatusOK, map[string]string{"token_type": "Bearer", "resource": q.Get("resource"), "client_id": Application,
		"expires_on": fmt.Sprint(f.now().Add(time.Hour).Unix()), "access_token": "the vault's token"})
}

func (f *Cloud) note(identity string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, identity)
}

// admitted challenges who has no token, as the vault does.
func (f *Cloud) admitted(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		status, code := f.status, f.code
		f.mu.Unlock()
		switch {
		case r.Header.Get("Authorization") != "Bearer the vault's token":
			f.mu.Lock()
			f.challenges++
			f.mu.Unlock()
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization="%s/%s", resource="https://vault.azure.net"`, f.URL, Tenant))
			f.fault(w, http.StatusUnauthorized, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
		case status != 0:
			f.fault(w, status, code, "Caller is not authorized to perform action on resource.\r\nAction: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'")
		default:
			next(w, r)
		}
	}
}

func (f *Cloud) fault(w http.ResponseWriter, status int, code, message string) {
	f.answer(w, status, map[string]any{"error": map[string]any{"code": code, "message": message}})
}

func (f *Cloud) attributes(name string, n int, v Version) map[string]any {
	a := map[string]any{"enabled": !v.Disabled, "created": v.Created.Unix(), "updated": v.Created.Unix(), "recoveryLevel": "Recoverable"}
	if !v.NotBefore.IsZero() {
		a["nbf"] = v.NotBefore.Unix()
	}
	if !v.Ends.IsZero() {
		a["exp"] = v.Ends.Unix()
	}
	return map[string]any{"id": fmt.Sprintf("%s/secrets/%s/%032d", f.URL, name, n), "attributes": a}
}

// versions lists two on a page, in no order that anybody may rely on.
func (f *Cloud) versions(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := r.PathValue("name")
	skip, err := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
	if err != nil {
		skip = 0
	}
	page := map[string]any{"nextLink": nil}
	value := []map[string]any{}
	for n := skip; n < len(f.secrets[name]) && n < skip+2; n++ {
		value = append(value, f.attributes(name, n, f.secrets[name][n]))
	}
	if skip+2 < len(f.secrets[name]) {
		page["nextLink"] = fmt.Sprintf("%s/secrets/%s/versions?api-version=%s&$skiptoken=%d", f.URL, name, r.URL.Query().Get("api-version"), skip+2)
	}
	page["value"] = value
	f.answer(w, http.StatusOK, page)
}

func (f *Cloud) secret(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := r.PathValue("name")
	versions := f.secrets[name]
	n := len(versions) - 1
	if r.PathValue("version") != "" {
		asked, err := strconv.Atoi(r.PathValue("version"))
		if err != nil {
			asked = -1
		}
		n = asked
	}
	if n < 0 || n >= len(versions) {
		f.fault(w, http.StatusNotFound, "SecretNotFound", "A secret with (name/id) "+name+" was not found in this key vault.")
		return
	}
	if versions[n].Disabled {
		f.answer(w, http.StatusForbidden, map[string]any{"error": map[string]any{"code": "Forbidden", "message": "Operation get is not allowed on a disabled secret.", "innererror": map[string]string{"code": "SecretDisabled"}}})
		return
	}
	body := f.attributes(name, n, versions[n])
	body["value"] = versions[n].Value
	f.answer(w, http.StatusOK, body)
}
