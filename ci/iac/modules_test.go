package iac

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/mod/sumdb/dirhash"

	"verdict"
)

const (
	goodCommit  = "7c1f791efd61f326ed6102d564d1a65d1eceedf0"
	otherCommit = "ffffffffffffffffffffffffffffffffffffffff"
)

var (
	judgedAt = time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	fixedSum = "sha256:" + strings.Repeat("a", 64)
)

// downloaded is a tree with a module of a registry that calls another one.
var downloaded = fstest.MapFS{
	".terraform/modules/modules.json": {Data: []byte(`{"Modules":[{"Key":"","Source":"","Dir":"."},
 {"Key":"vpc","Source":"registry.terraform.io/acme/vpc/aws","Version":"5.1.2","Dir":".terraform/modules/vpc"},
 {"Key":"vpc.sg","Source":"registry.terraform.io/acme/sg/aws","Version":"1.0.0","Dir":".terraform/modules/vpc.sg/modules/x"},
 {"Key":"vpc.own","Source":"./modules/own","Dir":".terraform/modules/vpc/modules/own"},
 {"Key":"net","Source":"./net","Dir":"net"},
 {"Key":"net.vpc","Source":"registry.terraform.io/acme/vpc/aws","Version":"5.1.1","Dir":".terraform/modules/net.vpc"}]}`)},
	".terraform/modules/vpc/main.tf":             {Data: []byte("module \"sg\" {}\n")},
	".terraform/modules/vpc/.git/HEAD":           {Data: []byte("ref: x\n")},
	".terraform/modules/vpc.sg/modules/x/one.tf": {Data: []byte("# one\n")},
	".terraform/modules/net.vpc/main.tf":         {Data: []byte("# older\n")},
}

