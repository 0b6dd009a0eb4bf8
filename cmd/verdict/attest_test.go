package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/ci"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/policy"
)

// person runs the real command line as somebody with a home of their own.
type person struct {
	t    *testing.T
	home string
}

func newPerson(t *testing.T) person {
	t.Helper()
	return person{t, t.TempDir()}
}

func (p person) run(want int, args ...string) (stdout, stderr string) {
	p.t.Helper()
	var out, talk bytes.Buffer
	env := []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}
	if code := run(context.Background(), env, strings.NewReader(""), &out, &talk, args); code != want {
		p.t.Fatalf("verdict %s ended with %d, want %d\n%s%s", strings.Join(args, " "), code, want, out.String(), talk.String())
	}
	return out.String(), talk.String()
}

func (p person) file(name, content string) string {
	p.t.Helper()
	path := filepath.Join(p.home, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// trustedRoot is the log's own, as an export of it holds.
func (p person) trustedRoot(origin string) string {
	p.t.Helper()
	key, err := evidence.OpenLogKey(filepath.Join(p.home, ".local/share/verdict/keys", logKeyFile))
	if err != nil {
		p.t.Fatal(err)
	}
	root, err := evidence.TrustedRoot(evidence.TrustedLog{Origin: origin, Public: key.Public(), Start: time.Unix(0, 0)})
	if err != nil {
		p.t.Fatal(err)
	}
	return p.file(origin+".json", string(root))
}

// Whoever gets a bundle of ours can check that our log holds it, with nothing but the
// log's public key. A bundle whose proof is another statement's, or of another log, must
// not pass.
func TestABundleOfOursIsVerifiedAgainstItsLog(t *testing.T) {
	p, other := newPerson(t), newPerson(t)
	bom := p.file("bom.json", `{"bomFormat":"CycloneDX","specVersion":"1.6"}`)
	app, lib := p.file("app", "an archive"), p.file("lib", "another one")
	appBundle, libBundle := filepath.Join(p.home, "app.json"), filepath.Join(p.home, "lib.json")
	p.run(0, "attest", "sbom", bom, "--subject", app, "-o", "bundle="+appBundle)
	p.run(0, "attest", "sbom", bom, "--subject", lib, "-o", "bundle="+libBundle)
	pem, _ := p.run(0, "keys", "show", "local")
	key := p.file("local.pub", pem)
	note, _ := p.run(0, "log", "checkpoint")
	origin, _, _ := strings.Cut(note, "\n")
	root := p.trustedRoot(origin)

	out, _ := p.run(0, "verify", app, "--bundle", appBundle, "--key", key, "--trusted-root", root)
	if !strings.Contains(out, "a log that the trusted root names holds this very statement") {
		t.Errorf("the answer does not say that the log was checked:\n%s", out)
	}

	other.run(0, "attest", "sbom", bom, "--subject", app)
	if _, talk := p.run(3, "verify", app, "--bundle", appBundle, "--key", key, "--trusted-root", other.trustedRoot(origin)); !strings.Contains(talk, "does not hold") {
		t.Errorf("another log's key: %s", talk)
	}

	entries := func(path string) (bundle, material map[string]json.RawMessage) {
		raw, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(raw, &bundle)
		}
		if err == nil {
			err = json.Unmarshal(bundle["verificationMaterial"], &material)
		}
		if err != nil {
			t.Fatal(err)
		}
		return bundle, material
	}
	write := func(name string, bundle, material map[string]json.RawMessage) string {
		m, err := json.Marshal(material)
		if err != nil {
			t.Fatal(err)
		}
		bundle["verificationMaterial"] = m
		raw, err := json.Marshal(bundle)
		if err != nil {
			t.Fatal(err)
		}
		return p.file(name, string(raw))
	}
	bundle, mine := entries(appBundle)
	_, theirs := entries(libBundle)
	mine["tlogEntries"] = theirs["tlogEntries"]
	p.run(3, "verify", app, "--bundle", write("swapped.json", bundle, mine), "--key", key, "--trusted-root", root)
	delete(mine, "tlogEntries")
	bare := write("bare.json", bundle, mine)
	if _, talk := p.run(3, "verify", app, "--bundle", bare, "--key", key, "--trusted-root", root); !strings.Contains(talk, "no log entry") {
		t.Errorf("without its entry: %s", talk)
	}
	if out, _ := p.run(0, "verify", app, "--bundle", bare, "--key", key); !strings.Contains(out, "the bundle has no log entry") {
		t.Errorf("that there is no log entry is not said:\n%s", out)
	}
}

// What a public builder signed with a certificate, and who it was.
const (
	wild         = "../../evidence/sigstore/testdata/wild/"
	wildIdentity = "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main"
	wildIssuer   = "https://token.actions.githubusercontent.com"
)

// fromTheWild is its bundle as v0.3: it was made as v0.1, which holds the same parts in another
// place.
func fromTheWild(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile(wild + "bundle.sigstore.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	doc["mediaType"] = evidence.BundleType
	m := doc["verificationMaterial"].(map[string]any)
	m["certificate"] = m["x509CertificateChain"].(map[string]any)["certificates"].([]any)[0]
	delete(m, "x509CertificateChain")
	if raw, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	return raw
}

// Evidence that a public builder made for the world is believed by its identity, issuer
// and root alone, and recorded as a claim of that builder.
func TestEvidenceFromTheWildIsVerifiedAndRecorded(t *testing.T) {
	p := newPerson(t)
	const identity, issuer = wildIdentity, wildIssuer
	raw := fromTheWild(t)
	b, err := evidence.ParseBundle(raw)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Statement()
	if err != nil {
		t.Fatal(err)
	}
	bundle, digest := p.file("wild.json", string(raw)), string(s.Subjects[0].Digest)
	believe := func(identity, issuer string) []string {
		return []string{"--bundle", bundle, "--certificate-identity", identity, "--certificate-oidc-issuer", issuer, "--trusted-root", wild + "trusted_root.json"}
	}
	out, _ := p.run(0, append([]string{"verify", digest, "--type", "provenance"}, believe(identity, issuer)...)...)
	for _, want := range []string{"It holds.", "release.yml@refs/heads/main by", "a log that the trusted root names", "any file: the digest was taken as it was given"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("the answer lacks %q:\n%s", want, out)
		}
	}
	p.run(3, append([]string{"verify", digest}, believe(identity+"x", issuer)...)...)
	p.run(3, append([]string{"verify", digest}, believe(identity, "https://acme.example")...)...)
	p.run(3, append([]string{"verify", strings.Replace(digest, digest[7:9], "00", 1)}, believe(identity, issuer)...)...)

	if _, talk := p.run(3, append([]string{"attest"}, believe(identity+"x", issuer)...)...); !strings.Contains(talk, "was not made by") {
		t.Errorf("another identity: %s", talk)
	}
	out, _ = p.run(0, append([]string{"attest", "--subject", digest, "-o", "json"}, believe(identity, issuer)...)...)
	var recorded attested
	if err := json.Unmarshal([]byte(out), &recorded); err != nil {
		t.Fatal(err)
	}
	if !recorded.Foreign || recorded.Known || recorded.Kind != verdict.KindProvenance || recorded.Producer != identity+" "+issuer {
		t.Errorf("recorded as %+v", recorded)
	}
	p.run(0, "log", "verify")
}

// A kind that is in neither list could be attested by nobody, or, worse, by anybody.
func TestEachKindIsEitherAttestedOrStatedByVerdict(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../evidence.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			if !strings.HasPrefix(v.Names[0].Name, "Kind") || v.Names[0].Name == "KindOther" {
				continue
			}
			word, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			k := verdict.Kind(word)
			if _, ours := reserved[k]; ours == slices.Contains(statable, k) {
				t.Errorf("%s: reserved %v, and the other way round in statable", k, ours)
			}
			if _, _, err := readKind(evidence.PredicateType(k)); (err != nil) != (reserved[k] != "") {
				t.Errorf("%s by its URI: %v", k, err)
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d kinds were found in the vocabulary", seen)
	}
}

// What is stated under the wrong type is found by nobody who looks for the right one.
func TestThePredicateSaysItsType(t *testing.T) {
	for _, c := range []struct{ name, word, predicate, want string }{
		{"CycloneDX by the kind's word", "sbom", `{"bomFormat":"CycloneDX"}`, "https://cyclonedx.org/bom"},
		{"SPDX by the kind's word", "sbom", `{"spdxVersion":"SPDX-2.3"}`, "https://spdx.dev/Document"},
		{"SPDX 3 is not read yet", "sbom", `{"@context":"https://spdx.org/rdf/3.0.0/spdx-context.jsonld"}`, ""},
		{"another tool's document is no SBOM", "sbom", `{"bomFormat":"Other"}`, ""},
		{"a format that is no text", "sbom", `{"bomFormat":1}`, ""},
		{"provenance v1", "provenance", `{"buildDefinition":{},"runDetails":{}}`, "https://slsa.dev/provenance/v1"},
		{"provenance v0.2", "provenance", `{"builder":{},"buildType":"x"}`, "https://slsa.dev/provenance/v0.2"},
		{"provenance v0.1", "provenance", `{"builder":{},"recipe":{}}`, "https://slsa.dev/provenance/v0.1"},
		{"half a provenance", "provenance", `{"buildDefinition":{}}`, ""},
		{"a test result", "test-result", `{"result":"PASSED","configuration":[]}`, "https://in-toto.io/attestation/test-result/v0.1"},
		{"in-toto's vulnerabilities", "vulnerabilities", `{"scanner":{},"metadata":{}}`, "https://in-toto.io/attestation/vulns/v0.2"},
		{"cosign's vulnerabilities", "vulnerabilities", `{"invocation":{},"scanner":{},"metadata":{}}`, "https://cosign.sigstore.dev/attestation/vuln/v1"},
		{"OpenVEX", "vex", `{"@context":"https://openvex.dev/ns/v0.2.0","statements":[]}`, "https://openvex.dev/ns/v0.2.0"},
		{"a verification summary", "vsa", `{"verifier":{},"verificationResult":"PASSED"}`, "https://slsa.dev/verification_summary/v1"},
		{"a URI is kept as it is given", "https://cyclonedx.org/bom/v1.4", `{"bomFormat":"CycloneDX"}`, "https://cyclonedx.org/bom/v1.4"},
		{"a URI does not excuse the form", "https://cyclonedx.org/bom/v1.4", `{"spdx":1}`, ""},
		{"a type of nobody's", "urn:acme:load-test", `{}`, "urn:acme:load-test"},
		{"a kind of ours has no form of others", "change-review", `{}`, evidence.DefaultBase + "/change-review/v1"},
		{"a whole statement", "change-review", `{"_type":"x","subject":[],"predicateType":"y","predicate":{}}`, ""},
		{"an envelope", "change-review", `{"payload":"","payloadType":"x"}`, ""},
		{"a bundle", "change-review", `{"dsseEnvelope":{}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, typ, err := readKind(c.word)
			if err != nil {
				t.Fatal(err)
			}
			got, err := predicateOf(kind, typ, []byte(c.predicate))
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
			if err != nil && verdict.AsError(err).Remedy == "" {
				t.Errorf("no remedy: %v", err)
			}
		})
	}
}

func FuzzPredicateOf(f *testing.F) {
	for _, s := range shapes {
		seed := map[string]string{}
		for name, begins := range s.members {
			seed[name] = begins + "x"
		}
		raw, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(s.kind), raw)
	}
	f.Add("https://acme.example/x", []byte(`{"payload":null,"payloadType":0}`))
	f.Add("urn:x", []byte(`[`))
	f.Fuzz(func(t *testing.T, word string, raw []byte) {
		kind, typ, err := readKind(word)
		if err == nil {
			typ, err = predicateOf(kind, typ, raw)
		}
		if err == nil && (typ == "" || reserved[evidence.KindOf(typ)] != "") {
			t.Errorf("%q is stated as %q", word, typ)
		}
		if e := new(verdict.Error); err != nil && (!errors.As(err, &e) || e.Remedy == "") {
			t.Errorf("%q: no remedy: %v", word, err)
		}
	})
}

// A subject that is read as something else than was meant makes evidence about the
// wrong thing.
func TestSubjectsAreWhatWasTyped(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{"app.tar": "an archive\n", "a:b": "odd", "0123456789012345678901234567890123456789": "named like a commit"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const sum, id = "sha256:4cd36b3ca046f7c17e81e1aa31bf2dc6a91b98c94238810db57456b4904d3a22", "89e6c98d92887913cadf06b2adb97f26cde4849b"
	a := &app{progress: &progress{}}
	for _, c := range []struct {
		name, ref string
		want      verdict.Subject
		code      verdict.Code
	}{
		{"a file by its name", "app.tar", verdict.Subject{Kind: "artifact", Name: "app.tar", Digest: sum}, ""},
		{"a file by its path is named without the folders of this machine", "./app.tar", verdict.Subject{Kind: "artifact", Name: "app.tar", Digest: sum}, ""},
		{"a file with a colon", "a:b", verdict.Subject{Kind: "artifact", Name: "a:b", Digest: "sha256:0f2e8b7a"}, ""},
		{"a digest", sum, verdict.Subject{Digest: sum}, ""},
		{"a digest of a wrong length", "sha256:12", verdict.Subject{}, verdict.CodeInvalid},
		{"an algorithm that is broken", "sha1:" + id, verdict.Subject{}, verdict.CodeInvalid},
		{"an algorithm that nobody knows", "blake9:" + id, verdict.Subject{}, verdict.CodeInvalid},
		{"a commit by its digest", "gitCommit:" + id, verdict.Subject{Kind: "change", Digest: verdict.Digest("gitCommit:" + id)}, ""},
		{"a commit that git does not know here", id, verdict.Subject{Kind: "change", Digest: verdict.Digest("gitCommit:" + id)}, ""},
		{"a file named like a commit", "0123456789012345678901234567890123456789", verdict.Subject{}, verdict.CodeUsage},
		{"64 digits", strings.Repeat("ab", 32), verdict.Subject{}, verdict.CodeUsage},
		{"an image", "ghcr.io/acme/app@" + sum, verdict.Subject{Kind: "artifact", Name: "ghcr.io/acme/app", Digest: sum}, ""},
		{"an image with port and tag", "localhost:5000/app:1.2@" + sum, verdict.Subject{Kind: "artifact", Name: "localhost:5000/app", Digest: sum}, ""},
		{"an image by a commit", "ghcr.io/acme/app@gitCommit:" + id, verdict.Subject{}, verdict.CodeUsage},
		{"an image without a name", "@" + sum, verdict.Subject{}, verdict.CodeUsage},
		{"an image with an address", "https://ghcr.io/acme/app@" + sum, verdict.Subject{}, verdict.CodeUsage},
		{"a tag", "ghcr.io/acme/app:1.2", verdict.Subject{}, verdict.CodeUsage},
		{"a tag of a plain name", "app:latest", verdict.Subject{}, verdict.CodeUsage},
		{"a tag that is a commit's id", "ghcr.io/acme/app:" + id, verdict.Subject{}, verdict.CodeUsage},
		{"an image without tag and digest", "ghcr.io/acme/app", verdict.Subject{}, verdict.CodeUsage},
		{"nothing that is there", "nowhere", verdict.Subject{}, verdict.CodeNotFound},
		{"a path that is not there", "dist/nowhere.tar", verdict.Subject{}, verdict.CodeNotFound},
		{"a folder", ".", verdict.Subject{}, verdict.CodeInvalid},
		{"what git would take for a flag", "--all", verdict.Subject{}, verdict.CodeNotFound},
		{"two lines", "HEAD\nHEAD", verdict.Subject{}, verdict.CodeNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := a.subject(context.Background(), c.ref)
			if c.code != "" {
				if e := verdict.AsError(err); err == nil || e.Code != c.code || e.Remedy == "" {
					t.Errorf("%+v, %v; want %s", got, err, c.code)
				}
				return
			}
			if err != nil || got.Kind != c.want.Kind || got.Name != c.want.Name || !strings.HasPrefix(string(got.Digest), strings.Split(string(c.want.Digest), "0f2e")[0]) {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

// The digest of a file that is being written is the digest of no file.
func TestAFileThatChangesWhileItIsReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "growing")
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{progress: &progress{}}
	err := a.consume(context.Background(), path, func(r io.Reader) error {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return err
		}
		return os.WriteFile(path, make([]byte, 5000), 0o600)
	})
	if verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeConflict {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.digestFile(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted command went on reading: %v", err)
	}
}

// A newcomer's file must load and lint without an error, whatever the repository holds
// and is called.
func TestTheMapThatInitWritesLintsWithWarningsOnly(t *testing.T) {
	rules, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprintf("infra-%d", i))
	}
	for _, c := range []struct {
		name string
		x    begun
	}{
		{"an empty repository", begun{}},
		{"a repository with everything", begun{Remote: "https://github.com/acme/payments-api.git", Lockfiles: []string{"go.mod"}, Unread: []string{"yarn.lock"}, Infrastructure: []string{"infra", "."}}},
		{"names that would act in a file", begun{Remote: "ssh://x/\n- \"a\": b # c", Lockfiles: []string{"a\nadopting: false\n/go.mod", "b\u202e/go.mod"}, Infrastructure: []string{"x\ny", "a: b", `c"d`, "*e"}}},
		{"more than fits", begun{Lockfiles: slices.Repeat([]string{"a/go.mod"}, 500), Infrastructure: many}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.x.Until = now.Add(decisionmap.AdoptingTime).Format(time.DateOnly)
			text := c.x.file("payments-api")
			m, err := decisionmap.Load("verdict.yaml", []byte(text))
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if !m.Adopting || len(m.Services) != 0 {
				t.Errorf("adopting %v, services %v", m.Adopting, m.Services)
			}
			for _, p := range m.Points {
				if p.Mode != verdict.ModeObserve {
					t.Errorf("%s would %s", p.ID, p.Mode)
				}
			}
			for _, p := range decisionmap.Lint(m, rules, decisionmap.LintOptions{Now: now}) {
				if p.Severity == decisionmap.SeverityError {
					t.Errorf("%s: %s", p.ID, p.What)
				}
			}
			filled := strings.NewReplacer("# service:", "service:", "# team:   #", "team: payments #", "# owner:  #", "owner: lead@acme.example #", "# repo:", "repo:", "# iac:", "iac:").Replace(text)
			if m, err = decisionmap.Load("verdict.yaml", []byte(filled)); err != nil {
				t.Fatalf("filled in: %v\n%s", err, filled)
			}
			for _, p := range decisionmap.Lint(m, rules, decisionmap.LintOptions{Now: now}) {
				if p.Severity == decisionmap.SeverityError {
					t.Errorf("filled in: %s: %s", p.ID, p.What)
				}
			}
		})
	}
}

// A form that the map takes and nobody reads, or the other way round, would be found out
// in a pipeline.
func TestTheMapKnowsTheFormsThatAreRead(t *testing.T) {
	if !slices.Equal(decisionmap.Formats, ci.ResultFormats()) {
		t.Errorf("the map takes %v, and what is read is %v", decisionmap.Formats, ci.ResultFormats())
	}
	for _, word := range ci.ResultFormats() {
		if _, _, err := readKind(word); err == nil {
			t.Errorf("%s is a form and a kind", word)
		}
	}
}

// Whoever copies the rule of the document has to have one that was tried.
func TestTheRuleInTheDocumentIsTheOneThatIsTried(t *testing.T) {
	doc, err := os.ReadFile("../../docs/design/other-tools.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/script/tools-rule.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, rule, found := strings.Cut(string(doc), "```rego\n")
	rule, _, ended := strings.Cut(rule, "```")
	if !found || !ended || !strings.Contains(string(script), rule) {
		t.Error("the rule in docs/design/other-tools.md is not the one of tools-rule.txtar")
	}
}
