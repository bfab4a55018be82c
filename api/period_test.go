package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"xyra"
	"xyra/usage"
)

// Zones whose clocks do what clocks can do: fourteen hours ahead and twelve behind, quarter and half hours, midnights on
// the first of a month that do not exist (Asuncion 2017-10) or come twice (Havana 2020-11), a day left out (Apia 2011-12).
var zones = []string{"UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York", "Europe/London", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu",
	"Asia/Kolkata", "America/St_Johns", "America/Asuncion", "America/Havana", "Pacific/Apia", "Africa/Cairo", "Asia/Amman", "America/Sao_Paulo",
	"Pacific/Chatham", "Antarctica/Troll", "Asia/Tehran", "America/Scoresbysund", "Africa/Casablanca", "Pacific/Pago_Pago"}

// Months of 28, 29, 30 and 31 days, a year's first and last, and those in which the clocks above misbehave.
var months = []string{"2012-01", "2017-10", "2020-11", "2023-03", "2023-11", "2024-01", "2024-02", "2024-03", "2024-04", "2024-05"}

// begin looks minute by minute for the first moment that a calendar on the wall of the zone shows the month.
func begin(t *testing.T, month string, zone *time.Location) time.Time {
	t.Helper()
	first, err := time.Parse("2006-01", month)
	if err != nil {
		t.Fatal(err)
	}
	for at := first.Add(-26 * time.Hour); at.Before(first.Add(26 * time.Hour)); at = at.Add(time.Minute) {
		if at.In(zone).Format("2006-01") == month {
			return at
		}
	}
	t.Fatalf("%s does not begin in %s", month, zone)
	return first
}

// edges are the last and first moments around the beginnings of months and around changes of the clock.
func edges(t *testing.T, zone *time.Location) (all []time.Time) {
	t.Helper()
	for _, month := range months {
		first := begin(t, month, zone)
		all = append(all, first.Add(-time.Microsecond), first)
	}
	at := time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC)
	for range 2 {
		_, change := at.In(zone).ZoneBounds()
		if change.IsZero() || change.Year() > 2024 {
			break
		}
		all = append(all, change.Add(-time.Microsecond), change)
		at = change
	}
	return all
}

// zoneBook is what one organization recorded and what its invoices must say: each event weighs another power of two, so
// that a sum tells which events are in it.
type zoneBook struct {
	*tenant
	agent  string
	weight int64
	want   map[xyra.Period]int64
}

// newZoneBook opens a book; root, the superuser's token, does everything in it.
func newZoneBook(t *testing.T, s *Server, root, name, zone string) *zoneBook {
	t.Helper()
	b := &zoneBook{tenant: &tenant{t: t, s: s, root: root, admin: root}, weight: 1, want: map[xyra.Period]int64{}}
	b.id = b.must(http.MethodPost, "/organizations", root, `{"name":"`+name+`","timezone":"`+zone+`"}`, "id")
	model := b.model(`"model_type":"activity","activity_price_per_action":0.01,"activity_action_type":"call"`)
	b.agent = b.tenant.agent("bot", `,"billing_model_id":`+model)
	return b
}

// record posts events at these moments, one by one or as a batch, and books them to the months on the zone's wall.
func (b *zoneBook) record(zone *time.Location, moments []time.Time) {
	b.t.Helper()
	var batch []string
	for n, at := range moments {
		stamp := at.In(zone).Format("2006-01-02T15:04:05.000000-07:00")
		if n%2 == 0 {
			stamp = at.UTC().Format("2006-01-02T15:04:05.000000")
		}
		event := fmt.Sprintf(`{"activity_type":"call","quantity":%d,"timestamp":"%s"`, b.weight, stamp)
		if n%8 == 0 {
			b.event(b.agent, "activities", event+"}")
		} else {
			batch = append(batch, event+`,"kind":"activity","agent_id":`+b.agent+"}")
		}
		local := at.In(zone)
		b.want[xyra.NewPeriod(local.Year(), local.Month())] += b.weight
		b.weight *= 2
	}
	if got := b.must(http.MethodPost, "/events", b.admin, envelope(batch...), "accepted"); got != fmt.Sprint(len(batch)) {
		b.t.Errorf("%s of %d events were accepted", got, len(batch))
	}
}

// bill generates every month and compares what is on the invoices.
func (b *zoneBook) bill(zone string) {
	b.t.Helper()
	for _, period := range slices.Sorted(maps.Keys(b.want)) {
		w := ask(b.s, http.MethodPost, fmt.Sprintf("/api/v1/invoices/generate/monthly?org_id=%s&year=%d&month=%d", b.id, period.Year(), period.Month()), b.root, "")
		line := fmt.Sprintf(`"quantity":%d.0,`, b.want[period])
		if w.Code != http.StatusOK || strings.Count(w.Body.String(), `"quantity":`) != 1 || !strings.Contains(w.Body.String(), line) {
			b.t.Errorf("%s in %s: %d %s, want %s", period, zone, w.Code, w.Body, line)
		}
		next := period.Month()%12 + 1
		year := period.Year() + int(period.Month())/12
		if b.want[xyra.NewPeriod(year, next)] == 0 {
			w := ask(b.s, http.MethodPost, fmt.Sprintf("/api/v1/invoices/generate/monthly?org_id=%s&year=%d&month=%d", b.id, year, next), b.root, "")
			if w.Code != http.StatusBadRequest {
				b.t.Errorf("the month after %s in %s: %d %s", period, zone, w.Code, w.Body)
			}
		}
	}
}

// Whatever its zone's clock does, an event is in the month that the calendar there shows, and on one invoice.
func TestPeriods_EdgesAreExactInEveryZone(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		root := (&tenant{t: t, s: s}).login(superuserEmail, superuserPassword)
		for n, name := range zones {
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			b := newZoneBook(t, s, root, fmt.Sprint("zone", n), name)
			b.record(zone, edges(t, zone))
			b.bill(name)
		}
		if faults, err := usage.Verify(t.Context(), s.db); err != nil || len(faults) > 0 {
			t.Error(faults, err)
		}
	})
}

// An organization that moves takes none of its events along: each stays in the month it was recorded in, though the same
// moments are in others for events that come later.
func TestPeriods_MovingLeavesEventsWhereTheyAre(t *testing.T) {
	eachServer(t, Options{}, func(t *testing.T, s *Server) {
		const west, east = "Etc/GMT+12", "Pacific/Kiritimati"
		b := newZoneBook(t, s, (&tenant{t: t, s: s}).login(superuserEmail, superuserPassword), "mover", west)
		for n, name := range []string{west, east, "America/New_York", east, west} {
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				b.must(http.MethodPut, "/organizations/"+b.id, b.admin, `{"timezone":"`+name+`"}`, "id")
			}
			first := begin(t, "2024-03", zone)
			b.record(zone, []time.Time{first.Add(-time.Microsecond), first, time.Date(2024, 2, 29, 10, 0, 0, 0, time.UTC), time.Date(2024, 3, 1, 11, 59, 59, 999999000, time.UTC)})
		}
		b.bill("five zones")
	})
}
