package ci

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/ci/inventory/inventorytest"
)

// facts is a Matcher with a few known vulnerabilities.
type facts struct {
	covers []string
	known  map[string][]verdict.Vulnerability // by purl
	fails  map[string]error
	asked  map[string]int
}

func (f *facts) Match(c verdict.Component) ([]verdict.Vulnerability, error) {
	if f.asked == nil {
		f.asked = map[string]int{}
	}
	f.asked[c.PURL]++
	return f.known[c.PURL], f.fails[c.PURL]
}

func (f *facts) Database() verdict.Database {
	return verdict.Database{Name: "facts", At: time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC), Entries: 2, Ecosystems: f.covers}
}

func (f *facts) Covers(e string) bool { return slices.Contains(f.covers, e) }

func ran(t *testing.T, dir string, o Options) *Result {
	t.Helper()
	o.Path = dir
	r, err := Run(t.Context(), o)
	must(t, err)
	return r
}

// committed makes a repository with one commit of these files.
func committed(t *testing.T, files map[string]string) (dir, id string) {
	t.Helper()
	dir = repository(t)
	for name, content := range files {
		write(t, dir, name, content)
	}
	return dir, commitAll(t, dir)
}

func TestACleanTreeIsItsCommit(t *testing.T) {
	dir, _ := committed(t, map[string]string{"a.txt": "a", "sub/b.sh": "b", ".gitignore": "*.log\n", "empty": ""})
	must(t, os.Symlink("a.txt", filepath.Join(dir, "link")))
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-q", "--amend", "--no-edit")
	id := gitIn(t, dir, "rev-parse", "HEAD")
	gitIn(t, dir, "remote", "add", "origin", "https://user:secret@git.example/acme/web.git")
	for name, change := range map[string]func(){
		"as it was checked out":                    func() {},
		"with an ignored file":                     func() { write(t, dir, "x.log", "x") },
		"with new file times":                      func() { must(t, os.Chtimes(filepath.Join(dir, "a.txt"), time.Unix(1, 0), time.Unix(1, 0))) },
		"with another executable bit":              func() { must(t, os.Chmod(filepath.Join(dir, "sub/b.sh"), 0o755)) },
		"with an index that was not refreshed yet": func() { write(t, dir, "a.txt", "z"); gitIn(t, dir, "add", "-A"); write(t, dir, "a.txt", "a") },
	} {
		change()
		r := ran(t, dir, Options{})
		want := verdict.Subject{Kind: verdict.SubjectChange, Name: "https://git.example/acme/web.git", Digest: verdict.NewDigest("gitCommit", id),
			Also: []verdict.Digest{verdict.NewDigest("gitTree", gitIn(t, dir, "rev-parse", "HEAD^{tree}"))}}
		if r.Uncommitted() || r.Subject.Name != want.Name || r.Subject.Digest != want.Digest || !slices.Equal(r.Subject.Also, want.Also) {
			t.Errorf("%s: subject %+v, differences %q", name, r.Subject, r.Differences)
		}
	}
}

