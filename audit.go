package xyra

import "encoding/json"

// AuditEntry says who changed what. The store adds time, sequence and hash when it is written.
type AuditEntry struct {
	Organization OrganizationID // 0: the platform
	Action       string         // "agent.create", "invoice.pay", …
	ObjectID     int64
	Detail       json.RawMessage // what was changed, without secrets; nil for none
	Seal         []byte          // a digest of the object after the change, where there is one; nil for none
}
