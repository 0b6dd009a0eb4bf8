package evidence_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/evidence"
)

const (
	aCommit     = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
	otherCommit = "f9e8d7c6b5a493827160504f3e2d1c0b9a876543"
)

// Shapes as their builders write them, cut to what is read.
const (
	githubV1 = `{"buildDefinition":{"buildType":"https://actions.github.io/buildtypes/workflow/v1",
  "externalParameters":{"workflow":{"ref":"refs/heads/main","repository":"https://github.com/acme/shop","path":".github/workflows/release.yml"}},
  "internalParameters":{"github":{"event_name":"push"}},
  "resolvedDependencies":[{"uri":"git+https://github.com/acme/shop@refs/heads/main","digest":{"gitCommit":"` + aCommit + `"}}]},
 "runDetails":{"builder":{"id":"https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"},
  "metadata":{"invocationId":"https://github.com/acme/shop/actions/runs/1/attempts/1","startedOn":"2026-11-20T09:00:00Z","finishedOn":"2026-11-20T09:05:00Z"}}}`
	tektonV1 = `{"buildDefinition":{"buildType":"https://tekton.dev/chains/v2/slsa","externalParameters":{"runSpec":{"params":[]}},
  "resolvedDependencies":[{"uri":"git+https://github.com/tektoncd/catalog.git","digest":{"sha1":"` + otherCommit + `"},"name":"pipeline"},
   {"uri":"oci://gcr.io/image","digest":{"sha256":"` + strings64 + `"}},
   {"uri":"git+https://github.com/acme/shop.git","digest":{"sha1":"` + aCommit + `"},"name":"inputs/result"}]},
 "runDetails":{"builder":{"id":"https://tekton.dev/chains/v2"}}}`
	cloudBuildV1 = `{"buildDefinition":{"buildType":"https://cloud.google.com/build/gcb-buildtypes/google-worker/v1",
  "externalParameters":{"buildConfigSource":{"path":"cloudbuild.yaml","ref":"refs/heads/main","repository":"git+https://github.com/acme/shop"},"substitutions":{"_A":"b"}},
  "resolvedDependencies":[{"digest":{"gitCommit":"` + aCommit + `"},"uri":"git+https://github.com/acme/shop@refs/heads/main"}]},
 "runDetails":{"builder":{"id":"https://cloudbuild.googleapis.com/GoogleHostedWorker"}}}`
	gitlabV1 = `{"buildDefinition":{"buildType":"https://gitlab.com/gitlab-org/gitlab-runner/-/blob/v17.1.0/PROVENANCE.md",
  "externalParameters":{"source":"https://gitlab.com/acme/shop","entryPoint":"build","CI_JOB_ID":""},
  "resolvedDependencies":[{"uri":"https://gitlab.com/acme/shop","digest":{"sha256":"` + aCommit + `"}}]},
 "runDetails":{"builder":{"id":"https://gitlab.com/acme/shop/-/runners/7"}}}`
	goBuilderV02 = `{"builder":{"id":"https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_go_slsa3.yml@refs/tags/v1.2.0"},
 "buildType":"https://github.com/slsa-framework/slsa-github-generator/go@v1",
 "invocation":{"configSource":{"uri":"git+https://github.com/acme/shop@refs/tags/v1.0.0","digest":{"sha1":"` + aCommit + `"},"entryPoint":".github/workflows/release.yml"},
  "parameters":{},"environment":{"github_event_payload":{"inputs":{"channel":"beta"}}}},
 "metadata":{"buildInvocationID":"1-1","completeness":{"parameters":true}},
 "materials":[{"uri":"git+https://github.com/acme/shop@refs/tags/v1.0.0","digest":{"sha1":"` + aCommit + `"}}]}`
	oldV01 = `{"builder":{"id":"https://example.org/builder"},"recipe":{"type":"https://example.org/make","definedInMaterial":1,"arguments":{"target":"all"}},
 "materials":[{"uri":"pkg:deb/debian/gcc@12","digest":{"sha256":"` + strings64 + `"}},{"uri":"git+ssh://git@git.example.org:2222/acme/shop.git@refs/heads/main","digest":{"sha1":"` + aCommit + `"}}]}`
	strings64 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
)

