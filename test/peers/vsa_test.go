package peers

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a consumer expects of a summary of ours.
const (
	summaryType     = "https://slsa.dev/verification_summary/v1"
	summaryVerifier = "https://verdict.example/artifact"
	summaryResource = "pkg:generic/app.tar"
	summaryLevel    = "SLSA_BUILD_LEVEL_2"
)

const trustingMap = `schema: verdict/v1
service: shop
team: shop
owner: lead@acme.example
repo: https://github.com/acme/shop
points: [{id: artifact.trust, mode: block, needs: [signature, provenance]}]
builders:
  - {name: release, key: local, builder: "https://ci.example/builder", level: 2, build_types: ["https://ci.example/job/v1"], parameters: [repository]}
`

const trustedBuild = `{"buildDefinition":{"buildType":"https://ci.example/job/v1","externalParameters":{"repository":"https://github.com/acme/shop"},
 "resolvedDependencies":[{"uri":"git+https://github.com/acme/shop@refs/heads/main","digest":{"gitCommit":"0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"}}]},
 "runDetails":{"builder":{"id":"https://ci.example/builder"}}}`

// summarized is an artifact with the summary that Verdict states of it.
type summarized struct {
	export
	digest string // of the file, in hex
}

// trusted builds a world in which a file is trusted, or refused when build is another one.
func (w *world) trusted(t *testing.T, build string, exit int) summarized {
	t.Helper()
	x := summarized{export: export{dir: w.path("log"), file: w.write(t, "app.tar", "the artifact"), bundle: w.path("vsa.sigstore.json"), kind: summaryType}}
	sum := sha256.Sum256([]byte("the artifact"))
	x.digest = hex.EncodeToString(sum[:])
	w.write(t, "verdict.yaml", trustingMap)
	w.write(t, "build.json", build)
	for _, args := range [][]string{
		{"init", "-q", "-b", "main", "."}, {"remote", "add", "origin", "https://github.com/acme/shop"}, {"config", "user.email", "ada@acme.example"}, {"config", "user.name", "Ada"}, {"add", "verdict.yaml"}, {"commit", "-q", "-m", "map"},
		{"add", "app.tar"}, {"commit", "-q", "-m", "change"},
	} {
		if code, said := w.run(t, true, "git", args...); code != 0 {
			t.Fatalf("git %s: %s", strings.Join(args, " "), said)
		}
	}
	w.must(t, "attest", "provenance", "build.json", "--subject", "app.tar")
	if code, said := w.run(t, true, w.verdict, "artifact", "trust", "./app.tar", "-o", "text", "-o", "bundle="+x.bundle, "-o", "envelope="+w.path("vsa.dsse.json")); code != exit {
		t.Fatalf("verdict artifact trust: exit %d\n%s", code, said)
	}
	w.must(t, "log", "export", "--out", x.dir)
	return x
}

// expected is what slsa-verifier is told to expect.
type expected struct{ digest, verifier, resource, level string }

func (x summarized) expected() expected {
	return expected{"sha256:" + x.digest, summaryVerifier, summaryResource, summaryLevel}
}

// verifiesSummary asks slsa-verifier, without network.
func (w *world) verifiesSummary(t *testing.T, envelope, key string, e expected) (bool, string) {
	t.Helper()
	exit, said := w.run(t, true, filepath.Join(program(t, "slsa-verifier"), "slsa-verifier"), "verify-vsa", "--subject-digest", e.digest, "--attestation-path", envelope,
		"--verifier-id", e.verifier, "--resource-uri", e.resource, "--verified-level", e.level, "--public-key-path", key)
	return exit == 0 && strings.Contains(said, "PASSED"), said
}

// A user hands the summary to somebody who has public tools and no Verdict.
func TestPublicToolsAcceptTheSummaryOfATrustedArtifact(t *testing.T) {
	w := newWorld(t)
	x := w.trusted(t, trustedBuild, 0)
	if ok, said := w.verifiesSummary(t, w.path("vsa.dsse.json"), x.key(), x.expected()); !ok {
		t.Errorf("slsa-verifier refuses it:\n%s", said)
	}
	lower := x.expected()
	lower.level = "SLSA_BUILD_LEVEL_1"
	if ok, said := w.verifiesSummary(t, w.path("vsa.dsse.json"), x.key(), lower); !ok {
		t.Errorf("slsa-verifier refuses it for a lower level:\n%s", said)
	}
	if ok, said := w.verifies(t, x.export); !ok {
		t.Errorf("cosign refuses it:\n%s", said)
	}
}

