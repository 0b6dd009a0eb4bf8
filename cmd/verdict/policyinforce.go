package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
)

// rulesRelease is the predicate of policy-release where persons put rules in force. A
// proposal says the same. The statement with which a bundle is recorded before its first
// decision (policyRelease) is of the same kind and names no action.
type rulesRelease struct {
	Action       string         `json:"action"`       // actionPolicyRelease
	Bundle       verdict.Digest `json:"bundle"`       // of the rule files, as a map pins them
	Source       verdict.Digest `json:"source"`       // blob with the files and their tests
	Organization string         `json:"organization"` // of the map in force; empty where there was none
	Effective    time.Time      `json:"effective"`    // from when it decides; zero: from its entry on
	Replaces     int64          `json:"replaces"`     // the release before it in the log, -1: none
	Rollback     int64          `json:"rollback"`     // the release that it puts in force again, -1: none
	Backtest     verdict.Digest `json:"backtest"`     // blob of what a backtest of it found, empty: none
	Proposal     int64          `json:"proposal"`     // entry of the proposal that this agrees to, -1: none
	Reviewers    []string       `json:"reviewers"`
}

const actionPolicyRelease = "policy-release"

// Bounds of when a release may take effect: clocks are a little apart, and nobody agrees to
// what happens in some years.
const (
	effectiveSkew = 5 * time.Minute
	effectiveMost = 366 * 24 * time.Hour
)

// releasedPolicy is one release of rules.
type releasedPolicy struct {
	Entry ledger.Entry
	Said  rulesRelease
	Void  string   // why it does not count; empty: it does
	By    []string // the persons who agreed, as their keys tell
}

// index is the entry of the release; -1 for none.
func (r *releasedPolicy) index() int64 {
	if r == nil {
		return -1
	}
	return r.Entry.Index
}

// from is when the release takes effect.
func (r *releasedPolicy) from() time.Time {
	if r.Said.Effective.IsZero() {
		return r.Entry.At
	}
	return r.Said.Effective
}

// begun reports whether a release takes effect by a time. One without a time of its own does
// from its entry on, whatever the clock says.
func (r *releasedPolicy) begun(t time.Time) bool {
	return r.Said.Effective.IsZero() || !r.Said.Effective.After(t)
}

