package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"verdict/identity"
)

// typist has a home with the example of a script in it, alone or with a server.
type typist struct {
	t    *testing.T
	dir  string
	vars []string
	last string // what the last command wrote
}

// typistWith lays out the files of a script, without some lines, and makes its repository.
func typistWith(t *testing.T, script string, without ...string) *typist {
	t.Helper()
	p := &typist{t: t, dir: t.TempDir()}
	a, err := txtar.ParseFile(filepath.Join("testdata", "script", script+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		for _, line := range without {
			f.Data = bytes.ReplaceAll(f.Data, []byte(line+"\n"), nil)
		}
		path := filepath.Join(p.dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.vars = []string{
		"HOME=" + filepath.Join(p.dir, "home"), "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "NO_COLOR=1",
		"GIT_AUTHOR_NAME=Ben", "GIT_AUTHOR_EMAIL=ben@acme.example", "GIT_AUTHOR_DATE=2026-11-20T08:00:00Z",
		"GIT_COMMITTER_NAME=Ben", "GIT_COMMITTER_EMAIL=ben@acme.example", "GIT_COMMITTER_DATE=2026-11-20T08:00:00Z",
	}
	for _, words := range []string{"init -q -b main .", "remote add origin https://github.com/acme/shop", "add -A", "commit -q -m map"} {
		p.git(words)
	}
	if err := os.Rename(filepath.Join(p.dir, "main.txt"), filepath.Join(p.dir, "repo", "main.txt")); err != nil {
		t.Fatal(err)
	}
	p.git("add -A")
	p.git("commit -q -m change")
	from, err := os.ReadFile(filepath.Join(p.dir, "provenance.txt"))
	if err != nil {
		t.Fatal(err)
	}
	at := strings.TrimSpace(p.git("rev-parse HEAD"))
	if err := os.WriteFile(filepath.Join(p.dir, "provenance.json"), bytes.ReplaceAll(from, []byte("COMMIT"), []byte(at)), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *typist) git(words string) string {
	p.t.Helper()
	c := exec.Command("git", strings.Fields(words)...)
	c.Dir, c.Env = filepath.Join(p.dir, "repo"), p.vars
	out, err := c.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %s: %v: %s", words, err, out)
	}
	return string(out)
}

// types runs a command in the repository, as a person types it.
func (p *typist) types(words string) (code int, out, talk string) {
	p.t.Helper()
	p.t.Chdir(filepath.Join(p.dir, "repo"))
	var stdout, stderr bytes.Buffer
	code = run(p.t.Context(), p.vars, strings.NewReader(""), &stdout, &stderr, strings.Fields(words))
	p.last = stdout.String()
	return code, p.plain(p.last), stderr.String()
}

// What differs from one run to the next, and says nothing: ids, digests of what has a time in
// it, times, keys, and where the log is.
var varying = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`\b([a-z])-[0-9a-z]{10,}`), "$1-ID"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "DIGEST"},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "SHORT"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| UTC)?( \(just now\))?`), "TIME"},
	{regexp.MustCompile(`\b\d+(ms|s)\b`), "TOOK"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{43}=`), "KEY"},
	{regexp.MustCompile(`(?m)(^|[ (])[A-Za-z0-9+/]{12}($|[ ,.)])`), "${1}KEY${2}"},
	{regexp.MustCompile(`(entry|entries|since entry|log proof) \d+|\d+ entries`), "ENTRY"},
	{regexp.MustCompile(`\(a[0-9a-f]{20}\)|key:KEY`), "ACTOR"},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(` ?\n ?`), "\n"},
}

// byServer is the one thing that an answer says more with a server: that it decided, and by
// which map.
var byServer = regexp.MustCompile(`decided by the server, by (the built-in map|.{1,80}? as the caller sent it: no \S+ map is released here|the released \S+ map( with verdict\.yaml at SHORT)?) `)

// plain leaves out what differs from one run to the next.
func (p *typist) plain(out string) string {
	for _, folder := range []string{"/home/.local/share/verdict", "/served", ""} {
		out = strings.ReplaceAll(out, p.dir+folder, "DIR")
	}
	for _, r := range varying {
		out = r.is.ReplaceAllString(out, r.as)
	}
	out = strings.Join(strings.Fields(out), " ") // lines break where a word is longer
	return byServer.ReplaceAllString(out, "")
}