func sumOf(t *testing.T, dir string) string {
	t.Helper()
	digest, _, err := ModuleDigest(downloaded, dir)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// approvedThere approves what downloaded holds, and modules whose address fixes them.
func approvedThere(t *testing.T) ApprovedModules {
	return ApprovedModules{List: []ApprovedModule{
		{Source: "git::https://github.com/acme/net//vpc", Ref: goodCommit},
		{Source: "oci://ghcr.io/acme/net", Digest: fixedSum},
		{Source: "https://a.example/net.zip", Digest: fixedSum},
		{Source: "acme/vpc/aws", Version: "5.1.2", Digest: sumOf(t, ".terraform/modules/vpc")},
		{Source: "acme/sg/aws", Version: "1.0.0", Digest: sumOf(t, ".terraform/modules/vpc.sg")},
		{Path: "vendor/net", Digest: "h1:copy"},
	}}
}

func calling(name, source string, more ...string) string {
	return fmt.Sprintf("module %q {\n  source = %s\n  %s\n}\n", name, source, strings.Join(more, "\n  "))
}

// Each call is told as approved, as not approved, or as not checked; never as one of them
// for another.
func TestACallIsOfAnApprovedModuleOrIsTold(t *testing.T) {
	const asIs = `"`
	for _, c := range []struct {
		name, code string
		check      string // of the one problem; empty: none
		says       string // message, fix and severity
		open       string // what was not checked
	}{
		{"a commit that is approved", calling("m", `"github.com/acme/net//vpc?ref=`+goodCommit+asIs), "", "", ""},
		{"another spelling of it", calling("m", `"git::https://git@github.com/acme/net.git//vpc?ref=`+strings.ToUpper(goodCommit)+asIs), "", "", ""},
		{"another commit", calling("m", `"github.com/acme/net//vpc?ref=`+otherCommit+asIs), ModuleUnapproved, `high; approved is ` + goodCommit + `; write source = "git::https://github.com/acme/net//vpc?ref=` + goodCommit + `"`, ""},
		{"a tag", calling("m", `"github.com/acme/net//vpc?ref=v1.0.0"`), ModuleUnapproved, "can come to mean other content", ""},
		{"no ref", calling("m", `"github.com/acme/net//vpc"`), ModuleUnapproved, "whatever is there by then", ""},
		{"a branch that is named like a commit", calling("m", `"git::https://github.com/acme/net//vpc?depth=1&ref=`+goodCommit+asIs), ModuleUnapproved, "name of a branch", ""},
		{"another folder of the repository", calling("m", `"github.com/acme/net//admin?ref=`+goodCommit+asIs), ModuleUnapproved, `not approved; the nearest that is approved: source = "git::https://github.com/acme/net//vpc?ref=` + goodCommit, ""},
		{"a fork of the same name", calling("m", `"github.com/mallory/net//vpc?ref=`+goodCommit+asIs), ModuleUnapproved, "git::https://github.com/mallory/net//vpc, which is not approved; the nearest", ""},
		{"one of nobody", calling("m", `"mallory/evil/aws"`, `version = "1.0.0"`), ModuleUnapproved, "mallory/evil/aws, which is not approved", ""},
		{"a digest of OCI", calling("m", `"oci://ghcr.io/acme/net?digest=`+fixedSum+asIs), "", "", ""},
		{"a tag of OCI", calling("m", `"oci://ghcr.io/acme/net?tag=1.0"`), ModuleUnapproved, `write source = "oci://ghcr.io/acme/net?digest=` + fixedSum, ""},
		{"an archive with its checksum", calling("m", `"https://a.example/net.zip?checksum=`+fixedSum+asIs), "", "", ""},
		{"an archive without", calling("m", `"https://a.example/net.zip"`), ModuleUnapproved, "?checksum=" + fixedSum, ""},
		{"a version that is installed as approved", calling("vpc", `"acme/vpc/aws"`, `version = "= 5.1.2"`), "", "", ""},
		{"one that is not installed", calling("away", `"acme/vpc/aws"`, `version = "5.1.2"`), "", "", "its content was not checked, because it is not here"},
		{"a range of versions", calling("vpc", `"acme/vpc/aws"`, `version = "~> 5.0"`), ModuleUnapproved, `asks for "~> 5.0" of acme/vpc/aws, and approved is 5.1.2`, ""},
		{"any version", calling("vpc", `"acme/vpc/aws"`), ModuleUnapproved, `any version of acme/vpc/aws`, ""},
		{"another version", calling("vpc", `"acme/vpc/aws"`, `version = "5.1.1"`), ModuleUnapproved, `write version = "5.1.2"`, ""},
		{"a source that is computed", calling("m", "var.source"), ModuleUnapproved, "no plain text", ""},
		{"a version that is computed", calling("vpc", `"acme/vpc/aws"`, "version = var.v"), ModuleUnapproved, "no plain text", ""},
		{"an address that is none", calling("m", `"https://me:secret@a.example/x#y?token=secret"`), ModuleUnapproved, `("https://a.example/x#y") cannot be told`, ""},
		{"a path of the machine", calling("m", `"/opt/net"`), ModuleUnapproved, "cannot be told", ""},
		{"a folder of the tree", calling("m", `"./own"`), "", "", ""},
		{"a folder of the tree that looks like a download", calling("m", `"./.terraform/modules/own"`), ModuleUnapproved, "no code of the tree", ""},
		{"a copy that holds another content", calling("m", `"./vendor/net"`), ModuleOther, "critical; what lies in vendor/net is h1:changed, and approved is h1:copy", ""},
		{"a module within the copy", calling("m", `"./vendor/net/vpc"`), ModuleOther, "critical", ""},
		{"a folder that only begins like it", calling("m", `"./vendor/network"`), "", "", ""},
	} {
		x := NewModules(approvedThere(t), judgedAt)
		x.Tree, x.Copy = downloaded, func(folder string) (string, bool) { return "h1:changed", folder == "vendor/net" }
		r, err := x.Check(t.Context(), []File{{Path: "main.tf", Content: []byte(c.code)}})
		if err != nil {
			t.Fatal(err)
		}
		said, line := "", int64(2)
		for _, p := range r.Problems {
			said, line = string(p.Severity)+"; "+p.Message+"; "+p.Fix, p.Line
		}
		if want := min(len(c.check), 1); len(r.Problems) != want || want > 0 && r.Problems[0].Check != c.check || !containsAll(said, c.says) || line != 2 || strings.Contains(said, "secret@") {
			t.Errorf("%s: %+v", c.name, r.Problems)
		}
		if n := min(len(c.open), 1); len(r.Open) != n || n > 0 && (!strings.Contains(r.Open[0].Reason, c.open) || !r.Open[0].Blocks) {
			t.Errorf("%s: open %+v", c.name, r.Open)
		}
	}
}

// Where a module comes from is told in signed reports, and a password in it would be too.
func TestTheSourceOfAModuleIsToldWithoutItsPassword(t *testing.T) {
	code := calling("m", `"git::https://me:hunter2@git.acme.example/net.git?ref=v1"`) + calling("n", `"https://me:hunter2@a.example/x#y?aws_access_key_secret=hunter2"`) + calling("o", `"s3::https://s3.amazonaws.com/b/n.zip?aws_access_key_secret=hunter2"`)
	r, err := NewLibrary().Check(t.Context(), []File{{Path: "main.tf", Content: []byte(code)}})
	if err != nil || len(r.Open) != 3 || strings.Contains(fmt.Sprint(r.Open), "hunter2") || !strings.Contains(fmt.Sprint(r.Open), "git::https://git.acme.example/net?ref=v1") {
		t.Errorf("%+v, %v", r.Open, err)
	}
}

// containsAll looks for parts, between semicolons, in their order.
func containsAll(s, parts string) bool {
	for part := range strings.SplitSeq(parts, "; ") {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i:]
	}
	return true
}

