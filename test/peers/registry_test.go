package peers

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// registries are the kinds that there are: with the referrers API of OCI 1.1, and without.
var registries = []struct {
	name  string
	serve func(t *testing.T) (host string)
}{
	{"with the referrers API", func(t *testing.T) string {
		s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}},
	{"docker-registry without it", dockerRegistry},
}

// dockerRegistry starts Debian's docker-registry 2.8, which answers 404 for referrers.
func dockerRegistry(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("docker-registry is not installed: apt-get install docker-registry")
	}
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: %s}\n", dir, host)
	if err := os.WriteFile(filepath.Join(dir, "config.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", filepath.Join(dir, "config.yml"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 100 {
		if resp, err := http.Get("http://" + host + "/v2/"); err == nil {
			resp.Body.Close()
			return host
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("docker-registry does not answer")
	return ""
}

// loopback runs a program that reaches this machine and nothing else.
func (w *world) loopback(t *testing.T, program string, args ...string) (exit int, said string) {
	t.Helper()
	w.env = []string{
		"HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1,localhost", "COSIGN_PASSWORD=", "TUF_ROOT=" + w.path("tuf"),
	}
	defer func() { w.env = nil }()
	return w.run(t, false, program, args...)
}

// here runs a program on this machine and expects it to succeed.
func (w *world) here(t *testing.T, program string, args ...string) string {
	t.Helper()
	exit, said := w.loopback(t, program, args...)
	if exit != 0 {
		t.Fatalf("%s %s: exit %d\n%s", filepath.Base(program), strings.Join(args, " "), exit, said)
	}
	return said
}

// image pushes an image and gives it by its digest.
func image(t *testing.T, host string) string {
	t.Helper()
	img, err := random.Image(256, 1)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(host+"/acme/app:v1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return host + "/acme/app@" + d.String()
}

// shown is what verdict artifact show says, as far as these tests read it.
type shown struct {
	Image    map[string]any
	Evidence []struct {
		Kind          string
		PredicateType string `json:"predicate_type"`
		Digest        string
		State         string
		Producer      string
		Trusted       bool
		Note          string
	}
}

func (w *world) shows(t *testing.T, args ...string) (s shown) {
	t.Helper()
	out := w.path("shown.json")
	w.loopback(t, w.verdict, append([]string{"artifact", "show", "-o", "json=" + out}, args...)...)
	raw, err := os.ReadFile(out)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil {
		t.Fatalf("artifact show %v: %v", args, err)
	}
	return s
}

// states lists the evidence as "kind state", sorted.
func (s shown) states() []string {
	var out []string
	for _, e := range s.Evidence {
		out = append(out, e.Kind+" "+e.State)
	}
	slices.Sort(out)
	return out
}

// A user's pipeline pushes evidence with Verdict, and somebody who has cosign and no
// Verdict checks it, without the network.
func TestCosignVerifiesWhatVerdictPushes(t *testing.T) {
	for _, r := range registries {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t)
			ref := image(t, r.serve(t))
			w.must(t, "attest", "provenance", "--subject", ref, w.write(t, "provenance.json", provenance))
			for _, want := range []string{"; 0 were there before", "Pushed 0 pieces"} {
				if said := w.here(t, w.verdict, "artifact", "push", ref); !strings.Contains(said, want) {
					t.Fatalf("push says\n%s\nand not %q", said, want)
				}
			}
			w.must(t, "log", "export", "--out", w.path("log"))
			verify := []string{"verify-attestation", "--key", filepath.Join(w.path("log"), "key.pub"), "--trusted-root", filepath.Join(w.path("log"), "trusted_root.json"),
				"--type", provenanceType, "--allow-http-registry"}
			if exit, said := w.loopback(t, w.cosign, append(verify, ref)...); exit != 0 {
				t.Errorf("cosign does not accept it: exit %d\n%s", exit, said)
			}
			other := newWorld(t)
			other.must(t, "attest", "provenance", "--subject", ref, other.write(t, "provenance.json", provenance))
			other.must(t, "log", "export", "--out", other.path("log"))
			verify[2] = filepath.Join(other.path("log"), "key.pub")
			if exit, said := w.loopback(t, w.cosign, append(verify, ref)...); exit == 0 {
				t.Errorf("cosign accepts it by somebody else's key, so this test proves nothing:\n%s", said)
			}
		})
	}
}

// The same evidence must give the same answer from the registry and from the ledger, or
// an image is trusted in one place and unknown in the other.
func TestRegistryAndLedgerGiveTheSameAnswer(t *testing.T) {
	for _, r := range registries {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t)
			ref := image(t, r.serve(t))
			w.must(t, "attest", "provenance", "--subject", ref, w.write(t, "provenance.json", provenance))
			w.here(t, w.verdict, "artifact", "push", ref)
			ledger, beside := w.shows(t, ref, "--from", "ledger"), w.shows(t, ref)
			if a, b := ledger.comparable(), beside.comparable(); a != b || len(ledger.Evidence) != 2 {
				t.Errorf("the ledger says\n%s\nand the registry\n%s", a, b)
			}
			if ledger.Image["digest"] != beside.Image["digest"] || ledger.Image["created"] != beside.Image["created"] {
				t.Errorf("two identities: %v and %v", ledger.Image, beside.Image)
			}
		})
	}
}

func (s shown) comparable() string {
	var out []string
	for _, e := range s.Evidence {
		out = append(out, fmt.Sprint(e))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// What a team attached with cosign, by its new and by its old form, must be found and
// verified, and what nobody can verify must not be recorded.
func TestVerdictReadsWhatCosignAttaches(t *testing.T) {
	for _, r := range registries {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t)
			ref := image(t, r.serve(t))
			w.write(t, "provenance.json", provenance)
			w.here(t, w.cosign, "generate-key-pair")
			local := []string{"--key", "cosign.key", "--tlog-upload=false", "--use-signing-config=false", "--allow-http-registry", "--yes"}
			attest := append([]string{"attest", "--predicate", "provenance.json", "--type", "slsaprovenance1"}, local...)
			w.here(t, w.cosign, append(attest, "--new-bundle-format=true", ref)...)
			w.here(t, w.cosign, append(attest, "--new-bundle-format=false", ref)...)
			sign := append([]string{"sign"}, local...)
			w.here(t, w.cosign, append(sign, "--new-bundle-format=true", ref)...)
			w.here(t, w.cosign, append(sign, "--new-bundle-format=false", ref)...)

			// The provenance of the old form is the same statement of the same producer.
			all := []string{"provenance verified", "signature verified", "signature verified"}
			if s := w.shows(t, ref, "--key", "cosign.pub"); !slices.Equal(s.states(), all) {
				t.Errorf("with the key it shows %v\n%s", s.states(), s.comparable())
			}
			unknown := []string{"provenance unknown", "provenance unknown", "signature unknown", "signature unknown"}
			if s := w.shows(t, ref); !slices.Equal(s.states(), unknown) {
				t.Errorf("without a key it shows %v", s.states())
			}
			if exit, said := w.loopback(t, w.verdict, "artifact", "pull", ref); exit != 1 || !strings.Contains(said, "Recorded 0 pieces") {
				t.Errorf("without a key: exit %d\n%s", exit, said)
			}
			if said := w.here(t, w.verdict, "artifact", "pull", ref, "--key", "cosign.pub"); !strings.Contains(said, "Recorded 3 pieces") {
				t.Errorf("with the key:\n%s", said)
			}
		})
	}
}
