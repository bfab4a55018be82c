package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// world is a customer with agents, made through the API as an operator would.
type world struct {
	operator     *apiClient
	organization int64
	agents       []int64
	key          string
}

type fields map[string]any

// apiClient speaks to the API at leisure; what is timed goes through the load generator.
type apiClient struct {
	root, credential string
}

func (c *apiClient) post(ctx context.Context, path string, body, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.send(ctx, http.MethodPost, path, "application/json", bytes.NewReader(raw), out)
}

func (c *apiClient) send(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.root+path, body)
	if err != nil {
		return err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.credential != "" {
		r.Header.Set("Authorization", "Bearer "+c.credential)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s answers %s: %s", method, path, answer.Status, raw)
	}
	return json.Unmarshal(raw, out)
}

func login(ctx context.Context, root, email, password string) (*apiClient, error) {
	form := url.Values{"username": {email}, "password": {password}}.Encode()
	var token struct {
		Access string `json:"access_token"`
	}
	c := &apiClient{root: root}
	err := c.send(ctx, http.MethodPost, "/auth/login", "application/x-www-form-urlencoded", strings.NewReader(form), &token)
	return &apiClient{root: root, credential: token.Access}, err
}

type madeObject struct {
	ID int64 `json:"id"`
}

// makeWorld makes a customer whose agents share one billing model: a base fee, two priced activities, one outcome.
func makeWorld(ctx context.Context, s *server, agents int) (*world, error) {
	operator, err := login(ctx, "http://"+s.address+"/api/v1", "admin@example.com", password)
	if err != nil {
		return nil, err
	}
	w := &world{operator: operator}
	var made madeObject
	if err := operator.post(ctx, "/organizations", fields{"name": "Customer"}, &made); err != nil {
		return nil, err
	}
	w.organization = made.ID
	model := fields{"name": "Prices", "model_type": "hybrid", "organization_id": w.organization, "hybrid_base_fee": 250,
		"hybrid_activity_configs": []fields{{"price_per_action": "0.025", "action_type": "call"}, {"price_per_action": "0.00004", "action_type": "token"}},
		"hybrid_outcome_configs":  []fields{{"outcome_type": "ticket", "percentage": 5}}}
	if err := operator.post(ctx, "/billing-models", model, &made); err != nil {
		return nil, err
	}
	modelID := made.ID
	for i := range agents {
		body := fields{"name": fmt.Sprintf("Agent %d", i), "organization_id": w.organization, "billing_model_id": modelID, "external_id": fmt.Sprintf("agent-%d", i)}
		if err := operator.post(ctx, "/agents", body, &made); err != nil {
			return nil, err
		}
		w.agents = append(w.agents, made.ID)
	}
	email := fmt.Sprintf("owner-%d@example.com", w.organization)
	if err := operator.post(ctx, "/users", fields{"email": email, "password": password, "role": "admin", "organization_id": w.organization}, &made); err != nil {
		return nil, err
	}
	owner, err := login(ctx, operator.root, email, password)
	if err != nil {
		return nil, err
	}
	var key struct {
		Token string `json:"token"`
	}
	err = owner.post(ctx, "/api-keys", fields{"name": "agents"}, &key)
	w.key = key.Token
	return w, err
}

// request is a whole HTTP request.
func request(method, path, credential, contentType string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n", method, path, credential)
	if body != nil {
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n", contentType, len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// singles are one activity for each agent, with an idempotency key that differs every time it is sent.
func (w *world) singles(now time.Time) (requests [][]byte) {
	for i, agent := range w.agents {
		body := fmt.Appendf(nil, `{"activity_type":"call","activity_metadata":{"model":"m-1","tokens":%d},"quantity":%d,"timestamp":"%s","idempotency_key":"%s"}`,
			1800+i, 1+i%7, now.UTC().Format("2006-01-02T15:04:05.000000Z"), keyMark)
		requests = append(requests, request(http.MethodPost, fmt.Sprintf("/api/v1/agents/%d/activities", agent), w.key, "application/json", body))
	}
	return requests
}
