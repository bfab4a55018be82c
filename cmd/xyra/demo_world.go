package main

import (
	"context"
	"fmt"
)

// demoCustomer is the organization that is billed.
type demoCustomer struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// demoAgent is one of the customer's agents and how it is paid for.
type demoAgent struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	model string
	terms string
}

type fields map[string]any

// demoPlan is an agent to make, with its billing model.
type demoPlan struct {
	agent, model, terms string
	prices, config      fields
}

// demoPlans has one agent of each type of billing model.
func demoPlans() []demoPlan {
	tokens := fields{"price_per_action": "0.00004", "action_type": "generated_token"}
	tickets := fields{"outcome_type": "ticket_resolved", "percentage": 5}
	return []demoPlan{
		{"Front desk", "seat", "12 seats at 29.00 a month", fields{"seat_price_per_seat": "29.00"}, fields{"seats": 12}},
		{"Writer", "activity", "0.00008 a generated token", fields{"activity_price_per_action": "0.00008", "activity_action_type": "generated_token"}, nil},
		{"Resolver", "outcome", "15% of what a resolved ticket is worth", fields{"outcome_percentage": 15, "outcome_outcome_type": "ticket_resolved"}, nil},
		{"Concierge", "hybrid", "250.00 a month, 0.00004 a generated token, 5% of a resolved ticket", fields{"hybrid_base_fee": 250,
			"hybrid_activity_configs": []fields{tokens}, "hybrid_outcome_configs": []fields{tickets}}, nil},
	}
}

// makeWorld creates the customer, its agents and an API key as an operator would, and returns a client with that key.
func makeWorld(ctx context.Context, operator *demoClient) (demoCustomer, []demoAgent, *demoClient, error) {
	var customer demoCustomer
	if err := operator.post(ctx, "/organizations", fields{"name": "Northwind Support", "billing_email": "accounts@example.com"}, &customer); err != nil {
		return customer, nil, nil, err
	}
	var agents []demoAgent
	for _, plan := range demoPlans() {
		agent, err := makeAgent(ctx, operator, customer, plan)
		if err != nil {
			return customer, nil, nil, err
		}
		agents = append(agents, agent)
	}
	key, err := makeKey(ctx, operator, customer)
	return customer, agents, operator.as(key), err
}

func makeAgent(ctx context.Context, operator *demoClient, customer demoCustomer, plan demoPlan) (demoAgent, error) {
	model := fields{"name": plan.agent + " prices", "model_type": plan.model, "organization_id": customer.ID}
	for name, value := range plan.prices {
		model[name] = value
	}
	var made struct {
		ID int64 `json:"id"`
	}
	if err := operator.post(ctx, "/billing-models", model, &made); err != nil {
		return demoAgent{}, err
	}
	agent := demoAgent{model: plan.model, terms: plan.terms}
	body := fields{"name": plan.agent, "organization_id": customer.ID, "billing_model_id": made.ID, "config": plan.config}
	return agent, operator.post(ctx, "/agents", body, &agent)
}

// makeKey gives the customer a user, and that user an API key: agents report with keys, not with passwords.
func makeKey(ctx context.Context, operator *demoClient, customer demoCustomer) (string, error) {
	email, password := fmt.Sprintf("owner-%d@example.com", customer.ID), randomText()
	if err := operator.post(ctx, "/users", fields{"email": email, "password": password, "role": "admin", "organization_id": customer.ID}, nil); err != nil {
		return "", err
	}
	token, err := operator.login(ctx, email, password)
	if err != nil {
		return "", err
	}
	var key struct {
		Token string `json:"token"`
	}
	err = operator.as(token).post(ctx, "/api-keys", fields{"name": "agents"}, &key)
	return key.Token, err
}
