package decisionmap

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"verdict"
)

// Severity of a lint rule.
type Severity string

// The severities: an error makes `verdict map lint` exit 3, a warning does not.
const (
	SeverityError   Severity = "E"
	SeverityWarning Severity = "W"
)

// RuleSource is what the linter asks of a policy bundle.
type RuleSource interface {
	// Select gives the rules that a selector names; false when it names none.
	Select(selector string) ([]verdict.Rule, bool)
	// Forbidden lists the builtins that the rule calls and may not.
	Forbidden(ruleID string) []string
}

// LintOptions is what the linter needs to know besides map and rules.
type LintOptions struct {
	// Now is the time of judgement. At the zero time nothing that lies ahead has come
	// and nothing can be told of how long something has lasted.
	Now time.Time
	// AdoptingSince is when the map began to say adopting: true, where a history knows
	// it. It matters only to a map without adopting_until.
	AdoptingSince time.Time
	// History is what recorded decisions tell of points, by id; nil without a ledger.
	History map[string]History
	// Enrolled are the persons of enrolled keys, by the id of the key; nil without a ledger.
	Enrolled map[string]string
}

// History is what the last decisions of a point tell of its rules.
type History struct {
	Decisions int            // how many were looked at, at most MaxHistory
	Asked     map[string]int // in how many of them a rule with the effect review failed, by its id
}

// MaxHistory is how many decisions of a point VD-A04 looks at.
const MaxHistory = 100

// Problem is one thing that the linter found.
type Problem struct {
	ID       string   `json:"id"` // VD-…
	Severity Severity `json:"severity"`
	Where    string   `json:"where"` // path in the map, such as points.ci.secrets.mode
	File     string   `json:"file"`  // where that was said; empty for a default
	Line     int      `json:"line"`  // from 1; 0 for a default
	What     string   `json:"what"`
	Remedy   string   `json:"remedy"`
}

// LintRule is one row of the linter's table.
type LintRule struct {
	ID       string
	Severity Severity
	Title    string
	check    func(*linter)
}

var lintRules = []LintRule{
	{"VD-Q01", SeverityError, "a point asks exactly one question", oneQuestion},
	{"VD-Q02", SeverityError, "no two points share a rule, a policy or a question", noTwins},
	{"VD-Q03", SeverityWarning, "no two questions overlap by 0.8 of their words", noEchoes},
	{"VD-L01", SeverityError, "the layer exists and `at` fits it", layerExists},
	{"VD-L02", SeverityError, "code, ci and artifact points read nothing of the place where something runs", noPlaceEarly},
	{"VD-L03", SeverityError, "ci points block or observe, and have no review effect", ciPassOrFail},
	{"VD-L04", SeverityError, "deploy points neither scan nor build", deployOnlyDecides},
	{"VD-L05", SeverityError, "runtime points observe or warn", runtimeNeverBlocks},
	{"VD-L06", SeverityWarning, "a runtime point feeds an earlier point or the backlog", runtimeFeeds},
	{"VD-L07", SeverityError, "evidence flows forward", flowsForward},
	{"VD-E01", SeverityError, "every need is produced by a source or an earlier point", needsProduced},
	{"VD-E02", SeverityError, "promotion evidence is bound to a digest", promotionBound},
	{"VD-E03", SeverityError, "every point leaves one kind of evidence, kept long enough", leavesEvidence},
	{"VD-E04", SeverityError, "the SBOM is needed by a block point and read by a rule of it", sbomUsed},
	{"VD-E05", SeverityWarning, "evidence is read by somebody", evidenceRead},
	{"VD-E06", SeverityError, "one producer per kind, or one is primary", oneProducer},
	{"VD-G01", SeverityError, "infrastructure code is checked at a block point before it is applied", infrastructureChecked},
	{"VD-G02", SeverityError, "each production environment has a blocking deploy point that needs artifact trust", productionGated},
	{"VD-G03", SeverityError, "production environments declare what is at stake", stakesDeclared},
	{"VD-G04", SeverityError, "promote_from is a chain without cycles that starts outside production", promotionChain},
	{"VD-G05", SeverityWarning, "a regional or global blast radius has tested rollback and SLSA 3", wideBlast},
	{"VD-G06", SeverityError, "admission reads promotions and the request alone", admissionReads},
	{"VD-G07", SeverityError, "a namespace of a cluster belongs to one environment", oneNamespaceOneEnvironment},
	{"VD-O01", SeverityError, "every service has owner and team, every point an owner", ownersNamed},
	{"VD-O02", SeverityError, "every rule that can block has a remediation and an owner", rulesOwned},
	{"VD-O03", SeverityWarning, "signed commits are asked for where somebody acts on it", signaturesActed},
	{"VD-A01", SeverityError, "approvals require scope, rationale and expiry and exclude author and requester", approvalLimits},
	{"VD-A02", SeverityError, "exceptions require rule, scope, rationale, owner and expiry, for at most 90 days", exceptionLimits},
	{"VD-A03", SeverityError, "break-glass names who, incident, at most 4 h, a review time and who is told", breakGlassLimits},
	{"VD-A04", SeverityWarning, "no rule asks for a review in over half of the last 100 decisions", reviewsAreRare},
	{"VD-P01", SeverityError, "every policy, rule and selector that is named exists", selectorsExist},
	{"VD-P02", SeverityError, "the bundle is pinned by digest and its signer is named", bundlePinned},
	{"VD-T01", SeverityError, "every needed kind has a trusted producer for each service and environment", producersTrusted},
	{"VD-T02", SeverityWarning, "who states vulnerabilities does not state as well that they do not matter", findersExcuseNothing},
	{"VD-T03", SeverityWarning, "who builds is known, and may state provenance", buildersTrusted},
	{"VD-T04", SeverityWarning, "who states decisions is named by the id of a key", decidersByID},
	{"VD-T05", SeverityWarning, "who speaks for people is a server, and none of them", noPersonForOthers},
	{"VD-P03", SeverityError, "rules call allowed builtins only", builtinsAllowed},
	{"VD-P04", SeverityWarning, "nothing warns or is announced for over 90 days without enforce_from", warnsForLong},
}

