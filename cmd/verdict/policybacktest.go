package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
	"verdict/report"
)

// backtestReport is the document verdict.backtest/v1: what other rules would have said of
// recorded decisions.
type backtestReport struct {
	Schema   string         `json:"schema"`
	Policy   string         `json:"policy"` // the folder or archive, as it was named
	Rules    verdict.Digest `json:"rules"`  // of its rule files, as a map pins them
	Bundle   verdict.Digest `json:"bundle"` // with the built-in rules, as a decision names it
	Engine   string         `json:"engine"`
	Version  string         `json:"version"`
	Map      string         `json:"map"` // the file whose points select the rules; empty: that of each decision
	Since    time.Time      `json:"since"`
	From     int64          `json:"from"`     // the first entry that was looked at
	Position int64          `json:"position"` // the entries that were there

	Point       string `json:"point"`
	Service     string `json:"service"`
	Environment string `json:"environment"`
	Latest      bool   `json:"latest"`
	Limit       int64  `json:"limit"` // 0: none
	Verified    bool   `json:"verified"`

	*decide.Backtested
	Notes []string `json:"notes"`
}

const backtestSchema = "verdict.backtest/v1"

// backtest is verdict policy backtest with its flags.
type backtest struct {
	policy, since, point, service, env string
	limit                              int64
	latest, verify, failOnFlip         bool
}

func policyBacktestCommand() command {
	return command{
		use: "backtest", short: "Judge recorded decisions by other rules, and list what flips",
		long: "Each decision keeps its recorded facts, exceptions, approvals, mode and time, and only the rules are others: the built-in ones with those of --policy over them, as the points of its map select them. " +
			"What comes out is compared with what was recorded. A decision whose record lacks what a rule reads is indeterminate, which is not the same as staying as it is; so is one whose body was pruned.\n\n" +
			"With --map the points of another map select the rules; modes and needs are not judged again. Ends with 0 when it ran, and with 1 when there was nothing to judge. With --fail-on-flip it ends with 3 where a decision flips, and with 1 where none does and some are indeterminate, or a rule of the policy was asked of none of them.",
		example: "verdict policy backtest --policy ./rules\nverdict policy backtest --policy rules.tar.gz --since 30d --point deploy.gate -o json",
		formats: textOrJSON, reads: true,
		setup: func(f *flags) runner {
			b := backtest{since: "90d"}
			f.required(&b.policy, "policy", "DIR", "folder with the rules, or a tar or tar.gz of it")
			f.text(&b.since, "since", "LENGTH|TIME", "how far to look back: 90d, or a time with its zone")
			f.text(&b.point, "point", "POINT", "only decisions of this point")
			f.text(&b.service, "service", "NAME", "only decisions about this service")
			f.text(&b.env, "env", "NAME", "only decisions for this environment")
			f.toggle(&b.latest, "latest", "only decisions that no later one of the same point about the same subject replaced")
			f.number(&b.limit, "limit", "N", "at most so many decisions, the newest; how many are left out is told", 1, 100_000_000)
			f.toggle(&b.verify, "verify", "take each decision again first, as policy replay does")
			f.toggle(&b.failOnFlip, "fail-on-flip", "end with 3 where a decision flips")
			return func(ctx context.Context, a *app, _ []string) error { return b.run(ctx, a) }
		},
	}
}

func (b backtest) run(ctx context.Context, a *app) error {
	files, err := readRules(b.policy)
	if err != nil {
		return err
	}
	return b.judge(ctx, a, files)
}

