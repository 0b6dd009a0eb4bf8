package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"verdict/evidence/remote/remotetest"
)

// serveVault starts a Vault with a transit engine: vaultserver NAME=KIND…, where each name
// has two versions. The script finds it in $VAULT, with a token where Verdict looks for one.
func serveVault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: vaultserver NAME=p256|ed25519…")
	}
	v := &transit{keys: map[string]remotetest.Key{}}
	for _, a := range args {
		name, kind, _ := strings.Cut(a, "=")
		for version := range 2 {
			k, err := remotetest.MakeKey(remotetest.Kind(kind))
			ts.Check(err)
			v.keys[fmt.Sprintf("%s:%d", name, version+1)] = k
		}
	}
	s := httptest.NewServer(v)
	ts.Defer(s.Close)
	ts.Setenv("VAULT", s.URL)
	ts.Setenv("VAULT_TOKEN", "pass")
}

// transit answers as Vault's transit engine does, as far as its driver asks.
type transit struct {
	mu   sync.Mutex // one request at a time
	keys map[string]remotetest.Key
}

func (v *transit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	refuse := func(status int, why string) { http.Error(w, fmt.Sprintf(`{"errors": [%q]}`, why), status) }
	if r.Header.Get("X-Vault-Token") != "pass" {
		refuse(http.StatusForbidden, "permission denied")
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/transit/"), "/")
	if len(parts) < 2 || v.keys[parts[1]+":1"].Private == nil {
		refuse(http.StatusNotFound, "")
		return
	}
	data := map[string]any{}
	if parts[0] == "keys" {
		versions := map[string]any{}
		for _, n := range []string{"1", "2"} {
			k, there := v.keys[parts[1]+":"+n]
			if !there {
				continue
			}
			public := k.PEM()
			data["type"] = "ecdsa-p256"
			if k.Kind == remotetest.Ed25519 {
				data["type"], public = "ed25519", base64.StdEncoding.EncodeToString(k.SPKI()[12:])
			}
			versions[n] = map[string]any{"public_key": public}
		}
		data["keys"] = versions
	} else {
		var in struct {
			Input   []byte
			Version int `json:"key_version"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			refuse(http.StatusBadRequest, err.Error())
			return
		}
		sig := v.keys[fmt.Sprintf("%s:%d", parts[1], in.Version)].Sign(in.Input)
		data["signature"] = fmt.Sprintf("vault:v%d:%s", in.Version, base64.StdEncoding.EncodeToString(sig))
	}
	json.NewEncoder(w).Encode(map[string]any{"data": data})
}

func TestReferencesToKeys(t *testing.T) {
	for _, c := range []struct {
		name, text, scheme, key, parameters string
		wrong                               string // part of what is wrong with it or of its remedy
	}{
		{"a file", "file:/etc/verdict/a?b#c.pem", "file", "/etc/verdict/a?b#c.pem", "", ""},
		{"Azure Key Vault", "azurekv:https://acme.vault.azure.net/keys/a/b", "azurekv", "https://acme.vault.azure.net/keys/a/b", "", ""},
		{"AWS KMS by a private endpoint", "awskms:arn:aws:kms:r:1:key/a?endpoint=https://kms.acme.example", "awskms", "arn:aws:kms:r:1:key/a", "endpoint=https%3A%2F%2Fkms.acme.example", ""},
		{"Vault with the version at the end", "vault:https://v/transit/a?role=verdict#3", "vault", "https://v/transit/a#3", "role=verdict", ""},
		{"Vault with the version before", "vault:https://v/transit/a#3?role=verdict", "vault", "https://v/transit/a#3", "role=verdict", ""},
		{"a mistyped scheme", "awskm:arn:aws:kms:r:1:key/a", "", "", "", "did you mean awskms?"},
		{"a path", "/etc/verdict/key.pem", "", "", "", "write file:PATH"},
		{"the key itself", "-----BEGIN PRIVATE KEY-----", "", "", "", "write file:PATH"},
		{"nothing", "vault:", "", "", "", "names no key"},
		{"a mistyped parameter", "vault:https://v/transit/a?rolle=x#3", "", "", "", "did you mean role?"},
		{"a parameter of another service", "gcpkms:projects/p?role=x", "", "", "", "unknown parameter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseKeyRef(c.text)
			if c.wrong != "" {
				var bad *badValue
				if !errors.As(err, &bad) || !strings.Contains(bad.what+"; "+bad.remedy, c.wrong) {
					t.Errorf("%v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil || got.scheme != c.scheme || got.key != c.key || got.parameters.Encode() != c.parameters {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// A token in a reference would be in configuration files and in the list of processes.
func TestATokenOfVaultIsAReference(t *testing.T) {
	a := &app{env: environment{}}
	for _, bad := range []string{"hvs.CAESIJ", "env:", "https://x"} {
		r, err := parseKeyRef("vault:https://v/transit/a?token=" + bad + "#1")
		if err == nil {
			_, err = a.vaultKey(r)
		}
		if err == nil || strings.Contains(err.Error(), "hvs.") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
