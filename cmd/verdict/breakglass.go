package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/ci"
	"verdict/decide"
	"verdict/ledger"
	"verdict/report"
)

// glass is one call of break-glass.
type glass struct {
	environment, service, plan            string
	incident, rationale, lifetime, review string
}

const seeGlass = "verdict break-glass open --help"

func breakGlassCommand() command {
	return command{
		use: "break-glass", short: "Let something in during an emergency, visibly, and answer for it afterwards",
		sub: []command{breakGlassOpenCommand(), breakGlassReviewCommand(), breakGlassListCommand()},
	}
}

func breakGlassOpenCommand() command {
	return command{
		use: "open [REF]", short: "Let one artifact or plan in for hours, with every reason against it in plain sight",
		long: "REF is an image by its digest (NAME@sha256:…), a digest or a file; --plan FILE is a plan of infrastructure. The next answer of the gate lets exactly that in, for hours, with every reason against it in plain sight. " +
			"Who may, for how long at most and until when another person reviews it, stands under break_glass: of the map. One that nobody reviewed in time speaks against the service's next deployments.",
		example: "verdict break-glass open registry.example/pay@sha256:… --env production --service pay --incident INC-7 --rationale 'payments are down' --expires 2h --as noor\n" +
			"verdict break-glass review b-4k7m --rationale 'needed; the fix is in 1.4.2' --as mei",
		args: atMost(1), formats: textOrJSON, signed: true,
		setup: func(f *flags) runner {
			c := &glass{}
			f.required(&c.environment, "env", "NAME", "the environment")
			f.required(&c.service, "service", "NAME", "the service")
			f.text(&c.plan, "plan", "FILE", "a plan of infrastructure as JSON, in place of an artifact")
			f.required(&c.incident, "incident", "ID", "the emergency, by the name that your records have for it")
			f.required(&c.rationale, "rationale", "TEXT", "why it cannot wait")
			f.required(&c.lifetime, "expires", "TIME", "until when: 2h, or a time")
			f.argument("REF", func() bool { return c.plan == "" })
			return c.begin
		},
	}
}

// glassBroken is the document verdict.break-glass/v1.
type glassBroken struct {
	Schema     string             `json:"schema"`
	Entry      int64              `json:"entry"`
	BreakGlass verdict.BreakGlass `json:"break_glass"`
	Notify     []string           `json:"notify"` // who is to be told
	// Unreviewed are other emergencies of the service that are past their review: no emergency
	// lets past them.
	Unreviewed []string `json:"unreviewed"`
}

func (c *glass) begin(ctx context.Context, a *app, args []string) error {
	if len(args) == 1 == (c.plan != "") {
		return usage(seeGlass, "it lets one thing in: an artifact, or a plan", "name the artifact by its digest, or the plan with --plan FILE")
	}
	if err := bounded(seeGlass, [2]string{"incident", c.incident}, [2]string{"rationale", c.rationale}); err != nil {
		return err
	}
	subject, err := c.subject(ctx, a, args)
	if err != nil {
		return err
	}
	return c.letIn(ctx, a, subject)
}

