package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/forge/forgetest"
	"verdict/ledger"
	"verdict/server"
)

// forged is a server that is joined to a stand-in of GitHub, by the map of one service.
type forged struct {
	t     *testing.T
	host  *host
	hooks *server.Webhooks
	http  *httptest.Server
	forge *forgetest.Stand
	n     int
}

const hookSecret = "0123456789abcdef0123456789abcdef"

func forgedAt(t *testing.T, repo string) *forged {
	t.Helper()
	j := &forged{t: t}
	j.forge = forgetest.Standing(t, func(w http.ResponseWriter, s forgetest.Sent) {
		switch {
		case strings.HasSuffix(s.Path, "/access_tokens"):
			forgetest.Reply(w, 201, fmt.Sprintf(`{"token":"ghs_1","expires_at":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
		case s.Method == http.MethodGet:
			forgetest.Reply(w, 200, `{"total_count":0,"check_runs":[]}`)
		case strings.HasSuffix(s.Path, "/check-runs"):
			forgetest.Reply(w, 201, `{"id":7}`)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	j.must(err)
	folder := t.TempDir()
	j.must(os.WriteFile(filepath.Join(folder, "app.pem"), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600))
	j.must(os.WriteFile(filepath.Join(folder, "forges.yaml"), fmt.Appendf(nil, "forges: {github: {kind: github, api: '%s', app: 7, key: 'file:%s', secrets: [env:SECRET]}}", j.forge.Base(), filepath.Join(folder, "app.pem")), 0o600))
	a := &app{
		table: commands(), env: newEnvironment([]string{"XDG_STATE_HOME=" + filepath.Join(folder, "state"), "SECRET=" + hookSecret}), stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{},
		now: time.Now, rand: rand.Reader, log: slog.New(slog.DiscardHandler), progress: &progress{}, config: config{Data: filepath.Join(folder, "data")},
	}
	w, err := a.open(t.Context())
	j.must(err)
	t.Cleanup(func() { _ = w.close() })
	j.host = newHost(w)
	own, err := decisionmap.Load("verdict.yaml", []byte("schema: verdict/v1\nenvironments: {production: {tier: dev}}\npoints: [{id: deploy.gate, mode: block, at: x, owner: home}]\n"+
		"services: {house: {team: home, owner: home@acme.example, repo: '"+repo+"', environments: [production]}}\n"+
		"trust: [{name: gate, key: local, kinds: [promotion], services: [house], environments: [production]}, {name: ci, key: local, kinds: [secrets-check], services: [house], environments: []}]\n"))
	j.must(err)
	m, err := decisionmap.Resolve(nil, own)
	j.must(err)
	for range 2 { // the first engine records that its rules were proved, which makes another desk
		d := &desk{ready: make(chan struct{}), judged: judgedBy{Map: m, From: "the map of the test"}}
		d.decider, err = w.decider(t.Context(), d.judged, nil)
		j.must(err)
		close(d.ready)
		k, err := j.host.deskKey(t.Context(), nil)
		j.must(err)
		j.host.desks[k] = d
	}
	public, _ := url.Parse("https://verdict.example")
	s, err := j.host.server(t.Context(), public, testCallers)
	j.must(err)
	j.hooks, err = j.host.webhooks(s, filepath.Join(folder, "forges.yaml"), public)
	j.must(err)
	j.http = httptest.NewServer(s.Handler())
	t.Cleanup(j.http.Close)
	return j
}

func (j *forged) must(err error) {
	j.t.Helper()
	if err != nil {
		j.t.Fatal(err)
	}
}

// deliver sends what GitHub would, signed, and does the work that follows.
func (j *forged) deliver(name, body string) {
	j.t.Helper()
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write([]byte(body))
	r, err := http.NewRequestWithContext(j.t.Context(), http.MethodPost, j.http.URL+"/webhooks/github", strings.NewReader(body))
	j.must(err)
	j.n++
	for k, v := range map[string]string{
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)), "X-GitHub-Event": name, "X-GitHub-Delivery": fmt.Sprintf("delivery-%d", j.n), "Content-Type": "application/json",
	} {
		r.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(r)
	j.must(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		j.t.Fatalf("%s: %d", name, resp.StatusCode)
	}
	for worked := true; worked; {
		worked, err = j.hooks.Turn(j.t.Context(), "w")
		j.must(err)
	}
}

// decided records a decision by the key of the server.
func (j *forged) decided(point string, layer verdict.Layer, about verdict.Subject, from ...verdict.Digest) verdict.Decision {
	j.t.Helper()
	j.n++
	d := verdict.Decision{
		ID: fmt.Sprintf("d-%06d", j.n), Point: point, Layer: layer, Mode: verdict.ModeBlock, Subject: about, Service: "house", From: from, Outcome: verdict.Allow, Enforced: verdict.Allow, At: time.Now().UTC().Truncate(time.Microsecond),
	}
	_, err := j.host.base.state(j.t.Context(), verdict.KindDecision, about, d, verdict.Context{Service: "house", Point: point})
	j.must(err)
	return d
}

const built = "1111111111111111111111111111111111111111"

func restOf(base string) string {
	return fmt.Sprintf(`"repository":{"id":3,"full_name":"acme/house","html_url":"https://github.com/acme/house"},"installation":{"id":5},"sender":{"login":"jane","id":8},
	"deployment_callback_url":"%s/repos/acme/house/actions/runs/9/deployment_protection_rule"}`, base)
}

// From the signed delivery to the answer at the forge, by the real engine: what nobody proved
// is not let in, and the deployment is told by which decision.
func TestADeploymentOfGitHubIsAnsweredByTheEngine(t *testing.T) {
	j := forgedAt(t, "git@github.com:Acme/House.git")
	j.decided("ci.secrets", verdict.LayerCI, verdict.Subject{Kind: verdict.SubjectChange, Name: "house", Digest: verdict.NewDigest("gitCommit", built)})
	image := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "registry.example/house", Digest: verdict.NewDigest("sha256", strings.Repeat("a", 64))}
	j.decided("artifact.trust", verdict.LayerArtifact, image, verdict.NewDigest("gitCommit", built))

	j.deliver("pull_request", `{"action":"opened","pull_request":{"number":2,"updated_at":"`+time.Now().UTC().Format(time.RFC3339)+`","head":{"sha":"`+built+`"}},`+restOf(j.forge.Base()))
	made := j.forge.Sent("POST /repos/acme/house/check-runs")
	if len(made) != 1 || made[0].Body["name"] != "verdict / ci.secrets" || made[0].Body["conclusion"] != "success" || !strings.HasPrefix(made[0].Body["details_url"].(string), "https://verdict.example/api/v1/why?ref=d-") || !strings.Contains(made[0].Body["output"].(map[string]any)["summary"].(string), "ci&#46;secrets") {
		t.Errorf("%+v", made)
	}

	j.deliver("deployment_protection_rule", `{"action":"requested","environment":"production","deployment":{"sha":"`+built+`","environment":"production","creator":{"login":"jane","id":8}},`+restOf(j.forge.Base()))
	said := j.forge.Sent("POST /repos/acme/house/actions/runs/9/deployment_protection_rule")
	if len(said) == 0 || said[len(said)-1].Body["state"] != "rejected" || said[len(said)-1].Token != "ghs_1" {
		t.Fatalf("%+v", said)
	}
	rows, err := j.host.base.own.Decisions(t.Context(), ledger.DecisionQuery{Subject: image.Digest, Point: gatePoint, At: ledger.Now})
	if err != nil || len(rows) != 1 || rows[0].Environment != "production" || rows[0].Enforced == verdict.Allow || !strings.Contains(said[len(said)-1].Body["comment"].(string), rows[0].ID) {
		t.Errorf("%+v, %v, %+v", rows, err, said)
	}
	if _, d, err := j.host.base.own.Decision(t.Context(), rows[0].ID, ledger.Now); err != nil || d.Requester == nil || d.Requester.Known || !strings.HasPrefix(d.Requester.Person, "unknown-github-") {
		t.Errorf("who asked: %+v, %v", d.Requester, err)
	}
}

// An app can be installed anywhere. Only the repositories of the map are told anything.
func TestAnotherRepositoryIsToldNothing(t *testing.T) {
	j := forgedAt(t, "https://github.com/acme/other")
	j.decided("ci.secrets", verdict.LayerCI, verdict.Subject{Kind: verdict.SubjectChange, Name: "house", Digest: verdict.NewDigest("gitCommit", built)})
	j.deliver("check_suite", `{"action":"requested","check_suite":{"head_sha":"`+built+`"},`+restOf(j.forge.Base()))
	if sent := j.forge.Sent(""); len(sent) != 0 {
		t.Errorf("%+v", sent)
	}
}

func TestRepositoriesAreTheSameHoweverTheyAreWritten(t *testing.T) {
	const address = "https://github.com/acme/house"
	for other, same := range map[string]bool{
		"https://github.com/Acme/House.git": true, "git@github.com:acme/house": true, "ssh://git@github.com/acme/house.git": true, "https://token@github.com/acme/house/": true,
		"": false, "https://github.com/acme/house2": false, "https://evil.example/github.com/acme/house": false, "https://github.com.evil.example/acme/house": false, "acme/house": false,
	} {
		if got := sameRepository(other, address); got != same {
			t.Errorf("%s: %v", other, got)
		}
	}
	if sameRepository("", "") {
		t.Error("a service without a repository is built from every one without an address")
	}
}
