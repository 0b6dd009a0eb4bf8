package ci

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/ci/inventory/inventorytest"
)

// Which findings a change brings decides whether it may pass while old ones wait. Told
// wrongly to one side a leak passes, to the other nobody can adopt the check.
func TestAChangeIsToldFromWhatWasThereBefore(t *testing.T) {
	line := func(secret string) string { return "api_key=" + secret + "\n" }
	dir, base := committed(t, map[string]string{
		"same.env": line(generic1), "grows.env": line(generic1), "moves.env": "# moved\n" + line(generic1), "replaced.env": line(generic1),
		"edited.env": line(generic1),
	})
	write(t, dir, "grows.env", line(generic1)+"other_"+line(generic2))
	write(t, dir, "replaced.env", line(generic2))
	write(t, dir, "edited.env", "# a comment above\n\n"+line(generic1))
	write(t, dir, "new.env", line(generic2))
	must(t, os.Rename(filepath.Join(dir, "moves.env"), filepath.Join(dir, "moved.env")))
	commitAll(t, dir)
	r := ran(t, dir, Options{Base: base}).Reports[0]
	var old, fresh []string
	for _, h := range r.Hits {
		if h.Old {
			old = append(old, h.Path)
		} else {
			fresh = append(fresh, h.Path)
		}
	}
	if want := []string{"edited.env", "grows.env", "moved.env", "same.env"}; !slices.Equal(old, want) {
		t.Errorf("old: %v, want %v", old, want)
	}
	if want := []string{"grows.env", "new.env", "replaced.env"}; !slices.Equal(fresh, want) {
		t.Errorf("new: %v, want %v", fresh, want)
	}
	if r.Base.Hex() != base {
		t.Errorf("compared with %q, not with %s", r.Base, base)
	}
}

// What the base never judged is no debt of the base: brought to where it is built, it comes
// in with this change.
func TestWhatTheBaseLeftOutIsNewWhereItIsBuilt(t *testing.T) {
	line := "# the same\napi_key=" + generic1 + "\n"
	dir, base := committed(t, map[string]string{
		"examples/a.env": line, "examples/package-lock.json": inventorytest.PackageLock, "web/node_modules/x/b.env": "# b\n" + line, "kept/c.env": "# c\n" + line,
		"old/package-lock.json": " " + inventorytest.PackageLock,
	})
	must(t, os.MkdirAll(filepath.Join(dir, "svc"), 0o755))
	for from, to := range map[string]string{
		"examples": "svc/examples", "web/node_modules/x/b.env": "svc/b.env", "kept/c.env": "svc/c.env",
	} {
		must(t, os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)))
	}
	commitAll(t, dir)
	f := &facts{covers: []string{"npm"}, known: map[string][]verdict.Vulnerability{leftpadPURL: {{ID: "CVE-2026-1", Fixed: "1.2.5"}}}}
	judged := func() *Result {
		return ran(t, dir, Options{
			Base: base, Matcher: f, Now: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
			Ignore: []byte(leftOutFile("path: examples, checks: [secrets, vulnerabilities], reason: r, owner: o, expires: 2027-01-01")),
		})
	}
	r := judged()
	old := map[string]bool{}
	for _, h := range r.Reports[0].Hits {
		old[h.Path] = h.Old
	}
	if want := map[string]bool{"svc/examples/a.env": false, "svc/b.env": false, "svc/c.env": true}; !maps.Equal(old, want) {
		t.Errorf("old: %v, want %v", old, want)
	}
	if v := r.Reports[1].Hits; len(v) != 1 || v[0].Old {
		t.Errorf("a component in one more folder than before is called old: %+v", v)
	}
	must(t, os.RemoveAll(filepath.Join(dir, "svc")))
	must(t, os.Rename(filepath.Join(dir, "old"), filepath.Join(dir, "moved")))
	commitAll(t, dir)
	if v := judged().Reports[1].Hits; len(v) != 1 || !v[0].Old {
		t.Errorf("a component whose folder was moved is called new: %+v", v)
	}
}

func TestWithoutABaseEverythingIsNew(t *testing.T) {
	dir, _ := committed(t, map[string]string{"a.env": "api_key=" + generic1 + "\n"})
	r := ran(t, dir, Options{}).Reports[0]
	if len(r.Hits) != 1 || r.Hits[0].Old || r.Base != "" {
		t.Fatalf("base %q, hits %+v", r.Base, r.Hits)
	}
}

func TestAComponentIsAsOldAsTheLockfileThatNamesIt(t *testing.T) {
	known := map[string][]verdict.Vulnerability{
		leftpadPURL: {{ID: "CVE-2026-1", Fixed: "1.2.5"}}, "pkg:npm/fresh@1.0.0": {{ID: "CVE-2026-3", Fixed: "1.0.1"}},
	}
	f := &facts{covers: []string{"npm"}, known: known}
	dir, base := committed(t, map[string]string{"package-lock.json": inventorytest.PackageLock, "a.txt": "a"})
	write(t, dir, "a.txt", "b")
	commitAll(t, dir)
	if r := ran(t, dir, Options{Matcher: f, Base: base}).Reports[1]; len(r.Hits) != 1 || !r.Hits[0].Old {
		t.Errorf("an advisory about what the change did not touch is called new: %+v", r.Hits)
	}
	write(t, dir, "sub/package-lock.json", `{"lockfileVersion": 3, "packages": {"": {"dependencies": {"fresh": "1.0.0"}}, "node_modules/fresh": {"version": "1.0.0"}}}`)
	commitAll(t, dir)
	r := ran(t, dir, Options{Matcher: f, Base: base}).Reports[1]
	if len(r.Hits) != 2 {
		t.Fatalf("hits: %+v", r.Hits)
	}
	for _, h := range r.Hits {
		if fresh := strings.HasPrefix(h.Key, "CVE-2026-3"); h.Old == fresh {
			t.Errorf("%s: old is %v", h.Key, h.Old)
		}
	}
}

// A clone without the contents of the base cannot tell: everything counts as new, and
// that is said.
func TestABaseThatCannotBeReadMakesNothingOld(t *testing.T) {
	dir, base := committed(t, map[string]string{"a.env": "api_key=" + generic1 + "\n"})
	blob := strings.TrimSpace(gitIn(t, dir, "rev-parse", "HEAD:a.env"))
	write(t, dir, "a.env", "# a comment\napi_key="+generic1+"\n")
	commitAll(t, dir)
	must(t, os.Remove(filepath.Join(dir, ".git", "objects", blob[:2], blob[2:])))
	r := ran(t, dir, Options{Base: base}).Reports[0]
	if len(r.Hits) != 1 || r.Hits[0].Old || !r.Complete || !told(r, "counts as new") {
		t.Fatalf("hits %+v, not checked %+v", r.Hits, r.NotChecked)
	}
}
