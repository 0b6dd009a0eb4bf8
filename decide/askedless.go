package decide

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/ledger"
	"verdict/policy"
)

// A gate rests on what an earlier point decided, and whoever runs that point does so under the
// map and the rules that they have. One signer may do it for many repositories, each with a
// map of its own where none is released. So where that map or those rules are others, the
// decision counts here as far as it asked what this map asks.

// heldHere holds an earlier decision against this map. What it did not ask, or took from
// somebody who has no right to it here, makes it unknown.
func (e *Engine) heldHere(ctx context.Context, s *Stated, r Request, at ledger.Position) error {
	d := s.Decided
	if s.Fails || s.Unreadable != "" || e.layerOf(r.Point) != verdict.LayerDeploy || d.Digests.Map == e.here() && d.Digests.Policy == e.Policy.Digest() {
		return nil
	}
	why, err := e.askedLess(ctx, d, r, at)
	if err != nil || why == "" {
		return err
	}
	s.Known = &verdict.Knowledge{
		State: verdict.StateUnknown, Why: fmt.Sprintf("%s decided it under another map or other rules (%s): %s", d.Point, d.ID, why),
		Remedy: "have it decided under this map: " + decideAgain(r),
	}
	return nil
}

// decideAgain is the command by which an earlier point decides on a subject.
func decideAgain(r Request) string {
	service := ""
	if r.Service != "" {
		service = " --service " + r.Service
	}
	if r.Subject.Kind == verdict.SubjectPlan {
		return "`verdict plan check FILE" + service + "`"
	}
	return "`verdict artifact trust " + string(r.Subject.Digest) + service + "`"
}

// askedLess says what this map asks at a point that a decision did not ask; "" when nothing.
func (e *Engine) askedLess(ctx context.Context, d *earlier, r Request, at ledger.Position) (string, error) {
	point, known := e.Map.Point(d.Point)
	if !known {
		return "this map has no such point", nil
	}
	rules := active(point, e.Policy)
	for _, rule := range rules {
		if !slices.Contains(d.Basis.Case.Rules, rule.ID) {
			return "it did not ask the rule " + rule.ID, nil
		}
	}
	if why := e.ownRulesDiffer(ctx, d, rules); why != "" {
		return why, nil
	}
	for _, need := range point.Needs {
		i := slices.IndexFunc(d.Basis.Case.Facts, func(f Fact) bool { return f.Need == need.Kind })
		if i < 0 {
			return "it did not need " + need.Kind, nil
		}
		f := d.Basis.Case.Facts[i]
		if f.State != verdict.StateVerified && (f.State != verdict.StatePresent || need.Accept != verdict.StatePresent) {
			return fmt.Sprintf("%s was %s, and this map does not accept that", need.Kind, f.State), nil
		}
		why, err := e.unstated(ctx, f, d, r, time.Duration(e.Map.MaxAge(need)), at)
		if why != "" || err != nil {
			return why, err
		}
	}
	return "", nil
}

// unstated says why evidence of an earlier decision would not have counted by this map.
func (e *Engine) unstated(ctx context.Context, f Fact, d *earlier, r Request, maxAge time.Duration, at ledger.Position) (string, error) {
	if f.Evidence == nil {
		return "it does not name what states " + f.Need, nil
	}
	need, of := f.Need, Request{Service: r.Service}
	if f.Evidence.Kind == verdict.KindProvenance { // which is a signature too
		need = string(verdict.KindProvenance)
	}
	switch {
	case e.rank(f.Evidence.Producer, need, of, at) == Untrusted:
		return fmt.Sprintf("%s was stated by %s, whom this map does not trust with it", f.Need, f.Evidence.Producer), nil
	case maxAge > 0 && d.At.Sub(f.Evidence.At) > maxAge:
		return fmt.Sprintf("%s was older than this map allows (%s)", f.Need, days(maxAge)), nil
	case f.Need == string(verdict.KindProvenance):
		return e.builtElsewhere(ctx, *f.Evidence, d, of, at)
	}
	return "", nil
}

