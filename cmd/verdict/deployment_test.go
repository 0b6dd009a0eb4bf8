package main

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/report"
)

const deployedMap = `schema: verdict/v1
organization: acme
environments:
  staging: {tier: staging}
  production: {tier: prod, promote_from: staging}
services:
  payments-api: {team: payments}
trust:
  - {name: this machine, key: local, kinds: [deployment, outcome, promotion, vsa], services: ["*"], environments: ["*"]}
`

// decided records a decision as the engine would, and gives its id.
func (p person) decided(d verdict.Decision) string {
	p.t.Helper()
	a := &app{
		env: environment{"HOME": p.home}, stdin: strings.NewReader(""), stdout: &strings.Builder{}, stderr: &strings.Builder{}, now: time.Now, rand: rand.Reader,
		log: slog.New(slog.DiscardHandler), progress: &progress{},
	}
	w, err := a.open(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	defer w.close()
	if d.At.IsZero() {
		d.At = w.now()
	}
	if _, err := w.state(p.t.Context(), verdict.KindDecision, d.Subject, d, verdict.Context{Point: d.Point, Service: d.Service, Environment: d.Environment}); err != nil {
		p.t.Fatal(err)
	}
	return d.ID
}

func image1(digit string) verdict.Subject {
	return verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/payments-api", Digest: verdict.NewDigest("sha256", strings.Repeat(digit, 64))}
}

// gated is an answer of the gate.
func gated(id string, s verdict.Subject, environment string, o verdict.Outcome) verdict.Decision {
	return verdict.Decision{
		ID: id, Point: gatePoint, Layer: verdict.LayerDeploy, Question: "May this artifact enter " + environment + "?", Mode: verdict.ModeBlock, Subject: s,
		Service: "payments-api", Team: "payments", Environment: environment, Outcome: o, Enforced: o,
	}
}

// A pipeline states what it deployed. It has to learn at once when nothing let that in.
func TestADeploymentRestsOnAnAnswerOfTheGateThatHeld(t *testing.T) {
	one, two := image1("1"), image1("2")
	hour := func(h time.Duration) time.Time { return time.Now().Add(h * time.Hour).UTC().Truncate(time.Microsecond) }
	at := func(h time.Duration) string { return hour(h).Format(time.RFC3339) }
	for _, c := range []struct {
		name string
		with func(p person)
		args []string
		code int
		says string
	}{
		{"the promotion that is named", func(p person) { p.decided(gated("d-aaaa1111", one, "production", verdict.Allow)) }, []string{"--decision", "d-aaaa"}, 0, ""},
		{"the promotion that stood, without its name", func(p person) { p.decided(gated("d-aaaa1111", one, "production", verdict.Allow)) }, nil, 0, ""},
		{"what the mode let through", func(p person) {
			d := gated("d-aaaa1111", one, "production", verdict.Deny)
			d.Mode, d.Enforced = verdict.ModeObserve, verdict.Allow
			p.decided(d)
		}, []string{"--decision", "d-aaaa1111"}, 0, ""},
		{"a denial", func(p person) { p.decided(gated("d-aaaa1111", one, "production", verdict.Deny)) }, []string{"--decision", "d-aaaa1111"}, 3, "ended with deny and did not let it in"},
		{"a promotion that was taken back", func(p person) {
			p.decided(gated("d-aaaa1111", one, "production", verdict.Allow))
			p.decided(gated("d-bbbb2222", one, "production", verdict.Deny))
		}, []string{"--decision", "d-aaaa1111"}, 3, "the gate took it back before: d-bbbb2222 ended with deny"},
		{"a promotion that had expired", func(p person) {
			d := gated("d-aaaa1111", one, "production", verdict.Allow)
			d.At, d.Expires = hour(-3), hour(-2)
			p.decided(d)
		}, []string{"--decision", "d-aaaa1111"}, 3, "had expired by then"},
		{"a promotion that held then and has expired since", func(p person) {
			d := gated("d-aaaa1111", one, "production", verdict.Allow)
			d.At, d.Expires = hour(-3), hour(-1)
			p.decided(d)
		}, []string{"--decision", "d-aaaa1111", "--time", at(-2)}, 0, ""},
		{"a promotion of another service", func(p person) { p.decided(gated("d-aaaa1111", one, "production", verdict.Allow)) }, []string{"--decision", "d-aaaa1111", "--service", "other"}, 2, "has no service other"},
		{"an answer of another point", func(p person) {
			d := gated("d-aaaa1111", one, "", verdict.Allow)
			d.Point, d.Layer = trustPoint, verdict.LayerArtifact
			p.decided(d)
		}, []string{"--decision", "d-aaaa1111"}, 3, "is an answer of artifact.trust, and no promotion"},
		{"a promotion of another artifact", func(p person) { p.decided(gated("d-aaaa1111", two, "production", verdict.Allow)) }, []string{"--decision", "d-aaaa1111", "--service", "payments-api"}, 1, "is about 222222222222, and this is 111111111111"},
		{"a promotion into another environment", func(p person) { p.decided(gated("d-aaaa1111", one, "staging", verdict.Allow)) }, []string{"--decision", "d-aaaa1111"}, 1, "is about the environment staging, and this is production"},
		{"a promotion that came later", func(p person) { p.decided(gated("d-aaaa1111", one, "production", verdict.Allow)) }, []string{"--decision", "d-aaaa1111", "--time", at(-2)}, 1, "was taken at"},
		{"a promotion that nobody took", func(person) {}, []string{"--decision", "d-aaaa1111", "--service", "payments-api"}, 3, "no decision of this log has the id d-aaaa1111"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPerson(t)
			c.with(p)
			args := append([]string{"attest", "deployment", "--map", p.file("map.yaml", deployedMap), "--env", "production", one.Name + "@" + string(one.Digest)}, c.args...)
			_, talk := p.run(c.code, args...)
			if !strings.Contains(talk, c.says) {
				t.Errorf("standard error lacks %q: %s", c.says, talk)
			}
			want := 0
			if c.code == 0 || c.code == 3 {
				want = 1
			}
			out, _ := p.run(0, "environments", "production", "--map", p.file("map.yaml", deployedMap), "-o", "json")
			var doc report.Environments
			if err := json.Unmarshal([]byte(out), &doc); err != nil || len(doc.List) != 1 || len(doc.List[0].Runs) != want {
				t.Fatalf("%d of it runs, %v: %s", want, err, out)
			}
			if want == 1 && (doc.List[0].Unpromoted == 0) != (c.code == 0) {
				t.Errorf("it is told otherwise by environments: %s", out)
			}
		})
	}
}

