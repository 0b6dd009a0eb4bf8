package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"verdict/identity/token"
)

const self = "https://verdict.example"

// fake is an issuer on this machine, whose keys and whose answers a test changes.
type fake struct {
	t      *testing.T
	server *httptest.Server
	set    atomic.Value // []jose.JSONWebKey
	down   atomic.Bool
	asked  atomic.Int64
	answer atomic.Value // func(http.ResponseWriter, *http.Request) bool: takes the request over
	now    time.Time
}

var rsaKey = func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}()

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	f.answer.Store(func(http.ResponseWriter, *http.Request) bool { return false })
	f.publish("k1", &rsaKey.PublicKey)
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		if f.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		if f.answer.Load().(func(http.ResponseWriter, *http.Request) bool)(w, r) {
			return
		}
		var v any = token.Discovery{Issuer: f.server.URL, Keys: f.server.URL + "/keys"}
		if r.URL.Path == "/keys" {
			v = jose.JSONWebKeySet{Keys: f.set.Load().([]jose.JSONWebKey)}
		}
		_ = json.NewEncoder(w).Encode(v)
	}))
	t.Cleanup(f.server.Close)
	return f
}

func (f *fake) publish(id string, key crypto.PublicKey) {
	f.set.Store([]jose.JSONWebKey{{Key: key, KeyID: id, Use: "sig"}})
}

func (f *fake) verifier(more ...token.Issuer) *token.Verifier {
	v, err := token.NewVerifier(token.Options{Issuers: append(more, token.Issuer{URL: f.server.URL}), Now: f.clock})
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

// claims are those of a token that holds, changed; nil takes one out.
func (f *fake) claims(changes map[string]any) map[string]any {
	c := map[string]any{"iss": f.server.URL, "aud": self, "sub": "s", "jti": "j1", "iat": f.now.Unix(), "exp": f.now.Add(5 * time.Minute).Unix()}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func (f *fake) token(changes map[string]any) string {
	b, err := json.Marshal(f.claims(changes))
	if err != nil {
		f.t.Fatal(err)
	}
	return sign(f.t, jose.RS256, rsaKey, "k1", b, nil)
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, id string, payload []byte, header map[jose.HeaderKey]any) string {
	o := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"typ": "JWT"}}
	maps.Copy(o.ExtraHeaders, header)
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, o)
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// raw is a token of parts that no library would make.
func raw(header, payload, signature string) string {
	e := base64.RawURLEncoding.EncodeToString
	return strings.Join([]string{e([]byte(header)), e([]byte(payload)), signature}, ".")
}

var otherRSA = func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}()

func ownJWK(t *testing.T) []byte {
	b, err := jose.JSONWebKey{Key: &otherRSA.PublicKey, KeyID: "k1"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (f *fake) clock() time.Time { return f.now }

// keysFile is the key set of the issuer in a file.
func (f *fake) keysFile() string {
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: f.set.Load().([]jose.JSONWebKey)})
	if err != nil {
		f.t.Fatal(err)
	}
	path := filepath.Join(f.t.TempDir(), "keys.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}
