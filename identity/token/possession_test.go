package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"verdict/identity/token"
)

type signer struct{ *ecdsa.PrivateKey }

func (s signer) Public() *ecdsa.PublicKey { return &s.PublicKey }

func (s signer) Sign(_ context.Context, digest []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, s.PrivateKey, digest)
}

func TestAnEnrolledKeySignsInWithAnAssertionForThisServerAlone(t *testing.T) {
	k, now := signer{ecKey(t)}, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	find := func(id string) *ecdsa.PublicKey {
		if id == "kid" {
			return k.Public()
		}
		return nil
	}
	good, err := token.Assert(t.Context(), k, "kid", self, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := token.Asserted(good, self, now, find)
	if err != nil || c.Subject != "kid" || c.ID == "" || c.Expires.Sub(now) != token.ProofLifetime {
		t.Fatalf("%+v, %v", c, err)
	}
	other, err := token.Assert(t.Context(), k, "kid", self, now, rand.Reader)
	if err != nil || other == good {
		t.Errorf("two assertions are one: %v", err)
	}
	if o, _ := token.Asserted(other, self, now, find); o == nil || o.ID == c.ID {
		t.Error("two assertions have one id")
	}
	stranger := signer{ecKey(t)}
	assert := func(k token.Signer, id, audience string, at time.Time) string {
		s, err := token.Assert(t.Context(), k, id, audience, at, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	proof, err := token.Prove(t.Context(), k, self, "x", now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims := func(change map[string]any) string {
		c := map[string]any{"iss": token.Key, "sub": "kid", "aud": self, "iat": now.Unix(), "exp": now.Unix() + 60, "jti": "j"}
		for name, v := range change {
			c[name] = v
		}
		b, _ := json.Marshal(c)
		return sign(t, jose.ES256, k.PrivateKey, "kid", b, nil)
	}
	if _, err := token.Asserted(claims(nil), self, now, find); err != nil {
		t.Fatalf("made by hand: %v", err)
	}
	for name, raw := range map[string]string{
		"a key that is not enrolled":  assert(k, "other", self, now),
		"the key of somebody else":    assert(stranger, "kid", self, now),
		"for another server":          assert(k, "kid", "https://other.example", now),
		"of six minutes ago":          assert(k, "kid", self, now.Add(-7*time.Minute)),
		"of the future":               assert(k, "kid", self, now.Add(2*time.Minute)),
		"for an hour":                 claims(map[string]any{"exp": now.Unix() + 3600}),
		"without an id":               claims(map[string]any{"jti": ""}),
		"in the name of another key":  claims(map[string]any{"sub": "other"}),
		"a proof for something else":  proof,
		"what an issuer signs itself": claims(map[string]any{"iss": "https://issuer.example"}),
	} {
		if c, err := token.Asserted(raw, self, now, find); err == nil {
			t.Errorf("%s signs in: %+v", name, c)
		}
	}
}

// Without this, who has read somebody's token binds it to a key of his own, or takes the
// proof of one exchange to another.
func TestAProofOfPossessionIsForTheTokenThatItCameWith(t *testing.T) {
	k, now := signer{ecKey(t)}, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	proof, err := token.Prove(t.Context(), k, self, "the token", now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, c, err := token.Proved(proof, self, "the token", now)
	if err != nil || !got.Equal(k.Public()) || c.ID == "" {
		t.Fatalf("%v, %v", got, err)
	}
	for what, try := range map[string]func() error{
		"another token":  func() error { _, _, err := token.Proved(proof, self, "another token", now); return err },
		"another server": func() error { _, _, err := token.Proved(proof, "https://other.example", "the token", now); return err },
		"ten minutes on": func() error { _, _, err := token.Proved(proof, self, "the token", now.Add(10*time.Minute)); return err },
		"no signature": func() error {
			_, _, err := token.Proved(proof[:strings.LastIndexByte(proof, '.')+1], self, "the token", now)
			return err
		},
		"a key that did not sign": func() error {
			p := strings.Split(proof, ".")
			other, err := token.Prove(t.Context(), signer{ecKey(t)}, self, "the token", now, rand.Reader)
			if err != nil {
				return nil
			}
			_, _, err = token.Proved(strings.Split(other, ".")[0]+"."+p[1]+"."+p[2], self, "the token", now)
			return err
		},
		"no key": func() error {
			a, err := token.Assert(t.Context(), k, "kid", self, now, rand.Reader)
			if err != nil {
				return nil
			}
			_, _, err = token.Proved(a, self, "the token", now)
			return err
		},
	} {
		if try() == nil {
			t.Errorf("%s: it binds", what)
		}
	}
}
