package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// The kinds of credentials, and what their secrets begin with. A link signs a browser in and
// comes from verdict serve alone; a code signs the command line in and comes from a browser. If
// one were taken for the other, somebody could have another one's browser work as himself.
const (
	sessionKind, sessionPrefix = "session", "vds_"
	tokenKind, tokenPrefix     = "token", "vdt_"
	codeKind, codePrefix       = "code", "vdc_"
	linkKind, linkPrefix       = "link", "vdl_"
)

// A secret is a prefix and, in base64url, 256 random bits with a sum: what somebody made up,
// mistyped or cut off is told from a secret without a look at the database, and whoever searches
// texts for secrets that leaked finds them.
const (
	secretBits   = 32 // bytes
	sumBytes     = 4
	secretLength = len(sessionPrefix) + (secretBits+sumBytes)*4/3
)

// newSecret makes a secret and the id of its credential.
func newSecret(chance io.Reader, prefix string) (secret, id string, err error) {
	random := make([]byte, secretBits+10)
	if _, err := io.ReadFull(chance, random); err != nil {
		return "", "", fmt.Errorf("chance: %w", err)
	}
	bits := random[:secretBits:secretBits]
	return prefix + base64.RawURLEncoding.EncodeToString(append(bits, sumOfSecret(prefix, bits)...)), hex.EncodeToString(random[secretBits:]), nil
}

func sumOfSecret(prefix string, bits []byte) []byte {
	sum := sha256.Sum256(append([]byte(prefix), bits...))
	return sum[:sumBytes]
}

// isSecret reports whether a text could have been given out as a secret with one of the prefixes.
func isSecret(text string, prefixes ...string) bool {
	prefix, rest := text[:min(len(text), len(sessionPrefix))], text[min(len(text), len(sessionPrefix)):]
	if len(text) != secretLength || !slices.Contains(prefixes, prefix) {
		return false
	}
	b, err := base64.RawURLEncoding.DecodeString(rest)
	return err == nil && string(b[secretBits:]) == string(sumOfSecret(prefix, b[:secretBits])) // no secret: anybody can compute it
}

// secretOf is the secret that a request carries; empty: none. Who sends a token is not
// asked for a cookie.
func (s *SignIn) secretOf(r *http.Request) (string, error) {
	if sent := r.Header.Values("Authorization"); len(sent) > 0 {
		scheme, secret, _ := strings.Cut(sent[0], " ")
		if len(sent) > 1 || !strings.EqualFold(scheme, "Bearer") || !isSecret(secret, sessionPrefix, tokenPrefix) {
			return "", forbidden("what was sent as a token is none of this server", "give --token what verdict tokens create printed, or sign in: verdict login --server URL; over HTTP send it as Authorization: Bearer")
		}
		return secret, nil
	}
	if c, err := r.Cookie(s.cookieName(sessionCookie)); err == nil && isSecret(c.Value, sessionPrefix) {
		return c.Value, nil
	}
	return "", nil
}

// Knows implements Authenticator.
func (s *SignIn) Knows(r *http.Request) bool {
	secret, err := s.secretOf(r)
	if secret == "" || err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.known[digestOf(secret)]
	return known
}
