package decide

import (
	"slices"
	"strconv"

	"verdict"
	"verdict/policy"
)

// What several reports say that stand beside each other is joined here: every finding of
// each counts, and of one finding that two report, the worse.

// fillAll writes what the statement that counts and the others that stand say into the
// need's group of the input.
func (g *gathered) fillAll(f Fact, counts *Stated, others []Stated) {
	g.fill(f, counts)
	if counts != nil && f.Need == string(verdict.KindVulnerabilities) {
		g.found = strconv.FormatInt(counts.Ref.Index, 36)
	}
	for i := range others {
		if others[i].Report == nil {
			continue
		}
		if f.Need == string(verdict.KindVulnerabilities) {
			v := vulnerabilities(f, &others[i])
			g.found += " " + strconv.FormatInt(others[i].Ref.Index, 36)
			g.input.Vulnerabilities.Complete = g.input.Vulnerabilities.Complete && v.Complete
			g.input.Vulnerabilities.Findings = joinFindings(slices.Clone(g.input.Vulnerabilities.Findings), v.Findings)
			continue
		}
		c, more := g.input.Checks[f.Need], check(f, &others[i])
		c.Complete, c.Failed = c.Complete && more.Complete, joinHits(c.Failed, more.Failed)
		g.input.Checks[f.Need] = c
	}
}

// joinHits takes in the hits of another report. Rules judge by detector and severity, so
// one of the same key and another detector is another hit.
func joinHits(hits, more []policy.Hit) []policy.Hit {
	for _, h := range more {
		i := slices.IndexFunc(hits, func(x policy.Hit) bool { return x.Key == h.Key && x.Detector == h.Detector })
		if i < 0 {
			hits = append(hits, h)
			continue
		}
		hits[i].Severity, hits[i].Old = worst(hits[i].Severity, h.Severity), hits[i].Old && h.Old
	}
	return hits
}

// joinFindings takes in the findings of another report.
func joinFindings(findings, more []policy.Finding) []policy.Finding {
	at := make(map[string]int, len(findings)) // of each key, where it is
	for i := range slices.Backward(findings) {
		at[findings[i].Key] = i
	}
	for _, f := range more {
		i, known := at[f.Key]
		if !known {
			at[f.Key] = len(findings)
			findings = append(findings, f)
			continue
		}
		x := &findings[i]
		if x.Fixed == "" {
			x.Fixed, x.Fix = f.Fixed, f.Fix
		}
		x.Severity, x.EPSS = worst(x.Severity, f.Severity), max(x.EPSS, f.EPSS)
		x.Exploited, x.Malicious, x.Old = x.Exploited || f.Exploited, x.Malicious || f.Malicious, x.Old && f.Old
		if x.Reach != f.Reach {
			x.Reach = policy.Reach{Imported: verdict.ReachUnknown}
		}
	}
	return findings
}

// worst is the worse of two severities.
func worst(a, b verdict.Severity) verdict.Severity {
	if b.Rank() < a.Rank() {
		return b
	}
	return a
}

// leastKnown judges a fact by the statement that counts and all that stand beside it: it is
// known as well as the least known of them. Kinds that are no list of findings cannot be
// joined, so that two which stand against each other leave the fact unknown.
func leastKnown(f Fact, others []Stated, judged func(*Fact, *Stated)) Fact {
	counts := f
	for i := range others {
		if counts.State != verdict.StateVerified {
			return counts
		}
		of := f
		of.State, of.Why = "", ""
		if judged(&of, &others[i]); of.State != verdict.StateVerified {
			return of
		}
		if others[i].Known != nil {
			counts.State, counts.Why = verdict.StateUnknown, "two producers state it in different ways, and neither took its word back"
			counts.Remedy = "have the one that the map trusts most state it again"
		}
	}
	return counts
}
