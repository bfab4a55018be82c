package api

import (
	"context"
	"encoding/json"
	"net/http"

	"xyra"
	"xyra/auth"
	"xyra/store"
	"xyra/strictjson"
)

func (s *Server) userRoutes() []*route {
	return []*route{
		{method: http.MethodGet, path: "/users/", summary: "List users", tag: "users", rights: people, operation: endpoint(s.listUsers)},
		{method: http.MethodPost, path: "/users/", summary: "Create a user", tag: "users", rights: superusers, operation: endpoint(s.createUser)},
		{method: http.MethodGet, path: "/users/{user_id}", summary: "Read a user", tag: "users", rights: people, operation: endpoint(s.readUser)},
		{method: http.MethodPut, path: "/users/{user_id}", summary: "Change a user", tag: "users", rights: people, operation: endpoint(s.updateUser)},
		{method: http.MethodDelete, path: "/users/{user_id}", summary: "Archive a user", tag: "users", rights: superusers, operation: endpoint(s.deleteUser)},
	}
}

type userOut struct {
	Email        string               `json:"email"`
	FullName     *string              `json:"full_name"`
	IsActive     bool                 `json:"is_active"`
	IsSuperuser  bool                 `json:"is_superuser"`
	Role         xyra.Role            `json:"role"`
	ID           xyra.UserID          `json:"id"`
	Organization *xyra.OrganizationID `json:"organization_id"`
	LastLogin    *instant             `json:"last_login"`
}

func newUserOut(u xyra.User) userOut {
	return userOut{u.Email, u.FullName, u.IsActive, u.IsSuperuser, u.Role, u.ID, idOrNil(u.Organization), instantOrNil(u.LastLogin)}
}

func newUsersOut(users []xyra.User) []userOut {
	list := make([]userOut, len(users))
	for i, u := range users {
		list[i] = newUserOut(u)
	}
	return list
}

func (s *Server) listUsers(c *call, in *paging) ([]userOut, error) {
	var users []xyra.User
	var err error
	switch {
	case c.caller.Superuser:
		users, err = c.db().Users(c.context(), in.Skip, in.Limit)
	case c.caller.IsAdmin():
		users, err = c.db().UsersOf(c.context(), c.caller.Organization, in.Skip, in.Limit)
	default:
		var self xyra.User
		self, err = c.db().User(c.context(), c.caller.User)
		users = []xyra.User{self}
	}
	return newUsersOut(users), err
}

type createUserIn struct {
	Email        string
	FullName     *string
	IsActive     bool
	IsSuperuser  bool
	Role         string
	Password     string
	Organization *xyra.OrganizationID
}

func (in *createUserIn) fields() []field {
	return []field{
		email("email", &in.Email).required(),
		text("full_name", &in.FullName).max(255),
		boolean("is_active", &in.IsActive).byDefault(true).nullIsDefault(),
		boolean("is_superuser", &in.IsSuperuser).byDefault(false),
		roleField(&in.Role).byDefault(string(xyra.RoleUser)),
		newPassword("password", &in.Password, func() string { return in.Email }).required(),
		identityOrNull("organization_id", &in.Organization),
	}
}

func roleField[D slot[string]](dst D) field {
	return oneOf("role", dst, string(xyra.RoleUser), string(xyra.RoleAdmin))
}

func (s *Server) createUser(c *call, in *createUserIn) (userOut, error) {
	hash, err := s.gate.Hash(c.context(), in.Password)
	if err != nil {
		return userOut{}, err
	}
	return write(c, func(ctx context.Context, tx *store.Tx) (userOut, error) {
		u, err := auth.CreateUser(ctx, tx, c.caller, xyra.User{Email: in.Email, FullName: in.FullName, PasswordHash: hash,
			IsActive: in.IsActive, IsSuperuser: in.IsSuperuser, Role: xyra.Role(in.Role)}, in.Organization)
		return newUserOut(u), err
	})
}

type userIn struct{ ID xyra.UserID }

func (in *userIn) params() []param { return []param{pathID("user_id", &in.ID)} }

