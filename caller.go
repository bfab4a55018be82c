package xyra

import "strconv"

// Caller is who asks, with the rights found in the database when the request began.
type Caller struct {
	User         UserID
	Key          APIKeyID       // 0: a person with a token
	Organization OrganizationID // 0: belongs to none
	Superuser    bool           // never true for a key
	Role         Role
	TokenVersion int64 // the number the token carried; checked again when an event commits
	Suspended    bool  // the organization is suspended: reads only
	Request      string
}

// IsKey tells whether an API key asks.
func (c Caller) IsKey() bool { return c.Key != 0 }

// IsAdmin tells whether the caller is a person who administers the own organization.
func (c Caller) IsAdmin() bool {
	return !c.Superuser && c.Key == 0 && c.Organization != 0 && c.Role == RoleAdmin
}

// Administers tells whether the caller may change what belongs to organization: its admin or a superuser.
func (c Caller) Administers(organization OrganizationID) bool {
	return c.Superuser || c.IsAdmin() && c.Organization == organization
}

// Reaches tells whether organization's data is the caller's to see.
func (c Caller) Reaches(organization OrganizationID) bool {
	return c.Superuser || c.Organization != 0 && c.Organization == organization
}

// Name is the caller as the audit log and event rows write it: "user:12", "key:7" or "system".
func (c Caller) Name() string {
	switch {
	case c.Key != 0:
		return "key:" + strconv.FormatInt(int64(c.Key), 10)
	case c.User != 0:
		return "user:" + strconv.FormatInt(int64(c.User), 10)
	}
	return "system"
}
