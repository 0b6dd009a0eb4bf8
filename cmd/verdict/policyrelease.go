package main

import (
	"context"
	"encoding/json"
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

// policyStep is the document verdict.policyrelease/v1: what a call of policy release did.
type policyStep struct {
	Schema       string         `json:"schema"`
	State        string         `json:"state"`   // proposed, released, announced, in-force
	Already      bool           `json:"already"` // it was so before, and nothing was recorded
	Policy       string         `json:"policy"`  // the folder or archive; empty for a rollback
	Bundle       verdict.Digest `json:"bundle"`
	Rules        int            `json:"rules"` // with the built-in ones
	Organization string         `json:"organization"`
	Effective    time.Time      `json:"effective"` // zero: from its entry on
	Entry        int64          `json:"entry"`     // of the proposal, or of the release
	Replaces     int64          `json:"replaces"`  // the release before it in the log; -1: none
	Rollback     int64          `json:"rollback"`  // the release that it puts in force again; -1: none
	Backtest     *triedPolicy   `json:"backtest"`  // null: none was given
	Reviewers    []string       `json:"reviewers"`
	Needed       []string       `json:"needed"`   // persons of whom one has to agree
	OneHand      []string       `json:"one_hand"` // why each other person does not count as a second one
}

// triedPolicy is what is kept of a backtest with a release.
type triedPolicy struct {
	Digest        verdict.Digest `json:"digest"` // of the document, which lies beside the log
	Decisions     int64          `json:"decisions"`
	Flipped       int64          `json:"flipped"`
	Indeterminate int64          `json:"indeterminate"`
}

const stateAnnounced = "announced"

// policyReleasing is verdict policy release with its flags.
type policyReleasing struct {
	effective, backtest string
	rollback            bool
}

func policyReleaseCommand() command {
	return command{
		use: "release [DIR]", short: "Put rules in force for every map of this ledger, by two persons",
		long: "DIR is a folder with rules and their tests, or a tar or tar.gz of it. Two different enrolled persons, of whom neither enrolled the other, release the same files for the same time. The first call is recorded as a proposal, says who else is needed, and ends with 5. " +
			"From its time on the release decides, over the built-in rules, wherever a map says `policies: {bundle: released}`, names no bundle, or pins what was released; a map that pins other rules decides nothing. The files are kept beside the log, so that no folder is needed.\n\n" +
			"Rules whose tests do not hold are refused and end with 3, and so do those that lack what the map in force selects. A release that cannot be loaded, compiled or proved when its time comes does not decide: the last good one does, and each answer says so. " +
			"--rollback puts in force again what decided before the release in force; that takes two persons as well.",
		example: "verdict policy release ./rules --as alma\nverdict policy release ./rules --effective 2026-12-01T06:00:00Z --backtest backtest.json --as noor\nverdict policy release --rollback --as alma",
		args:    atMost(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			var p policyReleasing
			f.text(&p.effective, "effective", "TIME|DATE|LENGTH", "from when it decides: a time with its zone, a date in UTC, or a length from now such as 12h; default: at once")
			f.text(&p.backtest, "backtest", "FILE", "what verdict policy backtest -o json wrote about these rules, to keep with the release")
			f.toggle(&p.rollback, "rollback", "put in force again what decided before the release in force")
			return func(ctx context.Context, a *app, args []string) error { return p.run(ctx, a, args) }
		},
	}
}

func (p policyReleasing) run(ctx context.Context, a *app, args []string) (err error) {
	const see = "verdict policy release --help"
	switch {
	case p.rollback && len(args) > 0:
		return usage(see, "--rollback names the rules by itself, and "+args[0]+" is given too", "leave one of the two out")
	case p.rollback && p.effective != "":
		return usage(see, "--rollback takes effect at once, and --effective is given too", "leave --effective out")
	case !p.rollback && len(args) == 0:
		return usage(see, "verdict policy release needs the folder or archive with the rules", "name it, or give --rollback")
	}
	step := policyStep{Schema: "verdict.policyrelease/v1", Entry: -1, Replaces: -1, Rollback: -1, Reviewers: []string{}, Needed: []string{}, OneHand: []string{}}
	if step.Effective, err = effectiveFrom(p.effective, a.now().UTC()); err != nil {
		return err
	}
	var files map[string]string
	if !p.rollback {
		step.Policy = args[0]
		if files, err = readRules(args[0]); err != nil {
			return err
		}
		if _, err = step.prove(ctx, a, files); err != nil {
			return err
		}
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	if err := w.releaseRules(ctx, &step, files, p.backtest); err != nil {
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

// effectiveFrom reads when a release takes effect; the zero time is at once.
func effectiveFrom(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if d, bad := decisionmap.ParseDuration(s); bad == nil {
		at, err = now.Add(time.Duration(d)), nil
	} else if err != nil {
		at, err = time.Parse(time.DateOnly, s)
	}
	at = at.UTC().Truncate(time.Second)
	switch {
	case err != nil:
		return at, usage("verdict policy release --help", fmt.Sprintf("--effective is %.80q, which is neither a time, a date nor a length of time", s), "write a time with its zone, such as 2026-12-01T06:00:00Z, a date, or a length such as 12h")
	case now.Sub(at) > effectiveSkew:
		return at, &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("--effective %s has passed: rules cannot have decided before they were released", at.Format(time.RFC3339)), Remedy: "give a time that lies ahead, or leave --effective out to release them at once"}
	case at.Sub(now) > effectiveMost:
		return at, &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("--effective %s is more than a year ahead", at.Format(time.RFC3339)), Remedy: "give a time within a year"}
	}
	return at, nil
}

// prove compiles rules and runs their tests: what does not hold is not released.
func (s *policyStep) prove(ctx context.Context, a *app, files map[string]string) (*policy.Bundle, error) {
	rules, err := policy.Compile(files, policy.CompileOptions{})
	if err != nil {
		return nil, err
	}
	s.Bundle, s.Rules = policy.DigestOf(files), len(rules.Rules())
	return rules, a.prove(ctx, rules, "of this policy", verdict.CodeRefused, "it is not released")
}

// releaseRules records what this call adds to the release of rules: nothing, a proposal, or
// the release. Without files it is a rollback.
func (w *workspace) releaseRules(ctx context.Context, step *policyStep, files map[string]string, backtestFile string) error {
	in, err := w.inForce(ctx, ledger.Now)
	if err != nil {
		return err
	}
	all, err := w.policyReleases(ctx, ledger.Now)
	if err != nil {
		return err
	}
	step.Organization = organizationOf(in)
	if files == nil {
		if files, err = w.rolledBack(ctx, step, all); err != nil {
			return err
		}
	}
	rules, err := step.prove(ctx, w.app, files)
	if err != nil {
		return err
	}
	if err := suits(in, rules, step.Bundle); err != nil {
		return err
	}
	last := lastPolicy(all)
	step.Replaces = last.index()
	source, err := w.keepRules(ctx, files) // also where nothing is recorded: those that were lost are there again
	if err != nil {
		return fmt.Errorf("keep the rules: %w", err)
	}
	deciding := decidingAt(all, w.now(), step.Organization)
	if decides := len(deciding) > 0 && deciding[0] == last; step.isSaidBy(last, source) && (decides || !last.begun(w.now())) {
		step.Already = true
		step.State, step.Entry, step.Replaces, step.Reviewers = stateInForce, last.index(), last.Said.Replaces, last.By
		if !decides {
			step.State = stateAnnounced
		}
		return nil
	}
	said := rulesRelease{
		Action: actionPolicyRelease, Bundle: step.Bundle, Source: source, Organization: step.Organization, Effective: step.Effective,
		Replaces: step.Replaces, Rollback: step.Rollback, Proposal: -1,
	}
	if said.Backtest, step.Backtest, err = w.keepBacktest(ctx, backtestFile, step.Bundle); err != nil {
		return err
	}
	return w.agreeOnRules(ctx, step, said, in)
}

// isSaidBy reports whether a release says what this call would.
func (s *policyStep) isSaidBy(r *releasedPolicy, source verdict.Digest) bool {
	return r != nil && s.Rollback < 0 && r.Said.Source == source && r.Said.Effective.Equal(s.Effective) && r.Said.Organization == s.Organization
}

// agreeOnRules records the proposal, or the release that agrees to one.
func (w *workspace) agreeOnRules(ctx context.Context, step *policyStep, said rulesRelease, in *releasedMap) error {
	people, x := peopleOf(in), w.policyAgreement(said)
	who, key, err := w.reviewersNow(ctx, people, x)
	if err != nil {
		return err
	}
	kind := verdict.KindPolicyRelease
	step.State, said.Reviewers = stateReleased, []string{key.Person}
	if !said.Effective.IsZero() && said.Effective.After(w.now()) {
		step.State = stateAnnounced
	}
	if len(who) > 0 {
		other, proposal, err := w.proposed(ctx, said.Bundle, x, people, key)
		if err != nil {
			return err
		}
		if other != "" {
			said.Proposal, said.Reviewers = proposal, []string{other, key.Person}
			if said.Backtest == "" {
				if said.Backtest, err = w.triedIn(ctx, proposal); err != nil {
					return err
				}
			}
		} else {
			kind, step.State = verdict.KindProposal, stateProposed
			if step.Needed, step.OneHand, err = w.agreeing(ctx, who, key, people); err != nil {
				return err
			}
		}
	}
	step.Reviewers = said.Reviewers
	about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "policy", Digest: said.Bundle}
	entry, err := w.state(ctx, kind, about, said, verdict.Context{Retention: "release"})
	if err != nil {
		return fmt.Errorf("record the policy: %w", err)
	}
	step.Entry = entry.Index
	return nil
}

// triedIn is the backtest that a proposal was made with.
func (w *workspace) triedIn(ctx context.Context, proposal int64) (verdict.Digest, error) {
	e, err := w.ledger.Entry(ctx, proposal)
	if err != nil {
		return "", err
	}
	p, err := w.saidOfRules(ctx, e)
	return p.Backtest, err
}

// rolledBack gives the files that decided before the release in force.
func (w *workspace) rolledBack(ctx context.Context, step *policyStep, all []*releasedPolicy) (map[string]string, error) {
	deciding := decidingAt(all, w.now(), step.Organization)
	if len(deciding) < 2 {
		return nil, &verdict.Error{
			Code: verdict.CodeNotFound, What: "there is no policy that decided before the one in force", Remedy: "release the rules that should decide: verdict policy release DIR; verdict policy list shows all releases",
		}
	}
	step.Rollback = deciding[1].index()
	files, _, err := w.rulesIn(ctx, deciding[1].Said)
	if err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("the policy that entry %d released cannot be put in force again", step.Rollback), Remedy: "restore the blob store, or release the rules that should decide: verdict policy release DIR", Err: err,
		}
	}
	return files, nil
}

