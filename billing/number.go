package billing

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"xyra"
	"xyra/store"
)

// suffixBytes are the lengths of the random part, try by try. Two bytes are short enough to read out; the longer ones
// only follow collisions, so that a busy day cannot run out of numbers.
var suffixBytes = [...]int{2, 2, 3, 4, 8, 16}

// claimNumber gives an invoice a free number of the day and its id.
func claimNumber(ctx context.Context, tx *store.Tx, random io.Reader, organization xyra.OrganizationID) (string, xyra.InvoiceID, error) {
	for _, length := range suffixBytes {
		suffix := make([]byte, length)
		if _, err := io.ReadFull(random, suffix); err != nil {
			return "", 0, fmt.Errorf("draw an invoice number: %w", err)
		}
		number := "INV-" + tx.Now.Format("20060102") + "-" + strings.ToUpper(hex.EncodeToString(suffix))
		id, claimed, err := tx.InsertInvoiceNumber(ctx, organization, number)
		if err != nil || claimed {
			return number, id, err
		}
	}
	return "", 0, fmt.Errorf("draw an invoice number: %d were taken", len(suffixBytes))
}
