package decisionmap

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"verdict"
)

func selectorsExist(l *linter) { // VD-P01
	for _, p := range l.Points {
		if len(p.Policy) == 0 {
			l.found("points."+p.ID, p.ID+" names no policy, so that nothing decides", "add `policy:` with a selector of rules")
			continue
		}
		if l.notBuilt(p) {
			continue
		}
		for _, s := range p.Policy {
			if _, ok := l.source.Select(s); !ok {
				l.found(at(p, "policy"), fmt.Sprintf("%s selects %q, which names no rule of the bundle%s", p.ID, clip(s), did(nearest(s, selectors()))), "run `verdict policy test` for the rules that there are, and name one of them")
			}
		}
	}
}

// plainSelector is a selector without what may be left out: data., the prefix of the
// built-in rules, and a last .*.
func plainSelector(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "data."), ".*")
	return strings.TrimPrefix(s, "verdict.rules.")
}

// selectors are those of the rules that there are or will be.
func selectors() (all []string) {
	for _, p := range Builtin().Points {
		all = append(all, p.Policy...)
	}
	return all
}

func isPlanned(selector string) bool {
	return slices.ContainsFunc(planned, func(p string) bool { return plainSelector(p) == plainSelector(selector) })
}

var pinned = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)

func bundlePinned(l *linter) { // VD-P02
	why := l.Policies.Wrong()
	if len(why) == 0 {
		return
	}
	remedy := "end it in @sha256:… and add `verify: {issuer: …, subject: …}` or `verify: {key: …}`"
	if _, _, beside := l.Policies.Beside(); beside {
		remedy = "name the folder or archive with the rules, and the digest that `verdict policy test DIR` prints, without verify: `policies: {bundle: policy@sha256:…}`"
	}
	l.found("policies", fmt.Sprintf("the bundle %q %s", clip(l.Policies.Bundle), strings.Join(why, " and ")), remedy)
}

// unsigned is what a decision takes from the map and from the request itself.
var unsigned = []string{"environment", "request"}

func producersTrusted(l *linter) { // VD-T01
	told := map[string]bool{}
	for _, p := range l.Points {
		if !acts(p) {
			continue
		}
		for _, n := range p.Needs {
			if slices.Contains(unsigned, n.Kind) || told[n.Kind] {
				continue
			}
			if where := l.untrusted(p, n.Kind); where != "" {
				told[n.Kind] = true
				l.found(at(p, "needs"), fmt.Sprintf("%s needs %s, and nobody is trusted to state it %s", p.ID, n.Kind, where), "add the signer under `trust:` with this kind, service and environment")
			}
		}
	}
}

// findersExcuseNothing tells early what the decision passes over: a pipeline's key is in the
// hands of whoever writes the change.
func findersExcuseNothing(l *linter) { // VD-T02
	const vex, found = string(verdict.KindVEX), string(verdict.KindVulnerabilities)
	for i, t := range l.Trust {
		if !slices.Contains(t.Kinds, vex) {
			continue
		}
		for _, other := range l.Trust {
			if t.sameSigner(other) && listed(other.Kinds, found) {
				l.found(fmt.Sprintf("trust[%d]", i), fmt.Sprintf("%s may state vulnerabilities and vex, and what it says of its own finds counts for nothing", cmp.Or(t.Name, t.Key, t.Identity, t.Workload)),
					"let another key state vex: that of whoever answers for the product's security")
				break
			}
		}
	}
}

// decidersByID tells that an entry gives less than it says: see byNameAlone.
func decidersByID(l *linter) { // VD-T04
	for i, t := range l.Trust {
		if t.Key == "" || t.Key == LocalKey || keyID(t.Key) {
			continue
		}
		kind := ""
		for _, k := range t.Kinds {
			if k == All || l.decides(k) {
				kind = k
				break
			}
		}
		switch kind {
		case "":
			continue
		case All:
			kind = "everything (kinds: *)"
		}
		l.found(fmt.Sprintf("trust[%d]", i), fmt.Sprintf("the key named %s is to state %s, and by its name it states no decision: anybody who is enrolled can enroll another key under that name", clip(t.Key), kind),
			"put the id of the key in the place of its name: `verdict keys list` shows it")
	}
}

// noPersonForOthers tells that an entry gives nothing, though it reads as if a person may.
func noPersonForOthers(l *linter) { // VD-T05
	for i, t := range l.Trust {
		person := l.personOf(t.Key)
		if enrolled := l.opts.Enrolled[t.Key]; person == "" {
			if _, known := l.People[enrolled]; known {
				person = enrolled
			}
		}
		if t.For == ForPeople && person != "" {
			l.found(fmt.Sprintf("trust[%d]", i), fmt.Sprintf("the key of %s is to speak for everybody who is signed in, and a person's key speaks for its own person alone: the entry gives nothing", person),
				"take the entry out: what "+person+" may state follows from review:, exceptions: and break_glass:; a server's key is what verdict keys public -o json prints there")
		}
	}
}

// untrusted names the first service and environment for which no entry of trust covers
// the kind.
func (l *linter) untrusted(p Point, kind string) string {
	var granting []Trust
	for _, t := range l.Trust {
		if t.For == "" && listed(t.Kinds, kind) {
			granting = append(granting, t)
		}
	}
	if len(granting) == 0 {
		return "at all"
	}
	for _, name := range slices.Sorted(maps.Keys(l.Services)) {
		environments := []string{""}
		if p.Layer.SeesEnvironment() {
			environments = l.Services[name].Environments
		}
		for _, e := range environments {
			if !slices.ContainsFunc(granting, func(t Trust) bool { return t.covers(kind, name, e) }) {
				return "of " + name + cmp.Or(strings.TrimSuffix(" in "+e, " in "), "")
			}
		}
	}
	return ""
}

func builtinsAllowed(l *linter) { // VD-P03
	seen := map[string]bool{}
	for _, p := range l.Points {
		for _, r := range l.rules[p.ID] {
			if bad := l.source.Forbidden(r.ID); len(bad) > 0 && !seen[r.ID] {
				seen[r.ID] = true
				l.found(at(p, "policy"), fmt.Sprintf("the rule %s of %s calls %s", r.ID, p.ID, strings.Join(bad, ", ")), "take the call out: a rule decides from its input alone")
			}
		}
	}
}

func warnsForLong(l *linter) { // VD-P04
	for _, p := range l.Points {
		if p.Mode == verdict.ModeWarn && p.EnforceFrom.IsZero() && p.Layer != verdict.LayerRuntime && p.Layer != verdict.LayerCI {
			switch {
			case p.Since.IsZero():
				l.found(at(p, "mode"), p.ID+" warns, and nothing says since when or until when", "add `enforce_from:` with the day from which it blocks, or `since:`")
			case l.opts.Now.Sub(p.Since) > time.Duration(ninetyDays):
				l.found(at(p, "since"), fmt.Sprintf("%s warns since %s", p.ID, p.Since.Format(time.DateOnly)), "add `enforce_from:` with the day from which it blocks, or let it observe")
			}
		}
		for _, r := range l.rules[p.ID] {
			if p.EnforceFrom.IsZero() && !l.opts.Now.IsZero() && r.EffectiveOn.Sub(l.opts.Now) > time.Duration(ninetyDays) {
				l.found(at(p, "policy"), fmt.Sprintf("the rule %s of %s is announced until %s", r.ID, p.ID, r.EffectiveOn.Format(time.DateOnly)), "bring effective_on within 90 days, or say `enforce_from:` at the point")
			}
		}
	}
}
