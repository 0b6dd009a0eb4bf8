package decide_test

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/evidence"
	"verdict/identity"
)

// server enrolls the key of a control plane, as somebody's word has it, and lets it speak for
// people where the map's entry says. It is enrolled by zoe, a person.
func (g *gate) server(name, kinds, services, environments string) {
	g.t.Helper()
	if g.keys[name] == nil {
		g.person(name, "zoe")
	}
	m := strings.NewReplacer("TIER", g.tier(), "trust:", `trust:
  - {name: control plane, key: "`+g.keys[name].KeyID()+`", for: people, kinds: [`+kinds+`], services: [`+services+`], environments: [`+environments+`]}`).Replace(gateMap)
	old := g.engine
	g.by(m, nil)
	g.engine.Policy = old.Policy
}

func (g *gate) tier() string {
	if t := g.engine.Map.Services["pay"].Tier; t != "" {
		return ", tier: " + t
	}
	return ""
}

// through is a person's approval that a server signs.
func (g *gate) through(server string, a verdict.Approval) {
	a.SignedIn = true
	g.sign(server, a)
}

// Who is signed in at a server that the map lets speak for people approves without a key of
// their own. Everything that is asked of who signs by themselves is asked of them too, and what
// the map does not let the server state counts for nothing.
func TestAServerSpeaksForWhoIsSignedIn(t *testing.T) {
	all := func(g *gate) { g.server("plane", "approval", `"*"`, `"*"`) }
	for _, c := range []struct {
		name string
		give func(g *gate, d verdict.Decision)
		want verdict.Outcome
		why  string
	}{
		{"an entitled person", func(g *gate, d verdict.Decision) {
			all(g)
			g.through("plane", g.yes("noor", d))
		}, verdict.Allow, ""},
		{"without a word of the map", func(g *gate, d verdict.Decision) {
			g.person("plane", "zoe")
			g.through("plane", g.yes("noor", d))
		}, verdict.Review, "the map does not let its key state approval for people"},
		{"without saying that it speaks for somebody", func(g *gate, d verdict.Decision) {
			all(g)
			g.sign("plane", g.yes("noor", d))
		}, verdict.Review, `"plane", whose key signed it, is not under people:`},
		{"of another kind than the map lets it", func(g *gate, d verdict.Decision) {
			g.server("plane", "exception", `"*"`, `"*"`)
			g.through("plane", g.yes("noor", d))
		}, verdict.Review, "the map does not let its key state approval"},
		{"of another service", func(g *gate, d verdict.Decision) {
			g.server("plane", "approval", "other", `"*"`)
			g.through("plane", g.yes("noor", d))
		}, verdict.Review, "about pay in production"},
		{"of another environment", func(g *gate, d verdict.Decision) {
			g.server("plane", "approval", "pay", "staging")
			g.through("plane", g.yes("noor", d))
		}, verdict.Review, "about pay in production"},
		{"with the machine's own key that decides", func(g *gate, d verdict.Decision) {
			g.server("local", "approval", `"*"`, `"*"`)
			g.through("local", g.yes("noor", d))
		}, verdict.Allow, ""},
		{"with a person's key that the map names for people", func(g *gate, d verdict.Decision) {
			g.server("mei", "approval", `"*"`, `"*"`)
			g.through("mei", g.yes("noor", d))
		}, verdict.Review, "the key of mei did, which speaks for nobody else"},
		{"with her own key, as if a server had signed", func(g *gate, d verdict.Decision) {
			all(g)
			g.through("noor", g.yes("noor", d))
		}, verdict.Review, "the key of noor did, which speaks for nobody else"},
		{"for a stranger", func(g *gate, d verdict.Decision) {
			all(g)
			a := g.yes("eve", d)
			a.Teams = []string{"platform"}
			g.through("plane", a)
		}, verdict.Review, `"eve", who was signed in when the server signed it, is not under people:`},
		{"for somebody of another team", func(g *gate, d verdict.Decision) {
			all(g)
			g.through("plane", g.yes("zoe", d))
		}, verdict.Review, "zoe is none of platform"},
		{"for the author", func(g *gate, d verdict.Decision) {
			all(g)
			g.made("noor", true)
			g.through("plane", g.yes("noor", d))
		}, verdict.Review, "noor is author of commit aaaaaaaaaaaa"},
		{"for who asks", func(g *gate, d verdict.Decision) {
			all(g)
			g.request.Requester.Person = "noor"
			g.through("plane", g.yes("noor", d))
		}, verdict.Review, "noor is who asks for it"},
		{"for whose key the author enrolled", func(g *gate, d verdict.Decision) { // she proved who she is without that key
			all(g)
			g.made("noor", true)
			g.through("plane", g.yes("kim", d))
		}, verdict.Allow, ""},
		{"for another than the author, who enrolled the server's key", func(g *gate, d verdict.Decision) {
			all(g)
			g.made("zoe", true)
			g.through("plane", g.yes("noor", d))
		}, verdict.Allow, ""},
		{"for another than the author, whose key she enrolled", func(g *gate, d verdict.Decision) {
			all(g)
			g.made("kim", true)
			g.through("plane", g.yes("noor", d))
		}, verdict.Review, "noor enrolled the key of kim"},
		{"of the future", func(g *gate, d verdict.Decision) {
			all(g)
			a := g.yes("noor", d)
			a.Created = g.now.Add(time.Hour)
			g.through("plane", a)
		}, verdict.Review, "says that it was signed at"},
		{"with a key that was stolen by then", func(g *gate, d verdict.Decision) {
			all(g)
			g.through("plane", g.yes("noor", d))
			g.doubt("plane", 1)
		}, verdict.Review, "may have been somebody else's from entry 1 on"},
		{"with a key that was revoked since", func(g *gate, d verdict.Decision) {
			all(g)
			g.through("plane", g.yes("noor", d))
			g.doubt("plane", 0)
		}, verdict.Allow, ""},
		{"a no", func(g *gate, d verdict.Decision) {
			all(g)
			a := g.yes("noor", d)
			a.Step, a.Expires = verdict.StepReject, time.Time{}
			g.through("plane", a)
			g.sign("mei", g.yes("mei", d))
		}, verdict.Deny, ""},
		{"who takes back what she signed with her key", func(g *gate, d verdict.Decision) {
			all(g)
			a := g.yes("noor", d)
			g.sign("noor", a)
			a.Step = verdict.StepWithdraw
			g.through("plane", a)
		}, verdict.Review, "noor withdrew it"},
		{"a no that is taken back by a server that speaks elsewhere", func(g *gate, d verdict.Decision) {
			g.server("plane", "approval", "other", `"*"`)
			a := g.yes("noor", d)
			a.Step, a.Expires = verdict.StepReject, time.Time{}
			g.sign("noor", a)
			g.sign("mei", g.yes("mei", d))
			a.Step, a.Service = verdict.StepWithdraw, "other"
			g.through("plane", a)
		}, verdict.Deny, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t)
			c.give(g, g.ask())
			g.holds(g.ask(), c.want, c.why)
		})
	}
}

