package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"verdict"
	"verdict/ci"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/git"
	"verdict/ledger"
	"verdict/report"
)

// planPoint is the decision point that judges infrastructure code, and what was planned
// from it.
const planPoint = "ci.iac"

func planCommand() command {
	return command{
		use: "plan", short: "Judge infrastructure before it is applied",
		sub: []command{planCheckCommand()},
	}
}

// planCheck is what one run of `verdict plan check` is asked for.
type planCheck struct {
	source  string
	base    string
	service string
	guard   bool
	env     string // whose permit the guard asks for
	maxAge  int64  // hours
}

func planCheckCommand() command {
	return command{
		use: "check FILE", short: "Decide whether what a plan would make is provably unsafe, and guard its apply",
		long: "FILE is what terraform show -json or tofu show -json wrote of a plan; - reads standard input. What the plan would make is judged by the same checks as the code, with every value that the code alone does not tell, " +
			"and the answer is recorded about the plan's digest. Findings name the file and line where the resource is declared, below --source.\n\n" +
			"With --apply-guard nothing is judged anew: it ends with 0 only when exactly this plan was allowed, not longer ago than --max-age. With --env that is the answer of verdict gate --env NAME --plan FILE, by a key that the map lets permit an apply there, and no other answer counts; without it, that of the check of the code by a key that the map lets take it, which knows no environment. Run it in the job that applies, on the JSON of the very file that is applied: " +
			"terraform show -json tfplan | verdict plan check --apply-guard - && terraform apply tfplan.",
		example: "terraform show -json tfplan | verdict plan check -\nverdict plan check tfplan.json\nverdict plan check tfplan.json --source infra -o sarif=plan.sarif\nverdict plan check --apply-guard tfplan.json\nverdict plan check --apply-guard --env production tfplan.json",
		args:    exactly(1), formats: report.Formats, judges: true,
		setup: func(f *flags) runner {
			p := &planCheck{}
			f.text(&p.source, "source", "DIR", "folder that was planned; default: the one that FILE lies in")
			f.text(&p.base, "base", "BRANCH", "branch that the change goes to; default: the repository's default branch")
			f.text(&p.service, "service", "NAME", "service of the map that the plan is of")
			f.toggle(&p.guard, "apply-guard", "end with 0 only when exactly this plan was allowed; judge nothing")
			f.text(&p.env, "env", "NAME", "environment that it is applied to: its gate has to have allowed it, for --apply-guard")
			p.maxAge = 24
			f.number(&p.maxAge, "max-age", "HOURS", "how long ago it may have been allowed, for --apply-guard", 1, 24*365)
			return p.run
		},
	}
}

