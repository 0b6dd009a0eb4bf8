package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
	"verdict/report"
)

// lintReport is the document verdict.lint/v1.
type lintReport struct {
	Schema   string                `json:"schema"`
	Map      seenMap               `json:"map"`
	Loaded   bool                  `json:"loaded"` // false: the file is no map, and the rules were not asked
	Errors   int                   `json:"errors"`
	Warnings int                   `json:"warnings"`
	Problems []decisionmap.Problem `json:"problems"`
	NotBuilt []string              `json:"not_built"` // points that cannot decide in this version
	Notes    []string              `json:"notes"`
}

func mapLintCommand() command {
	return command{
		use: "lint", short: "Check the map against the rules of the architecture",
		long: aboutMap + " Each problem names the rule, the line, and what to do.\n\n" +
			"Ends with 3 when there is an error, also when the file cannot be read as a map, and with 0 when there are warnings only. Points whose rules this version does not have are listed as not built yet: they decide nothing.",
		example: "verdict map lint\nverdict map lint --map acme.yaml -o json\nverdict map lint --policy ./policy",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			var folder string
			f.text(&folder, "policy", "DIR", "look selectors up in the rules of this folder too; decisions use the rules that the map names")
			return func(ctx context.Context, a *app, _ []string) error { return a.lint(ctx, folder) }
		},
	}
}

func (a *app) lint(ctx context.Context, folder string) error {
	more, err := furtherRules(folder)
	if err != nil {
		return err
	}
	t, err := a.findMap()
	if err != nil {
		return err
	}
	a.sayBuiltin(t)
	r, err := a.lintMap(ctx, t, more)
	if err != nil {
		return err
	}
	if err := a.emit(r, func(s report.Style) string { return r.text(s) }); err != nil {
		return err
	}
	if r.Errors > 0 {
		return exit(verdict.CodeRefused.Exit())
	}
	return nil
}

// furtherRules are the files that --policy names; nil without it.
func furtherRules(folder string) (map[string]string, error) {
	if folder == "" {
		return nil, nil
	}
	if err := directory(folder); err != nil {
		return nil, err
	}
	return policy.Open(folder)
}

// lintRules is what selectors are looked up in: the built-in rules, those that the map
// decides by beside them, and more. Wrong says why those of the map cannot be read.
func (a *app) lintRules(ctx context.Context, t mapText, m *decisionmap.Map, released *releasedMap, more map[string]string) (rules *policy.Bundle, wrong *verdict.Error, err error) {
	files := map[string]string{}
	if len(m.Policies.Wrong()) == 0 && !fetched(m.Policies) { // one that would have to be fetched is told apart
		own, err := a.rulesOfMap(ctx, t, m, released)
		if err != nil {
			wrong = verdict.AsError(err)
		}
		maps.Copy(files, own)
	}
	maps.Copy(files, more)
	if len(files) == 0 {
		rules, err = policy.Builtin()
		return rules, wrong, err
	}
	rules, err = policy.Compile(files, policy.CompileOptions{Inspect: true})
	return rules, wrong, err
}

// rulesOfMap gives the rules that a map decides by beside the built-in ones: the policy that
// this machine's ledger holds in force, else those that the map names.
func (a *app) rulesOfMap(ctx context.Context, t mapText, m *decisionmap.Map, released *releasedMap) (own map[string]string, err error) {
	_, _, beside := m.Policies.Beside()
	if a.mustExist() == nil {
		w, err := a.openExisting(ctx)
		if err != nil {
			return nil, err
		}
		defer w.close()
		if own, err := w.releasedFiles(ctx, m); own != nil || err != nil {
			return own, err
		}
		if released != nil && beside {
			return w.rulesOf(ctx, nil, judgedBy{Map: m, Released: released})
		}
	}
	if a.rulesElsewhere(m, released) {
		return nil, nil
	}
	return t.besideFile(m)
}

// rulesElsewhere reports whether the rules of a map lie beside its file, and that on the machine
// of who sent it to a server.
func (a *app) rulesElsewhere(m *decisionmap.Map, released *releasedMap) bool {
	_, _, beside := m.Policies.Beside()
	return a.hosted != nil && released == nil && beside
}

// fetched reports whether a map names a bundle that would have to be fetched.
func fetched(p decisionmap.Policies) bool {
	_, _, beside := p.Beside()
	return !beside && p.Bundle != decisionmap.BuiltinBundle && p.Bundle != decisionmap.ReleasedBundle
}

// lintMap judges a map file as it would take effect. A file that is no map is a report
// like any other; what could not be found out is an error.
func (a *app) lintMap(ctx context.Context, t mapText, more map[string]string) (lintReport, error) {
	r := lintReport{
		Schema: "verdict.lint/v1", Map: seenMap{File: t.File, Released: -1}, Problems: []decisionmap.Problem{}, NotBuilt: []string{}, Notes: []string{},
	}
	o := decisionmap.LintOptions{Now: a.now()}
	var released *releasedMap
	m, err := t.load()
	if err == nil {
		r.Map = seen(t, m, nil)
		if m, released, err = a.underRelease(ctx, t, m); err == nil {
			r.Map = seen(t, m, released)
			o.AdoptingSince, err = a.adoptingSince(ctx, m, released)
		}
	}
	if err != nil {
		if r.Problems = unreadableMap(t, err); r.Problems == nil {
			return r, err
		}
		r.count()
		return r, nil
	}
	r.Loaded = true
	rules, wrong, err := a.lintRules(ctx, t, m, released, more)
	if err != nil {
		return r, err
	}
	if o.History, err = a.history(ctx, m, rules); err != nil {
		return r, err
	}
	if o.Enrolled, err = a.enrolledFor(ctx, m); err != nil {
		return r, err
	}
	r.Problems = decisionmap.Lint(m, rules, o)
	r.NotBuilt = decisionmap.NotBuilt(m, rules)
	if wrong != nil {
		r.Problems = append(r.Problems, decisionmap.Problem{ID: "VD-P02", Severity: decisionmap.SeverityError, Where: "policies.bundle", File: t.File, What: wrong.Error(), Remedy: wrong.Remedy})
	}
	if fetched(m.Policies) {
		r.Notes = append(r.Notes, "the map names the bundle "+m.Policies.Bundle+", which this version does not fetch; selectors were looked up among the built-in rules, and those that --policy adds")
	}
	if a.rulesElsewhere(m, released) {
		r.Notes = append(r.Notes, "the rules that the map names beside itself were not sent; selectors were looked up among those that the server has: verdict map lint, where the map lies, reads them too")
	}
	r.count()
	return r, nil
}

