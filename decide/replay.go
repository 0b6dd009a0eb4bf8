package decide

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
)

// Replayer takes recorded decisions again: it gathers from the ledger as the decision
// saw it, evaluates and concludes, without the tree, the network or any file. Bundles are
// compiled once each. It is safe for concurrent use.
type Replayer struct {
	Ledger Ledger
	// KeyName is that of the Engine.
	KeyName func(keyID string, at ledger.Position) string

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
	// Trusted: the map of then lets the signer state what the point leaves. Where a later
	// point needs it, an untrusted decision counts as absent.
	Trusted bool `json:"trusted"`
	// Map is the one that the record names. Replay holds the decision against it; that it
	// was the one in force is for its caller to tell.
	Map *decisionmap.Map `json:"-"`
	// Rules are the files of the bundle that the record keeps, by path; as with Map, that they
	// were those in force is for its caller to tell.
	Rules  map[string]string `json:"-"`
	Facts  Facts             `json:"facts"`
	Again  Conclusion        `json:"again"` // as computed now
	Result verdict.Digest    `json:"result"`
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
	var rec recorded
	if err := s.Decode(&rec); err != nil {
		return nil, fmt.Errorf("read decision: %w", err)
	}
	d, basis := rec.Decision, rec.Basis
	if basis.Schema != BasisSchema {
		return nil, unreplayable(d.ID, fmt.Sprintf("its basis is %q, and this program reads %s", basis.Schema, BasisSchema))
	}
	b, err := r.bundle(ctx, d, basis.Blobs.Policy)
	if err != nil {
		return nil, err
	}
	m, err := r.chart(ctx, d, basis.Blobs.Map)
	if err != nil {
		return nil, err
	}
	out := &Replayed{
		Decision: d, Index: entry.Index, Signer: entry.Signer, Engine: b.Engine(), Map: m.Map, Rules: b.Files(),
		Facts: Facts{State: verdict.StateFailed, Seen: basis.Seen, Late: []int64{}},
	}
	if err := r.retake(ctx, &rec, s.Subjects, entry, m, b, out); err != nil {
		return nil, err
	}
	if out.Difference != "" && out.Facts.Why == "" {
		out.Facts.Why = out.Difference
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

func unreplayable(id, why string) error {
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "decision " + id + " cannot be replayed: " + why,
		Remedy: "use the version of verdict that took the decision; `verdict log verify` still proves that it was taken",
	}
}

// bundleFile is a policy bundle as a decision keeps it: every file by its path.
type bundleFile struct {
	Files map[string]string `json:"files"`
}

func encodeBundle(b *policy.Bundle) []byte { return canonical(bundleFile{Files: b.Files()}) }

func decodeBundle(content []byte) (*policy.Bundle, error) {
	files, err := bundleFiles(content)
	if err != nil {
		return nil, err
	}
	return policy.Restore(files)
}

// bundleFiles are the files of a kept bundle, by path.
func bundleFiles(content []byte) (map[string]string, error) {
	var f bundleFile
	if err := json.Unmarshal(content, &f); err != nil {
		return nil, fmt.Errorf("read policy bundle: %w", err)
	}
	return f.Files, nil
}
