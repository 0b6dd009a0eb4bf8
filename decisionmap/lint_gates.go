package decisionmap

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"verdict"
)

func infrastructureChecked(l *linter) { // VD-G01
	for _, name := range slices.Sorted(maps.Keys(l.Services)) {
		s := l.Services[name]
		if len(s.IaC) == 0 {
			continue
		}
		checked := slices.ContainsFunc(l.Points, func(p Point) bool {
			return (p.Layer == verdict.LayerCI || p.Layer == verdict.LayerDeploy) && l.blocksNow(p) && slices.ContainsFunc(infrastructureKinds, p.needs)
		})
		if !checked {
			l.bindsLater("services."+name+".iac", fmt.Sprintf("the infrastructure code of %s reaches apply without a block point that checks it", name), "let ci.iac or deploy.plan block: `mode: block`")
			return // one cause, whichever service shows it
		}
	}
}

func productionGated(l *linter) { // VD-G02
	gated := slices.ContainsFunc(l.Points, func(p Point) bool {
		return p.Layer == verdict.LayerDeploy && l.blocksNow(p) && !isAdmission(p) &&
			slices.ContainsFunc(p.Needs, func(n Need) bool { return l.fromArtifact(n.Kind) })
	})
	for _, name := range slices.Sorted(maps.Keys(l.Environments)) {
		if l.Environments[name].Production() && !gated {
			l.bindsLater("environments."+name, fmt.Sprintf("no deploy point blocks what enters %s without artifact trust", name), "let deploy.gate block: `mode: block`, with what artifact.trust leaves among its needs")
		}
	}
}

func stakesDeclared(l *linter) { // VD-G03
	for _, name := range slices.Sorted(maps.Keys(l.Environments)) {
		e := l.Environments[name]
		if !e.Production() {
			continue
		}
		var missing []string
		for _, f := range []struct{ key, value string }{
			{"exposure", e.Exposure}, {"data", e.Data}, {"blast_radius", e.BlastRadius}, {"rollback", e.Rollback},
		} {
			if f.value == "" {
				missing = append(missing, f.key)
			}
		}
		if len(missing) > 0 {
			l.found("environments."+name, fmt.Sprintf("%s is production and does not declare %s", name, strings.Join(missing, ", ")), "declare what is at stake: add "+strings.Join(missing, ", "))
		}
	}
}

func promotionChain(l *linter) { // VD-G04
	for _, name := range slices.Sorted(maps.Keys(l.Environments)) {
		first, cycle := l.chainStart(name)
		switch e := l.Environments[name]; {
		case cycle && first == name: // said once, at its first member
			l.found("environments."+name+".promote_from", "promotion from "+name+" comes back to it", "let the chain begin at an environment without promote_from")
		case !cycle && first == name && e.Production():
			l.found("environments."+name, name+" is production and nothing is promoted to it from elsewhere", "add `promote_from:` with the environment that comes before it")
		}
	}
}

// chainStart follows promote_from to its beginning. In a cycle it gives the first
// member by name.
func (l *linter) chainStart(name string) (first string, cycle bool) {
	var seen []string
	for {
		if i := slices.Index(seen, name); i >= 0 {
			return slices.Min(seen[i:]), true
		}
		seen = append(seen, name)
		from := l.Environments[name].PromoteFrom
		if _, ok := l.Environments[from]; !ok {
			return name, false
		}
		name = from
	}
}

func wideBlast(l *linter) { // VD-G05
	for _, name := range slices.Sorted(maps.Keys(l.Environments)) {
		e := l.Environments[name]
		wide := e.BlastRadius == "regional" || e.BlastRadius == "global"
		if wide && (e.Rollback != "tested" || e.MinSLSA < 3) {
			l.found("environments."+name, fmt.Sprintf("%s has a %s blast radius with rollback %q and SLSA %d", name, e.BlastRadius, e.Rollback, e.MinSLSA), "set `rollback: tested` and `min_slsa: 3`")
		}
	}
}

func isAdmission(p Point) bool {
	return p.Layer == verdict.LayerDeploy && (p.ID == "deploy.admission" || strings.HasSuffix(p.At, "/admission"))
}

func admissionReads(l *linter) { // VD-G06
	for _, p := range l.Points {
		if !isAdmission(p) {
			continue
		}
		for _, n := range p.Needs {
			if !slices.Contains([]string{"promotion", "request"}, n.Kind) {
				l.found(at(p, "needs"), fmt.Sprintf("%s needs %s; admission answers from promotions and the request alone", p.ID, n.Kind), "let deploy.gate need it: admission must not wait for anybody")
			}
		}
		for _, r := range l.rules[p.ID] {
			beyond := slices.DeleteFunc(slices.Clone(r.Reads), func(read string) bool {
				return slices.Contains([]string{"promotions", "requester", "request", "decision", "subject"}, group(read))
			})
			if len(beyond) > 0 {
				l.found(at(p, "policy"), fmt.Sprintf("the rule %s of %s reads %s; admission reads promotions and the request alone", r.ID, p.ID, strings.Join(beyond, ", ")), "move the rule to deploy.gate")
			}
		}
	}
}
