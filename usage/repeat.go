package usage

import (
	"context"

	"xyra"
	"xyra/store"
)

// answerRefusedRepeats gives the first record to repeats of costs whose amount could be computed then and, since the
// agent's model has changed, cannot be computed now.
func answerRefusedRepeats(ctx context.Context, rec *store.Recording, state store.RecordingState, tickets []*ticket) error {
	var refused []*entry
	for _, t := range tickets {
		for i := range t.drafts {
			d := &t.drafts[i]
			if t.results[i].Err == nil || d.CostInputs == nil || d.IdempotencyKey == "" {
				continue
			}
			agent, err := mayRecord(state, t.caller, d.Agent, rec.Now)
			if err != nil {
				continue // refused for that, whatever is stored
			}
			e := &entry{ticket: t, draft: d, result: &t.results[i]}
			e.event = xyra.Event{Organization: agent.Organization, Kind: d.Kind, Agent: d.Agent, Source: d.Source,
				IdempotencyKey: d.IdempotencyKey, Digest: d.Digest}
			refused = append(refused, e)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	known, err := storedUnder(ctx, rec, refused)
	if err != nil {
		return err
	}
	for _, e := range refused {
		if stored, ok := known[e.key()]; ok {
			if result := repeat(e, stored); result.Err == nil {
				*e.result = result
			}
		}
	}
	return nil
}
