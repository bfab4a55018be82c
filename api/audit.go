package api

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"xyra"
	"xyra/store"
)

func (s *Server) auditRoutes() []*route {
	return []*route{
		{method: http.MethodGet, path: "/audit", summary: "List who changed what: by organization, newest first", tag: "audit", rights: admins, operation: endpoint(s.listAudit)},
	}
}

type auditIn struct {
	Organization Opt[int64]
	Action       *string
	Object       *int64
	From, To     time.Time
	After        Opt[string]
	Limit        int64
}

func (in *auditIn) params() []param {
	return []param{
		optQueryID("org_id", &in.Organization).explained("Only entries of this organization. If not given: a superuser's are all, an admin's the own organization's. 0 is the platform."),
		queryText("action", &in.Action).explained("Only this action, such as invoice.pay."),
		queryInt("object_id", &in.Object).explained("Only entries about the object with this id."),
		queryTime("from", &in.From).explained("Only entries of this instant and later."),
		queryTime("to", &in.To).explained("Only entries of this instant and earlier."),
		queryText("after", &in.After).explained("The next of the page before."),
		queryInt("limit", &in.Limit).byDefault(100).min(1).max(1000),
	}
}

type auditOut struct {
	Organization *xyra.OrganizationID `json:"organization_id"` // null: the platform
	Sequence     int64                `json:"sequence"`
	At           instant              `json:"at"`
	Caller       string               `json:"caller"`
	Request      string               `json:"request"`
	Action       string               `json:"action"`
	ObjectID     int64                `json:"object_id"`
	Detail       json.RawMessage      `json:"detail"`
	Hash         string               `json:"hash"`
}

type auditPageOut eventList[auditOut]

func newAuditOut(a store.AuditRecord) auditOut {
	return auditOut{Organization: idOrNil(a.Organization), Sequence: a.Sequence, At: instant(a.At), Caller: a.Caller, Request: a.Request, Action: a.Action,
		ObjectID: a.ObjectID, Detail: a.Detail, Hash: hex.EncodeToString(a.Hash)}
}

func (s *Server) listAudit(c *call, in *auditIn) (auditPageOut, error) {
	filter := store.AuditFilter{Action: in.Action, Object: in.Object, From: in.From, To: in.To}
	if in.After.Set {
		cursor, ok := parseAuditCursor(in.After.Value)
		if !ok {
			return auditPageOut{}, unprocessable{valueErrorItem("not a cursor of this list", in.After.Value, "query", "after")}
		}
		filter.After = &cursor
	}
	var err error
	if filter.Organization, err = c.auditOrganization(in.Organization); err != nil {
		return auditPageOut{}, err
	}
	list, err := s.db.AuditEntries(c.context(), filter, in.Limit+1)
	if err != nil {
		return auditPageOut{}, err
	}
	var next *string
	if int64(len(list)) > in.Limit {
		list = list[:in.Limit]
		last := list[len(list)-1]
		text := auditCursor(store.AuditCursor{Organization: last.Organization, Sequence: last.Sequence})
		next = &text
	}
	return auditPageOut{shownAll(list, newAuditOut), next}, nil
}

// auditOrganization is whose entries are meant; nil means all, which only superusers may see.
func (c *call) auditOrganization(named Opt[int64]) (*xyra.OrganizationID, error) {
	switch {
	case named.Set && named.Value == 0 && c.caller.Superuser:
		return new(xyra.OrganizationID), nil
	case named.Set:
		organization, err := c.namedOrganization(named.Value, "Not enough permissions to access the audit log of this organization")
		return &organization.ID, err
	case c.caller.Superuser:
		return nil, nil
	}
	return &c.caller.Organization, nil
}

// auditCursor is the text of a place in the log; clients give it back as it is.
func auditCursor(at store.AuditCursor) string { return cursorText(int64(at.Organization), at.Sequence) }

func parseAuditCursor(text string) (store.AuditCursor, bool) {
	organization, sequence, ok := parseCursorText(text)
	return store.AuditCursor{Organization: xyra.OrganizationID(organization), Sequence: sequence}, ok
}
