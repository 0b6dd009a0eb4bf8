package decisionmap

import (
	"strings"
	"testing"
)

const (
	moduleCommit = "7c1f791efd61f326ed6102d564d1a65d1eceedf0"
	moduleSum    = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
)

func approving(entries string) string {
	return "schema: verdict/v1\nmodules: {approved: [" + entries + "]}\n"
}

func TestApprovedModulesAreReadInOneSpelling(t *testing.T) {
	m := load(t, approving(`{source: "github.com/acme/net//vpc", ref: `+strings.ToUpper(moduleCommit)+`, note: reviewed}, {source: hashicorp/consul/aws, version: "0.11.0", digest: "`+moduleSum+`"},
 {source: "oci://ghcr.io/acme/net", digest: "sha256:`+strings.Repeat("a", 64)+`"}, {path: vendor/net, digest: "`+moduleSum+`"}`))
	x := m.Modules.Approved
	if len(x) != 4 || x[0].Source != "git::https://github.com/acme/net//vpc" || x[0].Ref != moduleCommit || x[0].Note != "reviewed" {
		t.Fatalf("read %+v", x)
	}
	again := load(t, string(must(t, m.Canonical)))
	if again.Digest() != m.Digest() {
		t.Error("its canonical form is another map")
	}
	if load(t, "schema: verdict/v1\n").Modules != nil {
		t.Error("who says nothing of modules is asked for approved ones")
	}
	if m := load(t, "schema: verdict/v1\nmodules: {from: 2027-02-01}\n"); m.Modules == nil || len(m.Modules.Approved) != 0 || m.Modules.From.IsZero() {
		t.Errorf("no module is approved: %+v", m.Modules)
	}
}

func must(t *testing.T, f func() ([]byte, error)) []byte {
	t.Helper()
	b, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An entry that looks like an approval and is compared with nothing would let in whatever
// carries the name.
func TestAnApprovalThatFixesNothingIsRefused(t *testing.T) {
	git := `source: "git::https://github.com/acme/net"`
	for text, want := range map[string]string{
		"{" + git + "}":                              "is no commit",
		"{" + git + ", ref: v1.2.0}":                 "is no commit",
		"{" + git + ", ref: 7c1f791efd61}":           "is no commit",
		"{" + git + ", ref: main, digest: \"h1:x\"}": "more about a module from git",
		`{source: "github.com/acme/net?ref=v1"}`:     "a version within its source",
		"{source: hashicorp/consul/aws, version: \"~> 5.0\", digest: \"" + moduleSum + "\"}":                 "not exact",
		"{source: hashicorp/consul/aws, version: 5.1.2}":                                                     "is none",
		"{source: hashicorp/consul/aws, digest: \"" + moduleSum + "\"}":                                      "not exact",
		"{source: hashicorp/consul/aws, version: 5.1.2, digest: \"h1:short\"}":                               "is none",
		"{source: hashicorp/consul/aws, version: 5.1.2, digest: \"sha256:" + strings.Repeat("a", 64) + "\"}": "only an address of OCI",
		"{source: \"https://a.example/n.zip\", digest: md5}":                                                 "is none",
		"{source: ./net, digest: \"" + moduleSum + "\"}":                                                     "a folder beside the call",
		"{source: net, digest: \"" + moduleSum + "\"}":                                                       "no address",
		"{digest: \"" + moduleSum + "\"}":                                                                    "neither or both",
		"{path: ../net, digest: \"" + moduleSum + "\"}":                                                      "no folder inside",
		"{path: ., digest: \"" + moduleSum + "\"}":                                                           "no folder inside",
		"{path: net}": "is none",
		"{path: net, digest: \"" + moduleSum + "\"}, {path: net/vpc, digest: \"" + moduleSum + "\"}":             "lies in",
		"{" + git + ", ref: " + moduleCommit + "}, {source: github.com/acme/net.git, ref: " + moduleCommit + "}": "approves what line",
		"{sauce: x}": `the nearest is "source"`,
		"x":          "expected a mapping",
	} {
		_, err := Load("verdict.yaml", []byte(approving(text)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Load("verdict.yaml", []byte("schema: verdict/v1\nmodules: {aproved: []}\n")); err == nil || !strings.Contains(err.Error(), `the nearest is "approved"`) {
		t.Errorf("an unknown key: %v", err)
	}
}

// A repository takes modules out of what its organisation approved, and approves none itself.
func TestARepositoryApprovesNoModuleOfItsOwn(t *testing.T) {
	one, other := "{source: github.com/acme/net, ref: "+moduleCommit+"}", "{source: github.com/mallory/net, ref: "+moduleCommit+"}"
	copied := func(digest string) string { return `{path: vendor/net, digest: "` + digest + `"}` }
	sums := []string{moduleSum, "h1:AAAAQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}
	for _, c := range []struct {
		name, org, repo string
		refused         bool
	}{
		{"one fewer", one + ", " + other, one, false},
		{"another", one, one + ", " + other, true},
		{"a copy that is held to a digest", one, one + ", " + copied(sums[0]), false},
		{"another content of a copy", copied(sums[0]), copied(sums[0]) + ", " + copied(sums[1]), true},
		{"a copy that is held to nothing", one + ", " + copied(sums[0]), one, true},
	} {
		org := load(t, "organization: acme\n"+approving(c.org))
		_, err := Merge(org, load(t, approving(c.repo)))
		if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "weakens") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	org := load(t, "organization: acme\nschema: verdict/v1\n")
	if _, err := Merge(org, load(t, approving(one))); err != nil {
		t.Errorf("a repository that asks for approved modules tightens: %v", err)
	}
	if _, err := Merge(load(t, "organization: acme\n"+approving(one)), load(t, "schema: verdict/v1\nmodules: {from: 2029-01-01}\n")); err == nil {
		t.Error("a repository puts the day off")
	}
	if c := Diff(load(t, approving(one)), load(t, "schema: verdict/v1\n")); len(c) != 1 || c[0].Effect != Loosens {
		t.Errorf("without the section: %+v", c)
	}
}
