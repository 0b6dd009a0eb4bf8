package gcpkms

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"verdict"
	"verdict/evidence/remote"
	"verdict/evidence/remote/remotetest"
)

const version = "projects/acme/locations/europe-west3/keyRings/verdict/cryptoKeys/evidence/cryptoKeyVersions/3"

func open(t *testing.T, transport http.RoundTripper, wait func(context.Context, time.Duration) error) remote.Service {
	t.Helper()
	s, err := New(t.Context(), Options{
		Version: version, Transport: transport, Wait: wait, Tokens: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "pass"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stand(t *testing.T, key func() remotetest.Key, change func(map[string]any)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "cloudkms.googleapis.com" || r.Header.Get("Authorization") != "Bearer pass" {
			t.Errorf("%s %s%s with %q", r.Method, r.Host, r.URL, r.Header.Get("Authorization"))
		}
		k := key()
		out := map[string]any{"name": version}
		switch r.Method + " " + r.URL.Path {
		case "GET /v1/" + version + "/publicKey":
			out["pem"] = k.PEM()
			out["algorithm"] = map[remotetest.Kind]string{remotetest.P256: "EC_SIGN_P256_SHA256", remotetest.P384: "EC_SIGN_P384_SHA384", remotetest.RSA: "RSA_SIGN_PSS_2048_SHA256", remotetest.Ed25519: "EC_SIGN_ED25519"}[k.Kind]
		case "POST /v1/" + version + ":asymmetricSign":
			var in struct {
				Data   []byte
				Digest map[string][]byte
			}
			b, err := io.ReadAll(r.Body)
			if err == nil {
				err = json.Unmarshal(b, &in)
			}
			what := in.Data
			if k.Kind != remotetest.Ed25519 {
				what = in.Digest["sha256"]
			}
			if err != nil || len(what) == 0 || (in.Data == nil) == (in.Digest == nil) {
				t.Errorf("sign %s", b)
			}
			out["signature"] = k.Sign(what)
		default:
			t.Errorf("%s %s", r.Method, r.URL)
		}
		if change != nil {
			change(out)
		}
		json.NewEncoder(w).Encode(out)
	})
}

func TestSuite(t *testing.T) {
	remotetest.Run(t, remotetest.Driver{
		New:   open,
		Stand: func(t *testing.T, key func() remotetest.Key) http.Handler { return stand(t, key, nil) },
		Refuse: func(w http.ResponseWriter, why remotetest.Reason) {
			said := map[remotetest.Reason]struct {
				code         int
				status, text string
			}{
				remotetest.Denied:    {403, "PERMISSION_DENIED", "Permission 'cloudkms.cryptoKeyVersions.useToSign' denied on resource"},
				remotetest.Disabled:  {400, "FAILED_PRECONDITION", version + " is not enabled, current state is: DISABLED."},
				remotetest.Missing:   {404, "NOT_FOUND", "CryptoKeyVersion not found."},
				remotetest.Throttled: {429, "RESOURCE_EXHAUSTED", "Quota exceeded."},
			}[why]
			w.WriteHeader(said.code)
			json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": said.code, "status": said.status, "message": said.text}})
		},
		Rights: [2]string{"cloudkms.cryptoKeyVersions.viewPublicKey", "cloudkms.cryptoKeyVersions.useToSign"},
	})
}

func TestWhatKMSSaysOfAKeyIsHeldAgainstWhatIsNeeded(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(map[string]any)
		code   verdict.Code
	}{
		{"another version", func(m map[string]any) { m["name"] = version[:len(version)-1] + "4" }, verdict.CodeRefused},
		{"an algorithm of another curve of the same size", func(m map[string]any) { m["algorithm"] = "EC_SIGN_SECP256K1_SHA256" }, verdict.CodeInvalid},
		{"for encryption", func(m map[string]any) { m["algorithm"] = "RSA_DECRYPT_OAEP_2048_SHA256" }, verdict.CodeInvalid},
		{"a public half that is none", func(m map[string]any) { m["pem"] = "x" }, verdict.CodeInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := remotetest.NewKey(t, remotetest.P256)
			s := remotetest.Serve(t, stand(t, func() remotetest.Key { return k }, c.change))
			_, err := remote.Open(t.Context(), open(t, remotetest.To(s), nil))
			if e := verdict.AsError(err); e == nil || e.Code != c.code {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

func TestOnlyAVersionNamesAKey(t *testing.T) {
	for _, bad := range []string{
		"", "projects/acme/locations/europe-west3/keyRings/verdict/cryptoKeys/evidence", version + "/publicKey", version + ":asymmetricSign",
		"/" + version, "https://cloudkms.googleapis.com/v1/" + version, version + "\n", "projects/../locations/a/keyRings/b/cryptoKeys/c/cryptoKeyVersions/latest",
	} {
		if _, err := New(t.Context(), Options{Version: bad}); err == nil || verdict.AsError(err).Code != verdict.CodeUsage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A pipeline signs in without a secret (workload identity federation), as it does for
// Google's own tools.
func TestAPipelineSignsInByItsOwnToken(t *testing.T) {
	k := remotetest.NewKey(t, remotetest.P256)
	inner := stand(t, func() remotetest.Key { return k }, nil)
	s := remotetest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "sts.googleapis.com" {
			inner.ServeHTTP(w, r)
			return
		}
		if r.URL.Path != "/v1/token" || r.FormValue("subject_token") != "of the pipeline" || r.FormValue("scope") != scope {
			t.Errorf("asked %s for %v", r.URL, r.Form)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token": "pass", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer", "expires_in": 3600}`)
	}))
	folder := t.TempDir()
	token, file := filepath.Join(folder, "token"), filepath.Join(folder, "credentials.json")
	account, err := json.Marshal(map[string]any{
		"type": "external_account", "token_url": "https://sts.googleapis.com/v1/token", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
		"audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/p", "credential_source": map[string]string{"file": token},
	})
	if err == nil {
		err = errors.Join(os.WriteFile(file, account, 0o600), os.WriteFile(token, []byte("of the pipeline"), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	opening, cancel := context.WithCancel(t.Context())
	service, err := New(opening, Options{Version: version, Transport: remotetest.To(s)})
	if err != nil {
		t.Fatal(err)
	}
	cancel() // tokens are renewed long after it
	if _, err := remote.Open(t.Context(), service); err != nil {
		t.Error(err)
	}
}
