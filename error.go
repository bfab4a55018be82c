package xyra

import (
	"errors"
	"fmt"
)

// Code says what kind of refusal an Error is. The HTTP wall alone turns codes into statuses.
type Code string

// The codes of every refusal the domain makes.
const (
	CodeInvalid         Code = "invalid"         // a rule of the business refuses the request as it stands
	CodeUnprocessable   Code = "unprocessable"   // a field is missing or malformed; Field says which
	CodeUnauthenticated Code = "unauthenticated" // the caller is not known
	CodeForbidden       Code = "forbidden"       // the caller is known and may not
	CodeNotFound        Code = "not_found"       // there is no such thing for this caller
	CodeConflict        Code = "conflict"        // the present state contradicts the request
	CodeLimited         Code = "limited"         // too many attempts; try again later
	CodeUnavailable     Code = "unavailable"     // overload or a database out of reach; nothing was written
)

// Error is a refusal that a caller may read. Every other error is internal and is shown to nobody.
type Error struct {
	Code    Code
	Field   string // for CodeUnprocessable: the dotted place in the body
	Message string
	Err     error // the cause, for the log only
}

// Error returns the text that the caller reads.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause, which only the log may show.
func (e *Error) Unwrap() error { return e.Err }

// Invalid refuses a request that breaks a rule of the business.
func Invalid(format string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf(format, args...)}
}

// Unprocessable refuses one field of a request body; field is dotted from the body's top ("details.seats").
func Unprocessable(field, message string) *Error {
	return &Error{Code: CodeUnprocessable, Field: field, Message: message}
}

// Unauthenticated refuses a caller that could not be identified.
func Unauthenticated(message string) *Error {
	return &Error{Code: CodeUnauthenticated, Message: message}
}

// Forbidden refuses a caller who may not do this.
func Forbidden(message string) *Error { return &Error{Code: CodeForbidden, Message: message} }

// NotFound says that this caller has no such thing: it does not exist, is archived, or belongs to somebody else.
func NotFound(noun string) *Error {
	return &Error{Code: CodeNotFound, Message: noun + " not found"}
}

// Conflict refuses a request that the present state contradicts.
func Conflict(format string, args ...any) *Error {
	return &Error{Code: CodeConflict, Message: fmt.Sprintf(format, args...)}
}

// Unavailable says that nothing was written and that the same request may succeed soon; cause goes to the log.
func Unavailable(cause error) *Error {
	return &Error{Code: CodeUnavailable, Message: "Service temporarily unavailable", Err: cause}
}

// HasCode tells whether err is, or wraps, an Error of that code.
func HasCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
