package peers

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cluster is a real API server with users, an audit log, and kubectl to speak with it.
type cluster struct {
	*applyServer
	dir   string
	audit string // the audit log
}

// the users of the cluster, by their tokens.
const (
	admin      = "token-of-the-test"
	jane       = "token-of-jane"
	controller = "token-of-the-controller"
)

const users = admin + `,admin,1,"system:masters"
` + jane + `,jane@acme.example,2,"system:masters"
` + controller + `,system:serviceaccount:kube-system:replicaset-controller,3,"system:masters"
`

func startCluster(t *testing.T) *cluster {
	t.Helper()
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Fatalf("%v; install kubectl, which speaks with the API server here as users do", err)
	}
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	accounts, tokens := filepath.Join(dir, "accounts.pem"), filepath.Join(dir, "tokens.csv")
	for path, text := range map[string][]byte{
		accounts: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), tokens: []byte(users),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	etcd, peer := "http://127.0.0.1:"+freePort(t), "http://127.0.0.1:"+freePort(t)
	background(t, filepath.Join(dir, "etcd.log"), "etcd", "--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	c := &cluster{dir: dir, audit: filepath.Join(dir, "audit.log")}
	background(t, filepath.Join(dir, "api.log"), os.Getenv("VERDICT_APISERVER"), "--etcd-servers="+etcd, "--bind-address=127.0.0.1", "--secure-port="+port, "--cert-dir="+filepath.Join(dir, "certs"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+accounts, "--service-account-signing-key-file="+accounts,
		"--authorization-mode=Node,RBAC", "--token-auth-file="+tokens, "--endpoint-reconciler-type=none", "--advertise-address=10.255.255.1", "--service-cluster-ip-range=10.0.0.0/24", "--profiling=false",
		"--disable-admission-plugins=ServiceAccount", "--audit-policy-file=apiserver/audit-policy.yaml", "--audit-log-path="+c.audit)
	c.applyServer = &applyServer{base: "https://127.0.0.1:" + port + "/", client: &http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // a certificate that it has just made for itself
	}}
	for range 240 {
		if status, _, err := c.do(http.MethodGet, "readyz", nil); err == nil && status == http.StatusOK {
			return c
		}
		time.Sleep(250 * time.Millisecond)
	}
	t.Fatal("the API server was not ready within a minute")
	return nil
}

// kubectl runs a command of a user, and gives what it said.
func (c *cluster) kubectl(t *testing.T, token, input string, args ...string) (ok bool, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl", append([]string{"--kubeconfig=/dev/null", "--server=" + c.base, "--insecure-skip-tls-verify", "--token=" + token}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return err == nil, out.String()
}

func (c *cluster) must(t *testing.T, input string, args ...string) string {
	t.Helper()
	ok, said := c.kubectl(t, admin, input, args...)
	if !ok {
		t.Fatalf("kubectl %s: %s", strings.Join(args, " "), said)
	}
	return said
}

// until waits for what takes the API server a moment, such as to read its configuration.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 100 {
		if holds() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("within ten seconds it did not come to it that %s", what)
}

// endpoint is the process that clusters ask.
type endpoint struct {
	cmd  *exec.Cmd
	url  string
	log  string
	done chan error
}

// answers starts the endpoint in a repository: by itself, or with the control plane.
func (w *world) answers(t *testing.T, repo string, alone bool) *endpoint {
	t.Helper()
	port := freePort(t)
	args := []string{"admission", "serve", "--listen", "127.0.0.1:" + port, "--verbose"}
	if !alone {
		args = []string{"serve", "--listen", "127.0.0.1:" + freePort(t), "--ops-listen", "off", "--admission-listen", "127.0.0.1:" + port}
	}
	e := &endpoint{url: "https://127.0.0.1:" + port, log: w.path("endpoint-" + port + ".log"), done: make(chan error, 1)}
	out, err := os.Create(e.log)
	if err != nil {
		t.Fatal(err)
	}
	e.cmd = exec.Command(w.verdict, args...)
	e.cmd.Dir, e.cmd.Stdout, e.cmd.Stderr = repo, out, out
	e.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.home, "XDG_DATA_HOME=" + w.path("data"), "XDG_STATE_HOME=" + w.path("state"), "XDG_CONFIG_HOME=" + w.path("config"), "XDG_CACHE_HOME=" + w.path("cache")}
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { e.done <- e.cmd.Wait(); out.Close() }()
	t.Cleanup(func() {
		e.stop(t)
		if text, _ := os.ReadFile(e.log); t.Failed() {
			t.Logf("the endpoint said: %s", text)
		}
	})
	until(t, "the endpoint listens", func() bool {
		text, _ := os.ReadFile(e.log)
		return strings.Contains(string(text), "https://127.0.0.1:"+port)
	})
	return e
}

