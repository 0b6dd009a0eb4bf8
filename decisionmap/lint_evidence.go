package decisionmap

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"verdict"
)

func needsProduced(l *linter) { // VD-E01
	kinds := l.produced()
	for _, p := range l.Points {
		for _, n := range p.Needs {
			if !slices.Contains(kinds, n.Kind) {
				l.found(at(p, "needs"), fmt.Sprintf("%s needs %s, which nobody produces%s", p.ID, n.Kind, did(nearest(n.Kind, kinds))),
					"name the source that yields it under `sources:`, or the point that leaves it")
			}
			if name := l.unreadable(n.Kind); name != "" {
				l.found("sources."+name, fmt.Sprintf("%s needs %s, which %s yields by a command, and nothing says the form of what it prints", p.ID, n.Kind, name),
					"add `format:` with one of "+strings.Join(Formats, ", "))
			}
		}
	}
}

// unreadable names a source that yields a check by a command whose output nobody can read;
// "" when there is none.
func (l *linter) unreadable(kind string) string {
	for _, name := range slices.Sorted(maps.Keys(l.Sources)) {
		if s := l.Sources[name]; len(s.Command) > 0 && s.Format == "" && slices.Contains(l.Checks(name), kind) {
			return name
		}
	}
	return ""
}

// produced lists every kind that a source yields or a point leaves.
func (l *linter) produced() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(l.Sources)) {
		out = append(out, l.Sources[name].Kinds...)
	}
	for _, p := range l.Points {
		if p.Produces.Kind != "" {
			out = append(out, p.Produces.Kind)
		}
	}
	return out
}

func promotionBound(l *linter) { // VD-E02
	for _, p := range l.Points {
		if p.Produces.Kind != "promotion" && !strings.HasSuffix(p.Produces.Kind, "-promotion") {
			continue
		}
		if !slices.ContainsFunc(p.Needs, func(n Need) bool { return l.digestBound(n.Kind) }) {
			l.found(at(p, "needs"), p.ID+" promotes without evidence that is bound to a digest", "let it need what an artifact point leaves, such as vsa")
		}
	}
}

// digestBound reports whether evidence of the kind speaks about an artifact's digest.
func (l *linter) digestBound(kind string) bool {
	return slices.Contains(digestBound, kind) || l.fromArtifact(kind)
}

func (l *linter) fromArtifact(kind string) bool {
	return slices.ContainsFunc(l.Points, func(p Point) bool { return p.Layer == verdict.LayerArtifact && p.Produces.Kind == kind })
}

func leavesEvidence(l *linter) { // VD-E03
	for _, p := range l.Points {
		switch {
		case p.Produces.Kind == "":
			l.found("points."+p.ID, p.ID+" leaves no evidence", fmt.Sprintf("add `produces: {kind: %s}`", strings.ReplaceAll(p.ID, ".", "-")))
		case p.Produces.Retain < l.Retention.Minimum:
			l.found(at(p, "produces"), fmt.Sprintf("what %s leaves is kept for %s, less than the minimum of %s", p.ID, p.Produces.Retain, l.Retention.Minimum),
				fmt.Sprintf("set `retain: %s` or longer", l.Retention.Minimum))
		}
	}
}

// sbomUsed asks for nothing while the map declares no environment: then it says of no
// artifact that it runs.
func sbomUsed(l *linter) { // VD-E04
	if len(l.Environments) == 0 {
		return
	}
	var needing []Point
	for _, p := range l.Points {
		if l.blocksNow(p) && p.needs(string(verdict.KindSBOM)) {
			needing = append(needing, p)
		}
	}
	switch {
	case len(needing) == 0:
		l.bindsLater("points", "no block point needs the SBOM", "let artifact.trust or deploy.gate block: `mode: block`")
	case !slices.ContainsFunc(needing, func(p Point) bool { return l.notBuilt(p) || slices.ContainsFunc(l.rules[p.ID], readsSBOM) }):
		l.bindsLater(at(needing[0], "policy"), "no rule of a block point that needs the SBOM reads it", "select a rule at "+needing[0].ID+" that reads the SBOM, or take it out of its needs")
	}
}

func readsSBOM(r verdict.Rule) bool {
	return slices.Contains(r.Evidence, verdict.KindSBOM) || slices.ContainsFunc(r.Reads, func(read string) bool {
		return slices.Contains(strings.Split(read, "."), "sbom")
	})
}

func evidenceRead(l *linter) { // VD-E05
	read := func(kind string) bool {
		if kind == string(verdict.KindVEX) { // it is looked at with the vulnerabilities that it speaks of
			kind = string(verdict.KindVulnerabilities)
		}
		return slices.ContainsFunc(l.Points, func(p Point) bool { return p.needs(kind) })
	}
	for _, name := range slices.Sorted(maps.Keys(l.Sources)) {
		for _, kind := range l.Sources[name].Kinds {
			if !read(kind) && !l.Sources[name].OnDemand { // that tells whoever asks for it
				l.found("sources."+name, fmt.Sprintf("%s yields %s, which no point needs", name, kind), "add it to the needs of a point, or take it out")
			}
		}
	}
	for _, p := range l.Points {
		kind := p.Produces.Kind
		if kind != "" && p.Layer != verdict.LayerRuntime && len(p.Feeds) == 0 && !read(kind) { // runtime: VD-L06
			l.found(at(p, "produces"), fmt.Sprintf("%s leaves %s, which no point needs", p.ID, kind), "add it to the needs of a later point, or say what it feeds")
		}
	}
}

func oneProducer(l *linter) { // VD-E06
	kinds := l.produced()
	slices.Sort(kinds)
	for _, kind := range slices.Compact(kinds) {
		var who []string
		primary := 0
		for _, name := range slices.Sorted(maps.Keys(l.Sources)) {
			if s := l.Sources[name]; slices.Contains(s.Kinds, kind) {
				who = append(who, "sources."+name)
				if s.Primary {
					primary++
				}
			}
		}
		for _, p := range l.Points {
			if p.Produces.Kind == kind {
				who = append(who, "points."+p.ID)
			}
		}
		if len(who) > 1 && primary != 1 {
			l.found(who[len(who)-1], fmt.Sprintf("%s comes from %s, and %d of them are primary", kind, strings.Join(who, " and "), primary), "mark one source `primary: true`, or let one producer yield it")
		}
	}
	if all, primary := l.renderers(); len(all) > 1 && len(primary) != 1 {
		l.found("sources."+all[len(all)-1], fmt.Sprintf("charts are rendered by %s, and %d of them are primary", strings.Join(all, " and "), len(primary)), "mark one source `primary: true`, or take the others out")
	}
}
