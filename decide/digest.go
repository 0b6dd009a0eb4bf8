package decide

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"

	"verdict"
)

// canonical is v as RFC 8785 JSON. It panics on values that JSON cannot hold: our
// documents are made of strings, integers, booleans, lists and structs.
func canonical(v any) []byte {
	raw, err := json.Marshal(v)
	if err == nil {
		raw, err = jsoncanonicalizer.Transform(raw)
	}
	if err != nil {
		panic(fmt.Sprintf("decide: %T cannot be canonical JSON: %v", v, err))
	}
	return raw
}

func digestOf(v any) verdict.Digest {
	sum := sha256.Sum256(canonical(v))
	return verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))
}

// factsDigest pins what a reviewer says yes to: subject, environment, point, policy,
// and of each review reason that counts its rule, item keys, observed and expected. It
// holds no ids, clock values or observation times: the same facts tomorrow have the
// same digest, and one new vulnerability changes it.
func factsDigest(c Case, reasons []verdict.Reason) verdict.Digest {
	type fact struct {
		Rule     string   `json:"rule"`
		Items    []string `json:"items"`
		Observed string   `json:"observed"`
		Expected string   `json:"expected"`
	}
	facts := []fact{}
	for _, r := range reasons {
		if r.Effect != verdict.EffectReview || r.Standing != verdict.Counts {
			continue
		}
		f := fact{Rule: r.Rule, Items: []string{}, Observed: r.Observed, Expected: r.Expected}
		for _, it := range r.Items {
			if it.Accepted == "" {
				f.Items = append(f.Items, it.Key)
			}
		}
		sort.Strings(f.Items)
		facts = append(facts, f)
	}
	sort.Slice(facts, func(i, j int) bool { return facts[i].Rule < facts[j].Rule })
	return digestOf(map[string]any{
		"subject": c.Subject.Digest, "environment": c.Environment, "point": c.Point, "policy": c.Policy, "reasons": facts,
	})
}

// resultDigest covers what a decision concluded, and neither its id, its duration nor
// its engine: replay compares it.
func resultDigest(o Conclusion) verdict.Digest {
	return digestOf(map[string]any{
		"outcome": o.Outcome, "enforced": o.Enforced, "reasons": o.Reasons,
		"passed": o.Passed, "skipped": o.Skipped, "errors": o.Errors, "break_glass": o.BreakGlass,
	})
}
