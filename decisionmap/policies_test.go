package decisionmap

import (
	"strings"
	"testing"
)

// A name that is read in two ways would let another bundle decide than the one that was
// reviewed.
func TestABundleIsBesideTheMapOrElsewhere(t *testing.T) {
	const hex = "5f1e9a0000000000000000000000000000000000000000000000000000000000"
	const pin = "@sha256:" + hex
	for _, c := range []struct {
		name   string
		p      Policies
		path   string
		pin    string
		beside bool
		wrong  string // empty: nothing is
	}{
		{"the built-in one", Policies{Bundle: BuiltinBundle}, "", "", false, ""},
		{"a folder", Policies{Bundle: "policy" + pin}, "policy", "sha256:" + hex, true, ""},
		{"an archive further down", Policies{Bundle: "rules/policy.tar.gz" + pin}, "rules/policy.tar.gz", "sha256:" + hex, true, ""},
		{"a name with an @", Policies{Bundle: "p@x" + pin}, "p@x", "sha256:" + hex, true, ""},
		{"without a pin", Policies{Bundle: "policy"}, "policy", "", true, "not pinned"},
		{"with a short pin", Policies{Bundle: "policy@sha256:5f1e"}, "policy", "", true, "not pinned"},
		{"with a pin in capitals", Policies{Bundle: "policy@sha256:" + strings.ToUpper(hex)}, "policy", "", true, "not pinned"},
		{"above the map", Policies{Bundle: "../policy" + pin}, "", "sha256:" + hex, true, "no path from the folder"},
		{"anywhere", Policies{Bundle: "/etc/policy" + pin}, "", "sha256:" + hex, true, "no path from the folder"},
		{"the map's own folder", Policies{Bundle: "." + pin}, "", "sha256:" + hex, true, "no path from the folder"},
		{"not written plainly", Policies{Bundle: "./policy" + pin}, "", "sha256:" + hex, true, "no path from the folder"},
		{"a path of Windows", Policies{Bundle: `rules\policy` + pin}, "", "sha256:" + hex, true, "no path from the folder"},
		{"no name", Policies{Bundle: pin}, "", "sha256:" + hex, true, "no path from the folder"},
		{"with a signer that nobody would look for", Policies{Bundle: "policy" + pin, Verify: Verify{Key: "release"}}, "policy", "sha256:" + hex, true, "no signature is looked for"},
		{"in a registry", Policies{Bundle: "oci://registry.example/policy" + pin, Verify: Verify{Key: "release"}}, "", "", false, ""},
		{"in a registry, unsigned", Policies{Bundle: "oci://registry.example/policy" + pin}, "", "", false, "names no signer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, digest, beside := c.p.Beside()
			if path != c.path || string(digest) != c.pin || beside != c.beside {
				t.Errorf("%q, %q, %v", path, digest, beside)
			}
			if got := strings.Join(c.p.Wrong(), " and "); (got == "") != (c.wrong == "") || !strings.Contains(got, c.wrong) {
				t.Errorf("wrong is %q, not %q", got, c.wrong)
			}
		})
	}
}
