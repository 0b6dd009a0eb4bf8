package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"verdict"
)

// words of a command line about one toggle and one text, with what they mean: nil when
// they must be refused.
type words struct {
	args []string
	set  map[string]string
}

// The verdict must never be the opposite of what was written: an empty, separated,
// swallowed or contradicted value is refused, and what is accepted means what it says.
func TestFlagsMeanWhatTheySayOrAreRefused(t *testing.T) {
	piece := rapid.SampledFrom([]words{
		{[]string{"--offline"}, map[string]string{"offline": "true"}},
		{[]string{"--offline=true"}, map[string]string{"offline": "true"}},
		{[]string{"--offline=false"}, map[string]string{"offline": "false"}},
		{[]string{"--map", "a.yaml"}, map[string]string{"map": "a.yaml"}},
		{[]string{"--map=b.yaml"}, map[string]string{"map": "b.yaml"}},
		{[]string{"--map=--offline"}, map[string]string{"map": "--offline"}},
		{[]string{"--verbose=false"}, map[string]string{"verbose": "false"}},
		{[]string{"--offline="}, nil},
		{[]string{"--offline", ""}, nil},
		{[]string{"--offline", "false"}, nil},
		{[]string{"--offline", "true"}, nil},
		{[]string{"--offline", "0"}, nil},
		{[]string{"--offline", "No"}, nil},
		{[]string{"--offline=no"}, nil},
		{[]string{"--offline=FALSE"}, nil},
		{[]string{"--offline=1"}, nil},
		{[]string{"--map="}, nil},
		{[]string{"--map", ""}, nil},
		{[]string{"--map", "  "}, nil},
		{[]string{"--map", "--offline"}, nil},
		{[]string{"--map", "-o"}, nil},
		{[]string{"-offline"}, nil},
		{[]string{"--no-offline"}, nil},
		{[]string{"--Offline"}, nil},
		{[]string{"-test.run=x"}, nil},
		{[]string{""}, nil},
		{[]string{"false"}, nil},
	})
	rapid.Check(t, func(t *rapid.T) {
		want, refused := map[string]string{"offline": "false", "map": "", "verbose": "false"}, false
		given := map[string]string{}
		args := []string{"config", "explain"}
		for _, p := range rapid.SliceOfN(piece, 0, 5).Draw(t, "pieces") {
			args = append(args, p.args...)
			if p.set == nil {
				refused = true
			}
			for k, v := range p.set {
				if old, twice := given[k]; twice && old != v {
					refused = true
				}
				given[k], want[k] = v, v
			}
		}
		args = append(args, "-o", "json")
		code, stdout, stderr := shell{}.runContext(t.Context(), args...)
		if refused {
			if code != 2 {
				t.Fatalf("%q ended with %d: %s", args, code, stderr)
			}
			return
		}
		if code != 0 {
			t.Fatalf("%q ended with %d: %s", args, code, stderr)
		}
		got := explainedValues(t, stdout)
		for k, v := range want {
			if got[k] != v {
				t.Fatalf("%q gave %s = %q, want %q", args, k, got[k], v)
			}
		}
	})
}

func explainedValues(t interface{ Fatalf(string, ...any) }, stdout string) map[string]string {
	var x explanation
	if err := json.Unmarshal([]byte(stdout), &x); err != nil {
		t.Fatalf("%q: %v", stdout, err)
	}
	out := map[string]string{}
	for _, s := range x.Settings {
		out[s.Key] = s.Value
	}
	return out
}

// A flag that turns blocked into 0 is the one that must not be set by accident.
func TestReportOnlyIsNeverSetByAccident(t *testing.T) {
	piece := rapid.SampledFrom([]string{"--report-only", "--report-only=true", "--report-only=false", "--report-only=", "--report-only=0", "--report-only=False", "false", "", "--report-onl", "-report-only", "--map", "--"})
	rapid.Check(t, func(t *rapid.T) {
		args := append([]string{"judge", "deny"}, rapid.SliceOfN(piece, 0, 4).Draw(t, "pieces")...)
		code, _, stderr := shell{extra: []command{judging(verdict.ModeBlock)}}.runContext(t.Context(), args...)
		switch code {
		case 2, 3:
		case 0:
			for _, w := range args[2:] {
				if w != "--report-only" && w != "--report-only=true" && w != "--" {
					t.Fatalf("%q ended with 0", args)
				}
			}
			if !strings.Contains(stderr, "REPORT ONLY") {
				t.Fatalf("%q ended with 0 and did not say why", args)
			}
		default:
			t.Fatalf("%q ended with %d: %s", args, code, stderr)
		}
	})
}

