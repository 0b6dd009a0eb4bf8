package report

import "testing"

// Who waits for a gate reads its answer many times a day: what judged is told once, and what
// nobody declared is never left out.
func TestWhatAnEnvironmentDeclaresIsToldInFewWords(t *testing.T) {
	const file = "verdict.yaml at 7e64dc"
	at := func(key, value string, line int) Declared {
		return Declared{Key: key, Value: value, From: file, Line: line}
	}
	for name, c := range map[string]struct {
		list []Declared
		want string
	}{
		"one place":              {[]Declared{at("tier", "prod", 21), at("soak", "1h", 28), at("data", "internal", 23)}, "tier prod, soak 1h, data internal (lines 21-28)"},
		"one line":               {[]Declared{at("tier", "dev", 18), at("data", "none", 18)}, "tier dev, data none (line 18)"},
		"what nobody declared":   {[]Declared{at("tier", "dev", 18), {Key: "exposure", From: "default"}, {Key: "data", From: "default"}}, "tier dev (line 18); not declared: exposure, data"},
		"another place is named": {[]Declared{at("tier", "prod", 4), {Key: "soak", Value: "1h", From: "default"}, {Key: "data", Value: "x", From: "org.yaml", Line: 3}}, "tier prod (line 4); soak 1h (default); data x (org.yaml, line 3)"},
		"nothing at all":         {[]Declared{{Key: "tier", From: "default"}}, "not declared: tier"},
	} {
		if got := DeclaredText(c.list, file); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
