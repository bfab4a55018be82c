package api

// documented is implemented by inputs whose body comes in more forms than one.
type documented interface {
	content(*shapes) schema
}

// eventsIn is the body of a batch, for documents: see batch.read.
type eventsIn struct{}

func (eventsIn) content(s *shapes) schema {
	event := schema{"oneOf": []schema{
		s.input(&postedActivityIn{}, (&postedActivityIn{}).fields()),
		s.input(&postedCostIn{}, (&postedCostIn{}).fields()),
		s.input(&postedOutcomeIn{}, (&postedOutcomeIn{}).fields()),
	}}
	cloud := s.input(&cloudEventIn{}, (&cloudEventIn{}).fields())
	return schema{
		"application/json": schema{"schema": schema{"type": "object", "required": []string{"events"},
			"properties": schema{"events": schema{"type": "array", "maxItems": eventsMax, "items": event}}}},
		mediaLines:       schema{"schema": schema{"type": "string", "description": "One such event a line."}},
		mediaCloudEvent:  schema{"schema": cloud},
		mediaCloudEvents: schema{"schema": schema{"type": "array", "maxItems": eventsMax, "items": cloud}},
	}
}
