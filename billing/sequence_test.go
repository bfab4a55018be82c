package billing_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"xyra"
	"xyra/money"
	"xyra/pricing"
	"xyra/store"
	"xyra/store/storetest"
)

// stepsEach is how long a random sequence is.
const stepsEach = 40

// In any order of usage, generations and cancellations: an issued invoice never changes, and in the end everything that
// was used is billed once, at its exact charge. XYRA_TEST_LONG plays more; a failure names its seed.
func TestGenerate_AnyOrderBillsEverythingOnce(t *testing.T) {
	sequences := uint64(12)
	if os.Getenv("XYRA_TEST_LONG") != "" {
		sequences = 2000
	}
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		clock.Set(at(t, "2024-07-02"))
		var w *world
		for seed := range sequences {
			w = newWorld(t, db, "USD", "UTC")
			playSequence(t, w, rand.New(rand.NewPCG(seed, 1)))
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		w.verify() // of all sequences
	})
}

func playSequence(t *testing.T, w *world, random *rand.Rand) {
	model := w.model()
	components := []pricing.Component{activity(t, "call", "0.007"), outcome(t, "sale", "3.3")}
	versions := []xyra.VersionID{w.version(model, xyra.ModelHybrid, "2024-01-01", components...), w.version(model, xyra.ModelHybrid, "2024-03-03", components...)}
	agents := []xyra.AgentID{w.agent("One", model, ""), w.agent("Two", 0, "")}
	issued := map[xyra.InvoiceID]string{}
	var open []xyra.InvoiceID
	used := money.Decimal{}
	generate := func(month int64) {
		i, err := w.generate(2024, month, "")
		switch {
		case err == nil:
			issued[i.ID], open = lines(i), append(open, i.ID)
		case !xyra.HasCode(err, xyra.CodeConflict) && !xyra.HasCode(err, xyra.CodeInvalid):
			t.Fatal(err)
		}
	}
	for range stepsEach {
		switch random.IntN(5) {
		case 0:
			generate(1 + random.Int64N(5))
		case 1:
			if len(open) > 0 {
				n := random.IntN(len(open))
				w.cancel(open[n])
				open = append(open[:n], open[n+1:]...)
			}
		default:
			c := random.IntN(len(components))
			quantity := dec(t, fmt.Sprintf("%d.%03d", random.IntN(1000), random.IntN(1000)))
			charge := pricing.Rate(components[c], quantity)
			used = used.Add(charge)
			w.use(xyra.Period(202401+random.IntN(5)), agents[random.IntN(2)], versions[random.IntN(2)], c, "USD", quantity.Canonical(), charge.Canonical())
		}
	}
	for month := range int64(6) {
		generate(month + 1)
	}
	billed := money.Decimal{}
	for id, text := range issued {
		i, err := w.db.Invoice(t.Context(), w.org, id)
		if err != nil {
			t.Fatal(err)
		}
		want(t, lines(i), text)
		if i.Status == xyra.InvoicePending {
			for _, l := range i.Lines {
				billed = billed.Add(l.Quantity.Mul(l.UnitPrice))
			}
		}
	}
	if !billed.Equal(used) {
		t.Errorf("%s was used, %s is billed", used, billed)
	}
}