// What takes two persons takes two, by whichever way each of them comes: one is not two by
// coming twice, and two are not one because one key signed for both.
func TestPersonsAreCountedAndNotKeys(t *testing.T) {
	for _, c := range []struct {
		name string
		give func(g *gate, d verdict.Decision)
		want verdict.Outcome
		why  string
	}{
		{"two through one server", func(g *gate, d verdict.Decision) {
			g.through("plane", g.yes("noor", d))
			g.through("plane", g.yes("mei", d))
		}, verdict.Allow, ""},
		{"one by key and through the server", func(g *gate, d verdict.Decision) {
			g.sign("noor", g.yes("noor", d))
			a := g.yes("noor", d)
			a.ID += "-again"
			g.through("plane", a)
		}, verdict.Review, ""},
		{"one by key and another through the server", func(g *gate, d verdict.Decision) {
			g.sign("mei", g.yes("mei", d))
			g.through("plane", g.yes("noor", d))
		}, verdict.Allow, ""},
		{"one through the server and who has a key of hers", func(g *gate, d verdict.Decision) {
			g.through("plane", g.yes("noor", d))
			g.sign("kim", g.yes("kim", d))
		}, verdict.Review, "counts as no second person: noor enrolled the key of kim"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t, "TIER", ", tier: critical")
			g.server("plane", "approval", `"*"`, `"*"`)
			c.give(g, g.ask())
			g.holds(g.ask(), c.want, c.why)
		})
	}
}

