package xyra

import (
	"time"

	"xyra/pricing"
)

// BillingModelID identifies a billing model.
type BillingModelID int64

// VersionID identifies one version of a billing model; 0 is none.
type VersionID int64

// ModelType names the preset a version was made from; it decides how invoice lines are worded.
type ModelType string

// The presets that the API offers.
const (
	ModelSeat     ModelType = "seat"
	ModelActivity ModelType = "activity"
	ModelOutcome  ModelType = "outcome"
	ModelHybrid   ModelType = "hybrid"
)

// BillingModel is how an organization pays for an agent. Version is the newest one.
type BillingModel struct {
	ID           BillingModelID
	Organization OrganizationID
	Name         string
	Description  *string
	IsActive     bool // informational: an inactive model still charges
	Version      Version
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Version is what a model was from an instant on. Its components never change; an edit makes another version.
type Version struct {
	ID         VersionID
	Model      BillingModelID
	From       time.Time
	Type       ModelType
	Components []pricing.Component // their order is part of the version: usage rows name a component by index
}

// VersionAt picks the version in force at an instant from a model's versions in order of From. The first version also
// covers all time before it. There must be at least one.
func VersionAt(versions []Version, at time.Time) Version {
	chosen := versions[0]
	for _, v := range versions[1:] {
		if v.From.After(at) {
			break
		}
		chosen = v
	}
	return chosen
}