func (p *planCheck) run(ctx context.Context, a *app, args []string) (err error) {
	content, err := a.readInput(args[0], "the plan", ci.MaxPlan)
	if err != nil {
		return err
	}
	subject := ci.PlanSubject(args[0], content)
	if p.guard {
		return p.permit(ctx, a, subject)
	}
	if p.env != "" {
		return usage("verdict plan check --help", "--env asks whose permit the guard wants, and nothing is guarded: what a plan would make is judged alike for every environment", "add --apply-guard, or ask the gate of the environment: verdict gate --env "+p.env+" --plan FILE")
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	dir := p.folder(args[0])
	if err := directory(dir); err != nil {
		return err
	}
	repo, err := repository(ctx, dir)
	if err != nil {
		return err
	}
	to := pipelineGoal(a.env)
	if p.base != "" {
		to = goal{Named: p.base}
	}
	judged, own, service, err := w.judges(ctx, repo, to, p.service)
	if err != nil {
		return err
	}
	started := w.now()
	checked, err := w.checkPlan(ctx, args[0], content, dir, repo, judged)
	if err != nil {
		return err
	}
	if plan := checked.Reach.Plan; plan != nil && repo != nil {
		if plan.Commit, err = plannedFrom(ctx, repo); err != nil {
			return err
		}
	}
	if err := w.recordPlan(ctx, checked, started, judged.Map, service); err != nil {
		return err
	}
	run, err := w.decideAt(ctx, onlyPoint(planPoint), judged, own, decide.Request{
		Subject: subject, Service: service, Team: judged.Map.Services[service].Team, Trigger: "verdict plan check", Actor: w.actor(), Run: pipelineRun(a.env),
	})
	if err != nil {
		return err
	}
	run.Command, run.Reports = "verdict plan check "+strings.Join(args, " "), []verdict.Report{checked.Report}
	run.Notes = append(run.Notes, checked.Told, "the plan is "+string(subject.Digest))
	if repo != nil && checked.Reach.Plan != nil {
		from := "the tree holds what no commit has, so whose plan it is cannot be told, and no approval of it will count: plan from a commit"
		if c := checked.Reach.Plan.Commit; c != "" {
			from = "planned from commit " + c.Short()
		}
		run.Notes = append(run.Notes, from)
	}
	return a.conclude(run)
}

// folder is where the plan was made.
func (p *planCheck) folder(file string) string {
	switch {
	case p.source != "":
		return p.source
	case file == standardInput:
		return "."
	}
	return filepath.Dir(file)
}

// checkPlan judges the plan; findings are placed in the repository, or below the folder
// where there is none.
func (w *workspace) checkPlan(ctx context.Context, name string, content []byte, dir string, repo *git.Repo, judged judgedBy) (*ci.Plan, error) {
	o := ci.PlanOptions{Name: name, Content: content, Root: ".", Modules: approvedModules(judged.Map), Version: version(), Now: w.now}
	top := dir
	if repo != nil {
		top = repo.Root
		if repo.Prefix != "" {
			o.Root = repo.Prefix
		}
		var err error
		if o.Ignore, err = fileAt(ctx, repo, judged.Base, ci.IgnoreFile); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", top, err)
	}
	defer root.Close() // it was only read
	o.Tree = root.FS()
	w.app.progress.phase("judging " + name)
	defer w.app.progress.stop()
	return ci.CheckPlan(ctx, o)
}

// recordPlan signs and records what was found about the plan.
func (w *workspace) recordPlan(ctx context.Context, p *ci.Plan, started time.Time, m *decisionmap.Map, service string) error {
	bundles, err := w.signChecks(ctx, []verdict.Report{p.Report, p.Reach}, p.Subject, started, w.aboutChange(m, service))
	if err != nil {
		return err
	}
	if _, err := w.ledger.AppendAll(ctx, bundles); err != nil {
		return fmt.Errorf("record what was found in the plan: %w", err)
	}
	return nil
}

// onlyPoint chooses one point of a map.
func onlyPoint(id string) func(decisionmap.Point) bool {
	return func(p decisionmap.Point) bool { return p.ID == id }
}

// planPermit is the document verdict.plan-permit/v1.
type planPermit struct {
	Schema   string          `json:"schema"`
	Plan     verdict.Digest  `json:"plan"`
	Permit   bool            `json:"permit"`
	Decision string          `json:"decision"`
	Entry    int64           `json:"entry"`
	Outcome  verdict.Outcome `json:"outcome"`  // what the facts said
	Enforced verdict.Outcome `json:"enforced"` // what the mode let through
	At       time.Time       `json:"at"`
}

// permit answers whether exactly this plan was allowed. What was never decided is not
// allowed.
func (p *planCheck) permit(ctx context.Context, a *app, plan verdict.Subject) error {
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	at, err := w.position(ctx)
	if err != nil {
		return err
	}
	row, err := p.answered(ctx, w, plan, at)
	if err != nil {
		return err
	}
	entry, d, err := w.ledger.Decision(ctx, row.ID, at)
	if err != nil {
		return err
	}
	answer := planPermit{
		Schema: "verdict.plan-permit/v1", Plan: plan.Digest, Permit: d.Enforced == verdict.Allow, Decision: d.ID, Entry: entry.Index, Outcome: d.Outcome, Enforced: d.Enforced, At: d.At,
	}
	if answer.Permit && !d.Expires.IsZero() && !w.now().Before(d.Expires) {
		return &verdict.Error{
			Code: verdict.CodeRefused, What: "the permit for this plan expired at " + d.Expires.UTC().Format("2006-01-02 15:04 UTC"), Remedy: "plan again, and have that judged and let in",
		}
	}
	age := w.now().Sub(d.At)
	if limit := time.Duration(p.maxAge) * time.Hour; answer.Permit && (age > limit || age < -time.Hour) {
		return &verdict.Error{
			Code: verdict.CodeRefused, What: fmt.Sprintf("this plan was allowed at %s, which is not within the last %d hours", d.At.UTC().Format("2006-01-02 15:04 UTC"), p.maxAge),
			Remedy: "plan again and have that judged: verdict plan check FILE; or let it be older: --max-age",
		}
	}
	if err := a.emit(answer, func(s report.Style) string { return answer.text() }); err != nil {
		return err
	}
	if !answer.Permit {
		return exit(d.Exit())
	}
	return nil
}

// answered is the newest decision about a plan that counts as its permit, or what refuses one.
func (p *planCheck) answered(ctx context.Context, w *workspace, plan verdict.Subject, at ledger.Position) (ledger.DecisionRow, error) {
	none := ledger.DecisionRow{}
	rows, err := w.ledger.Decisions(ctx, ledger.DecisionQuery{Subject: plan.Digest, At: at}) // also those that one of somebody else came after
	if err != nil {
		return none, err
	}
	counts, err := w.permits(ctx, p.env)
	if err != nil {
		return none, err
	}
	for _, r := range rows { // newest first
		if ok, err := counts(r); ok || err != nil {
			return r, err
		}
	}
	if p.env != "" {
		return none, &verdict.Error{
			Code: verdict.CodeNotFound, What: fmt.Sprintf("the gate of %s was not asked about this plan (%s), or not by a key that the map lets permit an apply there", p.env, plan.Digest.Short()),
			Remedy: fmt.Sprintf("have it judged and let in, and apply that very file: verdict plan check FILE, then verdict gate --env %s --plan FILE", p.env),
		}
	}
	return none, &verdict.Error{
		Code: verdict.CodeNotFound, What: fmt.Sprintf("nothing was decided about this plan (%s) by a key that the map trusts with it: it was never checked here, or it is not the one that was", plan.Digest.Short()),
		Remedy: "have it judged, and apply that very file: verdict plan check FILE. Its JSON has to be the same to the byte: terraform show -json writes it so each time",
	}
}

func (p planPermit) text() string {
	words := "✓ This plan was allowed, and may be applied"
	switch {
	case !p.Permit:
		words = "✗ This plan was not allowed: do not apply it"
	case p.Outcome != verdict.Allow:
		words = "! This plan may be applied because the point does not block yet; the facts said " + string(p.Outcome)
	}
	return fmt.Sprintf("%s\n  plan      %s\n  decision  %s, entry %d, %s\n  more      verdict why %s\n", words, p.Plan, p.Decision, p.Entry, p.At.UTC().Format("2006-01-02 15:04 UTC"), p.Decision)
}

// permits tells which decisions let a plan be applied: answers of the environment's gate, or
// of the check of the code where none is named, by keys that the map in force lets give them.
// Anybody with a key could otherwise allow his own plan, by a map of his own.
func (w *workspace) permits(ctx context.Context, environment string) (func(ledger.DecisionRow) (bool, error), error) {
	repo, err := repository(ctx, ".")
	if err != nil {
		return nil, err
	}
	judged, err := w.judgeBy(ctx, repo, pipelineGoal(w.app.env))
	if err == nil {
		err = judged.Unknown
	}
	if err != nil {
		return nil, err
	}
	asked := planPoint
	if environment != "" {
		asked = applyPoint
		if _, err := environmentIn(judged.Map, judged.From, environment); err != nil {
			return nil, err
		}
	}
	keys, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	point, _ := judged.Map.Point(asked)
	name := namesOf(keys)
	return func(r ledger.DecisionRow) (bool, error) {
		if r.Point != asked || r.Environment != environment {
			return false, nil
		}
		e, err := w.ledger.Entry(ctx, r.Index)
		by := decisionmap.Signer{Key: e.Signer, KeyName: name(e.Signer, ledger.Position(e.Index))}
		return err == nil && !e.Foreign && judged.Map.Trusts(by, point.Produces.Kind, r.Service, environment), err
	}, nil
}
