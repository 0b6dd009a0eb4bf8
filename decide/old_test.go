package decide

import (
	"testing"
	"time"

	"verdict"
	"verdict/policy"
)

// Adoption without a flood, never silence: what was there before a change may wait for a
// day that the map names, what the change brings may not, and nothing disappears.
func TestWhatWasThereBeforeTheChangeWaitsForItsDay(t *testing.T) {
	const ahead, past = 24 * time.Hour, -24 * time.Hour
	item := func(key string, old bool) verdict.Item { return verdict.Item{Key: key, Old: old} }
	for name, tc := range map[string]struct {
		from    time.Duration // 0: the map says nothing
		items   []verdict.Item
		outcome verdict.Outcome
		waiting int
	}{
		"old alone waits":                   {ahead, []verdict.Item{item("a", true), item("b", true)}, verdict.Allow, 2},
		"one new finding blocks":            {ahead, []verdict.Item{item("a", true), item("b", false)}, verdict.Deny, 1},
		"new alone blocks":                  {ahead, []verdict.Item{item("a", false)}, verdict.Deny, 0},
		"on its day the old blocks as well": {past, []verdict.Item{item("a", true)}, verdict.Deny, 0},
		"without a day it blocks at once":   {0, []verdict.Item{item("a", true)}, verdict.Deny, 0},
		"a failure without items is new":    {ahead, nil, verdict.Deny, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := Case{Point: "ci.secrets", Layer: verdict.LayerCI, Mode: verdict.ModeBlock, At: noon, Rules: []string{"r"}}
			if tc.from != 0 {
				c.OldFrom = noon.Add(tc.from)
			}
			out := Conclude(c, policy.Evaluation{Results: []policy.Result{{
				Rule: verdict.Rule{ID: "r", Effect: verdict.EffectDeny}, Status: verdict.RuleFail, Items: tc.items,
			}}})
			waiting := 0
			for _, i := range out.Reasons[0].Items {
				if !i.From.IsZero() {
					waiting++
				}
			}
			if out.Outcome != tc.outcome || waiting != tc.waiting || len(out.Reasons) != 1 || len(out.Reasons[0].Items) != len(tc.items) {
				t.Fatalf("outcome %s with %d waiting, want %s with %d: %+v", out.Outcome, waiting, tc.outcome, tc.waiting, out.Reasons)
			}
		})
	}
}
