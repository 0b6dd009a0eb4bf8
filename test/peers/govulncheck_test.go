package peers

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// vulndb makes a database in the form of vuln.go.dev, with one advisory about the function
// Run of each package, given as module and package. Its facts are our own.
func vulndb(t *testing.T, w *world, packages ...[2]string) (dir string) {
	t.Helper()
	const at = "2026-01-02T00:00:00Z"
	type vuln map[string]any
	files, modules, all := map[string]any{"index/db.json": vuln{"modified": at}}, []vuln{}, []vuln{}
	for i, p := range packages {
		id := fmt.Sprintf("GO-2026-%d", 9001+i)
		files["ID/"+id+".json"] = vuln{
			"schema_version": "1.3.1", "id": id, "modified": at, "published": at, "summary": "Run of " + p[1] + " breaks",
			"affected": []vuln{{
				"package": vuln{"name": p[0], "ecosystem": "Go"}, "ranges": []vuln{{"type": "SEMVER", "events": []vuln{{"introduced": "0"}, {"fixed": "1.1.0"}}}},
				"ecosystem_specific": vuln{"imports": []vuln{{"path": p[1], "symbols": []string{"Run"}}}},
			}},
		}
		modules = append(modules, vuln{"path": p[0], "vulns": []vuln{{"id": id, "modified": at, "fixed": "1.1.0"}}})
		all = append(all, vuln{"id": id, "modified": at})
	}
	files["index/modules.json"], files["index/vulns.json"] = modules, all
	texts := map[string]string{}
	for name, v := range files {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(b)
	}
	dir = w.path("vulndb")
	w.in(t, dir, texts)
	return dir
}

// goModule is a module whose dependencies lie in vendor: one is called, of one another
// function is called, and of one another package is imported.
func goModule(path string) map[string]string {
	vendored, required := "", ""
	for _, m := range []string{"called", "imported", "required"} {
		vendored += "# example.org/" + m + " v1.0.0\n## explicit; go 1.24\n"
		if m == "required" {
			vendored += "example.org/required/safe\n"
		} else {
			vendored += "example.org/" + m + "\n"
		}
		required += "\texample.org/" + m + " v1.0.0\n"
	}
	return map[string]string{
		"go.mod":                           "module " + path + "\n\ngo 1.24\n\nrequire (\n" + required + ")\n",
		"main.go":                          "package main\n\nimport (\n\t\"example.org/called\"\n\t\"example.org/imported\"\n\t\"example.org/required/safe\"\n)\n\nfunc main() {\n\tcalled.Run()\n\timported.Safe()\n\tsafe.Safe()\n}\n",
		"vendor/modules.txt":               vendored,
		"vendor/example.org/called/a.go":   "package called\n\nfunc Run() {}\n",
		"vendor/example.org/imported/a.go": "package imported\n\nfunc Run() {}\n\nfunc Safe() {}\n", "vendor/example.org/required/safe/a.go": "package safe\n\nfunc Safe() {}\n",
	}
}

// What of a vulnerable module is called, imported or only required is told as it is, in each
// module of a repository, without network and without a module cache.
func TestGovulncheckTellsWhatIsCalled(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Fatalf("govulncheck needs the go command: %v", err)
	}
	w := newWorld(t)
	tool := filepath.Join(program(t, "govulncheck"), "govulncheck")
	db := vulndb(t, w, [2]string{"example.org/called", "example.org/called"}, [2]string{"example.org/imported", "example.org/imported"}, [2]string{"example.org/required", "example.org/required/unsafe"})
	repo := w.releases(t, "  govulncheck: {kinds: [go-symbols], command: ["+tool+", -json, -db, \"file://"+db+"\", ./...], format: govulncheck, on_demand: true}\n")
	w.in(t, repo, goModule("acme.example/app"))
	w.in(t, filepath.Join(repo, "api"), goModule("acme.example/api"))
	r := w.checked(t, repo, "go-symbols", "--reach")
	got := map[string]string{}
	for _, h := range r.Hits {
		got[h.Detector+" "+h.Path] = h.Message[strings.LastIndex(h.Message, " (")+1:]
	}
	want := map[string]string{}
	for _, dir := range []string{"", "api/"} {
		want["GO-2026-9001 "+dir+"main.go"] = "(a vulnerable function is called)"
		want["GO-2026-9002 "+dir+"go.mod"] = "(imported; no vulnerable function is called)"
		want["GO-2026-9003 "+dir+"go.mod"] = "(required; no vulnerable package is imported)"
	}
	if !r.Complete || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("complete %v, %v, want %v; %+v", r.Complete, got, want, r.Open)
	}

	// What keeps it from an answer is told, and is no answer.
	if err := os.RemoveAll(filepath.Join(repo, "api/vendor")); err != nil {
		t.Fatal(err)
	}
	r = w.checked(t, repo, "go-symbols", "--reach")
	if ok, blocks := r.told("api/go.mod", "ended with exit code 1"); !ok || !blocks || r.Complete || len(r.Hits) != 3 {
		t.Errorf("a module whose sources are not there: %d hits, %+v", len(r.Hits), r.Open)
	}
	if err := os.RemoveAll(filepath.Join(repo, "api")); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"index/db.json", "index", ""} {
		if err := os.RemoveAll(filepath.Join(db, gone)); err != nil {
			t.Fatal(err)
		}
		if r = w.checked(t, repo, "go-symbols", "--reach"); r.Complete || len(r.Open) == 0 {
			t.Errorf("a database without its %q: %d hits, %+v", gone, len(r.Hits), r.Open)
		}
	}
}
