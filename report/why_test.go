package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"verdict"
)

func ref(kind verdict.Kind, index int64, ago time.Duration) verdict.Ref {
	return verdict.Ref{Kind: kind, Digest: digest("7"), Index: index, At: noon.Add(-ago), Producer: "key mF3b1Z"}
}

func explanation(d verdict.Decision, reports ...verdict.Report) Explanation {
	return Explanation{
		Asked: "3f2a3f2a", Position: 4120, At: noon,
		Cases: []Case{{
			Decision: d, Recorded: ref(verdict.KindDecision, 4119, time.Minute), Reports: reports,
			Evidence: []Evidence{
				{Ref: ref(verdict.KindTestResult, 4117, 2*time.Minute), State: verdict.StateVerified, Summary: "gitleaks 8.30.1 over 874 files"},
				{Ref: ref(verdict.KindVulnerabilities, 4118, 30*24*time.Hour), State: verdict.StateStale, Summary: "matched with OSV of 2026-04-04", Foreign: true},
				{Ref: verdict.Ref{Kind: verdict.KindSBOM, Index: -1}, State: verdict.StateMissing, Pruned: true},
			},
		}},
	}
}

func explanations() map[string]Explanation {
	all := cases()
	replaced := explanation(all["blocked"].Decisions[0], all["blocked"].Reports[0])
	replaced.Cases[0].Replaced, replaced.Cases[0].Evidence = "9999999999999999", nil
	replaced.Cases[0].Recorded = verdict.Ref{Index: -1}
	replaced.Notes = []string{"The log was read as of entry 4120."}
	late := all["mixed"].Decisions[2]
	late.Expires = noon.Add(-time.Hour)
	several := explanation(all["blocked"].Decisions[0], all["blocked"].Reports[0])
	several.Cases = append(several.Cases, explanation(all["allowed"].Decisions[0], all["allowed"].Reports[0]).Cases[0], replaced.Cases[0])
	several.Cases = append(several.Cases, explanation(all["mixed"].Decisions[2]).Cases[0])
	return map[string]Explanation{
		"allowed":   explanation(all["allowed"].Decisions[0], all["allowed"].Reports[0]),
		"blocked":   explanation(all["blocked"].Decisions[0], all["blocked"].Reports[0]),
		"undecided": explanation(all["undecided"].Decisions[1], all["undecided"].Reports[1]),
		"warn":      explanation(all["warn"].Decisions[0]),
		"review":    explanation(late),
		"replaced":  replaced,
		"several":   several,
		"nothing":   {Asked: "deadbeef", Position: 4120, At: noon},
		"hostile":   outlandish(explanation(all["mixed"].Decisions[1], all["mixed"].Reports...)),
	}
}

// Whoever asks about a commit gets a list first, and is then told of what is no plain yes; that
// takes a line, unless all of it was asked for.
func TestAPlainYesTakesALine(t *testing.T) {
	told := func(s Style) string {
		var b strings.Builder
		if err := Why(&b, "text", explanations()["several"], s); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if n := strings.Count(told(Style{}), "\nEvidence\n"); n != 2 {
		t.Errorf("%d of 4 decisions are told whole, want the two that hold something back", n)
	}
	if n := strings.Count(told(Style{All: true}), "\nEvidence\n"); n != 4 {
		t.Errorf("%d of 4 decisions are told whole where all were asked for", n)
	}
}

// A person asks why and gets, in this order, what was decided, why, on what, what would
// make it pass, whose it is, and how to check it.
func TestWhyAnswersInOrder(t *testing.T) {
	for name, x := range explanations() {
		t.Run(name, func(t *testing.T) {
			for _, format := range []string{"text", "json"} {
				var b strings.Builder
				if err := Why(&b, format, x, Style{}); err != nil {
					t.Fatal(err)
				}
				golden(t, "why-"+name+"."+format, b.String())
				if why := acting(b.String()); why != "" {
					t.Errorf("%s holds %s", format, why)
				}
			}
		})
	}
	var b strings.Builder
	if err := Why(&b, "text", explanations()["blocked"], Style{}); err != nil {
		t.Fatal(err)
	}
	last := -1
	for _, part := range []string{"Denied", "question", "\nWhy\n", "\nEvidence\n", "\nWhat was checked\n", "\nWhat would make it pass\n", "\nWho\n", "\nCheck it yourself\n", "verdict policy replay", "verdict log proof 4119"} {
		i := strings.Index(b.String(), part)
		if i <= last {
			t.Errorf("%q is at %d, after %d was due", part, i, last)
		}
		last = i
	}
	if err := Why(&b, "sarif", Explanation{}, Style{}); err == nil {
		t.Error("an explanation was written as sarif")
	}
}

func trails() map[string][]TrailNode {
	commit := change()
	artifact := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "registry.example/payments-api", Digest: digest("9")}
	whole := []TrailNode{
		{Side: Before, Layer: verdict.LayerCode, Subject: commit, Recorded: verdict.Ref{Index: -1}, Summary: "review", Unknown: "nobody stated who reviewed this commit"},
		{Side: Before, Layer: verdict.LayerCI, Subject: commit, Recorded: ref(verdict.KindTestResult, 4117, time.Hour), Summary: "secrets checked by gitleaks 8.30.1"},
		{Side: Before, Depth: 1, Layer: verdict.LayerCI, Subject: commit, Recorded: ref(verdict.KindDecision, 4118, time.Hour), Point: "ci.secrets", ID: "1111111111111111", Outcome: verdict.Deny, Enforced: verdict.Allow, Actor: "person-1"},
		{Side: Asked, Layer: verdict.LayerArtifact, Subject: artifact, Recorded: verdict.Ref{Index: -1}},
		{Side: After, Layer: verdict.LayerDeploy, Subject: artifact, Recorded: ref(verdict.KindDecision, 4200, time.Minute), Point: "deploy.gate", ID: "2222222222222222", Outcome: verdict.Deny, Enforced: verdict.Deny},
		{Side: After, Depth: 1, Layer: verdict.LayerDeploy, Subject: artifact, Recorded: ref(verdict.KindDecision, 4201, time.Minute), Point: "deploy.gate", ID: "3333333333333333", Outcome: verdict.Undecided, Enforced: verdict.Deny},
		{Side: After, Depth: 1, Layer: verdict.LayerDeploy, Subject: artifact, Recorded: ref(verdict.KindDecision, 4202, time.Minute), Point: "deploy.gate", ID: "4444444444444444", Outcome: verdict.Allow, Enforced: verdict.Allow},
	}
	return map[string][]TrailNode{"whole": whole, "nothing": nil, "alone": whole[3:4], "hostile": outlandish(whole)}
}

