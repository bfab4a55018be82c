package api

import (
	"xyra"
)

// This file answers "which organization's data is this about, and may the caller reach it".

// namedOrganization reads the organization that a path or query names. Who may not reach it hears text, whether it
// exists or not; a superuser hears 404 of a missing one.
func (c *call) namedOrganization(id int64, text string) (xyra.Organization, error) {
	if !c.caller.Reaches(xyra.OrganizationID(id)) {
		return xyra.Organization{}, xyra.Forbidden(text)
	}
	return c.db().Organization(c.context(), xyra.OrganizationID(id))
}

// missingOrganization is what a superuser hears of a create body that names an organization that does not exist.
func missingOrganization(id int64) error {
	return xyra.Invalid("Organization with ID %d not found", id)
}

// agent reads an agent the caller reaches; any other one is not found.
func (c *call) agent(id int64) (xyra.Agent, error) {
	if c.caller.Superuser {
		return c.db().AgentAnywhere(c.context(), xyra.AgentID(id))
	}
	return c.db().Agent(c.context(), c.caller.Organization, xyra.AgentID(id))
}

// billingModel reads a billing model the caller reaches; any other one is not found.
func (c *call) billingModel(id int64) (xyra.BillingModel, error) {
	if c.caller.Superuser {
		return c.db().BillingModelAnywhere(c.context(), xyra.BillingModelID(id))
	}
	return c.db().BillingModel(c.context(), c.caller.Organization, xyra.BillingModelID(id))
}

// invoice reads an invoice the caller reaches, with its lines; any other one is not found.
func (c *call) invoice(id int64) (xyra.Invoice, error) {
	if c.caller.Superuser {
		return c.db().InvoiceAnywhere(c.context(), xyra.InvoiceID(id))
	}
	return c.db().Invoice(c.context(), c.caller.Organization, xyra.InvoiceID(id))
}
