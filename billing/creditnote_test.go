package billing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"xyra"
	"xyra/store"
	"xyra/store/storetest"
)

// Whoever wants to be told of credit notes hears of every amount that is owed back, and of nothing else.
func TestCreditNotes_AreAnnouncedWithTheRowThatOwesThem(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		w := newWorld(t, db, "USD", "UTC")
		var endpoint xyra.WebhookEndpointID
		w.tx(func(ctx context.Context, tx *store.Tx) (err error) {
			if endpoint, err = tx.NewWebhookEndpointID(ctx); err != nil {
				return err
			}
			return tx.InsertWebhookEndpoint(ctx, xyra.WebhookEndpoint{ID: endpoint, Organization: w.org, URL: "https://example.com/", IsActive: true,
				Secret: []byte("sealed"), Types: []xyra.NoticeType{xyra.NoticeCreditNoteCreated}})
		})
		over, partly := w.bill("USD", "10"), w.bill("USD", "20")
		w.mustRecord(over.ID, "12.50")
		w.mustRecord(partly.ID, "4")
		w.cancel(partly.ID)
		deliveries, err := db.WebhookDeliveries(t.Context(), w.org, endpoint, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, d := range deliveries {
			var payload struct {
				Type string
				Data struct {
					Number string      `json:"invoice_number"`
					Kind   string      `json:"kind"`
					Amount json.Number `json:"amount"`
				}
			}
			if err := json.Unmarshal(d.Payload, &payload); err != nil {
				t.Fatal(err)
			}
			told = append(told, fmt.Sprint(payload.Type, " ", payload.Data.Number, " ", payload.Data.Kind, " ", payload.Data.Amount))
		}
		slices.Sort(told)
		expected := []string{"credit_note.created " + over.Number + " payment 2.5", "credit_note.created " + partly.Number + " release 4.0"}
		slices.Sort(expected)
		if !slices.Equal(told, expected) {
			t.Errorf("told %q, want %q", told, expected)
		}
	})
}
