package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
	"verdict/report"
)

// mapStep is the document verdict.maprelease/v1: what a call of map release did.
type mapStep struct {
	Schema       string         `json:"schema"`
	State        string         `json:"state"` // proposed, released, in-force
	File         string         `json:"file"`
	Organization string         `json:"organization"`
	Map          verdict.Digest `json:"map"`
	Entry        int64          `json:"entry"`    // of the proposal, or of the release
	Replaces     int64          `json:"replaces"` // release that was in force before; -1: none
	Reviewers    []string       `json:"reviewers"`
	// Needed are the persons of whom one has to agree; empty when nothing is missing, or
	// when there is nobody to.
	Needed []string `json:"needed"`
	// OneHand says for each other person why they do not count as a second one.
	OneHand []string `json:"one_hand"`
	// Changes are those against the map in force, or the built-in one where none is.
	Changes  []mapChange           `json:"changes"`
	Problems []decisionmap.Problem `json:"problems"` // warnings of the linter
}

// The states of a mapStep.
const (
	stateProposed = "proposed"
	stateReleased = "released"
	stateInForce  = "in-force"
)

func mapReleaseCommand() command {
	return command{
		use: "release FILE", short: "Put an organisation's map in force, by two persons",
		long: "FILE is an organisation map: it says organization:. Two different enrolled persons, of whom neither enrolled the other, release the same map (verdict people enroll --help says how two persons begin). The first call is recorded as a proposal, says who else is needed, and ends with 5; " +
			"the call of the second puts the map in force. Every change is then judged by it, tightened by the repository's own file. A proposal counts until another map is released.\n\n" +
			"Persons are those under people: of the map in force, or everybody with a key when it has none of them. While nobody is enrolled, this machine's own key releases alone, and that is said. " +
			"A map with lint errors is refused and ends with 3. What becomes weaker is listed.",
		example: "verdict map release acme.yaml --as alma\nverdict map release acme.yaml --as noor",
		args:    exactly(1), formats: textOrJSON,
		setup: runs(func(ctx context.Context, a *app, args []string) error { return a.releaseMap(ctx, args[0]) }),
	}
}

