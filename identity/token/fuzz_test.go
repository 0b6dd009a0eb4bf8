package token_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity/token"
)

// What somebody sends to prove that he holds a key names that key himself, in a header that nobody
// vouches for: whatever it is, it proves nothing but what that key signed.
func FuzzPossession(f *testing.F) {
	k, err := evidence.CreateKey(filepath.Join(f.TempDir(), "k.pem"))
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	proof, err := token.Prove(f.Context(), k, self, "t", now, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	assertion, err := token.Assert(f.Context(), k, k.KeyID(), self, now, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	public, err := evidence.ParsePublicPEM([]byte(k.PublicPEM()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(proof)
	f.Add(assertion)
	f.Add(raw(`{"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`, `{"iss":"key"}`, "AAAA"))
	f.Add(raw(`{"alg":"ES256","jwk":{"kty":"oct","k":"AA"}}`, `{}`, "AAAA"))
	f.Fuzz(func(t *testing.T, s string) {
		refused := func(err error) {
			if e := verdict.AsError(err); e.Code == verdict.CodeInternal || e.Remedy == "" {
				t.Fatalf("%q: %+v", s, e)
			}
		}
		if key, _, err := token.Proved(s, self, "t", now); err != nil {
			refused(err)
		} else if key.Equal(public) && s != proof {
			t.Fatalf("%q proves what it does not", s)
		}
		if _, err := token.Asserted(s, self, now, func(id string) *ecdsa.PublicKey {
			if id != k.KeyID() {
				return nil
			}
			return public
		}); err != nil {
			refused(err)
		} else if s != assertion {
			t.Fatalf("%q asserts what it does not", s)
		}
	})
}
