package token

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"verdict"
)

// Longest is how long a token may hold where nothing else is said.
const Longest = 24 * time.Hour

// Issuer is one whose tokens are believed.
type Issuer struct {
	// URL is what its tokens have in iss, to the letter. It is https, or http on this machine.
	URL string
	// Keys is where its keys are when it publishes no discovery document: an address, or
	// file:PATH.
	Keys string
	// Roots are the authorities that its certificate is of; nil: those of the system.
	Roots *x509.CertPool
	// Lifetime is the longest that a token of it may hold; 0: Longest.
	Lifetime time.Duration
}

// Options are what a Verifier needs.
type Options struct {
	Issuers []Issuer
	Now     func() time.Time
	// Proxy is the way out, as in http.Transport; nil: none.
	Proxy func(*http.Request) (*url.URL, error)
}

// Verifier verifies the tokens of issuers. Its methods may be called at the same time.
type Verifier struct {
	now     func() time.Time
	issuers map[string]*issuer
}

// NewVerifier makes a Verifier, and asks nobody yet.
func NewVerifier(o Options) (*Verifier, error) {
	v := &Verifier{now: o.Now, issuers: map[string]*issuer{}}
	if v.now == nil {
		v.now = time.Now
	}
	for _, x := range o.Issuers {
		u, err := url.Parse(x.URL)
		if err != nil || !plain(u, u) || u.RawQuery != "" || u.Fragment != "" {
			return nil, &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("the issuer %.200q is no https address", x.URL), Remedy: "name it as its tokens have it in iss: https://token.actions.githubusercontent.com"}
		}
		i := &issuer{url: u, name: x.URL, keysAt: x.Keys, life: x.Lifetime, client: client(u, x.Roots, o.Proxy), now: v.now}
		if i.life == 0 {
			i.life = Longest
		}
		v.issuers[x.URL] = i
	}
	return v, nil
}

// Verify verifies a token of one of the issuers for one of the audiences, of which it names
// exactly one. A token that does not hold is an *verdict.Error of CodeForbidden, an issuer
// that cannot be asked one of CodeUnavailable.
func (v *Verifier) Verify(ctx context.Context, raw string, audiences ...string) (*Claims, error) {
	u, err := parse(raw, algorithms)
	if err != nil {
		return nil, err
	}
	name, _ := u.claims["iss"].(string)
	i := v.issuers[name]
	if i == nil {
		return nil, refused(fmt.Sprintf("tokens of %.200q are not believed here", name), "have an operator add the issuer to the file of --sign-in, or take a token of one that is in it", nil)
	}
	want := wanted{issuer: name, lifetime: i.life, now: v.now()}
	if want.audience = audience(u.claims["aud"]); !slices.Contains(audiences, want.audience) && len(audiences) > 0 {
		want.audience = audiences[0] // which check refuses, with what the token names instead
	}
	// What needs no key comes first: who sends rubbish makes nobody ask an issuer.
	c, err := u.check(want)
	if err != nil {
		return nil, err
	}
	if u.header.KeyID == "" {
		return nil, refused("the token does not name the key that signed it", "have its issuer write kid into the header", nil)
	}
	k, err := i.key(ctx, u.header.KeyID)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(suits(k), jose.SignatureAlgorithm(u.header.Algorithm)) {
		return nil, refused(fmt.Sprintf("the token is signed with %.20q, and its key is not for that", u.header.Algorithm), askAgain, nil)
	}
	if _, err := u.jws.Verify(k.Key); err != nil {
		return nil, refused("the signature of the token does not hold", askAgain, err)
	}
	return c, nil
}

// Discover gives what the issuer says about itself: where people sign in.
func (v *Verifier) Discover(ctx context.Context, name string) (Discovery, error) {
	i := v.issuers[name]
	if i == nil {
		return Discovery{}, fmt.Errorf("%s is no issuer of the configuration", name)
	}
	d, err := i.discover(ctx)
	if err != nil {
		return d, &verdict.Error{Code: verdict.CodeUnavailable, What: "the issuer " + name + " does not say where people sign in", Err: err, Remedy: "see whether this server reaches " + name + discoveryPath}
	}
	return d, nil
}

// Client is the way to an issuer, for what a sign-in asks of it besides its keys.
func (v *Verifier) Client(name string) *http.Client { return v.issuers[name].client }

// Request is a form for an address that the issuer's discovery document names: https, or
// http on this machine for an issuer that is on it.
func (v *Verifier) Request(ctx context.Context, name, address string, form url.Values) (*http.Request, error) {
	u, err := url.Parse(address)
	if err != nil || !plain(u, v.issuers[name].url) {
		return nil, fmt.Errorf("%.200q is no https address", address)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	return r, nil
}