// A tree that is not its commit never speaks for the commit.
func TestAnUncommittedTreeIsItsManifest(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dir string)
		told   string
	}{
		"a changed file":    {func(dir string) { write(t, dir, "a.txt", "z") }, "changed: a.txt"},
		"a new file":        {func(dir string) { write(t, dir, "new.txt", "z") }, "not committed: new.txt"},
		"a staged file":     {func(dir string) { write(t, dir, "new.txt", "z"); gitIn(t, dir, "add", "-A") }, "not committed: new.txt"},
		"a deleted file":    {func(dir string) { must(t, os.Remove(filepath.Join(dir, "a.txt"))) }, "deleted or not read: a.txt"},
		"a removed file":    {func(dir string) { gitIn(t, dir, "rm", "-q", "a.txt") }, "deleted or not read: a.txt"},
		"a file for a link": {func(dir string) { os.Remove(filepath.Join(dir, "a.txt")); os.Symlink("a", filepath.Join(dir, "a.txt")) }, "changed: a.txt"},
		"a change marked as assumed unchanged": {func(dir string) {
			gitIn(t, dir, "update-index", "--assume-unchanged", "a.txt")
			write(t, dir, "a.txt", "z")
		}, "changed: a.txt"},
		"a change marked as left out": {func(dir string) {
			gitIn(t, dir, "update-index", "--skip-worktree", "a.txt")
			write(t, dir, "a.txt", "z")
		}, "changed: a.txt"},
		"a change of the same size and time": {func(dir string) {
			info, err := os.Stat(filepath.Join(dir, "a.txt"))
			must(t, err)
			write(t, dir, "a.txt", "b")
			must(t, os.Chtimes(filepath.Join(dir, "a.txt"), info.ModTime(), info.ModTime()))
		}, "changed: a.txt"},
		"another repository in it": {func(dir string) {
			gitIn(t, dir, "init", "-q", "nested")
			write(t, dir, "nested/x", "x")
			commitAll(t, filepath.Join(dir, "nested"))
		}, "not committed and not read: nested"},
	} {
		dir, id := committed(t, map[string]string{"a.txt": "a", "b.txt": "b"})
		clean := ran(t, dir, Options{})
		c.change(dir)
		r := ran(t, dir, Options{})
		if !r.Uncommitted() || r.Subject.Kind != verdict.SubjectTree || r.Subject.Digest.Algorithm() != "sha256" || len(r.Subject.Also) != 0 {
			t.Errorf("%s: subject %+v", name, r.Subject)
		}
		if !slices.Contains(r.Differences, c.told) || !strings.Contains(r.Subject.Name, "uncommitted") || r.Head == nil || r.Head.ID.Hex() != id {
			t.Errorf("%s: differences %q, name %q", name, r.Differences, r.Subject.Name)
		}
		if r.Subject.Digest == clean.Manifest.Digest() {
			t.Errorf("%s: the manifest has the digest of the clean tree", name)
		}
	}
}

func TestTreesWithoutACommitOfTheirOwn(t *testing.T) {
	plain := t.TempDir()
	write(t, plain, "a.txt", "a")
	unborn := repository(t)
	write(t, unborn, "a.txt", "a")
	whole, _ := committed(t, map[string]string{"a.txt": "a", "svc/b.txt": "b"})
	for dir, told := range map[string]string{plain: "in no git repository", unborn: "nothing is committed", filepath.Join(whole, "svc"): "folder svc of a repository"} {
		r := ran(t, dir, Options{})
		if !r.Uncommitted() || len(r.Differences) != 1 || !strings.Contains(r.Differences[0], told) || r.Manifest.Read != 1 {
			t.Errorf("%s: %+v, %d files", told, r.Standing, r.Manifest.Read)
		}
		if scope := r.Reports[0].Scope.Path; (scope == "svc") != strings.Contains(told, "svc") {
			t.Errorf("%s: scope %q", told, scope)
		}
	}
}

