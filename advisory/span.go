package advisory

import (
	"cmp"
	"slices"

	"github.com/google/osv-scalibr/semantic"
)

// end says what the upper end of a span is.
type end byte

const (
	endOpen  end = iota // everything from low on
	endFixed            // below high, which is fixed
	endLast             // up to and with high
	endLimit            // below high, which nobody calls fixed
	endCount
)

// span is one interval of affected versions. An empty low is below all versions.
type span struct {
	semver    bool // ordered by semver, whatever the ecosystem
	low, high string
	end       end
}

// holds reports whether v is in the span. parse orders the ends.
func (s span) holds(v semantic.Version, parse func(string) (semantic.Version, error)) (bool, error) {
	if s.low != "" {
		low, err := parse(s.low)
		if err != nil {
			return false, err
		}
		if c, err := v.Compare(low); err != nil || c < 0 {
			return false, err
		}
	}
	if s.end == endOpen {
		return true, nil
	}
	high, err := parse(s.high)
	if err != nil {
		return false, err
	}
	c, err := v.Compare(high)
	return c < 0 || c == 0 && s.end == endLast, err
}

// event is one event of an OSV range, with its place in the order; a nil place is "0",
// below all versions.
type event struct {
	kind    string
	version string
	place   semantic.Version
}

// spansOf turns the events of one range into intervals, so that matching needs no
// sorting. It follows the evaluation of the OSV schema; where events of one version
// contradict each other (introduced and fixed) they cancel out. A range without
// introduced starts at the beginning. An event that cannot be ordered is ErrVersion.
func spansOf(events []rawEvent, o order, semver bool) ([]span, error) {
	var list []event
	var limits []event
	started := false
	for _, raw := range events {
		for _, e := range []event{
			{kind: "introduced", version: raw.Introduced}, {kind: "fixed", version: raw.Fixed},
			{kind: "last_affected", version: raw.LastAffected}, {kind: "limit", version: raw.Limit},
		} {
			if e.version == "" || e.kind == "limit" && e.version == "*" {
				continue
			}
			if e.kind == "introduced" {
				started = true
			}
			if e.kind != "introduced" || e.version != "0" {
				var err error
				if e.place, err = o.parse(e.version); err != nil {
					return nil, err
				}
			}
			if e.kind == "limit" {
				limits = append(limits, e)
			} else {
				list = append(list, e)
			}
		}
	}
	if !started {
		list = append(list, event{kind: "introduced", version: "0"})
	}
	slices.SortStableFunc(list, byPlace)
	spans := sweepEvents(list, semver)
	if len(limits) > 0 {
		slices.SortFunc(limits, byPlace)
		return cutAt(spans, limits[len(limits)-1], o)
	}
	return spans, nil
}

// byPlace orders events by version. Of one version, last_affected comes after
// introduced: that version is affected.
func byPlace(a, b event) int {
	if c := comparePlaces(a.place, b.place); c != 0 {
		return c
	}
	rank := map[string]int{"fixed": 0, "introduced": 1, "last_affected": 2}
	return cmp.Compare(rank[a.kind], rank[b.kind])
}

func comparePlaces(a, b semantic.Version) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	c, err := a.Compare(b)
	if err != nil { // two ecosystems, which one range never has
		return 0
	}
	return c
}

func sweepEvents(list []event, semver bool) []span {
	var out []span
	var open *span
	for i := 0; i < len(list); i++ {
		e := list[i]
		if e.kind == "fixed" && i+1 < len(list) && list[i+1].kind == "introduced" && comparePlaces(e.place, list[i+1].place) == 0 {
			i++
			continue
		}
		switch {
		case e.kind == "introduced" && open == nil:
			open = &span{semver: semver}
			if e.place != nil {
				open.low = e.version
			}
		case e.kind == "fixed" && open != nil:
			open.high, open.end = e.version, endFixed
			out, open = append(out, *open), nil
		case e.kind == "last_affected" && open != nil:
			open.high, open.end = e.version, endLast
			out, open = append(out, *open), nil
		}
	}
	if open != nil {
		out = append(out, *open)
	}
	return out
}

// cutAt ends the spans at a limit: beyond it the range says nothing.
func cutAt(spans []span, limit event, o order) ([]span, error) {
	var out []span
	for _, s := range spans {
		if s.low != "" {
			low, err := o.parse(s.low)
			if err != nil {
				return nil, err
			}
			if comparePlaces(low, limit.place) >= 0 {
				continue
			}
		}
		if s.end != endOpen {
			high, err := o.parse(s.high)
			if err != nil {
				return nil, err
			}
			if comparePlaces(high, limit.place) < 0 {
				out = append(out, s)
				continue
			}
		}
		s.high, s.end = limit.version, endLimit
		out = append(out, s)
	}
	return out, nil
}