func (a *app) releaseMap(ctx context.Context, file string) (err error) {
	t, err := a.readMap(file)
	if err != nil {
		return err
	}
	m, err := t.load()
	if err != nil {
		return err
	}
	own, rules, err := a.rulesToRelease(ctx, t, m)
	if err != nil {
		return err
	}
	step := mapStep{
		Schema: "verdict.maprelease/v1", File: file, Organization: m.Organization, Map: m.Digest(),
		Entry: -1, Replaces: -1, Reviewers: []string{}, Needed: []string{}, OneHand: []string{},
	}
	if step.Problems, err = releasable(t, m, rules, decisionmap.LintOptions{Now: a.now()}); err != nil {
		return err
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	before, err := w.inForce(ctx, ledger.Now)
	if err != nil {
		return err
	}
	if since := before.adoptingSince(); !since.IsZero() { // its time of adopting goes on
		if step.Problems, err = releasable(t, m, rules, decisionmap.LintOptions{Now: a.now(), AdoptingSince: since}); err != nil {
			return err
		}
	}
	if err := w.takeStep(ctx, &step, before, t, m, own); err != nil {
		return err
	}
	if err := a.emit(step, func(s report.Style) string { return step.text(s) }); err != nil {
		return err
	}
	if step.State == stateProposed {
		return exit(verdict.CodeReview.Exit())
	}
	return nil
}

// rulesToRelease gives the rules that a map names beside itself, which its release keeps, and
// the bundle that decides by it, proved as before its first decision.
func (a *app) rulesToRelease(ctx context.Context, t mapText, m *decisionmap.Map) (own map[string]string, rules *policy.Bundle, err error) {
	decide, err := a.rulesOfMap(ctx, t, m, nil)
	if err != nil {
		return nil, nil, err
	}
	if decide == nil {
		rules, err = policy.Builtin()
		return nil, rules, err
	}
	if _, _, beside := m.Policies.Beside(); beside {
		own = decide
	}
	if rules, err = policy.Compile(decide, policy.CompileOptions{}); err != nil {
		return nil, nil, err
	}
	return own, rules, a.prove(ctx, rules, besideMap, verdict.CodeRefused, t.name()+" is not released")
}

// releasable gives the warnings of a map that may be released, and refuses another.
func releasable(t mapText, m *decisionmap.Map, rules *policy.Bundle, o decisionmap.LintOptions) ([]decisionmap.Problem, error) {
	if !m.IsOrganisation() {
		return nil, &verdict.Error{
			Code: verdict.CodeRefused, What: t.name() + " is a repository's map: it does not say organization:, and a released map holds for every repository",
			Remedy: "add `organization: NAME` to an organisation's map; a repository's own file needs no release",
		}
	}
	if err := decisionmap.Bind(m, rules); err != nil {
		return nil, err
	}
	problems := decisionmap.Lint(m, rules, o)
	var errs []string
	for _, p := range problems {
		if p.Severity == decisionmap.SeverityError {
			errs = append(errs, fmt.Sprintf("%s %s:%d %s", p.ID, t.name(), p.Line, p.What))
		}
	}
	if len(errs) == 0 {
		return problems, nil
	}
	const shown = 5
	if more := len(errs) - shown; more > 0 {
		errs = append(errs[:shown], fmt.Sprintf("and %d more", more))
	}
	return nil, &verdict.Error{
		Code: verdict.CodeRefused, What: t.name() + " has lint errors, so it is not released\n" + strings.Join(errs, "\n"),
		Remedy: "verdict map lint --map " + t.name() + " says what to do about each",
	}
}

// takeStep records what this call adds to the release of a map, where another one was in
// force before: nothing, a proposal, or the release.
func (w *workspace) takeStep(ctx context.Context, step *mapStep, before *releasedMap, t mapText, m *decisionmap.Map, own map[string]string) error {
	old, people := decisionmap.Builtin(), peopleOf(before)
	if before != nil {
		old = before.Map
	}
	since := before.adoptingSince()
	step.Replaces, step.Changes = before.index(), changesBetween(adoptingEnds(old, since), adoptingEnds(m, since))
	rules, err := w.keepRules(ctx, own) // also where nothing is recorded: those that were lost are there again
	if err != nil {
		return fmt.Errorf("keep the rules of %s: %w", t.name(), err)
	}
	if before != nil && before.Said.Map == step.Map && before.Said.Policy == rules {
		step.State, step.Entry, step.Replaces, step.Reviewers = stateInForce, before.Entry.Index, before.Said.Replaces, before.Said.Reviewers
		return nil
	}
	who, key, err := w.reviewersNow(ctx, people, w.mapAgreement(mapRelease{}))
	if err != nil {
		return err
	}
	said := mapRelease{Action: actionMapRelease, Map: step.Map, Policy: rules, Replaces: step.Replaces, Proposal: -1, Reviewers: []string{key.Person}}
	if said.Source, err = w.ledger.PutBlob(ctx, t.Data); err != nil {
		return fmt.Errorf("keep %s: %w", t.name(), err)
	}
	step.State = stateReleased
	if len(who) > 0 {
		other, proposal, err := w.proposed(ctx, said.Map, w.mapAgreement(said), people, key)
		if err != nil {
			return err
		}
		if other == "" {
			step.State = stateProposed
			step.Needed, step.OneHand, err = w.agreeing(ctx, who, key, people)
		} else {
			said.Proposal, said.Reviewers = proposal, []string{other, key.Person}
		}
		if err != nil {
			return err
		}
	}
	kind := verdict.KindMapRelease
	if step.State == stateProposed {
		kind = verdict.KindProposal
	}
	step.Reviewers = said.Reviewers
	subject := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "decision map of " + m.Organization, Digest: step.Map}
	entry, err := w.state(ctx, kind, subject, said, verdict.Context{Retention: "release"})
	if err != nil {
		return fmt.Errorf("record the map: %w", err)
	}
	step.Entry = entry.Index
	return nil
}

