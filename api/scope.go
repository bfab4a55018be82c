package api

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"xyra"
	"xyra/money"
	"xyra/strictjson"
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

// namedIDs are the fields of bodies whose ids refusals name, with how those begin.
var namedIDs = map[string]string{"organization_id": "Organization with ID ", "billing_model_id": "Billing model with ID "}

// asSent writes an id beyond 64 bits, which was read as the nearest one, as it was sent into the refusal that names it.
func (c *call) asSent(err error) error {
	var refused *xyra.Error
	if !errors.As(err, &refused) || refused.Code != xyra.CodeInvalid {
		return err
	}
	for field, begin := range namedIDs {
		id, begins := strings.CutPrefix(refused.Message, begin)
		id, ends := strings.CutSuffix(id, " not found")
		if !begins || !ends || id != strconv.FormatInt(math.MaxInt64, 10) && id != strconv.FormatInt(math.MinInt64, 10) {
			continue
		}
		body, fault := strictjson.Parse(c.raw)
		if fault != nil {
			continue
		}
		sent, there := body.Field(field)
		if !there || sent.Kind() != strictjson.Number {
			continue
		}
		if exact, err := money.ParseExact(sent.Number()); err == nil { // else it has more digits than anybody reads
			return xyra.Invalid("%s%s not found", begin, exact.Plain())
		}
	}
	return err
}
