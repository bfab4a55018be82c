package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"xyra"
)

// This file is the only place that knows which refusal is which HTTP status.

const (
	textInternal    = "Internal Server Error"
	textUnavailable = "Service temporarily unavailable"
)

// errTooLarge refuses a body over its limit.
var errTooLarge = errors.New("request body too large")

// unprocessable is a 422 with its items.
type unprocessable []Item

// Error implements error; the items are what a client reads.
func (u unprocessable) Error() string { return strconv.Itoa(len(u)) + " invalid fields" }

// busy is a refusal that says when to come again.
type busy struct {
	refused    *xyra.Error
	retryAfter int // seconds
}

// Error implements error with the text that the caller reads.
func (b busy) Error() string { return b.refused.Message }

// Unwrap lets errors.As find the refusal.
func (b busy) Unwrap() error { return b.refused }

var statuses = map[xyra.Code]int{
	xyra.CodeInvalid:         http.StatusBadRequest,
	xyra.CodeUnprocessable:   http.StatusUnprocessableEntity,
	xyra.CodeUnauthenticated: http.StatusUnauthorized,
	xyra.CodeForbidden:       http.StatusForbidden,
	xyra.CodeNotFound:        http.StatusNotFound,
	xyra.CodeConflict:        http.StatusConflict,
	xyra.CodeLimited:         http.StatusTooManyRequests,
	xyra.CodeUnavailable:     http.StatusServiceUnavailable,
}

// problem turns an error into its answer; internal says that the log must hold the cause, for the client does not.
func problem(err error) (a answer, internal bool) {
	var items unprocessable
	var refused *xyra.Error
	switch {
	case errors.As(err, &items):
		return answer{status: http.StatusUnprocessableEntity, body: encode(detail{items})}, false
	case errors.Is(err, errTooLarge):
		return refusal(http.StatusRequestEntityTooLarge, "Request body too large"), false
	case !errors.As(err, &refused):
		return refusal(http.StatusInternalServerError, textInternal), true
	}
	a = refusal(statuses[refused.Code], refused.Message)
	switch refused.Code {
	case xyra.CodeUnauthenticated:
		a.set("WWW-Authenticate", "Bearer")
	case xyra.CodeUnavailable:
		a.set("Retry-After", "1")
	case xyra.CodeUnprocessable:
		if refused.Field != "" {
			a.body = encode(detail{[]Item{{Type: "value_error", Loc: fieldPlace(refused.Field), Msg: refused.Message}}})
		}
	}
	var wait busy
	if errors.As(err, &wait) {
		a.set("Retry-After", strconv.Itoa(wait.retryAfter))
	}
	return a, refused.Err != nil
}

// cause is what the log shows of an error: behind a refusal that a caller may read, the reason that he may not.
func cause(err error) error {
	if refused := (*xyra.Error)(nil); errors.As(err, &refused) && refused.Err != nil {
		return refused.Err
	}
	return err
}

// fieldPlace turns "details.seats" into ["body","details","seats"].
func fieldPlace(field string) []any {
	place := []any{"body"}
	for _, part := range strings.Split(field, ".") {
		place = append(place, part)
	}
	return place
}

// detail is the body of every refusal.
type detail struct {
	Detail any `json:"detail"`
}

func refusal(status int, text string) answer {
	return answer{status: status, body: encode(detail{text})}
}
