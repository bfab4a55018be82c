package api

import (
	"net/http"

	"xyra"
)

// route is one row of the API's table: where it is, who may use it and what runs. The router, the authorization tests
// and the OpenAPI document are all made from these rows.
type route struct {
	method, path string // path below the prefix; a trailing slash here is only how documents show it
	summary      string
	tag          string
	rights       rights
	operation    operation
	handler      http.Handler // instead of operation: pages and probes
	outside      bool         // path is not below the prefix
	read         bool         // a POST that changes nothing: allowed while suspended
	undocumented bool
}

// writes tells whether a suspended organization's members are refused.
func (rt *route) writes() bool { return rt.method != http.MethodGet && !rt.read }

// rights says which callers a route admits before any object is looked at. Superusers are always admitted. Unless said
// otherwise nobody else is.
type rights struct {
	public bool
	user   bool // member with role user
	admin  bool // member with role admin
	loner  bool // active user without organization
	key    bool
	text   string // the 403's text; "" is the usual one
}

const textForbidden = "Not enough permissions"

// admit decides by role alone.
func (r rights) admit(c xyra.Caller) bool {
	switch {
	case c.IsKey():
		return r.key
	case c.Superuser:
		return true
	case c.Organization == 0:
		return r.loner
	case c.Role == xyra.RoleAdmin:
		return r.admin
	}
	return r.user
}

func (r rights) denied() string {
	if r.text != "" {
		return r.text
	}
	return textForbidden
}

// The groups of the contract's role table.
var (
	everyone   = rights{public: true}
	anyCaller  = rights{user: true, admin: true, loner: true, key: true}
	people     = rights{user: true, admin: true, loner: true}
	superusers = rights{}
	admins     = rights{admin: true}
)

// else403 gives a group another text for those it does not admit.
func (r rights) else403(text string) rights {
	r.text = text
	return r
}

// routes is the whole API.
func (s *Server) routes() []*route {
	groups := [][]*route{
		s.authRoutes(), s.userRoutes(), s.organizationRoutes(), s.billingModelRoutes(), s.agentRoutes(), s.eventRoutes(), s.batchRoutes(), s.eventListRoutes(),
		s.analyticsRoutes(), s.invoiceRoutes(), s.paymentRoutes(), s.apiKeyRoutes(), s.webhookEndpointRoutes(), s.jobRoutes(), s.auditRoutes(), s.healthRoutes(),
	}
	var all []*route
	for _, g := range groups {
		all = append(all, g...)
	}
	if s.Docs {
		all = append(all, s.docsRoutes(all)...)
	}
	return all
}
