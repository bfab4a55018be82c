package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"xyra"
	"xyra/money"
	"xyra/notice"
	"xyra/store"
	"xyra/strictjson"
)

func (s *Server) webhookEndpointRoutes() []*route {
	const tag, at = "webhooks", "/webhook-endpoints"
	return []*route{
		{method: http.MethodGet, path: at, summary: "List webhook endpoints", tag: tag, rights: admins, operation: endpoint(s.webhookEndpoints)},
		{method: http.MethodPost, path: at, summary: "Create a webhook endpoint", tag: tag, rights: admins, operation: endpoint(s.createWebhookEndpoint)},
		{method: http.MethodGet, path: at + "/{endpoint_id}", summary: "Read a webhook endpoint", tag: tag, rights: admins, operation: endpoint(s.webhookEndpoint)},
		{method: http.MethodPut, path: at + "/{endpoint_id}", summary: "Change a webhook endpoint", tag: tag, rights: admins, operation: endpoint(s.updateWebhookEndpoint)},
		{method: http.MethodDelete, path: at + "/{endpoint_id}", summary: "Delete a webhook endpoint", tag: tag, rights: admins, operation: endpoint(s.deleteWebhookEndpoint)},
		{method: http.MethodPost, path: at + "/{endpoint_id}/rotate-secret", summary: "Replace an endpoint's secret", tag: tag, rights: admins, operation: endpoint(s.rotateWebhookSecret)},
		{method: http.MethodPost, path: at + "/{endpoint_id}/test", summary: "Send a test message", tag: tag, rights: admins, operation: endpoint(s.testWebhookEndpoint)},
		{method: http.MethodGet, path: at + "/{endpoint_id}/deliveries", summary: "List what was sent to an endpoint, newest first", tag: tag, rights: admins, operation: endpoint(s.webhookDeliveries)},
		{method: http.MethodPost, path: at + "/{endpoint_id}/deliveries/{delivery_id}/replay", summary: "Send a message again", tag: tag, rights: admins, operation: endpoint(s.replayWebhookDelivery)},
	}
}

type thresholdOut struct {
	Agent    *xyra.AgentID  `json:"agent_id"`
	Currency money.Currency `json:"currency"`
	Charge   money.Decimal  `json:"charge"`
}

type webhookEndpointOut struct {
	ID             xyra.WebhookEndpointID `json:"id"`
	Organization   xyra.OrganizationID    `json:"organization_id"`
	URL            string                 `json:"url"`
	Description    *string                `json:"description"`
	Types          []xyra.NoticeType      `json:"event_types"`
	Thresholds     []thresholdOut         `json:"thresholds"`
	IsActive       bool                   `json:"is_active"`
	DisabledReason *string                `json:"disabled_reason"`
	PreviousUntil  *instant               `json:"previous_secret_until"`
	CreatedAt      instant                `json:"created_at"`
	UpdatedAt      instant                `json:"updated_at"`
}

func newWebhookEndpointOut(e xyra.WebhookEndpoint) webhookEndpointOut {
	return webhookEndpointOut{ID: e.ID, Organization: e.Organization, URL: e.URL, Description: e.Description, Types: e.Types,
		Thresholds: shownAll(e.Thresholds, func(t xyra.UsageThreshold) thresholdOut { return thresholdOut{idOrNil(t.Agent), t.Currency, t.Charge} }),
		IsActive:   e.IsActive, DisabledReason: e.DisabledReason, PreviousUntil: instantOrNil(e.PreviousUntil),
		CreatedAt: instant(e.CreatedAt), UpdatedAt: instant(e.UpdatedAt)}
}

type webhookEndpointsIn struct {
	Organization Opt[xyra.OrganizationID]
	paging
}

func (in *webhookEndpointsIn) params() []param {
	return append([]param{optQueryID("org_id", &in.Organization)}, in.paging.params()...)
}

func (s *Server) webhookEndpoints(c *call, in *webhookEndpointsIn) ([]webhookEndpointOut, error) {
	id := in.Organization.Or(c.caller.Organization)
	if !in.Organization.Set && id == 0 {
		return nil, xyra.Invalid("Organization ID is required")
	}
	organization, err := c.namedOrganization(int64(id), "Not enough permissions to access webhook endpoints for this organization")
	if err != nil {
		return nil, err
	}
	list, err := c.db().WebhookEndpoints(c.context(), organization.ID, in.Skip, in.Limit)
	return shownAll(list, newWebhookEndpointOut), err
}

type thresholdIn struct {
	Agent    *xyra.AgentID
	Currency money.Currency
	Charge   money.Decimal
}