// A build that two tools describe in their own way is one build: a gate that read the source
// of one of them wrongly would trust a fork, or refuse what is right.
func TestEveryShapeOfProvenanceTellsItsSource(t *testing.T) {
	commit := verdict.NewDigest("gitCommit", aCommit)
	for _, c := range []struct {
		name, version, raw, source, ref string
		commit                          verdict.Digest
		parameters                      []string
	}{
		{"GitHub Actions, v1", evidence.ProvenanceV1, githubV1, "https://github.com/acme/shop", "refs/heads/main", commit, []string{"workflow"}},
		{"Tekton Chains: the fetched source, and not the pipeline's own", evidence.ProvenanceV1, tektonV1, "https://github.com/acme/shop.git", "", commit, []string{"runSpec"}},
		{"Cloud Build", evidence.ProvenanceV1, cloudBuildV1, "https://github.com/acme/shop", "refs/heads/main", commit, []string{"buildConfigSource", "substitutions"}},
		{"GitLab Runner, which writes a commit under sha256", evidence.ProvenanceV1, gitlabV1, "https://gitlab.com/acme/shop", "", commit, []string{"CI_JOB_ID", "entryPoint", "source"}},
		{"the Go builder, v0.2, with what somebody typed", evidence.ProvenanceV02, goBuilderV02, "https://github.com/acme/shop", "refs/tags/v1.0.0", commit, []string{"inputs.channel"}},
		{"v0.1, by the material of its recipe", evidence.ProvenanceV01, oldV01, "ssh://git@git.example.org:2222/acme/shop.git", "refs/heads/main", commit, []string{"target"}},
		{"v1 with a slash at the end of its type", evidence.ProvenanceV1 + "/", githubV1, "https://github.com/acme/shop", "refs/heads/main", commit, []string{"workflow"}},
		{"v1 of a source that no dependency resolves: no commit is known", evidence.ProvenanceV1,
			strings.Replace(githubV1, "git+https://github.com/acme/shop@", "git+https://github.com/mallory/shop@", 1), "https://github.com/acme/shop", "refs/heads/main", "", []string{"workflow"}},
		{"v1 that names no source: its first dependency in git", evidence.ProvenanceV1,
			strings.Replace(githubV1, `"workflow":{`, `"other":{`, 1), "https://github.com/acme/shop", "refs/heads/main", commit, []string{"other"}},
		{"a parameter that is spelled like the source's is no source", evidence.ProvenanceV1,
			strings.Replace(githubV1, `"repository":"https://github.com/acme/shop"`, `"repository":"https://github.com/mallory/shop","Repository":"https://github.com/acme/shop"`, 1),
			"https://github.com/mallory/shop", "refs/heads/main", "", []string{"workflow"}},
		{"v0.1 whose recipe comes from no material", evidence.ProvenanceV01, strings.Replace(oldV01, `"definedInMaterial":1,`, "", 1), "", "", "", []string{"target"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := evidence.ReadProvenance(c.version, []byte(c.raw))
			if err != nil {
				t.Fatal(err)
			}
			names := []string{}
			for _, x := range p.Parameters {
				names = append(names, x.Name)
			}
			if p.Source != c.source || p.Ref != c.ref || p.Commit != c.commit || !slices.Equal(names, c.parameters) {
				t.Errorf("source %q, ref %q, commit %q, parameters %q", p.Source, p.Ref, p.Commit, names)
			}
		})
	}
	p, err := evidence.ReadProvenance(evidence.ProvenanceV1, []byte(githubV1))
	if err != nil || p.Builder != "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main" || p.BuildType == "" || p.Invocation == "" ||
		p.Finished.IsZero() || !p.Started.Before(p.Finished) || len(p.Materials) != 1 || p.PredicateType != evidence.ProvenanceV1 {
		t.Errorf("%+v, %v", p, err)
	}
}

