package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/forge"
)

func TestTheFileOfForgesIsReadStrictly(t *testing.T) {
	const good = "forges:\n  lab: {kind: gitlab, api: https://gitlab.example/api/v4, token: env:T, secrets: [env:S]}\n"
	if e, err := parseForges("f.yaml", []byte(good)); err != nil || e["lab"].Kind != forge.GitLab || e["lab"].Secrets[0] != "env:S" {
		t.Fatalf("%+v, %v", e, err)
	}
	for text, says := range map[string]string{
		"":                    "names no forges",
		"forges: {}":          "names no forges",
		"forge: {}":           "did you mean forges?",
		"forges: [a]":         "each forge is a mapping of keys",
		good + "---\n" + good: "more than one document",
		strings.Replace(good, "secrets:", "secret:", 1):                   "did you mean secrets?",
		strings.Replace(good, "token:", "hosts: [a], token:", 1):          "a gitlab has no",
		strings.Replace(good, "gitlab,", "gitlb,", 1):                     "did you mean gitlab?",
		strings.Replace(good, "lab:", "My/Lab:", 1):                       "no name for a forge",
		strings.Replace(good, "[env:S]", "[]", 1):                         "0 secrets",
		strings.Replace(good, "[env:S]", "[env:S, env:R, env:Q]", 1):      "3 secrets",
		strings.Replace(good, "[env:S]", "[the-secret-itself]", 1):        "something other than a reference",
		strings.Replace(good, "token: env:T", "token: glpat-abcdef", 1):   "something other than a reference",
		strings.Replace(good, "kind: gitlab", "kind: gitlab, kind: x", 1): "already defined",
	} {
		_, err := parseForges("f.yaml", []byte(text))
		e := verdict.AsError(err)
		if err == nil || e.Code != verdict.CodeUsage || !strings.Contains(err.Error()+e.Remedy, says) || strings.Contains(err.Error()+e.Remedy, "glpat") || strings.Contains(err.Error(), "the-secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestForgesAreJoined(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keyFile := write("app.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	a := &app{env: newEnvironment([]string{"SECRET=0123456789abcdef", "SHORT=guess", "TOKEN=t"}), now: time.Now}
	all := "forges:\n  github: {kind: github, api: https://api.github.com, app: 7, key: 'file:" + keyFile + "', secrets: [env:SECRET]}\n" +
		"  azure: {kind: azure, api: https://dev.azure.com/acme, token: env:TOKEN, secrets: [env:SECRET], internal: [tfs.acme.example]}\n" +
		"  gitlab: {kind: gitlab, api: https://gitlab.example/api/v4, token: env:TOKEN, secrets: [env:SECRET]}\n"
	sources, err := a.forgesFrom(write("forges.yaml", all))
	if err != nil || len(sources) != 3 || sources["azure"].System != forge.Azure || string(sources["azure"].Seal[0]) != "0123456789abcdef" {
		t.Fatalf("%+v, %v", sources, err)
	}
	for was, is := range map[string]string{"secrets: [env:SECRET]": "secrets: [env:SHORT]", "https://api.github.com": "http://api.github.com", "app: 7": "app: 0", "env:TOKEN": "env:NONE", keyFile: keyFile + ".gone"} {
		if _, err := a.forgesFrom(write("bad.yaml", strings.Replace(all, was, is, 1))); err == nil || !strings.Contains(err.Error(), "forges.") || verdict.AsError(err).Remedy == "" {
			t.Errorf("%s: %v", is, err)
		}
	}
	if _, err := a.forgesFrom(filepath.Join(folder, "gone.yaml")); err == nil {
		t.Error("a file that is not there names no forges, and nobody is told")
	}
}