// What a checkout turns from what is stored is still that commit.
func TestCheckoutsThatChangeContentAreClean(t *testing.T) {
	t.Run("line ends", func(t *testing.T) {
		dir, id := committed(t, map[string]string{"a.txt": "one\ntwo\n"})
		gitIn(t, dir, "config", "core.autocrlf", "true")
		must(t, os.Remove(filepath.Join(dir, "a.txt")))
		gitIn(t, dir, "checkout", "-q", "--", "a.txt")
		content, err := os.ReadFile(filepath.Join(dir, "a.txt"))
		if must(t, err); string(content) != "one\r\ntwo\r\n" {
			t.Fatalf("git checked out %q", content)
		}
		if r := ran(t, dir, Options{}); r.Subject.Digest.Hex() != id {
			t.Errorf("differences %q", r.Differences)
		}
	})
	t.Run("large file storage", func(t *testing.T) {
		content := strings.Repeat("large ", 100)
		pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:75ab6ca6b6e9bc0ecd2a3b4a0b4ba7dc3ae5d2b54a8ca5fee7a1f1e7f1f2f0c1\nsize 600\n"
		sum := strings.Fields(run(t, content, "sha256sum"))[0]
		pointer = strings.Replace(pointer, pointer[strings.Index(pointer, "sha256:")+7:strings.Index(pointer, "\nsize")], sum, 1)
		dir, id := committed(t, map[string]string{"big.dat": pointer, "big2.dat": pointer})
		write(t, dir, "big.dat", content)
		write(t, dir, "big2.dat", content)
		if r := ran(t, dir, Options{}); r.Subject.Digest.Hex() != id {
			t.Errorf("differences %q", r.Differences)
		}
		if r := ran(t, dir, Options{Walk: WalkOptions{MaxFile: 100}}); r.Subject.Digest.Hex() != id {
			t.Errorf("hashed only: differences %q", r.Differences)
		}
		write(t, dir, "big.dat", content+"x")
		if r := ran(t, dir, Options{}); !r.Uncommitted() {
			t.Error("another content passes for the stored one")
		}
	})
}

// A runner without Git LFS has pointers in the place of files: what they hold was searched
// by nobody.
func TestFilesThatGitLFSDidNotFetch(t *testing.T) {
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("ab", 32) + "\nsize 600\n"
	dir, id := committed(t, map[string]string{"dump.sql": pointer, "logo.PNG": pointer, "model.onnx": pointer, "package-lock.json": pointer, "like.txt": pointer + "x\n"})
	r := ran(t, dir, Options{})
	if r.Subject.Digest.Hex() != id {
		t.Errorf("differences %q", r.Differences)
	}
	gap(t, r.Reports[0].NotChecked, "dump.sql: it is a pointer to a file in Git LFS that is not here: git lfs pull", true)
	gap(t, r.Reports[0].NotChecked, "model.onnx: it is a pointer", false)
	gap(t, r.Reports[1].NotChecked, "package-lock.json: it is a pointer", true)
	if told(r.Reports[0], "like.txt") || blocking(r.Reports[0].NotChecked) != 1 || blocking(r.Reports[1].NotChecked) != 1 {
		t.Errorf("told: %+v\n%+v", r.Reports[0].NotChecked, r.Reports[1].NotChecked)
	}
}

func run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	must(t, err)
	return string(out)
}

func TestSubmodulesAndSparseCheckouts(t *testing.T) {
	lib, _ := committed(t, map[string]string{"lib.txt": "lib"})
	dir, _ := committed(t, map[string]string{"a.txt": "a", "far/b.txt": "b"})
	gitIn(t, dir, "-c", "protocol.file.allow=always", "submodule", "add", "-q", lib, "dep")
	id := commitAll(t, dir)
	if r := ran(t, dir, Options{}); r.Subject.Digest.Hex() != id || !told(r.Reports[0], "submodule") {
		t.Errorf("a submodule as committed: %q", r.Differences)
	}
	gitIn(t, dir, "sparse-checkout", "set", "--no-cone", "/*", "!/far/")
	r := ran(t, dir, Options{})
	if r.Subject.Digest.Hex() != id || r.Reports[0].Complete || !told(r.Reports[0], "sparse checkout") {
		t.Errorf("a sparse checkout: complete %v, differences %q", r.Reports[0].Complete, r.Differences)
	}
	gitIn(t, dir, "sparse-checkout", "disable")
	write(t, filepath.Join(dir, "dep"), "lib.txt", "newer")
	commitAll(t, filepath.Join(dir, "dep"))
	gitIn(t, dir, "add", "dep")
	if r := ran(t, dir, Options{}); !r.Uncommitted() || !slices.Contains(r.Differences, "deleted or not read: dep") {
		t.Errorf("another submodule commit staged: %q", r.Differences)
	}
}

