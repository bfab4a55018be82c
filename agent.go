package xyra

import (
	"encoding/json"
	"time"

	"xyra/money"
)

// AgentID identifies an agent.
type AgentID int64

// Agent is a program that reports events.
type Agent struct {
	ID           AgentID
	Organization OrganizationID
	Name         string
	Description  *string
	Config       json.RawMessage // object or nil; an integer "seats" counts the seats billed
	IsActive     bool
	ExternalID   *string // unique in its organization among agents that are not archived
	Status       string
	Type         *string
	Capabilities json.RawMessage // list
	BillingModel BillingModelID  // 0: none
	CreatedAt    time.Time
	UpdatedAt    time.Time
	LastActive   time.Time
	Archived     bool
}

// Seats is the number of seats a seat component bills: the config's "seats" if that is a whole number of 0 or more, however
// it is spelled (3, 3.0), else 1.
func (a Agent) Seats() int64 {
	var config map[string]json.RawMessage
	if json.Unmarshal(a.Config, &config) != nil {
		return 1
	}
	number, err := money.ParseExact(string(config["seats"]))
	if seats, whole := number.Int64(); err == nil && whole && seats >= 0 {
		return seats
	}
	return 1
}
