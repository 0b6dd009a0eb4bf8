package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"verdict"
)

// How long the keys of an issuer are believed.
const (
	freshFor = 5 * time.Minute  // without asking again
	staleFor = time.Hour        // while the issuer does not answer
	askEvery = 10 * time.Second // at most, whatever tokens come
	maxKeys  = 100

	inFile        = "file:"
	discoveryPath = "/.well-known/openid-configuration"
)

// issuer is one whose tokens are believed, and its keys as they were when it was last asked.
type issuer struct {
	url    *url.URL
	name   string // as tokens have it in iss
	keysAt string // where its keys are; empty: where its discovery document says
	life   time.Duration
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex // guards what follows, and is held while the issuer is asked
	keys    map[string]jose.JSONWebKey
	twice   map[string]bool // ids of several keys
	fetched time.Time       // when keys were taken
	tried   time.Time       // when the issuer was last asked
	fault   error           // why it did not answer then
}

// key finds the key of an id. An id that is not known makes it ask again: the issuer may
// have changed its keys a moment ago.
func (i *issuer) key(ctx context.Context, id string) (jose.JSONWebKey, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	_, known := i.keys[id]
	if (!known || now.Sub(i.fetched) > freshFor || now.Before(i.fetched)) && (now.Sub(i.tried) >= askEvery || now.Before(i.tried)) {
		i.refresh(ctx, now)
	}
	k, known := i.keys[id]
	switch {
	case i.keys == nil || now.Sub(i.fetched) > staleFor:
		why := i.fault
		if why == nil {
			why = errors.New("it was not asked since")
		}
		return k, &verdict.Error{Code: verdict.CodeUnavailable, What: fmt.Sprintf("the issuer %s does not give its keys, and what was known of them is older than %s", i.name, staleFor), Err: why,
			Remedy: "see whether this server reaches " + i.name + discoveryPath + "; until then sign in another way, such as with an enrolled key"}
	case i.twice[id]:
		return k, refused(fmt.Sprintf("the issuer %s has several keys of the id %.60q", i.name, id), "have the issuer give each of its keys an id of its own", nil)
	case !known:
		return k, refused(fmt.Sprintf("the issuer %s has no key %.60q", i.name, id), "ask for a new token; was it of this issuer?", nil)
	}
	return k, nil
}

// refresh asks the issuer. What it said before stays when it does not answer.
func (i *issuer) refresh(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchAfter) // who gives up takes nothing from the others
	defer cancel()
	i.tried = now
	keys, twice, err := i.fetch(ctx)
	if i.fault = err; err == nil {
		i.keys, i.twice, i.fetched = keys, twice, now
	}
}

func (i *issuer) fetch(ctx context.Context) (map[string]jose.JSONWebKey, map[string]bool, error) {
	at := i.keysAt
	if path, ok := strings.CutPrefix(at, inFile); ok {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		b, err := bounded(f, path)
		if err != nil {
			return nil, nil, err
		}
		return keySet(b)
	}
	if at == "" {
		d, err := i.discover(ctx)
		if err != nil {
			return nil, nil, err
		}
		at = d.Keys
	}
	u, err := url.Parse(at)
	if err != nil || !plain(u, i.url) {
		return nil, nil, fmt.Errorf("%.200q, where the keys are, is no https address", at)
	}
	b, err := get(ctx, i.client, at)
	if err != nil {
		return nil, nil, err
	}
	return keySet(b)
}

// Discovery is what the discovery document of an issuer says.
type Discovery struct {
	Issuer        string `json:"issuer"`
	Keys          string `json:"jwks_uri"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
}

func (i *issuer) discover(ctx context.Context) (d Discovery, err error) {
	b, err := get(ctx, i.client, strings.TrimSuffix(i.name, "/")+discoveryPath)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("the discovery document of %s: %w", i.name, err)
	}
	if d.Issuer != i.name {
		return d, fmt.Errorf("the discovery document of %s is of %.200q", i.name, d.Issuer)
	}
	return d, nil
}

// keySet reads a set of keys. One that is not for signatures, or of a kind that is not
// believed, is passed over; the others of the set count.
func keySet(b []byte) (map[string]jose.JSONWebKey, map[string]bool, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, nil, fmt.Errorf("the key set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("the key set has %d keys, more than %d", len(set.Keys), maxKeys)
	}
	keys, twice := map[string]jose.JSONWebKey{}, map[string]bool{}
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || k.KeyID == "" || k.Use != "" && k.Use != "sig" || len(suits(k)) == 0 {
			continue
		}
		if _, known := keys[k.KeyID]; known {
			twice[k.KeyID] = true
		}
		keys[k.KeyID] = k
	}
	if len(keys) == 0 {
		return nil, nil, errors.New("the key set has no key that signs tokens")
	}
	return keys, twice, nil
}

// suits lists the algorithms of a key: those of its kind, and where it names one that alone.
func suits(k jose.JSONWebKey) []jose.SignatureAlgorithm {
	var of []jose.SignatureAlgorithm
	switch x := k.Key.(type) {
	case *rsa.PublicKey:
		if n := x.N.BitLen(); n >= 2048 && n <= 8192 {
			of = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
		}
	case *ecdsa.PublicKey:
		of = map[string][]jose.SignatureAlgorithm{"P-256": {jose.ES256}, "P-384": {jose.ES384}, "P-521": {jose.ES512}}[x.Params().Name]
	case ed25519.PublicKey:
		of = []jose.SignatureAlgorithm{jose.EdDSA}
	}
	if k.Algorithm == "" {
		return of
	}
	return slices.DeleteFunc(of, func(a jose.SignatureAlgorithm) bool { return string(a) != k.Algorithm })
}