// linter runs the rules over one map.
type linter struct {
	*Map
	source RuleSource
	opts   LintOptions
	rules  map[string][]verdict.Rule // point id → the rules that its selectors name
	words  map[string][]string       // point id → the words of its question that mean something
	rule   LintRule                  // the one that runs
	out    []Problem
}

// Lint judges the map by every rule of the table. The problems come in the order of the
// table and, within a rule, of the map; none is an empty list. Points whose rules come
// in a later step are no problem here: see NotBuilt.
func Lint(m *Map, rules RuleSource, opts LintOptions) []Problem {
	l := newLinter(m, rules, opts)
	for _, rule := range lintRules {
		l.rule = rule
		rule.check(l)
	}
	return l.out
}

func newLinter(m *Map, rules RuleSource, opts LintOptions) *linter {
	l := &linter{Map: m, source: rules, opts: opts, rules: map[string][]verdict.Rule{}, words: map[string][]string{}, out: []Problem{}}
	for _, p := range m.Points {
		l.rules[p.ID], l.words[p.ID] = selectAll(rules, p.Policy), questionWords(p.Question)
	}
	return l
}

func selectAll(rules RuleSource, selectors []string) []verdict.Rule {
	var out []verdict.Rule
	for _, s := range selectors {
		found, _ := rules.Select(s)
		for _, r := range found {
			if !slices.ContainsFunc(out, func(o verdict.Rule) bool { return o.ID == r.ID }) {
				out = append(out, r)
			}
		}
	}
	return out
}

// NotBuilt lists the points, by id, that cannot decide yet: their selectors name no
// rule of the bundle, and each of them is on the fixed list of selectors whose rules
// come in a later step. A selector that is not on that list is VD-P01.
func NotBuilt(m *Map, rules RuleSource) []string {
	l := newLinter(m, rules, LintOptions{})
	out := []string{}
	for _, p := range m.Points {
		if l.notBuilt(p) && !isAdmission(p) { // which answers from stored decisions, by no rule
			out = append(out, p.ID)
		}
	}
	return out
}

func (l *linter) notBuilt(p Point) bool {
	return len(p.Policy) > 0 && len(l.rules[p.ID]) == 0 &&
		!slices.ContainsFunc(p.Policy, func(s string) bool { return !isPlanned(s) })
}