func (in *thresholdIn) fields() []field {
	return []field{
		identityOrNull("agent_id", &in.Agent).explained("All agents together, if null or not given."),
		currencyCode("currency", &in.Currency).required(),
		decimal("charge", &in.Charge).required().over(0),
	}
}

func thresholdsOf(list []thresholdIn) []xyra.UsageThreshold {
	return shownAll(list, func(in thresholdIn) xyra.UsageThreshold {
		t := xyra.UsageThreshold{Currency: in.Currency, Charge: in.Charge}
		if in.Agent != nil {
			t.Agent = *in.Agent
		}
		return t
	})
}

// eventTypes is a list of what an endpoint may subscribe to; repeats are dropped.
func eventTypes[D slot[[]xyra.NoticeType]](name string, dst D) field {
	return of[[]xyra.NoticeType](eventTypesKind, name, dst)
}

var eventTypesKind = newKind(schema{"type": "array", "minItems": 1, "items": schema{"type": "string", "enum": eventTypeWords()}}, readEventTypes, nil)

func eventTypeWords() (words choice) {
	for _, t := range xyra.NoticeTypes() {
		words = append(words, string(t))
	}
	return words
}

func readEventTypes(_ *field, v strictjson.Value, r *report) (list []xyra.NoticeType, ok bool) {
	if !isList(v, r) {
		return nil, false
	}
	one, n, complete := &field{more: eventTypeWords()}, 0, true
	for elem := range v.Elems() {
		if r.full() {
			return nil, false
		}
		r.enterIndex(n)
		word, ok := readText(one, elem, r)
		r.leave()
		n++
		complete = complete && ok
		if t := xyra.NoticeType(word); ok && !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	return list, complete
}

type createWebhookEndpointIn struct {
	URL          string
	Description  *string
	Types        []xyra.NoticeType
	Thresholds   []thresholdIn
	IsActive     bool
	Organization *xyra.OrganizationID
}

func (in *createWebhookEndpointIn) fields() []field {
	return []field{
		text("url", &in.URL).required().max(xyra.WebhookURLMax).explained("https, a public address, no redirect."),
		text("description", &in.Description).max(500),
		eventTypes("event_types", &in.Types).required(),
		list("thresholds", &in.Thresholds).nullable().explained("Charges of a period at which usage.threshold is sent, once each period."),
		boolean("is_active", &in.IsActive).byDefault(true),
		identityOrNull("organization_id", &in.Organization).explained("The own organization, if null or not given."),
	}
}

// secretWebhookEndpointOut shows the secret, this once.
type secretWebhookEndpointOut struct {
	webhookEndpointOut
	Secret *string `json:"secret"` // null in a replay: secrets are not kept
}

func withoutSecret(out secretWebhookEndpointOut) secretWebhookEndpointOut {
	out.Secret = nil
	return out
}

func (s *Server) createWebhookEndpoint(c *call, in *createWebhookEndpointIn) (secretWebhookEndpointOut, error) {
	e := xyra.WebhookEndpoint{Organization: c.caller.Organization, URL: in.URL, Description: in.Description, Types: in.Types,
		Thresholds: thresholdsOf(in.Thresholds), IsActive: in.IsActive}
	if in.Organization != nil {
		e.Organization = *in.Organization
	}
	secret, err := s.Notices.NewSecret()
	if err != nil {
		return secretWebhookEndpointOut{}, err
	}
	return writeRedacted(c, func(ctx context.Context, tx *store.Tx) (secretWebhookEndpointOut, error) {
		created, err := s.Notices.CreateEndpoint(ctx, tx, c.caller, e, secret)
		return secretWebhookEndpointOut{newWebhookEndpointOut(created), &secret}, err
	}, withoutSecret)
}

type webhookEndpointIn struct{ ID xyra.WebhookEndpointID }

func (in *webhookEndpointIn) params() []param { return []param{pathID("endpoint_id", &in.ID)} }

func (s *Server) webhookEndpoint(c *call, in *webhookEndpointIn) (webhookEndpointOut, error) {
	e, err := notice.Endpoint(c.context(), c.db().Reader, c.caller, in.ID)
	return newWebhookEndpointOut(e), err
}

type updateWebhookEndpointIn struct {
	webhookEndpointIn
	URL         Opt[string]
	Description Opt[string]
	Types       Opt[[]xyra.NoticeType]
	Thresholds  Opt[[]thresholdIn]
	IsActive    Opt[bool]
}

func (in *updateWebhookEndpointIn) fields() []field {
	return []field{
		text("url", &in.URL).max(xyra.WebhookURLMax),
		text("description", &in.Description).max(500).nullable(),
		eventTypes("event_types", &in.Types),
		optList("thresholds", &in.Thresholds).nullable().explained("Replaces all thresholds."),
		boolean("is_active", &in.IsActive).explained("While false, nothing is sent: what happens then is not made up for."),
	}
}

func (in *updateWebhookEndpointIn) change() notice.EndpointChange {
	change := notice.EndpointChange{URL: in.URL.Ptr(), Types: in.Types.Ptr(), IsActive: in.IsActive.Ptr()}
	if in.Description.Set {
		description := in.Description.Ptr()
		change.Description = &description
	}
	if in.Thresholds.Set {
		thresholds := thresholdsOf(in.Thresholds.Value)
		change.Thresholds = &thresholds
	}
	return change
}

func (s *Server) updateWebhookEndpoint(c *call, in *updateWebhookEndpointIn) (webhookEndpointOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (webhookEndpointOut, error) {
		e, err := s.Notices.UpdateEndpoint(ctx, tx, c.caller, in.ID, in.change())
		return newWebhookEndpointOut(e), err
	})
}

