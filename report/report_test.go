package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
)

func TestTheExitCodeIsThatOfTheWorstDecision(t *testing.T) {
	allow, deny := verdict.Decision{Outcome: verdict.Allow, Enforced: verdict.Allow}, verdict.Decision{Outcome: verdict.Deny, Enforced: verdict.Deny}
	review, undecided := verdict.Decision{Outcome: verdict.Review, Enforced: verdict.Review}, verdict.Decision{Outcome: verdict.Undecided, Enforced: verdict.Deny}
	told := verdict.Decision{Outcome: verdict.Deny, Enforced: verdict.Allow}
	for _, c := range []struct {
		name string
		in   []verdict.Decision
		exit int
	}{
		{"all allowed", []verdict.Decision{allow, allow}, 0},
		{"nothing decided is not allowed", nil, 1},
		{"one denied", []verdict.Decision{allow, deny}, 3},
		{"one undecided", []verdict.Decision{allow, undecided}, 1},
		{"a real failure wins over what is unknown", []verdict.Decision{undecided, deny}, 3},
		{"what is unknown wins over a wish for approval", []verdict.Decision{review, undecided}, 1},
		{"one to approve", []verdict.Decision{allow, review}, 5},
		{"told, not enforced", []verdict.Decision{told}, 0},
		{"a decision without a word", []verdict.Decision{{}}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := (Run{Decisions: c.in}).Exit(); got != c.exit {
				t.Errorf("exit %d, want %d", got, c.exit)
			}
		})
	}
}

// None of these may read like a plain yes.
func TestWhatIsNotAPlainYesDoesNotReadLikeOne(t *testing.T) {
	all := cases()
	glass := all["blocked"]
	glass.Decisions = []verdict.Decision{with(all["blocked"].Decisions[0], "1111111111111111", func(d *verdict.Decision) { d.Enforced, d.BreakGlass = verdict.Allow, "INC-7" })}
	incomplete := all["allowed"]
	incomplete.Reports = append([]verdict.Report{}, incomplete.Reports...)
	incomplete.Reports[0].Complete = false
	nothing := all["nothing"]
	nothing.Reports = nothing.Reports[1:]
	observed := all["undecided"]
	observed.Decisions = []verdict.Decision{with(all["warn"].Decisions[1], "2222222222222222", func(*verdict.Decision) {})}
	for name, r := range map[string]Run{
		"would have been denied": all["warn"], "would have been undecided": observed, "break-glass": glass,
		"an incomplete check": incomplete, "nothing to judge": nothing, "no decision": all["empty"], "undecided": all["undecided"],
	} {
		if h := r.headline(); h.mark == "✓" || h.words == "ALLOWED" {
			t.Errorf("%s reads %q", name, h.words)
		}
		var b strings.Builder
		if err := Write(&b, "text", r); err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(b.String(), "\n"); strings.Contains(first, "✓") {
			t.Errorf("%s starts with %q", name, first)
		}
		if md := markdown(r, MarkdownLimit); strings.HasPrefix(md, "## ✅") {
			t.Errorf("%s has the page's heading %q", name, strings.SplitN(md, "\n", 2)[0])
		}
	}
	// What nobody stated is unknown, and not a finding: a point that observes says so.
	lacking := all["allowed"]
	lacking.Decisions = append(slices.Clone(lacking.Decisions), decision("code.review", "Did somebody approve?", verdict.ModeObserve, verdict.Deny))
	lacking.Decisions[2].Reasons = []verdict.Reason{{
		Rule: missing, Effect: verdict.EffectDeny, Standing: verdict.Counts, Items: []verdict.Item{{Key: "change-review", Message: "nobody stated it"}}, Message: "nobody stated it",
	}}
	if text := runText(lacking); lacking.headline().words != "ALLOWED, BUT NOT EVERYTHING IS KNOWN" || !strings.Contains(text, "? code.review         not known (mode observe)") || strings.Count(text, "nobody stated it") != 1 {
		t.Errorf("missing evidence reads %q in\n%s", lacking.headline().words, text)
	}
	lacking.Decisions[2].Reasons = append(lacking.Decisions[2].Reasons, secretsReason())
	if h := lacking.headline(); h.words != "ALLOWED, BUT WOULD HAVE BEEN DENIED" {
		t.Errorf("a finding beside missing evidence reads %q", h.words)
	}
	if h := all["allowed"].headline(); h.words != "ALLOWED" {
		t.Errorf("a plain yes reads %q", h.words)
	}
}

