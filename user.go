package xyra

import "time"

// UserID identifies a user.
type UserID int64

// Role is what a member may do inside the own organization.
type Role string

// The two roles of members; superusers stand above both.
const (
	RoleUser  Role = "user"
	RoleAdmin Role = "admin"
)

// User is a person with a password.
type User struct {
	ID           UserID
	Organization OrganizationID // 0: belongs to none
	Email        string         // as given, domain in lower case
	EmailKey     string         // folded: unique among users that are not archived
	FullName     *string
	PasswordHash string
	IsActive     bool
	IsSuperuser  bool
	Role         Role
	TokenVersion int64 // tokens that carry an older number are refused
	LastLogin    *time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
}
