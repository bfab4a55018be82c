package api

import (
	"context"
	"net/http"
	"time"

	"xyra"
	"xyra/auth"
	"xyra/store"
)

func (s *Server) apiKeyRoutes() []*route {
	const tag = "api-keys"
	return []*route{
		{method: http.MethodGet, path: "/api-keys", summary: "List own API keys", tag: tag, rights: people, operation: endpoint(s.listAPIKeys)},
		{method: http.MethodGet, path: "/api-keys/organization/all", summary: "List the organization's API keys", tag: tag, rights: admins, operation: endpoint(s.listOrganizationAPIKeys)},
		{method: http.MethodPost, path: "/api-keys", summary: "Create an API key", tag: tag, rights: people, operation: endpoint(s.createAPIKey)},
		{method: http.MethodGet, path: "/api-keys/{api_key_id}", summary: "Read an API key", tag: tag, rights: people, operation: endpoint(s.readAPIKey)},
		{method: http.MethodPut, path: "/api-keys/{api_key_id}", summary: "Change an API key", tag: tag, rights: people, operation: endpoint(s.updateAPIKey)},
		{method: http.MethodDelete, path: "/api-keys/{api_key_id}", summary: "Delete an API key", tag: tag, rights: people, operation: endpoint(s.deleteAPIKey)},
		{method: http.MethodPost, path: "/api-keys/{api_key_id}/deactivate", summary: "Deactivate an API key", tag: tag, rights: people, operation: endpoint(s.deactivateAPIKey)},
	}
}

type apiKeyOut struct {
	Name         string              `json:"name"`
	Description  *string             `json:"description"`
	ExpiresAt    *instant            `json:"expires_at"`
	ID           xyra.APIKeyID       `json:"id"`
	User         xyra.UserID         `json:"user_id"`
	Organization xyra.OrganizationID `json:"organization_id"`
	Prefix       string              `json:"key_prefix"`
	IsActive     bool                `json:"is_active"`
	LastUsed     *instant            `json:"last_used"`
	CreatedAt    instant             `json:"created_at"`
}

func newAPIKeyOut(k xyra.APIKey) apiKeyOut {
	return apiKeyOut{k.Name, k.Description, instantOrNil(k.ExpiresAt), k.ID, k.User, k.Organization, k.Prefix, k.IsActive,
		instantOrNil(k.LastUsed), instant(k.CreatedAt)}
}

// newAPIKeyAnswer passes an error on beside the key that a verb returned.
func newAPIKeyAnswer(k xyra.APIKey, err error) (apiKeyOut, error) { return newAPIKeyOut(k), err }

func (s *Server) listAPIKeys(c *call, in *paging) ([]apiKeyOut, error) {
	keys, err := auth.APIKeys(c.context(), c.db().Reader, c.caller, in.Skip, in.Limit)
	list := make([]apiKeyOut, len(keys))
	for i, k := range keys {
		list[i] = newAPIKeyOut(k)
	}
	return list, err
}

type ownedAPIKeyOut struct {
	apiKeyOut
	Owner keyOwnerOut `json:"user"`
}

type keyOwnerOut struct {
	ID       xyra.UserID `json:"id"`
	Email    string      `json:"email"`
	FullName *string     `json:"full_name"`
}

func (s *Server) listOrganizationAPIKeys(c *call, in *paging) ([]ownedAPIKeyOut, error) {
	keys, err := auth.OrganizationAPIKeys(c.context(), c.db().Reader, c.caller, in.Skip, in.Limit)
	list := make([]ownedAPIKeyOut, len(keys))
	for i, k := range keys {
		list[i] = ownedAPIKeyOut{newAPIKeyOut(k.APIKey), keyOwnerOut{k.User, k.OwnerEmail, k.OwnerFullName}}
	}
	return list, err
}

type createAPIKeyIn struct {
	Name        string
	Description *string
	ExpiresAt   *time.Time
}

func (in *createAPIKeyIn) fields() []field {
	return []field{
		text("name", &in.Name).required().max(100),
		text("description", &in.Description),
		moment("expires_at", &in.ExpiresAt),
	}
}

type createdAPIKeyOut struct {
	apiKeyOut
	Token *string `json:"token"` // null in a replay: secrets are not kept
}

func (s *Server) createAPIKey(c *call, in *createAPIKeyIn) (createdAPIKeyOut, error) {
	secret, err := s.gate.NewKeySecret()
	if err != nil {
		return createdAPIKeyOut{}, err
	}
	return writeRedacted(c, func(ctx context.Context, tx *store.Tx) (createdAPIKeyOut, error) {
		k, err := auth.CreateAPIKey(ctx, tx, c.caller, xyra.APIKey{Name: in.Name, Description: in.Description, ExpiresAt: in.ExpiresAt}, secret)
		return createdAPIKeyOut{newAPIKeyOut(k), &secret}, err
	}, func(out createdAPIKeyOut) createdAPIKeyOut {
		out.Token = nil
		return out
	})
}

type apiKeyIn struct{ ID xyra.APIKeyID }

func (in *apiKeyIn) params() []param { return []param{pathID("api_key_id", &in.ID)} }

func (s *Server) readAPIKey(c *call, in *apiKeyIn) (apiKeyOut, error) {
	return newAPIKeyAnswer(auth.APIKey(c.context(), c.db().Reader, c.caller, in.ID, "access API keys"))
}

type updateAPIKeyIn struct {
	apiKeyIn
	Name        Opt[string]
	Description Opt[string]
	IsActive    Opt[bool]
	ExpiresAt   Opt[time.Time]
}

func (in *updateAPIKeyIn) fields() []field {
	return []field{
		text("name", &in.Name).max(100),
		text("description", &in.Description).nullable(),
		boolean("is_active", &in.IsActive),
		moment("expires_at", &in.ExpiresAt).nullable(),
	}
}

func (in *updateAPIKeyIn) change() auth.APIKeyChange {
	change := auth.APIKeyChange{Name: in.Name.Ptr(), IsActive: in.IsActive.Ptr()}
	if in.Description.Set {
		description := in.Description.Ptr()
		change.Description = &description
	}
	if in.ExpiresAt.Set {
		expires := in.ExpiresAt.Ptr()
		change.ExpiresAt = &expires
	}
	return change
}

func (s *Server) updateAPIKey(c *call, in *updateAPIKeyIn) (apiKeyOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (apiKeyOut, error) {
		return newAPIKeyAnswer(auth.UpdateAPIKey(ctx, tx, c.caller, in.ID, in.change()))
	})
}

func (s *Server) deactivateAPIKey(c *call, in *apiKeyIn) (apiKeyOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (apiKeyOut, error) {
		return newAPIKeyAnswer(auth.DeactivateAPIKey(ctx, tx, c.caller, in.ID))
	})
}

type messageOut struct {
	Message string `json:"message"`
}

func (s *Server) deleteAPIKey(c *call, in *apiKeyIn) (messageOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (messageOut, error) {
		return messageOut{"API key deleted successfully"}, auth.DeleteAPIKey(ctx, tx, c.caller, in.ID)
	})
}
