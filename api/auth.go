package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"xyra"
	"xyra/auth"
	"xyra/store"
)

func (s *Server) authRoutes() []*route {
	login := operation{in: new(loginIn), out: reflect.TypeFor[tokenOut](), run: s.login}
	signup := operation{in: new(signupIn), out: reflect.TypeFor[tokenOut](), run: s.signup}
	return []*route{
		{method: http.MethodPost, path: "/auth/login", summary: "Log in", tag: "auth", rights: everyone, operation: login},
		{method: http.MethodPost, path: "/auth/login/access-token", summary: "Log in with OAuth2's password flow", tag: "auth", rights: everyone, operation: login},
		{method: http.MethodGet, path: "/auth/me", summary: "Who am I", tag: "auth", rights: people, operation: endpoint(s.me)},
		{method: http.MethodPost, path: "/auth/signup", summary: "Sign up", tag: "auth", rights: everyone, operation: signup},
	}
}

// form is implemented by inputs that read an urlencoded or multipart body.
type form interface{ formFields() []field }

type loginIn struct {
	GrantType, Username, Password string
}

func (in *loginIn) formFields() []field {
	return []field{
		formText("grant_type", &in.GrantType).exactly("password"),
		formText("username", &in.Username).required(),
		formText("password", &in.Password).required(),
	}
}

type tokenOut struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
}

func (s *Server) login(c *call) (any, error) {
	raw, err := c.body()
	if err != nil {
		return nil, err
	}
	in := new(loginIn)
	items, err := decodeForm(raw, c.request.Header.Get("Content-Type"), in.formFields())
	if err != nil {
		return nil, err
	}
	if len(items) > 0 {
		return nil, unprocessable(items)
	}
	token, err := s.gate.Login(c.context(), in.Username, in.Password, s.clientAddress(c.request))
	return tokenOut{token, "bearer"}, orBusy(err)
}

// orBusy tells a client that is limited when to come again.
func orBusy(err error) error {
	var limited auth.Limited
	if errors.As(err, &limited) {
		return busy{limited.Refusal(), limited.RetryAfter}
	}
	return err
}

// me reads the caller again: the row may have changed since the credentials were looked at.
func (s *Server) me(c *call, _ *nothing) (userOut, error) {
	u, err := c.db().User(c.context(), c.caller.User)
	return newUserOut(u), err
}

type signupIn struct {
	Email        string
	FullName     *string
	IsActive     *bool
	IsSuperuser  bool
	Role         string
	Password     string
	Organization *xyra.OrganizationID
}

func (in *signupIn) fields() []field {
	return []field{
		email("email", &in.Email).required(),
		text("full_name", &in.FullName).max(255),
		boolean("is_active", &in.IsActive).explained("Ignored: who signs up is active."),
		boolean("is_superuser", &in.IsSuperuser).byDefault(false),
		text("role", &in.Role).byDefault(string(xyra.RoleUser)).max(50),
		newPassword("password", &in.Password, func() string { return in.Email }).required(),
		identityOrNull("organization_id", &in.Organization),
	}
}

// signup is no endpoint: while it is switched off not even the body is read.
func (s *Server) signup(c *call) (any, error) {
	if !s.Signup {
		return nil, xyra.Forbidden("Signup is disabled")
	}
	in := new(signupIn)
	if err := c.decode(in); err != nil {
		return nil, err
	}
	if in.IsSuperuser || in.Organization != nil || in.Role != string(xyra.RoleUser) {
		return nil, xyra.Forbidden("Signup cannot set is_superuser, organization_id or role")
	}
	hash, err := s.gate.Hash(c.context(), in.Password)
	if err != nil {
		return nil, err
	}
	u, err := write(c, func(ctx context.Context, tx *store.Tx) (xyra.User, error) {
		return auth.Signup(ctx, tx, in.Email, in.FullName, hash, requestID(ctx))
	})
	if err != nil {
		return nil, err
	}
	token, err := s.gate.Token(u)
	return tokenOut{token, "bearer"}, err
}