func (s *Server) deleteWebhookEndpoint(c *call, in *webhookEndpointIn) (messageOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (messageOut, error) {
		return messageOut{"Webhook endpoint deleted successfully"}, notice.DeleteEndpoint(ctx, tx, c.caller, in.ID)
	})
}

func (s *Server) rotateWebhookSecret(c *call, in *webhookEndpointIn) (secretWebhookEndpointOut, error) {
	secret, err := s.Notices.NewSecret()
	if err != nil {
		return secretWebhookEndpointOut{}, err
	}
	return writeRedacted(c, func(ctx context.Context, tx *store.Tx) (secretWebhookEndpointOut, error) {
		e, err := s.Notices.RotateSecret(ctx, tx, c.caller, in.ID, secret)
		return secretWebhookEndpointOut{newWebhookEndpointOut(e), &secret}, err
	}, withoutSecret)
}

type webhookDeliveryOut struct {
	ID          xyra.WebhookDeliveryID    `json:"id"`
	Endpoint    xyra.WebhookEndpointID    `json:"endpoint_id"`
	Message     string                    `json:"message_id"`
	Type        xyra.NoticeType           `json:"event_type"`
	Payload     json.RawMessage           `json:"payload"`
	ReplayOf    *xyra.WebhookDeliveryID   `json:"replay_of"`
	State       xyra.WebhookDeliveryState `json:"state"`
	Attempts    int64                     `json:"attempts"`
	LastStatus  *int                      `json:"last_status"`
	LastError   *string                   `json:"last_error"`
	NextAttempt *instant                  `json:"next_attempt"`
	CreatedAt   instant                   `json:"created_at"`
	FinishedAt  *instant                  `json:"finished_at"`
}

func newWebhookDeliveryOut(d xyra.WebhookDelivery) webhookDeliveryOut {
	return webhookDeliveryOut{ID: d.ID, Endpoint: d.Endpoint, Message: d.Message, Type: d.Type, Payload: d.Payload, ReplayOf: idOrNil(d.ReplayOf),
		State: d.State, Attempts: int64(d.Attempts), LastStatus: d.LastStatus, LastError: d.LastError, NextAttempt: instantOrNil(d.NextAttempt),
		CreatedAt: instant(d.CreatedAt), FinishedAt: instantOrNil(d.FinishedAt)}
}

func (s *Server) testWebhookEndpoint(c *call, in *webhookEndpointIn) (webhookDeliveryOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (webhookDeliveryOut, error) {
		d, err := notice.TestEndpoint(ctx, tx, c.caller, in.ID)
		return newWebhookDeliveryOut(d), err
	})
}

type webhookDeliveriesIn struct {
	webhookEndpointIn
	paging
}

func (in *webhookDeliveriesIn) params() []param {
	return append(in.webhookEndpointIn.params(), in.paging.params()...)
}

func (s *Server) webhookDeliveries(c *call, in *webhookDeliveriesIn) ([]webhookDeliveryOut, error) {
	e, err := notice.Endpoint(c.context(), c.db().Reader, c.caller, in.ID)
	if err != nil {
		return nil, err
	}
	list, err := c.db().WebhookDeliveries(c.context(), e.Organization, e.ID, in.Skip, in.Limit)
	return shownAll(list, newWebhookDeliveryOut), err
}

type webhookDeliveryIn struct {
	webhookEndpointIn
	Delivery xyra.WebhookDeliveryID
}

func (in *webhookDeliveryIn) params() []param {
	return append(in.webhookEndpointIn.params(), pathID("delivery_id", &in.Delivery))
}

func (s *Server) replayWebhookDelivery(c *call, in *webhookDeliveryIn) (webhookDeliveryOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (webhookDeliveryOut, error) {
		d, err := notice.ReplayDelivery(ctx, tx, c.caller, in.ID, in.Delivery)
		return newWebhookDeliveryOut(d), err
	})
}