// letIn records the emergency.
func (c *glass) letIn(ctx context.Context, a *app, subject verdict.Subject) (err error) {
	if a.serverSigns() {
		return c.send(ctx, a, subject)
	}
	p, _, err := a.asSignatory(ctx, "verdict break-glass open")
	if err != nil {
		return err
	}
	defer p.w.end(&err)
	if err := p.may(ctx, verdict.KindBreakGlass, verdict.StepBegin, c.service, c.environment); err != nil {
		return err
	}
	if _, known := p.Map.Services[c.service]; !known {
		return selectsNothingIn("service", c.service, namesIn(p.Map.Services), "declare it under services: in the map")
	}
	if _, known := p.Map.Environments[c.environment]; !known {
		return selectsNothingIn("environment", c.environment, namesIn(p.Map.Environments), "declare it under environments: in the map")
	}
	b := verdict.BreakGlass{
		Step: verdict.StepBegin, Incident: c.incident, Rationale: c.rationale, Service: c.service, Environment: c.environment, Subject: subject.Digest,
		By: p.key.Person, SignedIn: p.key.SignedIn, Teams: p.teams(), Created: p.now, ReviewTeams: []string{},
	}
	if b.Expires, err = until(c.lifetime, p.now, seeGlass); err != nil {
		return err
	}
	if p.Map.BreakGlass != nil {
		b.ReviewBy = p.now.Add(time.Duration(p.Map.BreakGlass.ReviewWithin))
	}
	if why := p.UnfitEmergency(b); why != "" {
		return forbids(p.key.Person+" cannot break the glass like this", why, p.FittingEmergency(b))
	}
	others, err := p.Emergencies(ctx, b.Service, b.Environment)
	if err != nil {
		return err
	}
	if b.ID, err = a.newID("b-"); err != nil {
		return err
	}
	entry, err := p.state(ctx, verdict.KindBreakGlass, b, verdict.Context{Service: b.Service, Environment: b.Environment}, subject, verdict.DeploymentSubject(b.Service, b.Environment))
	if err != nil {
		return fmt.Errorf("record the emergency: %w", err)
	}
	doc := glassBroken{Schema: "verdict.break-glass/v1", Entry: entry.Index, BreakGlass: b, Notify: append([]string{}, p.Map.BreakGlass.Notify...), Unreviewed: []string{}}
	for _, x := range others {
		if x.Why == "" && x.OverdueAt(p.now) {
			doc.Unreviewed = append(doc.Unreviewed, x.ID)
		}
	}
	return a.emit(doc, func(s report.Style) string { return doc.text(s, subject) })
}

// subject is what is let in.
func (c *glass) subject(ctx context.Context, a *app, args []string) (verdict.Subject, error) {
	if c.plan != "" {
		content, err := a.readInput(c.plan, "the plan", ci.MaxPlan)
		if err != nil {
			return verdict.Subject{}, err
		}
		return ci.PlanSubject(c.plan, content), nil
	}
	s, err := a.subject(ctx, args[0])
	if err == nil && s.Kind == "" {
		s.Kind = verdict.SubjectArtifact
	}
	if err == nil && s.Kind != verdict.SubjectArtifact {
		err = usage(seeGlass, fmt.Sprintf("%s is a %s, and what is let in is an artifact or a plan", args[0], s.Kind), "name the artifact by its digest: NAME@sha256:…")
	}
	return s, err
}

func selectsNothingIn(what, word string, known []string, remedy string) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("the map has no %s %q", what, word), Remedy: meant(word, known, "", listedOr(known, remedy))}
}