func TestValuesRefuseWhatTheyAreNot(t *testing.T) {
	var (
		text    string
		toggle  bool
		n       int64
		choice  = "a"
		address string
		ref     secret
		at      moment
		outs    []output
		list    []string
	)
	all := map[string]*value{
		"text": textValue(&text, "X"), "toggle": toggleValue(&toggle), "number": numberValue(&n, "N", 1, 10),
		"choice": choiceValue(&choice, "alpha", "beta"), "address": addressValue(&address), "secret": secretValue(&ref), "moment": momentValue(&at), "outputs": outputsValue(&outs), "list": listValue(&list, "X"),
	}
	for name, v := range all {
		for _, empty := range []string{"", " ", "\t\n"} {
			if v.Set(empty) == nil {
				t.Errorf("%s took %q", name, empty)
			}
		}
	}
	for _, c := range []struct{ kind, in string }{
		{"toggle", "yes"}, {"toggle", "1"}, {"toggle", "TRUE"}, {"number", "0"}, {"number", "11"}, {"number", "1e1"},
		{"choice", "gamma"}, {"address", "ftp://x"}, {"address", "x"}, {"address", "https://"}, {"address", "https://user:secret@host"},
		{"secret", "postgres://u:p@h/d"}, {"secret", "file:"}, {"secret", "vault:x"}, {"moment", "yesterday"}, {"moment", "2026-01-31"}, {"moment", "-1"}, {"moment", "2026-01-31T10:00:00"},
		{"outputs", "=x"}, {"outputs", "json="}, {"outputs", "json= "},
	} {
		err := all[c.kind].take(c.in)
		if err == nil {
			t.Errorf("%s took %q", c.kind, c.in)
		} else if bad := err.(*badValue); bad.remedy == "" || bad.what == "" {
			t.Errorf("%s refused %q without a remedy", c.kind, c.in)
		} else if strings.Contains(bad.what+bad.remedy, "secret@") || strings.Contains(bad.what+bad.remedy, "u:p") {
			t.Errorf("%s repeats a secret: %v", c.kind, bad)
		}
	}
	for _, c := range []struct{ kind, in string }{
		{"toggle", "true"}, {"number", "10"}, {"choice", "beta"}, {"address", "https://verdict.example:8443/"}, {"secret", "env:DB"}, {"moment", "4120"}, {"moment", "2026-01-31T18:00:00+02:00"}, {"outputs", "sarif=a=b"}, {"list", "x"}, {"list", "y"},
	} {
		if err := all[c.kind].take(c.in); err != nil {
			t.Errorf("%s refused %q: %v", c.kind, c.in, err)
		}
	}
	if address != "https://verdict.example:8443" || ref != "env:DB" || outs[0].File != "a=b" || len(list) != 2 {
		t.Errorf("kept %q, %q, %v, %v", address, ref, outs, list)
	}
	if want := time.Date(2026, 1, 31, 16, 0, 0, 0, time.UTC); !at.Time.Equal(want) || at.Time.Location() != time.UTC || at.Size != 0 {
		t.Errorf("the moment is %+v", at)
	}
}

func TestNearestNameIsTheOneThatWasMeant(t *testing.T) {
	names := []string{"offline", "output", "map", "data", "database", "log verify"}
	for in, want := range map[string]string{"ofline": "offline", "outptu": "output", "mpa": "map", "databse": "database", "xyz": "", "": "", "log verfy": "log verify", strings.Repeat("x", 100_000): ""} {
		if got := nearest(in, names); got != want {
			t.Errorf("nearest(%.20q) = %q, want %q", in, got, want)
		}
	}
}
