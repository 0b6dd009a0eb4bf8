package decide_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/policy"
)

// trustMap lets one key state everything, and knows one builder for it.
const trustMap = `schema: verdict/v1
services:
  payments: {team: payments, owner: lead@acme.example, repo: https://github.com/acme/shop}
  web: {team: web, owner: lead@acme.example, repo: https://github.com/acme/shop}
points: [{id: artifact.trust, mode: block}, {id: code.ownership, mode: block}, {id: code.review, mode: block}]
trust:
  - {name: pipeline, key: local, kinds: ["*"], services: ["*"]}
  - {name: second, key: second, kinds: [provenance, sbom], services: ["*"]}
builders:
  - {name: release, key: local, builder: "https://ci.example/b", level: 2, build_types: ["https://ci.example/t/v1"], parameters: [repository, ref]}
`

var artifact = verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/payments", Digest: verdict.NewDigest("sha256", strings.Repeat("b", 64))}

// build is what a test says of a build; the zero value is the sound one.
type build struct {
	builder, buildType, source, commit, parameter string
}

func (b build) json() string {
	or := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	source, commit := or(b.source, "https://github.com/acme/shop"), or(b.commit, commit.Digest.Hex())
	return fmt.Sprintf(`{"buildDefinition":{"buildType":%q,"externalParameters":{"repository":%q,"ref":"refs/heads/main"%s},
		"resolvedDependencies":[{"uri":"git+%s@refs/heads/main","digest":{"gitCommit":%q}}]},"runDetails":{"builder":{"id":%q},"metadata":{"finishedOn":"2026-11-20T08:00:00Z"}}}`,
		or(b.buildType, "https://ci.example/t/v1"), source, b.parameter, source, commit, or(b.builder, "https://ci.example/b"))
}

func (h *house) attest(signer string, k verdict.Kind, about verdict.Subject, predicate string) ledger.Entry {
	h.t.Helper()
	s, err := evidence.New(k, []verdict.Subject{about}, json.RawMessage(predicate), verdict.Context{At: h.now}, rand.Reader)
	must(h.t, err)
	return h.append(signer, s)
}

const aBill = `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"x","version":"1.0.0","purl":"pkg:npm/x@1.0.0"}]}`

// indexed records that the artifact is an index, and the bills of its platforms; "" for one
// that has none.
func (h *house) indexed(bills ...string) { h.indexedBy("local", bills...) }

func (h *house) indexedBy(signer string, bills ...string) {
	h.t.Helper()
	about := []verdict.Subject{artifact}
	for i, bill := range bills {
		p := verdict.Subject{Kind: verdict.SubjectArtifact, Name: artifact.Name, Digest: verdict.NewDigest("sha256", strings.Repeat(fmt.Sprint(i+1), 64))}
		about = append(about, p)
		if bill != "" {
			h.attest("local", verdict.KindSBOM, p, bill)
		}
	}
	s, err := evidence.New(verdict.KindImage, about, verdict.Image{Name: artifact.Name, Digest: artifact.Digest}, verdict.Context{At: h.now}, rand.Reader)
	must(h.t, err)
	h.append(signer, s)
}

// checkCommit states and decides everything about the commit for a service.
func (h *house) checkCommit(service string) {
	h.t.Helper()
	h.stateCode("local", sound())
	for _, check := range []string{"secrets", "vulnerabilities", "dependencies"} {
		r := clean(check)
		if check == "vulnerabilities" {
			r.Database = &verdict.Database{Name: "osv", At: h.now}
		}
		h.report("local", r)
	}
	for _, point := range []string{"code.ownership", "code.review", "ci.secrets", "ci.vulnerabilities", "ci.dependencies"} {
		if d := h.decideFor(point, service); d.Outcome != verdict.Allow {
			h.t.Fatalf("%s: %s %s %+v", point, d.Outcome, rulesOf(d), d.Errors)
		}
	}
}

func (h *house) trust(about verdict.Subject, service string) verdict.Decision {
	h.t.Helper()
	d, _, err := h.engine.Decide(h.ctx, decide.Request{Point: "artifact.trust", Subject: about, Service: service, Team: h.engine.Map.Services[service].Team, Trigger: "test", Actor: "key:test"})
	must(h.t, err)
	return d
}