func TestManyDifferencesAreFolded(t *testing.T) {
	dir, _ := committed(t, map[string]string{"a.txt": "a"})
	for i := range 50 {
		write(t, dir, "new/"+strings.Repeat("x", i+1), "x")
	}
	r := ran(t, dir, Options{})
	if n := len(r.Differences); n != maxDifferences+1 || r.Differences[n-1] != "and 30 more" {
		t.Errorf("%d differences: %q", n, r.Differences)
	}
}

const (
	leftpadPURL = "pkg:npm/left@1.2.0"
	deepPURL    = "pkg:npm/deep@0.9.0"
)

func TestVulnerabilitiesReport(t *testing.T) {
	dir, _ := committed(t, map[string]string{"package-lock.json": inventorytest.PackageLock, "copy/package-lock.json": inventorytest.PackageLock})
	f := &facts{covers: []string{"npm"}, known: map[string][]verdict.Vulnerability{
		leftpadPURL: {{ID: "CVE-2026-1", Fixed: "1.2.5", Severity: verdict.SeverityHigh, Summary: "left pads too far"}},
		deepPURL:    {{ID: "MAL-2026-9", Malicious: true, Severity: verdict.SeverityCritical}, {ID: "CVE-2026-2"}},
	}}
	r := ran(t, dir, Options{Matcher: f, Version: "9"}).Reports[1]
	if len(r.Hits) != 3 || !r.Complete || r.Database == nil || r.Database.Name != "facts" || r.Scope.Inputs != 2 || r.Scope.Components != 8 {
		t.Fatalf("report: %+v", r)
	}
	mal, left, deep := r.Hits[0], r.Hits[1], r.Hits[2]
	if left.Key != "CVE-2026-1@"+leftpadPURL || left.Fix != "in copy: npm install left@1.2.5" || left.Line != 5 || !left.Vulnerability.Direct || left.Path != "copy/package-lock.json" ||
		left.Message != "left 1.2.0: left pads too far (named in 1 more places)" {
		t.Errorf("direct: %+v", left)
	}
	if !strings.Contains(mal.Fix, "compromised") || mal.Severity != verdict.SeverityCritical {
		t.Errorf("malicious: %+v", mal)
	}
	if deep.Severity != verdict.SeverityUnknown || !strings.Contains(deep.Message, "brought in by left") || !slices.Equal(deep.Vulnerability.Path, []string{"web", "left", "deep"}) || !strings.Contains(deep.Fix, "no fixed version") {
		t.Errorf("transitive: %+v", deep)
	}
	for purl, n := range f.asked {
		if n != 1 {
			t.Errorf("%s was matched %d times", purl, n)
		}
	}
}

func TestWhatLeavesTheVulnerabilitiesCheckIncomplete(t *testing.T) {
	lock := map[string]string{"package-lock.json": inventorytest.PackageLock}
	for name, c := range map[string]struct {
		files    map[string]string
		matcher  Matcher
		complete bool
		told     string
	}{
		"no advisories at all":                    {lock, nil, false, "verdict advisories update"},
		"no advisories for the ecosystem":         {lock, &facts{covers: []string{"Go"}}, false, "no advisories for npm, and 8 components"},
		"an advisory that cannot be compared":     {lock, &facts{covers: []string{"npm"}, fails: map[string]error{leftpadPURL: errors.New("no order")}}, false, "not judged completely: no order"},
		"a lockfile cut short":                    {map[string]string{"package-lock.json": inventorytest.PackageLock[:99]}, &facts{covers: []string{"npm"}}, false, "cannot be read"},
		"a manifest without lockfile":             {map[string]string{"package.json": `{"dependencies":{"a":"1"}}`}, &facts{}, false, "npm install --package-lock-only"},
		"a lockfile of a tool that is not read":   {map[string]string{"paket.lock": "NUGET"}, &facts{}, false, "Paket"},
		"a project file without packages":         {map[string]string{"a.csproj": "<Project/>"}, &facts{}, true, ""},
		"a project file with packages":            {map[string]string{"a.csproj": `<Project><PackageReference Include="A"/></Project>`}, nil, false, "packages.lock.json"},
		"nothing to judge, with advisories":       {map[string]string{"a.txt": "a"}, &facts{}, true, "nothing to judge"},
		"nothing to judge, without advisories":    {map[string]string{"a.txt": "a"}, nil, true, "nothing to judge"},
		"files without components and advisories": {map[string]string{"package.json": `{"name":"a"}`}, nil, true, ""},
		"everything": {lock, &facts{covers: []string{"npm"}}, true, ""},
	} {
		dir := t.TempDir()
		for p, content := range c.files {
			write(t, dir, p, content)
		}
		r := ran(t, dir, Options{Matcher: c.matcher}).Reports[1]
		if r.Complete != c.complete || c.told != "" && !told(r, c.told) || r.Hits == nil || r.NotChecked == nil {
			t.Errorf("%s: complete %v, told %+v", name, r.Complete, r.NotChecked)
		}
		if (r.Database == nil) != (c.matcher == nil) {
			t.Errorf("%s: database %+v", name, r.Database)
		}
	}
}