// judge judges recorded decisions by rules.
func (b backtest) judge(ctx context.Context, a *app, files map[string]string) (err error) {
	rules, err := policy.Compile(files, policy.CompileOptions{})
	if err != nil {
		return err
	}
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	r := backtestReport{
		Schema: backtestSchema, Policy: b.policy, Rules: policy.DigestOf(files), Bundle: rules.Digest(), Engine: rules.Engine(), Version: version(),
		Point: b.point, Service: b.service, Environment: b.env, Latest: b.latest, Limit: b.limit, Verified: b.verify, Map: a.config.Map, Notes: []string{},
	}
	test := decide.Backtest{Ledger: w.ledger, Policy: rules, Latest: b.latest, Limit: b.limit}
	if a.config.Map != "" {
		if test.Map, err = a.effectiveMap(ctx); err != nil {
			return err
		}
		r.Notes = append(r.Notes, "the points of "+a.config.Map+" select the rules; the mode and the needs are those of each decision")
	}
	if err := b.window(ctx, w, &test, &r); err != nil {
		return err
	}
	step := a.progress.phase("judging decisions again")
	test.Progress = func(done int64) { step.say("%d decisions", done) }
	if r.Backtested, err = test.Run(ctx); err != nil {
		return err
	}
	a.progress.stop()
	if r.OtherBuiltin > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d of them were taken by other built-in rules than those of this version, so that a flip may come from these", r.OtherBuiltin))
	}
	if err := a.emit(r, func(s report.Style) string { return r.text(s, b) }); err != nil {
		return err
	}
	return b.exit(r)
}

// window sets which decisions are looked at.
func (b backtest) window(ctx context.Context, w *workspace, test *decide.Backtest, r *backtestReport) error {
	at, err := w.position(ctx)
	if err != nil {
		return err
	}
	if r.Position, err = w.size(ctx, at); err != nil {
		return err
	}
	test.Chosen = ledger.DecisionQuery{Point: b.point, Service: b.service, Environment: b.env, At: ledger.Position(r.Position)}
	end, err := w.momentOf(ctx, at)
	if err != nil {
		return err
	}
	if r.Since, err = sinceWhen(b.since, end); err != nil {
		return err
	}
	if test.From, err = w.ledger.PositionAt(ctx, r.Since.Add(-time.Microsecond)); err != nil {
		return err
	}
	r.From = int64(test.From)
	if b.verify {
		keys, err := w.ledger.Keys(ctx)
		if err != nil {
			return err
		}
		if w.remote != nil && w.remote.Part() {
			return &verdict.Error{
				Code: verdict.CodeForbidden, What: "--verify takes decisions again from all that they rest on, and your roles do not reach over that", Remedy: "leave --verify out, or take one of them again: verdict policy replay ID, which the server does then",
			}
		}
		test.Verify = func() *decide.Replayer { return &decide.Replayer{Ledger: w.asTaken(), KeyName: namesOf(keys)} }
	}
	return nil
}

// sinceWhen reads a length of time before an end, or a time.
func sinceWhen(s string, end time.Time) (time.Time, error) {
	if d, err := decisionmap.ParseDuration(s); err == nil {
		return end.Add(-time.Duration(d)), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, usage("verdict policy backtest --help", fmt.Sprintf("--since is %.80q, which is neither a length of time nor a time", s), "write a length such as 90d or 12h, or a time with its zone, such as 2026-01-31T18:00:00Z")
	}
	return t.UTC(), nil
}

func (b backtest) exit(r backtestReport) error {
	switch {
	case r.Decisions == 0:
		return exit(verdict.CodeNotFound.Exit())
	case !b.failOnFlip:
		return nil
	case r.Flipped > 0:
		return exit(verdict.CodeRefused.Exit())
	case r.Indeterminate > 0 || len(r.NeverAsked) > 0 && b.point == "":
		return exit(verdict.CodeUnavailable.Exit())
	}
	return nil
}

// shownGroups is how many groups a person reads; JSON has them all.
const shownGroups = 20

