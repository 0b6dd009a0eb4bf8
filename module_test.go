package verdict

import (
	"path/filepath"
	"strings"
	"testing"
)

const someCommit = "7c1f791efd61f326ed6102d564d1a65d1eceedf0"

// Two spellings of one source that were told apart would refuse what was approved; two
// sources that were taken for one would let in what was not.
func TestAModuleSourceHasOneSpelling(t *testing.T) {
	sum := "sha256:" + strings.Repeat("a", 64)
	for text, want := range map[string]struct {
		source, fixed string
		kind          ModuleKind
	}{
		"./net":                {"./net", "", ModuleLocal},
		"../net":               {"../net", "", ModuleLocal},
		"hashicorp/consul/aws": {"hashicorp/consul/aws", "", ModuleRegistry},
		"registry.terraform.io/hashicorp/consul/aws//modules/x":                            {"hashicorp/consul/aws//modules/x", "", ModuleRegistry},
		"registry.opentofu.org/hashicorp/consul/aws":                                       {"hashicorp/consul/aws", "", ModuleRegistry},
		"App.Terraform.io/acme/k8s/azurerm":                                                {"app.terraform.io/acme/k8s/azurerm", "", ModuleRegistry},
		"localhost:8080/acme/k8s/azurerm":                                                  {"localhost:8080/acme/k8s/azurerm", "", ModuleRegistry},
		"github.com/acme/net":                                                              {"git::https://github.com/acme/net", "", ModuleGit},
		"github.com/acme/net//vpc?ref=v1.2.0":                                              {"git::https://github.com/acme/net//vpc", "", ModuleGit},
		"github.com/acme/net/vpc/small?ref=" + someCommit:                                  {"git::https://github.com/acme/net//vpc/small", someCommit, ModuleGit},
		"github.com/acme/net.git//vpc/?ref=" + someCommit:                                  {"git::https://github.com/acme/net//vpc", someCommit, ModuleGit},
		"git::https://u:secret@GitHub.com/acme/net.git?ref=" + strings.ToUpper(someCommit): {"git::https://github.com/acme/net", someCommit, ModuleGit},
		"git::https://github.com/acme/net?depth=1&ref=" + someCommit:                       {"git::https://github.com/acme/net", "", ModuleGit},
		"git::https://github.com/acme/net?ref=" + someCommit[:12]:                          {"git::https://github.com/acme/net", "", ModuleGit},
		"git::https://github.com/acme/net?ref=main&ref=" + someCommit:                      {"git::https://github.com/acme/net", "", ModuleGit},
		"git@github.com:acme/net.git//vpc?ref=" + someCommit:                               {"git::ssh://git@github.com/acme/net//vpc", someCommit, ModuleGit},
		"git::git@github.com:acme/net.git":                                                 {"git::ssh://git@github.com/acme/net", "", ModuleGit},
		"git::ssh://git@host:2222/acme/net.git?sshkey=c2VjcmV0":                            {"git::ssh://git@host:2222/acme/net", "", ModuleGit},
		"bitbucket.org/acme/net":                                                           {"git::https://bitbucket.org/acme/net", "", ModuleGit},
		"hg::https://h.example/net?rev=1":                                                  {"hg::https://h.example/net?rev=1", "", ModuleArchive},
		"https://a.example/net.zip":                                                        {"https://a.example/net.zip", "", ModuleArchive},
		"https://a.example/net.zip//vpc?checksum=" + sum:                                   {"https://a.example/net.zip//vpc", sum, ModuleArchive},
		"https://a.example/net?archive=zip&checksum=" + sum:                                {"https://a.example/net?archive=zip", sum, ModuleArchive},
		"https://a.example/net?checksum=" + sum:                                            {"https://a.example/net?checksum=sha256%3A" + strings.Repeat("a", 64), "", ModuleArchive},
		"https://a.example/n.zip?archive=false&checksum=" + sum:                            {"https://a.example/n.zip?archive=false&checksum=sha256%3A" + strings.Repeat("a", 64), "", ModuleArchive},
		"s3::https://s3.amazonaws.com/b/n.zip?aws_access_key_secret=x&region=eu":           {"s3::https://s3.amazonaws.com/b/n.zip?region=eu", "", ModuleArchive},
		"oci://ghcr.io/acme/net//vpc?digest=" + sum:                                        {"oci://ghcr.io/acme/net//vpc", sum, ModuleOCI},
		"oci://ghcr.io/acme/net?tag=1.0":                                                   {"oci://ghcr.io/acme/net", "", ModuleOCI},
	} {
		s, err := ParseModuleSource(text)
		if err != nil || s.String() != want.source || s.Fixed() != want.fixed || s.Kind != want.kind {
			t.Errorf("%s: %q fixed by %q (%s): %v", text, s, s.Fixed(), s.Kind, err)
		}
		if again, err := ParseModuleSource(s.At(s.Fixed())); err != nil || !again.Is(s) || again.Fixed() != s.Fixed() {
			t.Errorf("%s: what it is written as, %s, is another: %+v, %v", text, s.At(s.Fixed()), again, err)
		}
	}
	for _, text := range []string{
		"", " ./a", "a", "acme/net", "a\nb", "gitlab.com/acme/net/x", "bucket.s3.amazonaws.com/net.zip", "/opt/net", "github.com/acme", "git::", "svn::https://x.example/y",
		"git::https://github.com/acme/net//../other", "https://a.example/net.zip//*", "git::https://github.com/acme/net?ref=%zz", "mailto:a@b.example", `c:\net`, strings.Repeat("a", 3000),
	} {
		if s, err := ParseModuleSource(text); err == nil {
			t.Errorf("%q is taken for %+v", text, s)
		}
	}
}

func FuzzModuleSource(f *testing.F) {
	for _, s := range []string{"hashicorp/consul/aws", "github.com/a/b/c?ref=x", "git@h:a/b", "https://a.example/x.zip//y?checksum=z", "oci://h/r?tag=1", "git::ssh://git@h/x.git//a?depth=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseModuleSource(text)
		if err != nil {
			return
		}
		again, err := ParseModuleSource(s.String())
		if err != nil || !again.Is(s) {
			t.Fatalf("%q is %+v, and written as %q it is %+v (%v)", text, s, s, again, err)
		}
		if s.Kind != ModuleLocal && s.Subdir != "" && !filepath.IsLocal(s.Subdir) {
			t.Fatalf("%q leads out: %q", text, s.Subdir)
		}
	})
}