// Whatever of a summary is changed, nobody may be told that the artifact was verified.
func TestNobodyAcceptsAChangedSummary(t *testing.T) {
	w, o := newWorld(t), newWorld(t)
	x, other := w.trusted(t, trustedBuild, 0), o.trusted(t, trustedBuild, 0) // another key, another log
	rewrite := func(from, to string) func(t *testing.T, b document) {
		return func(t *testing.T, b document) {
			was := string(payloadOf(t, b))
			changed := strings.Replace(was, from, to, 1)
			if changed == was {
				t.Fatalf("the payload does not hold %s: %s", from, was)
			}
			b.within(t, "dsseEnvelope")["payload"] = base64.StdEncoding.EncodeToString([]byte(changed))
		}
	}
	elsewhere := "f" + x.digest[1:]
	if x.digest[0] == 'f' {
		elsewhere = "e" + x.digest[1:]
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, b document)
		asked  func(e *expected) // what a consumer who believed the change would ask for
	}{
		{"another subject", rewrite(x.digest, elsewhere), func(e *expected) { e.digest = "sha256:" + elsewhere }},
		{"another verifier", rewrite(summaryVerifier, "https://verdict.example/burglar"), func(e *expected) { e.verifier = "https://verdict.example/burglar" }},
		{"another resource", rewrite(summaryResource, "pkg:generic/other.tar"), func(e *expected) { e.resource = "pkg:generic/other.tar" }},
		{"a higher level", rewrite(summaryLevel, "SLSA_BUILD_LEVEL_3"), func(e *expected) { e.level = "SLSA_BUILD_LEVEL_3" }},
		{"another result", rewrite(`"PASSED"`, `"FAILED"`), func(*expected) {}},
		{"another signature", func(t *testing.T, b document) {
			b.within(t, "dsseEnvelope")["signatures"] = readJSON(t, other.bundle).within(t, "dsseEnvelope")["signatures"]
		}, func(*expected) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := readJSON(t, x.bundle)
			c.change(t, b)
			y := x.export
			y.bundle = b.writeJSON(t, filepath.Join(t.TempDir(), "vsa.sigstore.json"))
			envelope := b.within(t, "dsseEnvelope").writeJSON(t, filepath.Join(t.TempDir(), "vsa.dsse.json"))
			if ok, said := w.verifies(t, y); ok {
				t.Errorf("cosign accepts it:\n%s", said)
			}
			e := x.expected()
			c.asked(&e)
			if ok, said := w.verifiesSummary(t, envelope, x.key(), e); ok {
				t.Errorf("slsa-verifier accepts it:\n%s", said)
			}
			// The summary as it is, asked for what it does not say.
			if e != x.expected() {
				if ok, said := w.verifiesSummary(t, w.path("vsa.dsse.json"), x.key(), e); ok {
					t.Errorf("slsa-verifier accepts the summary for %+v:\n%s", e, said)
				}
			}
		})
	}
	if ok, said := w.verifiesSummary(t, w.path("vsa.dsse.json"), other.key(), x.expected()); ok {
		t.Errorf("slsa-verifier accepts it by another key:\n%s", said)
	}
	y := x.export
	y.dir = w.path("theirs")
	if err := os.CopyFS(y.dir, os.DirFS(x.dir)); err != nil {
		t.Fatal(err)
	}
	copyInto(t, &y, "key.pub", other.export)
	if ok, said := w.verifies(t, y); ok {
		t.Errorf("cosign accepts it by another key:\n%s", said)
	}
}

// A refusal that is signed is no permission.
func TestNobodyTakesAFailedSummaryForAPass(t *testing.T) {
	w := newWorld(t)
	x := w.trusted(t, strings.Replace(trustedBuild, "https://ci.example/builder", "https://ci.example/stranger", 1), 3)
	e := x.expected()
	if ok, said := w.verifiesSummary(t, w.path("vsa.dsse.json"), x.key(), e); ok || !strings.Contains(said, "FAILED") {
		t.Errorf("slsa-verifier accepts it, or for another reason refuses it:\n%s", said)
	}
}
