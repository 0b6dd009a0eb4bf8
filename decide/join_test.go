package decide_test

import (
	"slices"
	"strings"
	"testing"

	"verdict"
)

const twoScanners = "schema: verdict/v1\nsources: {verdict: {kinds: [vulnerabilities, secrets], primary: true}, grype: {kinds: [vulnerabilities]}, other: {kinds: [secrets]}}\ntrust:\n  - {name: all, key: local, kinds: [\"*\"], services: [\"*\"], environments: []}\n"

// A second tool must not hide what the first one found, whatever of its own it finds.
func TestASecondToolHidesNothing(t *testing.T) {
	none := func(h *house) verdict.Report { // a finding without a fix, which alone passes
		r := h.vulnerable("", 0)
		r.Source = "grype"
		return r
	}
	another := func(h *house) verdict.Report {
		r := none(h)
		r.Hits[0].Key, r.Hits[0].Vulnerability.ID = "CVE-9 pkg:npm/other@1.0.0", "CVE-9"
		return r
	}
	cut := func(h *house) verdict.Report { // one of the primary's that did not read everything
		r := clean("vulnerabilities")
		r.Complete, r.Database = false, h.vulnerable("", 0).Database
		r.NotChecked = []verdict.NotChecked{{Path: "package-lock.json", Reason: "cut short", Blocks: true}}
		return r
	}
	fixable := func(h *house) verdict.Report { return h.vulnerable("4.17.21", 0) }
	for name, c := range map[string]struct {
		first, then func(h *house) verdict.Report
		want        verdict.Outcome
	}{
		"alone, without a fix":                 {none, nil, verdict.Allow},
		"another finding without a fix behind": {fixable, another, verdict.Deny},
		"the same finding without a fix":       {fixable, none, verdict.Deny},
		"the same the other way round":         {none, fixable, verdict.Deny},
		"an incomplete report before":          {cut, fixable, verdict.Deny},
		"an incomplete one hides nothing":      {fixable, cut, verdict.Undecided},
		"an incomplete one before a harmless":  {cut, another, verdict.Undecided},
		"its own later word replaces it":       {fixable, func(h *house) verdict.Report { return h.vulnerable("", 0) }, verdict.Allow},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, twoScanners)
			h.report("local", c.first(h))
			if c.then != nil {
				h.report("local", c.then(h))
			}
			d := h.decide("ci.vulnerabilities")
			if d.Outcome != c.want {
				t.Fatalf("outcome %s, want %s: %+v", d.Outcome, c.want, d.Reasons)
			}
			named := slices.ContainsFunc(d.Reasons, func(x verdict.Reason) bool {
				return x.Rule == "ci.vulnerabilities.fixable" && len(x.Items) == 1 && strings.HasPrefix(x.Items[0].Key, "CVE-1 ")
			})
			if fails := c.want == verdict.Deny || name == "an incomplete one hides nothing"; named != fails {
				t.Errorf("the fixable finding is among the reasons: %v, want %v", named, fails)
			}
			if again := h.replay(d.ID); !again.Same {
				t.Errorf("taken again it differs: %s", again.Difference)
			}
		})
	}
}

// Leaks of two scanners all stand, each with the evidence that it is from.
func TestHitsOfTwoToolsStandTogether(t *testing.T) {
	h := newHouse(t, twoScanners)
	first := h.report("local", leaked())
	r := leaked()
	r.Source, r.Hits[0].Key, r.Hits[0].Path = "other", "k2", "deploy.sh"
	second := h.report("local", r)
	d := h.decide("ci.secrets")
	items := map[string]string{}
	for _, x := range d.Reasons {
		for _, i := range x.Items {
			items[i.Key] = i.Evidence
		}
	}
	if len(items) != 2 || items["k1"] != string(first.Digest) || items["k2"] != string(second.Digest) {
		t.Errorf("items: %v", items)
	}
	if len(d.Evidence) != 2 {
		t.Errorf("it rests on %+v", d.Evidence)
	}
}
