package main

import (
	"context"
	"fmt"
	"strings"

	"verdict"
	"verdict/ci"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/deploy"
	"verdict/ledger"
	"verdict/report"
)

const (
	applyPoint  = "deploy.plan" // gatePoint for a plan
	seeGate     = "verdict gate --help"
	triggerGate = "verdict gate"
)

// gating is what one run of `verdict gate` is asked for.
type gating struct {
	environment string
	service     string
	requester   string
	plan        string
	rollback    bool
	dry         bool
}

func gateCommand() command {
	return command{
		use: "gate [REF]", short: "Decide whether a trusted artifact, or a plan, may go into an environment now",
		long: "REF is an image as NAME@sha256:…, a digest, or a file. Only what artifact.trust allowed is let in, and the rules then weigh what is at stake in the environment: where the digest was before and for how long, hours and freezes, " +
			"vulnerabilities that are open for too long, the way back, what is open against the service there, and who asks. An allow is a promotion: the decision, and a SLSA verification summary about the digest. " +
			"A tag is refused, because it can be moved between the decision and the deployment. " +
			"Where the installed advisories are newer than what is recorded of the artifact, its bill of materials is matched with them first, and the report recorded.\n\n" +
			"With --plan the question is about an infrastructure plan that verdict plan check allowed; the allow is what verdict plan check --apply-guard --env asks for before the apply.\n\n" +
			"The requester is a person of the map or SYSTEM:ACCOUNT, such as github:jane; by default the person of the key that signs, else the account that started the pipeline, else the machine whose key it is. To a control plane a pipeline whose token names no person may name one: that person does not approve then, and the record says that it is the pipeline's word. " +
			"--rollback goes back to a digest that was promoted here before: it waits neither for hours, freezes and soak time nor for the environment before, and everything that is true of the artifact still counts. Going back is noticed without it too, and told. " +
			"--dry-run decides and records nothing. --report-only is refused: what a gate does not let in stays out.\n\n" +
			"Exit codes: 0 let in, 3 not let in, 5 a person has to approve, 1 could not decide.",
		example: "verdict gate --env staging ghcr.io/acme/payments-api@sha256:…\nverdict gate --env production ghcr.io/acme/payments-api@sha256:… --requester github:jane --as pipeline\nverdict gate --env production sha256:… --service payments-api --dry-run\nverdict gate --env production sha256:… --rollback\nverdict gate --env production --plan tfplan.json",
		args:    atMost(1), formats: report.Formats, judges: true,
		setup: func(f *flags) runner {
			x := &gating{}
			f.required(&x.environment, "env", "NAME", "environment of the map that it would go into")
			f.text(&x.service, "service", "NAME", "service of the map; default: the one that it was decided on for before")
			f.text(&x.requester, "requester", "WHO", "who asks: a person of the map, or SYSTEM:ACCOUNT")
			f.text(&x.plan, "plan", "FILE", "the question is about this plan, as terraform show -json wrote it")
			f.toggle(&x.rollback, "rollback", "go back to a digest that was promoted to this environment before")
			f.toggle(&x.dry, "dry-run", "say what would be decided, and record nothing")
			f.argument("REF", func() bool { return x.plan == "" })
			return x.run
		},
	}
}

func (x *gating) run(ctx context.Context, a *app, args []string) (err error) {
	if err := x.check(a, args); err != nil {
		return err
	}
	opened := a.open
	if x.dry { // what opens to record makes a ledger where there is none
		opened = a.openExisting
	}
	w, err := opened(ctx)
	if err != nil {
		return err
	}
	w.dry, w.requester = x.dry, x.requester
	defer w.end(&err)
	subject, err := x.subject(ctx, w, args)
	if err != nil {
		return err
	}
	repo, err := repository(ctx, ".")
	if err != nil {
		return err
	}
	judged, err := w.judgeBy(ctx, repo, pipelineGoal(a.env))
	if err == nil {
		err = judged.Unknown
	}
	if err != nil {
		return err
	}
	own, err := w.rulesOf(ctx, repo, judged)
	if err != nil {
		return err
	}
	if _, err := environmentIn(judged.Map, judged.From, x.environment); err != nil {
		return err
	}
	if x.service, err = x.serviceOf(ctx, w, judged.Map, subject); err != nil {
		return err
	}
	r, err := x.request(ctx, w, judged.Map, subject)
	if err != nil {
		return err
	}
	return x.decide(ctx, w, judged, own, r)
}

