package decide_test

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/policy"
)

// gateRule is one rule of the tests' gate: it fails for findings with a property.
func gateRule(id, effect, severity, property string) string {
	return strings.NewReplacer("ID", id, "EFFECT", effect, "SEVERITY", severity, "PROPERTY", property).Replace(`# METADATA
# title: No finding is PROPERTY
# custom:
#   id: acme.deploy.ID
#   effect: EFFECT
#   severity: SEVERITY
#   evidence: [vulnerabilities]
#   remediation: take the version with the fix
#   owner: platform
package acme.deploy.ID

items := [item |
	some f in input.vulnerabilities.findings
	PROPERTY
	item := {"key": f.key, "message": f.id, "path": "", "line": 0, "fix": "", "evidence": f.evidence}
]

check := {"status": "fail", "message": sprintf("%d found", [count(items)]), "observed": count(items), "expected": 0, "items": items} if {
	count(items) > 0
} else := {"status": "pass", "message": "none"} if {
	input.vulnerabilities.state == "verified"
} else := {"status": "fail", "message": "not stated", "observed": input.vulnerabilities.state, "expected": "verified"} if {
	input.vulnerabilities.state != "verified"
}
`)
}

const gateMap = `schema: verdict/v1
organization: acme
environments:
  production: {tier: prod, exposure: internet, data: confidential, blast_radius: service, rollback: tested}
  staging: {tier: staging}
services:
  pay: {team: payments, owner: alma, environments: [production, staging]TIER}
people:
  alma: {teams: [payments]}
  ben: {teams: [payments]}
  noor: {teams: [platform]}
  mei: {teams: [platform]}
  lena: {teams: [platform, security]}
  zoe: {teams: [security]}
  kim: {teams: [platform]}
trust:
  - {name: machine, key: local, kinds: ["*"], services: ["*"], environments: ["*"]}
exceptions: {requires: [rule, scope, rationale, owner, expiry], max_validity: 30d, approvers: [security, platform]}
break_glass: {who: [platform], requires: [incident, rationale], max_validity: 4h, review_within: 24h, notify: [security]}
points:
  - id: deploy.gate
    mode: block
    needs: [vulnerabilities]
    policy: [acme.deploy]
    owner: platform
    review: {approvers: [platform], count: 1, not: [author, requester], requires: [scope, rationale, expiry], max_validity: 24h}
`

var gateRules = sync.OnceValues(func() (*policy.Bundle, error) {
	return policy.Compile(map[string]string{
		"findings.rego": gateRule("findings", "review", "high", "not f.exploited; not f.malicious"), "exploited.rego": gateRule("exploited", "review", "critical", "f.exploited"),
		"malicious.rego": gateRule("malicious", "deny", "critical", "f.malicious"),
	}, policy.CompileOptions{})
})

var app = verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/pay", Digest: verdict.NewDigest("sha256", strings.Repeat("1", 64))}

// gate is a house with a deploy point, persons with keys, and an artifact of ben's whose
// only finding has no fix.
type gate struct {
	*house
	request decide.Request
}

func newGate(t *testing.T, edits ...string) *gate {
	t.Helper()
	m := strings.NewReplacer(append(edits, "TIER", "")...).Replace(gateMap)
	g := &gate{house: newHouse(t, m)}
	rules, err := gateRules()
	must(t, err)
	g.engine.Policy = rules
	g.request = decide.Request{
		Point: "deploy.gate", Subject: app, Service: "pay", Team: "payments", Environment: "production", Trigger: "gate", Actor: "key:pipeline",
		Requester: &verdict.Requester{Person: "alma", Kind: "person", Known: true},
	}
	g.person("zoe", "local")
	for _, name := range []string{"alma", "ben", "noor", "mei", "lena"} {
		g.person(name, "zoe")
	}
	g.person("kim", "noor")
	g.made("ben", true)
	g.found(verdict.Vulnerability{ID: "CVE-1"})
	return g
}

