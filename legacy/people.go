package legacy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"xyra"
	"xyra/money"
)

// organization reads one.
func organization(r record) xyra.Organization {
	created := r.timeOr("created_at", unknownTime)
	o := xyra.Organization{ID: xyra.OrganizationID(r.number("id")), Name: r.textOr("name", ""), Description: r.text("description"),
		ExternalID: r.text("external_id"), Status: r.textOr("status", "active"), BillingEmail: r.text("billing_email"),
		ContactName: r.text("contact_name"), ContactPhone: r.text("contact_phone"), Timezone: r.textOr("timezone", "UTC"),
		Settings: r.json("settings", '{'), Currency: "USD", Stripe: r.text("stripe_customer_id"),
		CreatedAt: created, UpdatedAt: r.timeOr("updated_at", created)}
	if o.Settings == nil {
		o.Settings = json.RawMessage("{}")
	}
	var settings struct {
		Currency any `json:"currency"`
	}
	if json.Unmarshal(o.Settings, &settings) == nil && settings.Currency != nil {
		name, _ := settings.Currency.(string)
		if currency, active := money.ParseCurrency(name); active {
			o.Currency = currency
		} else {
			r.say.note("%s: its settings' currency %v is none: it is billed in USD", r.name(), settings.Currency)
		}
	}
	if _, err := time.LoadLocation(o.Timezone); err != nil || o.Timezone == "Local" {
		r.say.note("%s: time zone %q is unknown: UTC is taken", r.name(), o.Timezone)
		o.Timezone = "UTC"
	}
	return o
}

// user reads one. Roles that Xyra does not have become that of plain members.
func user(r record) xyra.User {
	created := r.timeOr("created_at", unknownTime)
	u := xyra.User{ID: xyra.UserID(r.number("id")), Organization: xyra.OrganizationID(r.number("organization_id")), Email: r.textOr("email", ""),
		FullName: r.text("full_name"), PasswordHash: r.textOr("hashed_password", ""), IsActive: r.truth("is_active", true),
		IsSuperuser: r.truth("is_superuser", false), Role: xyra.Role(strings.ToLower(r.textOr("role", string(xyra.RoleUser)))),
		LastLogin: r.time("last_login"), CreatedAt: created, UpdatedAt: r.timeOr("updated_at", created)}
	address, key, err := xyra.ParseEmail(u.Email)
	if u.Email, u.EmailKey = address, key; err != nil {
		u.Email = r.textOr("email", "")
		u.EmailKey = xyra.EmailKey(strings.TrimSpace(u.Email))
		r.say.note("%s: %q is no e-mail address; it stays the name to log in with", r.name(), u.Email)
	}
	if u.Role != xyra.RoleAdmin && u.Role != xyra.RoleUser {
		r.say.note("%s: role %q becomes %q", r.name(), u.Role, xyra.RoleUser)
		u.Role = xyra.RoleUser
	}
	if !strings.HasPrefix(u.PasswordHash, "$2") && !strings.HasPrefix(u.PasswordHash, "$argon2id$") {
		r.say.note("%s: the password's hash is of unknown form: set another one with xyra passwd %s", r.name(), u.Email)
	}
	return u
}

// keyShown is how much of a key is kept to recognise it by.
const keyShown = 12

// apiKey reads one. It is false when the key itself can no longer be recognised.
func apiKey(r record) (xyra.APIKey, bool) {
	created := r.timeOr("created_at", unknownTime)
	k := xyra.APIKey{ID: xyra.APIKeyID(r.number("id")), Organization: xyra.OrganizationID(r.number("organization_id")),
		User: xyra.UserID(r.number("user_id")), Name: r.textOr("name", ""), Description: r.text("description"), Prefix: r.textOr("key_prefix", ""),
		IsActive: r.truth("is_active", true), ExpiresAt: r.time("expires_at"), LastUsed: r.time("last_used"),
		CreatedAt: created, UpdatedAt: r.timeOr("updated_at", created)}
	kept := r.textOr("key_hash", "")
	if hash, err := hex.DecodeString(strings.TrimPrefix(kept, "sha256:")); err == nil && len(hash) == sha256.Size {
		k.Hash = hash
		return k, true
	}
	secret := r.textOr("key", "")
	if secret == "" && strings.HasPrefix(kept, "xyra_") {
		secret = kept
	}
	if secret == "" {
		return k, false
	}
	sum := sha256.Sum256([]byte(secret))
	k.Hash = sum[:]
	if k.Prefix == "" {
		k.Prefix = secret[:min(keyShown, len(secret))] + "..."
	}
	return k, true
}

// agent reads one.
func agent(r record) xyra.Agent {
	created := r.timeOr("created_at", unknownTime)
	a := xyra.Agent{ID: xyra.AgentID(r.number("id")), Organization: xyra.OrganizationID(r.number("organization_id")), Name: r.textOr("name", ""),
		Description: r.text("description"), Config: r.json("config", '{'), IsActive: r.truth("is_active", true), ExternalID: r.text("external_id"),
		Status: r.textOr("status", "active"), Type: r.text("type"), Capabilities: r.json("capabilities", '['),
		BillingModel: xyra.BillingModelID(r.number("billing_model_id")), CreatedAt: created, UpdatedAt: r.timeOr("updated_at", created)}
	a.LastActive = r.timeOr("last_active", created)
	if a.Capabilities == nil {
		a.Capabilities = json.RawMessage("[]")
	}
	return a
}
