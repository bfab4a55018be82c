package xyra

import (
	"errors"
	"time"

	"xyra/money"
)

// TimeError says why a text is not an instant; Why is the wording of the contract.
type TimeError struct {
	Why string
}

// Error returns Why.
func (e *TimeError) Error() string { return e.Why }

// The reasons of ParseTime. The last two answer numbers outside the years 1 to 9999.
const (
	whyShort     = "input is too short"
	whyYear      = "invalid character in year"
	whyMonth     = "invalid character in month"
	whyDay       = "invalid character in day"
	whySeparator = "invalid date separator, expected `-`"
	whyMonthSpan = "month value is outside expected range of 1-12"
	whyDaySpan   = "day value is outside expected range"
	whyExtra     = "unexpected extra characters at the end of the input"
	whyLate      = "dates after 9999 are not supported as unix timestamps"
	whyEarly     = "dates before 0001 are not supported as unix timestamps"
)

var (
	earliestMicros = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	latestMicros   = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() - 1
	// Unix times of a greater absolute value are milliseconds.
	secondsMax = money.FromInt(20_000_000_000)
)

// Micros is t as it is stored: microseconds since 1970, UTC, finer digits cut towards the past.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// FromMicros is the inverse of Micros, in UTC.
func FromMicros(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// ParseTime reads ISO 8601 (date, or date and time with an offset or in UTC) and Unix
// seconds or milliseconds as a decimal text. The result is UTC, cut to microseconds,
// within the years 1 to 9999; every error is a *TimeError.
func ParseTime(s string) (time.Time, error) {
	if number, err := money.ParseExact(s); !errors.Is(err, money.ErrSyntax) {
		return parseUnix(number, err)
	}
	if len(s) < len("2006-01-02") {
		return time.Time{}, &TimeError{whyShort}
	}
	year, month, day, why := parseDate(s)
	if why != "" {
		return time.Time{}, &TimeError{why}
	}
	var clock time.Duration
	if rest := s[10:]; rest != "" {
		var ok bool
		if clock, ok = parseClock(rest); !ok {
			return time.Time{}, &TimeError{whyExtra}
		}
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Add(clock)
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, &TimeError{whyYear}
	}
	return t, nil
}

func parseUnix(number money.Decimal, err error) (time.Time, error) {
	if errors.Is(err, money.ErrPlaces) {
		return time.Time{}, &TimeError{whyExtra}
	}
	if err != nil {
		return time.Time{}, &TimeError{whyLate}
	}
	if number.Abs().Cmp(secondsMax) > 0 {
		number = number.Shift(-3)
	}
	number = number.Shift(6)
	whole := number.RoundHalfAway(0)
	if whole.Abs().Cmp(number.Abs()) > 0 {
		whole = whole.Sub(money.FromInt(int64(number.Sign())))
	}
	micros, ok := whole.Int64()
	switch {
	case number.Sign() > 0 && (!ok || micros > latestMicros):
		return time.Time{}, &TimeError{whyLate}
	case number.Sign() < 0 && (!ok || micros < earliestMicros):
		return time.Time{}, &TimeError{whyEarly}
	}
	return FromMicros(micros), nil
}

// parseDate reads the ten characters of yyyy-mm-dd; all of them are looked at before
// the month and the day are held against the calendar.
func parseDate(s string) (year, month, day int, why string) {
	year, ok := digits(s[0:4])
	if !ok || year == 0 {
		return 0, 0, 0, whyYear
	}
	if s[4] != '-' {
		return 0, 0, 0, whySeparator
	}
	if month, ok = digits(s[5:7]); !ok {
		return 0, 0, 0, whyMonth
	}
	if s[7] != '-' {
		return 0, 0, 0, whySeparator
	}
	if day, ok = digits(s[8:10]); !ok {
		return 0, 0, 0, whyDay
	}
	if month < 1 || month > 12 {
		return 0, 0, 0, whyMonthSpan
	}
	if day < 1 || day > time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return 0, 0, 0, whyDaySpan
	}
	return year, month, day, ""
}

// parseClock reads Thh:mm[:ss[.f…]][offset] and returns how far that instant is from
// the UTC midnight of the date before it.
func parseClock(s string) (clock time.Duration, ok bool) {
	if len(s) < len("T15:04") || s[0] != 'T' && s[0] != 't' && s[0] != ' ' {
		return 0, false
	}
	clock, ok = hourMinute(s[1:6])
	if !ok {
		return 0, false
	}
	s = s[6:]
	if len(s) >= 3 && s[0] == ':' {
		seconds, ok := digits(s[1:3])
		if !ok || seconds > 59 {
			return 0, false
		}
		clock += time.Duration(seconds) * time.Second
		s = s[3:]
		if len(s) > 0 && s[0] == '.' {
			fraction, length := parseFraction(s[1:])
			if length == 0 {
				return 0, false
			}
			clock += fraction
			s = s[1+length:]
		}
	}
	switch {
	case s == "" || s == "Z" || s == "z":
		return clock, true
	case len(s) == len("+07:00") && (s[0] == '+' || s[0] == '-'):
		offset, ok := hourMinute(s[1:])
		if s[0] == '-' {
			offset = -offset
		}
		return clock - offset, ok
	}
	return 0, false
}

func hourMinute(s string) (time.Duration, bool) {
	hour, okHour := digits(s[0:2])
	minute, okMinute := digits(s[3:5])
	ok := okHour && okMinute && s[2] == ':' && hour < 24 && minute < 60
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute, ok
}

// parseFraction reads the digits after the point, of which six count.
func parseFraction(s string) (fraction time.Duration, length int) {
	unit := time.Second
	for length < len(s) && s[length] >= '0' && s[length] <= '9' {
		if unit /= 10; unit >= time.Microsecond {
			fraction += time.Duration(s[length]-'0') * unit
		}
		length++
	}
	return fraction, length
}

func digits(s string) (value int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		value = value*10 + int(s[i]-'0')
	}
	return value, true
}

// FormatTime is AppendTime as a string.
func FormatTime(t time.Time) string {
	var room [len("2006-01-02T15:04:05.000000Z")]byte
	return string(AppendTime(room[:0], t))
}

// AppendTime appends t as it is emitted: RFC 3339 in UTC with Z, without a fraction
// when the microseconds are zero, else with exactly six digits.
func AppendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	if t.Nanosecond()/1000 == 0 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05Z")
	}
	return t.AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
}
