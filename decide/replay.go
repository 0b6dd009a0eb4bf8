package decide

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/policy"
)

// Replayer takes recorded decisions again from what they rested on, without the map's
// sources, the tree or the network. Bundles are compiled once each. It is safe for
// concurrent use.
type Replayer struct {
	Ledger Ledger

	mu      sync.Mutex // guards bundles and maps
	bundles map[verdict.Digest]*policy.Bundle
	maps    map[verdict.Digest]*chart
}

// chart is a map with the digests that each of its decisions is held against.
type chart struct {
	*decisionmap.Map
	digest verdict.Digest
	points map[string]verdict.Digest
}

// Replayed is what a replay found.
type Replayed struct {
	Decision verdict.Decision `json:"decision"` // as recorded
	Index    int64            `json:"index"`
	Signer   string           `json:"signer"` // the enrolled key that signed the record
	Again    Conclusion       `json:"again"`  // as computed now
	Result   verdict.Digest   `json:"result"`
	// Engine is the engine of this program; it may be newer than the decision's.
	Engine string `json:"engine"`
	Same   bool   `json:"same"`
	// Difference is the first thing that differs, "" when nothing does.
	Difference string `json:"difference"`
}

// Replay takes decision id again. What cannot be replayed, because a part was pruned or
// is damaged, is an error: it is not a difference.
func (r *Replayer) Replay(ctx context.Context, id string, at ledger.Position) (*Replayed, error) {
	entry, s, err := r.Ledger.DecisionStatement(ctx, id, at)
	if err != nil {
		return nil, err
	}
	out, err := r.again(ctx, s)
	if out != nil {
		out.Index, out.Signer = entry.Index, entry.Signer
	}
	return out, err
}

// again evaluates and concludes from a recorded statement.
func (r *Replayer) again(ctx context.Context, s *evidence.Statement) (*Replayed, error) {
	var rec recorded
	if err := s.Decode(&rec); err != nil {
		return nil, fmt.Errorf("read decision: %w", err)
	}
	d := rec.Decision
	if rec.Basis.Schema != BasisSchema {
		return nil, unreplayable(d.ID, fmt.Sprintf("its basis is %q, and this program reads %s", rec.Basis.Schema, BasisSchema))
	}
	b, err := r.bundle(ctx, d, rec.Basis.Blobs.Policy)
	if err != nil {
		return nil, err
	}
	in, err := policy.ParseInput(rec.Basis.Input)
	if err != nil {
		return nil, fmt.Errorf("input of decision %s: %w", d.ID, err)
	}
	out := &Replayed{Decision: d, Engine: b.Engine()}
	ev, err := b.Evaluate(ctx, policy.Query{Rules: rec.Basis.Case.Rules, Input: in, At: rec.Basis.Case.At})
	if err != nil {
		return nil, fmt.Errorf("evaluate decision %s: %w", d.ID, err)
	}
	out.Again = Conclude(rec.Basis.Case, *ev)
	out.Result = resultDigest(out.Again)
	if out.Difference, err = r.unfounded(ctx, d, rec.Basis, in, b); err != nil {
		return nil, err
	}
	if out.Difference == "" {
		// ParseInput took nothing but the canonical form, so these bytes are it.
		out.Difference = difference(d, rec.Basis, sha256Of(rec.Basis.Input), b, out)
	}
	out.Same = out.Difference == ""
	return out, nil
}

// bundle gives the compiled policy of a decision.
func (r *Replayer) bundle(ctx context.Context, d verdict.Decision, blob verdict.Digest) (*policy.Bundle, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, ok := r.bundles[blob]; ok {
		return b, nil
	}
	content, err := r.Ledger.Blob(ctx, blob)
	if err != nil {
		return nil, fmt.Errorf("policy of decision %s: %w", d.ID, err)
	}
	b, err := decodeBundle(content)
	if err != nil {
		return nil, fmt.Errorf("policy of decision %s: %w", d.ID, err)
	}
	if r.bundles == nil {
		r.bundles = map[verdict.Digest]*policy.Bundle{}
	}
	r.bundles[blob] = b
	return b, nil
}

