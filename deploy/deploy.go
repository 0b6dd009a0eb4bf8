// Package deploy is the fourth layer: may this trusted artifact, or this plan, go into this
// environment now? What a decision point there sees is gathered by package decide, and what
// follows from it is for the rules to say. Here is what is the layer's own: who asks, what
// the map says of the place and where it says it, and what a promotion states to the world.
package deploy

import (
	"fmt"
	"slices"
	"strings"

	"verdict/decisionmap"
)

// Declared is one value that the map says of an environment, and where.
type Declared struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// From is the file and line, "released", or "default" where nobody said it.
	From string `json:"from"`
}

// Context lists what the map declares of an environment, with the place of each value. What
// it does not declare is listed too where something hangs on it: undeclared is not harmless.
func Context(m *decisionmap.Map, name string) []Declared {
	e := m.Environments[name]
	var out []Declared
	add := func(key, value string, always bool) {
		if value == "" && !always {
			return
		}
		if value == "" {
			value = "not declared"
		}
		out = append(out, Declared{Key: key, Value: value, From: from(m, "environments."+name+"."+key)})
	}
	add("tier", e.Tier, true)
	add("exposure", e.Exposure, true)
	add("data", e.Data, true)
	add("blast_radius", e.BlastRadius, true)
	add("rollback", e.Rollback, true)
	add("promote_from", e.PromoteFrom, false)
	add("min_slsa", fmt.Sprint(e.MinSLSA), e.MinSLSA > 0)
	for _, x := range []struct {
		key   string
		value decisionmap.Duration
	}{{"soak", e.Soak}, {"promotion_validity", e.PromotionValidity}, {"max_base_age", e.MaxBaseAge}} {
		if x.value > 0 {
			add(x.key, x.value.String(), true)
		}
	}
	if e.Hours != nil {
		var windows []string
		for _, w := range e.Hours.Allow {
			windows = append(windows, w.String())
		}
		add("hours", strings.Join(windows, ", ")+" "+e.Hours.Timezone, true)
	}
	var freezes []string
	for _, f := range e.Freezes {
		freezes = append(freezes, f.Reason)
	}
	add("freezes", strings.Join(freezes, ", "), false)
	add("protected", strings.Join(e.Protected, ", "), false)
	return slices.DeleteFunc(out, func(d Declared) bool { return d.Key == "min_slsa" && d.Value == "0" })
}

// from is where a value was said, in words.
func from(m *decisionmap.Map, path string) string {
	o := m.Origin(path)
	if o.From == decisionmap.FromDefault {
		return "default"
	}
	if o.Line > 0 {
		return fmt.Sprintf("%s:%d", o.Name, o.Line)
	}
	return o.Name
}

// Sentence says a context in one line.
func Sentence(name string, context []Declared) string {
	var parts []string
	for _, d := range context {
		parts = append(parts, fmt.Sprintf("%s %s (%s)", d.Key, d.Value, d.From))
	}
	return name + ": " + strings.Join(parts, ", ")
}
