package decisionmap

import (
	"fmt"
	"strings"
)

// Declared is one value that the map says of an environment, and where.
type Declared struct {
	Key   string
	Value string // empty: the map does not declare it
	From  Origin
}

// Context lists what the map declares of an environment, with the place of each value. What
// it does not declare is listed too where something hangs on it: undeclared is not harmless.
func (m *Map) Context(name string) []Declared {
	e := m.Environments[name]
	var out []Declared
	add := func(key, value string, always bool) {
		if value == "" && !always {
			return
		}
		out = append(out, Declared{Key: key, Value: value, From: m.Origin("environments." + name + "." + key)})
	}
	add("tier", e.Tier, true)
	add("exposure", e.Exposure, true)
	add("data", e.Data, true)
	add("blast_radius", e.BlastRadius, true)
	add("rollback", e.Rollback, true)
	add("promote_from", e.PromoteFrom, false)
	if e.MinSLSA > 0 {
		add("min_slsa", fmt.Sprint(e.MinSLSA), true)
	}
	for _, x := range []struct {
		key   string
		value Duration
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
	return out
}