// serve starts verdict serve as a person does, and names it for the commands that follow.
func (p *typist) serve() {
	p.t.Helper()
	ctx, stop := context.WithCancel(p.t.Context())
	out := &lines{found: make(chan string, 1), word: regexp.MustCompile(`http://127\.0\.0\.1:\d+`)}
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, p.vars, strings.NewReader(""), out, &bytes.Buffer{}, []string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", "off", "--data", filepath.Join(p.dir, "served")})
	}()
	p.t.Cleanup(func() {
		stop()
		if code := <-done; code != 0 {
			p.t.Errorf("verdict serve ends with %d", code)
		}
	})
	select {
	case address := <-out.found:
		p.vars = append(p.vars, "VERDICT_SERVER="+address)
	case <-time.After(30 * time.Second):
		p.t.Fatal("verdict serve says no address")
	}
}

// lines waits for a word in what is written.
type lines struct {
	mu    sync.Mutex // guards text
	text  bytes.Buffer
	word  *regexp.Regexp
	found chan string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.text.Write(b)
	if w := l.word.Find(l.text.Bytes()); w != nil {
		select {
		case l.found <- string(w):
		default:
		}
	}
	return n, err
}

// A team that moves from a ledger on one machine to a server types the same commands, and
// must get the same answers and the same exit codes.
func TestACommandSaysTheSameAloneAndWithAServer(t *testing.T) {
	alone, with := typistWith(t, "gate"), typistWith(t, "gate")
	with.serve()
	const app = "sha256:51d08facd5da6a6efdc3adb3a0344dd6decf35f781981f8a791da706c934c0a4"
	for _, tt := range []struct {
		words string
		code  int
	}{
		{"ci", 0},
		{"gate --env dev ../app.tar --dry-run", 3},
		{"gate --env dev ../app.tar", 3},
		{"gate --env prodution ../app.tar", 2},
		{"attest provenance ../provenance.json --subject ../app.tar --subject ../lost.tar", 0},
		{"attest sbom ../bom.json --subject ../app.tar --subject ../lost.tar", 0},
		{"artifact trust ../app.tar", 0},
		{"artifact show " + app, 0},
		{"gate --env dev ../app.tar --dry-run", 0},
		{"gate --env dev ../app.tar", 0},
		{"gate --env staging ../app.tar", 0},
		{"gate --env production ../app.tar", 3},
		{"gate --env production ../lost.tar", 3},
		{"plan check ../plan.json --source .", 0},
		{"gate --env staging --plan ../plan.json", 0},
		{"why HEAD", 0},
		{"why " + app, 0},
		{"why ../none.tar", 1},
		{"trail HEAD", 0},
		{"trail " + app, 0},
		{"environments", 0},
		{"findings list", 0},
		{"exception list", 0},
		{"policy list", 0},
		{"keys list", 0},
		{"people list", 0},
		{"map show", 0},
		{"where pkg:npm/left-pad", 0},
		{"log checkpoint -o json", 0},
		{"log proof 1 -o json", 0},
		{"log key", 0},
		{"log export --out ../out", 0},
	} {
		t.Run(tt.words, func(t *testing.T) {
			alone.t, with.t = t, t
			code, out, talk := alone.types(tt.words)
			thereCode, thereOut, thereTalk := with.types(tt.words)
			if code != tt.code {
				t.Errorf("alone it ends with %d, want %d: %s", code, tt.code, talk)
			}
			if thereCode != code {
				t.Errorf("alone it ends with %d, with a server with %d: %s", code, thereCode, thereTalk)
			}
			if strings.HasPrefix(tt.words, "log ") { // another log, of another length
				return
			}
			if i := differ(out, thereOut); i >= 0 {
				t.Errorf("alone:\n… %.600s\nwith a server:\n… %.600s", out[i:], thereOut[min(i, len(thereOut)):])
			}
		})
	}
	alone.t, with.t = t, t
}

