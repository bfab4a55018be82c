package xyra_test

import (
	"errors"
	"testing"
	"time"

	"xyra"
)

func TestParseTime_ReadsEveryForm(t *testing.T) {
	for in, want := range map[string]string{
		"2024-03-01":                        "2024-03-01T00:00:00Z",
		"2024-02-29":                        "2024-02-29T00:00:00Z",
		"2024-03-01T10:00":                  "2024-03-01T10:00:00Z",
		"2024-03-01T10:00Z":                 "2024-03-01T10:00:00Z",
		"2024-03-01t10:00:59z":              "2024-03-01T10:00:59Z",
		"2024-03-01 10:00:00":               "2024-03-01T10:00:00Z",
		"2024-03-01T10:00:00.25":            "2024-03-01T10:00:00.250000Z",
		"2024-03-01T10:00:00.2500000Z":      "2024-03-01T10:00:00.250000Z",
		"2024-03-01T10:00:00.0000019+00:00": "2024-03-01T10:00:00.000001Z",
		"2024-03-01T10:00:00+02:30":         "2024-03-01T07:30:00Z",
		"2024-03-01T00:30-01:00":            "2024-03-01T01:30:00Z",
		"2024-01-01T00:00+23:59":            "2023-12-31T00:01:00Z",
		"0001-01-01":                        "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999999Z":       "9999-12-31T23:59:59.999999Z",
		"0":                                 "1970-01-01T00:00:00Z",
		"-1.5":                              "1969-12-31T23:59:58.500000Z",
		"1709287200":                        "2024-03-01T10:00:00Z",
		"1709287200.25":                     "2024-03-01T10:00:00.250000Z",
		"1709287200.0000019":                "2024-03-01T10:00:00.000001Z",
		"1.7092872e9":                       "2024-03-01T10:00:00Z",
		"20000000000":                       "2603-10-11T11:33:20Z",
		"20000000001":                       "1970-08-20T11:33:20.001000Z",
		"1709287200250":                     "2024-03-01T10:00:00.250000Z",
		"-20000000001":                      "1969-05-14T12:26:39.999000Z",
		"253402300799999":                   "9999-12-31T23:59:59.999000Z",
		"1e-9":                              "1970-01-01T00:00:00Z",
		"2024":                              "1970-01-01T00:33:44Z",
	} {
		got, err := xyra.ParseTime(in)
		if err != nil || xyra.FormatTime(got) != want || got.Location() != time.UTC {
			t.Errorf("%q: %s %v, want %s", in, xyra.FormatTime(got), err, want)
		}
	}
}

func TestParseTime_SaysWhy(t *testing.T) {
	const extra = "unexpected extra characters at the end of the input"
	for in, why := range map[string]string{
		"": "input is too short", "soon": "input is too short", "2024-1-1": "input is too short", "2024-03": "input is too short",
		" ": "input is too short", "nan": "input is too short", "inf": "input is too short", "12:00": "input is too short",
		"not-a-date": "invalid character in year", "x024-01-01": "invalid character in year", " 2024-01-01": "invalid character in year",
		"0000-01-01": "invalid character in year", "+2024-01-01": "invalid character in year",
		"0001-01-01T00:00+00:01": "invalid character in year", "9999-12-31T23:59:59-00:01": "invalid character in year",
		"2024-x1-01": "invalid character in month", "2024-1-001": "invalid character in month",
		"2024-01-x1": "invalid character in day", "2024-01-1T": "invalid character in day",
		"2024/01/01": "invalid date separator, expected `-`", "2024-01/01": "invalid date separator, expected `-`",
		"01-01-2024": "invalid character in year", "2024.01.01": "invalid date separator, expected `-`",
		"2024-13-01": "month value is outside expected range of 1-12", "2024-00-01": "month value is outside expected range of 1-12",
		"2024-01-32": "day value is outside expected range", "2024-01-00": "day value is outside expected range",
		"2023-02-29": "day value is outside expected range", "2024-04-31": "day value is outside expected range",
		"2024-01-01T": extra, "2024-01-01 ": extra, "2024-01-01T1": extra, "2024-01-01T10": extra, "2024-01-01T10:0": extra,
		"2024-01-01T24:00": extra, "2024-01-01T10:60": extra, "2024-01-01T10:00:60": extra, "2024-01-01T10:00:0": extra,
		"2024-01-01T10:00:00.": extra, "2024-01-01T10:00:00,5": extra, "2024-01-01T10:00.5": extra, "2024-01-01T10:00:00.5x": extra,
		"2024-01-01T10:00:00 00:00": extra, "2024-01-01T10:00:00+0000": extra, "2024-01-01T10:00:00+00": extra,
		"2024-01-01T10:00:00+24:00": extra, "2024-01-01T10:00:00+00:60": extra, "2024-01-01T10:00:00+00:00:00": extra,
		"2024-01-01T10:00:00ZZ": extra, "2024-01-01T10-00": extra, "2024-01-01_10:00": extra, "2024-01-01Z": extra,
		"2024-01-01T-1:00": extra, "2024-01-01T10:00:00\x00": extra,
		"253402300800000": "dates after 9999 are not supported as unix timestamps",
		"1e400":           "dates after 9999 are not supported as unix timestamps",
		"-1e17":           "dates before 0001 are not supported as unix timestamps",
	} {
		_, err := xyra.ParseTime(in)
		var e *xyra.TimeError
		if !errors.As(err, &e) || e.Why != why {
			t.Errorf("%q: %v, want %s", in, err, why)
		}
	}
}

func TestMicros_ComesBack(t *testing.T) {
	at := time.Date(2024, 3, 1, 10, 0, 0, 123456789, time.FixedZone("", 3600))
	if got := xyra.FromMicros(xyra.Micros(at)); !got.Equal(at.Truncate(time.Microsecond)) || got.Location() != time.UTC {
		t.Errorf("%v", got)
	}
	if got := xyra.FormatTime(at); got != "2024-03-01T09:00:00.123456Z" {
		t.Errorf("%s", got)
	}
	if got := xyra.FormatTime(at.Truncate(time.Second).Add(999)); got != "2024-03-01T09:00:00Z" {
		t.Errorf("nanoseconds alone make no fraction: %s", got)
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2024-03-01T10:00:00.25+02:00", "1709287200.5", "-2e10", "0001-01-01", "9999-12-31T23:59:59.999999Z", "1e-300", "2024-02-30"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := xyra.ParseTime(s)
		if err != nil {
			var e *xyra.TimeError
			if !errors.As(err, &e) || e.Why == "" {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		text := xyra.FormatTime(at)
		again, err := xyra.ParseTime(text)
		if err != nil || !again.Equal(at) || xyra.FromMicros(xyra.Micros(at)) != at {
			t.Fatalf("%q is %s, read back as %v %v", s, text, again, err)
		}
	})
}
