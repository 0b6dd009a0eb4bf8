package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
)

// A pipeline signs in by what it is, without a secret in its settings; and the credential by
// which it is told that goes to its own issuer and nowhere else.
func TestAPipelineSaysWhoItIs(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer job" {
			t.Errorf("asked with %q", r.Header.Get("Authorization"))
		}
		switch r.URL.Path {
		case "/github":
			fmt.Fprintf(w, `{"value":"github for %s, %s"}`, r.URL.Query().Get("audience"), r.URL.Query().Get("kept"))
		case "/azure":
			fmt.Fprintf(w, `{"oidcToken":"azure by %s"}`, r.Method)
		case "/away":
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "/none":
			fmt.Fprint(w, `{"value":""}`)
		case "/flood":
			fmt.Fprint(w, `{"value":"`+strings.Repeat("x", maxIDToken)+`"}`)
		default:
			http.Error(w, "no", http.StatusForbidden)
		}
	}))
	defer issuer.Close()
	mounted := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(mounted, []byte("cluster\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	github := func(path string) environment {
		return environment{"ACTIONS_ID_TOKEN_REQUEST_URL": path, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job"}
	}
	for _, tt := range []struct {
		name string
		env  environment
		want string // empty: no token, and an outage
	}{
		{"GitHub Actions", github(issuer.URL + "/github?kept=1"), "github for https://verdict.acme.example, 1"},
		{"Azure Pipelines", environment{"SYSTEM_OIDCREQUESTURI": issuer.URL + "/azure", "SYSTEM_ACCESSTOKEN": "job"}, "azure by POST"},
		{"GitLab", environment{"VERDICT_ID_TOKEN": "gitlab"}, "gitlab"},
		{"Kubernetes", environment{"VERDICT_ID_TOKEN_FILE": mounted}, "cluster"},
		{"a file that is not there", environment{"VERDICT_ID_TOKEN_FILE": mounted + "x"}, ""},
		{"a redirect", github(issuer.URL + "/away"), ""},
		{"a refusal", github(issuer.URL + "/refused"), ""},
		{"no token", github(issuer.URL + "/none"), ""},
		{"a flood", github(issuer.URL + "/flood"), ""},
		{"an address in the clear", github("http://issuer.example/github"), ""},
		{"nobody there", github("http://127.0.0.1:1/github"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			issue := pipelineIdentity(tt.env)
			if issue == nil {
				t.Fatal("it is not seen")
			}
			token, err := issue(context.Background(), "https://verdict.acme.example")
			if token != tt.want {
				t.Errorf("%.100q, %v", token, err)
			}
			if e := verdict.AsError(err); tt.want == "" && (e == nil || e.Code != verdict.CodeUnavailable || e.Remedy == "") {
				t.Errorf("%v", err)
			}
		})
	}
	for name, env := range map[string]environment{
		"no pipeline": {}, "GitHub without the permission": {"ACTIONS_ID_TOKEN_REQUEST_URL": issuer.URL}, "Azure without the token": {"SYSTEM_OIDCREQUESTURI": issuer.URL},
	} {
		if pipelineIdentity(env) != nil {
			t.Errorf("%s has an identity", name)
		}
	}
}

// What verdict login kept is for its user alone, and goes with the logout.
func TestALoginIsKeptForItsUserAlone(t *testing.T) {
	a := remoteApp(t, "https://verdict.acme.example", nil)
	a.config.Token = ""
	if err := a.keepLogin(a.config.Server, &login{Token: "t", Expires: "2026-01-01T00:00:00Z"}); err != nil {
		t.Fatal(err)
	}
	s := &signIn{app: a}
	if token, err := s.kept(); token != "t" || err != nil {
		t.Errorf("%q, %v", token, err)
	}
	path, err := a.loginsFile()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	a.config.Server = "https://other.acme.example"
	if token, err := s.kept(); token != "" || err != nil {
		t.Errorf("another server is sent %q, %v", token, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if token, err := s.kept(); token != "" || codeOf(err) != verdict.CodeForbidden {
		t.Errorf("others may read it: %q, %v", token, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.keepLogin("https://verdict.acme.example", nil); err != nil {
		t.Fatal(err)
	}
	a.config.Server = "https://verdict.acme.example"
	if token, err := s.kept(); token != "" || err != nil {
		t.Errorf("after the logout: %q, %v", token, err)
	}
}
