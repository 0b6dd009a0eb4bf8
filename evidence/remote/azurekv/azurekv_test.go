package azurekv

import (
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"verdict"
	"verdict/evidence/remote"
	"verdict/evidence/remote/remotetest"
)

const (
	path = "/keys/evidence/0123456789abcdef0123456789abcdef"
	id   = "https://acme.vault.azure.net" + path
)

// token is a credential that needs no directory: its token says what it was asked for.
type token struct{}

func (token) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: strings.Join(o.Scopes, " "), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func open(t *testing.T, transport http.RoundTripper, wait func(context.Context, time.Duration) error) remote.Service {
	t.Helper()
	s, err := New(Options{ID: id, Credential: token{}, Transport: transport, Wait: wait})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// jwk is the key as the vault shows it.
func jwk(k remotetest.Key) map[string]any {
	out := map[string]any{"kid": id, "kty": "RSA", "key_ops": []string{"sign", "verify"}}
	if public, ok := k.Private.Public().(*ecdsa.PublicKey); ok {
		size := (public.Params().BitSize + 7) / 8
		point, _ := public.Bytes()
		out["kty"], out["crv"] = "EC-HSM", public.Params().Name
		out["x"], out["y"] = base64URL(point[1:1+size]), base64URL(point[1+size:])
	}
	return out
}

// raw is r||s of a signature in DER.
func raw(der []byte) []byte {
	var r, s big.Int
	in, seq := cryptobyte.String(der), cryptobyte.String{}
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1Integer(&r) || !seq.ReadASN1Integer(&s) {
		return nil
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out
}

func stand(t *testing.T, key func() remotetest.Key, change func(map[string]any)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "acme.vault.azure.net" || r.Header.Get("Authorization") != "Bearer https://vault.azure.net/.default" || r.URL.RawQuery != "api-version=7.4" {
			t.Errorf("%s %s%s with %q", r.Method, r.Host, r.URL, r.Header.Get("Authorization"))
		}
		var out map[string]any
		switch {
		case r.Method == http.MethodGet && r.URL.Path == path:
			out = map[string]any{"key": jwk(key()), "attributes": map[string]any{"enabled": true}}
		case r.Method == http.MethodPost && r.URL.Path == path+"/sign":
			var in struct{ Alg, Value string }
			b, err := io.ReadAll(r.Body)
			if err == nil {
				err = json.Unmarshal(b, &in)
			}
			digest, e := base64.RawURLEncoding.DecodeString(in.Value)
			if err != nil || e != nil || in.Alg != "ES256" || len(digest) != 32 {
				t.Errorf("sign %s", b)
			}
			out = map[string]any{"kid": id, "value": base64URL(raw(key().Sign(digest)))}
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
				status            int
				code, inner, text string
			}{
				remotetest.Denied:    {403, "Forbidden", "ForbiddenByRbac", "Caller is not authorized to perform action on resource."},
				remotetest.Disabled:  {403, "Forbidden", "KeyDisabled", "Operation sign is not allowed on a disabled key."},
				remotetest.Missing:   {404, "KeyNotFound", "", "A key with (name/id) evidence was not found in this key vault."},
				remotetest.Throttled: {429, "Throttled", "", "Request was not processed because too many requests were received."},
			}[why]
			e := map[string]any{"code": said.code, "message": said.text}
			if said.inner != "" {
				e["innererror"] = map[string]string{"code": said.inner}
			}
			w.WriteHeader(said.status)
			json.NewEncoder(w).Encode(map[string]any{"error": e})
		},
		Rights: [2]string{"keys/get", "keys/sign"},
		NoLog:  true,
	})
}

func TestWhatAVaultSaysOfAKeyIsHeldAgainstWhatIsNeeded(t *testing.T) {
	part := func(m map[string]any, name string) map[string]any { return m[name].(map[string]any) }
	for _, c := range []struct {
		name   string
		change func(map[string]any)
		code   verdict.Code
	}{
		{"another version", func(m map[string]any) { part(m, "key")["kid"] = id[:len(id)-1] + "0" }, verdict.CodeRefused},
		{"another name", func(m map[string]any) {
			part(m, "key")["kid"] = "https://acme.vault.azure.net/keys/other/0123456789abcdef0123456789abcdef"
		}, verdict.CodeRefused},
		{"no name", func(m map[string]any) { delete(part(m, "key"), "kid") }, verdict.CodeRefused},
		{"switched off", func(m map[string]any) { part(m, "attributes")["enabled"] = false }, verdict.CodeUnavailable},
		{"not for signing", func(m map[string]any) { part(m, "key")["key_ops"] = []string{"verify"} }, verdict.CodeInvalid},
		{"a short coordinate", func(m map[string]any) { part(m, "key")["x"] = base64URL(make([]byte, 31)) }, verdict.CodeInvalid},
		{"no point of the curve", func(m map[string]any) { part(m, "key")["x"] = base64URL(make([]byte, 32)) }, verdict.CodeInvalid},
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

func TestAnAnswerAboutAnotherKeyIsRefused(t *testing.T) {
	k := remotetest.NewKey(t, remotetest.P256)
	s := remotetest.Serve(t, stand(t, func() remotetest.Key { return k }, func(m map[string]any) {
		if m["value"] != nil {
			m["kid"] = "https://acme.vault.azure.net/keys/evidence/ffffffffffffffffffffffffffffffff"
		}
	}))
	signer, err := remote.Open(t.Context(), open(t, remotetest.To(s), nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(t.Context(), make([]byte, 32)); verdict.AsError(err).Code != verdict.CodeRefused {
		t.Errorf("Sign: %v", err)
	}
}

func TestATokenGoesToNoOtherHost(t *testing.T) {
	for _, bad := range []string{
		"https://acme.vault.azure.net.evil.example" + path, "https://evil.example" + path, "http://acme.vault.azure.net" + path,
		"https://acme.vault.azure.net:8443" + path, "https://user@acme.vault.azure.net" + path, "https://acme.vault.azure.net/keys/evidence",
		"https://acme.vault.azure.net/secrets/evidence/0123456789abcdef0123456789abcdef", id + "?x=y", id + "/..", "vault.azure.net" + path,
	} {
		if _, err := New(Options{ID: bad, Credential: token{}}); err == nil || verdict.AsError(err).Code != verdict.CodeUsage {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestThereIsNoLogKey(t *testing.T) {
	s := open(t, nil, nil)
	_, err := s.Sign(t.Context(), remote.Ed25519, []byte("text"))
	if e := verdict.AsError(err); e == nil || !strings.Contains(e.Remedy, "log key in a file") {
		t.Errorf("Sign: %v", err)
	}
}
