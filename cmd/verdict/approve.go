package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/identity"
	"verdict/ledger"
	"verdict/report"
)

// answering is one call of approve or reject.
type answering struct {
	step                       verdict.Step
	decision, withdraw         string
	scope, rationale, lifetime string
	look                       bool
}

func approveCommand() command {
	return command{
		use: "approve [DECISION]", short: "Say yes, as a person, to what a gate wants reviewed",
		long: "DECISION is the id of a decision that needs approval, as the gate printed it; any beginning that is unique. What is approved is shown before it is signed: each reason with its findings. " +
			"The approval covers exactly these facts. One new finding, another digest or other rules, and it is dead; the next answer says why.\n\n" +
			"It counts from a person whom review.approvers of the point names, by person or team, and who had no part in it: who wrote or committed the change, or asks for it, does not approve it. " +
			"What is critical takes two persons, and two keys of which one person enrolled the other are one. A deny is never lifted: it takes a fix, or an exception.\n\n" +
			"--withdraw takes an approval or rejection of one's own back.",
		example: "verdict approve d-4k7m --as noor --dry-run\nverdict approve d-4k7m --as noor --scope 'release 1.4' --rationale 'the parser is not reachable here' --expires 24h\nverdict approve --withdraw a-7x2p --as noor",
		args:    atMost(1), formats: textOrJSON, signed: true,
		setup: func(f *flags) runner {
			c := &answering{step: verdict.StepApprove}
			f.text(&c.decision, "decision", "ID", "the decision, where it is not given as an argument")
			f.text(&c.scope, "scope", "TEXT", "what is approved, in your words: this release, this window")
			f.text(&c.rationale, "rationale", "TEXT", "why it may pass")
			f.text(&c.lifetime, "expires", "TIME", "until when it holds: 24h, 7d, or a time")
			f.text(&c.withdraw, "withdraw", "ID", "take back this approval or rejection of yours")
			f.toggle(&c.look, "dry-run", "show what would be approved, by whom, and what is still to be said; sign nothing")
			answers := func() bool { return c.withdraw == "" }
			f.argument("DECISION", func() bool { return answers() && c.decision == "" })
			f.mustWhen(func() bool { return answers() && !c.look }, "scope", "rationale", "expires")
			return c.run
		},
	}
}

func rejectCommand() command {
	return command{
		use: "reject DECISION", short: "Say no, as a person, to what a gate wants reviewed",
		long:    "Whoever may approve may reject, also what is their own. A rejection of these facts makes the answer a deny, whoever else approved, until the facts change or it is taken back: verdict approve --withdraw ID.",
		example: "verdict reject d-4k7m --as noor --rationale 'the fix is out: take 1.4.1'",
		args:    exactly(1), formats: textOrJSON, signed: true,
		setup: func(f *flags) runner {
			c := &answering{step: verdict.StepReject}
			f.text(&c.rationale, "rationale", "TEXT", "why it may not pass; needed")
			f.toggle(&c.look, "dry-run", "show what would be rejected, by whom, and what is still to be said; sign nothing")
			f.mustWhen(func() bool { return !c.look }, "rationale")
			return c.run
		},
	}
}

// answered is the document verdict.answer/v1.
type answered struct {
	Schema string `json:"schema"`
	// Entry is that of the statement; -1 for a dry run.
	Entry  int64            `json:"entry"`
	Answer verdict.Approval `json:"answer"`
	// Persons have to approve; Given are those whose approval counted when it was decided,
	// and who approves now.
	Persons int      `json:"persons"`
	Given   []string `json:"given"`
	// Rejected are the rejections by others that stand: a yes beside them lets nothing in.
	Rejected []string `json:"rejected"`
	// Lacks are the flags that a dry run was not given and a signature needs, and Longest is for
	// how long it can hold; empty for a rejection.
	Lacks   []string `json:"lacks"`
	Longest string   `json:"longest"`
	// RejectedBy is who gave each of Rejected.
	RejectedBy map[string]string `json:"rejected_by,omitempty"`
}

