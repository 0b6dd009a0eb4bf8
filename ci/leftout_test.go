package ci

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/ci/inventory/inventorytest"
)

// What is left out too widely is never looked at, and nobody notices.
func TestWhatAPathLeavesOut(t *testing.T) {
	for pattern, paths := range map[string]map[string]bool{
		"examples":        {"examples": true, "examples/a": true, "examples/a/b": true, "examples2/a": false, "src/examples/a": false},
		"examples/":       {"examples/a": true, "my/examples/a": false},
		"web/samples/*":   {"web/samples/a/b": true, "web/samples": false, "web/other/a": false},
		"**/fixtures":     {"fixtures/a": true, "a/b/fixtures/c": true, "a/fixtures2/b": false},
		"*.sample.json":   {"a.sample.json": true, "b/a.sample.json": false},
		"**/*.sample.env": {"a.sample.env": true, "b/c.sample.env": true, "b/c.env": false},
		"a[bc]/x":         {"ab/x": true, "ad/x": false},
	} {
		for p, want := range paths {
			if got := (LeftOut{Path: pattern}).covers(p); got != want {
				t.Errorf("%s covers %s: %v, want %v", pattern, p, got, want)
			}
		}
	}
}

// An entry that has come to name nothing, or never did, is a promise that nobody keeps: the
// files that it was to leave out are judged.
func TestALeftOutEntryThatNothingMatchesIsToldOnce(t *testing.T) {
	dir, _ := committed(t, map[string]string{"examples/a.txt": "a", "svc/b.txt": "b"})
	o := Options{Now: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }, Ignore: []byte("schema: verdict-ignore/v1\nleft_out:\n" +
		"  - {path: exmaples, checks: [secrets, vulnerabilities], reason: r, owner: web, expires: 2027-01-01}\n" +
		"  - {path: examples, checks: [vulnerabilities], reason: r, owner: web, expires: 2027-01-01}\n")}
	r := ran(t, dir, o)
	if !told(r.Reports[0], "leaves out exmaples, and there is nothing of that name (owner web)") || told(r.Reports[1], "nothing of that name") {
		t.Errorf("%+v", r.Reports)
	}
	o.Within = []string{"svc"}
	if r = ran(t, dir, o); told(r.Reports[0], "nothing of that name") {
		t.Errorf("a part of the tree is told to be all of it: %+v", r.Reports[0])
	}
}

func leftOutFile(entry string) string {
	return "schema: verdict-ignore/v1\nleft_out:\n  - {" + entry + "}\n"
}