// What can be read in two ways is not read in the one that suits whoever wrote it.
func TestProvenanceThatContradictsItselfIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, version, raw, says string
		code                     verdict.Code
	}{
		{"a version that nobody knows", "https://slsa.dev/provenance/v9", githubV1, "not a version", verdict.CodeInvalid},
		{"a commit in upper case", evidence.ProvenanceV1, strings.Replace(githubV1, aCommit, strings.ToUpper(aCommit), 1), "not a digest", verdict.CodeInvalid},
		{"a digest in upper case", evidence.ProvenanceV1, strings.Replace(tektonV1, strings64, strings.ToUpper(strings64), 1), "not a digest", verdict.CodeInvalid},
		{"a sha256 of the wrong length", evidence.ProvenanceV1, strings.Replace(tektonV1, strings64, strings64[:40], 1), "not a digest", verdict.CodeInvalid},
		{"gitCommit and sha1 that differ", evidence.ProvenanceV1, strings.Replace(githubV1, `"gitCommit":"`+aCommit+`"`, `"gitCommit":"`+aCommit+`","sha1":"`+otherCommit+`"`, 1), "two commits", verdict.CodeInvalid},
		{"two commits of one source", evidence.ProvenanceV1, strings.Replace(githubV1, `"resolvedDependencies":[`, `"resolvedDependencies":[{"uri":"git+https://github.com/acme/shop.git","digest":{"gitCommit":"`+otherCommit+`"}},`, 1), "two commits", verdict.CodeInvalid},
		{"a commit in the address that is another one", evidence.ProvenanceV1, strings.Replace(githubV1, "shop@refs/heads/main\",\"digest", "shop@"+otherCommit+"\",\"digest", 1), "two commits", verdict.CodeInvalid},
		{"configSource and materials that differ", evidence.ProvenanceV02, strings.Replace(goBuilderV02, aCommit, otherCommit, 1), "two commits", verdict.CodeInvalid},
		{"a recipe in a material that is not there", evidence.ProvenanceV01, strings.Replace(oldV01, `"definedInMaterial":1`, `"definedInMaterial":7`, 1), "material 7", verdict.CodeInvalid},
		{"no builder", evidence.ProvenanceV1, strings.Replace(githubV1, `"id":`, `"nid":`, 1), "no builder", verdict.CodeInvalid},
		{"one name twice", evidence.ProvenanceV1, strings.Replace(githubV1, `"runDetails":`, `"runDetails":{},"runDetails":`, 1), "one way", verdict.CodeInvalid},
		{"another form", evidence.ProvenanceV1, `{"buildDefinition":[]}`, "form of its version", verdict.CodeInvalid},
		{"no JSON", evidence.ProvenanceV1, `{`, "one way", verdict.CodeInvalid},
		{"more parameters than anybody has", evidence.ProvenanceV1, strings.Replace(githubV1, `"workflow":{`, many(`"p%d":1,`, 1001)+`"workflow":{`, 1), "parameters", verdict.CodeLimit},
		{"an address without end", evidence.ProvenanceV1, strings.Replace(githubV1, "https://github.com/acme/shop/.github", "https://github.com/"+strings.Repeat("a", 5000), 1), "bytes", verdict.CodeLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := evidence.ReadProvenance(c.version, []byte(c.raw))
			var e *verdict.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Remedy == "" || !strings.Contains(e.What, c.says) {
				t.Fatalf("%v", err)
			}
		})
	}
}

func many(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// FuzzProvenance: whatever is read holds digests that are some, one commit, and sorted
// parameters, and reads the same again.
func FuzzProvenance(f *testing.F) {
	for _, raw := range []string{githubV1, tektonV1, cloudBuildV1, gitlabV1} {
		f.Add(uint8(0), []byte(raw))
	}
	f.Add(uint8(1), []byte(goBuilderV02))
	f.Add(uint8(2), []byte(oldV01))
	f.Add(uint8(0), []byte(`{"buildDefinition":{"externalParameters":{"source":"git+@://@#"}},"runDetails":{"builder":{"id":"x"}}}`))
	f.Fuzz(func(t *testing.T, version uint8, raw []byte) {
		typ := []string{evidence.ProvenanceV1, evidence.ProvenanceV02, evidence.ProvenanceV01}[version%3]
		p, err := evidence.ReadProvenance(typ, raw)
		if err != nil {
			return
		}
		if _, bad := verdict.ParseDigest(string(p.Commit)); p.Commit != "" && (bad != nil || p.Commit.Algorithm() != "gitCommit") {
			t.Fatalf("commit %q", p.Commit)
		}
		for _, m := range p.Materials {
			for _, d := range m.Digests {
				if _, err := verdict.ParseDigest(string(d)); err != nil {
					t.Fatalf("digest %q", d)
				}
			}
		}
		again, err := evidence.ReadProvenance(typ, raw)
		if err != nil || again.Source != p.Source || again.Commit != p.Commit || len(again.Parameters) != len(p.Parameters) || p.Builder == "" {
			t.Fatalf("%+v and %+v, %v", p, again, err)
		}
	})
}