// person enrolls a person's key, signed by somebody.
func (g *gate) person(name, by string) {
	g.t.Helper()
	key, err := evidence.CreateKey(filepath.Join(g.t.TempDir(), name+".pem"))
	must(g.t, err)
	g.keys[name] = key
	event, err := identity.NewEnrolment(name, key.PublicPEM())
	must(g.t, err)
	g.says(by, verdict.KindKey, event, verdict.Context{}, verdict.Subject{Kind: verdict.SubjectIdentity, Name: name, Digest: verdict.NewDigest("sha256", strings.Repeat("0", 64))})
}

func (g *gate) says(by string, kind verdict.Kind, predicate any, c verdict.Context, about ...verdict.Subject) ledger.Entry {
	g.t.Helper()
	c.At = g.now
	s, err := evidence.New(kind, about, predicate, c, rand.Reader)
	must(g.t, err)
	return g.append(by, s)
}

// made states who wrote the artifact's commit, and that the artifact is from it.
func (g *gate) made(author string, known bool) {
	g.t.Helper()
	who := verdict.Party{ID: author, Known: known}
	r := clean("change")
	r.Change = &verdict.Change{
		Knowledge: verdict.Knowledge{State: verdict.StateVerified}, Author: who, Committer: who, Added: 1,
		Commits: []verdict.Commit{{ID: commit.Digest, Authors: []verdict.Party{who}, Committer: who}},
	}
	g.report("local", r)
	g.says("local", verdict.KindDecision, verdict.Decision{
		ID: "d-trust", Point: "artifact.trust", Subject: app, Service: "pay", Outcome: verdict.Allow, Enforced: verdict.Allow, At: g.now, From: []verdict.Digest{commit.Digest},
	}, verdict.Context{Service: "pay", Point: "artifact.trust"}, app)
}

// found states the findings in the artifact.
func (g *gate) found(all ...verdict.Vulnerability) {
	g.t.Helper()
	r := clean("vulnerabilities")
	r.Tool, r.Database = verdict.Tool{Name: "verdict", Version: "test"}, &verdict.Database{Name: "osv", At: g.now}
	for _, v := range all {
		r.Hits = append(r.Hits, verdict.Hit{Key: v.ID + " pkg", Detector: v.ID, Severity: verdict.SeverityHigh, Vulnerability: &v})
	}
	s, err := evidence.NewCheck(r, []verdict.Subject{app}, g.now, g.now, verdict.Context{At: g.now}, rand.Reader)
	must(g.t, err)
	g.append("local", s)
}

func (g *gate) ask() verdict.Decision {
	g.t.Helper()
	d, _, err := g.engine.Decide(g.ctx, g.request)
	must(g.t, err)
	return d
}

// yes is a person's approval of what a decision asks.
func (g *gate) yes(by string, d verdict.Decision) verdict.Approval {
	a := verdict.Approval{
		ID: fmt.Sprintf("a-%s-%d", by, g.now.Unix()), Step: verdict.StepApprove, Decision: d.ID, Subject: d.Subject.Digest, Point: d.Point, Service: d.Service, Environment: d.Environment,
		Facts: d.Digests.Facts, Scope: "this release", Rationale: "the code is not reached", By: by, Created: g.now, Expires: g.now.Add(24 * time.Hour), Teams: g.engine.Map.People[by].Teams,
	}
	for _, r := range d.Reasons {
		a.Rules, a.Shown = append(a.Rules, r.Rule), append(a.Shown, decide.Shown(r))
	}
	return a
}

func (g *gate) sign(by string, a verdict.Approval) ledger.Entry {
	g.t.Helper()
	return g.says(by, verdict.KindApproval, a, verdict.Context{Service: a.Service, Environment: a.Environment, Point: a.Point}, verdict.Subject{Kind: app.Kind, Name: app.Name, Digest: a.Subject})
}