func TestLeftOutEntriesThatAreRefused(t *testing.T) {
	const rest = ", reason: r, owner: o, expires: 2027-01-01"
	if _, err := ParseIgnores(IgnoreFile, []byte(leftOutFile("path: examples, checks: [secrets]"+rest))); err != nil {
		t.Fatal(err)
	}
	for name, entry := range map[string]string{
		"everything":              "path: '*', checks: [secrets]" + rest,
		"everything at any depth": "path: '**/*', checks: [secrets]" + rest,
		"all but a sign":          "path: '**/[^~]*', checks: [secrets]" + rest,
		"all of one folder down":  "path: '[a-z]*/*[^~]', checks: [secrets]" + rest,
		"whatever has a letter":   "path: '**/*[a-z]*', checks: [secrets]" + rest,
		"the root":                "path: ., checks: [secrets]" + rest,
		"outside":                 "path: ../other, checks: [secrets]" + rest,
		"absolute":                "path: /etc, checks: [secrets]" + rest,
		"a way round":             "path: a/../b, checks: [secrets]" + rest,
		"no path":                 "path: '', checks: [secrets]" + rest,
		"a pattern that is none":  "path: 'a[', checks: [secrets]" + rest,
		"no checks":               "path: a" + rest,
		"a check that is none":    "path: a, checks: [all]" + rest,
		"no reason":               "path: a, checks: [secrets], owner: o, expires: 2027-01-01",
		"no owner":                "path: a, checks: [secrets], reason: r, expires: 2027-01-01",
		"no expiry":               "path: a, checks: [secrets], reason: r, owner: o",
	} {
		_, err := ParseIgnores(IgnoreFile, []byte(leftOutFile(entry)))
		var e *verdict.Error
		if !errors.As(err, &e) || e.Remedy == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Who asks about a folder alone is told what the whole repository is told: what its file
// excuses by paths from the root holds there too, and only there.
func TestTheFileOfIgnoresHoldsInAFolderOfTheRepository(t *testing.T) {
	line := "api_key=" + generic1 + "\n"
	dir, base := committed(t, map[string]string{
		"svc/a.env": line, "svc/old.env": "# 1\n" + line, "svc/samples/b.env": line, "svc/samples/package-lock.json": inventorytest.PackageLock, "svc/c/samples/d.env": line,
	})
	must(t, os.Rename(filepath.Join(dir, "svc/old.env"), filepath.Join(dir, "svc/moved.env")))
	commitAll(t, dir)
	key := ran(t, dir, Options{}).Reports[0].Hits[0].Key
	if !strings.HasSuffix(key, ":svc/a.env") {
		t.Fatal(key)
	}
	r := ran(t, filepath.Join(dir, "svc"), Options{
		Base: base, Now: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
		Ignore: []byte("schema: verdict-ignore/v1\nfalse_positives:\n  - {key: '" + key + "', reason: r, owner: o, expires: 2027-01-01}\n" +
			"left_out:\n  - {path: svc/samples, checks: [secrets, vulnerabilities], reason: r, owner: o, expires: 2027-01-01}\n" +
			"  - {path: samples, checks: [secrets], reason: r, owner: o, expires: 2027-01-01}\n"),
	})
	var got []string
	for _, h := range r.Reports[0].Hits {
		got = append(got, h.Key[strings.LastIndex(h.Key, ":")+1:])
		if !h.Old {
			t.Errorf("%s is new: %s", h.Path, h.Key)
		}
	}
	if want := []string{"svc/c/samples/d.env", "svc/moved.env"}; !slices.Equal(got, want) || r.Reports[0].Ignored != 1 {
		t.Errorf("found %v, want %v; %d ignored", got, want, r.Reports[0].Ignored)
	}
	if v := r.Reports[1]; v.Scope.Inputs != 0 {
		t.Errorf("a lockfile that is left out was read: %+v", v)
	}
}

// Leaving out is for one check, ends by itself, is told with its number, and neither
// touches what the tree is nor lets a bill of materials look whole.
func TestWhatIsLeftOutIsToldAndLeavesTheCommitWhole(t *testing.T) {
	dir, id := committed(t, map[string]string{
		"package-lock.json": inventorytest.PackageLock, "examples/package.json": `{"name": "x", "dependencies": {"left": "1.0.0"}}`, "examples/a.env": "api_key=" + generic1 + "\n",
	})
	at := func(day string) *Result {
		t.Helper()
		now, err := time.Parse(time.DateOnly, day)
		must(t, err)
		return ran(t, dir, Options{
			Ignore:  []byte(leftOutFile("path: examples/, checks: [vulnerabilities], reason: samples, owner: web, expires: 2027-01-01")),
			Matcher: &facts{covers: []string{"npm"}}, Now: func() time.Time { return now },
		})
	}
	r := at("2026-12-31")
	secrets, vulnerable := r.Reports[0], r.Reports[1]
	if r.Uncommitted() || r.Subject.Digest.Hex() != id {
		t.Errorf("subject %+v", r.Subject)
	}
	if !vulnerable.Complete || !told(vulnerable, "1 file is left out: samples") || vulnerable.Scope.Inputs != 1 {
		t.Errorf("vulnerabilities: %+v", vulnerable)
	}
	if len(secrets.Hits) != 1 || told(secrets, "samples") {
		t.Errorf("the other check is left out too: %+v", secrets)
	}
	if r.Bill.Inventory == "complete" || !strings.Contains(string(r.Bill.Inventory), "incomplete") {
		t.Errorf("the bill of materials is %s", r.Bill.Inventory)
	}
	if late := at("2027-01-01").Reports[1]; late.Complete || !told(late, "expired on 2027-01-01") {
		t.Errorf("on its day: %+v", late)
	}
}
