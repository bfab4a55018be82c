package usage

import (
	"fmt"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/pricing"
)

// BenchmarkRollups adds up batches of the sizes that 64 and 256 connections and one full batch make, over fifty agents.
func BenchmarkRollups(b *testing.B) {
	at := time.Date(2024, 5, 15, 12, 0, 0, 0, time.UTC)
	call := part{0, &pricing.Component{Kind: pricing.Activity, Type: "call", Price: money.MustParse("0.025")}}
	for _, size := range []int{30, 120, batchMax} {
		entries := make([]*entry, size)
		for i := range entries {
			e := xyra.Event{Organization: 1, Kind: xyra.Activity, Agent: xyra.AgentID(i % 50), Type: "call", Quantity: money.FromInt(3),
				Currency: "USD", Timestamp: at.Add(time.Duration(i) * time.Second), Period: 202405, Charge: money.MustParse("0.075"), Version: 1}
			entries[i] = &entry{event: e, parts: []part{call}, charges: []money.Decimal{e.Charge}}
		}
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rollups(entries)
			}
		})
	}
}

// BenchmarkSeal makes the digest that repeats of an event are known by.
func BenchmarkSeal(b *testing.B) {
	d := Draft{Kind: xyra.Activity, Agent: 7, Type: "call", Quantity: money.MustParse("12.5"), Timestamp: time.Date(2024, 5, 15, 12, 0, 0, 0, time.UTC),
		Details: []byte(`{"model":"m-1","tokens":1834}`), IdempotencyKey: "request-1"}
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Seal(Omitted{}); err != nil {
			b.Fatal(err)
		}
	}
}
