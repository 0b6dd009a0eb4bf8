package decide

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"verdict"
	"verdict/policy"
)

// The laws of the pipeline, on generated cases. A user loses the promise that a gate
// gives the same answer for the same facts, and never a better one for fewer, if one of
// these fails.

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

var (
	genEffect = rapid.SampledFrom([]verdict.Effect{verdict.EffectDeny, verdict.EffectReview, verdict.EffectNote})
	genStatus = rapid.SampledFrom([]verdict.RuleStatus{verdict.RulePass, verdict.RuleFail, verdict.RuleSkip})
	genState  = rapid.SampledFrom([]verdict.State{
		verdict.StateVerified, verdict.StatePresent, verdict.StateMissing, verdict.StateStale, verdict.StateFailed, verdict.StateUnknown,
	})
	genLayer   = rapid.SampledFrom(verdict.Layers)
	genMode    = rapid.SampledFrom([]verdict.Mode{verdict.ModeObserve, verdict.ModeWarn, verdict.ModeBlock})
	genOutcome = rapid.SampledFrom([]verdict.Outcome{verdict.Allow, verdict.Review, verdict.Deny, verdict.Undecided, "nonsense"})
	genTime    = rapid.Custom(func(t *rapid.T) time.Time {
		return noon.Add(time.Duration(rapid.IntRange(-48, 48).Draw(t, "hours")) * time.Hour)
	})
)

func genRule(i int) *rapid.Generator[policy.Result] {
	return rapid.Custom(func(t *rapid.T) policy.Result {
		r := policy.Result{
			Rule:   verdict.Rule{ID: "rule." + string(rune('a'+i)), Effect: genEffect.Draw(t, "effect"), Severity: verdict.SeverityHigh},
			Status: genStatus.Draw(t, "status"), Observed: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "observed"),
		}
		if rapid.IntRange(0, 4).Draw(t, "announced") == 0 {
			r.Rule.EffectiveOn = genTime.Draw(t, "effective")
		}
		for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3, rapid.ID[string]).Draw(t, "items") {
			r.Items = append(r.Items, verdict.Item{Key: k, Old: rapid.Bool().Draw(t, "old")})
		}
		return r
	})
}

func genCase(t *rapid.T) (Case, policy.Evaluation) {
	c := Case{
		Point: "p", Layer: genLayer.Draw(t, "layer"), Mode: genMode.Draw(t, "mode"), Service: "pay", Environment: "prod", At: noon,
		Subject: verdict.Subject{Kind: verdict.SubjectArtifact, Digest: "sha256:aa"}, Policy: "sha256:bb", Approvers: rapid.IntRange(0, 2).Draw(t, "approvers"),
	}
	if rapid.Bool().Draw(t, "old waits") {
		c.OldFrom = genTime.Draw(t, "old from")
	}
	var ev policy.Evaluation
	for i := range rapid.IntRange(0, 4).Draw(t, "rules") {
		r := genRule(i).Draw(t, "rule")
		c.Rules = append(c.Rules, r.Rule.ID)
		if rapid.IntRange(0, 9).Draw(t, "silent") > 0 {
			ev.Results = append(ev.Results, r)
		}
	}
	for _, need := range []string{"sbom", "secrets"}[:rapid.IntRange(0, 2).Draw(t, "needs")] {
		c.Facts = append(c.Facts, Fact{
			Need: need, State: genState.Draw(t, "state"), AcceptPresent: rapid.Bool().Draw(t, "accept"), Own: rapid.Bool().Draw(t, "own"),
		})
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "exceptions") {
		c.Exceptions = append(c.Exceptions, verdict.Exception{
			ID: "EX-" + string(rune('a'+i)), Rule: rapid.SampledFrom([]string{"rule.a", "rule.b", "rule.c", "rule.d", EvidenceMissing}).Draw(t, "excepted"), Service: "pay",
			Environments: []string{"prod"}, Digests: []verdict.Digest{"sha256:aa"}, Created: noon.Add(-time.Hour),
			Items:      rapid.SampledFrom([][]string{nil, {"x"}, {"x", "y", "z"}, {"sbom"}, {"sbom", "secrets"}}).Draw(t, "excepted items"),
			Expires:    genTime.Draw(t, "exception expires"),
			ApprovedBy: rapid.SampledFrom([][]string{nil, {"noor"}, {"mei", "noor"}}).Draw(t, "excepted by"),
		})
	}
	genAnswers(t, &c, ev)
	return c, ev
}

