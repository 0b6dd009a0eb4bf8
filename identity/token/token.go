// Package token verifies the tokens by which pipelines, machines and people sign in: JSON
// Web Tokens of issuers that the operator named, and of keys that were enrolled.
//
// A token says who its issuer is, with which algorithm and under which key it was signed.
// None of that is believed: the issuer has to be one of the configuration's, its keys come
// from where that issuer publishes them, and the algorithm has to be one of the key that is
// found. Whatever is not told is refused, and a token holds for one audience alone.
package token

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"verdict"
)

// The limits of a token.
const (
	MaxToken = 16 << 10 // bytes
	Skew     = time.Minute
)

// algorithms are those that are believed. A secret that both sides know is none: who can
// verify could sign.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Claims are what a token says, after it was verified.
type Claims struct {
	Issuer   string
	Subject  string
	Audience string
	Issued   time.Time
	Expires  time.Time
	// ID names the token to its issuer: its jti, or the digest of what was signed where it
	// has none.
	ID string
	// Digest is the sha256 of the token as it was sent.
	Digest verdict.Digest
	values map[string]any
}

// Text is the claim that the path leads to, as text; "" when there is none or it is no
// text, number or boolean.
func (c *Claims) Text(path ...string) string {
	var v any = c.values
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[name]
	}
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	}
	return ""
}

// Has reports whether the token has the claim.
func (c *Claims) Has(name string) bool { _, has := c.values[name]; return has }

// List is the claim as a list of texts; what is no text is left out.
func (c *Claims) List(name string) []string {
	all, _ := c.values[name].([]any)
	out := []string{}
	for _, x := range all {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func refused(what, remedy string, cause error) error {
	return &verdict.Error{Code: verdict.CodeForbidden, What: what, Remedy: remedy, Err: cause}
}

const askAgain = "ask the issuer for a new token for this server, and send it at once"

// unverified is a token that was taken apart and of which nothing is believed yet.
type unverified struct {
	jws    *jose.JSONWebSignature
	header jose.Header
	digest verdict.Digest
	claims map[string]any
}

// parse takes a token apart.
func parse(raw string, algs []jose.SignatureAlgorithm) (*unverified, error) {
	if len(raw) > MaxToken {
		return nil, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("the token has %d bytes, more than %d", len(raw), MaxToken), Remedy: "have the issuer leave out what nobody asks for, such as lists of groups"}
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, refused("that is no signed JSON Web Token", "send the token as its issuer gave it: three parts with dots between", nil)
	}
	for i, part := range parts[:2] {
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err == nil {
			_, err = object(b)
		}
		if err != nil {
			return nil, refused("the "+[]string{"header", "body"}[i]+" of the token cannot be read in one way only", askAgain, err)
		}
	}
	jws, err := jose.ParseSignedCompact(raw, algs)
	if err != nil {
		return nil, refused("the token is not signed in a way that is believed", "have its issuer sign with RS256, PS256, ES256 or EdDSA; a token without a signature, or with a shared secret, proves nothing", err)
	}
	h := jws.Signatures[0].Protected
	if cty, nested := h.ExtraHeaders[jose.HeaderContentType]; nested {
		return nil, refused(fmt.Sprintf("the token holds another one (%.40v)", cty), "send the token itself", nil)
	}
	claims, err := object(jws.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil, refused("the body of the token cannot be read in one way only", askAgain, err)
	}
	sum := sha256.Sum256([]byte(raw))
	return &unverified{jws: jws, header: h, digest: verdict.NewDigest("sha256", hex.EncodeToString(sum[:])), claims: claims}, nil
}

// wanted is what a token has to say besides what its signature proves.
type wanted struct {
	issuer, audience string
	lifetime         time.Duration // the longest from its issue to its end
	now              time.Time
}

// check holds the claims against what is wanted, once the signature holds.
func (u *unverified) check(w wanted) (*Claims, error) {
	c := &Claims{Issuer: w.issuer, Audience: w.audience, Digest: u.digest, values: u.claims}
	if iss, _ := u.claims["iss"].(string); iss != w.issuer || iss == "" {
		return nil, refused(fmt.Sprintf("the token is of %.100q, not of %s", iss, w.issuer), askAgain, nil)
	}
	if aud := audience(u.claims["aud"]); aud != w.audience || aud == "" {
		return nil, refused(fmt.Sprintf("the token is for %.200v and not for %s alone", u.claims["aud"], w.audience), "ask the issuer for a token whose audience is "+w.audience+" and nothing else", nil)
	}
	if err := u.times(c, w); err != nil {
		return nil, err
	}
	c.Subject, _ = u.claims["sub"].(string)
	if c.ID, _ = u.claims["jti"].(string); c.ID == "" || len(c.ID) > 200 {
		sum := sha256.Sum256(u.jws.UnsafePayloadWithoutVerification())
		c.ID = "sha256:" + hex.EncodeToString(sum[:])
	}
	return c, nil
}

// audience is the one that a token is for; "" when it is for none or for several: whoever is
// another one of several could use it here.
func audience(v any) string {
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	s, _ := v.(string)
	return s
}

func (u *unverified) times(c *Claims, w wanted) error {
	at := func(name string) (t time.Time, told bool, err error) {
		v, told := u.claims[name]
		if !told {
			return t, false, nil
		}
		n, _ := v.(json.Number)
		f, err := n.Float64()
		if err != nil || f < 0 || f > 1<<40 {
			return t, true, refused(fmt.Sprintf("%s of the token is %.40v, which is no time", name, v), askAgain, nil)
		}
		return time.Unix(int64(f), 0).UTC(), true, nil
	}
	expires, ends, err := at("exp")
	if err != nil {
		return err
	}
	issued, begins, err := at("iat")
	if err != nil {
		return err
	}
	from, bounded, err := at("nbf")
	if err != nil {
		return err
	}
	const clocks = "ask the issuer for a new token; where that one is new too, set the clocks of both machines"
	switch {
	case !ends || !begins:
		return refused("the token does not say from when to when it holds", "have its issuer write iat and exp", nil)
	case !w.now.Before(expires.Add(Skew)):
		return refused("the token expired at "+expires.Format(time.RFC3339), clocks, nil)
	case issued.After(w.now.Add(Skew)):
		return refused("the token was issued in the future, at "+issued.Format(time.RFC3339), clocks, nil)
	case bounded && from.After(w.now.Add(Skew)):
		return refused("the token does not hold before "+from.Format(time.RFC3339), clocks, nil)
	case !expires.After(issued) || expires.Sub(issued) > w.lifetime:
		return refused(fmt.Sprintf("the token holds for %s; at most %s are accepted", expires.Sub(issued), w.lifetime), "have the issuer give tokens that expire sooner", nil)
	}
	c.Issued, c.Expires = issued, expires
	return nil
}