// What a registry hands out under an approved version can be other content, in the module
// or in one that it calls.
func TestWhatIsInstalledIsComparedAndSoIsWhatItCalls(t *testing.T) {
	code := []File{
		{Path: "main.tf", Content: []byte(calling("vpc", `"acme/vpc/aws"`, `version = "5.1.2"`) + calling("net", `"./net"`))},
		{Path: "net/main.tf", Content: []byte(calling("vpc", `"acme/vpc/aws"`, `version = "5.1.2"`))},
		{Path: ".terraform/modules/vpc/main.tf", Content: []byte(calling("sg", `"mallory/evil/aws"`))},
	}
	judge := func(tree fstest.MapFS, list []ApprovedModule) []string {
		x := NewModules(ApprovedModules{List: list}, judgedAt)
		x.Tree = tree
		r, err := x.Check(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, p := range r.Problems {
			out = append(out, fmt.Sprintf("%s:%d %s %s", p.Path, p.Line, p.Resource, p.Check))
		}
		for _, n := range r.Open {
			out = append(out, "open "+n.Path+" "+n.Reason)
		}
		return out
	}
	all := approvedThere(t).List
	stale := "open net/main.tf module vpc comes from an approved source (acme/vpc/aws), and its content was not checked: in .terraform/modules/net.vpc lies another"
	if got := judge(downloaded, all); len(got) != 1 || !strings.HasPrefix(got[0], stale) {
		t.Errorf("all approved, and one that is not up to date: %q", got)
	}
	if got := judge(downloaded, slices.DeleteFunc(slices.Clone(all), func(m ApprovedModule) bool { return m.Source == "acme/sg/aws" })); len(got) != 2 || got[0] != "main.tf:2 module.vpc.module.sg VI-MOD-001" {
		t.Errorf("what an approved module calls is not approved: %q", got)
	}
	for file, want := range map[string]string{
		".terraform/modules/vpc/main.tf":             "main.tf:2 module.vpc VI-MOD-002",
		".terraform/modules/vpc/more.sh":             "main.tf:2 module.vpc VI-MOD-002",
		".terraform/modules/vpc.sg/other.tf":         "main.tf:2 module.vpc.module.sg VI-MOD-002", // beside the folder that is called
		".terraform/modules/vpc.sg/modules/x/one.tf": "main.tf:2 module.vpc.module.sg VI-MOD-002",
	} {
		tree := fstest.MapFS{}
		for p, f := range downloaded {
			tree[p] = f
		}
		tree[file] = &fstest.MapFile{Data: []byte("changed\n")}
		if got := judge(tree, all); len(got) != 2 || got[0] != want {
			t.Errorf("%s was changed: %q", file, got)
		}
	}
	link := fstest.MapFS{}
	for p, f := range downloaded {
		link[p] = f
	}
	link[".terraform/modules/vpc/l.tf"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("/etc/passwd")}
	if got := judge(link, all); len(got) != 2 || !strings.Contains(got[0], "is a link or no file") {
		t.Errorf("a link in it: %q", got)
	}
}

// Code in the other forms of Terraform and OpenTofu calls modules as well.
func TestCallsInJSONAndOpenTofuAreJudged(t *testing.T) {
	for name, code := range map[string]string{
		"a.tf.json": `{"module": {"m": {"source": "mallory/evil/aws"}}}`, "b.tf.json": `{"module": [{"m": {"source": "mallory/evil/aws"}}]}`,
		"c.tofu": calling("m", `"mallory/evil/aws"`), "d.tofu.json": `{"module": {"m": [{"source": "mallory/evil/aws"}]}}`,
	} {
		r, err := NewModules(ApprovedModules{}, judgedAt).Check(t.Context(), []File{{Path: name, Content: []byte(code)}})
		if err != nil || len(r.Problems) != 1 || r.Problems[0].Resource != "module.m" || r.Problems[0].Line == 0 {
			t.Errorf("%s: %+v, %v", name, r.Problems, err)
		}
	}
}

// Until its day the section is told and blocks nothing.
func TestUntilItsDayAnUnapprovedModuleIsTold(t *testing.T) {
	a := approvedThere(t)
	a.From = judgedAt.Add(24 * time.Hour)
	r, err := NewModules(a, judgedAt).Check(t.Context(), []File{{Path: "a.tf", Content: []byte(calling("m", `"mallory/evil/aws"`) + calling("n", `"acme/vpc/aws"`, `version = "5.1.2"`))}})
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Severity != verdict.SeverityMedium || !strings.Contains(r.Problems[0].Message, "blocks from 2026-11-30") || len(r.Open) != 1 || r.Open[0].Blocks {
		t.Errorf("%+v, %v", r, err)
	}
}

// The digest is one that other programs make too, and git's own folder is no part of it.
func TestTheDigestOfAModuleIsDirhash(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, downloaded); err != nil {
		t.Fatal(err)
	}
	want, err := dirhash.HashDir(dir+"/.terraform/modules/vpc.sg", "", dirhash.Hash1)
	if got := sumOf(t, ".terraform/modules/vpc.sg"); err != nil || got != want {
		t.Errorf("%s, want %s (%v)", got, want, err)
	}
	if _, files, err := ModuleDigest(downloaded, ".terraform/modules/vpc"); err != nil || files != 1 {
		t.Errorf("%d files, %v", files, err)
	}
	if _, _, err := ModuleDigest(downloaded, "nothing"); err == nil {
		t.Error("what is not there has a digest")
	}
}