// missing gives the items of the generic rule.
func missing(d verdict.Decision) string {
	var out []string
	for _, r := range d.Reasons {
		if r.Rule == decide.EvidenceMissing {
			for _, i := range r.Items {
				out = append(out, i.Key)
			}
		}
	}
	return strings.Join(out, " ")
}

// What is missing where the commit is not known, and where nothing is told of the build.
const (
	everyEarly = "dependencies-check ownership-record review-record secrets-check vulnerabilities-check"
	allButBill = "dependencies-check ownership-record provenance review-record secrets-check signature vulnerabilities-check"
)

// A digest that is trusted though a part is missing, foreign or forged is what an attacker
// wants to have promoted.
func TestAnArtifactIsTrustedForWhatIsKnownOfItAlone(t *testing.T) {
	good := func(h *house) {
		h.checkCommit("payments")
		h.attest("local", verdict.KindSBOM, artifact, aBill)
	}
	for _, c := range []struct {
		name    string
		tell    func(h *house)
		rules   string // that fail, without notes
		missing string
		says    string
	}{
		{"everything is there", func(h *house) { good(h); h.attest("local", verdict.KindProvenance, artifact, build{}.json()) }, "", "", ""},
		{"nobody tells the build", good, "evidence.missing", allButBill, "not known"},
		{"an unknown builder", func(h *house) {
			good(h)
			h.attest("local", verdict.KindProvenance, artifact, build{builder: "https://evil.example/b"}.json())
		}, "artifact.trust.provenance evidence.missing", everyEarly, "no entry of builders"},
		{"a build type that the map does not know", func(h *house) {
			good(h)
			h.attest("local", verdict.KindProvenance, artifact, build{buildType: "https://ci.example/t/v2"}.json())
		}, "artifact.trust.provenance evidence.missing", everyEarly, "build type"},
		{"a fork", func(h *house) {
			good(h)
			h.attest("local", verdict.KindProvenance, artifact, build{source: "https://github.com/mallory/shop"}.json())
		}, "artifact.trust.provenance evidence.missing", everyEarly, "https://github.com/mallory/shop"},
		{"a parameter that the map does not know", func(h *house) {
			good(h)
			h.attest("local", verdict.KindProvenance, artifact, build{parameter: `,"debug":true`}.json())
		}, "artifact.trust.provenance evidence.missing", everyEarly, "debug"},
		{"a commit in upper case", func(h *house) {
			good(h)
			h.attest("local", verdict.KindProvenance, artifact, build{commit: strings.Repeat("A", 40)}.json())
		}, "evidence.missing", allButBill, "not a digest"},
		{"the builder's words under another signature", func(h *house) {
			good(h)
			h.attest("second", verdict.KindProvenance, artifact, build{}.json())
		}, "artifact.trust.provenance evidence.missing", everyEarly, "signs otherwise"},
		{"a signer without the right", func(h *house) {
			good(h)
			h.attest("stranger", verdict.KindProvenance, artifact, build{}.json())
		}, "evidence.missing", allButBill, "does not trust"},
		{"another digest's provenance", func(h *house) {
			good(h)
			other := artifact
			other.Digest = verdict.NewDigest("sha256", strings.Repeat("c", 64))
			h.attest("local", verdict.KindProvenance, other, build{}.json())
		}, "evidence.missing", allButBill, "nobody has stated"},
		{"an unchecked commit", func(h *house) {
			good(h)
			h.attest("local", verdict.KindProvenance, artifact, build{commit: strings.Repeat("d", 40)}.json())
		}, "evidence.missing", everyEarly, "verdict ci"},
		{"a commit that was checked for another service", func(h *house) {
			h.checkCommit("web")
			h.attest("local", verdict.KindSBOM, artifact, aBill)
			h.attest("local", verdict.KindProvenance, artifact, build{}.json())
		}, "evidence.missing", everyEarly, "for web, and not for payments"},
		{"a commit with a secret", func(h *house) {
			good(h)
			h.report("local", leaked())
			h.decideFor("ci.secrets", "payments")
			h.attest("local", verdict.KindProvenance, artifact, build{}.json())
		}, "artifact.trust.checked", "", "ci.secrets decided deny"},
		{"a bill of another digest", func(h *house) {
			h.checkCommit("payments")
			h.attest("local", verdict.KindSBOM, artifact, strings.Replace(aBill, `"components"`, `"metadata":{"component":{"type":"container","name":"x","hashes":[{"alg":"SHA-256","content":"`+strings.Repeat("c", 64)+`"}]}},"components"`, 1))
			h.attest("local", verdict.KindProvenance, artifact, build{}.json())
		}, "evidence.missing", "sbom", "bill of sha256:cccc"},
		{"a bill that names its own digest among others", func(h *house) {
			h.checkCommit("payments")
			h.attest("local", verdict.KindSBOM, artifact, strings.Replace(aBill, `"components"`, `"metadata":{"component":{"type":"container","name":"x","hashes":[{"alg":"SHA-256","content":"`+artifact.Digest.Hex()+`"}]}},"components"`, 1))
			h.attest("local", verdict.KindProvenance, artifact, build{}.json())
		}, "", "", ""},
		{"an index whose platforms have bills", func(h *house) {
			h.checkCommit("payments")
			h.attest("local", verdict.KindProvenance, artifact, build{}.json())
			h.indexed(aBill, aBill)
		}, "", "", ""},
		{"an index of which one platform has none", func(h *house) {
			h.checkCommit("payments")
			h.attest("local", verdict.KindProvenance, artifact, build{}.json())
			h.indexed(aBill, "")
		}, "evidence.missing", "sbom", "of 1 of them there is no bill"},
		{"an index of which one platform has the bill of another digest", func(h *house) {
			h.checkCommit("payments")
			h.attest("local", verdict.KindProvenance, artifact, build{}.json())
			h.indexed(aBill, strings.Replace(aBill, `"components"`, `"metadata":{"component":{"type":"container","name":"x","hashes":[{"alg":"SHA-256","content":"`+strings.Repeat("9", 64)+`"}]}},"components"`, 1))
		}, "evidence.missing", "sbom", "bill of sha256:9999"},
		{"an index by the word of a stranger", func(h *house) {
			h.checkCommit("payments")
			h.attest("local", verdict.KindProvenance, artifact, build{}.json())
			h.indexedBy("stranger", aBill)
		}, "evidence.missing", "sbom", "nobody has stated"},
		{"a second build elsewhere takes nothing from the one that counts", func(h *house) {
			good(h)
			h.attest("local", verdict.KindProvenance, artifact, build{}.json())
			h.attest("second", verdict.KindProvenance, artifact, build{source: "https://github.com/mallory/shop"}.json())
		}, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, trustMap)
			h.enroll("second")
			h.enroll("stranger")
			c.tell(h)
			d := h.trust(artifact, "payments")
			var rules []string
			for _, r := range d.Reasons {
				if r.Effect != verdict.EffectNote {
					rules = append(rules, r.Rule)
				}
			}
			slices.Sort(rules)
			told, err := json.Marshal(d.Reasons)
			must(t, err)
			if got := strings.Join(rules, " "); got != c.rules || missing(d) != c.missing || (d.Enforced == verdict.Allow) != (c.rules == "") || !strings.Contains(string(told), c.says) {
				t.Errorf("%s because of %q, missing %q; errors %+v\n%s", d.Enforced, got, missing(d), d.Errors, told)
			}
			if from := len(d.From) == 1 && d.From[0].Algorithm() == "gitCommit"; from != !strings.Contains(c.rules+c.missing, "provenance") {
				t.Errorf("made from %v", d.From)
			}
			if out := h.replay(d.ID); !out.Same || out.Facts.State != verdict.StateVerified {
				t.Errorf("replay: %+v, %q", out.Facts, out.Difference)
			}
		})
	}
}