// Whoever reads a promotion wants to know what came of it, and on whose word it rested.
func TestWhyAPromotionTellsWhatCameOfIt(t *testing.T) {
	p := newPerson(t)
	file := p.file("map.yaml", deployedMap)
	one := image1("1")
	ref := one.Name + "@" + string(one.Digest)
	d := gated("d-aaaa1111", one, "production", verdict.Allow)
	d.Expires = time.Now().Add(time.Hour)
	d.Reasons = []verdict.Reason{
		{Rule: "deploy.gate.first", Effect: verdict.EffectReview, Severity: verdict.SeverityHigh, Status: verdict.RuleFail, Standing: verdict.Approved, By: []string{"a-7"}},
		{Rule: "deploy.gate.vulnerabilities", Effect: verdict.EffectDeny, Severity: verdict.SeverityHigh, Status: verdict.RuleFail, Standing: verdict.Accepted, By: []string{"x-9"}, Items: []verdict.Item{{Key: "k", Accepted: "x-9"}}},
	}
	p.decided(d)
	out, _ := p.run(0, "why", "d-aaaa", "--map", file)
	for _, want := range []string{"It rests on approval a-7, exception x-9.", "no deployment that uses it is stated"} {
		if !strings.Contains(out, want) {
			t.Errorf("why lacks %q: %s", want, out)
		}
	}
	p.run(0, "attest", "deployment", "--map", file, "--env", "production", "--decision", "d-aaaa", ref)
	p.run(0, "attest", "outcome", "--map", file, "--env", "production", "--result", "deployed", ref)
	out, _ = p.run(0, "why", "d-aaaa", "--map", file)
	for _, want := range []string{"stated by local, entry 2; runs", "✓ deployed"} {
		if !strings.Contains(out, want) {
			t.Errorf("why lacks %q: %s", want, out)
		}
	}
	out, _ = p.run(0, "environments", "production", "--map", file)
	for _, want := range []string{"allowed by d-aaaa1111 (mode block), resting on approval a-7, exception", "✓ deployed"} {
		if !strings.Contains(out, want) {
			t.Errorf("environments lacks %q: %s", want, out)
		}
	}
	p.decided(gated("d-cccc3333", one, "production", verdict.Deny))
	p.run(0, "attest", "outcome", "--map", file, "--env", "production", "--result", "rolled-back", "--detail", "errors", ref)
	out, _ = p.run(0, "why", "d-aaaa", "--map", file)
	for _, want := range []string{"Replaced by the newer decision", "; not the last word", "✗ rolled-back", "errors"} {
		if !strings.Contains(out, want) {
			t.Errorf("why lacks %q: %s", want, out)
		}
	}
}