func TestACheckWithoutInputSaysSo(t *testing.T) {
	state := checkState(vulnsReport(0))
	if strings.Contains(state.words, "found nothing") || !strings.Contains(state.words, "nothing to judge") {
		t.Errorf("no lockfile reads %q", state.words)
	}
	broken := vulnsReport(0)
	broken.Complete = false
	if s := checkState(broken); !strings.Contains(s.words, "INCOMPLETE") {
		t.Errorf("an incomplete check reads %q", s.words)
	}
	for _, s := range []verdict.State{verdict.StatePresent, verdict.StateMissing, verdict.StateStale, verdict.StateFailed, verdict.StateUnknown, ""} {
		x := explanation(cases()["allowed"].Decisions[0])
		x.Cases[0].Evidence = []Evidence{{Ref: ref(verdict.KindSBOM, 1, time.Hour), State: s}}
		var b strings.Builder
		if err := Why(&b, "text", x, Style{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "✓ sbom") {
			t.Errorf("evidence that is %q is marked like verified", s)
		}
	}
}

func TestEveryReasonIsSeenBehindAnothersMany(t *testing.T) {
	r := cases()["blocked"]
	r.Decisions[0].Reasons[0] = vulnsReason(50)
	r.Decisions[0].Reasons[0].Severity = verdict.SeverityCritical
	low := secretsReason()
	low.Severity, r.Reports = verdict.SeverityLow, nil
	r.Decisions[1].Reasons = []verdict.Reason{low}
	var b strings.Builder
	if err := Write(&b, "text", r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"… and 40 more like these", "config/prod.env:3", "… and 1 more like these", "all findings, 41 of which are not shown here"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not there", want)
		}
	}
	r.Style.All = true
	b.Reset()
	if err := Write(&b, "text", r); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "more like these") {
		t.Error("all were asked for, and some are not shown")
	}
}

func TestColourAddsNothingButColour(t *testing.T) {
	for name, r := range cases() {
		var plain, painted strings.Builder
		if err := Write(&plain, "text", r); err != nil {
			t.Fatal(err)
		}
		r.Style.Colour = true
		if err := Write(&painted, "text", r); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(painted.String(), "\x1b[") {
			t.Errorf("%s has no colour", name)
		}
		if got := stripColour(painted.String()); got != plain.String() {
			t.Errorf("%s reads differently in colour: %s", name, firstDifference(got, plain.String()))
		}
	}
}

func stripColour(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		before, after, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			break
		}
		_, s, _ = strings.Cut(after, "m")
	}
	return b.String()
}

func TestAnUnknownFormatIsAUsageError(t *testing.T) {
	var b strings.Builder
	for _, err := range []error{Write(&b, "yaml", Run{}), WriteFailure(&b, "yaml", Failure{}, Style{}), Why(&b, "yaml", Explanation{}, Style{}), Trail(&b, "yaml", nil, Style{})} {
		if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUsage || e.Remedy == "" {
			t.Errorf("error %v", err)
		}
	}
}