// An approval counts when an entitled person who had no part in it gave it for these facts.
// Whatever else it is, it lets nothing in, and the decision says why.
func TestApprovalsThatCountAndThoseThatDoNot(t *testing.T) {
	for _, c := range []struct {
		name string
		give func(g *gate, d verdict.Decision)
		want verdict.Outcome
		why  string // in what was set aside
	}{
		{"nobody", func(*gate, verdict.Decision) {}, verdict.Review, ""},
		{"an entitled person", func(g *gate, d verdict.Decision) { g.sign("noor", g.yes("noor", d)) }, verdict.Allow, ""},
		{"the author", func(g *gate, d verdict.Decision) {
			g.made("noor", true)
			g.sign("noor", g.yes("noor", d))
		}, verdict.Review, "noor is author of commit aaaaaaaaaaaa, and nobody approves their own"},
		{"who says to be of a team", func(g *gate, d verdict.Decision) {
			a := g.yes("ben", d)
			a.Teams = []string{"platform"}
			g.sign("ben", a)
		}, verdict.Review, "ben is not of platform by this map"},
		{"somebody of another team", func(g *gate, d verdict.Decision) { g.sign("zoe", g.yes("zoe", d)) }, verdict.Review, "zoe is none of platform"},
		{"in another's name", func(g *gate, d verdict.Decision) { g.sign("alma", g.yes("noor", d)) }, verdict.Review, `speaks for "noor", and the key of alma signed it`},
		{"a machine", func(g *gate, d verdict.Decision) { g.sign("local", g.yes("noor", d)) }, verdict.Review, "machine's own key"},
		{"who had not joined the team by then", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Teams = []string{"payments"}
			g.sign("noor", a)
		}, verdict.Review, "noor was not of platform when it was signed"},
		{"one that has expired", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Expires = g.now.Add(time.Hour)
			g.sign("noor", a)
			g.now = g.now.Add(time.Hour)
		}, verdict.Review, "it expired at"},
		{"one of the future", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Created = g.now.Add(time.Hour)
			g.sign("noor", a)
		}, verdict.Review, "says that it was signed at"},
		{"one that holds too long", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Expires = g.now.Add(25 * time.Hour)
			g.sign("noor", a)
		}, verdict.Review, "holds for 25h, and the map allows 1d"},
		{"one without a rationale", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Rationale = ""
			g.sign("noor", a)
		}, verdict.Review, "requires rationale"},
		{"one for another environment", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Environment = "staging"
			g.sign("noor", a)
		}, verdict.Review, "it is for deploy.gate in staging"},
		{"one for another digest", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Subject = verdict.NewDigest("sha256", strings.Repeat("2", 64))
			g.sign("noor", a)
		}, verdict.Review, "it is for another digest: 222222222222"},
		{"one that was withdrawn", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			g.sign("noor", a)
			a.Step = verdict.StepWithdraw
			g.sign("noor", a)
		}, verdict.Review, "noor withdrew it"},
		{"one that somebody else takes back", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			g.sign("noor", a)
			a.Step, a.By = verdict.StepWithdraw, "mei"
			g.sign("mei", a)
		}, verdict.Allow, ""},
		{"one of other facts", func(g *gate, d verdict.Decision) {
			g.sign("noor", g.yes("noor", d))
			g.found(verdict.Vulnerability{ID: "CVE-1"}, verdict.Vulnerability{ID: "CVE-2"})
		}, verdict.Review, "it died: the facts changed: acme.deploy.findings has CVE-2 pkg besides"},
		{"whose key the author enrolled", func(g *gate, d verdict.Decision) {
			g.made("noor", true)
			g.sign("kim", g.yes("kim", d))
		}, verdict.Review, "noor is author of commit aaaaaaaaaaaa, and noor enrolled the key of kim"},
		{"where the author is not known", func(g *gate, d verdict.Decision) {
			g.made("unknown-account-1", false)
			g.sign("noor", g.yes("noor", d))
		}, verdict.Review, "nobody can be shown to be another"},
		{"where who asks is not known", func(g *gate, d verdict.Decision) {
			g.request.Requester = &verdict.Requester{Person: "unknown-1", Kind: "person"}
			g.sign("noor", g.yes("noor", d))
		}, verdict.Review, "the account of who asks"},
		{"who asks", func(g *gate, d verdict.Decision) {
			g.request.Requester.Person = "noor"
			g.sign("noor", g.yes("noor", d))
		}, verdict.Review, "noor is who asks for it, and nobody approves their own"},
		{"a no", func(g *gate, d verdict.Decision) {
			g.sign("mei", g.yes("mei", d))
			a := g.yes("noor", d)
			a.Step, a.Expires = verdict.StepReject, time.Time{}
			g.sign("noor", a)
		}, verdict.Deny, ""},
		{"a no of somebody who may not answer", func(g *gate, d verdict.Decision) {
			a := g.yes("zoe", d)
			a.Step, a.Expires = verdict.StepReject, time.Time{}
			g.sign("zoe", a)
			g.sign("noor", g.yes("noor", d))
		}, verdict.Allow, ""},
		{"a no that became a yes", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Step, a.Expires, a.ID = verdict.StepReject, time.Time{}, "a-no"
			g.sign("noor", a)
			g.sign("noor", g.yes("noor", d))
		}, verdict.Allow, ""},
		{"a no to other facts", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Step, a.Expires = verdict.StepReject, time.Time{}
			g.sign("noor", a)
			g.found(verdict.Vulnerability{ID: "CVE-2"})
			g.sign("mei", g.yes("mei", g.ask()))
		}, verdict.Allow, ""},
		{"what denies", func(g *gate, d verdict.Decision) {
			g.found(verdict.Vulnerability{ID: "CVE-1"}, verdict.Vulnerability{ID: "MAL-1", Malicious: true})
			g.sign("noor", g.yes("noor", d))
		}, verdict.Deny, ""},
		{"one of two for what is critical", func(g *gate, d verdict.Decision) {
			g.found(verdict.Vulnerability{ID: "CVE-1", Exploited: true})
			g.sign("noor", g.yes("noor", g.ask()))
		}, verdict.Review, ""},
		{"two for what is critical", func(g *gate, d verdict.Decision) {
			g.found(verdict.Vulnerability{ID: "CVE-1", Exploited: true})
			g.sign("noor", g.yes("noor", g.ask()))
			g.sign("mei", g.yes("mei", g.ask()))
		}, verdict.Allow, ""},
		{"two keys in one hand for what is critical", func(g *gate, d verdict.Decision) {
			g.found(verdict.Vulnerability{ID: "CVE-1", Exploited: true})
			g.sign("noor", g.yes("noor", g.ask()))
			g.sign("kim", g.yes("kim", g.ask()))
		}, verdict.Review, "counts as no second person: noor enrolled the key of kim"},
		{"one of a key that was stolen by then", func(g *gate, d verdict.Decision) {
			g.sign("noor", g.yes("noor", d))
			g.doubt("noor", 1)
		}, verdict.Review, "its key was revoked since, and may have been somebody else's from entry 1 on: stolen"},
		{"one of a key that was stolen later", func(g *gate, d verdict.Decision) {
			e := g.sign("noor", g.yes("noor", d))
			g.doubt("noor", e.Index+1)
		}, verdict.Allow, ""},
		{"a no of a key that was stolen by then", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Step, a.Expires = verdict.StepReject, time.Time{}
			g.sign("noor", a)
			g.doubt("noor", 1)
			g.sign("mei", g.yes("mei", d))
		}, verdict.Deny, ""},
		{"a no that a stolen key took back", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Step, a.Expires = verdict.StepReject, time.Time{}
			g.sign("noor", a)
			a.Step = verdict.StepWithdraw
			g.sign("noor", a)
			g.doubt("noor", 1)
			g.sign("mei", g.yes("mei", d))
		}, verdict.Deny, ""},
		{"a no that became a yes of a stolen key", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			a.Step, a.Expires, a.ID = verdict.StepReject, time.Time{}, "a-no"
			g.sign("noor", a)
			g.sign("noor", g.yes("noor", d))
			g.doubt("noor", 1)
		}, verdict.Deny, ""},
		{"one that a stolen key withdrew", func(g *gate, d verdict.Decision) {
			a := g.yes("noor", d)
			e := g.sign("noor", a)
			a.Step = verdict.StepWithdraw
			g.sign("noor", a)
			g.doubt("noor", e.Index+1)
		}, verdict.Review, "noor withdrew it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t)
			first := g.ask()
			if first.Outcome != verdict.Review || first.Answer == nil {
				t.Fatalf("the first answer is %s, %+v: %+v", first.Outcome, first.Reasons, first.Errors)
			}
			c.give(g, first)
			d := g.ask()
			g.holds(d, c.want, c.why)
		})
	}
}