func TestALargeLockfileThatWasNotReadBlocks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "package-lock.json", inventorytest.PackageLock)
	r := ran(t, dir, Options{Matcher: &facts{covers: []string{"npm"}}, Walk: WalkOptions{MaxFile: 100}})
	if r.Reports[1].Complete || !told(r.Reports[1], "more than the limit") {
		t.Errorf("told: %+v", r.Reports[1].NotChecked)
	}
	if !r.Reports[0].Complete {
		t.Errorf("the secrets check does not want lockfiles: %+v", r.Reports[0].NotChecked)
	}
}

func TestABrokenIgnoreFileExcusesNothingAndDoesNotBlock(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.env", "api_key="+generic1+"\n")
	r := ran(t, dir, Options{Ignore: []byte("false_positives: all"), IgnoreName: "base/.verdictignore"}).Reports[0]
	if len(r.Hits) != 1 || !r.Complete || !told(r, "do not count") {
		t.Errorf("got %+v", r)
	}
}

func TestTheIgnoreFileOfTheTreeItselfDoesNotCount(t *testing.T) {
	dir, _ := committed(t, map[string]string{"a.env": "api_key=" + generic1 + "\n"})
	key := ran(t, dir, Options{}).Reports[0].Hits[0].Key
	own := "schema: verdict-ignore/v1\nfalse_positives: [{key: \"" + key + "\", reason: r, owner: o, expires: 2099-01-01}]\n"
	write(t, dir, IgnoreFile, own)
	commitAll(t, dir)
	if r := ran(t, dir, Options{}).Reports[0]; len(r.Hits) != 1 || r.Ignored != 0 {
		t.Errorf("a change excused itself: %+v", r)
	}
	if r := ran(t, dir, Options{Ignore: []byte(own)}).Reports[0]; len(r.Hits) != 0 || r.Ignored != 1 {
		t.Errorf("the base's file does not count: %+v", r)
	}
}

func TestOtherReadersTakePartInTheOneWalk(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.txt", "a")
	w := &witness{}
	ran(t, dir, Options{Readers: []Reader{w}})
	if !slices.Equal(w.paths(), []string{"a.txt"}) {
		t.Errorf("read %q", w.paths())
	}
}

