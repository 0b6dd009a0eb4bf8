package deploy

import (
	"net/url"
	"slices"

	"verdict"
	"verdict/evidence"
)

// Verifier is the id under which a gate states what it let in.
const Verifier = evidence.DefaultBase + "/gate"

// Place is the address that stands for an artifact in an environment, as the resource of a
// summary: who verifies one for another place, or of another artifact, finds another address.
func Place(environment, name string) string {
	place := evidence.DefaultBase + "/environments/" + url.PathEscape(environment)
	if name == "" {
		return place
	}
	return place + "#" + url.PathEscape(name)
}

// Promotion is a gate's allow as the summary that tools other than Verdict read. level is the
// SLSA build level that the gate knew of the artifact.
func Promotion(d verdict.Decision, level int64) evidence.Summary {
	out := evidence.Summary{
		Verifier: evidence.SummaryVerifier{ID: Verifier, Version: map[string]string{"verdict": d.Engine}},
		At:       d.At, Resource: Place(d.Environment, d.Subject.Name),
		Policy: evidence.Resource(evidence.DefaultBase+"/policy", d.Digests.Policy), Inputs: []evidence.SummaryInput{},
		Result: evidence.SummaryPassed, Levels: []string{evidence.BuildLevel(min(level, 3))}, SLSA: evidence.SLSAVersion,
	}
	refs := slices.Clone(d.Evidence)
	slices.SortFunc(refs, func(a, b verdict.Ref) int { return int(a.Index - b.Index) })
	for _, r := range refs {
		out.Inputs = append(out.Inputs, evidence.Resource(evidence.DefaultBase+"/evidence/"+string(r.Kind), r.Digest))
	}
	return out
}
