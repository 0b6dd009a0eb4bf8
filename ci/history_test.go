package ci

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
)

// leaked is a repository that leaked and went on: commits 1 and 2 are clean, 3 brings a
// secret, 4 keeps it in a changed file, 5 takes it out.
func leaked(t *testing.T) (dir string, ids []string) {
	t.Helper()
	dir = repository(t)
	for i, text := range []string{"# settings\n", "# settings\nname=x\n", "# settings\nname=x\napi_key=" + generic1 + "\n", "name=x\napi_key=" + generic1 + "\n", "name=x\n"} {
		write(t, dir, "conf/app.conf", text)
		write(t, dir, "other.txt", fmt.Sprintf("version %d\n", i))
		ids = append(ids, commitAll(t, dir))
	}
	return dir, ids
}

func secretsOf(t *testing.T, dir string, o Options) verdict.Report {
	t.Helper()
	return ran(t, dir, o).Reports[0]
}

// What a user loses when this fails: the secret that was taken out of the file, and that
// everyone who has a clone still has.
func TestASecretThatWasTakenOutIsFoundInHistory(t *testing.T) {
	dir, ids := leaked(t)
	r := secretsOf(t, dir, Options{})
	if len(r.Hits) != 0 || r.History != nil || !told(r, "git history was not searched") {
		t.Fatalf("without a range: %+v", r)
	}
	r = secretsOf(t, dir, Options{History: "HEAD~3..HEAD"})
	if len(r.Hits) != 1 || !r.Complete || told(r, "git history was not searched") {
		t.Fatalf("report: %+v", r)
	}
	h := r.Hits[0]
	if h.Commit != verdict.NewDigest("gitCommit", ids[2]) || h.Path != "conf/app.conf" || h.Line != 3 || !strings.Contains(h.Fix, "not enough") ||
		!strings.Contains(h.Message, "commit "+ids[2][:12]+" added it, and 1 later version of the file holds it") || strings.Contains(h.Message, generic1[:6]) {
		t.Errorf("hit: %+v", h)
	}
	if r.History.Commits != 3 || r.History.Contents != 6 || r.History.From != verdict.NewDigest("gitCommit", ids[1]) {
		t.Errorf("history: %+v", r.History)
	}
	for _, clean := range []string{"HEAD~4..HEAD~3", "HEAD~1..HEAD", "HEAD.."} {
		if r := secretsOf(t, dir, Options{History: clean}); len(r.Hits) != 0 || !r.Complete {
			t.Errorf("%s: %+v", clean, r.Hits)
		}
	}
	if r := secretsOf(t, filepath.Join(dir, "conf"), Options{History: "HEAD"}); len(r.Hits) != 1 || r.Hits[0].Path != "app.conf" || r.History.Contents != 5 {
		t.Errorf("a folder of the repository: %+v", r)
	}
}

// A range that holds nothing is no search that found nothing.
func TestARangeWithoutCommitsIsTold(t *testing.T) {
	dir, _ := leaked(t)
	if r := secretsOf(t, dir, Options{History: "HEAD..HEAD~2"}); r.Complete || !told(r, "the older commit first") {
		t.Errorf("turned round: %+v", r)
	}
	if r := secretsOf(t, dir, Options{History: "HEAD..HEAD"}); !r.Complete || !told(r, "none was searched") {
		t.Errorf("of one commit: %+v", r)
	}
}

// What is left out is left out of its past too, or nobody could search the history of a
// repository with samples; and it is told, as it is for the tree.
func TestWhatIsLeftOutIsLeftOutOfHistory(t *testing.T) {
	dir, _ := leaked(t)
	o := Options{
		History: "HEAD", Ignore: []byte(leftOutFile("path: conf, checks: [secrets], reason: samples, owner: o, expires: 2027-01-01")),
		Now: func() time.Time { return time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC) },
	}
	if r := secretsOf(t, dir, o); len(r.Hits) != 0 || !told(r, "5 files of the history are left out by "+IgnoreFile) {
		t.Errorf("%+v", r)
	}
	o.Now = func() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) }
	if r := secretsOf(t, dir, o); len(r.Hits) != 1 {
		t.Errorf("it expired: %+v", r)
	}
}

