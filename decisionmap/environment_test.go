package decisionmap

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func environmentOf(t *testing.T, fields string) Environment {
	t.Helper()
	m, err := Load("verdict.yaml", []byte("schema: verdict/v1\nenvironments: {prod: {tier: prod, "+fields+"}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return m.Environments["prod"]
}

func frozen(e Environment, at string) bool {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	return slices.ContainsFunc(e.Freezes, func(f Freeze) bool { return f.Holds(t) })
}

// A freeze by dates holds from the first moment of its first day to the last of its last,
// as the clocks of the environment show them. Otherwise something is deployed for an hour
// of a frozen day, or stands still for an hour after it.
func TestADateFreezeHoldsFromLocalMidnightToLocalMidnight(t *testing.T) {
	for name, tc := range map[string]struct {
		fields string
		frozen []string
		free   []string
	}{
		"the clock goes forward within it": {
			"timezone: Europe/Amsterdam, freezes: [{from: 2027-03-28, to: 2027-03-28, reason: x}]",
			[]string{"2027-03-27T23:00:00Z", "2027-03-28T21:59:59Z"},
			[]string{"2027-03-27T22:59:59Z", "2027-03-28T22:00:00Z"},
		},
		"the clock goes back within it": {
			"timezone: Europe/Amsterdam, freezes: [{from: 2027-10-31, to: 2027-10-31, reason: x}]",
			[]string{"2027-10-30T22:00:00Z", "2027-10-31T22:59:59Z"},
			[]string{"2027-10-30T21:59:59Z", "2027-10-31T23:00:00Z"},
		},
		"it begins before the change and ends after it": {
			"timezone: America/New_York, freezes: [{from: 2026-10-31, to: 2026-11-02, reason: x}]",
			[]string{"2026-10-31T04:00:00Z", "2026-11-03T04:59:59Z"},
			[]string{"2026-10-31T03:59:59Z", "2026-11-03T05:00:00Z"},
		},
		"a day whose midnight does not exist begins at one": {
			"timezone: Africa/Cairo, freezes: [{from: 2026-04-24, to: 2026-04-24, reason: x}]",
			[]string{"2026-04-23T22:00:00Z", "2026-04-24T20:59:59Z"},
			[]string{"2026-04-23T21:59:59Z", "2026-04-24T21:00:00Z"},
		},
		"a day with two midnights begins at the first": {
			"timezone: America/Havana, freezes: [{from: 2026-11-01, to: 2026-11-01, reason: x}]",
			[]string{"2026-11-01T04:00:00Z", "2026-11-02T04:59:59Z"},
			[]string{"2026-11-01T03:59:59Z", "2026-11-02T05:00:00Z"},
		},
		"a day that a zone left out ends where it begins, and the next one holds": {
			"timezone: Pacific/Apia, freezes: [{from: 2011-12-30, to: 2011-12-31, reason: x}]",
			[]string{"2011-12-30T10:00:00Z", "2011-12-31T09:59:59Z"},
			[]string{"2011-12-30T09:59:59Z", "2011-12-31T10:00:00Z"},
		},
		"without a zone of its own it is in that of the hours": {
			"hours: {timezone: Asia/Tokyo, allow: Mon-Fri 08:00-16:00}, freezes: [{from: 2027-01-01, to: 2027-01-01, reason: x}]",
			[]string{"2026-12-31T15:00:00Z"}, []string{"2026-12-31T14:59:59Z", "2027-01-01T15:00:00Z"},
		},
		"a time with its zone is that moment": {
			"timezone: Asia/Tokyo, freezes: [{from: \"2027-01-01T09:00:00+01:00\", to: \"2027-01-01T10:00:00+01:00\", reason: x}]",
			[]string{"2027-01-01T08:00:00Z"}, []string{"2027-01-01T07:59:59Z", "2027-01-01T09:00:00Z"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := environmentOf(t, tc.fields)
			for _, at := range tc.frozen {
				if !frozen(e, at) {
					t.Errorf("%s is not frozen: %+v", at, e.Freezes)
				}
			}
			for _, at := range tc.free {
				if frozen(e, at) {
					t.Errorf("%s is frozen: %+v", at, e.Freezes)
				}
			}
		})
	}
}

// Hours are those that people see on the wall there. Otherwise production changes at
// seven in the morning for half of the year.
func TestHoursFollowTheClockThere(t *testing.T) {
	e := environmentOf(t, "timezone: Europe/Amsterdam, hours: {allow: Sun-Sun 02:00-08:00}")
	for at, open := range map[string]bool{
		"2027-03-21T00:59:59Z": false, "2027-03-21T01:00:00Z": true, // winter
		"2027-03-28T00:59:59Z": false, "2027-03-28T01:00:00Z": true, "2027-03-28T05:59:59Z": true, "2027-03-28T06:00:00Z": false, // two o'clock does not exist
		"2027-10-31T00:30:00Z": true, "2027-10-31T01:30:00Z": true, "2027-10-31T06:59:59Z": true, "2027-10-31T07:00:00Z": false, // it exists twice
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if e.Open(moment) != open {
			t.Errorf("at %s open is %v", at, !open)
		}
	}
}

func TestAChainThatIsCutIsToldAndRefused(t *testing.T) {
	_, err := Load("verdict.yaml", []byte("schema: verdict/v1\nenvironments:\n  prod: {tier: prod, promote_from: staging}\n"))
	if err == nil || !strings.Contains(err.Error(), "staging") {
		t.Fatalf("a map whose chain is cut was read: %v", err)
	}
	m := &Map{Environments: map[string]Environment{
		"dev": {}, "staging": {PromoteFrom: "dev"}, "prod": {PromoteFrom: "staging"}, "lost": {PromoteFrom: "gone"}, "a": {PromoteFrom: "b"}, "b": {PromoteFrom: "a"},
	}}
	for name, want := range map[string]struct {
		before []string
		whole  bool
	}{
		"prod": {[]string{"staging", "dev"}, true}, "dev": {nil, true}, "lost": {[]string{"gone"}, false}, "a": {[]string{"b"}, false}, "nowhere": {nil, false},
	} {
		if before, whole := m.Chain(name); !slices.Equal(before, want.before) || whole != want.whole {
			t.Errorf("%s: %v, whole %v", name, before, whole)
		}
	}
}
