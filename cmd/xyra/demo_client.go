package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// demoClient speaks to the API like any client: HTTP, JSON and a bearer credential.
type demoClient struct {
	http       *http.Client
	root       string // with the API's prefix
	credential string
}

func newDemoClient(root string, connections int) *demoClient {
	transport := &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, IdleConnTimeout: time.Minute, DisableCompression: true}
	return &demoClient{http: &http.Client{Transport: transport, Timeout: time.Minute}, root: root}
}

// as is the same client with another credential.
func (d *demoClient) as(credential string) *demoClient {
	return &demoClient{http: d.http, root: d.root, credential: credential}
}

// login exchanges an e-mail address and a password for a token.
func (d *demoClient) login(ctx context.Context, email, password string) (string, error) {
	form := url.Values{"username": {email}, "password": {password}}.Encode()
	var token struct {
		Access string `json:"access_token"`
	}
	err := d.send(ctx, http.MethodPost, "/auth/login", "application/x-www-form-urlencoded", strings.NewReader(form), &token)
	return token.Access, err
}

// read fills out with what a path answers.
func (d *demoClient) read(ctx context.Context, path string, out any) error {
	return d.send(ctx, http.MethodGet, path, "", nil, out)
}

// post sends a body as JSON and fills out with the answer; out may be nil.
func (d *demoClient) post(ctx context.Context, path string, body, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	return d.send(ctx, http.MethodPost, path, "application/json", bytes.NewReader(raw), out)
}

func (d *demoClient) send(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, d.root+path, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if d.credential != "" {
		request.Header.Set("Authorization", "Bearer "+d.credential)
	}
	answer, err := d.http.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(method + " " + path + " answers " + answer.Status + ": " + string(raw))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return nil
}
