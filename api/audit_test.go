package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

type auditPage struct {
	Items []struct {
		Organization *int64 `json:"organization_id"`
		Sequence     int64
		Action       string
		ObjectID     int64 `json:"object_id"`
		Hash         string
		Caller       string
		Request, At  string
	}
	Next *string
}

// audit reads the log page by page.
func (m market) audit(token, filter string, limit int) (all auditPage) {
	m.t.Helper()
	after := ""
	for {
		w := ask(m.s, http.MethodGet, fmt.Sprintf("/api/v1/audit?limit=%d%s%s", limit, filter, after), token, "")
		var page auditPage
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 || len(page.Items) > limit {
			m.t.Fatalf("audit %s: %d %s", filter, w.Code, w.Body)
		}
		all.Items = append(all.Items, page.Items...)
		if page.Next == nil {
			return all
		}
		after = "&after=" + url.QueryEscape(*page.Next)
	}
}

func (p auditPage) hashes() (all string) {
	for _, a := range p.Items {
		all += a.Hash
	}
	return all
}

// The log holds each change once, newest first, with its place in the chain; pages of any size together are all of it.
func TestAudit_HoldsEachChangeOnce(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		other := newMarket(t, m.s, "Bolt")
		m.must(http.MethodPut, "/agents/"+m.agent, m.admin, `{"name":"renamed"}`, "name")
		own := m.audit(m.admin, "", 1000)
		for _, limit := range []int{1, 2, 3} {
			if got := m.audit(m.admin, "", limit); got.hashes() != own.hashes() {
				t.Errorf("pages of %d are not the whole log", limit)
			}
		}
		hash := regexp.MustCompile(`^[0-9a-f]{64}$`)
		for i, a := range own.Items {
			if a.Organization == nil || fmt.Sprint(*a.Organization) != m.id || a.Sequence != int64(len(own.Items)-i) || !hash.MatchString(a.Hash) || a.Caller == "" || a.Request == "" && a.Action != "user.login" {
				t.Errorf("entry %d is %+v", i, a)
			}
		}
		if first := own.Items[0]; first.Action != "agent.update" || fmt.Sprint(first.ObjectID) != m.agent {
			t.Errorf("the newest entry is %+v", first)
		}
		of := func(filter string) int { return len(m.audit(m.admin, filter, 5).Items) }
		if of("&action=agent.update") != 1 || of("&action=agent") != 0 || of("&object_id="+m.agent+"&action=agent.create") != 1 ||
			of("&from="+own.Items[0].At+"&to="+own.Items[0].At) < 1 || of("&to=2020-01-01") != 0 || of("&from=2200-01-01") != 0 {
			t.Error("the filters let others through")
		}
		root := m.audit(m.root, "", 2)
		platform := m.audit(m.root, "&org_id=0", 7)
		foreign := m.audit(m.root, "&org_id="+other.id, 7)
		if len(root.Items) != len(platform.Items)+len(own.Items)+len(foreign.Items) || len(foreign.Items) == 0 {
			t.Errorf("all are %d, of %d, %d and %d", len(root.Items), len(platform.Items), len(own.Items), len(foreign.Items))
		}
	})
}

// What cannot be a place in the log is refused, and a cursor of one's own making shows nobody else's entries.
func TestAudit_CursorsOpenNothing(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		for _, after := range []string{"", "x", "!!!", "MQ", "MS54", "LjE"} {
			if w := ask(m.s, http.MethodGet, "/api/v1/audit?after="+after, m.admin, ""); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "not a cursor of this list") {
				t.Errorf("cursor %q: %d %s", after, w.Code, w.Body)
			}
		}
		newMarket(t, m.s, "Bolt")
		for _, after := range []string{"MC4w", "LTkyMjMzNzIwMzY4NTQ3NzU4MDguMQ"} { // 0.0 and the smallest number
			for _, a := range m.audit(m.admin, "&after="+after, 1000).Items {
				if fmt.Sprint(*a.Organization) != m.id {
					t.Errorf("cursor %s shows %+v", after, a)
				}
			}
		}
	})
}