// An exception is asked for and accepted by two persons, whichever way each of them comes.
func TestExceptionsOfWhoIsSignedIn(t *testing.T) {
	step := func(g *gate, server string, x verdict.ExceptionStep, step verdict.Step, by string) {
		x.Said = verdict.Said{Step: step, By: by, SignedIn: true, At: g.now, Teams: g.engine.Map.People[by].Teams}
		g.file(server, x)
	}
	for _, c := range []struct {
		name string
		give func(g *gate)
		want verdict.Outcome
		why  string
	}{
		{"asked for and accepted through the server", func(g *gate) {
			step(g, "plane", g.risk("alma"), verdict.StepRequest, "alma")
			step(g, "plane", g.risk("alma"), verdict.StepApprove, "lena")
		}, verdict.Allow, ""},
		{"accepted by who asked for it with a key", func(g *gate) {
			g.file("lena", g.risk("lena"))
			step(g, "plane", g.risk("lena"), verdict.StepApprove, "lena")
		}, verdict.Review, "0 of 1 persons approved it"},
		{"accepted by who asked for it through the server", func(g *gate) {
			step(g, "plane", g.risk("lena"), verdict.StepRequest, "lena")
			g.agree("lena", g.risk("lena"), verdict.StepApprove)
		}, verdict.Review, "0 of 1 persons approved it"},
		{"accepted by who asked for it in another's name", func(g *gate) {
			step(g, "plane", g.risk("alma"), verdict.StepRequest, "lena")
			step(g, "plane", g.risk("alma"), verdict.StepApprove, "lena")
		}, verdict.Review, "0 of 1 persons approved it"},
		{"revoked through the server", func(g *gate) {
			g.file("alma", g.risk("alma"))
			g.agree("lena", g.risk("alma"), verdict.StepApprove)
			step(g, "plane", g.risk("alma"), verdict.StepRevoke, "lena")
		}, verdict.Review, "it was revoked"},
		{"where the server speaks of another environment", func(g *gate) {
			g.server("plane", "exception", "pay", "staging")
			g.file("alma", g.risk("alma"))
			step(g, "plane", g.risk("alma"), verdict.StepApprove, "lena")
		}, verdict.Review, "0 of 1 persons approved it"},
		{"revoked by a server that speaks of another service", func(g *gate) {
			g.server("plane", "exception", "other", `"*"`)
			g.file("alma", g.risk("alma"))
			g.agree("lena", g.risk("alma"), verdict.StepApprove)
			x := g.risk("alma")
			x.Service = "other"
			x.Said = verdict.Said{Step: verdict.StepRevoke, By: "lena", SignedIn: true, At: g.now, Teams: []string{"platform", "security"}}
			g.says("plane", verdict.KindException, x, verdict.Context{Service: "pay"}, verdict.DeploymentSubject("pay", "production"))
		}, verdict.Allow, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t)
			g.server("plane", "exception", `"*"`, `"*"`)
			c.give(g)
			g.holds(g.ask(), c.want, c.why)
		})
	}
}

// An emergency through the server lets in what the map lets its giver, and another person
// reviews it, whichever way each of them comes.
func TestEmergenciesOfWhoIsSignedIn(t *testing.T) {
	g := newGate(t)
	g.server("plane", "break-glass", "pay", "production")
	g.found(verdict.Vulnerability{ID: "MAL-1", Malicious: true})
	b := g.glass("noor")
	b.SignedIn = true
	g.breaks("plane", b)
	g.holds(g.ask(), verdict.Allow, "")
	if d := g.ask(); d.Lifted == nil || d.Lifted.BreakGlass == nil || !d.Lifted.BreakGlass.SignedIn {
		t.Errorf("that the server signed is not in the decision: %+v", d.Lifted)
	}
	at, err := g.ledger.Position(g.ctx)
	must(t, err)
	p := &decide.Persons{Ledger: g.ledger, Map: g.engine.Map, At: at}
	record := func() decide.EmergencyRecord {
		t.Helper()
		p.At, err = g.ledger.Position(g.ctx)
		must(t, err)
		all, err := p.Emergencies(g.ctx, "pay", "production")
		must(t, err)
		return all[0]
	}
	plane := identity.EnrolledKey{ID: g.keys["plane"].KeyID()}
	for by, want := range map[string]string{"mei": "", "noor": "nobody reviews their own", "alma": "alma is none of platform, security"} {
		why, err := p.MayReview(g.ctx, record(), plane.For(by))
		must(t, err)
		if want == "" && why != "" || !strings.Contains(why, want) {
			t.Errorf("%s: %q", by, why)
		}
	}
	b.Step, b.Reviewed, b.Review, b.ReviewSignedIn = verdict.StepReview, g.now, "it was needed", true
	for _, by := range []string{"noor", "mei"} {
		b.ReviewedBy, b.ReviewTeams = by, []string{"platform"}
		g.breaks("plane", b)
	}
	if x := record(); x.ReviewedBy != "mei" || !x.ReviewSignedIn || len(x.Notes) != 1 || !strings.Contains(x.Notes[0], "nobody reviews their own") {
		t.Errorf("the review is %+v", x)
	}
}

// What another log says that its server signed for somebody is a claim: whoever runs that log
// says who is signed in there.
func TestAServerOfAnotherLogSpeaksForNobody(t *testing.T) {
	g := newGate(t)
	d := g.ask()
	plane, err := evidence.CreateKey(filepath.Join(t.TempDir(), "plane.pem"))
	must(t, err)
	g.keys["plane"] = plane
	g.server("plane", "approval", `"*"`, `"*"`)
	a := g.yes("noor", d)
	a.SignedIn = true
	s, err := evidence.New(verdict.KindApproval, []verdict.Subject{app}, a, verdict.Context{At: g.now, Service: "pay", Environment: "production", Point: "deploy.gate"}, rand.Reader)
	must(t, err)
	b, err := evidence.Sign(g.ctx, s, plane)
	must(t, err)
	_, err = g.ledger.Ingest(g.ctx, b, evidence.Producer{Key: plane.KeyID()}, g.keys["local"], verdict.Context{At: g.now})
	must(t, err)
	g.holds(g.ask(), verdict.Review, "it comes from another log or signer")
}