func namesIn[T any](m map[string]T) []string {
	out := []string{}
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (x glassBroken) text(s report.Style, subject verdict.Subject) string {
	b, out := x.BreakGlass, ""
	para := func(t string) { out += report.Wrap(t, s.Width, "") + "\n" }
	para(s.Strong("GLASS BROKEN: ") + report.Neutral(fmt.Sprintf("%s may be let into %s until %s, by %s for %s (%s, entry %d).", first(subject.Name, "it")+" "+subject.Digest.Short(), b.Environment, clockText(b.Expires), b.By, b.Incident, b.ID, x.Entry)))
	command := func(t string) { out += "  " + report.Neutral(t) + "\n" } // whole, to be typed
	for _, id := range x.Unreviewed {
		para(report.Neutral("NOT YET: " + id + " of the same service was not reviewed in time, and until it is no emergency lets past it:"))
		command("verdict break-glass review " + id + " --rationale TEXT --as KEY")
	}
	para("next: ask the gate again, which lets it in and says so:")
	of := reference(subject)
	if subject.Kind == verdict.SubjectPlan {
		of = "--plan FILE"
	}
	command("verdict gate --env " + b.Environment + " --service " + b.Service + " " + of)
	para(report.Neutral(fmt.Sprintf("Tell now: %s. Another person reviews it by %s:", first(strings.Join(x.Notify, ", "), "whom the map does not name"), clockText(b.ReviewBy))))
	command("verdict break-glass review " + b.ID + " --rationale TEXT --as KEY")
	command(report.WithoutKey)
	return out
}

func clockText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func breakGlassReviewCommand() command {
	return command{
		use: "review ID", short: "Look at an emergency afterwards, as another person",
		example: "verdict break-glass review b-4k7m --rationale 'needed; the fix is in 1.4.2' --as mei",
		args:    exactly(1), formats: textOrJSON, signed: true,
		setup: func(f *flags) runner {
			c := &glass{}
			f.required(&c.review, "rationale", "TEXT", "what came out: whether it was needed, and what follows")
			return func(ctx context.Context, a *app, args []string) error { return c.look(ctx, a, args[0]) }
		},
	}
}

func (c *glass) look(ctx context.Context, a *app, id string) (err error) {
	const see = "verdict break-glass review --help"
	if err := bounded(see, [2]string{"rationale", c.review}); err != nil {
		return err
	}
	if a.serverSigns() {
		return c.sendReview(ctx, a, id)
	}
	p, _, err := a.asSignatory(ctx, "verdict break-glass review")
	if err != nil {
		return err
	}
	defer p.w.end(&err)
	all, err := p.Emergencies(ctx, "", "")
	if err != nil {
		return err
	}
	ids := []string{}
	for _, x := range all {
		ids = append(ids, x.ID)
	}
	i, err := oneID(id, "break-glass", "verdict break-glass list", ids)
	if err != nil {
		return err
	}
	x := all[i]
	if err := p.may(ctx, verdict.KindBreakGlass, verdict.StepReview, x.Service, x.Environment); err != nil {
		return err
	}
	if !x.Reviewed.IsZero() {
		return &verdict.Error{Code: verdict.CodeConflict, What: fmt.Sprintf("%s was reviewed by %s at %s", x.ID, x.ReviewedBy, clockText(x.Reviewed)), Remedy: "nothing is left to do"}
	}
	if why, err := p.MayReview(ctx, x, p.key); err != nil || why != "" {
		if err != nil {
			return err
		}
		return forbids(fmt.Sprintf("%s cannot review %s", p.key.Person, x.ID), why, "have another person review it, whom the map names for that: who: or notify: under break_glass:, and without any of them approvers: under review: of a deploy point")
	}
	begun, err := p.w.ledger.Entry(ctx, x.Index)
	if err != nil {
		return err
	}
	b := x.BreakGlass
	b.Step, b.Reviewed, b.ReviewedBy, b.ReviewSignedIn, b.ReviewTeams, b.Review = verdict.StepReview, p.now, p.key.Person, p.key.SignedIn, p.teams(), c.review
	entry, err := p.state(ctx, verdict.KindBreakGlass, b, verdict.Context{Service: b.Service, Environment: b.Environment}, begun.Subjects...)
	if err != nil {
		return fmt.Errorf("record the review: %w", err)
	}
	doc := glassBroken{Schema: "verdict.break-glass/v1", Entry: entry.Index, BreakGlass: b, Notify: []string{}, Unreviewed: []string{}}
	return a.emit(doc, doc.reviewText)
}

func (x glassBroken) reviewText(s report.Style) string {
	b := x.BreakGlass
	return report.Wrap(s.Strong("REVIEWED: ")+report.Neutral(fmt.Sprintf("%s (%s), by %s in entry %d: %s", b.ID, b.Incident, b.ReviewedBy, x.Entry, b.Review)), s.Width, "") + "\n"
}

// glassList is the document verdict.break-glasses/v1.
type glassList struct {
	Schema      string       `json:"schema"`
	Position    int64        `json:"position"`
	At          time.Time    `json:"at"`
	Emergencies []shownGlass `json:"emergencies"`
	open        bool         // only what waits for a review is told
}

type shownGlass struct {
	decide.EmergencyRecord
	State string `json:"state"` // active, ended, overdue, reviewed, void
}

func breakGlassListCommand() command {
	return command{
		use: "list", short: "List emergencies, and which of them nobody has reviewed",
		example: "verdict break-glass list --open", formats: textOrJSON, reads: true,
		setup: func(f *flags) runner {
			var open bool
			var service, environment string
			f.toggle(&open, "open", "only those that are not reviewed")
			f.text(&service, "service", "NAME", "only of this service")
			f.text(&environment, "env", "NAME", "only of this environment")
			return func(ctx context.Context, a *app, _ []string) error {
				return a.listEmergencies(ctx, open, service, environment)
			}
		},
	}
}

func (a *app) listEmergencies(ctx context.Context, open bool, service, environment string) error {
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	doc, err := w.emergencies(ctx, service, environment)
	if err != nil {
		return err
	}
	if doc.open = open; open {
		doc.Emergencies = slices.DeleteFunc(doc.Emergencies, func(x shownGlass) bool { return x.State == "reviewed" || x.State == "void" })
	}
	return a.emit(doc, func(s report.Style) string { return doc.text(s) })
}

func (w *workspace) emergencies(ctx context.Context, service, environment string) (glassList, error) {
	out := glassList{Schema: "verdict.break-glasses/v1", Emergencies: []shownGlass{}}
	at, err := w.position(ctx)
	if err != nil {
		return out, err
	}
	if out.Position, err = w.size(ctx, at); err != nil {
		return out, err
	}
	if out.At, err = w.momentOf(ctx, at); err != nil {
		return out, err
	}
	m, _, err := w.mapOfPeople(ctx, at)
	if err != nil {
		return out, err
	}
	if at == ledger.Now {
		at = ledger.Position(out.Position)
	}
	who := &decide.Persons{Ledger: w.ledger, Map: m, At: at}
	all, err := who.Emergencies(ctx, service, environment)
	if err != nil {
		return out, err
	}
	for _, x := range all {
		state := "ended"
		binds, err := who.Binds(ctx, x)
		if err != nil {
			return out, err
		}
		switch {
		case x.Why != "" && !binds:
			state = "void"
		case !x.Reviewed.IsZero():
			state = "reviewed"
		case x.OverdueAt(out.At):
			state = "overdue"
		case x.LiveAt(out.At) && x.Why == "":
			state = "active"
		}
		out.Emergencies = append(out.Emergencies, shownGlass{x, state})
	}
	return out, nil
}

func (x glassList) text(s report.Style) string {
	if len(x.Emergencies) == 0 {
		text := "No break-glass was recorded as of " + clockText(x.At) + "."
		if x.open {
			text = "No break-glass waits for its review as of " + clockText(x.At) + "."
		}
		return text + "\n"
	}
	rows := [][]string{}
	for _, e := range x.Emergencies {
		told := "to be reviewed by " + clockText(e.ReviewBy)
		switch {
		case e.State == "void":
			told = e.Why
		case !e.Reviewed.IsZero():
			told = "reviewed by " + report.Speaker(e.ReviewedBy, e.ReviewSignedIn) + ": " + e.Review
		case e.Why != "":
			told += "; it let something in, and " + e.Why + " now"
		}
		rows = append(rows, []string{e.ID, e.State, report.Neutral("until " + clockText(e.Expires) + ", by " + report.Speaker(e.By, e.SignedIn) + " for " + e.Incident)},
			[]string{"", "", report.Neutral(fmt.Sprintf("%s in %s: %s", e.Service, e.Environment, e.Subject.Short()))}, []string{"", "", report.Neutral(told)})
	}
	return s.Strong(plural(len(x.Emergencies), "emergency", "emergencies")+" as of "+clockText(x.At)) + "\n" + report.Table(rows, s.Width, "  ")
}