// doubt revokes the key of a person, whom zoe says to have lost it by an entry.
func (g *gate) doubt(person string, from int64) {
	g.t.Helper()
	e := identity.NewRevocation(identity.EnrolledKey{ID: g.keys[person].KeyID(), Person: person, Algorithm: identity.AlgorithmP256}, "stolen")
	e.DoubtFrom = from
	g.says("zoe", verdict.KindKey, e, verdict.Context{}, verdict.Subject{Kind: verdict.SubjectIdentity, Name: person, Digest: verdict.NewDigest("sha256", strings.Repeat("0", 64))})
}

// Who asks does not approve. A machine whose token names nobody is silent or says for whom it
// asks: its word bars one more, lets nobody more, and is told as no more than its word.
func TestAClaimedRequesterLetsNobodyMore(t *testing.T) {
	g := newGate(t)
	claimed := &verdict.Requester{Person: "mei", Kind: "person", Known: true, Teams: []string{}, Claimed: "azure:acme/pay/12"}
	g.request.Requester = claimed
	d := g.ask()
	if d.Requester.Claimed != "azure:acme/pay/12" {
		t.Errorf("the record says that it is proved: %+v", d.Requester)
	}
	g.sign("mei", g.yes("mei", d))
	again := g.ask()
	g.holds(again, verdict.Review, "")
	if !slices.ContainsFunc(again.Answer.Not, func(b verdict.Barred) bool {
		return b.Person == "mei" && strings.Contains(b.Role, "as azure:acme/pay/12 says")
	}) {
		t.Errorf("whom it names may approve: %+v", again.Answer.Not)
	}
	unknown := *claimed
	unknown.Person, unknown.Known = "entra:somebody", false
	g.request.Requester = &unknown
	if other := g.ask(); other.Outcome != verdict.Review || !strings.Contains(other.Answer.Unknown, "knows nobody by the account") {
		t.Errorf("an account that is nobody's bars nobody: %s %+v", other.Outcome, other.Answer)
	}
	g.request.Requester = claimed
	g.sign("noor", g.yes("noor", g.ask()))
	g.holds(g.ask(), verdict.Allow, "")
}