// named is the decision that is answered; empty, where an answer is taken back.
func (c *answering) named(args []string) (string, error) {
	id, see := c.decision, c.help()
	if len(args) > 0 {
		if id != "" && id != args[0] {
			return "", usage(see, "two decisions are named", "name one: as the argument, or with --decision")
		}
		id = args[0]
	}
	switch {
	case c.withdraw != "" && id != "":
		return "", usage(see, "--withdraw takes an answer back, and a decision is named as well", "leave one of the two out")
	case c.withdraw == "" && id == "":
		return "", usage(see, "no decision is named", "give the id of the decision that the gate printed: verdict approve d-…")
	}
	return id, nil
}

func (c *answering) help() string { return "verdict " + string(c.step) + " --help" }

func (c *answering) run(ctx context.Context, a *app, args []string) (err error) {
	id, err := c.named(args)
	if err != nil {
		return err
	}
	if a.serverSigns() {
		return c.send(ctx, a, id)
	}
	w, key, err := a.asPerson(ctx, "verdict "+string(c.step))
	if err != nil {
		return err
	}
	defer w.end(&err)
	if c.withdraw != "" {
		return c.takeBack(ctx, w, key)
	}
	asked, err := w.openDecision(ctx, id)
	if err != nil {
		return err
	}
	p, err := w.signatory(ctx, key, asked.Map)
	if err != nil {
		return err
	}
	if err := p.may(ctx, verdict.KindApproval, c.step, asked.Decision.Service, asked.Decision.Environment); err != nil {
		return err
	}
	answer, err := c.answer(p, asked)
	if err != nil {
		return err
	}
	whole, lacks, longest := supposed(asked, answer)
	if !c.look && len(lacks) > 0 {
		return usage(c.help(), "nothing was signed: it does not say "+listed(lacks), "say it, or look first: --dry-run")
	}
	if why, remedy, err := p.MayAnswer(ctx, asked, whole, key); err != nil || why != "" {
		if err != nil {
			return err
		}
		return forbids(fmt.Sprintf("%s cannot %s decision %s", key.Person, c.step, asked.Decision.ID), why, remedy)
	}
	fmt.Fprint(report.Lines(a.stderr), shownText(asked.Decision, answer))
	doc, err := c.beside(ctx, p, asked, answer, key.Person)
	if err != nil {
		return err
	}
	doc.Lacks, doc.Longest = lacks, longest
	if !c.look {
		d := asked.Decision
		entry, err := p.state(ctx, verdict.KindApproval, answer, verdict.Context{Service: d.Service, Environment: d.Environment, Point: d.Point}, d.Subject)
		if err != nil {
			return fmt.Errorf("record the answer: %w", err)
		}
		doc.Entry = entry.Index
	}
	return a.emit(doc, func(s report.Style) string { return doc.text(s) })
}

// beside shows an answer with what others said of the same decision.
func (c *answering) beside(ctx context.Context, p *signatory, asked *decide.Pending, answer verdict.Approval, person string) (answered, error) {
	doc := answered{Schema: "verdict.answer/v1", Entry: -1, Answer: answer, Persons: asked.Decision.Answer.Persons, Given: append([]string{}, asked.Decision.Answer.Given...), Rejected: []string{}, RejectedBy: map[string]string{}}
	if c.step != verdict.StepApprove {
		return doc, nil
	}
	if !slices.Contains(doc.Given, person) {
		doc.Given = append(doc.Given, person)
	}
	no, err := p.Rejected(ctx, asked, person)
	for _, r := range no {
		doc.Rejected, doc.RejectedBy[r.ID] = append(doc.Rejected, r.ID), r.By
	}
	return doc, err
}

