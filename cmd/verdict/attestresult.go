package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/ci"
	"verdict/decisionmap"
	"verdict/evidence"
)

// toolResult is what is said of another tool's report on the command line.
type toolResult struct {
	tool   string // the source of the map
	check  string // the question, where the map gives the tool several
	dataAt string
}

func (t *toolResult) declare(f *flags) {
	f.text(&t.tool, "tool", "NAME", "with a report of another tool: its name under sources: in the map, which says what question it answers")
	f.text(&t.check, "check", "KIND", "which of the kinds of its source the report answers; needed where there are several")
	f.text(&t.dataAt, "data-at", "TIME", "when the tool's vulnerability data was published, where its report does not say so")
}

func (t *toolResult) given() bool { return t.tool != "" || t.check != "" || t.dataAt != "" }

// isResult reports whether a word is the form of another tool's report.
func isResult(word string) bool { return slices.Contains(ci.ResultFormats(), word) }

// result records what another tool found as the evidence of the check that the map gives
// that tool.
func (x *attesting) result(ctx context.Context, a *app, args []string) (err error) {
	o := ci.ResultOptions{Format: args[0], Source: x.tool.tool, Check: x.tool.check}
	if o.DataAt, err = x.tool.data(a.now()); err != nil {
		return err
	}
	raw, err := a.readInput(args[1], "the report", ci.MaxResult)
	if err != nil {
		return err
	}
	if _, err := ci.ReadResult(o, raw); err != nil { // told before a ledger is made for it
		return err
	}
	subjects, err := a.subjects(ctx, x.about)
	if err != nil {
		return err
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	m, err := w.mapHere(ctx)
	if err != nil {
		return err
	}
	if o.Check, err = x.tool.question(m); err != nil {
		return err
	}
	name, err := w.nameOfSigner(ctx)
	if err != nil {
		return err
	}
	if name == decisionmap.LocalKey && ownQuestion(m, o.Check) {
		return &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("the report would answer %s, and this machine's own key states of that only what verdict ci itself read", o.Check),
			Remedy: "sign with the enrolled key of whoever ran the tool: --as KEY; or let verdict ci run it (verdict help tools)",
		}
	}
	r, err := ci.ReadResult(o, raw)
	if err != nil {
		return err
	}
	if s, known := m.Services[x.context.Service]; known && !slices.Equal(s.Folders(), []string{"."}) {
		r.Scope.Paths = s.Folders() // a report about one service says nothing of another
	}
	kind := verdict.KindTestResult
	if o.Check == string(verdict.KindVulnerabilities) {
		kind = verdict.KindVulnerabilities
	}
	if err := x.ofTree(ctx, w, kind); err != nil { // the whole tree was read, so its scope stays
		return err
	}
	x.context.At, x.context.Actor, x.context.Retention = w.now(), w.actor(), retentionOf(kind, subjects)
	x.context.Team = m.Services[x.context.Service].Team
	s, err := evidence.NewCheck(r, subjects, w.now(), w.now(), x.context, a.rand)
	if err != nil {
		return err
	}
	b, err := evidence.Sign(ctx, s, w.signer)
	if err != nil {
		return err
	}
	entry, err := w.ledger.Append(ctx, b)
	if err != nil {
		return err
	}
	return x.tell(ctx, w, attested{Entry: entry, Name: name, Found: foundText(r)})
}

// ofTree fills in the service that nobody named: that of the tree of the working folder, as
// verdict ci finds it. A role over one service is enough to state it then. VEX is left as it is:
// with a service it counts for all that is built of it, and not for its subject alone.
func (x *attesting) ofTree(ctx context.Context, w *workspace, kind verdict.Kind) error {
	if x.context.Service != "" || kind == verdict.KindVEX {
		return nil
	}
	repo, err := repository(ctx, ".")
	if err != nil || repo == nil {
		return err
	}
	judged, err := w.judgeBy(ctx, repo, pipelineGoal(w.app.env))
	if err != nil || judged.Unknown != nil {
		return err
	}
	x.context.Service, err = (&ciCheck{}).serviceOf(ctx, judged.Map, repo)
	return err
}