// policyReleases lists the releases of rules up to a position, oldest first, also those that
// do not count. As with maps, what an entry says of its reviewers is not believed.
func (w *workspace) policyReleases(ctx context.Context, at ledger.Position) ([]*releasedPolicy, error) {
	entries, err := w.ownEntries(ctx, verdict.KindPolicyRelease, at)
	if err != nil {
		return nil, err
	}
	var all []*releasedPolicy
	for _, e := range entries {
		said, err := w.saidOfRules(ctx, e)
		if err != nil {
			return nil, err
		}
		if said.Action == actionPolicyRelease {
			all = append(all, &releasedPolicy{Entry: e, Said: said})
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	maps, err := w.mapsInForce(ctx, at)
	if err != nil {
		return nil, err
	}
	var before *releasedPolicy
	for _, r := range all {
		if r.Void, err = w.voidPolicy(ctx, r, before, mapBefore(maps, r.Entry.Index)); err != nil {
			return nil, fmt.Errorf("the policy released in entry %d: %w", r.index(), err)
		}
		if r.Void != "" {
			continue
		}
		before = r
		if r.By, err = w.agreedBy(ctx, r.Entry, r.Said.Proposal); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// agreedBy names who proposed and who released, by their keys.
func (w *workspace) agreedBy(ctx context.Context, e ledger.Entry, proposal int64) ([]string, error) {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	signer, _ := h.ValidAt(e.Signer, e.Index)
	if proposal < 0 {
		return []string{signer.Person}, nil
	}
	p, err := w.ledger.Entry(ctx, proposal)
	if err != nil {
		return nil, err
	}
	proposer, _ := h.ValidAt(p.Signer, p.Index)
	return []string{proposer.Person, signer.Person}, nil
}

// mapBefore is the map that was in force at an entry; nil for none.
func mapBefore(maps []*releasedMap, index int64) *releasedMap {
	for _, m := range slices.Backward(maps) {
		if m.Entry.Index < index {
			return m
		}
	}
	return nil
}

// saidOfRules reads a release or proposal of rules. One that cannot be read says nothing.
func (w *workspace) saidOfRules(ctx context.Context, e ledger.Entry) (rulesRelease, error) {
	var said rulesRelease
	b, err := w.ledger.Bundle(ctx, e.Index)
	if err != nil {
		return said, err
	}
	if s, err := b.Statement(); err != nil || s.Decode(&said) != nil {
		return rulesRelease{}, nil
	}
	return said, nil
}

// voidPolicy says why a release does not count, given the one before it and the map that was
// in force.
func (w *workspace) voidPolicy(ctx context.Context, r, before *releasedPolicy, in *releasedMap) (void string, err error) {
	switch said := r.Said; {
	case said.Bundle == "" || said.Source == "":
		return "it does not say which rules", nil
	case said.Replaces != before.index():
		return fmt.Sprintf("it comes after entry %d, and another policy was released since", said.Replaces), nil
	case said.Organization != organizationOf(in):
		return fmt.Sprintf("it is for the organisation %q, and the map in force was of %q", said.Organization, organizationOf(in)), nil
	case !said.Effective.IsZero() && r.Entry.At.Sub(said.Effective) > effectiveSkew:
		return fmt.Sprintf("it says that it took effect at %s, and was recorded later", said.Effective.Format(time.RFC3339)), nil
	case said.Effective.Sub(r.Entry.At) > effectiveMost+effectiveSkew:
		return "it takes effect later than anybody can agree to", nil
	}
	return w.reviewedBy(ctx, r.Entry, r.Said.Proposal, w.policyAgreement(r.Said), peopleOf(in))
}

func organizationOf(m *releasedMap) string {
	if m == nil {
		return ""
	}
	return m.Map.Organization
}

// policyAgreement is what two persons agree to when they release rules: the files with their
// tests, and when they take effect.
func (w *workspace) policyAgreement(said rulesRelease) agreement {
	return agreement{one: "policy", many: "policies", proposes: func(ctx context.Context, e ledger.Entry) (bool, error) {
		p, err := w.saidOfRules(ctx, e)
		return err == nil && p.Action == actionPolicyRelease && p.Bundle == said.Bundle && p.Source == said.Source && p.Effective.Equal(said.Effective) &&
			p.Replaces == said.Replaces && p.Rollback == said.Rollback && p.Organization == said.Organization, err
	}}
}

// decidingAt orders the releases that have taken effect at a time, the one that decides
// first: the latest to take effect, and of two at one time the later in the log.
func decidingAt(all []*releasedPolicy, t time.Time, organization string) []*releasedPolicy {
	var out []*releasedPolicy
	for _, r := range all {
		if r.Void == "" && r.begun(t) && (r.Said.Organization == "" || r.Said.Organization == organization) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *releasedPolicy) int {
		return cmp.Or(b.from().Compare(a.from()), cmp.Compare(b.index(), a.index()))
	})
	return out
}

// chosenPolicy is the released policy that decides in a command.
type chosenPolicy struct {
	release *releasedPolicy // nil: no release has taken effect
	files   map[string]string
	bundle  *policy.Bundle
	faults  []string // why releases that come before it were passed over
}

// policyFor finds the released policy that decides by a map: the one in force, or the last
// known good where that cannot be loaded, compiled or proved, which is said aloud. Where
// there were releases and none is good, nothing is decided.
func (w *workspace) policyFor(ctx context.Context, m *decisionmap.Map) (*chosenPolicy, error) {
	if w.chosen != nil {
		return w.chosen, nil
	}
	all, err := w.policyReleases(ctx, ledger.Now)
	if err != nil {
		return nil, err
	}
	in, err := w.inForce(ctx, ledger.Now)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.Void != "" {
			w.say(r.index(), fmt.Sprintf("entry %d says that it releases a policy, and does not count: %s", r.index(), r.Void))
		}
	}
	out := &chosenPolicy{}
	var bad error
	candidates := decidingAt(all, w.now(), organizationOf(in))
	for _, r := range candidates {
		if bad, err = w.goodRules(ctx, r, m, out); err != nil {
			return nil, err
		}
		if bad == nil {
			out.release = r
			break
		}
		fault := fmt.Sprintf("THE POLICY RELEASED IN ENTRY %d DOES NOT DECIDE: %v", r.index(), bad)
		out.faults = append(out.faults, fault)
		w.say(r.index(), fault)
	}
	if len(candidates) > 0 && out.release == nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("none of the %s is good, so nothing is decided", plural(len(candidates), "policy that was released", "policies that were released")),
			Remedy: "restore the blob store, or release rules again: verdict policy release DIR; verdict policy list says what is wrong with each", Err: bad,
		}
	}
	w.chosen = out
	return out, nil
}

// goodRules takes the rules of a release into out: as they were released, compiled, and proved
// as before the first decision by any rules. bad says why they may not decide.
func (w *workspace) goodRules(ctx context.Context, r *releasedPolicy, m *decisionmap.Map, out *chosenPolicy) (bad, err error) {
	files, b, bad := w.rulesIn(ctx, r.Said)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if bad != nil {
		return bad, nil
	}
	out.files, out.bundle = files, b
	if known, err := w.policyReleased(ctx, m, b.Digest()); known || err != nil {
		return nil, err
	}
	bad = w.app.prove(ctx, b, "of this release", verdict.CodeUnavailable, "they do not decide")
	return bad, context.Cause(ctx)
}