// holds checks outcome, what was set aside, and that replay gives the same.
func (g *gate) holds(d verdict.Decision, want verdict.Outcome, why string) {
	g.t.Helper()
	if d.Outcome != want {
		g.t.Errorf("outcome %s, want %s: %+v\nerrors %+v\naside %+v", d.Outcome, want, d.Reasons, d.Errors, d.Aside)
	}
	if why != "" && !slices.ContainsFunc(d.Aside, func(a verdict.Aside) bool { return strings.Contains(a.Why, why) && a.Index >= 0 }) {
		g.t.Errorf("nothing was set aside because %q: %+v", why, d.Aside)
	}
	if again := g.replay(d.ID); !again.Same || again.Result != d.Digests.Result {
		g.t.Errorf("taken again it differs: %s", again.Difference)
	}
}

func TestACriticalServiceTakesTwoPersons(t *testing.T) {
	g := newGate(t, "TIER", ", tier: critical")
	g.sign("noor", g.yes("noor", g.ask()))
	d := g.ask()
	g.holds(d, verdict.Review, "")
	if d.Answer.Persons != 2 || !slices.Equal(d.Answer.Given, []string{"noor"}) {
		t.Errorf("the answer is %+v", d.Answer)
	}
	g.sign("lena", g.yes("lena", d))
	d = g.ask()
	g.holds(d, verdict.Allow, "")
	if len(d.Lifted.Approvals) != 2 || !slices.ContainsFunc(d.Evidence, func(r verdict.Ref) bool { return r.Kind == verdict.KindApproval }) {
		t.Errorf("it does not rest on both: %+v, evidence %+v", d.Lifted, d.Evidence)
	}
}

