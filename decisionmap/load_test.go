package decisionmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"verdict"
)

const smallest = `schema: verdict/v1
service: payments-api
team: payments
owner: lead@acme.example
`

func acmeText(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../examples/acme/verdict.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func acme(t *testing.T) *Map {
	t.Helper()
	m, err := Load("acme.yaml", []byte(acmeText(t)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const (
	anID      = "rUEHWY110gKrqSThy8hxLkuj2OzktobuxnqxtX8QgHU="
	forPeople = "schema: verdict/v1\ntrust: [{name: control plane, for: people, services: ['*'], "
)

func TestWithoutAMapOnlyCiPointsBlock(t *testing.T) {
	m := Builtin()
	for _, p := range m.Points {
		want := verdict.ModeObserve
		if p.Layer == verdict.LayerCI {
			want = verdict.ModeBlock
		}
		if p.Mode != want {
			t.Errorf("%s is in %s, expected %s", p.ID, p.Mode, want)
		}
		if p.Produces.Retain < m.Retention.Minimum || p.Owner == "" || len(p.Needs) == 0 {
			t.Errorf("%s is not complete: %+v", p.ID, p)
		}
	}
	if problems := Lint(m, stepOne, LintOptions{Now: now}); len(problems) != 0 {
		t.Errorf("the built-in map has problems: %+v", problems)
	}
}

func TestTheBuiltinMapHasEveryPointOfTheArchitecture(t *testing.T) {
	var have []string
	for _, p := range Builtin().Points {
		have = append(have, p.ID)
	}
	want := strings.Fields(`code.ownership code.review ci.secrets ci.vulnerabilities ci.dependencies ci.iac artifact.trust
		deploy.plan deploy.gate deploy.admission runtime.promotion runtime.drift runtime.unmanaged runtime.misuse
		runtime.privilege runtime.exposure runtime.vulnerable runtime.ownership`)
	if !slices.Equal(have, want) {
		t.Errorf("the built-in points are %v", have)
	}
}

// A selector of the built-in map with a typing error would make its point "not built
// yet" for ever, if it counted as planned because it stands there.
func TestTheBuiltinSelectorsAreBuiltOrPlanned(t *testing.T) {
	var have []string
	for _, p := range Builtin().Points {
		have = append(have, p.Policy...)
	}
	for _, p := range planned {
		if !slices.Contains(have, p) {
			t.Errorf("%s is planned, and the built-in map does not select it", p)
		}
	}
	for _, h := range have {
		if _, built := stepOne.Select(h); !built && !slices.Contains(planned, h) {
			t.Errorf("the built-in map selects %s, which is neither built nor planned", h)
		}
	}
}

func TestTheSmallestUsefulFileIsShortAndBlocksInCi(t *testing.T) {
	if n := strings.Count(smallest, "\n"); n >= 15 {
		t.Errorf("it has %d lines", n)
	}
	m := load(t, smallest)
	s := m.Services["payments-api"]
	if s.Team != "payments" || s.Owner != "lead@acme.example" || !slices.Equal(s.Paths, []string{"."}) {
		t.Errorf("the service is %+v", s)
	}
	for _, id := range []string{"ci.secrets", "ci.vulnerabilities", "ci.dependencies", "ci.iac"} {
		if p, ok := m.Point(id); !ok || p.Mode != verdict.ModeBlock {
			t.Errorf("%s is %+v", id, p)
		}
	}
	if problems := Lint(m, stepOne, LintOptions{Now: now}); len(problems) != 0 {
		t.Errorf("it has problems: %+v", problems)
	}
}

func TestWhileAdoptingPointsObserveUnlessTheFileSaysOtherwise(t *testing.T) {
	m := load(t, smallest+"adopting: true\npoints: [{id: ci.secrets, mode: block}]\n")
	for _, p := range m.Points {
		if (p.Mode == verdict.ModeBlock) != (p.ID == "ci.secrets") {
			t.Errorf("%s is in %s", p.ID, p.Mode)
		}
	}
}

// What cannot be accepted is refused with the line, what was expected and what to do.
func TestBadFilesAreRefusedWithLineAndRemedy(t *testing.T) {
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	bomb := "schema: verdict/v1\na: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b, *b]\n"
	for name, c := range map[string]struct{ text, want string }{
		"an unknown key names the nearest one":        {"schema: verdict/v1\npolicys: {}\n", `verdict.yaml:2: unknown key "policys"; the nearest is "policies"`},
		"an unknown key deep inside names its place":  {"schema: verdict/v1\nenvironments:\n  prod:\n    tier: prod\n    blast_radios: global\n", `verdict.yaml:5: unknown key "blast_radios" in environments.prod; the nearest is "blast_radius"`},
		"an unknown key that is near nothing":         {"schema: verdict/v1\nxyzzyplugh: 1\n", `unknown key "xyzzyplugh"`},
		"an unknown key of a point":                   {"schema: verdict/v1\npoints: [{id: ci.secrets, quesiton: \"Why?\"}]\n", `in points.ci.secrets; the nearest is "question"`},
		"a key said twice":                            {"schema: verdict/v1\nteam: a\nteam: b\n", "verdict.yaml:3: team is said twice, first on line 2"},
		"a merge key":                                 {"schema: verdict/v1\nservices: {a: {<<: {team: x}}}\n", "no plain word"},
		"an anchor":                                   {"schema: verdict/v1\nteam: &x a\n", "verdict.yaml:2: anchors"},
		"a bomb of aliases":                           {bomb, "anchors (&), aliases (*) and tags (!) are not read"},
		"a tag":                                       {"schema: verdict/v1\nteam: !!binary aGk=\n", "anchors"},
		"a hundred thousand brackets":                 {"schema: verdict/v1\nteam: " + deep, "nested more than 32 deep"},
		"a hundred thousand dashes":                   {strings.Repeat("- ", 100_000), "depth"},
		"forty levels":                                {strings.Repeat("[", 40) + strings.Repeat("]", 40), "nested more than 32 deep"},
		"more than a mebibyte":                        {"schema: verdict/v1\n# " + strings.Repeat("x", maxBytes), "at most 1048576"},
		"two documents":                               {"schema: verdict/v1\n---\nschema: verdict/v1\n", "more than one document"},
		"nothing at all":                              {"", "is empty"},
		"a comment alone":                             {"# nothing\n", "is empty"},
		"bytes that are no text":                      {"schema: \xff\xfe\n", "not UTF-8"},
		"no YAML":                                     {"schema: [\n", "not YAML"},
		"a list instead of a file":                    {"- a\n", "the file is a list; expected a mapping"},
		"a command in one line":                       {"schema: verdict/v1\nsources: {s: {kinds: [sast], command: semgrep scan, format: sarif}}\n", "no shell divides it"},
		"a command in the place of Verdict's own":     {"schema: verdict/v1\nsources: {verdict: {kinds: [secrets], command: [s], format: sarif}}\n", "stands for Verdict's own checks"},
		"a form that nobody reads":                    {"schema: verdict/v1\nsources: {s: {kinds: [sast], command: [s], format: sarf}}\n", `the nearest is "sarif"`},
		"a pin that is no digest":                     {"schema: verdict/v1\nsources: {s: {kinds: [sast], command: [s], format: sarif, sha256: abc}}\n", "64 lower-case hex digits"},
		"a time limit without a command":              {"schema: verdict/v1\nsources: {s: {kinds: [sast], timeout: 5m}}\n", "says of a command how it is run, and there is none"},
		"a renderer of charts that answers questions": {"schema: verdict/v1\nsources: {helm: {kinds: [iac], command: [helm, template], format: helm}}\n", "answers no question itself"},
		"a renderer of charts that does another work": {"schema: verdict/v1\nsources: {helm: {command: [helm, lint], format: helm}}\n", "does not render charts by its command"},
		"a renderer of charts without a command":      {"schema: verdict/v1\nsources: {helm: {format: helm}}\n", "and there is none"},
		"on demand what nobody can ask for":           {"schema: verdict/v1\nsources: {s: {kinds: [sast], command: [s], format: sarif, on_demand: true}}\n", "nothing asks for it"},
		"on demand what is not run":                   {"schema: verdict/v1\nsources: {govulncheck: {kinds: [go-symbols], on_demand: true}}\n", "nothing asks for it"},
		"no schema":                                   {"team: a\nservice: b\n", "does not say its schema"},
		"another schema":                              {"schema: verdict/v9\n", `schema is "verdict/v9"; expected one of verdict/v1`},
		"a number where a text belongs":               {"schema: verdict/v1\nservice: a\nteam: 12\n", "verdict.yaml:3: services.a.team is the number 12; expected text"},
		"a list where a text belongs":                 {"schema: verdict/v1\norganization: [acme]\n", "organization is a list; expected text"},
		"a key without a value":                       {"schema: verdict/v1\norganization:\n", "organization has no value; expected text"},
		"a text where a list of points belongs":       {"schema: verdict/v1\npoints: all\n", `points is "all"; expected a list of at most 500 points`},
		"a mode that does not exist":                  {"schema: verdict/v1\npoints: [{id: ci.secrets, mode: blok}]\n", `points.ci.secrets.mode is "blok"; expected one of block, warn, observe; the nearest is "block"`},
		"a text where yes or no belongs":              {"schema: verdict/v1\nadopting: maybe\n", "adopting is \"maybe\"; expected true or false"},
		"a fraction where a whole number belongs":     {"schema: verdict/v1\nenvironments: {prod: {tier: prod, min_slsa: 2.5}}\n", "expected a whole number from 0 to 4"},
		"a number beyond its range":                   {"schema: verdict/v1\nenvironments: {prod: {tier: prod, min_slsa: 9}}\n", "expected a whole number from 0 to 4"},
		"a length of time without a unit":             {"schema: verdict/v1\nretention: {default: 90}\n", "retention.default is the number 90; expected a length of time"},
		"a length of time in two units":               {"schema: verdict/v1\nretention: {default: 1y6d}\n", "expected a length of time"},
		"a time without its zone":                     {"schema: verdict/v1\npoints: [{id: ci.secrets, enforce_from: \"2027-02-01T09:00:00\"}]\n", "a time with its zone"},
		"a day that does not exist":                   {"schema: verdict/v1\npoints: [{id: ci.secrets, enforce_from: 2027-02-31}]\n", "expected a date"},
		"a zone that does not exist":                  {"schema: verdict/v1\nenvironments: {p: {tier: prod, hours: {timezone: Europe/Atlantis, allow: Mon 08:00-09:00}}}\n", "IANA database"},
		"the zone of the machine":                     {"schema: verdict/v1\nenvironments: {p: {tier: prod, hours: {timezone: Local, allow: Mon 08:00-09:00}}}\n", "IANA database"},
		"hours that end before they begin":            {"schema: verdict/v1\nenvironments: {p: {tier: prod, hours: {timezone: UTC, allow: Mon 16:00-08:00}}}\n", "expected days and times"},
		"hours that allow nothing":                    {"schema: verdict/v1\nenvironments: {p: {tier: prod, hours: {timezone: UTC}}}\n", "allows no time at all"},
		"a freeze that ends before it begins":         {"schema: verdict/v1\nenvironments: {p: {tier: prod, freezes: [{from: 2027-01-04, to: 2026-12-18, reason: x}]}}\n", "a later to"},
		"a freeze without a reason":                   {"schema: verdict/v1\nenvironments: {p: {tier: prod, freezes: [{from: 2026-12-18, to: 2027-01-04}]}}\n", "a reason"},
		"an environment without a tier":               {"schema: verdict/v1\nenvironments: {p: {cloud: azure}}\n", "does not say its tier"},
		"a service in an environment of no map":       {"schema: verdict/v1\norganization: acme\nenvironments: {staging: {tier: staging}}\nservices: {a: {team: t, owner: o, environments: [stagign]}}\n", `verdict.yaml:4: services.a.environments names the environment "stagign", which does not exist; the nearest is "staging"`},
		"a promotion from nowhere":                    {"schema: verdict/v1\nenvironments: {prod: {tier: prod, promote_from: stage}}\n", `names the environment "stage"`},
		"a feed to a point that does not exist":       {"schema: verdict/v1\norganization: acme\npoints: [{id: runtime.drift, feeds: [deploy.gaet]}]\n", `the nearest is "deploy.gate"`},
		"a trust for an environment of no map":        {"schema: verdict/v1\norganization: acme\ntrust: [{name: a, key: k, kinds: [sbom], services: ['*'], environments: [prod]}]\n", `trust[0].environments names the environment "prod"`},
		"a built-in point with another question":      {"schema: verdict/v1\npoints:\n  - {id: ci.secrets, question: \"Is it nice?\"}\n", "both belong to the id"},
		"a built-in point in another layer":           {"schema: verdict/v1\npoints:\n  - {id: ci.secrets, layer: deploy}\n", "both belong to the id"},
		"a point without an id":                       {"schema: verdict/v1\npoints: [{mode: block}]\n", "points[0] has no id of the form layer.name"},
		"a point that is said twice":                  {"schema: verdict/v1\npoints: [{id: ci.secrets}, {id: ci.secrets}]\n", "point ci.secrets is said twice"},
		"an id with an order to a terminal":           {"schema: verdict/v1\npoints: [{id: \"ci.\\e[31m\"}]\n", "has no id of the form layer.name"},
		"a question over two lines":                   {"schema: verdict/v1\npoints: [{id: ci.x, question: \"a\\nb?\"}]\n", "cannot be printed"},
		"a question with an order to a terminal":      {"schema: verdict/v1\npoints: [{id: ci.x, question: \"a\\e[31mb?\"}]\n", "cannot be printed"},
		"a question that turns the writing direction": {"schema: verdict/v1\npoints: [{id: ci.x, question: \"a\u202eb?\"}]\n", "cannot be printed"},
		"a need said twice":                           {"schema: verdict/v1\npoints: [{id: ci.x, needs: [sbom, sbom]}]\n", `needs "sbom" twice`},
		"a need of nothing":                           {"schema: verdict/v1\npoints: [{id: ci.x, needs: [{accept: present}]}]\n", "does not say which evidence"},
		"a need that accepts what is missing":         {"schema: verdict/v1\npoints: [{id: ci.x, needs: [{kind: sbom, accept: missing}]}]\n", "expected one of verified, present"},
		"two kinds of evidence from one point":        {"schema: verdict/v1\npoints: [{id: ci.x, produces: [{kind: a}, {kind: b}]}]\n", "points.ci.x.produces is a list; expected a mapping"},
		"a team without a service":                    {"schema: verdict/v1\nteam: payments\n", "team is said of no service"},
		"a service name that is none":                 {"schema: verdict/v1\nservice: Payments API\n", "is not a name"},
		"a path out of the repository":                {"schema: verdict/v1\nservice: a\npaths: [../other]\n", "no folder of the repository"},
		"an absolute path":                            {"schema: verdict/v1\nservice: a\niac: /etc\n", "no folder of the repository"},
		"trust in nobody":                             {"schema: verdict/v1\ntrust: [{name: a, kinds: [sbom], services: ['*']}]\n", "names 0 signers"},
		"trust in two signers at once":                {"schema: verdict/v1\ntrust: [{name: a, key: k, workload: w, issuer: i, kinds: [sbom], services: ['*']}]\n", "names 2 signers"},
		"trust in an identity without its issuer":     {"schema: verdict/v1\ntrust: [{name: a, identity: x, kinds: [sbom], services: ['*']}]\n", "names no issuer"},
		"trust in anybody":                            {"schema: verdict/v1\ntrust: [{name: a, identity: '*', issuer: i, kinds: [sbom], services: ['*']}]\n", "trusts anybody"},
		"a server that speaks by a name":              {forPeople + "key: server, kinds: [approval], environments: ['*']}]\n", "trust[0] lets a server speak for people, and does not name it by the id of its key"},
		"a workload that speaks for people":           {forPeople + "workload: w, issuer: i, kinds: [approval], environments: ['*']}]\n", "does not name it by the id of its key"},
		"a server that speaks of everything":          {forPeople + "key: '" + anID + "', kinds: ['*'], environments: ['*']}]\n", "lets a server state * for people"},
		"a server that governs for people":            {forPeople + "key: '" + anID + "', kinds: [approval, map-release], environments: ['*']}]\n", "lets a server state map-release for people"},
		"a server that speaks wherever":               {forPeople + "key: '" + anID + "', kinds: [approval]}]\n", "does not say in which environments"},
		"a server that speaks for somebody else":      {strings.Replace(forPeople, "people", "machines", 1) + "key: '" + anID + "', kinds: [approval], environments: ['*']}]\n", "expected one of people"},
		"trust with nothing":                          {"schema: verdict/v1\ntrust: [{name: a, key: k}]\n", "does not say what may be stated"},
		"one account of two persons in two spellings": {"schema: verdict/v1\npeople:\n  a: {accounts: {github: Jane}}\n  b: {accounts: {github: jane}}\n", `people.a and people.b both have the github account "jane"`},
		"one account of two persons":                  {"schema: verdict/v1\npeople:\n  a: {accounts: {github: x}}\n  b: {accounts: {github: x}}\n", `verdict.yaml:4: people.a and people.b both have the github account "x"`},
		"an account in a system that nobody knows":    {"schema: verdict/v1\npeople: {a: {accounts: {githbu: x}}}\n", `the nearest is "github"`},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Load(FileName, []byte(c.text))
			if err == nil || m != nil {
				t.Fatalf("it was accepted")
			}
			var e *verdict.Error
			if !errors.As(err, &e) || e.Remedy == "" || e.Code.Exit() != 1 {
				t.Fatalf("not an error that a person can act on: %#v", err)
			}
			if !strings.Contains(e.What, c.want) {
				t.Errorf("it says\n%s\nand not\n%s", e.What, c.want)
			}
		})
	}
}

func TestAllProblemsOfAFileAreToldAtOnceInItsOrder(t *testing.T) {
	_, err := Load(FileName, []byte("schema: verdict/v1\nadopting: maybe\nteem: x\npoints:\n  - {id: ci.secrets, mode: off}\n"))
	if err == nil {
		t.Fatal("it was accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "verdict.yaml:2:") || !strings.HasPrefix(lines[1], "verdict.yaml:3:") || !strings.HasPrefix(lines[2], "verdict.yaml:5:") {
		t.Errorf("it says\n%v", err)
	}
}

// A file that is no mapping at all needs another beginning, and has no key to leave out.
func TestTheRemedyForTheWholeFileCanBeFollowed(t *testing.T) {
	_, err := Load(FileName, []byte("- a\n"))
	if e := verdict.AsError(err); err == nil || !strings.Contains(e.Remedy, "begin it with `schema: verdict/v1`") || strings.Contains(e.Remedy, "leave the key out") {
		t.Errorf("it says %v", err)
	}
}

func TestAnErrorGivesNoOrdersToATerminal(t *testing.T) {
	for _, text := range []string{"schema: verdict/v1\n\"\\e[2J\": 1\n\"\\e[2J\": 2\n", "schema: verdict/v1\nteam: \"\\e[2J\\n::error::x\"\nservice: a\n", "schema: \"\\e[2J\"\n"} {
		_, err := Load("a\n::error::b\x1b[2J.yaml", []byte(text))
		if err == nil || strings.ContainsFunc(strings.ReplaceAll(err.Error(), "\n", ""), func(c rune) bool { return !unicode.IsPrint(c) }) || strings.Contains(err.Error(), "\n::error") {
			t.Errorf("it says %q", err)
		}
	}
}

func TestAFileOfAThousandProblemsIsToldShortly(t *testing.T) {
	text := "schema: verdict/v1\n"
	for i := range 1000 {
		text += fmt.Sprintf("unknown%d: 1\n", i)
	}
	_, err := Load(FileName, []byte(text))
	if err == nil || strings.Count(err.Error(), "\n") != maxFaults || !strings.Contains(err.Error(), "and 980 more") {
		t.Errorf("it says %v", err)
	}
}

func TestLengthsOfTimeAreReadStrictly(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "4h": 4 * time.Hour, "30d": 720 * time.Hour, "2w": 336 * time.Hour, "3y": 3 * 8760 * time.Hour, "100y": 876000 * time.Hour,
	} {
		d, err := ParseDuration(text)
		if err != nil || time.Duration(d) != want {
			t.Errorf("%s is %v, %v", text, time.Duration(d), err)
		}
		if again, err := ParseDuration(d.String()); err != nil || again != d {
			t.Errorf("%s is written as %s, which is %v, %v", text, d, again, err)
		}
	}
	for _, text := range []string{"", "d", "0d", "-1d", "+1d", "1.5h", "1h30m", "30 d", "30D", "01d", "101y", "99999999y", "9999999w", "1s", "30", "３d"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q was read as %v", text, d)
		}
	}
}

// An hour that the map closes must be closed whatever the clock of the machine says.
func TestHoursHoldInTheirOwnZone(t *testing.T) {
	m := load(t, "schema: verdict/v1\nenvironments: {p: {tier: prod, promote_from: s, hours: {timezone: Europe/Amsterdam, allow: [Mon-Thu 08:00-16:00, Sat 10:00-24:00]}}, s: {tier: staging}}\n")
	h := m.Environments["p"].Hours
	for at, open := range map[string]bool{
		"2026-11-23T07:00:00Z":      true,  // Monday 08:00 there, winter
		"2026-11-23T06:59:59Z":      false, // a second before
		"2026-11-23T15:00:00Z":      false, // Monday 16:00 there: excluded
		"2026-06-22T06:00:00Z":      true,  // Monday 08:00 there, summer
		"2026-06-22T05:59:00Z":      false,
		"2026-11-27T10:00:00Z":      false, // Friday
		"2026-11-28T22:59:00Z":      true,  // Saturday 23:59 there
		"2026-11-28T23:00:00Z":      false, // Sunday there
		"2026-11-23T16:30:00+09:00": true,  // the same moment in another zone
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if h.Open(moment) != open {
			t.Errorf("at %s it is open: %t", at, !open)
		}
	}
}

func TestAFreezeLastsToTheEndOfItsLastDayWhereItHolds(t *testing.T) {
	f := acme(t).Environments["prod-weu"].Freezes[0]
	for at, holds := range map[string]bool{
		"2026-12-17T22:59:59Z": false, "2026-12-17T23:00:00Z": true, // midnight in Amsterdam
		"2027-01-04T22:59:59Z": true, "2027-01-04T23:00:00Z": false,
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if f.Holds(moment) != holds {
			t.Errorf("at %s it holds: %t", at, !holds)
		}
	}
}

func TestAPointBlocksFromTheDayThatItNames(t *testing.T) {
	p, _ := acme(t).Point("deploy.admission")
	day := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	if p.ModeAt(day.Add(-time.Second)) != verdict.ModeWarn || p.ModeAt(day) != verdict.ModeBlock {
		t.Errorf("it is in %s and then in %s", p.ModeAt(day.Add(-time.Second)), p.ModeAt(day))
	}
}

// The digest of a decision's map has to be found again from what is kept of the map.
func TestTheCanonicalFormLoadsAsTheSameMap(t *testing.T) {
	maps := []*Map{Builtin(), acme(t), load(t, smallest)}
	files, err := filepath.Glob("testdata/lint/*/*.yaml")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		maps = append(maps, load(t, string(text)))
	}
	for _, m := range maps {
		b, err := m.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load("again", b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if again.Digest() != m.Digest() {
			c, _ := again.Canonical()
			t.Errorf("the canonical form loads as another map:\n%s\n%s", b, c)
		}
		if strings.Contains(string(b), "null") {
			t.Errorf("a list or mapping is null in %s", b)
		}
	}
}

func TestTheDigestIsOfTheMeaningNotOfTheWriting(t *testing.T) {
	a := load(t, smallest+"retention: {default: 365d}\npoints: [{id: ci.secrets, mode: block, owner: sec}]\n")
	b := load(t, "# another\nretention: {default: 1y}\nteam: payments\nowner: lead@acme.example\nservice: payments-api\npoints:\n  - owner: sec\n    id: ci.secrets\nschema: verdict/v1\n")
	c := load(t, smallest+"retention: {default: 365d}\npoints: [{id: ci.secrets, mode: observe, owner: sec}]\n")
	if a.Digest() != b.Digest() {
		t.Error("writing it in another way changed the digest")
	}
	if a.Digest() == c.Digest() {
		t.Error("another mode did not change the digest")
	}
	pa, _ := a.Point("ci.secrets")
	pc, _ := c.Point("ci.secrets")
	qa, _ := a.Point("ci.iac")
	qc, _ := c.Point("ci.iac")
	if pa.Digest() == pc.Digest() || qa.Digest() != qc.Digest() {
		t.Error("the digest of a point is not that of the point alone")
	}
}

func TestANamedToolReplacesTheDefaultOne(t *testing.T) {
	m := load(t, smallest+"sources: {trivy: {kinds: [vulnerabilities], max_age: 2d}}\n")
	if slices.Contains(m.Sources["verdict"].Kinds, "vulnerabilities") || !slices.Contains(m.Sources["verdict"].Kinds, "secrets") {
		t.Errorf("the default source yields %v", m.Sources["verdict"].Kinds)
	}
	if age := m.MaxAge(Need{Kind: "vulnerabilities"}); age != 2*Day {
		t.Errorf("max age %s", age)
	}
	if age := m.MaxAge(Need{Kind: "vulnerabilities", MaxAge: Day}); age != Day {
		t.Errorf("max age %s", age)
	}
	if age := m.MaxAge(Need{Kind: "secrets"}); age != 0 {
		t.Errorf("max age %s", age)
	}
	if m.Sources["advisories"].MaxAge != 7*Day {
		t.Errorf("advisories may be %s old", m.Sources["advisories"].MaxAge)
	}
}

// A command without a time limit could hold a pipeline for ever, and one whose arguments
// may not repeat could not be written.
func TestACommandHasATimeLimitAndMayRepeatItsWords(t *testing.T) {
	m := load(t, smallest+"sources: {s: {kinds: [sast], command: [s, --config, a, --config, b], format: sarif}, quiet: {kinds: [x]}}\n")
	if s := m.Sources["s"]; len(s.Command) != 5 || s.Timeout.String() != "10m" || m.Sources["quiet"].Timeout != 0 {
		t.Errorf("%+v", m.Sources)
	}
	if got := m.Checks("verdict"); slices.Contains(got, "environment") && !slices.Contains(got, "secrets") {
		t.Errorf("Verdict's own checks: %v", got)
	}
}

// Two programs that render charts would give two answers, and nobody knows which one counts.
func TestOneSourceRendersCharts(t *testing.T) {
	const one, two = "sources: {helm: {command: [helm, template], format: helm}", ", helm4: {command: [helm4, template], format: helm"
	for text, want := range map[string]string{
		"sources: {s: {kinds: [sast], command: [s], format: sarif}": "", one: "helm", one + two + ", primary: true}": "helm4", one + two + "}": "!",
	} {
		m := load(t, smallest+text+"}\n")
		got, err := m.Renderer()
		if err != nil {
			got = "!"
		}
		ambiguous := slices.ContainsFunc(Lint(m, stepOne, LintOptions{Now: now}), func(p Problem) bool { return p.ID == "VD-E06" && strings.Contains(p.What, "charts are rendered by") })
		if got != want || ambiguous != (want == "!") {
			t.Errorf("%s: %q, lint complains: %v", text, got, ambiguous)
		}
	}
	if m := load(t, smallest+one+"}\n"); m.Sources["helm"].Timeout.String() != "1m" {
		t.Errorf("a chart has %s", m.Sources["helm"].Timeout)
	}
}

// A tool that runs on demand answers whoever asks; that no point needs it is no mistake.
func TestAToolOnDemandNeedsNoPoint(t *testing.T) {
	const source = "sources: {govulncheck: {kinds: [go-symbols], command: [govulncheck, -json, ./...], format: govulncheck"
	for text, unread := range map[string]bool{source + "}}\n": true, source + ", on_demand: true}}\n": false} {
		m := load(t, smallest+text)
		if got := slices.ContainsFunc(Lint(m, stepOne, LintOptions{Now: now}), func(p Problem) bool { return p.ID == "VD-E05" }); got != unread {
			t.Errorf("%s: told %v", text, got)
		}
		if got := m.ReachSources(); !slices.Equal(got, []string{"govulncheck"}) {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestANeedSaysWhichStatementsSatisfyIt(t *testing.T) {
	m := Builtin()
	for need, want := range map[string][3]string{
		"secrets":         {"test-result", "secrets", ""},
		"vulnerabilities": {"vulnerabilities", "vulnerabilities", ""},
		"sbom":            {"sbom", "", ""},
		"vsa":             {"decision", "", "artifact.trust"},
		"secrets-check":   {"decision", "", "ci.secrets"},
		"change-review":   {"change-review", "", ""},
	} {
		kind, check, point := m.Evidence(need)
		if got := [3]string{string(kind), check, point}; got != want {
			t.Errorf("%s is %v, expected %v", need, got, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(smallest))
	f.Add(builtinYAML)
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("? {[a]: b}\n: - - - c"))
	f.Add([]byte("schema: verdict/v1\npoints: [{id: ci.x, needs: [{kind: a, max_age: 1d}], produces: {kind: b}}]"))
	f.Add([]byte("schema: verdict/v1\nenvironments: {a: {tier: dev, soak: 1h, hours: {timezone: UTC, allow: Sun 00:00-24:00}}}"))
	if data, err := os.ReadFile("../examples/acme/verdict.yaml"); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Load(FileName, data)
		if err != nil {
			var e *verdict.Error
			if !errors.As(err, &e) || e.Remedy == "" || e.What == "" || m != nil {
				t.Fatalf("not an error that a person can act on: %#v", err)
			}
			if strings.ContainsFunc(e.What+e.Remedy, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }) {
				t.Fatalf("an error that gives orders to a terminal: %q", e.What)
			}
			return
		}
		b, err := m.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load("again", b)
		if err != nil || again.Digest() != m.Digest() {
			t.Fatalf("the canonical form is another map: %v\n%s", err, b)
		}
		Lint(m, stepOne, LintOptions{Now: now})
		if changes := Diff(m, again); len(changes) != 0 {
			t.Fatalf("a map differs from itself: %+v", changes)
		}
		checkPage(t, newPicture(m, DrawOptions{View: ViewEngineer}).layout())
	})
}

// An editor marks each line at fault, not the first alone.
func TestAnUnreadableFileNamesEachLineWithItsRemedy(t *testing.T) {
	_, err := Load("verdict.yaml", []byte(smallest+"modee: x\npoints:\n  - {id: ci.secrets, mode: loud}\n"))
	var file *FileError
	if !errors.As(err, &file) || len(file.Problems) != 2 {
		t.Fatalf("not two problems: %v", err)
	}
	for i, line := range []int{5, 7} {
		p := file.Problems[i]
		if p.ID != Unreadable || p.Severity != SeverityError || p.File != "verdict.yaml" || p.Line != line || p.What == "" || p.Remedy == "" {
			t.Errorf("problem %d is %+v", i, p)
		}
	}
	var e *verdict.Error
	if !errors.As(err, &e) || e.Code != verdict.CodeInvalid || e.Error() != err.Error() {
		t.Errorf("wraps %v", e)
	}
	_, err = Load("verdict.yaml", []byte(smallest+strings.Repeat("x: 1\n", 30)))
	if !errors.As(err, &file) || !strings.HasPrefix(file.Problems[len(file.Problems)-1].What, "and ") || len(file.Problems) != maxFaults+1 {
		t.Errorf("30 faults give %+v", file.Problems)
	}
}
