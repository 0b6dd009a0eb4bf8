package decisionmap

import (
	"fmt"
	"strconv"
	"time"
)

// Duration is a length of time in the map's notation: one whole number and one unit,
// like 4h, 30d, 3y. A day has 24 hours, a week 7 days, a year 365 days.
type Duration time.Duration

// Day is 24 hours.
const Day = Duration(24 * time.Hour)

const maxDuration = 100 * 365 * Day

var units = []struct {
	letter byte
	length Duration
}{
	{'y', 365 * Day}, {'w', 7 * Day}, {'d', Day},
	{'h', Duration(time.Hour)}, {'m', Duration(time.Minute)},
}

// ParseDuration reads the map's notation. Anything else is refused: a sign, a fraction,
// two units, a space, more than a hundred years, and nothing at all ("0d").
func ParseDuration(s string) (Duration, error) {
	if s == "" || len(s) > 8 {
		return 0, fmt.Errorf("length of time %q: expected one whole number and m, h, d, w or y", clip(s))
	}
	for _, u := range units {
		if s[len(s)-1] != u.letter {
			continue
		}
		n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
		if err != nil || n == 0 || s[0] == '0' || Duration(n) > maxDuration/u.length {
			break
		}
		return Duration(n) * u.length, nil
	}
	return 0, fmt.Errorf("length of time %q: expected one whole number and m, h, d, w or y", s)
}

// String is the notation in the largest unit that divides the length; "0" for none.
func (d Duration) String() string {
	for _, u := range units {
		if d > 0 && d%u.length == 0 && u.letter != 'w' {
			return strconv.FormatInt(int64(d/u.length), 10) + string(u.letter)
		}
	}
	if d == 0 {
		return "0"
	}
	return time.Duration(d).String()
}

// Seconds is the length in whole seconds.
func (d Duration) Seconds() int64 { return int64(time.Duration(d) / time.Second) }

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration, and reads "0" too.
func (d *Duration) UnmarshalText(b []byte) error {
	if string(b) == "0" {
		*d = 0
		return nil
	}
	v, err := ParseDuration(string(b))
	*d = v
	return err
}

// parseTime reads a date, or a time with its zone; a date is the start of that day in
// zone. A time without a zone is refused: it would mean something else on each machine.
func parseTime(s string, zone *time.Location) (t time.Time, date bool, err error) {
	if t, err = time.ParseInLocation(time.DateOnly, s, zone); err == nil {
		date = true
	} else if t, err = time.Parse(time.RFC3339, s); err != nil {
		return time.Time{}, false, fmt.Errorf("time %q: expected a date, or a time with its zone", clip(s))
	}
	if t.Year() < 2000 || t.Year() > 2200 {
		return time.Time{}, false, fmt.Errorf("time %q: the year is out of range", clip(s))
	}
	return t.UTC().Truncate(time.Microsecond), date, nil
}
