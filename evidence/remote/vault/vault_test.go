package vault

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/evidence/remote"
	"verdict/evidence/remote/remotetest"
)

const keyRef = "https://vault.acme.example/secure/transit/evidence#3"

func open(t *testing.T, o Options) remote.Service {
	t.Helper()
	o.Key, o.Namespace = keyRef, "team"
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func withToken() (string, error) { return "pass", nil }

func stand(t *testing.T, key func() remotetest.Key, change func(map[string]any)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "vault.acme.example" || r.Header.Get("X-Vault-Token") != "pass" || r.Header.Get("X-Vault-Namespace") != "team" || r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s%s with %v", r.Method, r.Host, r.URL, r.Header)
		}
		k := key()
		public := k.PEM()
		if k.Kind == remotetest.Ed25519 {
			spki := k.SPKI()
			public = base64.StdEncoding.EncodeToString(spki[len(spki)-32:])
		}
		var data map[string]any
		at := strings.TrimPrefix(r.URL.Path, "/v1/secure/transit")
		switch {
		case r.Method == http.MethodGet && at == "/keys/evidence":
			data = map[string]any{
				"type":           map[remotetest.Kind]string{remotetest.P256: "ecdsa-p256", remotetest.P384: "ecdsa-p384", remotetest.RSA: "rsa-2048", remotetest.Ed25519: "ed25519"}[k.Kind],
				"latest_version": 4, "keys": map[string]any{"3": map[string]any{"public_key": public}},
			}
		case r.Method == http.MethodPost && strings.HasPrefix(at, "/sign/evidence"):
			var in struct {
				Input       []byte
				Prehashed   bool
				KeyVersion  int    `json:"key_version"`
				Marshalling string `json:"marshaling_algorithm"`
			}
			b, err := io.ReadAll(r.Body)
			if err == nil {
				err = json.Unmarshal(b, &in)
			}
			digests := k.Kind != remotetest.Ed25519
			if err != nil || in.KeyVersion != 3 || in.Prehashed != digests || (at == "/sign/evidence/sha2-256") != digests || (in.Marshalling == "asn1") != digests {
				t.Errorf("sign %s at %s", b, at)
			}
			data = map[string]any{"signature": "vault:v3:" + base64.StdEncoding.EncodeToString(k.Sign(in.Input))}
		default:
			t.Errorf("%s %s", r.Method, r.URL)
		}
		if change != nil {
			change(data)
		}
		json.NewEncoder(w).Encode(map[string]any{"data": data})
	})
}

func TestSuite(t *testing.T) {
	remotetest.Run(t, remotetest.Driver{
		New: func(t *testing.T, transport http.RoundTripper, wait func(context.Context, time.Duration) error) remote.Service {
			return open(t, Options{Token: withToken, Transport: transport, Wait: wait})
		},
		Stand: func(t *testing.T, key func() remotetest.Key) http.Handler { return stand(t, key, nil) },
		Refuse: func(w http.ResponseWriter, why remotetest.Reason) {
			said := map[remotetest.Reason]struct {
				status int
				text   string
			}{
				remotetest.Denied:    {403, "1 error occurred:\n\t* permission denied\n\n"},
				remotetest.Disabled:  {400, "requested version for signing is less than the minimum encryption key version"},
				remotetest.Missing:   {404, ""},
				remotetest.Throttled: {429, "request path \"transit/sign/evidence\": rate limit quota exceeded"},
			}[why]
			w.WriteHeader(said.status)
			fmt.Fprintf(w, `{"errors": [%q]}`, said.text)
		},
		Rights: [2]string{`path "secure/transit/keys/evidence" { capabilities = ["read"] }`, `path "secure/transit/sign/evidence/sha2-256" { capabilities = ["update"] }`},
	})
}

