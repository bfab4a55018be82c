package xyra_test

import (
	"testing"

	"xyra"
)

// A whole number is a whole number in every spelling that JSON has; all else is one seat.
func TestAgentSeats_AreWholeNumbersOfTheConfig(t *testing.T) {
	for config, want := range map[string]int64{
		``: 1, `null`: 1, `{}`: 1, `{"seats":3}`: 3, `{"seats":3.0}`: 3, `{"seats":3e1}`: 30, `{"seats":0}`: 0, `{"seats":-0}`: 0, `{"seats":-0.0}`: 0,
		`{"seats":-1}`: 1, `{"seats":2.5}`: 1, `{"seats":"4"}`: 1, `{"seats":null}`: 1, `{"seats":true}`: 1, `{"seats":[3]}`: 1, `{"seats":{}}`: 1,
		`{"Seats":3}`: 1, `{"seats":1e999999999}`: 1, `{"seats":9223372036854775807}`: 9223372036854775807, `{"seats":9223372036854775808}`: 1,
	} {
		if got := (xyra.Agent{Config: []byte(config)}).Seats(); got != want {
			t.Errorf("%s is %d seats, want %d", config, got, want)
		}
	}
}