// A trail says aloud which links it lacks: a gap that is left out looks like a proof.
func TestTrailTellsBothDirectionsAndItsGaps(t *testing.T) {
	for name, nodes := range trails() {
		t.Run(name, func(t *testing.T) {
			for _, format := range []string{"text", "json"} {
				var b strings.Builder
				if err := Trail(&b, format, nodes, Style{}); err != nil {
					t.Fatal(err)
				}
				golden(t, "trail-"+name+"."+format, b.String())
				if why := acting(b.String()); why != "" {
					t.Errorf("%s holds %s", format, why)
				}
			}
		})
	}
	var b strings.Builder
	if err := Trail(&b, "json", trails()["whole"], Style{}); err != nil {
		t.Fatal(err)
	}
	var doc TrailDocument
	if err := json.Unmarshal([]byte(b.String()), &doc); err != nil || doc.Unknown != 1 || len(doc.Nodes) != 7 {
		t.Errorf("the document has %d nodes, %d unknown, error %v", len(doc.Nodes), doc.Unknown, err)
	}
	if err := Trail(&b, "junit", nil, Style{}); err == nil {
		t.Error("a trail was written as junit")
	}
}

// Whoever asks why a commit was stopped is not made to read past what let it through, nor
// past what an earlier run said.
func TestWhatBlocksIsExplainedFirst(t *testing.T) {
	var x Explanation
	for _, c := range []struct {
		id                string
		outcome, enforced verdict.Outcome
		replaced          string
	}{
		{"old", verdict.Deny, verdict.Deny, "blocked"}, {"newest", verdict.Allow, verdict.Allow, ""}, {"warned", verdict.Deny, verdict.Allow, ""},
		{"review", verdict.Review, verdict.Review, ""}, {"open", verdict.Undecided, verdict.Deny, ""}, {"blocked", verdict.Deny, verdict.Deny, ""}, {"earlier", verdict.Deny, verdict.Deny, ""},
	} {
		x.Cases = append(x.Cases, Case{Decision: verdict.Decision{ID: c.id, Outcome: c.outcome, Enforced: c.enforced}, Replaced: c.replaced})
	}
	var b strings.Builder
	if err := Why(&b, "json", x, Style{}); err != nil {
		t.Fatal(err)
	}
	var told Explanation
	if err := json.Unmarshal([]byte(b.String()), &told); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range told.Cases {
		ids = append(ids, c.Decision.ID)
	}
	if got := strings.Join(ids, " "); got != "blocked earlier open review warned newest old" {
		t.Errorf("told in the order %s", got)
	}
	if x.Cases[0].Decision.ID != "old" {
		t.Error("the caller's cases were put in another order")
	}
	b.Reset()
	if err := Why(&b, "text", x, Style{}); err != nil {
		t.Fatal(err)
	}
	const ended = "6 decisions: 2 denied, 1 could not decide, 1 needs approval, 1 let through by its mode, 1 allowed "
	if text := strings.Join(strings.Fields(b.String()), " "); !strings.HasPrefix(text, ended) {
		t.Errorf("it begins with %.120q", text)
	}
}