// lastPolicy is the last release in the log that counts, whenever it takes effect.
func lastPolicy(all []*releasedPolicy) *releasedPolicy {
	for _, r := range slices.Backward(all) {
		if r.Void == "" {
			return r
		}
	}
	return nil
}

// suits refuses rules by which the map in force could not decide: what its points select
// has to be there, may read what they may read, and the map may pin no others.
func suits(in *releasedMap, rules *policy.Bundle, bundle verdict.Digest) error {
	if in == nil {
		return nil
	}
	pin := chosenPolicy{release: &releasedPolicy{Said: rulesRelease{Bundle: bundle}}}
	if err := pin.fits(in.Map.Policies); err != nil {
		return &verdict.Error{
			Code: verdict.CodeRefused, What: fmt.Sprintf("the map in force pins %s, and would decide nothing once other rules are released", in.Map.Policies.Bundle),
			Remedy: "release the rules that it pins first, then a map that says `policies: {bundle: released}`, and then these",
		}
	}
	var wrong []string
	for _, p := range decisionmap.Lint(in.Map, rules, decisionmap.LintOptions{}) {
		if slices.Contains([]string{"VD-P01", "VD-P03", "VD-L02"}, p.ID) {
			wrong = append(wrong, p.ID+" "+p.Where+": "+p.What)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeRefused, What: "the map in force cannot decide by these rules, so they are not released\n" + strings.Join(wrong[:min(len(wrong), 5)], "\n"),
		Remedy: "keep the rules that the points of the map select (verdict map show), or release a map that selects others first: verdict map release FILE",
	}
}

// maxBacktest bounds a document of a backtest, in bytes.
const maxBacktest = 16 << 20

// keepBacktest keeps what a backtest of these rules found.
func (w *workspace) keepBacktest(ctx context.Context, file string, bundle verdict.Digest) (verdict.Digest, *triedPolicy, error) {
	if file == "" {
		return "", nil, nil
	}
	data, err := w.app.readInput(file, "the backtest", maxBacktest)
	if err != nil {
		return "", nil, err
	}
	var found struct {
		Schema string         `json:"schema"`
		Rules  verdict.Digest `json:"rules"`
		triedPolicy
	}
	const again = "run it again on the rules that are released: verdict policy backtest --policy DIR -o json"
	if err := json.Unmarshal(data, &found); err != nil || found.Schema != backtestSchema {
		return "", nil, &verdict.Error{Code: verdict.CodeInvalid, What: fileName(file) + " is no document " + backtestSchema, Remedy: again, Err: err}
	}
	if found.Rules != bundle {
		return "", nil, &verdict.Error{Code: verdict.CodeRefused, What: fmt.Sprintf("the backtest in %s is of the rules %s, and %s are to be released", fileName(file), report.Neutral(string(found.Rules)), bundle), Remedy: again}
	}
	tried := found.triedPolicy
	if tried.Digest, err = w.ledger.PutBlob(ctx, data); err != nil {
		return "", nil, fmt.Errorf("keep the backtest: %w", err)
	}
	return tried.Digest, &tried, nil
}

func (s policyStep) text(style report.Style) string {
	var b strings.Builder
	para := func(text string) { b.WriteString(report.Wrap(text, style.Width, "") + "\n") }
	indented := func(text string) { b.WriteString(report.Wrap(report.Neutral(text), style.Width, "  ") + "\n") }
	name := fmt.Sprintf("the policy %s (digest %s)", report.Neutral(fileName(s.Policy)), s.Bundle.Short())
	again := "verdict policy release " + s.Policy
	if s.Rollback >= 0 {
		name, again = fmt.Sprintf("the policy of entry %d again (digest %s)", s.Rollback, s.Bundle.Short()), "verdict policy release --rollback"
	}
	when := "at once"
	if !s.Effective.IsZero() {
		when = "from " + s.Effective.Format(time.RFC3339) + " on"
		again += " --effective " + s.Effective.Format(time.RFC3339)
	}
	switch {
	case s.Already && s.State == stateAnnounced:
		para(style.Strong("ANNOUNCED ALREADY: ") + fmt.Sprintf("%s decides %s, by entry %d of %s; nothing was recorded.", name, when, s.Entry, personsText(s.Reviewers)))
		return b.String()
	case s.Already:
		para(style.Strong("IN FORCE ALREADY: ") + fmt.Sprintf("%s was released in entry %d by %s; nothing was recorded.", name, s.Entry, personsText(s.Reviewers)))
		return b.String()
	case s.State == stateProposed:
		para(style.Strong("PROPOSED, NOT IN FORCE: ") + fmt.Sprintf("%s, %s, by %s in entry %d. A second person has to release the same.", name, when, s.Reviewers[0], s.Entry))
		if len(s.Needed) > 0 {
			indented("next: " + strings.Join(s.Needed, " or ") + " runs:")
			b.WriteString("    " + report.Neutral(again) + " --as KEY\n") // whole, to be typed
			break
		}
		for _, why := range s.OneHand {
			indented("not two persons: " + why)
		}
		indented("next: enroll a second person, who then releases it; of two persons neither may have enrolled the other, so let a third one do it: verdict people enroll PERSON --public-key FILE --as KEY")
		indented(beginAgain)
	case s.State == stateAnnounced:
		para(style.Strong("ANNOUNCED: ") + fmt.Sprintf("%s decides %s, by entry %d of %s. Until then what decides now decides on.", name, when, s.Entry, personsText(s.Reviewers)))
	default:
		para(style.Strong("RELEASED: ") + fmt.Sprintf("%s decides from entry %d on, by %s.", name, s.Entry, personsText(s.Reviewers)))
	}
	if s.State != stateProposed && len(s.Reviewers) == 1 {
		para(style.Strong("ONE REVIEWER: ") + "nobody is enrolled but this machine's own key, so nobody else looked at it.")
		indented("next: verdict people enroll PERSON PERSON enrolls the first two together; once somebody is enrolled, a release needs two persons, of whom neither enrolled the other")
	}
	if t := s.Backtest; t != nil {
		indented(fmt.Sprintf("kept with it: a backtest of %s, of which %d flip and %d cannot be told", plural(int(t.Decisions), "decision", "decisions"), t.Flipped, t.Indeterminate))
	}
	return b.String()
}