// openDecision reads a decision that waits for a person, and refuses another.
func (w *workspace) openDecision(ctx context.Context, id string) (*decide.Pending, error) {
	asked, err := decide.Recorded(ctx, w.ledger, id, ledger.Now)
	if err != nil {
		return nil, err
	}
	d := asked.Decision
	if d.Layer != verdict.LayerDeploy {
		return nil, &verdict.Error{
			Code: verdict.CodeRefused, What: fmt.Sprintf("%s is a point of the %s layer, where nothing is approved: what it refuses is unsafe wherever it runs", d.Point, d.Layer),
			Remedy: "fix what it found: verdict why " + d.ID,
		}
	}
	if err := w.takenByGate(ctx, asked); err != nil {
		return nil, err
	}
	if err := w.notReplaced(ctx, asked); err != nil {
		return nil, err
	}
	switch d.Outcome {
	case verdict.Review:
		return asked, nil
	case verdict.Allow:
		return nil, &verdict.Error{Code: verdict.CodeConflict, What: "decision " + d.ID + " is an allow already: nothing waits for a person", Remedy: "see what it rests on: verdict why " + d.ID}
	case verdict.Undecided:
		return nil, &verdict.Error{Code: verdict.CodeRefused, What: "decision " + d.ID + " could not decide: " + firstFault(d), Remedy: "mend that, then ask the gate again; nobody approves what is not known"}
	}
	var rules []string
	remedy := "fix these, or have the risk accepted where that is right: verdict exception add --rule RULE; then ask the gate again"
	for _, r := range d.Reasons {
		if r.Standing == verdict.Counts && r.Effect.Outcome() == verdict.Deny {
			rules = append(rules, report.Neutral(r.Rule+": "+r.Message))
		}
		if r.Rule == decide.ReviewRejected && answerable(d) { // nothing else is against it, and no exception covers a no
			remedy = report.Neutral(r.Remediation)
		}
	}
	return nil, &verdict.Error{
		Code: verdict.CodeRefused, What: "decision " + d.ID + " is a deny, and approvals never lift one:\n  " + strings.Join(rules, "\n  "),
		Remedy: remedy,
	}
}

// takenByGate refuses a decision by a key that may not take it there: whoever records one of
// his own says in it whatever he likes, and a person would sign for that. It brings its map
// along too, so that a released one has to trust the key as well.
func (w *workspace) takenByGate(ctx context.Context, asked *decide.Pending) error {
	released, err := w.releasedMapAt(ctx, ledger.Now)
	if err != nil {
		return err
	}
	d := asked.Decision
	for _, m := range []*decisionmap.Map{asked.Map, released} {
		if m == nil {
			continue
		}
		trusted, err := w.trusting(ctx, m)
		if err != nil {
			return err
		}
		p, _ := m.Point(d.Point)
		if name, ok := trusted(asked.Entry, p.Produces.Kind, d.Service, d.Environment); !ok || asked.Entry.Foreign {
			return &verdict.Error{
				Code: verdict.CodeRefused, What: fmt.Sprintf("decision %s was signed by %s, whom the map does not trust to decide at %s for %s in %s: what it says of the facts is a claim", d.ID, name, d.Point, d.Service, d.Environment),
				Remedy: "have the gate asked, and answer its decision; or add the key to trust: of the map",
			}
		}
	}
	return nil
}

func firstFault(d verdict.Decision) string {
	if len(d.Errors) == 0 {
		return "it does not say why"
	}
	return report.Neutral(d.Errors[0].What)
}

// notReplaced refuses a decision of which a newer one has other facts. Decisions that count
// for nothing keep nobody from an answer.
func (w *workspace) notReplaced(ctx context.Context, asked *decide.Pending) error {
	d := asked.Decision
	rows, err := w.counting(ctx, asked.Map, ledger.DecisionQuery{Subject: d.Subject.Digest, Point: d.Point, Environment: d.Environment, At: ledger.Now})
	if err != nil || len(rows) == 0 || rows[0].ID == d.ID {
		return err
	}
	_, newer, err := w.ledger.Decision(ctx, rows[0].ID, ledger.Now)
	if err != nil {
		return err
	}
	of := "other facts"
	if newer.Digests.Facts == d.Digests.Facts {
		if answerable(*newer) {
			return nil
		}
		of = "the same review reasons, and it is " + map[verdict.Outcome]string{verdict.Allow: "an allow", verdict.Deny: "a deny for other ones"}[newer.Outcome]
		if newer.Outcome == verdict.Undecided {
			of = "what could not be decided"
		}
	}
	return &verdict.Error{
		Code: verdict.CodeConflict, What: fmt.Sprintf("decision %s is no longer how things are: %s decided again in %s, of %s", d.ID, newer.ID, d.Environment, of),
		Remedy: "look at that one, and answer it: verdict why " + newer.ID,
	}
}