// A yes from another log is a claim: whoever runs that log could enroll anybody there.
func TestAnApprovalOfAnotherLogDoesNotCount(t *testing.T) {
	g := newGate(t)
	d := g.ask()
	a := g.yes("noor", d)
	stranger, err := evidence.CreateKey(filepath.Join(t.TempDir(), "stranger.pem"))
	must(t, err)
	s, err := evidence.New(verdict.KindApproval, []verdict.Subject{app}, a, verdict.Context{At: g.now, Service: "pay", Environment: "production", Point: "deploy.gate"}, rand.Reader)
	must(t, err)
	b, err := evidence.Sign(g.ctx, s, stranger)
	must(t, err)
	_, err = g.ledger.Ingest(g.ctx, b, evidence.Producer{Key: stranger.KeyID()}, g.keys["local"], verdict.Context{At: g.now})
	must(t, err)
	g.holds(g.ask(), verdict.Review, "it comes from another log or signer")
}

// What an approver was shown is a part of the answer: a decision that somebody forged can copy
// the digest of other facts, and tell a harmless story beside it.
func TestAnApprovalIsOfWhatItsSignerWasShown(t *testing.T) {
	g := newGate(t)
	g.found(verdict.Vulnerability{ID: "CVE-1"}, verdict.Vulnerability{ID: "CVE-2"})
	a := g.yes("noor", g.ask())
	a.Shown[0].Items = []string{"CVE-1 pkg"}
	g.sign("noor", a)
	g.holds(g.ask(), verdict.Review, "its signer was shown something else than these facts: acme.deploy.findings has CVE-2 pkg besides")
}

// Whoever makes up an approver, or names somebody else as the one who asks, would accept a
// risk of their own alone.
func TestNobodyApprovesTheirOwnByAnotherWay(t *testing.T) {
	for _, c := range []struct {
		name string
		tell func(g *gate)
		by   string
		why  string
	}{
		{"with a key that the author enrolled before they revoked their own", func(g *gate) {
			g.made("noor", true)
			h := identity.NewRevocation(identity.EnrolledKey{ID: g.keys["noor"].KeyID(), Person: "noor", Algorithm: identity.AlgorithmP256}, "left")
			g.says("zoe", verdict.KindKey, h, verdict.Context{}, verdict.Subject{Kind: verdict.SubjectIdentity, Name: "noor", Digest: verdict.NewDigest("sha256", strings.Repeat("0", 64))})
		}, "kim", "noor enrolled the key of kim"},
		{"by asking in another's name", func(g *gate) { g.request.Actor = "key:" + g.keys["noor"].KeyID() }, "noor", "noor is who asks for it"},
		{"by committing in another's name", func(g *gate) {
			g.says("local", verdict.KindChangeReview, verdict.ChangeReview{
				Knowledge: verdict.Knowledge{State: verdict.StateVerified}, Forge: "github", Author: verdict.Party{ID: "noor", Known: true},
			}, verdict.Context{}, commit)
		}, "noor", "noor is who asked for the change of commit aaaaaaaaaaaa"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t)
			c.tell(g)
			g.sign(c.by, g.yes(c.by, g.ask()))
			g.holds(g.ask(), verdict.Review, c.why)
		})
	}
}

// An exception for everything that may not be known would let in what nobody knows.
func TestNoExceptionAcceptsThatNothingIsKnown(t *testing.T) {
	g := newGate(t)
	p := &decide.Persons{Ledger: g.ledger, Map: g.engine.Map, At: ledger.Now}
	x := verdict.Exception{
		Rule: decide.EvidenceMissing, Service: "pay", Environments: []string{"production"}, Versions: "*", Rationale: "r", Owner: "payments", RequestedBy: "alma",
		Created: g.now, Expires: g.now.Add(time.Hour),
	}
	if why := p.UnfitException(x); !strings.Contains(why, "nothing is known") {
		t.Errorf("the whole of it is accepted: %q", why)
	}
	x.Items = []string{"sbom"}
	if why := p.UnfitException(x); why != "" {
		t.Errorf("one need that is named is not: %s", why)
	}
}