// Who reads that the tree holds a secret no more looks for it no more.
func TestAHitOfHistorySaysWhetherTheTreeStillHoldsIt(t *testing.T) {
	dir, ids := leaked(t)
	says := func(what string, o Options, words string) {
		t.Helper()
		r := secretsOf(t, dir, o)
		i := slices.IndexFunc(r.Hits, func(h verdict.Hit) bool { return h.Path == "conf/app.conf" && h.Commit != "" })
		if i < 0 || !strings.Contains(r.Hits[i].Message, words) {
			t.Errorf("%s: %+v", what, r.Hits)
		}
	}
	says("it is gone", Options{History: "HEAD"}, "; the tree holds it no more")
	gitIn(t, dir, "checkout", "-q", ids[3])
	says("a quick answer did not read it", Options{History: "HEAD", Diff: true, Base: ids[3]}, "; whether the tree still holds it was not read")
	gitIn(t, dir, "mv", "conf/app.conf", "moved.conf")
	says("it was moved", Options{History: "HEAD"}, "; the tree holds it in moved.conf")
}

// A secret that the change brought and took out again is the change's own, though the
// file is what it was.
func TestAHitOfHistoryIsOldByItsCommit(t *testing.T) {
	dir, ids := leaked(t)
	for base, old := range map[string]bool{ids[1]: false, ids[2]: true, ids[4]: true} {
		r := secretsOf(t, dir, Options{History: "HEAD", Base: base})
		if len(r.Hits) != 1 || r.Hits[0].Old != old {
			t.Errorf("base %s: %+v, want old %v", base, r.Hits, old)
		}
	}
	if r := secretsOf(t, dir, Options{History: "HEAD", Within: []string{"other.txt"}}); len(r.Hits) != 0 || r.History.Contents != 5 {
		t.Errorf("outside of the scope: %+v", r)
	}
}

// What is stated about a secret holds for it in the tree, in history and encoded alike.
func TestAKeyIsTheSameInTreeAndHistory(t *testing.T) {
	dir, ids := leaked(t)
	gitIn(t, dir, "checkout", "-q", ids[2])
	inTree := secretsOf(t, dir, Options{History: "HEAD"})
	if len(inTree.Hits) != 1 || inTree.Hits[0].Commit != "" || !strings.Contains(inTree.Hits[0].Message, "added it") {
		t.Fatalf("a secret that the tree still holds is one hit: %+v", inTree.Hits)
	}
	gitIn(t, dir, "checkout", "-q", "main")
	past := secretsOf(t, dir, Options{History: "HEAD"}).Hits[0]
	if past.Key != inTree.Hits[0].Key {
		t.Errorf("keys %s and %s", past.Key, inTree.Hits[0].Key)
	}
	ignore := []byte("schema: verdict-ignore/v1\nfalse_positives:\n  - {key: \"" + past.Key + "\", reason: revoked on 2026-11-01, owner: payments, expires: 2027-01-01}\n")
	now := func() time.Time { return time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC) }
	if r := secretsOf(t, dir, Options{History: "HEAD", Ignore: ignore, Now: now}); len(r.Hits) != 0 || r.Ignored != 1 {
		t.Errorf("the statement does not hold for history: %+v", r.Hits)
	}

	files := func(lines string) map[string]string {
		return map[string]string{"a.txt": lines + base64.StdEncoding.EncodeToString([]byte("api_key=\""+generic1+"\"\n"))}
	}
	first := searched(t, files("one\n"), SecretsOptions{}).Hits
	if len(first) != 1 {
		t.Fatalf("hits: %+v", first)
	}
	list, err := ParseIgnores(IgnoreFile, []byte(strings.ReplaceAll(string(ignore), past.Key, first[0].Key)))
	must(t, err)
	if r := searched(t, files("one\ntwo\n"), SecretsOptions{Ignores: list.FalsePositives, Now: now}); len(r.Hits) != 0 || r.Ignored != 1 {
		t.Errorf("the statement does not hold for an encoded secret that moved: %+v", r.Hits)
	}
}