// answerable reports whether a decision waits for an answer, or has a person's no and
// nothing else against it: whoever said no may still say yes.
func answerable(d verdict.Decision) bool {
	return d.Outcome == verdict.Review || d.Outcome == verdict.Deny && !slices.ContainsFunc(d.Reasons, func(r verdict.Reason) bool {
		return r.Standing == verdict.Counts && r.Effect.Outcome() == verdict.Deny && r.Rule != decide.ReviewRejected
	})
}

// answer is what the person signs about a decision.
func (c *answering) answer(p *signatory, asked *decide.Pending) (verdict.Approval, error) {
	see, d := "verdict "+string(c.step)+" --help", asked.Decision
	out := verdict.Approval{
		Step: c.step, Decision: d.ID, Subject: d.Subject.Digest, Point: d.Point, Service: d.Service, Environment: d.Environment, Facts: d.Digests.Facts,
		Rules: []string{}, Scope: c.scope, Rationale: c.rationale, By: p.key.Person, SignedIn: p.key.SignedIn, Teams: p.teams(), Created: p.now, Shown: []verdict.ShownReason{},
	}
	if err := bounded(see, [2]string{"rationale", c.rationale}, [2]string{"scope", c.scope}); err != nil {
		return out, err
	}
	var err error
	if c.step == verdict.StepApprove && c.lifetime != "" {
		if out.Expires, err = until(c.lifetime, p.now, see); err != nil {
			return out, err
		}
	}
	for _, r := range d.Reasons {
		if r.Standing == verdict.Counts && r.Effect == verdict.EffectReview {
			out.Rules, out.Shown = append(out.Rules, r.Rule), append(out.Shown, decide.Shown(r))
		}
	}
	out.ID, err = p.w.app.newID("a-")
	return out, err
}

// takeBack withdraws an answer of the person.
func (c *answering) takeBack(ctx context.Context, w *workspace, key identity.EnrolledKey) error {
	me := key.Person
	entries, err := w.ownEntries(ctx, verdict.KindApproval, ledger.Now)
	if err != nil {
		return err
	}
	var ids []string
	var all []verdict.Approval
	var signers []identity.EnrolledKey
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	about := []verdict.Subject{}
	for _, e := range entries {
		var a verdict.Approval
		if err := w.decode(ctx, e.Index, &a); err != nil || len(e.Subjects) == 0 {
			continue // it cannot be the one that is named
		}
		k, _ := h.ValidAt(e.Signer, e.Index)
		ids, all, about, signers = append(ids, a.ID), append(all, a), append(about, e.Subjects[0]), append(signers, k)
	}
	i, err := oneID(c.withdraw, "approval", "verdict why DECISION", ids)
	if err != nil {
		return err
	}
	a := all[i]
	if a.By != me {
		return forbids("this is not yours to take back", fmt.Sprintf("%s is %s's", a.ID, a.By), "have "+a.By+" withdraw it; whoever may approve can reject: verdict reject "+a.Decision)
	}
	asked, err := decide.Recorded(ctx, w.ledger, a.Decision, ledger.Now)
	if err != nil {
		return err
	}
	p := &signatory{Persons: &decide.Persons{Ledger: w.ledger, Map: asked.Map, At: ledger.Now}, w: w, key: key, now: w.now()}
	for j, o := range all {
		if o.ID == a.ID && o.Step == verdict.StepWithdraw && p.spoke(o, signers[j]) {
			return &verdict.Error{Code: verdict.CodeConflict, What: a.ID + " was withdrawn already", Remedy: "nothing is left to do"}
		}
	}
	if err := p.may(ctx, verdict.KindApproval, verdict.StepWithdraw, a.Service, a.Environment); err != nil {
		return err
	}
	a.Step, a.Created, a.SignedIn, a.Teams = verdict.StepWithdraw, p.now, key.SignedIn, p.teams()
	if c.rationale != "" {
		a.Rationale = c.rationale
	}
	entry, err := p.state(ctx, verdict.KindApproval, a, verdict.Context{Service: a.Service, Environment: a.Environment, Point: a.Point}, about[i])
	if err != nil {
		return fmt.Errorf("record that %s is withdrawn: %w", a.ID, err)
	}
	doc := answered{Schema: "verdict.answer/v1", Entry: entry.Index, Answer: a, Given: []string{}, Rejected: []string{}, Lacks: []string{}}
	return w.app.emit(doc, func(s report.Style) string { return doc.text(s) })
}

