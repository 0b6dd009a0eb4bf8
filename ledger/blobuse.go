package ledger

import (
	"encoding/json"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// What a blob is to the entry whose statement names it.
const (
	rolePolicy = "policy" // the rules that a decision was taken by
	roleMap    = "map"    // the map that a decision was taken by
	roleSource = "source" // the file of a map that was released or proposed
)

// releasesMap is the action of a proposal to release a map; other proposals name no blob.
const releasesMap = "map-release"

// usesOf lists the blobs that a statement names, each once. What it calls by a name that
// no blob has names none.
func usesOf(s *evidence.Statement) []store.BlobUse {
	var x struct {
		Action string          `json:"action"`
		Source json.RawMessage `json:"source"`
		Basis  json.RawMessage `json:"basis"`
	}
	var out []store.BlobUse
	use := func(role string, d verdict.Digest) {
		if _, err := hexOf(d); err != nil {
			return
		}
		for _, u := range out {
			if u.Digest == string(d) {
				return
			}
		}
		out = append(out, store.BlobUse{Digest: string(d), To: store.Open, Role: role})
	}
	switch k := s.Kind(); k {
	case verdict.KindDecision:
		var basis struct {
			Blobs struct {
				Policy verdict.Digest `json:"policy"`
				Map    verdict.Digest `json:"map"`
			} `json:"blobs"`
		}
		if s.Decode(&x) == nil && json.Unmarshal(x.Basis, &basis) == nil {
			use(rolePolicy, basis.Blobs.Policy)
			use(roleMap, basis.Blobs.Map)
		}
	case verdict.KindMapRelease, verdict.KindProposal:
		var source verdict.Digest
		if s.Decode(&x) == nil && (k == verdict.KindMapRelease || x.Action == releasesMap) && json.Unmarshal(x.Source, &source) == nil {
			use(roleSource, source)
		}
	}
	return out
}