// mapHere is the map that judges the working folder, as verdict ci takes it.
func (w *workspace) mapHere(ctx context.Context) (*decisionmap.Map, error) {
	repo, err := repository(ctx, ".")
	if err != nil {
		return nil, err
	}
	judged, err := w.judgeBy(ctx, repo, pipelineGoal(w.app.env))
	if err != nil {
		return nil, err
	}
	return judged.Map, judged.Unknown
}

// ownQuestion reports whether a question is one that Verdict answers itself: by the map,
// or wherever no map says otherwise.
func ownQuestion(m *decisionmap.Map, check string) bool {
	return slices.Contains(m.Sources[decisionmap.OwnSource].Kinds, check) || slices.Contains(decisionmap.Builtin().Sources[decisionmap.OwnSource].Kinds, check)
}

// question is the check that the map gives the tool.
func (t *toolResult) question(m *decisionmap.Map) (string, error) {
	refused := func(what, remedy string) error {
		return &verdict.Error{Code: verdict.CodeInvalid, What: what, Remedy: remedy}
	}
	source, known := m.Sources[t.tool]
	checks := m.Checks(t.tool)
	switch {
	case t.tool == decisionmap.OwnSource:
		return "", refused("that source stands for Verdict's own checks", "run verdict ci, or name the source of the other tool")
	case !known:
		example := fmt.Sprintf("write under sources: of the map which question it answers, such as `%s: [sast]`", t.tool)
		return "", refused(fmt.Sprintf("the map that judges here has no source %q", t.tool), meant(t.tool, slices.Sorted(maps.Keys(m.Sources)), "", example))
	case len(checks) == 0:
		return "", refused(fmt.Sprintf("the map gives %s no question that a report answers (kinds: %s)", t.tool, strings.Join(source.Kinds, ", ")),
			fmt.Sprintf("write one under sources: of the map, such as `%s: [sast]`", t.tool))
	case t.check != "" && !slices.Contains(checks, t.check):
		return "", refused(fmt.Sprintf("the map does not let %s answer %q", t.tool, t.check), "say --check "+strings.Join(checks, " or --check ")+", or add the kind to the source in the map")
	case t.check != "":
		return t.check, nil
	case len(checks) > 1:
		return "", refused(fmt.Sprintf("the map has %s answer %s, and a report answers one question", t.tool, strings.Join(checks, " and ")), "say which: --check "+strings.Join(checks, " or --check "))
	}
	return checks[0], nil
}

// data is when the vulnerability data was published, as somebody said it.
func (t *toolResult) data(now time.Time) (time.Time, error) {
	if t.dataAt == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, t.dataAt)
	if err != nil {
		at, err = time.Parse(time.DateOnly, t.dataAt)
	}
	if err != nil || at.After(now) {
		return time.Time{}, usage(seeAttest, fmt.Sprintf("--data-at %q is no time that has passed", t.dataAt), "write it as 2026-11-20 or 2026-11-20T09:00:00Z")
	}
	return at, nil
}

// checkForm holds what was typed together for a report of another tool.
func (x *attesting) checkForm(args []string) error {
	switch form := len(args) > 0 && isResult(args[0]); {
	case form && x.tool.tool == "":
		return usage(seeAttest, "nothing says which tool wrote the "+args[0]+" report: there is no --tool", "add --tool NAME with the tool's name under sources: in the map")
	case !form && x.tool.given():
		return usage(seeAttest, "--tool, --check and --data-at are for the reports of other tools", "begin with the form of the report: "+strings.Join(ci.ResultFormats(), ", "))
	}
	return nil
}

// foundText says in one line what a report says.
func foundText(r verdict.Report) string {
	findings := fmt.Sprintf("%d findings", len(r.Hits))
	if len(r.Hits) == 1 {
		findings = "1 finding"
	}
	text := fmt.Sprintf("%s: %s of %s", r.Check, findings, strings.TrimSpace(r.Tool.Name+" "+r.Tool.Version))
	for _, n := range r.NotChecked {
		if n.Blocks {
			return text + "; INCOMPLETE: " + strings.TrimPrefix(n.Path+": "+n.Reason, ": ")
		}
	}
	return text
}