func TestWhatWasCleanIsReadOnce(t *testing.T) {
	dir, _ := leaked(t)
	file := filepath.Join(t.TempDir(), "searched")
	run := func() verdict.Report {
		t.Helper()
		r := secretsOf(t, dir, Options{History: "HEAD", Remembered: file, Version: "1.2.3"})
		if len(r.Hits) != 1 || !r.Complete {
			t.Fatalf("a remembered range hides a finding: %+v", r)
		}
		return r
	}
	if h := run().History; h.Contents != 10 || h.Remembered != 0 {
		t.Errorf("the first run: %+v", h)
	}
	if h := run().History; h.Contents != 2 || h.Remembered != 8 {
		t.Errorf("the second run reads what held a secret alone: %+v", h)
	}
	content, err := os.ReadFile(file)
	must(t, err)
	if strings.Contains(string(content), "app.conf") || strings.Contains(string(content), generic1[:6]) {
		t.Error("the file holds a path or a secret")
	}
	write(t, dir, "new.txt", "more\n")
	commitAll(t, dir)
	if h := run().History; h.Contents != 3 || h.Remembered != 8 {
		t.Errorf("one commit more: %+v", h)
	}
	content, err = os.ReadFile(file)
	must(t, err)
	for name, bad := range map[string]string{
		"other rules": strings.Replace(string(content), "sha256:", "sha256:0", 1), "another version": strings.Replace(string(content), "1.2.3", "1.2.4", 1),
		"a flipped byte": string(content[:100]) + "\xff\xfe" + string(content[102:]) + "", "cut short": string(content[:len(content)-3]), "nothing": "",
	} {
		must(t, os.WriteFile(file, []byte(bad), 0o600))
		if h := run().History; h.Remembered != 0 || h.Contents != 11 {
			t.Errorf("%s: %+v", name, h)
		}
	}
	// The rules' own digest is part of what is compared.
	s, err := NewSecrets(SecretsOptions{Version: "1.2.3"})
	must(t, err)
	if r := recall(file, s.rules.digest, "1.2.3"); len(r.old) == 0 {
		t.Error("the file of the same rules is not read")
	}
	if r := recall(file, verdict.NewDigest("sha256", strings.Repeat("0", 64)), "1.2.3"); len(r.old) != 0 {
		t.Error("what other rules found clean is not searched again")
	}
	r := secretsOf(t, dir, Options{History: "HEAD", Remembered: filepath.Join(t.TempDir(), "none", "searched")})
	if !told(r, "cannot be remembered") || !r.Complete || len(r.Hits) != 1 {
		t.Errorf("a folder that is not there: %+v", r)
	}
}

func TestHistoryThatIsNotThereBlocks(t *testing.T) {
	dir, _ := leaked(t)
	gitIn(t, dir, "config", "uploadpack.allowFilter", "true")
	clone := func(args ...string) string {
		c := t.TempDir()
		gitIn(t, c, append(append([]string{"clone", "-q"}, args...), "file://"+dir, ".")...)
		return c
	}
	r := secretsOf(t, clone("--depth=2"), Options{History: "HEAD"})
	gap(t, r.NotChecked, "is not in this shallow clone", true)
	if r := secretsOf(t, clone("--depth=2"), Options{History: "HEAD~1..HEAD"}); !r.Complete {
		t.Errorf("a range that the clone holds: %+v", r.NotChecked)
	}
	r = secretsOf(t, clone("--filter=blob:none"), Options{History: "HEAD~3..HEAD"})
	gap(t, r.NotChecked, "that this partial clone does not hold: 4", true)
	r = secretsOf(t, clone("--filter=tree:0"), Options{History: "HEAD"})
	gap(t, r.NotChecked, "does not hold every folder", true)
}

func TestRangesThatCannotBeSearched(t *testing.T) {
	dir, _ := leaked(t)
	gitIn(t, dir, "update-ref", "refs/heads/--output=x", "HEAD")
	for text, path := range map[string]string{"HEAD~50..HEAD": dir, "--output=x": dir, "HEAD..--output=x": dir, "nowhere..HEAD": dir, "HEAD": t.TempDir()} {
		_, err := Run(t.Context(), Options{Path: path, History: text})
		var e *verdict.Error
		if !errors.As(err, &e) || e.Remedy == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestFilesOfHistoryByNameAndSize(t *testing.T) {
	dir := repository(t)
	write(t, dir, "release.p12", "text")
	write(t, dir, "store", jks(1))
	write(t, dir, "big.txt", strings.Repeat("text\n", 100))
	write(t, dir, "big.dat", compiled+strings.Repeat("\x00\x01\xff\xfe", 100))
	write(t, dir, "package-lock.json", "{}")
	commitAll(t, dir)
	for _, f := range []string{"release.p12", "store", "big.txt", "big.dat", "package-lock.json"} {
		must(t, os.Remove(filepath.Join(dir, f)))
	}
	write(t, dir, "a.txt", "x\n")
	commitAll(t, dir)
	r := secretsOf(t, dir, Options{History: "HEAD", Walk: WalkOptions{MaxFile: 300}})
	gap(t, r.NotChecked, "big.txt: in history it holds 500 bytes", true)
	var found []string
	for _, h := range r.Hits {
		found = append(found, h.Detector)
	}
	slices.Sort(found)
	if !slices.Equal(found, []string{"keystore-private-key", "pkcs12-file"}) {
		t.Errorf("hits: %+v", r.Hits)
	}
	if !told(r, "files of the history that the rule set leaves out by their path: 1") {
		t.Errorf("told: %+v", r.NotChecked)
	}
}
