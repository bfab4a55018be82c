package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// staff is a server with an organization and its admin and member.
type staff struct {
	*Server
	root, admin, member   string // tokens
	adminID, memberID, id int64  // id is the organization's
}

func newStaff(t *testing.T, s *Server) *staff {
	t.Helper()
	p := &staff{Server: s, root: logIn(t, s, superuserEmail, superuserPassword)}
	p.id = create(t, s, "/api/v1/organizations", p.root, `{"name":"Northwind"}`)
	user := func(email, role string) int64 {
		return create(t, s, "/api/v1/users", p.root, fmt.Sprintf(`{"email":%q,"password":"good-pass-1","role":%q,"organization_id":%d}`, email, role, p.id))
	}
	p.adminID, p.memberID = user("admin@northwind.io", "admin"), user("member@northwind.io", "user")
	p.admin, p.member = logIn(t, s, "admin@northwind.io", "good-pass-1"), logIn(t, s, "member@northwind.io", "good-pass-1")
	return p
}

func userPath(id int64) string { return fmt.Sprintf("/api/v1/users/%d", id) }

const answerForbidden = `{"detail":"Not enough permissions"}`

// The own password changes with the present one only, which is guarded like a login; it ends the older tokens.
func TestUpdateUser_OwnPasswordNeedsThePresentOne(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		p := newStaff(t, s)
		put := func(id int64, token, body string) (int, string) {
			w := ask(s, http.MethodPut, userPath(id), token, body)
			return w.Code, w.Body.String()
		}
		for _, try := range []struct {
			id          int64
			token, body string
			status      int
			want        string
		}{
			{p.memberID, p.member, `{"password":"good-pass-2"}`, 422, `"input":{"password":"good-pass-2"}`},
			{p.memberID, p.member, `{"password":"good-pass-2","current_password":null}`, 422, `"loc":["body","current_password"]`},
			{p.memberID, p.member, `{"password":"good-pass-2","current_password":"wrong"}`, 400, `"Incorrect password"`},
			{p.memberID, p.member, `{"password":"MEMBER@northwind.io","current_password":"good-pass-1"}`, 422, `password is too easy to guess`},
			{p.memberID, p.member, `{"password":"good-pass-2","current_password":"wrong","role":"admin"}`, 403, "Not enough permissions"},
			{p.memberID, p.member, `{"password":null}`, 200, `"member@northwind.io"`},
			{p.memberID, p.member, `{"password":"","full_name":"M"}`, 200, `"full_name":"M"`},
			{p.memberID, p.admin, `{"password":"good-pass-2"}`, 403, "Not enough permissions"},
			{p.adminID, p.member, `{"password":"good-pass-2"}`, 404, "User not found"},
			{1, p.root, `{"password":"good-pass-2"}`, 422, `"current_password"`},
			{1, p.root, `{"password":"good-pass-2","current_password":"wrong"}`, 400, `"Incorrect password"`},
			{p.memberID, p.member, `{"password":"good-pass-2","current_password":"good-pass-1"}`, 200, `"member@northwind.io"`},
			{p.memberID, p.member, `{"full_name":"N"}`, 401, "Could not validate credentials"},
			{p.memberID, p.root, `{"password":"good-pass-3"}`, 200, `"member@northwind.io"`},
		} {
			if status, body := put(try.id, try.token, try.body); status != try.status || !strings.Contains(body, try.want) {
				t.Errorf("%d %s: %d %s, want %d %s", try.id, try.body, status, body, try.status, try.want)
			}
		}
		p.member = logIn(t, s, "member@northwind.io", "good-pass-3")
		for range 10 {
			put(p.memberID, p.member, `{"password":"good-pass-4","current_password":"wrong"}`)
		}
		w := ask(s, http.MethodPut, userPath(p.memberID), p.member, `{"password":"good-pass-4","current_password":"good-pass-3"}`)
		answers(t, w, 429, `{"detail":"Too many failed login attempts. Try again later."}`)
		if w.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}