// Any enrolled key can record a decision. Only one that the map trusts with promotions lets
// something in, and only one that it trusts with artifacts says what they were made from.
func TestADecisionOfAnybodyLetsNothingIn(t *testing.T) {
	p := newPerson(t)
	file := p.file("map.yaml", strings.NewReplacer(", promotion, vsa", "").Replace(deployedMap))
	one := image1("1")
	trust := gated("d-1111bbbb", one, "", verdict.Allow)
	trust.Point, trust.Layer, trust.From = trustPoint, verdict.LayerArtifact, []verdict.Digest{verdict.NewDigest("gitCommit", strings.Repeat("c", 40))}
	p.decided(trust)
	p.decided(gated("d-2222cccc", one, "production", verdict.Allow))
	_, talk := p.run(3, "attest", "deployment", "--map", file, "--env", "production", "--decision", "d-2222", one.Name+"@"+string(one.Digest))
	if !strings.Contains(talk, "d-2222cccc was signed by somebody whom the map does not trust with promotions") {
		t.Error(talk)
	}
	out, _ := p.run(0, "why", string(one.Digest), "--map", file)
	if strings.Contains(out, "made from") {
		t.Errorf("it is believed what it was made from: %s", out)
	}
}

// From a commit to what runs, and back: nobody should have to look it up in four tools.
func TestTheChainLeadsFromTheCommitToWhatRuns(t *testing.T) {
	p := newPerson(t)
	file := p.file("map.yaml", deployedMap)
	one := image1("1")
	commit := verdict.Subject{Kind: verdict.SubjectChange, Name: "payments-api", Digest: verdict.NewDigest("gitCommit", strings.Repeat("c", 40))}
	p.decided(verdict.Decision{ID: "d-0000aaaa", Point: "ci.secrets", Layer: verdict.LayerCI, Question: "Does it leak?", Mode: verdict.ModeBlock, Subject: commit, Outcome: verdict.Allow, Enforced: verdict.Allow})
	trust := gated("d-1111bbbb", one, "", verdict.Allow)
	trust.Point, trust.Layer, trust.From = trustPoint, verdict.LayerArtifact, []verdict.Digest{commit.Digest}
	p.decided(trust)
	p.decided(gated("d-2222cccc", one, "production", verdict.Allow))
	p.run(0, "attest", "deployment", "--map", file, "--env", "production", "--decision", "d-2222", one.Name+"@"+string(one.Digest))
	out, _ := p.run(0, "why", string(one.Digest), "--map", file)
	for _, want := range []string{"made from  commit cccccccccccc, as d-1111bbbb says", "✓ allowed: ci.secrets", "✓ allowed: artifact.trust", "✓ into production: allowed (d-2222cccc)", "runs in production as payments-api since"} {
		if !strings.Contains(out, want) {
			t.Errorf("why of the artifact lacks %q: %s", want, out)
		}
	}
	out, _ = p.run(0, "trail", string(one.Digest), "--map", file)
	for _, want := range []string{"built from this change, as artifact.trust took it", "ci.secrets allowed", "deployed into production as payments-api, by d-2222cccc"} {
		if !strings.Contains(out, want) {
			t.Errorf("trail of the artifact lacks %q: %s", want, out)
		}
	}
	out, _ = p.run(0, "why", string(commit.Digest), "--map", file)
	for _, want := range []string{"became  artifact ghcr.io/acme/payments-api 111111111111, as d-1111bbbb says", "✓ into production: allowed (d-2222cccc)", "runs in production as payments-api since"} {
		if !strings.Contains(out, want) {
			t.Errorf("why of the commit lacks %q: %s", want, out)
		}
	}
	out, _ = p.run(0, "trail", string(commit.Digest), "--map", file)
	for _, want := range []string{"built from it, as artifact.trust took it", "deploy.gate allowed", "deployed into production as payments-api, by d-2222cccc"} {
		if !strings.Contains(out, want) {
			t.Errorf("trail of the commit lacks %q: %s", want, out)
		}
	}
}