// inputOf is what a decision rested on.
func (h *house) inputOf(d verdict.Decision) *policy.Input {
	h.t.Helper()
	_, s, err := h.ledger.DecisionStatement(h.ctx, d.ID, ledger.Now)
	must(h.t, err)
	var rec struct {
		Basis decide.Basis `json:"basis"`
	}
	must(h.t, s.Decode(&rec))
	in, err := policy.ParseInput(rec.Basis.Input)
	must(h.t, err)
	return in
}

func TestWhatTheRulesSeeOfAnArtifact(t *testing.T) {
	h := newHouse(t, trustMap)
	h.checkCommit("payments")
	h.attest("local", verdict.KindSBOM, artifact, aBill)
	h.attest("local", verdict.KindProvenance, artifact, build{}.json())
	summary, err := json.Marshal(evidence.Summary{Verifier: evidence.SummaryVerifier{ID: evidence.SourceVerifier}, Result: evidence.SummaryPassed, Levels: []string{evidence.SourceReviewed, evidence.SourceLevel(2)}})
	must(t, err)
	h.attest("local", verdict.KindVSA, commit, string(summary))
	a := h.inputOf(h.trust(artifact, "payments")).Artifact
	if a.State != verdict.StateVerified || a.Signature.By != "local" || a.Provenance.SLSA != 2 || a.Provenance.Known != "release" || a.Provenance.Commit != commit.Digest ||
		a.Source.SLSA != 2 || !a.Source.Reviewed || a.SBOM.Components != 1 || a.SBOM.Inventory != "unknown" || a.BuiltAt != "2026-11-20T08:00:00Z" || len(a.Checked) != 3 || len(a.Reviewed) != 2 {
		t.Errorf("%+v", a)
	}
}