// serveIn serves the data directory of the typist in this process, for who has one of these
// roles, and with its keys.
func (p *typist) serveIn() {
	p.t.Helper()
	folder := filepath.Join(p.dir, "home", ".local", "share", "verdict")
	a := &app{
		env: newEnvironment(p.vars), stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, now: time.Now, rand: rand.Reader,
		log: slog.New(slog.DiscardHandler), progress: &progress{}, config: config{Data: folder},
	}
	w, err := a.open(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	who := callersOf{}
	for name, role := range map[string]identity.Role{"developer": identity.Developer, "approver": identity.Approver, "security": identity.Security, "auditor": identity.Auditor, "admin": identity.Admin} {
		who[name] = caller(name, role, identity.Anywhere())
	}
	who["outsider"] = caller("outsider", identity.Viewer, identity.Scope{Services: []string{"other"}, Teams: []string{"*"}, Environments: []string{"*"}})
	who["narrow"] = caller("narrow", identity.Viewer, identity.Scope{Services: []string{"payments-api"}, Teams: []string{}, Environments: []string{identity.Everything}})
	owner := who["developer"]
	owner.Key = w.signer.KeyID()
	who["developer"] = owner
	public, err := url.Parse("http://127.0.0.1:1")
	if err != nil {
		p.t.Fatal(err)
	}
	s, err := newHost(w).server(p.t.Context(), public, who)
	if err != nil {
		p.t.Fatal(err)
	}
	h := httptest.NewServer(s.Handler())
	p.t.Cleanup(func() {
		h.Close()
		if err := w.close(); err != nil {
			p.t.Error(err)
		}
	})
	p.vars = append(p.vars, "VERDICT_SERVER="+h.URL, "VERDICT_TOKEN=env:ROLE")
}

// unpack lays out a folder of another script.
func (p *typist) unpack(script, folder, as string) {
	p.t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", "script", script+".txtar"))
	if err == nil {
		err = os.MkdirAll(filepath.Join(p.dir, as), 0o755)
	}
	for _, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, folder+"/"); ok && err == nil {
			err = os.WriteFile(filepath.Join(p.dir, as, name), f.Data, 0o644)
		}
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// as types a command in a role. Alone nobody asks for one.
func (p *typist) as(role, words string) (code int, out, talk string) {
	p.t.Helper()
	vars := p.vars
	p.vars = append(vars[:len(vars):len(vars)], "ROLE="+role)
	defer func() { p.vars = vars }()
	return p.types(words)
}

// organisation is a map for everybody, with the persons of the example.
const organisation = `schema: verdict/v1
organization: acme
people:
  ben: {teams: [payments], accounts: {git: ben@acme.example}}
  mei: {teams: [payments]}
trust:
  - {name: this machine, key: local, kinds: ["*"], services: ["*"], environments: ["*"]}
`

// Persons enroll, approve, accept and release; with a server also by their roles, and never
// without them.
func TestPersonsDoTheSameAloneAndWithAServer(t *testing.T) {
	without := []string{"    soak: 1h", "    hours: {allow: Mon-Fri 08:00-20:00}", "    freezes: [{from: 2026-12-24, to: 2026-12-26, reason: holidays}]"}
	alone, with := typistWith(t, "gate", without...), typistWith(t, "gate", without...)
	for _, p := range []*typist{alone, with} {
		if err := os.WriteFile(filepath.Join(p.dir, "org.yaml"), []byte(organisation), 0o644); err != nil {
			t.Fatal(err)
		}
		p.unpack("policy-backtest", "v2", "rules")
	}
	with.serveIn()
	first := regexp.MustCompile(`d-[0-9a-z]{10,}`)
	var decision, there string
	for _, tt := range []struct {
		role, words string
		code        int
		refused     bool // by the server: the role does not allow it
	}{
		{"approver", "people enroll mei", 0, false},
		{"security", "log sweep", 4, true},
		{"admin", "log sweep", 0, false},
		{"security", "log receipt", 4, true},
		{"admin", "log receipt", 0, false},
		{"admin", "log receipt", 0, false}, // there is nothing more to sign for
		{"developer", "ci", 0, false},
		{"auditor", "ci", 4, true},
		{"developer", "attest provenance ../provenance.json --subject ../app.tar", 0, false},
		{"approver", "attest provenance ../provenance.json --subject ../lost.tar", 4, true},
		{"developer", "attest sbom ../bom.json --subject ../app.tar", 0, false},
		{"developer", "artifact trust ../app.tar -o bundle=" + filepath.Join(t.TempDir(), "b.json") + " -o text", 0, false},
		{"developer", "gate --env dev ../app.tar", 0, false},
		{"developer", "gate --env staging ../app.tar", 0, false},
		{"developer", "gate --env production ../app.tar -o json", 5, false},
		{"developer", "approve DECISION --as mei --scope r1 --rationale looked --expires 12h", 4, true},
		{"approver", "approve DECISION --as mei --scope r1 --rationale looked --expires 12h", 0, false},
		{"developer", "gate --env production ../app.tar", 0, false},
		{"approver", "gate --env production ../app.tar", 4, true},
		{"developer", "attest deployment --env production --service payments-api --decision PROMOTION ../app.tar", 0, false},
		{"developer", "environments", 0, false},
		{"developer", "people list", 0, false},
		{"developer", "keys list", 0, false},
		{"developer", "break-glass list", 0, false},
		{"developer", "policy list", 0, false},
		{"developer", "trail ../app.tar", 0, false},
		{"developer", "policy replay DECISION", 0, false},
		{"auditor", "policy backtest --policy ../rules", 0, false},
		{"auditor", "policy backtest --policy ../rules --verify --limit 3", 0, false},
		{"developer", "gate --env production ../lost.tar", 3, false},
		{"developer", "exception list", 0, false},
		{"developer", "map release ../org.yaml --as mei", 4, true},
		{"security", "map release ../org.yaml --as mei", 5, false}, // a second person has to
		{"developer", "map show", 0, false},
		{"developer", "ci", 0, false},
	} {
		t.Run(tt.role+" "+tt.words, func(t *testing.T) {
			alone.t, with.t = t, t
			fill := func(words, id string) string {
				return strings.NewReplacer("DECISION", id, "PROMOTION", id).Replace(words)
			}
			code, out, talk := 0, "", ""
			if !tt.refused {
				code, out, talk = alone.as(tt.role, fill(tt.words, decision))
				if code != tt.code {
					t.Errorf("alone it ends with %d, want %d: %s", code, tt.code, talk)
				}
			}
			thereCode, thereOut, thereTalk := with.as(tt.role, fill(tt.words, there))
			if thereCode != tt.code {
				t.Errorf("with a server it ends with %d, want %d: %s", thereCode, tt.code, thereTalk)
			}
			if tt.refused {
				if !strings.Contains(thereTalk, "role") {
					t.Errorf("it says %s", thereTalk)
				}
				return
			}
			if strings.Contains(tt.words, "--env production") && strings.HasPrefix(tt.words, "gate") {
				decision, there = first.FindString(alone.last), first.FindString(with.last)
			}
			if strings.HasSuffix(tt.words, "json") { // it has digests of digests
				return
			}
			if i := differ(out, thereOut); i >= 0 {
				t.Errorf("alone:\n… %.600s\nwith a server:\n… %.600s", out[i:], thereOut[min(i, len(thereOut)):])
			}
		})
	}
	alone.t, with.t = t, t
}

// Whoever has no hand on the data verifies a log as he would verify one on his own machine; the
// first time, nothing tells him that it is the one of before.
func TestALogIsVerifiedAloneAndWithAServer(t *testing.T) {
	alone, with := typistWith(t, "gate"), typistWith(t, "gate")
	with.serve()
	for _, p := range []*typist{alone, with} {
		for _, words := range []string{"ci", "attest sbom ../bom.json --subject ../app.tar"} {
			if code, _, talk := p.types(words); code != 0 {
				t.Fatalf("%s: %d %s", words, code, talk)
			}
		}
	}
	code, out, talk := with.types("log verify")
	if code != 1 || !strings.Contains(out, "NOT EVERYTHING COULD BE CHECKED") || !strings.Contains(out, "for the first time") {
		t.Errorf("the first time: %d %s %s", code, out, talk)
	}
	if code, kept, _ := with.types("log checkpoint"); code != 0 {
		t.Fatal(kept)
	}
	if err := os.WriteFile(filepath.Join(with.dir, "kept"), []byte(with.last), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, _ := with.types("log key"); code != 0 {
		t.Fatal("log key")
	}
	if err := os.WriteFile(filepath.Join(with.dir, "log.vkey"), []byte(with.last), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		words string
		code  int
		says  string
	}{
		{"log verify", 0, "The log holds."},
		{"log verify --against ../kept --trust-log ../log.vkey", 0, "The log holds."},
		{"log verify --signatures=false", 0, "its signatures were not checked"},
	} {
		code, out, talk := with.types(tt.words)
		if code != tt.code || !strings.Contains(out, tt.says) || !strings.Contains(out, "before; the log continues that") {
			t.Errorf("%s with a server: %d %s %s", tt.words, code, out, talk)
		}
		if strings.Contains(tt.words, "kept") {
			continue
		}
		if code, out, talk := alone.types(tt.words); code != tt.code || !strings.Contains(out, tt.says) {
			t.Errorf("%s alone: %d %s %s", tt.words, code, out, talk)
		}
	}
	if code, _, talk := alone.types("log key"); code != 0 {
		t.Fatal(talk)
	}
	if code, out, _ := with.types("log verify --trust-log " + strings.TrimSpace(alone.last)); code != 3 || !strings.Contains(out, "is not the one that was given") {
		t.Errorf("another key than was given: %d %s", code, out)
	}
	if code, _, talk := alone.types("log verify --trust-log " + strings.TrimSpace(alone.last)); code != 2 || !strings.Contains(talk, "no --server is given") {
		t.Errorf("a key for no server: %d %s", code, talk)
	}
	// The same log at the same size gives the same bytes, wherever it is exported.
	if code, _, talk := with.types("log export --out ../there"); code != 0 {
		t.Fatalf("%d %s", code, talk)
	}
	check := regexp.MustCompile(`verdict (verify .*)`).FindStringSubmatch(with.last)
	if len(check) == 0 {
		t.Fatal(with.last)
	}
	if code, _, talk := with.types(check[1]); code != 0 {
		t.Errorf("what was exported: %d %s", code, talk)
	}
	with.vars = slices.DeleteFunc(with.vars, func(v string) bool { return strings.HasPrefix(v, "VERDICT_SERVER=") })
	if code, _, talk := with.types("log export --out ../here --data ../served"); code != 0 {
		t.Fatalf("%d %s", code, talk)
	}
	if out, err := exec.Command("diff", "-r", filepath.Join(with.dir, "here"), filepath.Join(with.dir, "there")).CombinedOutput(); err != nil {
		t.Errorf("the two exports differ: %v %s", err, out)
	}
}

// Who reads a part of the log is not told of a sound decision that it is another one, because
// some of what it rests on is none of his.
func TestADecisionIsTheSameToWhoSeesAPartOfWhatItRestsOn(t *testing.T) {
	p := typistWith(t, "gate", "    soak: 1h", "    hours: {allow: Mon-Fri 08:00-20:00}", "    freezes: [{from: 2026-12-24, to: 2026-12-26, reason: holidays}]")
	p.unpack("policy-backtest", "v2", "rules")
	p.serveIn()
	var id string
	for _, words := range []string{"ci", "attest provenance ../provenance.json --subject ../app.tar", "attest sbom ../bom.json --subject ../app.tar", "artifact trust ../app.tar", "gate --env dev ../app.tar -o json"} {
		if code, _, talk := p.as("developer", words); code != 0 {
			t.Fatalf("%s: %d %s", words, code, talk)
		}
		id = regexp.MustCompile(`d-[0-9a-z]{10,}`).FindString(p.last)
	}
	for _, tt := range []struct {
		words, says, talks string
		code               int
	}{
		{"policy replay " + id, "The same decision again", "the server took it again", 0},
		{"policy replay " + id + " -o json", `"same": true`, "", 0},
		{"policy backtest --policy ../rules", "stay as they are", "do not reach", 0},
		{"policy backtest --policy ../rules --verify", "", "leave --verify out", 4},
	} {
		code, out, talk := p.as("narrow", tt.words)
		if code != tt.code || !strings.Contains(out, tt.says) || !strings.Contains(talk, tt.talks) {
			t.Errorf("%s: %d\n%s%s", tt.words, code, out, talk)
		}
	}
}

// differ is a little before where two texts begin to differ; -1: nowhere.
func differ(a, b string) int {
	if a == b {
		return -1
	}
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return max(n-60, 0)
}

// What needs the bytes of the log says where it is run, and does not do it to a ledger of this
// machine instead.
func TestWhatNeedsTheLogItselfIsRunWhereItIs(t *testing.T) {
	p := typistWith(t, "gate")
	p.serve()
	for _, words := range []string{"log epoch --from-backup --reason x", "log witness --url https://w.example --key w.example+00000000+AA"} {
		code, out, talk := p.types(words)
		where := "where the server keeps its data"
		if strings.HasPrefix(words, "log witness") {
			where = "at an address that a caller names"
		}
		if code != 2 || out != "" || !strings.Contains(talk, where) || !strings.Contains(talk, "fix: ") {
			t.Errorf("%s: %d %s %s", words, code, out, talk)
		}
	}
	if _, err := os.Stat(filepath.Join(p.dir, "home", ".local", "share", "verdict", ledgerFile)); err == nil {
		t.Error("a ledger was made on this machine")
	}
}