// A plan tells calls of modules within modules, and is judged by what lies beside it.
func TestThePlanIsJudgedByWhatItCalls(t *testing.T) {
	tree := fstest.MapFS{"infra/main.tf": {Data: []byte("\nmodule \"vpc\" {\n}\nmodule far {\n}\n")}}
	for p, f := range downloaded {
		tree["infra/"+p] = f
	}
	plan := `{"format_version":"1.2","planned_values":{"root_module":{"child_modules":[{"address":"module.vpc[\"a.module.b\"]","child_modules":[{"address":"module.vpc[\"a.module.b\"].module.sg"}]},{"address":"module.hidden"}]}},
 "configuration":{"root_module":{"module_calls":{
 "vpc":{"source":"acme/vpc/aws","version_constraint":"5.1.2","module":{"module_calls":{"sg":{"source":"acme/sg/aws","version_constraint":"~> 1.0"},"own":{"source":"./modules/own"}}}},
 "far":{"source":"github.com/acme/net//vpc?ref=main"}}}}}`
	p, err := ReadPlan([]byte(plan))
	if err != nil {
		t.Fatal(err)
	}
	x := NewModules(approvedThere(t), judgedAt)
	x.Tree = tree
	r := x.CheckPlan(p, "tfplan.json", "infra")
	if len(r.Problems) != 1 || r.Problems[0].Resource != "module.far" || r.Problems[0].Path != "infra/main.tf" || r.Problems[0].Line != 4 {
		t.Errorf("%+v", r.Problems)
	}
	if len(r.Open) != 1 || !strings.Contains(r.Open[0].Reason, "module.hidden is planned") || !r.Open[0].Blocks {
		t.Errorf("%+v", r.Open)
	}
	x.Tree = nil
	if r := x.CheckPlan(p, "tfplan.json", "infra"); len(r.Problems) != 2 || r.Problems[1].Resource != "module.vpc.module.sg" || len(r.Open) != 2 {
		t.Errorf("without the tree: %+v", r)
	}
}