// check refuses what no gate is asked.
func (x *gating) check(a *app, args []string) error {
	switch {
	case a.config.ReportOnly:
		return usage(seeGate, "--report-only is refused at a gate: what it does not let in stays out", "leave --report-only and VERDICT_REPORT_ONLY out; --dry-run tells what would be decided, and a point that only observes says `mode: observe` in the map")
	case x.plan == "" && len(args) == 0:
		return usage(seeGate, "nothing says what would go into "+x.environment, "name the image as NAME@sha256:…, a digest or a file; or a plan with --plan FILE")
	case x.plan != "" && len(args) > 0:
		return usage(seeGate, "an artifact and a plan are two questions", "ask them one after the other: verdict gate --env "+x.environment+" --plan FILE, and verdict gate --env "+x.environment+" REF")
	case x.plan != "" && x.rollback:
		return usage(seeGate, "a plan is not gone back to", "plan what was there before, have that judged (verdict plan check FILE), and ask for it without --rollback")
	}
	return nil
}

// subject is what would go in. Of a plan the file is read to compute its digest, and for
// nothing else: what it would do was recorded when it was checked.
func (x *gating) subject(ctx context.Context, w *workspace, args []string) (verdict.Subject, error) {
	if x.plan == "" {
		return w.deployable(ctx, args[0])
	}
	content, err := w.app.readInput(x.plan, "the plan", ci.MaxPlan)
	if err != nil {
		return verdict.Subject{}, err
	}
	return ci.PlanSubject(x.plan, content), nil
}

// request is the question as the engine takes it.
func (x *gating) request(ctx context.Context, w *workspace, m *decisionmap.Map, subject verdict.Subject) (decide.Request, error) {
	name, err := w.nameOfSigner(ctx)
	if err != nil {
		return decide.Request{}, err
	}
	who, err := deploy.Requester(m, deploy.Asking{Named: x.requester, Account: pipelineAccount(w.app.env), Key: w.signer.KeyID(), KeyName: name})
	if err != nil {
		return decide.Request{}, err
	}
	r := decide.Request{
		Point: gatePoint, Subject: subject, Service: x.service, Team: m.Services[x.service].Team, Environment: x.environment,
		Trigger: triggerGate, Actor: w.actor(), Requester: who, Run: pipelineRun(w.app.env),
	}
	if x.plan != "" {
		r.Point = applyPoint
	}
	if x.rollback {
		r.Trigger = decide.TriggerRollback
	}
	return r, nil
}

// decide asks the point and tells the answer.
func (x *gating) decide(ctx context.Context, w *workspace, judged judgedBy, own map[string]string, r decide.Request) error {
	run := report.Run{Version: version(), At: w.now(), Command: x.again(r), Declared: declared(judged, x.environment), Notes: x.notes(judged, r)}
	alone := w.remote == nil // a server looks whether it may promote, matches and states by itself
	if alone && !x.dry {
		if err := w.mayPromote(ctx, judged.Map, r); err != nil {
			return err
		}
	}
	if alone && x.plan == "" {
		matched, err := w.current(ctx, judged.Map, r.Subject, r.Service)
		if err != nil {
			return err
		}
		if matched != "" {
			run.Notes = append(run.Notes, matched)
		}
	}
	e, err := w.decider(ctx, judged, own)
	if err != nil {
		return err
	}
	var d verdict.Decision
	if x.dry {
		d, err = e.Preview(ctx, r)
		d.ID = "" // it is nowhere to be found
	} else {
		d, _, err = e.Decide(ctx, r)
	}
	if err != nil {
		return err
	}
	run.Decisions, run.Notes = []verdict.Decision{d}, append(run.Notes, e.notes()...)
	if d.Rollback {
		run.Notes = append(run.Notes, fmt.Sprintf("this goes back to a digest that was promoted to %s before: hours, freezes, soak time and the environment before do not bind", x.environment))
	}
	switch {
	case x.dry:
		run.Notes = append(run.Notes, "DRY RUN: nothing was recorded, and nothing was let in")
	case alone && d.Outcome == verdict.Allow && x.plan == "":
		if err := w.summarise(ctx, d); err != nil {
			return err
		}
	}
	run.Next = x.next(d, run.Command)
	return w.app.conclude(run)
}

