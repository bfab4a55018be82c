package store_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
	"xyra/store/storetest"
)

// oddUsage is what rollups can hold at their limits.
func oddUsage() store.Rollups {
	start := storetest.Start
	hour := func(organization xyra.OrganizationID, agent xyra.AgentID, from time.Time, typ, quantity, charge string) xyra.SpanUsage {
		return xyra.SpanUsage{Organization: organization, Agent: agent, From: from, Kind: xyra.Outcome, Type: typ, Currency: "USD", Count: 3, ChargedCount: 2,
			Quantity: money.MustParse(quantity), Charge: money.MustParse(charge)}
	}
	wide := money.MustParse("999999999999999.999999999999").Mul(money.MustParse("999999999999999.999999999999"))
	period := xyra.PeriodUsage{Organization: 1, Period: 202405, Agent: 1, Version: 9, Component: 3, Currency: "KWD", Quantity: wide, Charge: wide.Neg()}
	later := period
	later.Organization, later.Period, later.Agent = 2, -1, math.MaxInt64
	return store.Rollups{
		Hours: []xyra.SpanUsage{
			hour(1, 1, time.Date(1969, 12, 31, 1, 0, 0, 0, time.UTC), `"quoted" \ 'and' \n`, "-1.5", "0"),
			hour(1, 1, start, "日本語 \u2028 😀 \x7f\t", "0.000000000001", "-0.000000000001"),
			hour(1, math.MaxInt64, start.AddDate(7000, 0, 0), strings.Repeat("x", 300), "999999999999999.999999999999", "1"),
			hour(2, 1, time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), "", "1", "1"),
		},
		Periods: []xyra.PeriodUsage{period, later},
	}
}

// show lists what an organization's rollups say.
func show(t *testing.T, r store.Reader, o xyra.OrganizationID) (rows []string) {
	t.Helper()
	for _, read := range []func() ([]xyra.SpanUsage, error){
		func() ([]xyra.SpanUsage, error) { return r.HourUsages(t.Context(), o) },
		func() ([]xyra.SpanUsage, error) { return r.DayUsages(t.Context(), o) },
	} {
		spans, err := read()
		must(t, err)
		for _, u := range spans {
			rows = append(rows, fmt.Sprintln(u.Name(), u.Count, u.ChargedCount, u.Quantity, u.Charge))
		}
	}
	periods, err := r.PeriodUsages(t.Context(), o)
	must(t, err)
	for _, p := range periods {
		rows = append(rows, fmt.Sprintln(p.Name(), p.Quantity, p.Charge))
	}
	slices.Sort(rows)
	return rows
}

// Whether usage is in the rollups or pending, readers see the same, and what is taken is what was written.
func TestPending_CountsLikeTheRollups(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		other := storetest.Another(t, target)
		target.Now = storetest.NewClock(storetest.Start).Now
		other.Now = target.Now
		direct, pending := storetest.Open(t, target), storetest.Open(t, other)
		add := oddUsage()
		for _, h := range add.Hours {
			h.From = h.From.Truncate(24 * time.Hour)
			add.Days = append(add.Days, h)
		}
		commit := func(db *store.DB, add store.Rollups) {
			must(t, db.Record(t.Context(), func(rec *store.Recording) error { return rec.Commit(t.Context(), add, nil) }))
		}
		for n := range 2 {
			commit(direct, add)
			add.Pending = xyra.EventID(math.MaxInt64 - n)
			commit(pending, add)
			add.Pending = 0
		}
		for o := range xyra.OrganizationID(3) {
			if got, want := show(t, pending.Reader, o), show(t, direct.Reader, o); !slices.Equal(got, want) || len(want) == 0 != (o == 0) {
				t.Errorf("organization %d shows\n%v\nwant\n%v", o, got, want)
			}
		}
		keys, err := pending.PendingKeys(t.Context(), store.PendingKey{}, 100)
		must(t, err)
		must(t, pending.Record(t.Context(), func(rec *store.Recording) error {
			taken, err := rec.TakePending(t.Context(), keys, true)
			var hours []xyra.SpanUsage
			var periods []xyra.PeriodUsage
			for _, row := range taken {
				read, err := row.Read()
				must(t, err)
				if row.ID == math.MaxInt64 {
					hours, periods = append(hours, read.Hours...), append(periods, read.Periods...)
				}
			}
			if len(taken) != 4 || fmt.Sprint(hours) != fmt.Sprint(add.Hours) || fmt.Sprint(periods) != fmt.Sprint(add.Periods) {
				t.Errorf("%d rows taken, they add\n%v\n%v\nwant\n%v\n%v", len(taken), hours, periods, add.Hours, add.Periods)
			}
			return err
		}))
		if rows := show(t, pending.Reader, 1); len(rows) == 0 {
			t.Error("a recording that was not committed has taken pending usage for good")
		}
	})
}

