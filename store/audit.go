package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	"xyra"
)

// auditRow is an audit entry with who made it, waiting for the end of its transaction.
type auditRow struct {
	xyra.AuditEntry
	caller, request string
}

// Audit adds an entry that is written when the transaction commits: the head of an organization's chain is locked last,
// so that it is never held while something else is waited for.
func (tx *Tx) Audit(caller xyra.Caller, entry xyra.AuditEntry) {
	tx.audit = append(tx.audit, auditRow{entry, caller.Name(), caller.Request})
}

func (tx *Tx) writeAudit(ctx context.Context) error {
	sort.SliceStable(tx.audit, func(i, j int) bool { return tx.audit[i].Organization < tx.audit[j].Organization })
	for _, a := range tx.audit {
		if err := tx.insertAudit(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) insertAudit(ctx context.Context, a auditRow) error {
	if _, err := tx.exec(ctx, "audit head", `INSERT INTO audit_heads (organization_id, sequence, hash) VALUES ($1, 0, $2)
		ON CONFLICT (organization_id) DO NOTHING`, a.Organization, []byte{}); err != nil {
		return err
	}
	head, err := one(ctx, tx.Reader, "Audit head", "audit head", scanAuditHead,
		`SELECT sequence, hash FROM audit_heads WHERE organization_id = $1 FOR UPDATE`, a.Organization)
	if err != nil {
		return err
	}
	next := auditLink{organization: int64(a.Organization), sequence: head.sequence + 1, at: xyra.Micros(tx.Now), auditRow: a}
	hash := next.hash(head.hash)
	if _, err := tx.exec(ctx, "audit entry", `INSERT INTO audit_entries
		(organization_id, sequence, at, caller, request, action, object_id, detail, hash, seal)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		a.Organization, next.sequence, next.at, a.caller, a.request, a.Action, a.ObjectID, textOrNil(a.Detail), hash, a.Seal); err != nil {
		return err
	}
	_, err = tx.exec(ctx, "audit head", `UPDATE audit_heads SET sequence = $2, hash = $3 WHERE organization_id = $1`, a.Organization, next.sequence, hash)
	return err
}

type auditHead struct {
	sequence int64
	hash     []byte
}

func scanAuditHead(r row) (h auditHead, err error) { return h, r.Scan(&h.sequence, &h.hash) }

// auditLink is one entry of a chain as it is hashed.
type auditLink struct {
	organization, sequence, at int64
	auditRow
}

// hash is over the hash before and every column. Entries of older programs have no seal, and the hash that they had.
func (l auditLink) hash(before []byte) []byte {
	s := newSealing()
	s.bytes(before)
	s.numbers(l.organization, l.sequence, l.at, l.ObjectID)
	s.texts(l.caller, l.request, l.Action, string(l.Detail))
	if l.Seal != nil {
		s.bytes(l.Seal)
	}
	return s.sum()
}

// errAuditBroken ends the reading of a chain at its first bad entry.
var errAuditBroken = errors.New("audit chain is broken")

// VerifyAudit recomputes every audit chain and returns one text for each chain that does not hold.
func (r Reader) VerifyAudit(ctx context.Context) (faults []string, err error) {
	heads, err := collect(ctx, r, "audit heads", func(r row) (h struct {
		organization int64
		auditHead
	}, err error) {
		return h, r.Scan(&h.organization, &h.sequence, &h.hash)
	}, `SELECT organization_id, sequence, hash FROM audit_heads ORDER BY organization_id`)
	if err != nil {
		return nil, err
	}
	headless, err := collect(ctx, r, "audit chains without head", scanValue[int64], `SELECT DISTINCT e.organization_id FROM audit_entries e
		WHERE NOT EXISTS (SELECT 1 FROM audit_heads h WHERE h.organization_id = e.organization_id) ORDER BY e.organization_id`)
	if err != nil {
		return nil, err
	}
	for _, organization := range headless {
		faults = append(faults, fmt.Sprintf("audit chain of organization %d has no head", organization))
	}
	for _, head := range heads {
		last, err := r.auditChain(ctx, head.organization)
		if errors.Is(err, errAuditBroken) {
			faults = append(faults, err.Error())
			continue
		}
		if err != nil {
			return nil, err
		}
		if last.sequence != head.sequence || string(last.hash) != string(head.hash) {
			faults = append(faults, fmt.Sprintf("audit chain of organization %d ends at %d, its head says %d", head.organization, last.sequence, head.sequence))
		}
	}
	return faults, nil
}

// auditChain walks one chain from its start and returns its end.
func (r Reader) auditChain(ctx context.Context, organization int64) (last auditHead, err error) {
	last.hash = []byte{}
	for {
		const page = 1000
		links, err := collect(ctx, r, "audit entries", scanAuditLink, `SELECT organization_id, sequence, at, caller, request, action, object_id, detail, hash, seal
			FROM audit_entries WHERE organization_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`, organization, last.sequence, page)
		if err != nil {
			return last, err
		}
		for _, l := range links {
			if l.sequence != last.sequence+1 || string(l.hash(last.hash)) != string(l.stored) {
				return last, fmt.Errorf("%w: organization %d, entry %d", errAuditBroken, organization, l.sequence)
			}
			last = auditHead{l.sequence, l.stored}
		}
		if len(links) < page {
			return last, nil
		}
	}
}

type storedAuditLink struct {
	auditLink
	stored []byte
}

func scanAuditLink(r row) (l storedAuditLink, err error) {
	var detail *string
	err = r.Scan(&l.organization, &l.sequence, &l.at, &l.caller, &l.request, &l.Action, &l.ObjectID, &detail, &l.stored, &l.Seal)
	if detail != nil {
		l.Detail = json.RawMessage(*detail)
	}
	return l, err
}