// stop ends the endpoint as an operator does, and waits for it.
func (e *endpoint) stop(t *testing.T) {
	t.Helper()
	if e.done == nil {
		return
	}
	_ = e.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case err := <-e.done:
		if err != nil {
			t.Errorf("the endpoint ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the endpoint did not end within 20 seconds")
		_ = e.cmd.Process.Kill()
	}
	e.done = nil
}

// in runs Verdict in a folder of the home and expects it to succeed.
func (w *world) inside(t *testing.T, dir string, args ...string) string {
	t.Helper()
	home := *w
	cmd := exec.Command(w.verdict, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home.home, "XDG_DATA_HOME=" + w.path("data"), "XDG_STATE_HOME=" + w.path("state"), "XDG_CONFIG_HOME=" + w.path("config"), "XDG_CACHE_HOME=" + w.path("cache"), "NO_COLOR=1", "GIT_CONFIG_NOSYSTEM=1"}
	var said bytes.Buffer
	cmd.Stderr = &said // apart: what it prints is piped into kubectl
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("verdict %s: %v\n%s%s", strings.Join(args, " "), err, out, said.String())
	}
	return string(out)
}

const admissionMap = `schema: verdict/v1
service: web
team: web
owner: lead@acme.example
repo: https://github.com/acme/shop
environments:
  dev: {tier: dev, kubernetes: [{cluster: kind, namespaces: [web]}]}
  lab: {tier: dev, admission_fail: open, kubernetes: [{cluster: kind, namespaces: [lab]}]}
people:
  jane: {teams: [web], accounts: {kubernetes: jane@acme.example}}
points:
  - id: artifact.trust
    mode: block
    needs: [signature, provenance, sbom, ownership-record, secrets-check, dependencies-check]
  - id: deploy.gate
    mode: block
    needs: [vsa, sbom, environment, request]
    review: {approvers: [web], count: 1, not: [author, requester], requires: [scope, rationale, expiry], max_validity: 24h}
  - {id: deploy.admission, mode: block}
trust:
  - {name: this machine, key: local, kinds: ["*"], services: ["*"], environments: ["*"]}
builders:
  - {name: release, key: local, builder: https://ci.example/b, level: 1, build_types: [https://ci.example/t/v1], parameters: [repository, ref]}
`

const admissionBill = `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[{"type":"library","name":"x","version":"1.0.0","purl":"pkg:npm/x@1.0.0"}]}`

const admissionBuild = `{"buildDefinition":{"buildType":"https://ci.example/t/v1","externalParameters":{"repository":"https://github.com/acme/shop","ref":"refs/heads/main"},"resolvedDependencies":[{"uri":"git+https://github.com/acme/shop@refs/heads/main","digest":{"gitCommit":"COMMIT"}}]},"runDetails":{"builder":{"id":"https://ci.example/b"},"metadata":{"finishedOn":"FINISHED"}}}`

// release makes a repository whose service was checked, and one artifact of it that may be
// promoted.
func (w *world) release(t *testing.T, name, content string) (repo string) {
	t.Helper()
	repo = w.path(name)
	w.in(t, repo, map[string]string{"verdict.yaml": content})
	w.git(t, repo, "init", "-q", "-b", "main", ".")
	w.git(t, repo, "remote", "add", "origin", "https://github.com/acme/shop")
	w.git(t, repo, "add", "-A")
	w.git(t, repo, "commit", "-q", "-m", "map")
	w.in(t, repo, map[string]string{"main.txt": "hello\n"})
	w.git(t, repo, "add", "-A")
	w.git(t, repo, "commit", "-q", "-m", "change")
	return repo
}

// builds records what is known of an artifact.
func (w *world) builds(t *testing.T, repo, file string) {
	t.Helper()
	head, err := exec.Command("git", "-C", repo, "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	w.inside(t, repo, "ci")
	build := strings.NewReplacer("COMMIT", strings.TrimSpace(string(head)), "FINISHED", time.Now().UTC().Format(time.RFC3339)).Replace(admissionBuild)
	w.inside(t, repo, "attest", "provenance", w.write(t, "build.json", build), "--subject", file)
	w.inside(t, repo, "attest", "sbom", w.write(t, "bom.json", admissionBill), "--subject", file)
	w.inside(t, repo, "artifact", "trust", file)
}

func pod(name, namespace, image string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"namespace":%q},"spec":{"containers":[{"name":"c","image":%q}]}}`, name, namespace, image)
}

func workload(name, namespace, image string) string {
	return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":%q,"namespace":%q},"spec":{"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"c","image":%q}]}}}}`, name, namespace, image)
}
