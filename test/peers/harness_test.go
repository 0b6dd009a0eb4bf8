// Package peers runs the real binary against public tools that know nothing of
// Verdict: what it exports must verify with them, and what was tampered with must not.
package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const commandLimit = 2 * time.Minute

// world is a user's home with Verdict in it.
type world struct {
	home    string
	verdict string // the binary
	cosign  string
	env     []string // for the next program, besides the home
}

// newWorld makes an empty home. A tool that is missing fails the test: these tests are
// run by make test-peers, which builds them.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{home: t.TempDir(), verdict: os.Getenv("VERDICT_BIN"), cosign: filepath.Join(os.Getenv("VERDICT_PEERS"), "cosign")}
	for _, tool := range []string{w.verdict, w.cosign} {
		if _, err := os.Stat(tool); err != nil {
			t.Fatalf("%v; run make test-peers from the project's root", err)
		}
	}
	return w
}

// program is one of programs.txt, in the folder that it is found in by its name alone.
func program(t *testing.T, name string) (dir string) {
	t.Helper()
	pins, err := os.ReadFile("programs.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(pins)) {
		if f := strings.Fields(line); f[0] == name {
			dir = filepath.Join(os.Getenv("VERDICT_PROGRAMS"), f[0]+"-"+f[1])
		}
	}
	if _, err := os.Stat(filepath.Join(dir, name)); err != nil || dir == "" {
		t.Fatalf("%s was not built (%v); run make test-peers from the project's root, and look at build.log beside it", name, err)
	}
	return dir
}

// path is a file of the home.
func (w *world) path(name string) string { return filepath.Join(w.home, name) }

// write puts a file into the home and gives its path.
func (w *world) write(t *testing.T, name, content string) string {
	t.Helper()
	if err := os.WriteFile(w.path(name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return w.path(name)
}

// run starts a program in the home and gives its exit code and what it said. With
// offline it has no network.
func (w *world) run(t *testing.T, offline bool, program string, args ...string) (exit int, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	argv := append([]string{program}, args...)
	if offline && namespaces() {
		argv = append([]string{"unshare", "-n"}, argv...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = w.home
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.home, "XDG_DATA_HOME=" + w.path("data"), "XDG_STATE_HOME=" + w.path("state"),
		"XDG_CONFIG_HOME=" + w.path("config"), "XDG_CACHE_HOME=" + w.path("cache"), "NO_COLOR=1",
	}
	cmd.Env = append(cmd.Env, w.env...)
	if offline { // for those who may not cut the network: a proxy that nobody serves
		cmd.Env = append(cmd.Env, "HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1", "http_proxy=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1")
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) || ctx.Err() != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), errors.Join(err, ctx.Err()), out.String())
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// must runs Verdict and expects it to succeed.
func (w *world) must(t *testing.T, args ...string) string {
	t.Helper()
	exit, said := w.run(t, true, w.verdict, args...)
	if exit != 0 {
		t.Fatalf("verdict %s: exit %d\n%s", strings.Join(args, " "), exit, said)
	}
	return said
}

// namespaces reports whether this user may start a program without network.
func namespaces() bool { return exec.Command("unshare", "-n", "true").Run() == nil }

// export is a log as Verdict exports it, with one statement in it that we look at.
type export struct {
	dir    string // tiles, checkpoint, bundles, trusted_root.json, key.pub
	bundle string // the statement's bundle in dir
	file   string // what the statement is about
	kind   string // its predicate type
}

func (x export) key() string  { return filepath.Join(x.dir, "key.pub") }
func (x export) root() string { return filepath.Join(x.dir, "trusted_root.json") }

const provenanceType = "https://slsa.dev/provenance/v1"

const provenance = `{
  "buildDefinition": {"buildType": "https://example.org/make/v1", "externalParameters": {"target": "all"}},
  "runDetails": {"builder": {"id": "https://example.org/builder"}}
}`

// attested records provenance about a file and exports the log.
func (w *world) attested(t *testing.T, name string) export {
	t.Helper()
	x := export{dir: w.path(name + "-log"), file: w.write(t, name, "content of "+name), kind: provenanceType}
	w.must(t, "attest", "provenance", "--subject", x.file, w.write(t, name+".provenance.json", provenance))
	w.must(t, "log", "export", "--out", x.dir)
	x.bundle = bundleAbout(t, x, name)
	return x
}

// bundleAbout finds the exported bundle of the statement of x's type about a subject.
func bundleAbout(t *testing.T, x export, subject string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(x.dir, "*.sigstore.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		var s struct {
			PredicateType string
			Subject       []struct{ Name string }
		}
		if err := json.Unmarshal(payloadOf(t, readJSON(t, p)), &s); err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		if s.PredicateType == x.kind && len(s.Subject) == 1 && filepath.Base(s.Subject[0].Name) == subject {
			return p
		}
	}
	t.Fatalf("no bundle of type %s about %s among the %d in %s", x.kind, subject, len(found), x.dir)
	return ""
}

// verifies asks cosign, without network, and gives whether it accepts and what it said.
func (w *world) verifies(t *testing.T, x export) (bool, string) {
	t.Helper()
	exit, said := w.run(t, true, w.cosign, "verify-blob-attestation", "--key", x.key(), "--bundle", x.bundle,
		"--trusted-root", x.root(), "--type", x.kind, x.file)
	return exit == 0 && strings.Contains(said, "Verified OK"), said
}
