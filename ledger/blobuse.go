package ledger

import (
	"encoding/json"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// What a blob is to the entry whose statement names it.
const (
	rolePolicy   = "policy"   // the rules that a decision was taken by
	roleMap      = "map"      // the map that a decision was taken by
	roleSource   = "source"   // the file of a map that was released or proposed
	roleRules    = "rules"    // the rules that such a map names beside itself, or that were released as the policy
	roleTried    = "backtest" // what a backtest of released rules found
	roleFindings = "findings" // of vulnerabilities that a decision was taken on
	roleBill     = "bill of materials"
)

// The actions of releases and of proposals of them; others name no blob.
const (
	releasesMap    = "map-release"
	releasesPolicy = "policy-release"
)

// usesOf lists the blobs that a statement names, each once. What it calls by a name that
// no blob has names none.
func usesOf(s *evidence.Statement) []store.BlobUse {
	var x struct {
		Action   string          `json:"action"`
		Source   json.RawMessage `json:"source"`
		Policy   json.RawMessage `json:"policy"`
		Backtest json.RawMessage `json:"backtest"`
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
	named := func(role string, raw json.RawMessage) { // each by itself: that one is odd hides no other
		var d verdict.Digest
		if json.Unmarshal(raw, &d) == nil {
			use(role, d)
		}
	}
	switch k := s.Kind(); k {
	case verdict.KindDecision:
		var x struct {
			Basis struct {
				Findings verdict.Digest `json:"findings"`
				Blobs    struct {
					Policy verdict.Digest `json:"policy"`
					Map    verdict.Digest `json:"map"`
				} `json:"blobs"`
			} `json:"basis"`
		}
		if s.DecodeFields(&x, "basis.blobs", "basis.findings") == nil {
			use(roleFindings, x.Basis.Findings)
			use(rolePolicy, x.Basis.Blobs.Policy)
			use(roleMap, x.Basis.Blobs.Map)
		}
	case verdict.KindSBOM:
		if bill, ok := storedBill(s); ok {
			use(roleBill, bill.Digest)
		}
	case verdict.KindMapRelease, verdict.KindPolicyRelease, verdict.KindProposal:
		switch {
		case s.Decode(&x) != nil:
		case k == verdict.KindMapRelease, k == verdict.KindProposal && x.Action == releasesMap:
			named(roleSource, x.Source)
			named(roleRules, x.Policy)
		case x.Action == releasesPolicy:
			named(roleRules, x.Source)
			named(roleTried, x.Backtest)
		}
	}
	return out
}