// genAnswers draws what persons said: approvals of these facts and of others, a no, keys in
// one hand, and an emergency.
func genAnswers(t *rapid.T, c *Case, ev policy.Evaluation) {
	c.People = &People{Accepters: rapid.IntRange(0, 2).Draw(t, "accepters")}
	facts, persons := Conclude(*c, ev).Facts, []string{"ana", "mei", "noor"}
	for i := range rapid.IntRange(0, 3).Draw(t, "approvals") {
		a := verdict.Approval{
			ID: "a-" + string(rune('a'+i)), By: rapid.SampledFrom(persons).Draw(t, "by"), Created: noon.Add(-time.Hour), Expires: genTime.Draw(t, "approval expires"),
			Facts: rapid.SampledFrom([]verdict.Digest{facts, facts, "sha256:other"}).Draw(t, "facts"), Rules: []string{"rule.a", "rule.b", "rule.c", "rule.d"},
		}
		if rapid.IntRange(0, 5).Draw(t, "no") == 0 {
			c.People.Rejections = append(c.People.Rejections, a)
		} else {
			c.Approvals = append(c.Approvals, a)
		}
	}
	if rapid.Bool().Draw(t, "barred") {
		c.NotApprovers = append(c.NotApprovers, verdict.Barred{Person: rapid.SampledFrom(persons).Draw(t, "who"), Role: "author"})
	}
	if rapid.IntRange(0, 4).Draw(t, "one hand") == 0 {
		c.People.OneHand = append(c.People.OneHand, Pair{A: "mei", B: "noor", Why: "mei enrolled the key of noor"})
	}
	if rapid.IntRange(0, 5).Draw(t, "glass") == 0 {
		c.BreakGlasses = append(c.BreakGlasses, verdict.BreakGlass{ID: "b-a", Service: "pay", Environment: "prod", Created: noon.Add(-time.Hour), Expires: genTime.Draw(t, "glass until")})
	}
}

func TestWhatPersonsSayActsAtDeployPointsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, ev := genCase(t)
		bare := c
		bare.Exceptions, bare.Approvals, bare.BreakGlasses, bare.People = nil, nil, nil, nil
		if with, without := Conclude(c, ev), Conclude(bare, ev); c.Layer != verdict.LayerDeploy && resultDigest(with) != resultDigest(without) {
			t.Fatalf("at a %s point it changed the result", c.Layer)
		}
	})
}

func TestApprovalsNeverLiftADenyOrAnError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, ev := genCase(t)
		c.BreakGlasses, c.People.Rejections = nil, nil
		with := Conclude(c, ev)
		c.Approvals = nil
		without := Conclude(c, ev)
		if with.Outcome != without.Outcome && (without.Outcome != verdict.Review || with.Outcome != verdict.Allow) {
			t.Fatalf("approvals made %s of %s", with.Outcome, without.Outcome)
		}
		for _, r := range with.Reasons {
			if r.Standing == verdict.Approved && r.Effect != verdict.EffectReview {
				t.Fatalf("an approval lifted %s, which is a %s", r.Rule, r.Effect)
			}
		}
	})
}

func TestEveryApprovalEitherCountsOrIsToldAside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, ev := genCase(t)
		out := Conclude(c, ev)
		if out.Answer == nil {
			return // nothing to approve
		}
		for _, a := range c.Approvals {
			told := slices.ContainsFunc(out.Aside, func(x verdict.Aside) bool { return x.ID == a.ID && x.Why != "" })
			if told == slices.Contains(out.Answer.Given, a.By) && !slices.ContainsFunc(c.Approvals, func(b verdict.Approval) bool { return b.By == a.By && b.ID != a.ID }) {
				t.Fatalf("%s of %s is told aside: %v, and the answer is %+v", a.ID, a.By, told, out.Answer)
			}
		}
	})
}

func TestANoAndABarOnlyRaise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, ev := genCase(t)
		before := Conclude(c, ev)
		people := *c.People
		people.Rejections = append(slices.Clone(people.Rejections), verdict.Approval{ID: "a-no", By: "lena", Facts: before.Facts, Created: noon.Add(-time.Hour)})
		with := c
		with.People = &people
		if after := Conclude(with, ev); after.Outcome.Join(before.Outcome) != after.Outcome {
			t.Fatalf("a no lowered %s to %s", before.Outcome, after.Outcome)
		}
		c.NotApprovers = append(slices.Clone(c.NotApprovers), verdict.Barred{Person: "noor", Role: "author"})
		if after := Conclude(c, ev); after.Outcome.Join(before.Outcome) != after.Outcome {
			t.Fatalf("to bar somebody lowered %s to %s", before.Outcome, after.Outcome)
		}
	})
}

func TestJoinIsCommutativeAssociativeAndIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := genOutcome.Draw(t, "a"), genOutcome.Draw(t, "b"), genOutcome.Draw(t, "c")
		same := func(x, y verdict.Outcome) bool {
			return x == y || x != verdict.Allow && y != verdict.Allow && x.Join(y) == x && y.Join(x) == y
		}
		if !same(a.Join(b), b.Join(a)) {
			t.Fatalf("%s and %s join to %s or %s", a, b, a.Join(b), b.Join(a))
		}
		if !same(a.Join(b).Join(c), a.Join(b.Join(c))) {
			t.Fatalf("%s, %s, %s join differently by grouping", a, b, c)
		}
		if a.Join(a) != a || verdict.Allow.Join(a) != a {
			t.Fatalf("%s is not idempotent, or allow is not the identity", a)
		}
	})
}

func TestTheOrderInWhichRulesReportDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, ev := genCase(t)
		want := resultDigest(Conclude(c, ev))
		turned := policy.Evaluation{Results: slices.Clone(ev.Results)}
		slices.Reverse(turned.Results)
		slices.Reverse(c.Facts)
		slices.Reverse(c.Exceptions)
		slices.Reverse(c.Approvals)
		if got := resultDigest(Conclude(c, turned)); got != want {
			t.Fatalf("the same facts in another order gave another result")
		}
	})
}

// A no is of its facts, and dies with them as a yes does: then what it was said to is asked
// anew. What the rules say themselves never becomes less.
func TestAFurtherFailingRuleNeverLowersTheOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, ev := genCase(t)
		c.People.Rejections = nil
		before := Conclude(c, ev)
		extra := genRule(9).Draw(t, "extra")
		extra.Status = verdict.RuleFail
		c.Rules = append(c.Rules, extra.Rule.ID)
		ev.Results = append(slices.Clone(ev.Results), extra)
		if after := Conclude(c, ev); after.Outcome.Join(before.Outcome) != after.Outcome {
			t.Fatalf("outcome fell from %s to %s", before.Outcome, after.Outcome)
		}
	})
}

func TestAnExceptionChangesOnlyItsRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, ev := genCase(t)
		if len(c.Exceptions) == 0 {
			t.Skip("no exception drawn")
		}
		x := c.Exceptions[0]
		with := Conclude(c, ev)
		c.Exceptions = c.Exceptions[1:]
		without := Conclude(c, ev)
		for _, r := range without.Reasons {
			if r.Rule == x.Rule {
				continue
			}
			i := slices.IndexFunc(with.Reasons, func(w verdict.Reason) bool { return w.Rule == r.Rule })
			if i < 0 || digestOf(with.Reasons[i]) != digestOf(r) {
				t.Fatalf("exception for %s changed %s", x.Rule, r.Rule)
			}
		}
		if c.Layer != verdict.LayerDeploy && resultDigest(with) != resultDigest(without) {
			t.Fatalf("an exception had an effect at a %s point", c.Layer)
		}
	})
}

func TestRemovingNeededEvidenceNeverLowersTheOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, ev := genCase(t)
		if len(c.Facts) == 0 {
			t.Skip("no need drawn")
		}
		c.People.Rejections = nil // as above
		before := Conclude(c, ev)
		c.Facts = slices.Clone(c.Facts)
		c.Facts[0].State = verdict.StateMissing
		if after := Conclude(c, ev); after.Outcome.Join(before.Outcome) != after.Outcome {
			t.Fatalf("without %s the outcome fell from %s to %s", c.Facts[0].Need, before.Outcome, after.Outcome)
		}
	})
}

func TestExpiryOnlyRaises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, ev := genCase(t)
		c.People.Rejections = nil // what begins to count is another fact, as above
		for i := range ev.Results {
			ev.Results[i].Rule.EffectiveOn = time.Time{}
		}
		before := Conclude(c, ev)
		c.At = c.At.Add(time.Duration(rapid.IntRange(0, 72).Draw(t, "later")) * time.Hour)
		if after := Conclude(c, ev); after.Outcome.Join(before.Outcome) != after.Outcome {
			t.Fatalf("with time the outcome fell from %s to %s", before.Outcome, after.Outcome)
		}
	})
}

func TestTheModeCapsWhatIsEnforcedAndNeverTheOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, ev := genCase(t)
		c.Mode = verdict.ModeBlock
		block := Conclude(c, ev)
		c.Mode = rapid.SampledFrom([]verdict.Mode{verdict.ModeObserve, verdict.ModeWarn}).Draw(t, "weaker")
		weak := Conclude(c, ev)
		if weak.Outcome != block.Outcome || weak.Enforced != verdict.Allow {
			t.Fatalf("%s gave outcome %s enforced %s, block gave %s", c.Mode, weak.Outcome, weak.Enforced, block.Outcome)
		}
		if block.Outcome == verdict.Undecided && block.Enforced != verdict.Deny {
			t.Fatalf("an error at a block point was enforced as %s", block.Enforced)
		}
	})
}

func TestASilentRuleIsAnErrorAtEveryPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, ev := genCase(t)
		c.Rules = append(c.Rules, "rule.silent")
		c.BreakGlasses = nil // an emergency lets an error through, visibly
		out := Conclude(c, ev)
		if out.Outcome != verdict.Undecided || !slices.ContainsFunc(out.Errors, func(f verdict.Fault) bool { return f.Code == "rule.silent" }) {
			t.Fatalf("a rule that said nothing gave %s with errors %v", out.Outcome, out.Errors)
		}
	})
}