// spoke reports whether an answer in the person's name is the person's: signed with a key of
// theirs, or for them by a server that may. Another's would keep them from taking their own back.
func (p *signatory) spoke(a verdict.Approval, by identity.EnrolledKey) bool {
	if a.By != p.key.Person || by.ID == "" {
		return false
	}
	return !a.SignedIn && by.Person == a.By || a.SignedIn && p.SpeaksFor(by, verdict.KindApproval, a.Service, []string{a.Environment}) == ""
}

// shownText is what a person is shown before they sign.
func shownText(d verdict.Decision, a verdict.Approval) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s in %s, of these facts (%s):\n", report.Neutral(d.Subject.Name+"@"+string(d.Subject.Digest)), report.Neutral(d.Point), report.Neutral(d.Environment), a.Facts.Short())
	for _, r := range d.Reasons {
		if !slices.Contains(a.Rules, r.Rule) {
			continue
		}
		fmt.Fprintf(&b, "  %s: %s\n", report.Neutral(r.Rule), report.Neutral(r.Message))
		const most = 20
		for i, it := range r.Items {
			if i == most {
				fmt.Fprintf(&b, "    and %d more: verdict why %s\n", len(r.Items)-most, d.ID)
				break
			}
			covered := ""
			if it.Accepted != "" {
				covered = " (accepted by " + it.Accepted + ")"
			}
			fmt.Fprintf(&b, "    %s%s\n", report.Neutral(first(it.Message, it.Key)), report.Neutral(covered))
		}
	}
	return b.String()
}

func (x answered) text(s report.Style) string {
	a := x.Answer
	var out string
	para := func(t string) { out += report.Wrap(t, s.Width, "") + "\n" }
	switch {
	case x.Entry < 0:
		para(s.Strong("DRY RUN: ") + fmt.Sprintf("nothing was signed. %s may %s decision %s.", a.By, a.Step, a.Decision) + x.toSign())
		out += x.rejections(s)
		return out + "to sign it:\n  " + x.signing() + "\n"
	case a.Step == verdict.StepReject:
		para(s.Strong("REJECTED: ") + fmt.Sprintf("decision %s, by %s (%s, entry %d). These facts are denied until they change or it is taken back:", a.Decision, a.By, a.ID, x.Entry))
		out += "  verdict approve --withdraw " + a.ID + withKey(a.SignedIn) + "\n" // whole, to be typed
		return out
	case a.Step == verdict.StepWithdraw:
		was := "yes"
		if a.Expires.IsZero() { // a rejection does not end by itself
			was = "no"
		}
		para(s.Strong("WITHDRAWN: ") + fmt.Sprintf("%s, with which %s said %s to decision %s; entry %d. Answers that rest on it stand until the gate is asked again.", a.ID, a.By, was, a.Decision, x.Entry))
		return out
	}
	para(s.Strong("APPROVED: ") + fmt.Sprintf("decision %s, by %s until %s (%s, entry %d).", a.Decision, a.By, a.Expires.Format("2006-01-02 15:04 UTC"), a.ID, x.Entry))
	out += x.rejections(s)
	switch missing := x.Persons - len(x.Given); {
	case missing > 0:
		para(fmt.Sprintf("It takes %d persons: %s to approve it.", x.Persons, others(missing)))
	case len(x.Rejected) == 0:
		out += "next: " + askAgain(a) + "\n"
	}
	return out
}

// askAgain is the command that asks the gate again what was approved.
func askAgain(a verdict.Approval) string {
	of := string(a.Subject)
	if a.Point == applyPoint {
		of = "--plan FILE"
	}
	return report.Neutral(fmt.Sprintf("verdict gate --env %s --service %s %s", a.Environment, a.Service, of))
}