// sameResult compares what the result digest covers. Go writes equal values as equal
// JSON, and that costs a third of the canonical form.
func sameResult(a, b Conclusion) bool {
	a.Facts, a.Expires = b.Facts, b.Expires
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// unfounded names the first thing in which a basis is not the one of its decision: a
// record whose rules, needs or mode are not those of its point in its map, whose case or
// input is about something else, or which names evidence that is not in the ledger.
func (r *Replayer) unfounded(ctx context.Context, d verdict.Decision, b Basis, in *policy.Input, p *policy.Bundle) (string, error) {
	m, err := r.chart(ctx, d, b.Blobs.Map)
	if err != nil {
		return "", err
	}
	point, ok := m.Point(d.Point)
	if !ok || m.digest != d.Digests.Map || m.points[d.Point] != d.Digests.Point {
		return fmt.Sprintf("point %s of map %s is not that of the recorded map %s", d.Point, d.Digests.Map, m.digest), nil
	}
	rules, needs, facts := []string{}, []string{}, []string{}
	for _, x := range active(point, p) {
		rules = append(rules, x.ID)
	}
	for _, n := range point.Needs {
		needs = append(needs, n.Kind)
	}
	for _, f := range b.Case.Facts {
		facts = append(facts, f.Need)
	}
	c := b.Case
	for _, found := range []string{
		differ("active rules", rules, c.Rules), differ("needs", needs, facts), differ("mode", point.ModeAt(d.At), c.Mode),
		differ("point", d.Point, c.Point), differ("layer", point.Layer, c.Layer), differ("service", d.Service, c.Service),
		differ("environment", d.Environment, c.Environment), differ("time", d.At, c.At), differ("policy digest", d.Digests.Policy, c.Policy),
		differ("capabilities digest", d.Digests.Capabilities, p.Capabilities()), differ("decision of the input", d.ID, in.Decision.ID),
		differ("subject of the input", d.Subject.Digest, in.Subject.Digest), differ("point of the input", d.Point, in.Decision.Point),
		differ("evidence of the input", len(d.Evidence), len(in.Evidence)),
	} {
		if found != "" {
			return found, nil
		}
	}
	for _, ref := range d.Evidence {
		entry, err := r.Ledger.Entry(ctx, ref.Index)
		if err != nil {
			return "", fmt.Errorf("evidence of decision %s: %w", d.ID, err)
		}
		if entry.Digest != ref.Digest || entry.Producer != ref.Producer || entry.Kind != ref.Kind {
			return differ(fmt.Sprintf("evidence in entry %d", ref.Index), ref, entry.Ref()), nil
		}
	}
	return "", nil
}

// chart gives the map of a decision.
func (r *Replayer) chart(ctx context.Context, d verdict.Decision, blob verdict.Digest) (*chart, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m, ok := r.maps[blob]; ok {
		return m, nil
	}
	content, err := r.Ledger.Blob(ctx, blob)
	if err != nil {
		return nil, fmt.Errorf("map of decision %s: %w", d.ID, err)
	}
	m, err := decisionmap.Load("map of decision "+d.ID, content)
	if err != nil {
		return nil, fmt.Errorf("map of decision %s: %w", d.ID, err)
	}
	c := &chart{Map: m, digest: m.Digest(), points: map[string]verdict.Digest{}}
	for _, p := range m.Points {
		c.points[p.ID] = p.Digest()
	}
	if r.maps == nil {
		r.maps = map[verdict.Digest]*chart{}
	}
	r.maps[blob] = c
	return c, nil
}

// differ says how two values differ; "" when they do not.
func differ(what string, was, is any) string {
	if w, i := fmt.Sprint(was), fmt.Sprint(is); w != i {
		return fmt.Sprintf("%s was %s and is %s", what, w, i)
	}
	return ""
}

// difference names the first thing in which the recorded decision and the one taken
// again are not the same, from what went in to what came out.
func difference(d verdict.Decision, b Basis, input verdict.Digest, p *policy.Bundle, out *Replayed) string {
	again := out.Again
	recorded := Conclusion{
		Outcome: d.Outcome, Enforced: d.Enforced, Reasons: d.Reasons, Passed: d.Passed, Skipped: d.Skipped, Errors: d.Errors, BreakGlass: d.BreakGlass,
	}
	if d.Digests.Policy == p.Digest() && d.Digests.Input == input && d.Mode == b.Case.Mode && d.Subject.Digest == b.Case.Subject.Digest &&
		d.Digests.Facts == again.Facts && d.Digests.Result == out.Result && sameResult(recorded, again) {
		return "" // everything that follows is in these
	}
	for _, found := range []string{
		differ("policy digest", d.Digests.Policy, p.Digest()),
		differ("input digest", d.Digests.Input, input),
		differ("mode", d.Mode, b.Case.Mode),
		differ("subject", d.Subject.Digest, b.Case.Subject.Digest),
		differ("outcome", d.Outcome, again.Outcome),
		differ("enforced outcome", d.Enforced, again.Enforced),
		differ("passed rules", d.Passed, again.Passed),
		differ("skipped rules", d.Skipped, again.Skipped),
		differ("number of reasons", len(d.Reasons), len(again.Reasons)),
	} {
		if found != "" {
			return found
		}
	}
	for i := range d.Reasons {
		if !bytes.Equal(canonical(d.Reasons[i]), canonical(again.Reasons[i])) {
			return differ("reason "+d.Reasons[i].Rule, string(canonical(d.Reasons[i])), string(canonical(again.Reasons[i])))
		}
	}
	for _, found := range []string{
		differ("errors", d.Errors, again.Errors),
		differ("break-glass", d.BreakGlass, again.BreakGlass),
		differ("facts digest", d.Digests.Facts, again.Facts),
		differ("result digest", d.Digests.Result, out.Result),
	} {
		if found != "" {
			return found
		}
	}
	return "the record and the result differ in their canonical form"
}

func unreplayable(id, why string) error {
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "decision " + id + " cannot be replayed: " + why,
		Remedy: "use the version of verdict that took the decision; `verdict log verify` still proves that it was taken",
	}
}

func sha256Of(b []byte) verdict.Digest {
	sum := sha256.Sum256(b)
	return verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))
}

// bundleFile is a policy bundle as a decision keeps it: every file by its path.
type bundleFile struct {
	Files map[string]string `json:"files"`
}

func encodeBundle(b *policy.Bundle) []byte { return canonical(bundleFile{Files: b.Files()}) }

func decodeBundle(content []byte) (*policy.Bundle, error) {
	var f bundleFile
	if err := json.Unmarshal(content, &f); err != nil {
		return nil, fmt.Errorf("read policy bundle: %w", err)
	}
	return policy.Restore(f.Files)
}
