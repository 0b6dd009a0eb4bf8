package decide_test

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/policy"
)

// risk is an exception for the finding of the artifact, as its requester files it.
func (g *gate) risk(by string) verdict.ExceptionStep {
	return verdict.ExceptionStep{
		Exception: verdict.Exception{
			ID: "x-1", Rule: "acme.deploy.findings", Items: []string{"CVE-1 pkg"}, Service: "pay", Environments: []string{"production"}, Digests: []verdict.Digest{app.Digest},
			Rationale: "no fix yet", Controls: "the firewall", Ticket: "PAY-1", Owner: "alma", RequestedBy: by, Created: g.now, Expires: g.now.Add(20 * 24 * time.Hour),
		},
		Said: verdict.Said{Step: verdict.StepRequest, By: by, At: g.now, Teams: g.engine.Map.People[by].Teams},
	}
}

// built states that the artifact was decided on by its provenance.
func (g *gate) built(o verdict.Outcome, p policy.Provenance) {
	g.t.Helper()
	in := (&policy.Input{Checks: map[string]policy.Check{}}).ForLayer(verdict.LayerArtifact)
	in.Artifact.Provenance = p
	in.Normalize()
	raw, err := in.Canonical()
	must(g.t, err)
	g.says("local", verdict.KindDecision, struct {
		verdict.Decision
		Basis decide.Basis `json:"basis"`
	}{
		verdict.Decision{ID: "d-built", Point: "artifact.trust", Subject: app, Service: "pay", Outcome: o, Enforced: o, At: g.now, From: []verdict.Digest{commit.Digest}},
		decide.Basis{Schema: decide.BasisSchema, Input: raw},
	}, verdict.Context{Service: "pay", Point: "artifact.trust"}, app)
}

func (g *gate) file(by string, x verdict.ExceptionStep) {
	g.t.Helper()
	g.says(by, verdict.KindException, x, verdict.Context{Service: x.Service}, verdict.DeploymentSubject(x.Service, "production"))
}

// agree signs a further step about an exception.
func (g *gate) agree(by string, x verdict.ExceptionStep, step verdict.Step) {
	x.Said = verdict.Said{Step: step, By: by, At: g.now, Teams: g.engine.Map.People[by].Teams}
	g.file(by, x)
}

