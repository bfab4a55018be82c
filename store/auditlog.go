package store

import (
	"context"
	"math"
	"strconv"
	"time"

	"xyra"
)

// AuditRecord is an audit entry as it stands in its chain.
type AuditRecord struct {
	xyra.AuditEntry
	Sequence        int64 // counts an organization's entries from 1, without gaps
	At              time.Time
	Caller, Request string
	Hash            []byte // over this entry and the hash before it
}

// AuditCursor is a place in the audit log: behind the entry with this organization and sequence.
type AuditCursor struct {
	Organization xyra.OrganizationID
	Sequence     int64
}

// AuditFilter narrows the audit log. Nil and zero values are no bounds.
type AuditFilter struct {
	Organization *xyra.OrganizationID // nil: every organization, and the platform, which is 0
	Action       *string
	Object       *int64
	From, To     time.Time // both inclusive
	After        *AuditCursor
}

// AuditEntries lists entries by organization, each organization's newest first.
func (r Reader) AuditEntries(ctx context.Context, f AuditFilter, limit int64) ([]AuditRecord, error) {
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !f.From.IsZero() {
		from = xyra.Micros(f.From)
	}
	if !f.To.IsZero() {
		to = xyra.Micros(f.To)
	}
	text := `SELECT organization_id, sequence, at, caller, request, action, object_id, detail, hash, seal FROM audit_entries WHERE at >= $1 AND at <= $2`
	args := []any{from, to, limit}
	bound := func(condition string, value any) {
		args = append(args, value)
		text += ` AND ` + condition + ` $` + strconv.Itoa(len(args))
	}
	if f.Organization != nil {
		bound(`organization_id =`, *f.Organization)
	}
	if f.Action != nil {
		bound(`action =`, *f.Action)
	}
	if f.Object != nil {
		bound(`object_id =`, *f.Object)
	}
	if f.After != nil {
		bound(`organization_id >=`, f.After.Organization)
		bound(`(organization_id >`, f.After.Organization)
		args = append(args, f.After.Sequence)
		text += ` OR sequence < $` + strconv.Itoa(len(args)) + `)`
	}
	return collect(ctx, r, "audit log", scanAuditRecord, text+` ORDER BY organization_id, sequence DESC LIMIT $3`, args...)
}

func scanAuditRecord(r row) (a AuditRecord, err error) {
	l, err := scanAuditLink(r)
	l.Organization = xyra.OrganizationID(l.organization)
	return AuditRecord{AuditEntry: l.AuditEntry, Sequence: l.sequence, At: xyra.FromMicros(l.at), Caller: l.caller, Request: l.request, Hash: l.stored}, err
}