// Bind refuses a map whose code, ci or artifact points read what is bound to a place
// (VD-L02), by their needs or by what their rules read. Whoever puts a map and a bundle
// together to decide calls it first, whether or not anybody linted the map.
func Bind(m *Map, rules RuleSource) error {
	l := newLinter(m, rules, LintOptions{})
	l.rule = lintRules[slices.IndexFunc(lintRules, func(r LintRule) bool { return r.ID == "VD-L02" })]
	l.rule.check(l)
	if len(l.out) == 0 {
		return nil
	}
	var what []string
	for _, p := range l.out {
		what = append(what, p.ID+" "+p.Where+": "+p.What)
	}
	return &verdict.Error{Code: verdict.CodeInvalid, What: strings.Join(what, "\n"), Remedy: l.out[0].Remedy}
}

// found reports a problem at a path of the map.
func (l *linter) found(where, what, remedy string) {
	o := l.originOf(where)
	l.out = append(l.out, Problem{
		ID: l.rule.ID, Severity: l.rule.Severity, Where: where, File: o.Name, Line: o.Line, What: what, Remedy: remedy,
	})
}

// originOf is where the value at the path was said, or what it belongs to.
func (m *Map) originOf(where string) Origin {
	for {
		if o, ok := m.origins[where]; ok {
			return o
		}
		i := strings.LastIndexAny(where, ".[")
		if i < 0 {
			return Origin{From: FromDefault}
		}
		where = where[:i]
	}
}

// Origin is where the value at a path such as services.payments-api was said, or what it
// belongs to.
func (m *Map) Origin(path string) Origin { return m.originOf(path) }

// bindsLater reports a problem that an adopting map may still have: a warning with the
// day from which it is an error.
func (l *linter) bindsLater(where, what, remedy string) {
	l.found(where, what, remedy)
	if !l.Adopting {
		return
	}
	p, from := &l.out[len(l.out)-1], l.bindsFrom()
	if from.IsZero() || !l.opts.Now.Before(from) {
		p.What += "; the time of adopting is over"
		return
	}
	p.Severity = SeverityWarning
	p.What += fmt.Sprintf("; a warning while adopting, an error from %s", from.Format(time.DateOnly))
}

// AdoptingTime is how long adopting may last where the map does not say.
const AdoptingTime = 90 * 24 * time.Hour

func (l *linter) bindsFrom() time.Time {
	switch {
	case !l.AdoptingUntil.IsZero():
		return l.AdoptingUntil
	case !l.opts.AdoptingSince.IsZero():
		return l.opts.AdoptingSince.Add(AdoptingTime)
	case !l.opts.Now.IsZero():
		return l.opts.Now.Add(AdoptingTime)
	}
	return time.Time{}
}

// blocksNow reports whether the point enforces at the time of judgement.
func (l *linter) blocksNow(p Point) bool { return p.ModeAt(l.opts.Now) == verdict.ModeBlock }

// acts reports whether the point tells or enforces, now or from a day that it names. A
// point that only observes has no claim on anybody.
func acts(p Point) bool { return p.Mode != verdict.ModeObserve || !p.EnforceFrom.IsZero() }

func (p Point) needs(kind string) bool {
	return slices.ContainsFunc(p.Needs, func(n Need) bool { return n.Kind == kind })
}

func at(p Point, key string) string { return "points." + p.ID + "." + key }

// WriteProblems writes the problems for people, the worst first, with a line that counts
// them. It is the text of `verdict map lint`.
func WriteProblems(w io.Writer, problems []Problem, notBuilt []string) error {
	sorted := slices.Clone(problems)
	slices.SortStableFunc(sorted, func(a, b Problem) int { return cmp.Compare(a.Severity, b.Severity) })
	var b strings.Builder
	errors := 0
	for _, p := range sorted {
		word := "warning"
		if p.Severity == SeverityError {
			word, errors = "error", errors+1
		}
		place := oneLine(p.Where)
		if p.Line > 0 {
			place = strings.TrimSpace(fmt.Sprintf("%s:%d %s", oneLine(p.File), p.Line, place))
		}
		fmt.Fprintf(&b, "%s %s %s\n  %s\n  fix: %s\n", word, p.ID, place, oneLine(p.What), oneLine(p.Remedy))
	}
	if len(notBuilt) > 0 {
		fmt.Fprintf(&b, "not built yet: %s without rules in this bundle, which decide nothing:\n", counted(len(notBuilt), "point"))
		textNotes(&b, notBuilt)
	}
	fmt.Fprintf(&b, "%s, %s\n", counted(errors, "error"), counted(len(problems)-errors, "warning"))
	_, err := io.WriteString(w, b.String())
	return err
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
