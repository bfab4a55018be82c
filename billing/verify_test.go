package billing_test

import (
	"database/sql"
	"strings"
	"testing"

	"xyra/billing"
	"xyra/store"
	"xyra/store/storetest"
)

// Whatever is changed behind the program's back in what an invoice says or bills is found.
func TestVerify_FindsEveryTampering(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = storetest.NewClock(storetest.Start).Now
		w := newWorld(t, storetest.Open(t, target), "USD", "UTC")
		model := w.model()
		v := w.version(model, "activity", "2024-01-01", activity(t, "scan", "2"))
		w.use(202401, w.agent("Scan", model, ""), v, 0, "USD", "10", "20")
		w.mustGenerate(2024, 1, "")
		w.mustRecord(w.mustCreate().ID, "3")
		w.verify()

		driver, address := "sqlite", target.Path
		if target.URL != "" {
			driver, address = "pgx", target.URL
		}
		hand, err := sql.Open(driver, address)
		if err != nil {
			t.Fatal(err)
		}
		defer hand.Close()
		for _, c := range []struct{ tamper, undo, says string }{
			{`UPDATE invoices SET amount = '21' WHERE period <> 0`, `UPDATE invoices SET amount = '20' WHERE period <> 0`, "is not the sum of its lines"},
			{`UPDATE invoice_lines SET amount = '21'`, `UPDATE invoice_lines SET amount = '20'`, "rounded"},
			{`UPDATE usage_billed SET charge = '19'`, `UPDATE usage_billed SET charge = '20'`, "bills charges of 19.0"},
			{`UPDATE usage_billed SET quantity = '11'`, `UPDATE usage_billed SET quantity = '10'`, "10.0 USD used, 11.0 billed"},
			{`UPDATE usage_billed SET line_id = line_id + 1`, `UPDATE usage_billed SET line_id = line_id - 1`, "which it does not have"},
			{`UPDATE usage_periods SET quantity = '9'`, `UPDATE usage_periods SET quantity = '10'`, "9.0 USD used, 10.0 billed"},
			{`UPDATE usage_periods SET agent_id = agent_id + 1`, `UPDATE usage_periods SET agent_id = agent_id - 1`, "0.0 USD used, 10.0 billed"},
			{`UPDATE invoices SET sequence = 3 WHERE sequence = 2`, `UPDATE invoices SET sequence = 2 WHERE sequence = 3`, "after invoice 1 of its sequence comes 3"},
			{`UPDATE invoice_sequences SET sequence = 3`, `UPDATE invoice_sequences SET sequence = 2`, "end at 2 of a sequence of 3"},
			{`UPDATE credits SET balance = '4'`, `UPDATE credits SET balance = '3'`, "credit of 4.0 USD is kept, its payments say 3.0"},
			{`UPDATE payments SET amount = '4'`, `UPDATE payments SET amount = '3'`, "payment USD of 4.0 is applied 0.0 and credited 3.0"},
			{`UPDATE payments SET applied = '3', credited = '0'`, `UPDATE payments SET applied = '0', credited = '3'`, "3.0 is settled of 0.0"},
		} {
			if _, err := hand.Exec(c.tamper); err != nil {
				t.Fatal(err)
			}
			faults, err := billing.Verify(t.Context(), w.db)
			if err != nil || !strings.Contains(strings.Join(faults, "\n"), c.says) {
				t.Errorf("%s: %v, %q", c.tamper, err, faults)
			}
			if _, err := hand.Exec(c.undo); err != nil {
				t.Fatal(err)
			}
			w.verify()
		}
	})
}