// next is what somebody does with the answer. How it is approved stands with who has to.
func (x *gating) next(d verdict.Decision, again string) []report.Further {
	switch {
	case x.dry && d.Exit() == 0:
		return []report.Further{{Command: again, Why: "to let it in, ask without --dry-run"}}
	case x.dry:
		return nil
	case d.Exit() == verdict.CodeReview.Exit():
		return []report.Further{{Command: again, Why: "when it is approved, ask again"}}
	case d.Exit() == 0 && x.plan != "":
		return []report.Further{{Command: "verdict plan check --apply-guard --env " + x.environment + " " + shellWord(x.plan), Why: "before exactly this plan is applied"}}
	case d.Exit() == 0:
		return []report.Further{{Command: fmt.Sprintf("verdict attest deployment --env %s --service %s --decision %s %s", x.environment, x.service, d.ID, reference(d.Subject)), Why: "when it is deployed, state that it runs there"}}
	}
	return nil
}

// reference names a subject as every command takes it.
func reference(s verdict.Subject) string {
	if imageName.MatchString(s.Name) {
		return s.Name + "@" + string(s.Digest)
	}
	return string(s.Digest)
}

// again is the command as it can be typed again.
func (x *gating) again(r decide.Request) string {
	words := []string{triggerGate, "--env", x.environment, "--service", x.service}
	if x.plan != "" {
		return strings.Join(append(words, "--plan", shellWord(x.plan)), " ")
	}
	if x.rollback {
		words = append(words, "--rollback")
	}
	return strings.Join(append(words, reference(r.Subject)), " ")
}

// notes are what a reader must not miss: which map judged, what it says of the place, and
// who asks.
func (x *gating) notes(judged judgedBy, r decide.Request) []string {
	who := r.Requester.Person + ", a " + r.Requester.Kind
	if !r.Requester.Known {
		who += " whom the map does not know"
	}
	return []string{"judged by " + judged.From, x.environment + ": " + report.DeclaredText(declared(judged, x.environment), judged.From), "asked by " + who}
}

// declared is what the map says of an environment.
func declared(judged judgedBy, environment string) []report.Declared {
	var out []report.Declared
	for _, d := range judged.Map.Context(environment) {
		from := d.From.Name
		if d.From.From == decisionmap.FromDefault {
			from = decisionmap.FromDefault
		}
		out = append(out, report.Declared{Key: d.Key, Value: d.Value, From: from, Line: d.From.Line})
	}
	return out
}

// mayPromote refuses to record an answer that would count nowhere: the map does not let this
// key promote into the environment, and who deploys on its 0 would find no promotion later.
func (w *workspace) mayPromote(ctx context.Context, m *decisionmap.Map, r decide.Request) error {
	p, _ := m.Point(r.Point)
	name, err := w.nameOfSigner(ctx)
	if err != nil || m.Trusts(decisionmap.Signer{Key: w.signer.KeyID(), KeyName: name}, p.Produces.Kind, r.Service, r.Environment) {
		return err
	}
	key := w.signer.KeyID() // by its name a key decides nothing, unless it is the machine's own
	if name == decisionmap.LocalKey {
		key = name
	}
	return &verdict.Error{
		Code: verdict.CodeForbidden, What: fmt.Sprintf("the map does not trust this key (%s) with a %s of %s in %s, so its answer would count nowhere", name, p.Produces.Kind, r.Service, r.Environment),
		Remedy: fmt.Sprintf("sign with a key that it trusts: --as KEY; or add to trust: of the map {name: gate, key: %s, kinds: [%s], services: [%q], environments: [%s]}", key, p.Produces.Kind, r.Service, r.Environment),
	}
}

// summarise states a promotion as tools other than Verdict read it.
func (w *workspace) summarise(ctx context.Context, d verdict.Decision) error {
	_, s, err := w.ledger.DecisionStatement(ctx, d.ID, ledger.Now)
	if err != nil {
		return err
	}
	var knew struct {
		Basis struct {
			Input struct {
				Artifact struct {
					Provenance struct {
						State verdict.State `json:"state"`
						SLSA  int64         `json:"slsa"`
					} `json:"provenance"`
				} `json:"artifact"`
			} `json:"input"`
		} `json:"basis"`
	}
	if err := s.Decode(&knew); err != nil {
		return err
	}
	level := int64(0)
	if p := knew.Basis.Input.Artifact.Provenance; p.State == verdict.StateVerified {
		level = p.SLSA
	}
	_, err = w.state(ctx, verdict.KindVSA, d.Subject, deploy.Promotion(d, level), verdict.Context{
		Service: d.Service, Team: d.Team, Environment: d.Environment, Point: d.Point, Run: pipelineRun(w.app.env), Retention: "release",
	})
	if err != nil {
		return fmt.Errorf("state the promotion %s: %w", d.ID, err)
	}
	return nil
}