// user reads one the caller may see; any other one is not found.
func (c *call) user(id xyra.UserID) (xyra.User, error) {
	u, err := c.db().User(c.context(), id)
	if err == nil && !auth.MayReadUser(c.caller, u) {
		return xyra.User{}, xyra.NotFound("User")
	}
	return u, err
}

func (s *Server) readUser(c *call, in *userIn) (userOut, error) {
	u, err := c.user(in.ID)
	return newUserOut(u), err
}

type updateUserIn struct {
	userIn
	Email           Opt[string]
	FullName        Opt[string]
	Password        Opt[string]
	IsActive        Opt[bool]
	Organization    Opt[xyra.OrganizationID]
	Role            Opt[string]
	IsSuperuser     Opt[bool]
	CurrentPassword Opt[string]
}

func (in *updateUserIn) fields() []field {
	return []field{
		email("email", &in.Email),
		text("full_name", &in.FullName).nullable().max(255),
		newPassword("password", &in.Password, func() string { return in.Email.Value }).blankIsOmitted(),
		boolean("is_active", &in.IsActive),
		optIdentity("organization_id", &in.Organization).nullable(),
		roleField(&in.Role),
		boolean("is_superuser", &in.IsSuperuser),
		text("current_password", &in.CurrentPassword).nullable().explained("Required to change the own password."),
	}
}

func (in *updateUserIn) change() auth.UserChange {
	change := auth.UserChange{Email: in.Email.Ptr(), IsActive: in.IsActive.Ptr(), IsSuperuser: in.IsSuperuser.Ptr(), PasswordHash: in.Password.Ptr()}
	if in.FullName.Set {
		name := in.FullName.Ptr()
		change.FullName = &name
	}
	if in.Organization.Set {
		organization := in.Organization.Ptr()
		change.Organization = &organization
	}
	if in.Role.Set {
		role := xyra.Role(in.Role.Value)
		change.Role = &role
	}
	return change
}

func (s *Server) updateUser(c *call, in *updateUserIn) (userOut, error) {
	self := in.ID == c.caller.User
	if self && in.Password.Set && in.CurrentPassword.Ptr() == nil {
		return userOut{}, unprocessable{missingItem(c.bodyAsReceived(), "body", "current_password")}
	}
	change := in.change()
	if in.Password.Set {
		hash, err := s.newPasswordHash(c, in, change)
		if err != nil {
			return userOut{}, err
		}
		change.PasswordHash = &hash
	}
	return write(c, func(ctx context.Context, tx *store.Tx) (userOut, error) {
		u, err := auth.UpdateUser(ctx, tx, c.caller, in.ID, change)
		return newUserOut(u), err
	})
}

// newPasswordHash does what is slow about a new password, after the checks that come before it: the old password is
// looked at and the new one hashed outside of the transaction, which checks the rights once more.
func (s *Server) newPasswordHash(c *call, in *updateUserIn, change auth.UserChange) (string, error) {
	u, err := c.user(in.ID)
	if err != nil {
		return "", err
	}
	if err := auth.MayChangeUser(c.caller, u, change); err != nil {
		return "", err
	}
	if xyra.EasyPassword(in.Password.Value, u.Email) {
		sent := json.RawMessage(strictjson.AppendString(nil, in.Password.Value))
		return "", unprocessable{valueErrorItem("password is too easy to guess", sent, "body", "password")}
	}
	if u.ID == c.caller.User {
		if err := s.gate.CheckPassword(c.context(), u, in.CurrentPassword.Value, s.clientAddress(c.request)); err != nil {
			return "", orBusy(err)
		}
	}
	return s.gate.Hash(c.context(), in.Password.Value)
}

// bodyAsReceived is the JSON of a body that has been decoded already.
func (c *call) bodyAsReceived() json.RawMessage {
	v, err := strictjson.Parse(c.raw)
	if err != nil {
		return nil
	}
	return received(v)
}

func (s *Server) deleteUser(c *call, in *userIn) (userOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (userOut, error) {
		u, err := auth.DeleteUser(ctx, tx, c.caller, in.ID)
		return newUserOut(u), err
	})
}