func TestWordsForPeople(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{number(0), "0"}, {number(999), "999"}, {number(1000), "1,000"}, {number(1234567), "1,234,567"}, {number(-1234), "-1,234"}, {number(-123), "-123"},
		{count(1, "file", "files"), "1 file"}, {count(0, "file", "files"), "0 files"},
		{size(1), "1 byte"}, {size(12_400_000), "12.4 MB"}, {size(999), "999 bytes"}, {size(3_000_000_000), "3.0 GB"},
		{age(noon, noon), "just now"}, {age(noon.Add(-90*time.Minute), noon), "1 hour old"}, {age(noon.Add(-50*time.Hour), noon), "2 days old"},
		{age(noon.Add(time.Hour), noon), "in the future"}, {age(time.Time{}, noon), ""}, {when(time.Time{}), "at an unknown time"},
		{subjectText(verdict.Subject{}), "nothing"}, {subjectText(change()), "commit 3f2a3f2a3f2a of payments-api"},
		{clip("äöüß", 2), "äö…"}, {clip("ab", 2), "ab"}, {shortID(""), "ID"},
		{advice("a", "b"), "a. Fix: b"}, {advice("a!", "b"), "a! Fix: b"}, {advice("a", ""), "a"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestTextFitsTheWidth(t *testing.T) {
	for in, want := range map[string]int{"abc": 3, "密码": 4, "e\u0301": 1, "\x1b[1mab\x1b[0m": 2, "🔑": 2} {
		if got := columnsOf(in); got != want {
			t.Errorf("%q has %d columns, want %d", in, got, want)
		}
	}
	if got := Wrap("one two three\nfour", 8, "  "); got != "  one\n  two\n  three\n  four" {
		t.Errorf("wrapped: %q", got)
	}
	if got := Cut("密码密码", 5); got != "密码…" {
		t.Errorf("cut: %q", got)
	}
	if got := Table([][]string{{"a long first cell", "x"}, {"another long one", ""}}, 18, ""); got != "a long first cell\n        x\nanother long one\n" {
		t.Errorf("a cell without words takes a line: %q", got)
	}
	table := Table([][]string{{"a", "first words here"}, {"longer", "x"}}, 20, "  ")
	if want := "  a       first\n          words here\n  longer  x\n"; table != want {
		t.Errorf("table: %q", table)
	}
	wide := Table([][]string{{"a lead that takes the whole line", ""}, {"b", "x"}}, 20, "")
	if want := "a lead that takes the whole line\nb\n        x\n"; wide != want {
		t.Errorf("a table whose first column is wide: %q", wide)
	}
	for name, r := range cases() {
		var b strings.Builder
		if err := Write(&b, "text", r); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := columnsOf(strings.TrimRight(line, "\n")); n > 80 && strings.Contains(strings.TrimSpace(line), "  ") && name != "hostile" && !strings.Contains(line, "/very/deep/") {
				t.Errorf("%s: %d columns: %q", name, n, line)
			}
		}
	}
}

func TestLogLinesAreMadeNeutral(t *testing.T) {
	var b strings.Builder
	in := "level=INFO msg=\x1b[2J\n::error::x\n##vso[task.complete]\n"
	n, err := Lines(&b).Write([]byte(in))
	if err != nil || n != len(in) {
		t.Fatalf("wrote %d, %v", n, err)
	}
	if why := acting(b.String()); why != "" || strings.Count(b.String(), "\n") != 3 {
		t.Errorf("%q holds %s", b.String(), why)
	}
}

// A note never counts, so it is not told as what does not count yet: nobody waits for it.
func TestNotesAreCountedByTheirName(t *testing.T) {
	items := func(n int) []verdict.Item { return make([]verdict.Item, n) }
	d := verdict.Decision{Reasons: []verdict.Reason{
		{Effect: verdict.EffectDeny, Standing: verdict.Counts, Items: items(1)},
		{Effect: verdict.EffectNote, Standing: verdict.Counts, Items: items(15)},
	}}
	if got, want := tally(d), ": 1 finding, 15 notes"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	d.Reasons[0].Items[0].From = time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	if got, want := tally(d), ": 1 that does not count yet or any more, 15 notes"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// One person who approves two reasons at once is one person: a count that mixes the two
// reads as if a second one had agreed.
func TestPersonsAndReasonsAreCountedApart(t *testing.T) {
	approved := func(rule string) verdict.Reason {
		return verdict.Reason{Rule: rule, Standing: verdict.Approved, By: []string{"a-1"}, Items: []verdict.Item{{Key: "x"}, {Key: "y"}}}
	}
	d := verdict.Decision{
		Outcome: verdict.Allow, Enforced: verdict.Allow, Reasons: []verdict.Reason{approved("deploy.gate.first"), approved("deploy.gate.rollback")},
		Lifted: &verdict.Lifted{Approvals: []verdict.Approval{{ID: "a-1", By: "noor"}}},
	}
	if got, want := answerOf(d, false).words+tally(d), "allowed, with 2 reasons approved by noor"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	d.Lifted.Approvals = append(d.Lifted.Approvals, verdict.Approval{ID: "a-2", By: "mei"})
	if got, want := answerOf(d, false).words, "allowed, with 2 reasons approved by mei, noor"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Half a command cannot be typed: what to do is told to its end, in as many lines as it takes.
func TestRemediesAreToldWhole(t *testing.T) {
	long := strings.Repeat("look at the next one, ", 60) + "then verdict gate --env production"
	d := verdict.Decision{Point: "deploy.gate", Outcome: verdict.Deny, Enforced: verdict.Deny,
		Reasons: []verdict.Reason{{Rule: "r", Standing: verdict.Counts, Effect: verdict.EffectDeny, Remediation: "first " + long, Items: []verdict.Item{{Key: "k", Fix: "second " + long}}}},
		Errors:  []verdict.Fault{{Code: "c", What: "w", Remedy: "third " + long}},
		Aside:   []verdict.Aside{{Kind: verdict.KindApproval, ID: "a-1", Why: "w", Remedy: "fourth " + long}},
	}
	for _, format := range []string{"text", "junit"} {
		var b strings.Builder
		if err := Write(&b, format, Run{Decisions: []verdict.Decision{d}}); err != nil {
			t.Fatal(err)
		}
		told := strings.Join(strings.Fields(b.String()), " ")
		for _, which := range []string{"first ", "second ", "third ", "fourth "} {
			if format == "text" && !strings.Contains(told, which+long) {
				t.Errorf("%s does not tell the %sremedy to its end:\n%s", format, which, b.String())
			}
		}
		if format == "junit" && (!strings.Contains(told, "first "+long) || !strings.Contains(told, "third "+long)) {
			t.Errorf("%s cuts a remedy:\n%s", format, b.String())
		}
	}
}