// An exception counts when one person asked for it and another, entitled one, accepted
// exactly its terms. What it does not cover stays.
func TestExceptionsThatCountAndThoseThatDoNot(t *testing.T) {
	for _, c := range []struct {
		name string
		give func(g *gate)
		want verdict.Outcome
		why  string
	}{
		{"asked for and approved", func(g *gate) {
			g.file("alma", g.risk("alma"))
			g.agree("lena", g.risk("alma"), verdict.StepApprove)
		}, verdict.Allow, ""},
		{"where the account of who asks for the deployment is not known", func(g *gate) {
			g.request.Requester = &verdict.Requester{Person: "unknown-1", Kind: "person"}
			g.file("alma", g.risk("alma"))
			g.agree("lena", g.risk("alma"), verdict.StepApprove)
		}, verdict.Allow, ""},
		{"where the author of the artifact is not known", func(g *gate) {
			g.made("unknown-account-1", false)
			g.file("alma", g.risk("alma"))
			g.agree("lena", g.risk("alma"), verdict.StepApprove)
		}, verdict.Review, "nobody can be shown to be another"},
		{"only asked for", func(g *gate) { g.file("alma", g.risk("alma")) }, verdict.Review, "0 of 1 persons approved it"},
		{"approved by who asked", func(g *gate) {
			g.file("lena", g.risk("lena"))
			g.agree("lena", g.risk("lena"), verdict.StepApprove)
		}, verdict.Review, "0 of 1 persons approved it"},
		{"approved by the author of the change", func(g *gate) {
			g.made("lena", true)
			g.file("alma", g.risk("alma"))
			g.agree("lena", g.risk("alma"), verdict.StepApprove)
		}, verdict.Review, "lena is author of commit"},
		{"approved by somebody of another team", func(g *gate) {
			g.file("alma", g.risk("alma"))
			g.agree("ben", g.risk("alma"), verdict.StepApprove)
		}, verdict.Review, "0 of 1 persons approved it"},
		{"approved in other words than it was asked for", func(g *gate) {
			g.file("alma", g.risk("alma"))
			x := g.risk("alma")
			x.Items = nil
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Review, "0 of 1 persons approved it"},
		{"revoked", func(g *gate) {
			g.file("alma", g.risk("alma"))
			g.agree("lena", g.risk("alma"), verdict.StepApprove)
			g.agree("zoe", g.risk("alma"), verdict.StepRevoke)
		}, verdict.Review, "it was revoked at"},
		{"revoked by somebody without a right to it", func(g *gate) {
			g.file("alma", g.risk("alma"))
			g.agree("lena", g.risk("alma"), verdict.StepApprove)
			g.agree("ben", g.risk("alma"), verdict.StepRevoke)
		}, verdict.Allow, ""},
		{"expired", func(g *gate) {
			g.file("alma", g.risk("alma"))
			g.agree("lena", g.risk("alma"), verdict.StepApprove)
			g.now = g.now.Add(20 * 24 * time.Hour)
			g.found(verdict.Vulnerability{ID: "CVE-1"})
		}, verdict.Review, "it expired at"},
		{"longer than the map allows", func(g *gate) {
			x := g.risk("alma")
			x.Expires = g.now.Add(31 * 24 * time.Hour)
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Review, "and the map allows 30d"},
		{"without a rationale", func(g *gate) {
			x := g.risk("alma")
			x.Rationale = ""
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Review, "requires rationale"},
		{"of another digest", func(g *gate) {
			x := g.risk("alma")
			x.Digests = []verdict.Digest{commit.Digest}
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Review, "it is for other digests"},
		{"of another finding", func(g *gate) {
			x := g.risk("alma")
			x.Items = []string{"CVE-9 pkg"}
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Review, ""},
		{"of a range where nobody stated the version", func(g *gate) {
			x := g.risk("alma")
			x.Digests, x.Versions = nil, "<2.0.0"
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Review, "names no git tag that is a version"},
		{"of a range where somebody recorded the image under a tag in it", func(g *gate) {
			g.says("local", verdict.KindImage, verdict.Image{Name: app.Name, Digest: app.Digest, Tag: "v1.4.0"}, verdict.Context{Service: "pay"}, app)
			x := g.risk("alma")
			x.Digests, x.Versions = nil, ">=1.0.0 <2.0.0"
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Review, "names no git tag that is a version"},
		{"of a range that the version of a denied build is in", func(g *gate) {
			g.built(verdict.Deny, policy.Provenance{State: verdict.StateVerified, Known: "release", Own: true, Ref: "refs/tags/v1.4.0"})
			x := g.risk("alma")
			x.Digests, x.Versions = nil, ">=1.0.0 <2.0.0"
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Review, "names no git tag that is a version"},
		{"of a range that a branch is named after", func(g *gate) {
			g.built(verdict.Allow, policy.Provenance{State: verdict.StateVerified, Known: "release", Own: true, Ref: "refs/heads/v1.4.0"})
			x := g.risk("alma")
			x.Digests, x.Versions = nil, ">=1.0.0 <2.0.0"
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Review, "names no git tag that is a version"},
		{"of a range that the version is in", func(g *gate) {
			g.built(verdict.Allow, policy.Provenance{State: verdict.StateVerified, Known: "release", Own: true, Ref: "refs/tags/pay/v1.4.0"})
			x := g.risk("alma")
			x.Digests, x.Versions = nil, ">=1.0.0 <2.0.0"
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Allow, ""},
		{"of a range that the version is not in", func(g *gate) {
			g.built(verdict.Allow, policy.Provenance{State: verdict.StateVerified, Known: "release", Own: true, Ref: "refs/tags/2.1.0"})
			x := g.risk("alma")
			x.Digests, x.Versions = nil, ">=1.0.0 <2.0.0"
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Review, "it is for versions >=1.0.0 <2.0.0, and this is 2.1.0"},
		{"of a deny, by one person", func(g *gate) {
			g.found(verdict.Vulnerability{ID: "MAL-1", Malicious: true})
			x := g.risk("alma")
			x.Rule, x.Items = "acme.deploy.malicious", []string{"MAL-1 pkg"}
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
		}, verdict.Deny, "1 of 2 persons approved it"},
		{"of a critical deny, by two", func(g *gate) {
			g.found(verdict.Vulnerability{ID: "MAL-1", Malicious: true})
			x := g.risk("alma")
			x.Rule, x.Items = "acme.deploy.malicious", []string{"MAL-1 pkg"}
			g.file("alma", x)
			g.agree("lena", x, verdict.StepApprove)
			g.agree("mei", x, verdict.StepApprove)
		}, verdict.Allow, ""},
		{"a machine's", func(g *gate) {
			g.file("local", g.risk("alma"))
			g.agree("lena", g.risk("alma"), verdict.StepApprove)
		}, verdict.Review, "machine's own key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t)
			c.give(g)
			g.holds(g.ask(), c.want, c.why)
		})
	}
}

// What was accepted until noon must not let in what is recorded after it, however long the
// answer took.
func TestAnExceptionThatExpiresBeforeTheDecisionIsRecorded(t *testing.T) {
	g := newGate(t)
	x := g.risk("alma")
	x.Expires = g.now.Add(time.Hour)
	g.file("alma", x)
	g.agree("lena", x, verdict.StepApprove)
	asked := 0
	g.engine.Now = func() time.Time {
		if asked++; asked == 2 { // between the answer and its recording
			g.now = g.now.Add(time.Hour)
		}
		return g.now
	}
	g.holds(g.ask(), verdict.Review, "it expired at")
	if asked < 3 {
		t.Errorf("the clock was read %d times", asked)
	}
}

// The same for an approval that its giver takes back in that moment.
func TestAnApprovalThatIsWithdrawnBeforeTheDecisionIsRecorded(t *testing.T) {
	g := newGate(t)
	a := g.yes("noor", g.ask())
	g.sign("noor", a)
	asked := 0
	g.engine.Now = func() time.Time {
		if asked++; asked == 2 {
			a.Step, a.Created = verdict.StepWithdraw, g.now
			g.sign("noor", a)
		}
		return g.now
	}
	g.holds(g.ask(), verdict.Review, "noor withdrew it")
}

func (g *gate) glass(by string) verdict.BreakGlass {
	return verdict.BreakGlass{
		ID: "b-" + by, Step: verdict.StepBegin, Incident: "INC-1", Rationale: "payments are down", Service: "pay", Environment: "production", Subject: app.Digest,
		By: by, Teams: g.engine.Map.People[by].Teams, Created: g.now, Expires: g.now.Add(2 * time.Hour), ReviewBy: g.now.Add(24 * time.Hour),
	}
}

func (g *gate) breaks(by string, b verdict.BreakGlass) {
	g.t.Helper()
	g.says(by, verdict.KindBreakGlass, b, verdict.Context{Service: b.Service, Environment: b.Environment}, app, verdict.DeploymentSubject(b.Service, b.Environment))
}

func TestBreakGlassThatCountsAndThatDoesNot(t *testing.T) {
	for _, c := range []struct {
		name string
		give func(g *gate)
		want verdict.Outcome
		why  string
	}{
		{"by an entitled person", func(g *gate) { g.breaks("noor", g.glass("noor")) }, verdict.Allow, ""},
		{"that has ended", func(g *gate) {
			g.breaks("noor", g.glass("noor"))
			g.now = g.now.Add(2 * time.Hour)
		}, verdict.Deny, "it expired at"},
		{"for longer than the map allows", func(g *gate) {
			b := g.glass("noor")
			b.Expires = g.now.Add(5 * time.Hour)
			g.breaks("noor", b)
		}, verdict.Deny, "holds for 5h, and the map allows 4h"},
		{"by somebody whom the map does not let", func(g *gate) { g.breaks("alma", g.glass("alma")) }, verdict.Deny, "alma is none of platform"},
		{"without an incident", func(g *gate) {
			b := g.glass("noor")
			b.Incident = ""
			g.breaks("noor", b)
		}, verdict.Deny, "requires incident"},
		{"for another digest", func(g *gate) {
			b := g.glass("noor")
			b.Subject = commit.Digest
			g.breaks("noor", b)
		}, verdict.Deny, "it is for another digest"},
		{"that nobody has to review in time", func(g *gate) {
			b := g.glass("noor")
			b.ReviewBy = g.now.Add(48 * time.Hour)
			g.breaks("noor", b)
		}, verdict.Deny, "reviewed later than the map allows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t)
			g.found(verdict.Vulnerability{ID: "MAL-1", Malicious: true})
			c.give(g)
			d := g.ask()
			g.holds(d, c.want, c.why)
			if want := c.want == verdict.Allow; (d.BreakGlass != "") != want || want && d.Reasons[0].Standing != verdict.Counts {
				t.Errorf("break-glass is %q, reasons %+v", d.BreakGlass, d.Reasons)
			}
		})
	}
}

// An emergency that nobody looked at afterwards stays a fact, until another person does.
func TestAnEmergencyIsOverdueUntilAnotherPersonReviewsIt(t *testing.T) {
	g := newGate(t)
	g.breaks("noor", g.glass("noor"))
	due := g.now.Add(24 * time.Hour)
	overdue := func() int {
		t.Helper()
		at, err := g.ledger.Position(g.ctx)
		must(t, err)
		p := decide.Persons{Ledger: g.ledger, Map: g.engine.Map, At: at}
		all, err := p.Emergencies(g.ctx, "pay", "production")
		must(t, err)
		return len(slices.DeleteFunc(all, func(x decide.EmergencyRecord) bool { return x.Why != "" || !x.OverdueAt(g.now) }))
	}
	if overdue() != 0 {
		t.Error("it is overdue before its time")
	}
	g.now = due
	if overdue() != 1 {
		t.Error("nobody reviewed it in time, and it is not told")
	}
	for _, c := range []struct {
		by   string
		want int
	}{{"noor", 1}, {"alma", 1}, {"kim", 1}, {"lena", 0}} {
		b := g.glass("noor")
		b.Created, b.Expires, b.ReviewBy = due.Add(-24*time.Hour), due.Add(-22*time.Hour), due
		b.Step, b.Reviewed, b.ReviewedBy, b.Review, b.ReviewTeams = verdict.StepReview, g.now, c.by, "it was needed", g.engine.Map.People[c.by].Teams
		g.breaks(c.by, b)
		if got := overdue(); got != c.want {
			t.Errorf("after a review by %s %d are overdue, want %d", c.by, got, c.want)
		}
	}
}

// Who drops break_glass from the map would be rid of every emergency that nobody has looked at.
func TestAMapWithoutBreakGlassForgetsNoEmergency(t *testing.T) {
	g := newGate(t)
	g.found(verdict.Vulnerability{ID: "MAL-1", Malicious: true})
	g.breaks("noor", g.glass("noor"))
	unused := g.glass("noor")
	unused.ID, unused.Subject = "b-unused", commit.Digest
	g.breaks("noor", unused)
	let := g.ask()
	if let.BreakGlass != "b-noor" {
		t.Fatalf("it was let in by %q", let.BreakGlass)
	}
	g.by(strings.NewReplacer("TIER", "", "break_glass: {who: [platform], requires: [incident, rationale], max_validity: 4h, review_within: 24h, notify: [security]}\n", "").Replace(gateMap), nil)
	g.engine.Policy, _ = gateRules()
	g.now = g.now.Add(25 * time.Hour)
	persons := func() *decide.Persons {
		at, err := g.ledger.Position(g.ctx)
		must(t, err)
		return &decide.Persons{Ledger: g.ledger, Map: g.engine.Map, At: at}
	}
	record := func(id string) decide.EmergencyRecord {
		all, err := persons().Emergencies(g.ctx, "pay", "production")
		must(t, err)
		return all[slices.IndexFunc(all, func(x decide.EmergencyRecord) bool { return x.ID == id })]
	}
	for id, want := range map[string]bool{"b-noor": true, "b-unused": false} {
		if binds, err := persons().Binds(g.ctx, record(id)); err != nil || binds != want {
			t.Errorf("%s binds: %t, %v", id, binds, err)
		}
	}
	lost, _, err := g.ledger.DecisionStatement(g.ctx, let.ID, ledger.Now)
	must(t, err)
	p := persons()
	p.Ledger = lostEntry{g.ledger, lost.Index}
	if binds, err := p.Binds(g.ctx, record("b-noor")); err != nil || !binds {
		t.Errorf("it binds nobody once the decision is lost that it let something in by: %t, %v", binds, err)
	}
	g.found(verdict.Vulnerability{ID: "CVE-1"})
	if overdue := g.inputOf(g.ask()).BreakGlass.Overdue; len(overdue) != 1 || overdue[0].ID != "b-noor" {
		t.Errorf("the next deployment hears of %+v", overdue)
	}
	for by, want := range map[string]string{"mei": "", "noor": "nobody reviews their own", "zoe": "zoe is none of payments, platform, who approve at deploy points"} {
		why, err := persons().MayReview(g.ctx, record("b-noor"), identity.EnrolledKey{ID: g.keys[by].KeyID(), Person: by})
		must(t, err)
		if !strings.HasPrefix(why, want) && !strings.Contains(why, want) || want == "" && why != "" {
			t.Errorf("%s: %q", by, why)
		}
	}
	b := record("b-noor").BreakGlass
	b.Step, b.Reviewed, b.ReviewedBy, b.Review, b.ReviewTeams = verdict.StepReview, g.now, "mei", "it was needed", []string{"platform"}
	g.breaks("mei", b)
	if got := record("b-noor"); got.ReviewedBy != "mei" {
		t.Errorf("it stays unreviewed: %+v", got)
	}
}

func TestRangesOfVersions(t *testing.T) {
	for _, c := range []struct {
		versions, version string
		in, fails         bool
	}{
		{"<2", "1.9.9", true, false}, {"<2", "v2.0.0", false, false}, {">=1.2.0 <1.4", "1.3.7", true, false}, {">=1.2.0, <1.4", "1.4.0", false, false},
		{"1.2.3", "1.2.3", true, false}, {"=1.2.3", "1.2.4", false, false}, {"*", "anything", true, false},
		{"<2", "latest", false, true}, {"", "1.0.0", false, true}, {"~1.2", "1.2.0", false, true}, {"<two", "1.0.0", false, true}, {"<>1", "1.0.0", false, true},
	} {
		in, err := decide.InRange(c.versions, c.version)
		if in != c.in || (err != nil) != c.fails {
			t.Errorf("%q in %q: %v, %v", c.version, c.versions, in, err)
		}
	}
}

// Who wrote the infrastructure code does not approve what it would do. A plan whose commit
// nobody states is approved by nobody.
func TestAPlanIsApprovedBySomebodyElse(t *testing.T) {
	g := newGate(t)
	plan := verdict.Subject{Kind: verdict.SubjectPlan, Name: "plan", Digest: verdict.NewDigest("sha256", strings.Repeat("7", 64))}
	state := func(check string, r verdict.Report) {
		t.Helper()
		r.Check, r.Tool = check, verdict.Tool{Name: "verdict", Version: "test"}
		s, err := evidence.NewCheck(r, []verdict.Subject{plan}, g.now, g.now, verdict.Context{At: g.now}, rand.Reader)
		must(t, err)
		g.append("local", s)
	}
	v := clean("vulnerabilities")
	v.Database = &verdict.Database{Name: "osv", At: g.now}
	v.Hits = []verdict.Hit{{Key: "CVE-1 pkg", Severity: verdict.SeverityHigh, Vulnerability: &verdict.Vulnerability{ID: "CVE-1"}}}
	state("vulnerabilities", v)
	g.request.Subject = plan
	d := g.ask()
	if d.Answer == nil || !strings.Contains(d.Answer.Unknown, "which commit it was made from is not known") {
		t.Fatalf("without a commit the answer is %+v", d.Answer)
	}
	r := clean("iac-plan")
	r.Plan = &verdict.Plan{Commit: commit.Digest}
	state("iac-plan", r)
	d = g.ask()
	if d.Answer.Unknown != "" || !slices.ContainsFunc(d.Answer.Not, func(b verdict.Barred) bool { return b.Person == "ben" }) {
		t.Fatalf("the author of its commit is not barred: %+v", d.Answer)
	}
	a := g.yes("noor", d)
	g.says("noor", verdict.KindApproval, a, verdict.Context{Service: "pay", Environment: "production", Point: a.Point}, plan)
	g.holds(g.ask(), verdict.Allow, "")
}