// adoptingEnds is the map with the day on which its adopting ends, where it does not say
// it and when it began is known: later than that is weaker, and not stricter than never.
func adoptingEnds(m *decisionmap.Map, since time.Time) *decisionmap.Map {
	if !m.Adopting || !m.AdoptingUntil.IsZero() || since.IsZero() {
		return m
	}
	out := *m
	out.AdoptingUntil = since.Add(decisionmap.AdoptingTime)
	return &out
}

func (x mapStep) text(s report.Style) string {
	var b strings.Builder
	para := func(text string) { b.WriteString(report.Wrap(text, s.Width, "") + "\n") }
	indented := func(text string) { b.WriteString(report.Wrap(text, s.Width, "  ") + "\n") }
	name := fmt.Sprintf("the map of %s (%s, digest %s)", report.Neutral(x.Organization), report.Neutral(fileName(x.File)), x.Map.Short())
	switch x.State {
	case stateInForce:
		para(s.Strong("IN FORCE ALREADY: ") + fmt.Sprintf("%s was released in entry %d by %s; nothing was recorded.", name, x.Entry, personsText(x.Reviewers)))
		return b.String()
	case stateProposed:
		para(s.Strong("PROPOSED, NOT IN FORCE: ") + fmt.Sprintf("%s, by %s in entry %d. A second person has to release the same map.", name, x.Reviewers[0], x.Entry))
		if len(x.Needed) > 0 {
			indented("next: " + strings.Join(x.Needed, " or ") + " runs:")
			b.WriteString("    verdict map release " + report.Neutral(x.File) + " --as KEY\n") // whole, to be typed
		} else {
			for _, why := range x.OneHand {
				indented("not two persons: " + report.Neutral(why))
			}
			indented("next: enroll a second person, who then releases it; of two persons neither may have enrolled the other, so let a third one do it: verdict people enroll PERSON --public-key FILE --as KEY")
			indented(beginAgain)
		}
	default:
		para(s.Strong("RELEASED: ") + fmt.Sprintf("%s is in force from entry %d on, by %s.", name, x.Entry, personsText(x.Reviewers)))
		if len(x.Reviewers) == 1 {
			para(s.Strong("ONE REVIEWER: ") + "nobody is enrolled but this machine's own key, so nobody else looked at it.")
			indented("next: verdict people enroll PERSON PERSON enrolls the first two together; once somebody is enrolled, a release needs two persons, of whom neither enrolled the other")
		}
	}
	x.differences(&b, s)
	for _, p := range x.Problems {
		indented(fmt.Sprintf("warning %s %s: %s", p.ID, report.Neutral(p.Where), report.Neutral(p.What)))
	}
	return b.String()
}

// differences tells what the map changes: what becomes weaker in full, what cannot be
// compared where a map was in force, and how many the rest are.
func (x mapStep) differences(b *strings.Builder, s report.Style) {
	against, told := "the built-in map (no map was in force)", []decisionmap.Effect{decisionmap.Loosens}
	if x.Replaces >= 0 {
		against, told = fmt.Sprintf("the map of entry %d", x.Replaces), append(told, decisionmap.Changes)
	}
	head := "It weakens nothing of " + against + "."
	if weaker := countChanges(x.Changes, decisionmap.Loosens); weaker > 0 {
		head = s.Strong("WEAKER") + " in " + plural(weaker, "place", "places") + " than " + against + ":"
	}
	b.WriteString(head + "\n" + changesTable(x.Changes, s, told...))
	var rest []string
	for _, e := range effectOrder {
		if n := countChanges(x.Changes, e); n > 0 && !slices.Contains(told, e) {
			rest = append(rest, fmt.Sprintf("%d %s", n, effectWords[e]))
		}
	}
	if len(rest) > 0 {
		fmt.Fprintf(b, "Further changes: %s; -o json lists all.\n", strings.Join(rest, ", "))
	}
}

func personsText(who []string) string {
	if len(who) == 1 && who[0] == decisionmap.LocalKey {
		return "this machine's own key"
	}
	return strings.Join(who, " and ")
}