func (r backtestReport) text(s report.Style, b backtest) string {
	var out strings.Builder
	para := func(text string) { out.WriteString(report.Wrap(report.Neutral(text), s.Width, "") + "\n") }
	which := fmt.Sprintf("decisions since %s (--since %s), entries %d to %d", r.Since.Format(time.RFC3339), b.since, r.From, max(r.Position-1, 0))
	if r.Decisions == 0 {
		para("NOTHING TO JUDGE: the ledger holds no such " + which)
		for _, n := range r.Notes {
			para("note: " + n)
		}
		r.leftOut(para)
		return out.String()
	}
	if r.Decisions == 1 {
		which = strings.Replace(which, "decisions", "decision", 1)
	}
	para(fmt.Sprintf("%d %s, judged by the rules of %s (digest %s)", r.Decisions, which, r.Policy, r.Rules.Short()))
	out.WriteString(report.Table([][]string{
		{"stay as they are", fmt.Sprint(r.Same) + otherReasons(r.OtherReasons)},
		{"flip", fmt.Sprint(r.Flipped) + r.flipsInWords()},
		{"cannot be told", fmt.Sprint(r.Indeterminate)},
		{"need approval", r.asked()},
	}, s.Width, "  "))
	r.flipsTable(&out, s)
	r.unknownTable(&out, s)
	for _, a := range r.Announced {
		para(fmt.Sprintf("announced: from %s on, %s would fail %d of them", a.From, a.Rule, a.Decisions))
	}
	if len(r.NeverAsked) > 0 {
		para("NEVER ASKED: " + strings.Join(r.NeverAsked, ", ") + ". The points of these decisions do not select " + map[bool]string{true: "it", false: "them"}[len(r.NeverAsked) == 1] +
			", so that nothing flips says nothing about that. Name a map whose points do: --map FILE")
	}
	r.leftOut(para)
	for _, n := range r.Notes {
		para("note: " + n)
	}
	return out.String()
}

func otherReasons(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them for other reasons", n)
}

// asked says how many decisions wait for people, and how many did as they were recorded.
func (r backtestReport) asked() string {
	now, before := askedText(r.Asked.Decisions, r.Asked.People), askedText(r.Asked.DecisionsBefore, r.Asked.PeopleBefore)
	if now == before {
		return now + ", as recorded"
	}
	return now + "; as recorded " + before
}

func askedText(decisions, people int64) string {
	if decisions == 0 {
		return "none"
	}
	return fmt.Sprintf("%s, for which it takes %s", plural(int(decisions), "decision", "decisions"), plural(int(people), "approval", "approvals"))
}

func (r backtestReport) flipsInWords() string {
	var parts []string
	for _, o := range r.Outcomes {
		parts = append(parts, fmt.Sprintf("%d %s → %s", o.Decisions, o.From, o.To))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

func (r backtestReport) flipsTable(out *strings.Builder, s report.Style) {
	if len(r.Flips) == 0 {
		return
	}
	out.WriteString("\n" + s.Strong("FLIPS") + "\n")
	for _, f := range r.Flips[:min(len(r.Flips), shownGroups)] {
		where := f.Point
		if f.Service != "" {
			where += ", service " + f.Service
		}
		if f.Environment != "" {
			where += ", environment " + f.Environment
		}
		out.WriteString(report.Wrap(report.Neutral(fmt.Sprintf("%d %s → %s by %s at %s: %d of them enforced, such as %s", f.Decisions, f.From, f.To, dash(f.Rule), where, f.Enforced, f.Examples[0])), s.Width, "  ") + "\n")
	}
	more(out, len(r.Flips))
}

func (r backtestReport) unknownTable(out *strings.Builder, s report.Style) {
	if len(r.Unknown) == 0 {
		return
	}
	out.WriteString("\n" + s.Strong("CANNOT BE TOLD") + "\n")
	for _, u := range r.Unknown[:min(len(r.Unknown), shownGroups)] {
		about := u.Point
		if u.Rule != "" {
			about += ", " + u.Rule
		}
		out.WriteString(report.Wrap(report.Neutral(fmt.Sprintf("%d of %s: %s (such as %s)", u.Decisions, about, u.Why, u.Examples[0])), s.Width, "  ") + "\n")
	}
	more(out, len(r.Unknown))
}

func more(out *strings.Builder, groups int) {
	if n := groups - shownGroups; n > 0 {
		fmt.Fprintf(out, "  and %d more groups: -o json lists them\n", n)
	}
}

// leftOut says what is not among the decisions: a sample is not the whole.
func (r backtestReport) leftOut(para func(string)) {
	if r.Beyond > 0 {
		para(fmt.Sprintf("LEFT OUT: %s, by --limit %d", plural(int(r.Beyond), "older decision", "older decisions"), r.Limit))
	}
	if r.Replaced > 0 {
		para(fmt.Sprintf("LEFT OUT: %s replaced by later ones, by --latest", plural(int(r.Replaced), "decision", "decisions")))
	}
	if r.Unlisted > 0 {
		para(fmt.Sprintf("NOT LISTED: groups that %d decisions are in, for which there was no room; the totals count them", r.Unlisted))
	}
}
