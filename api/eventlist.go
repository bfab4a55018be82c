package api

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"xyra"
	"xyra/store"
)

func (s *Server) eventListRoutes() []*route {
	const order = ", newest first"
	return []*route{
		{method: http.MethodGet, path: "/agents/{agent_id}/activities", summary: "List an agent's activities" + order, tag: "events", rights: anyCaller, operation: endpoint(s.activities)},
		{method: http.MethodGet, path: "/agents/{agent_id}/costs", summary: "List an agent's costs" + order, tag: "events", rights: anyCaller, operation: endpoint(s.costs)},
		{method: http.MethodGet, path: "/agents/{agent_id}/outcomes", summary: "List an agent's outcomes" + order, tag: "events", rights: anyCaller, operation: endpoint(s.outcomes)},
	}
}

type eventListIn struct {
	Agent    int64
	Type     *string
	From, To Opt[time.Time]
	After    Opt[string]
	Limit    int64
}

func (in *eventListIn) params() []param {
	return []param{
		pathID("agent_id", &in.Agent),
		queryText("type", &in.Type).explained("Only events of this type."),
		queryTime("from", &in.From).explained("Only events of this instant and later."),
		queryTime("to", &in.To).explained("Only events of this instant and earlier."),
		queryText("after", &in.After).explained("The next of the page before."),
		queryInt("limit", &in.Limit).byDefault(100).min(1).max(1000),
	}
}

// eventList is one page of a list that is walked by cursor.
type eventList[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"` // null: this was the last page
}

type activityPageOut eventList[activityOut]

type costPageOut eventList[costOut]

type outcomePageOut eventList[outcomeOut]

func (s *Server) activities(c *call, in *eventListIn) (activityPageOut, error) {
	p, err := eventPage(c, in, xyra.Activity, newActivityOut)
	return activityPageOut(p), err
}

func (s *Server) costs(c *call, in *eventListIn) (costPageOut, error) {
	p, err := eventPage(c, in, xyra.Cost, newCostOut)
	return costPageOut(p), err
}

func (s *Server) outcomes(c *call, in *eventListIn) (outcomePageOut, error) {
	p, err := eventPage(c, in, xyra.Outcome, newOutcomeOut)
	return outcomePageOut(p), err
}

// eventPage reads one event more than it shows, to know whether there is a next page.
func eventPage[T any](c *call, in *eventListIn, kind xyra.EventKind, show func(xyra.Event) T) (eventList[T], error) {
	filter := store.EventFilter{Type: in.Type, From: in.From.Ptr(), To: in.To.Ptr()}
	if in.After.Set {
		cursor, ok := parseCursor(in.After.Value)
		if !ok {
			return eventList[T]{}, unprocessable{valueErrorItem("not a cursor of this list", in.After.Value, "query", "after")}
		}
		filter.After = &cursor
	}
	agent, err := c.agent(in.Agent)
	if err != nil {
		return eventList[T]{}, err
	}
	events, err := c.db().AgentEvents(c.context(), agent.Organization, agent.ID, kind, filter, in.Limit+1)
	if err != nil {
		return eventList[T]{}, err
	}
	var next *string
	if int64(len(events)) > in.Limit {
		events = events[:in.Limit]
		text := cursorAt(events[len(events)-1])
		next = &text
	}
	return eventList[T]{shownAll(events, show), next}, nil
}

// cursorAt is the text of the place behind an event; clients give it back as it is.
func cursorAt(e xyra.Event) string { return cursorText(xyra.Micros(e.Timestamp), int64(e.ID)) }

func parseCursor(text string) (store.EventCursor, bool) {
	micros, id, ok := parseCursorText(text)
	return store.EventCursor{Timestamp: xyra.FromMicros(micros), ID: xyra.EventID(id)}, ok
}

// cursorText is a place that two numbers name.
func cursorText(first, second int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(first, 10) + "." + strconv.FormatInt(second, 10)))
}

func parseCursorText(text string) (first, second int64, ok bool) {
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return 0, 0, false
	}
	one, other, _ := strings.Cut(string(plain), ".")
	if first, err = strconv.ParseInt(one, 10, 64); err != nil {
		return 0, 0, false
	}
	second, err = strconv.ParseInt(other, 10, 64)
	return first, second, err == nil
}
