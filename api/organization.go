package api

import (
	"context"
	"encoding/json"
	"net/http"

	"xyra"
	"xyra/catalog"
	"xyra/store"
)

func (s *Server) organizationRoutes() []*route {
	const tag = "organizations"
	return []*route{
		{method: http.MethodGet, path: "/organizations/", summary: "List organizations", tag: tag, rights: anyCaller, operation: endpoint(s.organizations)},
		{method: http.MethodPost, path: "/organizations/", summary: "Create an organization", tag: tag, rights: superusers, operation: endpoint(s.createOrganization)},
		{method: http.MethodGet, path: "/organizations/{organization_id}", summary: "Read an organization", tag: tag, rights: anyCaller, operation: endpoint(s.organization)},
		{method: http.MethodPut, path: "/organizations/{organization_id}", summary: "Update an organization", tag: tag, rights: admins, operation: endpoint(s.updateOrganization)},
		{method: http.MethodDelete, path: "/organizations/{organization_id}", summary: "Archive an organization", tag: tag, rights: superusers, operation: endpoint(s.deleteOrganization)},
	}
}

type organizationOut struct {
	Name         string              `json:"name"`
	Description  *string             `json:"description"`
	ExternalID   *string             `json:"external_id"`
	Status       string              `json:"status"`
	BillingEmail *string             `json:"billing_email"`
	ContactName  *string             `json:"contact_name"`
	ContactPhone *string             `json:"contact_phone"`
	Timezone     string              `json:"timezone"`
	Settings     json.RawMessage     `json:"settings"`
	ID           xyra.OrganizationID `json:"id"`
	CreatedAt    instant             `json:"created_at"`
	UpdatedAt    instant             `json:"updated_at"`
	Stripe       *string             `json:"stripe_customer_id"`
}

func newOrganizationOut(o xyra.Organization) organizationOut {
	return organizationOut{
		Name: o.Name, Description: o.Description, ExternalID: o.ExternalID, Status: o.Status, BillingEmail: o.BillingEmail,
		ContactName: o.ContactName, ContactPhone: o.ContactPhone, Timezone: o.Timezone, Settings: o.Settings,
		ID: o.ID, CreatedAt: instant(o.CreatedAt), UpdatedAt: instant(o.UpdatedAt), Stripe: o.Stripe,
	}
}

// shownAll turns a page of nouns into what is answered.
func shownAll[Noun, Out any](list []Noun, show func(Noun) Out) []Out {
	out := make([]Out, len(list))
	for i, noun := range list {
		out[i] = show(noun)
	}
	return out
}

func (s *Server) organizations(c *call, in *paging) ([]organizationOut, error) {
	if c.caller.Superuser {
		list, err := c.db().Organizations(c.context(), in.Skip, in.Limit)
		return shownAll(list, newOrganizationOut), err
	}
	if c.caller.Organization == 0 || in.Skip > 0 {
		return []organizationOut{}, nil
	}
	own, err := c.db().Organization(c.context(), c.caller.Organization)
	return []organizationOut{newOrganizationOut(own)}, err
}

type createOrganizationIn struct{ xyra.Organization }

func (in *createOrganizationIn) fields() []field {
	return []field{
		text("name", &in.Name).required().max(255),
		text("description", &in.Description),
		text("external_id", &in.ExternalID).max(255),
		text("status", &in.Status).byDefault("active").max(50),
		text("billing_email", &in.BillingEmail).max(255),
		text("contact_name", &in.ContactName).max(255),
		text("contact_phone", &in.ContactPhone).max(50),
		timezone("timezone", &in.Timezone).byDefault("UTC"),
		settings("settings", &in.Settings).byDefault("{}").explained("Kept as sent; its currency is the billing currency, USD if it names none."),
	}
}

func (s *Server) createOrganization(c *call, in *createOrganizationIn) (organizationOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (organizationOut, error) {
		o, err := catalog.CreateOrganization(ctx, tx, c.caller, in.Organization)
		return newOrganizationOut(o), err
	})
}

type organizationIn struct{ Organization xyra.OrganizationID }

func (in *organizationIn) params() []param {
	return []param{pathID("organization_id", &in.Organization)}
}

func (s *Server) organization(c *call, in *organizationIn) (organizationOut, error) {
	if !c.caller.Reaches(in.Organization) {
		return organizationOut{}, xyra.NotFound("Organization")
	}
	o, err := c.db().Organization(c.context(), in.Organization)
	return newOrganizationOut(o), err
}

type updateOrganizationIn struct {
	organizationIn
	Name         Opt[string]
	Description  Opt[string]
	ExternalID   Opt[string]
	Status       Opt[string]
	BillingEmail Opt[string]
	ContactName  Opt[string]
	ContactPhone Opt[string]
	Timezone     Opt[string]
	Settings     Opt[json.RawMessage]
}

func (in *updateOrganizationIn) fields() []field {
	return []field{
		text("name", &in.Name).max(255),
		text("description", &in.Description).nullable(),
		text("external_id", &in.ExternalID).nullable().max(255),
		text("status", &in.Status).max(50),
		text("billing_email", &in.BillingEmail).nullable().max(255),
		text("contact_name", &in.ContactName).nullable().max(255),
		text("contact_phone", &in.ContactPhone).nullable().max(50),
		timezone("timezone", &in.Timezone),
		settings("settings", &in.Settings).explained("Replaced whole; without a currency the present one is copied in."),
	}
}

// edit and editOrNil hand an optional field of an update to a verb; with the second one null clears the field.
func edit[T any](o Opt[T]) catalog.Edit[T] { return catalog.Edit[T]{Set: o.Set, To: o.Value} }

func editOrNil[T any](o Opt[T]) catalog.Edit[*T] { return catalog.Edit[*T]{Set: o.Set, To: o.Ptr()} }

func (s *Server) updateOrganization(c *call, in *updateOrganizationIn) (organizationOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (organizationOut, error) {
		o, err := catalog.UpdateOrganization(ctx, tx, c.caller, in.Organization, catalog.OrganizationEdit{
			Name: edit(in.Name), Description: editOrNil(in.Description), ExternalID: editOrNil(in.ExternalID), Status: edit(in.Status),
			BillingEmail: editOrNil(in.BillingEmail), ContactName: editOrNil(in.ContactName), ContactPhone: editOrNil(in.ContactPhone),
			Timezone: edit(in.Timezone), Settings: edit(in.Settings),
		})
		return newOrganizationOut(o), err
	})
}

func (s *Server) deleteOrganization(c *call, in *organizationIn) (organizationOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (organizationOut, error) {
		o, err := catalog.DeleteOrganization(ctx, tx, c.caller, in.Organization)
		return newOrganizationOut(o), err
	})
}