// Only one process folds at a time, so that none waits for another.
func TestPending_OnePostgresProcessTakesItAtATime(t *testing.T) {
	t.Parallel()
	target, one := postgres(t)
	two := storetest.Open(t, target)
	must(t, one.Record(t.Context(), func(rec *store.Recording) error {
		_, err := rec.TakePending(t.Context(), []store.PendingKey{{Organization: 1, ID: 1}}, true)
		must(t, err)
		err = two.Record(t.Context(), func(rec *store.Recording) error {
			_, err := rec.TakePending(t.Context(), []store.PendingKey{{Organization: 1, ID: 1}}, true)
			return err
		})
		if !errors.Is(err, store.ErrFolding) {
			t.Errorf("the second process got %v", err)
		}
		return nil
	}))
}

// A row that somebody has spoiled is refused with what is wrong, and stays.
func TestPending_SpoiledRowsAreRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		for fault, hours := range map[string]string{
			"8 cells":      `[[1,2,3,"a","USD",1,1,"1"]]`,
			"unreadable":   `[[1,2,3,"a","USD",1,1,"1","x"]]`,
			"unreadable:":  `[[1,2,3,"a","USD",1.5,1,"1","1"]]`,
			"out of range": `[[1,2,70000,"a","USD",1,1,"1","1"]]`,
		} {
			must(t, store.Do(t.Context(), db, `DELETE FROM usage_pending`))
			must(t, store.Do(t.Context(), db, `INSERT INTO usage_pending (organization_id, id, recorded_at, hours, periods) VALUES (1, 1, 0, '`+hours+`', '[]')`))
			must(t, db.Record(t.Context(), func(rec *store.Recording) error {
				taken, err := rec.TakePending(t.Context(), []store.PendingKey{{Organization: 1, ID: 1}}, true)
				must(t, err)
				if _, err := taken[0].Read(); err == nil || !strings.Contains(err.Error(), fault) {
					t.Errorf("%s gave %v, want %q", hours, err, fault)
				}
				return nil
			}))
		}
		if left, err := store.Texts(t.Context(), db, `SELECT hours FROM usage_pending`); err != nil || len(left) != 1 {
			t.Errorf("%v are left (%v)", left, err)
		}
	})
}

// The room of rows that were taken is used again, so that readers do not walk over more and more of it.
func TestVacuumPending_UsesRoomAgain(t *testing.T) {
	t.Parallel()
	_, db := postgres(t)
	size := func() int {
		texts, err := store.Texts(t.Context(), db, `SELECT pg_total_relation_size('usage_pending')::text`)
		must(t, err)
		n, err := strconv.Atoi(texts[0])
		must(t, err)
		return n
	}
	fillAndTake := func() {
		must(t, store.Do(t.Context(), db, `INSERT INTO usage_pending (organization_id, id, recorded_at, hours, periods)
			SELECT 1, i, 0, repeat('x', 2000), '[]' FROM generate_series(1, 1000) AS i`))
		keys, err := db.PendingKeys(t.Context(), store.PendingKey{}, 1000)
		must(t, err)
		must(t, db.Record(t.Context(), func(rec *store.Recording) error {
			taken, err := rec.TakePending(t.Context(), keys, false)
			if len(taken) != 1000 {
				t.Errorf("%d rows were taken (%v)", len(taken), err)
			}
			return rec.Commit(t.Context(), store.Rollups{}, nil)
		}))
	}
	fillAndTake()
	must(t, db.VacuumPending(t.Context()))
	once := size()
	for range 5 {
		fillAndTake()
		must(t, db.VacuumPending(t.Context()))
	}
	if now := size(); now > once*5/4 {
		t.Errorf("the table has grown from %d to %d bytes", once, now)
	}
}