// rulesIn reads the rules of a release and compiles them.
func (w *workspace) rulesIn(ctx context.Context, said rulesRelease) (map[string]string, *policy.Bundle, error) {
	content, err := w.ledger.Blob(ctx, said.Source)
	if err != nil {
		return nil, nil, err
	}
	var kept releasedRules
	if err := json.Unmarshal(content, &kept); err != nil {
		return nil, nil, fmt.Errorf("read blob %s: %w", said.Source, err)
	}
	if got := policy.DigestOf(kept.Files); got != said.Bundle || len(kept.Files) == 0 {
		return nil, nil, &verdict.Error{
			Code: verdict.CodeRefused, What: fmt.Sprintf("its files have the digest %s, and it names %s", got, said.Bundle), Remedy: "release the rules again: verdict policy release DIR",
		}
	}
	b, err := policy.Compile(kept.Files, policy.CompileOptions{})
	return kept.Files, b, err
}

// fits refuses a map that pins other rules than the release that decides. A map that pins
// none, or what is released, takes them from there.
func (c *chosenPolicy) fits(p decisionmap.Policies) error {
	if p.Bundle == decisionmap.BuiltinBundle || p.Bundle == decisionmap.ReleasedBundle {
		return nil
	}
	_, pin, beside := p.Beside()
	if beside && pin == c.release.Said.Bundle {
		return nil
	}
	return &verdict.Error{
		Code:   verdict.CodeUnavailable,
		What:   fmt.Sprintf("the map decides by the policy bundle %s, and the policy released in entry %d is %s", strconv.Quote(p.Bundle), c.release.index(), c.release.Said.Bundle),
		Remedy: "let the map take what is released: `policies: {bundle: released}`; or release the rules that it pins: verdict policy release DIR",
	}
}

// notes tells in an answer by which release it was decided, and which did not decide.
func (c *chosenPolicy) notes() []string {
	if c == nil || c.release == nil {
		return nil
	}
	return append([]string{fmt.Sprintf("by the policy %s that entry %d released, %s", c.release.Said.Bundle.Short(), c.release.index(), personsText(c.release.By))}, c.faults...)
}

// releasedFiles are the files of the released policy that decides by a map; nil where none
// has taken effect, and the map decides by what it names.
func (w *workspace) releasedFiles(ctx context.Context, m *decisionmap.Map) (map[string]string, error) {
	c, err := w.policyFor(ctx, m)
	if err != nil || c.release == nil {
		return nil, err
	}
	return c.files, c.fits(m.Policies)
}

// placePolicy tells whether the rules of a decision were those that were released: a record
// keeps its rules, and whoever signed it chose them.
func (w *workspace) placePolicy(ctx context.Context, r *replayed) error {
	all, err := w.policyReleases(ctx, r.Facts.Seen)
	if err != nil {
		return err
	}
	in, err := w.inForce(ctx, r.Facts.Seen)
	if err != nil {
		return err
	}
	own := map[string]string{}
	for name, text := range r.Rules {
		if !strings.HasPrefix(name, policy.BuiltinPrefix) {
			own[name] = text
		}
	}
	d, is := r.Decision, policy.DigestOf(own)
	deciding := decidingAt(all, d.At, organizationOf(in))
	if len(deciding) == 0 {
		r.Policy, r.PolicyFrom = verdict.StatePresent, "no policy was released: the rules are those that its map names"
		return nil
	}
	earlier := slices.DeleteFunc(slices.Clone(deciding), func(p *releasedPolicy) bool { return d.At.Sub(p.from()) < effectiveSkew }) // the rules are chosen a moment before
	at := slices.IndexFunc(deciding, func(p *releasedPolicy) bool { return p.Said.Bundle == is })
	switch {
	case at == 0 || at > 0 && len(earlier) > 0 && earlier[0] == deciding[at]:
		r.Policy, r.PolicyFrom = verdict.StateVerified, fmt.Sprintf("the policy that entry %d released", deciding[at].index())
	case at > 0:
		r.Policy, r.PolicyFrom = verdict.StateUnknown, fmt.Sprintf("the policy that entry %d released, NOT that of entry %d, which was in force: whether that one could not be loaded then is not told", deciding[at].index(), deciding[0].index())
	case len(earlier) == 0:
		r.Policy, r.PolicyFrom = verdict.StateUnknown, fmt.Sprintf("NOT compared: entry %d released another policy moments before", deciding[0].index())
	default:
		r.Policy, r.PolicyFrom = verdict.StateFailed, fmt.Sprintf("NOT the policy that entry %d released", deciding[0].index())
		if r.Same {
			r.Same, r.Difference = false, fmt.Sprintf("the decision was taken by the rules %s, and the policy released in entry %d is %s", is, deciding[0].index(), deciding[0].Said.Bundle)
		}
	}
	return nil
}