// Faults of an update come in the order of its fields; null clears only what may be empty.
func TestUpdateUser_NullsAndTypes(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		p := newStaff(t, s)
		w := ask(s, http.MethodPut, userPath(p.memberID), p.root,
			`{"is_superuser":null,"role":null,"is_active":null,"email":null,"organization_id":"1","password":7,"full_name":1,"current_password":2}`)
		for _, item := range []string{`"string_type","loc":["body","email"]`, `"string_type","loc":["body","full_name"]`, `"string_type","loc":["body","password"]`,
			`"bool_type","loc":["body","is_active"]`, `"int_parsing","loc":["body","organization_id"]`, `"string_type","loc":["body","role"]`,
			`"bool_type","loc":["body","is_superuser"]`, `"string_type","loc":["body","current_password"]`} {
			if _, after, found := strings.Cut(w.Body.String(), item); found {
				w.Body.Reset()
				w.Body.WriteString(after)
				continue
			}
			t.Errorf("%s is not next in %s", item, w.Body)
		}
		answers(t, ask(s, http.MethodPut, userPath(p.memberID), p.root, `{"organization_id":null,"full_name":null}`), 200,
			fmt.Sprintf(`{"email":"member@northwind.io","full_name":null,"is_active":true,"is_superuser":false,"role":"user","id":%d,"organization_id":null,…`, p.memberID))
		answers(t, ask(s, http.MethodPut, userPath(p.memberID), p.root, `{"organization_id":99999999999999999999}`), 400,
			`{"detail":"Organization with ID 99999999999999999999 not found"}`)
		answers(t, ask(s, http.MethodPut, userPath(p.memberID), p.root, `{"email":"Admin@northwind.io"}`), 409, `{"detail":"A user with this email already exists"}`)
		answers(t, ask(s, http.MethodPut, userPath(p.memberID), p.member, `{"email":"Admin@northwind.io"}`), 400, `{"detail":"Email cannot be changed to this address"}`)
		answers(t, ask(s, http.MethodPut, userPath(1), p.root, `{"is_active":false}`), 409, `{"detail":"Cannot remove the last superuser"}`)
		answers(t, ask(s, http.MethodPut, userPath(1), p.root, `{"is_superuser":false}`), 403, answerForbidden)
	})
}

// Everybody sees whom the contract's table says, and a foreign id is as good as none.
func TestUsers_ScopeByCaller(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		p := newStaff(t, s)
		for token, want := range map[string]int{p.root: 3, p.admin: 2, p.member: 1} {
			w := ask(s, http.MethodGet, "/api/v1/users?skip=0&limit=10", token, "")
			if got := strings.Count(w.Body.String(), `"email":`); w.Code != 200 || got != want {
				t.Errorf("%d users, want %d: %s", got, want, w.Body)
			}
		}
		for _, id := range []string{"1", "0", "-1", "999", "99999999999999999999"} {
			answers(t, ask(s, http.MethodGet, "/api/v1/users/"+id, p.admin, ""), 404, `{"detail":"User not found"}`)
		}
		answers(t, ask(s, http.MethodGet, "/api/v1/users?limit=0", p.member, ""), 422, `{"detail":[{"type":"greater_than_equal",…`)
		answers(t, ask(s, http.MethodPost, "/api/v1/users", p.admin, "{"), 403, answerForbidden)
		answers(t, ask(s, http.MethodDelete, userPath(p.memberID), p.admin, ""), 403, answerForbidden)
		answers(t, ask(s, http.MethodDelete, userPath(p.memberID), p.root, ""), 200, `{"email":"member@northwind.io",…`)
		answers(t, ask(s, http.MethodDelete, userPath(p.memberID), p.root, ""), 404, `{"detail":"User not found"}`)
		answers(t, ask(s, http.MethodGet, "/api/v1/auth/me", p.member, ""), 401, `{"detail":"User not found"}`)
	})
}
