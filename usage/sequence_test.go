package usage_test

import (
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"xyra"
	"xyra/pricing"
	"xyra/store"
	"xyra/store/storetest"
	"xyra/usage"
)

// naive keeps what a sequence of operations must lead to, in rational numbers and without any rollup.
type naive struct {
	agents     []xyra.AgentID
	prices     []*big.Rat // of a call, by version
	from       []time.Time
	charged    *big.Rat
	accepted   map[string]usage.Draft
	lastKey    int
	quantities *big.Rat
}

func (n *naive) priceAt(at time.Time) *big.Rat {
	price := n.prices[0]
	for i, from := range n.from {
		if i > 0 && !from.After(at) {
			price = n.prices[i]
		}
	}
	return price
}

func rat(text string) *big.Rat {
	r, _ := new(big.Rat).SetString(text)
	return r
}

// TestRecord_RandomSequencesEqualANaiveModel sends new, repeated, altered, late and early events in requests of several
// sizes between price changes and compares the sums with a model that knows no rollups. XYRA_TEST_LONG runs more.
func TestRecord_RandomSequencesEqualANaiveModel(t *testing.T) {
	sequences, steps := 6, 60
	if os.Getenv("XYRA_TEST_LONG") != "" {
		sequences, steps = 400, 200
	}
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		for i := range sequences {
			seed := rand.Uint64()
			t.Logf("sequence %d has seed %d", i, seed)
			random := rand.New(rand.NewPCG(seed, 0))
			w := newWorld(t, db, clock)
			n := &naive{agents: []xyra.AgentID{w.agent, w.newAgent(w.model)}, prices: []*big.Rat{rat("0.335")}, from: []time.Time{{}},
				charged: new(big.Rat), quantities: new(big.Rat), accepted: map[string]usage.Draft{}}
			for range steps {
				if random.IntN(12) == 0 {
					n.changePrice(w, random)
				} else {
					n.send(w, random)
				}
				clock.Advance(time.Duration(random.Int64N(int64(36 * time.Hour))))
			}
			w.verify()
			quantity, charge := w.totals()
			if rat(quantity.Canonical()).Cmp(n.quantities) != 0 || rat(charge.Canonical()).Cmp(n.charged) != 0 {
				t.Errorf("seed %d: period usage is %s for %s, the model says %s for %s", seed, quantity, charge, n.quantities.FloatString(12), n.charged.FloatString(26))
			}
		}
	})
}

func (n *naive) changePrice(w *world, random *rand.Rand) {
	price := dec("0.01").Mul(dec([]string{"1", "33.5", "0.0007"}[random.IntN(3)]))
	w.newVersion(w.model, []pricing.Component{{Kind: pricing.Activity, Type: "call", Price: price}})
	n.prices, n.from = append(n.prices, rat(price.Canonical())), append(n.from, w.clock.Now())
}

// send makes a request of one to four events; each is new, a repeat, or a repeat with other content.
func (n *naive) send(w *world, random *rand.Rand) {
	drafts := make([]usage.Draft, 1+random.IntN(4))
	for i := range drafts {
		drafts[i] = n.draft(w, random)
	}
	for i, result := range w.record(drafts...) {
		d := drafts[i]
		before, known := n.accepted[d.IdempotencyKey]
		switch {
		case known && slices.Equal(before.Digest, d.Digest):
			if result.Err != nil || !result.Replayed {
				w.t.Errorf("a repeat gave %+v", result)
			}
		case known:
			if !xyra.HasCode(result.Err, xyra.CodeConflict) {
				w.t.Errorf("an altered repeat gave %+v", result)
			}
		case result.Err != nil || result.Replayed:
			w.t.Errorf("a new event gave %+v", result)
		default:
			if d.IdempotencyKey != "" {
				n.accepted[d.IdempotencyKey] = d
			}
			quantity := rat(d.Quantity.Canonical())
			n.quantities.Add(n.quantities, quantity)
			n.charged.Add(n.charged, new(big.Rat).Mul(quantity, n.priceAt(d.Timestamp)))
		}
	}
}

func (n *naive) draft(w *world, random *rand.Rand) usage.Draft {
	key := ""
	switch random.IntN(4) {
	case 0: // no key
	case 1:
		key = keyName(random.IntN(n.lastKey + 1)) // perhaps known
	default:
		n.lastKey++
		key = keyName(n.lastKey)
	}
	if before, known := n.accepted[key]; known && random.IntN(2) == 0 {
		return before
	}
	d := w.draft(key, []string{"1", "0.1", "12345.000000000001", "3"}[random.IntN(4)])
	d.Agent = n.agents[random.IntN(len(n.agents))]
	d.Timestamp = w.clock.Now().Add(-time.Duration(random.Int64N(int64(60 * day))))
	if random.IntN(3) > 0 {
		d.Timestamp = w.clock.Now()
	}
	return w.sealed(d)
}