func TestRunThatCannotTakePlace(t *testing.T) {
	bare := t.TempDir()
	gitIn(t, bare, "init", "-q", "--bare")
	for name, path := range map[string]string{"nothing there": filepath.Join(t.TempDir(), "none"), "a bare repository": bare} {
		_, err := Run(t.Context(), Options{Path: path})
		var e *verdict.Error
		if !errors.As(err, &e) || e.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Run(ctx, Options{Path: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A folder of the repository that looks like a repository hides nothing.
func TestACommittedGitDirectoryHidesNothing(t *testing.T) {
	dir, _ := committed(t, map[string]string{"service/leak.env": "api_key=" + generic1 + "\n"})
	gitIn(t, dir, "init", "-q", "--bare", "service")
	write(t, dir, "service/info/exclude", "*\n")
	write(t, dir, "service/config", "[core]\n\tbare = false\n\tworktree = "+filepath.Join(dir, "service")+"\n")
	_, err := Run(t.Context(), Options{Path: filepath.Join(dir, "service")})
	var e *verdict.Error
	if !errors.As(err, &e) || e.Remedy == "" {
		t.Errorf("the folder passed as a repository: %v", err)
	}
	if r := ran(t, dir, Options{}).Reports[0]; len(r.Hits) != 1 || r.Hits[0].Path != "service/leak.env" {
		t.Errorf("at the top: %+v", r.Hits)
	}
}

func TestLockfilesThatAreLinksAreNotRead(t *testing.T) {
	dir := t.TempDir()
	for _, link := range []string{"package-lock.json", "a/testdata/package-lock.json", "vendor/node_modules/x/package-lock.json", "readme"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, link)), 0o755))
		must(t, os.Symlink("/dev/null", filepath.Join(dir, link)))
	}
	r := ran(t, dir, Options{})
	want := verdict.NotChecked{Path: "package-lock.json", Reason: "it is a symbolic link, which is not followed", Blocks: true}
	if !slices.Contains(r.Reports[1].NotChecked, want) {
		t.Errorf("told: %+v", r.Reports[1].NotChecked)
	}
	gap(t, r.Reports[1].NotChecked, "a/testdata/package-lock.json: it is a symbolic link", false)
	if n := len(r.Reports[1].NotChecked); n != 4 || blocking(r.Reports[1].NotChecked) != 1 || told(r.Reports[1], "there is no file") {
		t.Errorf("vulnerabilities: %+v", r.Reports[1].NotChecked)
	}
	if !r.Reports[0].Complete || !told(r.Reports[0], "symbolic links, which are not followed") {
		t.Errorf("secrets: %+v", r.Reports[0].NotChecked)
	}
}

func TestTestDataAloneIsNotNothing(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "testdata/go.mod", "module m\n")
	if r := ran(t, dir, Options{}).Reports[1]; told(r, "there is no file") || !told(r, "is test data") || !r.Complete {
		t.Errorf("told: %+v", r.NotChecked)
	}
}

func TestSubmodulesAreToldToEveryCheck(t *testing.T) {
	lib, _ := committed(t, map[string]string{"package-lock.json": inventorytest.PackageLock})
	dir, _ := committed(t, map[string]string{"a.txt": "a"})
	gitIn(t, dir, "-c", "protocol.file.allow=always", "submodule", "add", "-q", lib, "dep")
	commitAll(t, dir)
	for _, r := range ran(t, dir, Options{}).Reports {
		if !told(r, "dep it is a submodule") || told(r, "there is no file") || !r.Complete {
			t.Errorf("%s: %+v", r.Check, r.NotChecked)
		}
	}
}

func TestAFolderThatWasNotListedBlocksEveryCheck(t *testing.T) {
	dir := t.TempDir()
	deep := []string{"x.png", "vendor", "node_modules"}
	for _, name := range deep {
		write(t, dir, name+"/in/a.txt", "a")
	}
	for _, r := range ran(t, dir, Options{Walk: WalkOptions{MaxDepth: -1}}).Reports {
		for _, name := range deep {
			gap(t, r.NotChecked, name+": the folder lies more than", true)
		}
		if r.Complete {
			t.Errorf("%s is complete", r.Check)
		}
	}
}

func TestAGitFolderOfNoRepositoryIsTold(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".git/leak.env", "x")
	write(t, dir, "a/.git", "api_key = \""+generic1+"\"\n")
	r := ran(t, dir, Options{})
	if m := r.Manifest; len(m.Entries) != 1 || m.Entries[0].Path != "a/.git" || !told(r.Reports[0], "leaves out by their path") {
		t.Errorf("a file of that name: %+v", r.Reports[0])
	}
	for _, r := range r.Reports {
		gap(t, r.NotChecked, ".git: it has the name of git's own folder", false)
	}
}
