package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ProofLifetime is the longest that an assertion or a proof of possession may hold.
const ProofLifetime = 5 * time.Minute

// Exchange is the body of POST /api/v1/token: what somebody has, for a session of the
// server. One of Token, Assertion and Code is set.
type Exchange struct {
	Token     string `json:"token,omitempty" maxLength:"16384" doc:"a token of an issuer that the server believes"`
	Assertion string `json:"assertion,omitempty" maxLength:"16384" doc:"a JSON Web Token for this server, signed with an enrolled key"`
	Code      string `json:"code,omitempty" maxLength:"200" doc:"a code that works once"`
	// Proof binds the session to a key that nobody enrolled: see Prove.
	Proof string `json:"proof,omitempty" maxLength:"16384" doc:"a JSON Web Token that proves possession of a key, to which the session is bound"`
}

// Signer signs with a P-256 key, as an evidence.Signer does.
type Signer interface {
	// Public is the public half.
	Public() *ecdsa.PublicKey
	// Sign signs a sha256 digest and gives the signature in ASN.1 DER.
	Sign(ctx context.Context, digest []byte) (der []byte, err error)
}

// Key is how assertions and proofs name their issuer: the key that signed them.
const Key = "verdict:key"

// Assert makes the assertion with which who holds the enrolled key of an id signs in at a
// server, whose public address is the audience.
func Assert(ctx context.Context, k Signer, id, audience string, now time.Time, random io.Reader) (string, error) {
	return signed(ctx, k, map[string]any{"alg": "ES256", "typ": "JWT", "kid": id}, Key, id, audience, "", now, random)
}

// Prove makes the proof that the caller holds a key, for the session that he gets for what
// he exchanges: a proof for one token binds no other.
func Prove(ctx context.Context, k Signer, audience, exchanged string, now time.Time, random io.Reader) (string, error) {
	jwk, err := (&jose.JSONWebKey{Key: k.Public()}).MarshalJSON()
	if err != nil {
		return "", err
	}
	return signed(ctx, k, map[string]any{"alg": "ES256", "typ": "JWT", "jwk": json.RawMessage(jwk)}, Key, "", audience, digestOf(exchanged), now, random)
}

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func signed(ctx context.Context, k Signer, header map[string]any, issuer, subject, audience, bound string, now time.Time, random io.Reader) (string, error) {
	nonce := make([]byte, 16)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", err
	}
	claims := map[string]any{"iss": issuer, "aud": audience, "iat": now.Unix(), "exp": now.Add(ProofLifetime).Unix(), "jti": base64.RawURLEncoding.EncodeToString(nonce)}
	if subject != "" {
		claims["sub"] = subject
	}
	if bound != "" {
		claims["ath"] = bound
	}
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	sum := sha256.Sum256([]byte(text))
	der, err := k.Sign(ctx, sum[:])
	if err != nil {
		return "", err
	}
	var s struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &s); err != nil || len(rest) > 0 || s.R.Sign() <= 0 || s.S.Sign() <= 0 || s.R.BitLen() > 256 || s.S.BitLen() > 256 {
		return "", errors.New("the key gave no ECDSA signature")
	}
	raw := make([]byte, 64)
	s.R.FillBytes(raw[:32])
	s.S.FillBytes(raw[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(raw), nil
}

// Asserted verifies an assertion for an audience. find gives the key of an id, nil when it
// is not enrolled or does not count any more.
func Asserted(raw, audience string, now time.Time, find func(id string) *ecdsa.PublicKey) (*Claims, error) {
	u, err := parse(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	k := find(u.header.KeyID)
	if k == nil {
		return nil, refused(fmt.Sprintf("the key %.60q is not enrolled", u.header.KeyID), "enroll it: verdict people enroll; or sign in another way", nil)
	}
	c, err := u.by(k, audience, now)
	if err == nil && c.Subject != u.header.KeyID {
		return nil, refused("the assertion is for another key than signed it", "sign it with the key that it names", nil)
	}
	return c, err
}

// Proved verifies a proof of possession that goes with what is exchanged, and gives the key.
func Proved(raw, audience, exchanged string, now time.Time) (*ecdsa.PublicKey, *Claims, error) {
	u, err := parse(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, nil, err
	}
	if u.header.JSONWebKey == nil {
		return nil, nil, refused("the proof names no key", "write the public key into its header as jwk", nil)
	}
	k, ok := u.header.JSONWebKey.Key.(*ecdsa.PublicKey)
	if !ok || k.Curve != elliptic.P256() {
		return nil, nil, refused("the key of the proof is no P-256 key", "make one: verdict keys create", nil)
	}
	c, err := u.by(k, audience, now)
	if err != nil {
		return nil, nil, err
	}
	if c.Text("ath") != digestOf(exchanged) {
		return nil, nil, refused("the proof is for another token than it came with", "make the proof for the token that is exchanged", nil)
	}
	return k, c, nil
}

// by verifies a token that a key made for itself.
func (u *unverified) by(k *ecdsa.PublicKey, audience string, now time.Time) (*Claims, error) {
	if id, _ := u.claims["jti"].(string); id == "" {
		return nil, refused("the assertion has no id", "write 16 random bytes into jti", nil)
	}
	c, err := u.check(wanted{issuer: Key, audience: audience, lifetime: ProofLifetime, now: now})
	if err != nil {
		return nil, err
	}
	if _, err := u.jws.Verify(k); err != nil {
		return nil, refused("the signature of the assertion does not hold", "sign it with the key that it names", err)
	}
	return c, nil
}
