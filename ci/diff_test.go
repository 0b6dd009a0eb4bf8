package ci

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/ci/inventory/inventorytest"
)

// The quick answer has to read everything that the change touches and nothing else: what
// it leaves out is found only in the pipeline, and what it reads beyond costs the wait.
func TestADiffReadsWhatDiffers(t *testing.T) {
	dir, base := committed(t, map[string]string{
		"old.env": "api_key=" + generic1 + "\n", "edited.env": "a=1\n", "gone.env": "b=1\n", "ignored.env": "", ".gitignore": "*.log\n", "sub/kept.txt": "kept",
	})
	write(t, dir, "committed.env", "api_key="+generic2+"\n")
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-q", "-m", "change")
	write(t, dir, "edited.env", "api_key="+generic1+"\n")
	write(t, dir, "sub/new/untracked.env", "api_key="+generic1+"\n")
	write(t, dir, "noise.log", "api_key="+generic1+"\n")
	must(t, os.Remove(filepath.Join(dir, "gone.env")))
	r := ran(t, dir, Options{Base: base, Diff: true})
	var read []string
	for _, e := range r.Manifest.Entries {
		read = append(read, e.Path)
	}
	if want := []string{"committed.env", "edited.env", "sub/new/untracked.env"}; !slices.Equal(read, want) {
		t.Errorf("read %v, want %v", read, want)
	}
	if n := len(r.Reports[0].Hits); n != 3 || !r.Reports[0].Complete || !told(r.Reports[0], "only what differs") {
		t.Errorf("%d hits, report %+v", n, r.Reports[0])
	}
	if r.Subject.Kind != verdict.SubjectTree || !r.Uncommitted() || !strings.Contains(r.Differences[0], "judges the whole tree") {
		t.Errorf("the quick answer stands for more than it read: %+v", r.Standing)
	}
}

// A clean checkout whose change is committed is still only a part of the commit.
func TestADiffIsNeverItsCommit(t *testing.T) {
	dir, base := committed(t, map[string]string{"a.txt": "a"})
	write(t, dir, "b.txt", "b")
	commitAll(t, dir)
	if r := ran(t, dir, Options{Base: base, Diff: true}); !r.Uncommitted() || r.Manifest.Read != 1 {
		t.Fatalf("subject %+v, %d files", r.Subject, r.Manifest.Read)
	}
	if r := ran(t, dir, Options{Base: gitIn(t, dir, "rev-parse", "HEAD"), Diff: true}); !r.Uncommitted() || r.Manifest.Read != 0 {
		t.Fatalf("nothing differs: subject %+v, %d files", r.Subject, r.Manifest.Read)
	}
}

// A manifest that changed is judged with the lockfiles beside and above it: alone it
// would look like one without.
func TestADiffOfAManifestReadsItsLockfile(t *testing.T) {
	dir, base := committed(t, map[string]string{
		"package-lock.json": inventorytest.PackageLock, "package.json": `{"name": "web", "dependencies": {"left": "^1.0.0"}}`,
		"crates/Cargo.lock": "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n", "crates/a/Cargo.toml": "[package]\nname = \"a\"\n", "other/package-lock.json": inventorytest.PackageLock,
	})
	write(t, dir, "package.json", `{"name": "web", "dependencies": {"left": "^1.2.0"}}`)
	write(t, dir, "crates/a/Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\nb = \"1\"\n")
	r := ran(t, dir, Options{Base: base, Diff: true, Matcher: &facts{covers: []string{"npm", "crates.io"}}}).Reports[1]
	if !r.Complete || r.Scope.Inputs != 4 {
		t.Fatalf("%d files, not checked %+v", r.Scope.Inputs, r.NotChecked)
	}
}

// A service of a larger repository is judged by what is its own and by the workspace's
// lockfile above it. It is its commit as far as it was read.
func TestAScopeReadsAServiceAndWhatLocksItsComponents(t *testing.T) {
	dir, id := committed(t, map[string]string{
		"package-lock.json": inventorytest.PackageLock, "services/cart/a.env": "api_key=" + generic1 + "\n", "services/cart2/b.env": "api_key=" + generic1 + "\n",
		"services/pay/c.env": "api_key=" + generic2 + "\n", "services/Cargo.lock": "",
	})
	write(t, dir, "services/pay/c.env", "changed")
	o := Options{Within: []string{"services/cart"}, Matcher: &facts{covers: []string{"npm"}}}
	r := ran(t, dir, o)
	var read []string
	for _, e := range r.Manifest.Entries {
		read = append(read, e.Path)
	}
	if want := []string{"package-lock.json", "services/Cargo.lock", "services/cart/a.env"}; !slices.Equal(read, want) {
		t.Errorf("read %v, want %v", read, want)
	}
	if r.Uncommitted() || r.Subject.Digest.Hex() != id || len(r.Reports[0].Hits) != 1 || !slices.Equal(r.Reports[0].Scope.Paths, o.Within) || !told(r.Reports[0], "nothing outside of services/cart") {
		t.Errorf("subject %+v, differences %v, report %+v", r.Subject, r.Differences, r.Reports[0])
	}
	write(t, dir, "services/cart/a.env", "changed")
	if r := ran(t, dir, o); !r.Uncommitted() {
		t.Error("a change within the scope still stands for the commit")
	}
}
