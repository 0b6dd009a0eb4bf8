package peers

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serves starts the control plane on a port, and ends it with the test.
func (w *world) serves(t *testing.T, port string, args ...string) (url string) {
	t.Helper()
	log, err := os.Create(w.path("serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(w.verdict, append([]string{"serve", "--listen", "127.0.0.1:" + port, "--ops-listen", "off"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.home, log, log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.home, "XDG_DATA_HOME=" + w.path("data"), "XDG_STATE_HOME=" + w.path("state"), "XDG_CONFIG_HOME=" + w.path("config"), "XDG_CACHE_HOME=" + w.path("cache")}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("the server said: %s", text)
		}
	})
	url = "http://127.0.0.1:" + port
	until(t, "the server answers", func() bool {
		r, err := http.Get(url + "/openapi.json")
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	})
	return url
}

// A pod signs in with the token that the API server gives it, for this server alone, and
// without a secret that anybody has to keep.
func TestATokenOfTheAPIServerSignsIn(t *testing.T) {
	w, c := newWorld(t), startCluster(t)
	c.must(t, "", "create", "namespace", "ci")
	for _, name := range []string{"runner", "other"} {
		c.must(t, "", "create", "serviceaccount", name, "-n", "ci")
	}
	keys := w.write(t, "keys.json", c.must(t, "", "get", "--raw", "/openid/v1/jwks"))
	file := w.write(t, "sign-in.yaml", `schema: verdict.sign-in/v1
issuers:
  - {url: "https://kubernetes.default.svc", keys: "file:`+keys+`"}
workloads:
  - name: runners
    kind: kubernetes
    issuer: https://kubernetes.default.svc
    match: {namespace: ci, service_account: runner}
    workload: k8s:acme:ci:runner
    grants:
      - {role: developer, services: ["*"], environments: ["*"]}
`)
	url := w.serves(t, freePort(t), "--sign-in", file)
	signsIn := func(account, audience string) (status int, answer map[string]any) {
		token := strings.TrimSpace(c.must(t, "", "create", "token", account, "-n", "ci", "--audience="+audience))
		body, err := json.Marshal(map[string]string{"token": token})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(url+"/api/v1/token", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || json.Unmarshal(text, &answer) != nil {
			t.Fatalf("%v %s", err, text)
		}
		return resp.StatusCode, answer
	}
	status, answer := signsIn("runner", url)
	caller, _ := answer["caller"].(map[string]any)
	if status >= 300 || caller["workload"] != "k8s:acme:ci:runner" || answer["token"] == "" || answer["token"] == nil {
		t.Errorf("%d %v", status, answer)
	}
	for name, x := range map[string][2]string{"another account": {"other", url}, "for another server": {"runner", "https://other.example"}} {
		if status, answer := signsIn(x[0], x[1]); status != http.StatusForbidden && status != http.StatusUnauthorized || answer["remedy"] == "" {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
}