func TestWhatVaultSaysOfAKeyIsHeldAgainstWhatIsNeeded(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(map[string]any)
		code   verdict.Code
	}{
		{"for encryption", func(m map[string]any) { m["type"] = "aes256-gcm96"; m["keys"] = map[string]any{"3": 1442851412} }, verdict.CodeInvalid},
		{"without that version", func(m map[string]any) { m["keys"] = map[string]any{"4": map[string]any{"public_key": "x"}} }, verdict.CodeInvalid},
		{"a public half that is none", func(m map[string]any) { m["keys"] = map[string]any{"3": map[string]any{"public_key": "x"}} }, verdict.CodeInvalid},
		{"said to be of another kind", func(m map[string]any) { m["type"] = "ed25519" }, verdict.CodeInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := remotetest.NewKey(t, remotetest.P256)
			s := remotetest.Serve(t, stand(t, func() remotetest.Key { return k }, c.change))
			_, err := remote.Open(t.Context(), open(t, Options{Token: withToken, Transport: remotetest.To(s)}))
			if e := verdict.AsError(err); e == nil || e.Code != c.code {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

func TestASignatureOfAnotherVersionIsRefused(t *testing.T) {
	k := remotetest.NewKey(t, remotetest.P256)
	s := remotetest.Serve(t, stand(t, func() remotetest.Key { return k }, func(m map[string]any) {
		if sig, ok := m["signature"].(string); ok {
			m["signature"] = strings.Replace(sig, "vault:v3:", "vault:v4:", 1)
		}
	}))
	signer, err := remote.Open(t.Context(), open(t, Options{Token: withToken, Transport: remotetest.To(s)}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(t.Context(), make([]byte, 32)); verdict.AsError(err).Code != verdict.CodeRefused {
		t.Errorf("Sign: %v", err)
	}
}

// A pod signs in with the token of its service account, once, and again when Vault's token
// is about to end or was taken back.
func TestAPodSignsInAndAgain(t *testing.T) {
	k := remotetest.NewKey(t, remotetest.P256)
	var logins atomic.Int64
	var revoked atomic.Bool
	inner := stand(t, func() remotetest.Key { return k }, nil)
	s := remotetest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/auth/k8s/login" {
			var in map[string]string
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in["role"] != "verdict" || in["jwt"] != "account" || r.Header.Get("X-Vault-Namespace") != "team" {
				t.Errorf("login with %v, %v", in, err)
			}
			logins.Add(1)
			revoked.Store(false)
			fmt.Fprint(w, `{"auth": {"client_token": "pass", "lease_duration": 3600}}`)
			return
		}
		if revoked.Load() {
			http.Error(w, `{"errors": ["permission denied"]}`, http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	signer, err := remote.Open(t.Context(), open(t, Options{
		Role: "verdict", Login: "k8s", Account: func() (string, error) { return "account", nil }, Now: func() time.Time { return now }, Transport: remotetest.To(s),
	}))
	if err != nil {
		t.Fatal(err)
	}
	sign := func(want int64) {
		t.Helper()
		if _, err := signer.Sign(t.Context(), make([]byte, 32)); err != nil || logins.Load() != want {
			t.Errorf("%v after %d logins, want %d", err, logins.Load(), want)
		}
	}
	sign(1)
	now = now.Add(39 * time.Minute)
	sign(1)
	now = now.Add(2 * time.Minute)
	sign(2)
	revoked.Store(true)
	sign(3)
}

func TestWhoMayNotSignInIsToldWhatIsMissing(t *testing.T) {
	s := remotetest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"errors": ["service account name not authorized"]}`, http.StatusForbidden)
	}))
	_, err := remote.Open(t.Context(), open(t, Options{Role: "verdict", Account: func() (string, error) { return "account", nil }, Transport: remotetest.To(s)}))
	if e := verdict.AsError(err); e == nil || !strings.Contains(e.Remedy, "the role verdict") {
		t.Errorf("Open: %v", err)
	}
	gone := errors.New("no such file")
	_, err = remote.Open(t.Context(), open(t, Options{Role: "verdict", Account: func() (string, error) { return "", gone }, Transport: remotetest.To(s)}))
	if !errors.Is(err, gone) {
		t.Errorf("Open: %v", err)
	}
}

func TestOnlyAVersionNamesAKey(t *testing.T) {
	for _, bad := range []string{
		"", "https://vault.example/transit/evidence", "https://vault.example/transit/evidence#0", "https://vault.example/transit/evidence#latest",
		"https://vault.example/evidence#1", "https://vault.example/transit/../sys/evidence#1", "http://vault.example/transit/evidence#1",
		"https://user:pass@vault.example/transit/evidence#1", "https://vault.example/transit/a%2fb#1", "https://vault.example/transit/evidence?x=y#1",
	} {
		if s, err := New(Options{Key: bad, Token: withToken}); err == nil {
			t.Errorf("%q is %s", bad, s.Name())
		}
	}
}