// A list of what is installed that leads out of its folder would have other content compared.
func TestAListThatLeadsElsewhereIsNotFollowed(t *testing.T) {
	for _, dir := range []string{"..", "/etc", "other", ".terraform/modules/vpc2", ".terraform/modules/vpc/../../x"} {
		if list, err := parseInstalled(".", fmt.Appendf(nil, `{"Modules":[{"Key":"vpc","Source":"acme/vpc/aws","Dir":%q}]}`, dir)); err == nil {
			t.Errorf("%s: %+v", dir, list)
		}
	}
	for _, key := range []string{"../x", "a..b", ".", "a/b"} {
		if list, err := parseInstalled(".", fmt.Appendf(nil, `{"Modules":[{"Key":%q,"Source":"acme/vpc/aws","Dir":".terraform/modules/%s"}]}`, key, key)); err == nil {
			t.Errorf("%s: %+v", key, list)
		}
	}
}

// What an unreadable list of downloads calls is not known, and must not look approved.
func TestAListOfDownloadsThatCannotBeReadIsAGap(t *testing.T) {
	x := NewModules(approvedThere(t), judgedAt)
	x.Tree = fstest.MapFS{".terraform/modules/modules.json": {Data: []byte(`{"Modules":[`)}}
	r, err := x.Check(t.Context(), []File{{Path: "main.tf", Content: []byte("locals {}\n")}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Open) != 1 || !r.Open[0].Blocks || !strings.Contains(r.Open[0].Reason, "cannot be read") {
		t.Errorf("got %+v", r.Open)
	}
}

// A list of downloads that nobody would make is not looked at, and an error says so.
func TestAListOfManyDownloadsIsRefused(t *testing.T) {
	one := `{"Key":"a","Source":"b","Dir":"c"}`
	for name, c := range map[string]struct{ text, want string }{
		"many":      {`{"Modules":[` + strings.TrimSuffix(strings.Repeat(one+",", 100_000), ",") + `]}`, "more than 20000 modules"},
		"cut short": {`{"Modules":[` + one + ",", "unexpected end"},
		"too large": {`{"Modules":[]}` + strings.Repeat(" ", maxInstalled), "larger than"},
	} {
		if _, err := parseInstalled("r", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzInstalled(f *testing.F) {
	f.Add([]byte(`{"Modules":[{"Key":"","Dir":"."},{"Key":"a","Source":"./a","Dir":"a"},{"Key":"a.b","Source":"x/y/z","Version":"1.0.0","Dir":".terraform/modules/a.b"}]}`))
	f.Add([]byte(`{"Modules":[{"Key":"a.a.a","Source":"","Dir":""}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		tree := fstest.MapFS{"r/.terraform/modules/modules.json": {Data: content}}
		x := NewModules(ApprovedModules{}, judgedAt)
		x.Tree = tree
		calls := []calledModule{{name: "a", dir: "r", file: "r/main.tf", line: 1}}
		more := x.join(&run{}, "r", calls, map[calledAt][]int{{"r", "a"}: {0}})
		for _, c := range append(calls, more...) {
			for _, in := range c.installed {
				if !strings.HasPrefix(in.dir, "r/.terraform/modules/") || strings.Contains(in.dir, "..") && strings.Contains(in.dir, "/../") {
					t.Fatalf("%+v", in)
				}
			}
		}
	})
}
