package decisionmap

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the zones of a map hold on machines without a zone database too

	"go.yaml.in/yaml/v3"
)

// Hours are the times at which an environment may change.
type Hours struct {
	Timezone string   `json:"timezone"` // an IANA zone
	Allow    []Window `json:"allow"`
}

// Window is a stretch of hours on some days of the week.
type Window struct {
	days     [7]bool // indexed by time.Weekday
	from, to int     // minutes of the day; to is excluded
}

// Open reports whether t lies in one of the windows. A clock change counts as the
// local clock shows it.
func (h Hours) Open(t time.Time) bool {
	zone, err := time.LoadLocation(h.Timezone)
	if err != nil {
		return false // Load refuses such a map
	}
	local := t.In(zone)
	minute := local.Hour()*60 + local.Minute()
	for _, w := range h.Allow {
		if w.days[local.Weekday()] && minute >= w.from && minute < w.to {
			return true
		}
	}
	return false
}

// Freeze is a stretch of time in which an environment must not change.
type Freeze struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"` // excluded; a date in the file means to the end of that day
	Reason string    `json:"reason"`
}

// Holds reports whether the freeze covers t.
func (f Freeze) Holds(t time.Time) bool { return !t.Before(f.From) && t.Before(f.To) }

var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// ParseWindow reads "Mon-Thu 08:00-16:00" or "Sat 10:00-12:00". Days go from Monday to
// Sunday; a window ends on the day on which it began, at 24:00 at the latest.
func ParseWindow(s string) (Window, error) {
	var w Window
	bad := fmt.Errorf("hours %q: expected days and times like Mon-Thu 08:00-16:00", clip(s))
	days, times, ok := strings.Cut(s, " ")
	if !ok {
		return w, bad
	}
	first, last, ranged := strings.Cut(days, "-")
	if !ranged {
		last = first
	}
	a, b := dayOfWeek(first), dayOfWeek(last)
	from, to, ok := strings.Cut(times, "-")
	if a < 0 || b < a || !ok {
		return w, bad
	}
	if w.from, ok = clock(from); !ok {
		return w, bad
	}
	if w.to, ok = clock(to); !ok || w.to <= w.from {
		return w, bad
	}
	for d := a; d <= b; d++ {
		w.days[(d+1)%7] = true
	}
	return w, nil
}

// dayOfWeek counts from Monday, as a working week does; -1 for another word.
func dayOfWeek(s string) int {
	for i, name := range weekdays {
		if name == s {
			return (i + 6) % 7
		}
	}
	return -1
}

func clock(s string) (minutes int, ok bool) {
	if s == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != 5 {
		return 0, false
	}
	return t.Hour()*60 + t.Minute(), true
}

// String is the notation of the file.
func (w Window) String() string {
	first, last := -1, -1
	for d := range 7 {
		if w.days[(d+1)%7] {
			if first < 0 {
				first = d
			}
			last = d
		}
	}
	if first < 0 {
		return ""
	}
	days := weekdays[(first+1)%7]
	if last > first {
		days += "-" + weekdays[(last+1)%7]
	}
	return fmt.Sprintf("%s %02d:%02d-%02d:%02d", days, w.from/60, w.from%60, w.to/60, w.to%60)
}

// MarshalText is String.
func (w Window) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText is ParseWindow.
func (w *Window) UnmarshalText(b []byte) (err error) {
	*w, err = ParseWindow(string(b))
	return err
}

// hours reads the times at which an environment may change, in zone where they name none.
func (r *reader) hours(into **Hours, zone string) field {
	return func(n *yaml.Node, path string) {
		h := Hours{Timezone: zone, Allow: []Window{}}
		if *into != nil {
			h = **into
		}
		r.object(n, path, "{timezone: Europe/Amsterdam, allow: Mon-Thu 08:00-16:00}", map[string]field{
			"timezone": r.timezone(&h.Timezone),
			"allow":    r.windows(&h.Allow),
		})
		if len(h.Allow) == 0 {
			r.fail(n, path+" allows no time at all", "say when changes are allowed: `allow: Mon-Thu 08:00-16:00`; a stop is a freeze")
		}
		*into = &h
	}
}

func (r *reader) timezone(into *string) field {
	return func(n *yaml.Node, path string) {
		const example = "Europe/Amsterdam"
		s, ok := r.scalar(n, path, "the name of a time zone", example, "!!str")
		if !ok {
			return
		}
		if _, err := time.LoadLocation(s); err != nil || s == "" || s == "Local" {
			r.wrong(n, path, "the name of a time zone in the IANA database", example)
			return
		}
		*into = s
	}
}

func (r *reader) windows(into *[]Window) field {
	return func(n *yaml.Node, path string) {
		const example = "Mon-Thu 08:00-16:00"
		var list []string
		r.words(&list, example)(n, path)
		out := []Window{}
		for _, s := range list {
			w, err := ParseWindow(s)
			if err != nil {
				r.wrong(n, path, "days and times", `"`+example+`"`)
				return
			}
			out = append(out, w)
		}
		*into = out
	}
}

// freezes reads the list in the environment's own zone: a freeze "to 4 January" ends
// when that day ends there.
func (r *reader) freezes(into *[]Freeze, zone *time.Location) field {
	return func(n *yaml.Node, path string) {
		const example = "{from: 2026-12-18, to: 2027-01-04, reason: year end}"
		list, ok := r.list(n, path, example)
		if !ok {
			return
		}
		out := []Freeze{}
		for i, item := range list {
			at := fmt.Sprintf("%s[%d]", path, i)
			var f Freeze
			r.object(item, at, example, map[string]field{
				"from":   r.dayIn(&f.From, zone, "2026-12-18", 0),
				"to":     r.dayIn(&f.To, zone, "2027-01-04", 1),
				"reason": r.text(&f.Reason, "year end"),
			})
			if !f.From.Before(f.To) || f.Reason == "" {
				r.fail(item, at+" needs from, a later to, and a reason", "write it like `"+example+"`")
				continue
			}
			out = append(out, f)
		}
		*into = out
	}
}

// dayIn reads a date as the first moment of that day in zone, or of the one that follows
// by so many days; a time with its zone is itself.
func (r *reader) dayIn(into *time.Time, zone *time.Location, example string, days int) field {
	return func(n *yaml.Node, path string) {
		r.day(into, zone, example)(n, path)
		if d, err := time.Parse(time.DateOnly, n.Value); err == nil && !into.IsZero() {
			*into = firstMoment(d.AddDate(0, 0, days), zone)
		}
	}
}

// firstMoment is when a day begins in zone. Where the clock is put forward at midnight the
// day begins later than 00:00, where it is put back there are two midnights, and a day that
// a zone left out begins with the next one.
func firstMoment(day time.Time, zone *time.Location) time.Time {
	const step = 15 * time.Minute // every zone since 1972 is a multiple of it from UTC
	begun := func(t time.Time) bool { return t.In(zone).Format(time.DateOnly) >= day.Format(time.DateOnly) }
	year, month, date := day.Date()
	t := time.Date(year, month, date, 0, 0, 0, 0, zone)
	for !begun(t) {
		t = t.Add(step)
	}
	for begun(t.Add(-step)) {
		t = t.Add(-step)
	}
	return t.UTC()
}