// What is under a licence in any platform of an index is in the index: a rule about licences
// would else pass by the bill of one platform alone.
func TestTheLicencesOfAnIndexAreThoseOfAllItsPlatforms(t *testing.T) {
	h := newHouse(t, trustMap)
	h.checkCommit("payments")
	h.attest("local", verdict.KindProvenance, artifact, build{}.json())
	under := func(id string) string {
		return strings.Replace(aBill, `"purl"`, `"licenses":[{"license":{"id":"`+id+`"}}],"purl"`, 1)
	}
	h.indexed(under("MIT"), under("AGPL-3.0-only"), aBill)
	var ids []string
	got := h.inputOf(h.trust(artifact, "payments")).Artifact.Licences
	for _, l := range got.Declared {
		ids = append(ids, l.Expression)
	}
	if fmt.Sprint(ids) != "[AGPL-3.0-only MIT]" || got.Components != 3 || got.Unknown != 1 {
		t.Errorf("the licences of the index are %+v", got)
	}
}

// Under which licences an artifact is, and of how much of it nobody knows, is a fact of its
// digest: a bill that says nothing of it must not read as one without refused licences.
func TestLicencesAreAFactOfTheDigest(t *testing.T) {
	component := func(licences string) string {
		return `{"type":"library","name":"x","version":"1.0.0","purl":"pkg:npm/x@1.0.0"` + licences + `}`
	}
	bill := func(components string) string {
		return `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[` + components + `]}`
	}
	const none = "no bill"
	for name, c := range map[string]struct {
		bill string
		want policy.Licences
	}{
		"no bill":                   {none, policy.Licences{State: verdict.StateMissing}},
		"a bill that names nothing": {bill(""), policy.Licences{State: verdict.StateUnknown}},
		"one that declares none":    {bill(component("")), policy.Licences{State: verdict.StateVerified, Components: 1, Unknown: 1}},
		"an expression": {bill(component(`,"licenses":[{"expression":"MIT OR AGPL-3.0-only"}]`)), policy.Licences{State: verdict.StateVerified, Components: 1,
			Declared: []policy.Licence{{Expression: "MIT OR AGPL-3.0-only", IDs: []string{"AGPL-3.0-only", "MIT"}, Components: 1}}}},
		"one of another digest": {strings.Replace(bill(component(`,"licenses":[{"license":{"id":"MIT"}}]`)), `"components"`, `"metadata":{"component":{"type":"container","name":"x","hashes":[{"alg":"SHA-256","content":"`+strings.Repeat("c", 64)+`"}]}},"components"`, 1),
			policy.Licences{State: verdict.StateFailed, Components: 1, Declared: []policy.Licence{{Expression: "MIT", IDs: []string{"MIT"}, Components: 1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, trustMap)
			h.checkCommit("payments")
			if c.bill != none {
				h.attest("local", verdict.KindSBOM, artifact, c.bill)
			}
			h.attest("local", verdict.KindProvenance, artifact, build{}.json())
			got := h.inputOf(h.trust(artifact, "payments")).Artifact.Licences
			if got.Evidence == "" && c.bill != none {
				t.Error("it names no evidence")
			}
			if got.Evidence = ""; c.want.Declared == nil {
				c.want.Declared = []policy.Licence{}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, not %+v", got, c.want)
			}
		})
	}
}

// A summary by somebody who may not speak of reviews gives no level.
func TestASourceLevelIsWorthWhatItsSignerMayState(t *testing.T) {
	h := newHouse(t, trustMap)
	h.enroll("second")
	h.checkCommit("payments")
	h.attest("local", verdict.KindProvenance, artifact, build{}.json())
	h.attest("second", verdict.KindVSA, commit, `{"verifier":{"id":"https://x.example"},"verificationResult":"PASSED","verifiedLevels":["SLSA_SOURCE_LEVEL_4"]}`)
	h.attest("local", verdict.KindVSA, commit, `{"verifier":{"id":"https://x.example"},"verificationResult":"FAILED","verifiedLevels":["SLSA_SOURCE_LEVEL_4"]}`)
	if a := h.inputOf(h.trust(artifact, "payments")).Artifact; a.Source.State != verdict.StateMissing || a.Source.SLSA != 0 {
		t.Errorf("%+v", a.Source)
	}
}

// Without this, a digest that nobody tested is promoted under the name of one that was.
func TestASecondDigestOfOneCommitIsTold(t *testing.T) {
	h := newHouse(t, trustMap)
	h.checkCommit("payments")
	second, other := artifact, artifact
	second.Digest = verdict.NewDigest("sha256", strings.Repeat("e", 64))
	other.Name, other.Digest = "ghcr.io/acme/web", verdict.NewDigest("sha256", strings.Repeat("f", 64))
	for _, x := range []verdict.Subject{artifact, second, other} {
		h.attest("local", verdict.KindSBOM, x, aBill)
		h.attest("local", verdict.KindProvenance, x, build{}.json())
	}
	first := h.trust(artifact, "payments")
	h.trust(other, "payments")
	h.now = h.now.Add(time.Minute)
	d := h.trust(second, "payments")
	if d.Outcome != verdict.Allow || !strings.Contains(rulesOf(d), "artifact.trust.rebuilt") || strings.Contains(rulesOf(first), "rebuilt") {
		t.Errorf("%s because of %s, and before %s", d.Outcome, rulesOf(d), rulesOf(first))
	}
	if got := h.inputOf(d).Artifact.Rebuilds; len(got) != 1 || got[0].Digest != artifact.Digest {
		t.Errorf("%+v", got)
	}
	// Two manifests of one image are one build.
	both, err := evidence.New(verdict.KindImage, []verdict.Subject{artifact, second}, verdict.Image{Name: artifact.Name, Digest: second.Digest}, verdict.Context{At: h.now}, rand.Reader)
	must(t, err)
	h.append("local", both)
	if d := h.trust(second, "payments"); strings.Contains(rulesOf(d), "rebuilt") {
		t.Errorf("the manifests of one image: %s", rulesOf(d))
	}
	if out := h.replay(d.ID); !out.Same {
		t.Errorf("replay: %q", out.Difference)
	}
}

// What an earlier statement said cannot be told any more; what is there is still compared.
func TestReplayWithoutTheProvenanceSaysThatFactsAreUnknown(t *testing.T) {
	h := newHouse(t, trustMap)
	h.checkCommit("payments")
	h.attest("local", verdict.KindSBOM, artifact, aBill)
	said := h.attest("local", verdict.KindProvenance, artifact, build{}.json())
	d := h.trust(artifact, "payments")
	r := &decide.Replayer{Ledger: another{Ledger: h.ledger, missing: said.Index}, KeyName: h.keyName}
	out, err := r.Replay(h.ctx, d.ID, ledger.Now)
	must(t, err)
	if !out.Same || out.Facts.State != verdict.StateUnknown {
		t.Errorf("%+v, %q", out.Facts, out.Difference)
	}
}

// levelRule lets a test see what a deploy point is given of an artifact.
const levelRule = `# METADATA
# title: The level that was verified
# custom:
#   id: acme.gate
#   effect: deny
#   severity: high
#   remediation: build it at a higher level
#   owner: acme
package acme.gate

import input.artifact

check := {"status": "fail", "message": sprintf("level %d, %d rebuilds", [artifact.provenance.slsa, count(artifact.rebuilds)]), "observed": {"level": artifact.provenance.slsa}, "expected": {"level": 4}, "items": []} if {
	artifact.state in {"verified", "present"}
	artifact.provenance.slsa < 4
} else := {"status": "skip", "message": "not trusted", "observed": {"state": artifact.state}, "expected": {"state": "verified"}}
`

// A gate that weighed provenance anew could come to another answer than the one that was given
// to everybody.
func TestALaterPointTakesWhatTheTrustRestedOn(t *testing.T) {
	h := newHouse(t, strings.Replace(trustMap, "points: [", "environments: {dev: {tier: dev}}\npoints: [{id: deploy.gate, mode: block, needs: [vsa], policy: acme.gate}, ", 1)+"  - {name: later, key: local, builder: \"https://ci.example/later\", level: 1, build_types: [\"https://ci.example/t/v1\"]}\n")
	var err error
	h.engine.Policy, err = policy.Compile(map[string]string{"gate.rego": levelRule}, policy.CompileOptions{})
	must(t, err)
	h.checkCommit("payments")
	h.attest("local", verdict.KindSBOM, artifact, aBill)
	gate := func() verdict.Decision {
		d, _, err := h.engine.Decide(h.ctx, decide.Request{Point: "deploy.gate", Subject: artifact, Service: "payments", Team: "payments", Environment: "dev", Trigger: "test", Actor: "key:test"})
		must(t, err)
		return d
	}
	h.trust(artifact, "payments") // denied: nobody told the build
	if d := gate(); missing(d) != "vsa" || rulesOf(d) != "evidence.missing" {
		t.Errorf("an artifact that is not trusted: %s, missing %q", rulesOf(d), missing(d))
	}
	h.attest("local", verdict.KindProvenance, artifact, build{}.json())
	h.trust(artifact, "payments")
	h.attest("local", verdict.KindProvenance, artifact, build{builder: "https://ci.example/later"}.json()) // after the trust: not weighed
	d := gate()
	if len(d.Reasons) != 1 || d.Reasons[0].Message != "level 2, 0 rebuilds" || len(d.From) != 0 {
		t.Errorf("%+v", d.Reasons)
	}
	second := artifact
	second.Digest = verdict.NewDigest("sha256", strings.Repeat("e", 64))
	h.attest("local", verdict.KindSBOM, second, aBill)
	h.attest("local", verdict.KindProvenance, second, build{}.json())
	h.trust(second, "payments")
	if d = gate(); len(d.Reasons) != 1 || d.Reasons[0].Message != "level 2, 1 rebuilds" {
		t.Errorf("a rebuild since: %+v", d.Reasons)
	}
	if out := h.replay(d.ID); !out.Same || out.Facts.State != verdict.StateVerified {
		t.Errorf("replay: %+v, %q", out.Facts, out.Difference)
	}
}

// What older cosign signed is a signature like any other: by whom the map trusts with it, about
// the digest that its payload names.
func TestASignatureOfOlderCosignCounts(t *testing.T) {
	by := evidence.Producer{Identity: "release@acme.example", Issuer: "https://issuer.example"}
	h := newHouse(t, strings.Replace(trustMap, "trust:\n", "trust:\n  - {name: cosign, identity: release@acme.example, issuer: https://issuer.example, kinds: [signature], services: [\"*\"]}\n", 1))
	h.checkCommit("payments")
	h.attest("local", verdict.KindSBOM, artifact, aBill)
	const unsigned = "dependencies-check ownership-record provenance review-record secrets-check vulnerabilities-check"
	sign := func(of verdict.Digest, by evidence.Producer) {
		payload := fmt.Sprintf(`{"critical":{"identity":{"docker-reference":"ghcr.io/acme/payments"},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"}}`, of)
		b, err := evidence.CosignBundle(evidence.SimpleSigning, []byte(payload), map[string]string{evidence.CosignSignature: "c2ln"})
		must(t, err)
		_, err = h.ledger.Ingest(h.ctx, b, by, h.keys["local"], verdict.Context{At: h.now})
		must(t, err)
	}
	sign(verdict.NewDigest("sha256", strings.Repeat("c", 64)), by)
	sign(artifact.Digest, evidence.Producer{Identity: "mallory@example.com", Issuer: "https://issuer.example"})
	if d := h.trust(artifact, "payments"); missing(d) != allButBill {
		t.Errorf("by the signature of another digest, or of somebody else: missing %q", missing(d))
	}
	sign(artifact.Digest, by)
	if d := h.trust(artifact, "payments"); missing(d) != unsigned {
		t.Errorf("signed: missing %q", missing(d))
	}
}