// enrolledFor is whose the enrolled keys are, where this machine has a ledger and the map lets
// one of them speak for people.
func (a *app) enrolledFor(ctx context.Context, m *decisionmap.Map) (map[string]string, error) {
	if !slices.ContainsFunc(m.Trust, func(t decisionmap.Trust) bool { return t.For != "" }) || a.mustExist() != nil {
		return nil, nil
	}
	w, err := a.openExisting(ctx)
	if err != nil {
		return nil, err
	}
	defer w.close()
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, k := range h.Keys() {
		out[k.ID] = k.Person
	}
	return out, nil
}

// history is what the last decisions of the points that can ask for a review tell, where this
// machine has a ledger. Those whose bodies are gone are passed over.
func (a *app) history(ctx context.Context, m *decisionmap.Map, rules *policy.Bundle) (map[string]decisionmap.History, error) {
	asks := func(p decisionmap.Point) bool {
		return slices.ContainsFunc(p.Policy, func(selector string) bool {
			found, _ := rules.Select(selector)
			return slices.ContainsFunc(found, func(r verdict.Rule) bool { return r.Effect == verdict.EffectReview })
		})
	}
	if !slices.ContainsFunc(m.Points, asks) || a.mustExist() != nil {
		return nil, nil
	}
	w, err := a.openExisting(ctx)
	if err != nil {
		return nil, err
	}
	defer w.close()
	out := map[string]decisionmap.History{}
	for _, p := range m.Points {
		if asks(p) {
			if out[p.ID], err = w.askedAt(ctx, p.ID); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// askedAt counts which rules asked for a review in the last decisions of a point.
func (w *workspace) askedAt(ctx context.Context, point string) (decisionmap.History, error) {
	h := decisionmap.History{Asked: map[string]int{}}
	rows, err := w.ledger.Decisions(ctx, ledger.DecisionQuery{Point: point, At: ledger.Now, Limit: decisionmap.MaxHistory})
	if err != nil {
		return h, err
	}
	for _, row := range rows {
		var d verdict.Decision
		if w.decode(ctx, row.Index, &d) != nil {
			continue
		}
		h.Decisions++
		for _, r := range d.Reasons {
			if r.Effect == verdict.EffectReview && r.Standing != verdict.Announced {
				h.Asked[r.Rule]++
			}
		}
	}
	return h, ctx.Err()
}

// adoptingSince is when the organisation began to adopt, as this machine's ledger tells
// it. An organisation's own file goes on with what the map in force began; the zero time
// is that of a map which nobody released. A map that says until when needs no history.
func (a *app) adoptingSince(ctx context.Context, m *decisionmap.Map, released *releasedMap) (time.Time, error) {
	if !m.Adopting || !m.AdoptingUntil.IsZero() {
		return time.Time{}, nil
	}
	if released == nil && m.IsOrganisation() && a.mustExist() == nil {
		w, err := a.openExisting(ctx)
		if err != nil {
			return time.Time{}, err
		}
		defer w.close()
		if released, err = w.inForce(ctx, ledger.Now); err != nil {
			return time.Time{}, err
		}
	}
	return released.adoptingSince(), nil
}

// unreadableMap turns the refusal of a file into problems; nil when err is about
// something else.
func unreadableMap(t mapText, err error) []decisionmap.Problem {
	var file *decisionmap.FileError
	var e *verdict.Error
	switch {
	case errors.As(err, &file) && file.Problems[0].File == t.name():
		return file.Problems
	case t.File == "":
	case errors.As(err, &e) && strings.HasPrefix(e.What, t.name()) && (e.Code == verdict.CodeInvalid || e.Code == verdict.CodeLimit):
		return []decisionmap.Problem{{ID: decisionmap.Unreadable, Severity: decisionmap.SeverityError, File: t.File, What: e.Error(), Remedy: e.Remedy}}
	}
	return nil
}

func (r *lintReport) count() {
	for _, p := range r.Problems {
		if p.Severity == decisionmap.SeverityError {
			r.Errors++
		} else {
			r.Warnings++
		}
	}
}

func (r lintReport) text(s report.Style) string {
	var b strings.Builder
	b.WriteString(s.Strong(r.Map.heading()) + "\n")
	if !r.Loaded {
		b.WriteString("this is no map that can be read, so nothing else about it was checked\n")
	}
	// A strings.Builder takes everything.
	_ = decisionmap.WriteProblems(&b, r.Problems, r.NotBuilt)
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", report.Neutral(n))
	}
	return b.String()
}