// builtElsewhere holds the provenance of an earlier decision against this map's builders.
func (e *Engine) builtElsewhere(ctx context.Context, ref verdict.Ref, d *earlier, of Request, at ledger.Position) (string, error) {
	told, err := e.said(ctx, ref.Index)
	if err != nil {
		return "its provenance is no longer there: " + err.Error(), nil
	}
	s := Stated{Ref: ref}
	if told.failure != nil || !s.readArtifact(told, d.Subject) || s.Built == nil {
		return "its provenance cannot be read", nil
	}
	if e.knowBuilder(&s, of, at); !s.Built.holds() {
		return s.Built.fault(), nil
	}
	in, err := d.facts()
	switch {
	case err != nil:
		return "what it was decided from cannot be read", nil
	case in.Artifact.Provenance.SLSA > s.Built.builder.Level:
		return fmt.Sprintf("it took builder %s for build level %d, and by this map it has %d", s.Built.builder.Name, in.Artifact.Provenance.SLSA, s.Built.builder.Level), nil
	}
	if review := in.Artifact.Source.Evidence; review != "" {
		i := slices.IndexFunc(d.Evidence, func(x verdict.Ref) bool { return x.Digest == review })
		if i < 0 || e.rank(d.Evidence[i].Producer, string(verdict.KindChangeReview), of, at) == Untrusted {
			return "who stated the level of its source may not do so by this map", nil
		}
	}
	return "", nil
}

// ownRulesDiffer says that rules of one's own are others than those that were asked under the
// same names. A built-in rule is what its name says.
func (e *Engine) ownRulesDiffer(ctx context.Context, d *earlier, rules []verdict.Rule) string {
	if d.Digests.Policy == e.Policy.Digest() {
		return ""
	}
	builtin, err := policy.Builtin()
	if err != nil {
		return "the built-in rules cannot be read: " + err.Error()
	}
	known := builtin.Rules()
	i := slices.IndexFunc(rules, func(r verdict.Rule) bool {
		return !slices.ContainsFunc(known, func(k verdict.Rule) bool { return k.ID == r.ID })
	})
	if i < 0 {
		return ""
	}
	then, why := e.ownRulesOf(ctx, d.Basis.Blobs.Policy)
	if why != "" || maps.Equal(then, ownFiles(e.Policy.Files())) {
		return why
	}
	return fmt.Sprintf("the rule %s, or what it is made of, was another one", rules[i].ID)
}

// maxOwnRules bounds of how many bundles the files are kept.
const maxOwnRules = 16

// ownRulesOf gives ownFiles of the bundle in a blob, and why there are none. A gate asks for the
// same one each time, and for every decision about a digest.
func (e *Engine) ownRulesOf(ctx context.Context, bundle verdict.Digest) (files map[string]string, why string) {
	r := &e.recall
	r.mu.Lock()
	files = r.own[bundle]
	r.mu.Unlock()
	if files != nil {
		return files, ""
	}
	content, err := e.Ledger.Blob(ctx, bundle)
	if err != nil {
		return nil, "its rules are no longer there: " + err.Error()
	}
	then, err := bundleFiles(content)
	if err != nil {
		return nil, "its rules cannot be read: " + err.Error()
	}
	files = ownFiles(then)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.own == nil || len(r.own) >= maxOwnRules {
		r.own = map[verdict.Digest]map[string]string{}
	}
	r.own[bundle] = files
	return files, ""
}

// ownFiles are those of a bundle that decide and did not come with the program.
func ownFiles(files map[string]string) map[string]string {
	out := map[string]string{}
	for name, text := range files {
		if !strings.HasPrefix(name, policy.BuiltinPrefix) && strings.HasSuffix(name, ".rego") && !strings.HasSuffix(name, "_test.rego") {
			out[name] = text
		}
	}
	return out
}
