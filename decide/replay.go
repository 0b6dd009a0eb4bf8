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
	"verdict/evidence"
	"verdict/ledger"
	"verdict/policy"
)

// Replayer takes recorded decisions again from what they rested on, without the map's
// sources, the tree or the network. Bundles are compiled once each. It is safe for
// concurrent use.
type Replayer struct {
	Ledger Ledger

	mu      sync.Mutex // guards bundles
	bundles map[verdict.Digest]*policy.Bundle
}

// Replayed is what a replay found.
type Replayed struct {
	Decision verdict.Decision `json:"decision"` // as recorded
	Index    int64            `json:"index"`
	Again    Conclusion       `json:"again"` // as computed now
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
		out.Index = entry.Index
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
	input, err := in.Canonical()
	if err != nil {
		return nil, fmt.Errorf("input of decision %s: %w", d.ID, err)
	}
	ev, err := b.Evaluate(ctx, policy.Query{Rules: rec.Basis.Case.Rules, Input: in, At: rec.Basis.Case.At})
	if err != nil {
		return nil, fmt.Errorf("evaluate decision %s: %w", d.ID, err)
	}
	out.Again = Conclude(rec.Basis.Case, *ev)
	out.Result = resultDigest(out.Again)
	out.Difference = difference(d, rec.Basis, sha256Of(input), b, out)
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

// difference names the first thing in which the recorded decision and the one taken
// again are not the same, from what went in to what came out.
func difference(d verdict.Decision, b Basis, input verdict.Digest, p *policy.Bundle, out *Replayed) string {
	differ := func(what string, was, is any) string {
		if w, i := fmt.Sprint(was), fmt.Sprint(is); w != i {
			return fmt.Sprintf("%s was %s and is %s", what, w, i)
		}
		return ""
	}
	again := out.Again
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
		differ("facts digest", d.Digests.Facts, again.Facts),
		differ("result digest", d.Digests.Result, out.Result),
	} {
		if found != "" {
			return found
		}
	}
	return ""
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
