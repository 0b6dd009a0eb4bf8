package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/identity/token"
	"verdict/ledger"
	"verdict/store"
)

// How long what somebody signs in with holds.
const (
	machineSession = time.Hour      // a pipeline, or who signed in with a key
	personSession  = 10 * time.Hour // somebody in a browser, or with a code from one
	codeFor        = 10 * time.Minute
	maxOwnDays     = 30
	// knownFor is how old what another replica may have changed is at most: a revocation, a
	// role. What this process changes counts at once.
	knownFor = 250 * time.Millisecond
	maxKnown = 10_000
)

// SignInOptions are what a SignIn is made of. All but Config, Secret, People, Trusted and
// Logger are needed.
type SignInOptions struct {
	// Config says whose tokens are believed; nil: no issuer's.
	Config *token.Config
	// ConfigDigest is that of the file of Config; empty: there is none.
	ConfigDigest verdict.Digest
	// Secret reads what a client_secret of Config refers to.
	Secret    func(ref string) (string, error)
	Proxy     func(*http.Request) (*url.URL, error)
	PublicURL *url.URL
	Ledger    *ledger.Ledger
	Store     *store.Store
	// Signer signs changes of roles in the name of who asked for them.
	Signer evidence.Signer
	// Trusted reports whether changes count that another key of this installation signed, by
	// the id of the key; nil: those of Signer alone do. An error is no no: a role that was taken
	// would stay.
	Trusted func(ctx context.Context, key string) (bool, error)
	// Own are the roles of who signs in with the key of Signer: whoever started a server on this
	// machine for himself. nil: that key gives none by itself.
	Own []identity.Grant
	// People joins accounts to the people of the map in force; nil: nobody is in it.
	People func(context.Context) (*identity.Directory, error)
	Now    func() time.Time
	Rand   io.Reader
	Logger *slog.Logger
}

// SignIn knows who may come in: sessions, API tokens, what is exchanged for one, and roles.
// It is the server's Authenticator. Its methods may be called at the same time.
type SignIn struct {
	o        SignInOptions
	self     string // the audience of what is for this server
	verifier *token.Verifier
	roles    roleBook

	mu       sync.Mutex // guards what follows
	known    map[string]knownCredential
	people   *identity.Directory
	peopleAt time.Time // when it was asked for
}

type knownCredential struct {
	store.Credential
	at     time.Time
	latest int64 // when the log's last entry was recorded, in microseconds
}

// over reports whether a credential's time has passed: by the clock, or by an entry that was
// recorded after it, for a clock that was set back since. What was made while the clock was behind
// the log (Made is never before the last entry of then) is not ended by that entry.
func (k knownCredential) over(now time.Time) bool {
	return now.UnixMicro() >= k.Expires || k.latest >= k.Expires && k.latest > k.Made
}

// holding is what the store keeps of who holds a credential.
type holding struct {
	Caller identity.Caller `json:"caller"` // without grants: they are those of the moment
	Came   came            `json:"came"`   // what his roles rest on besides the ledger
	// Narrow are the grants of an API token, none of which gives more than its owner has.
	Narrow []identity.Grant `json:"narrow,omitempty"`
	Label  string           `json:"label"` // what a person calls it, or how he signed in
	Bound  *ledger.Bound    `json:"bound,omitempty"`
	// Loopback: it is taken from this machine alone.
	Loopback bool `json:"loopback,omitempty"`
	// Until is when the session ends that a code came from, in microseconds; 0: it came from none.
	// A session that follows from another one does not outlive it.
	Until int64 `json:"until,omitempty"`
}

// NewSignIn makes a SignIn, and asks no issuer yet.
func NewSignIn(o SignInOptions) (*SignIn, error) {
	if o.PublicURL == nil || o.Ledger == nil || o.Store == nil || o.Signer == nil || o.Now == nil || o.Rand == nil {
		return nil, errors.New("sign-in needs the public URL, ledger, store, signer, clock and chance")
	}
	if o.Config == nil {
		o.Config = &token.Config{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := identity.Together(o.Own); err != nil {
		return nil, err
	}
	issuers, err := o.Config.AllIssuers()
	if err != nil {
		return nil, err
	}
	v, err := token.NewVerifier(token.Options{Issuers: issuers, Now: o.Now, Proxy: o.Proxy})
	if err != nil {
		return nil, err
	}
	s := &SignIn{o: o, self: strings.TrimSuffix(o.PublicURL.String(), "/"), verifier: v, known: map[string]knownCredential{}}
	s.roles = roleBook{ledger: o.Ledger, now: o.Now, counts: func(ctx context.Context, key string) (bool, error) {
		if key == o.Signer.KeyID() || o.Trusted == nil {
			return key == o.Signer.KeyID(), nil
		}
		return o.Trusted(ctx, key)
	}}
	return s, nil
}

func forbidden(what, remedy string) error {
	return &verdict.Error{Code: verdict.CodeForbidden, What: what, Remedy: remedy}
}

const signInAgain = "sign in again: verdict login --server URL"

// Authenticate implements Authenticator.
func (s *SignIn) Authenticate(r *http.Request) (identity.Caller, error) {
	secret, err := s.secretOf(r)
	if secret == "" || err != nil {
		return identity.Caller{}, err
	}
	c, err := s.find(r.Context(), secret)
	if err != nil {
		return identity.Caller{}, err
	}
	return s.caller(r.Context(), c)
}

// find gives the credential of a secret that holds now.
func (s *SignIn) find(ctx context.Context, secret string) (store.Credential, error) {
	digest, now := digestOf(secret), s.o.Now()
	s.mu.Lock()
	k, known := s.known[digest]
	s.mu.Unlock()
	if !known || now.Sub(k.at) >= knownFor || now.Before(k.at) {
		found := false
		err := s.o.Store.View(ctx, func(v *store.View) (err error) {
			if k.Credential, found, err = v.Credential(ctx, digest); err != nil || !found {
				return err
			}
			head, _, err := v.Head(ctx)
			k.at, k.latest = now, head.Latest
			return err
		})
		if err != nil {
			return k.Credential, fmt.Errorf("credential: %w", err)
		}
		if !found {
			return k.Credential, forbidden("the token is not known", signInAgain)
		}
		s.remember(digest, k)
	}
	kind := sessionKind
	if strings.HasPrefix(secret, tokenPrefix) {
		kind = tokenKind
	}
	switch {
	case k.Kind != kind:
		return k.Credential, forbidden("the token is not known", signInAgain)
	case k.Revoked != 0 && k.Revoked != k.Expires:
		return k.Credential, forbidden("the token was revoked", signInAgain)
	case k.Revoked == k.Expires || k.over(now):
		s.ended(ctx, digest, k)
		return k.Credential, forbidden("the token expired at "+time.UnixMicro(k.Expires).UTC().Format(time.RFC3339), signInAgain)
	}
	return k.Credential, nil
}

// ended makes it final that a credential expired: where the clock goes back afterwards it stays
// over, here and in other replicas. What was not asked for meanwhile is judged by the clock and the log.
func (s *SignIn) ended(ctx context.Context, digest string, k knownCredential) {
	if k.Revoked != 0 {
		return
	}
	if _, err := s.o.Store.RevokeCredential(ctx, k.ID, k.Expires); err != nil {
		s.o.Logger.Warn("that a session expired was not kept", "session", k.ID, "error", err.Error())
		return // the next one who sends it tries again
	}
	k.Revoked = k.Expires
	s.remember(digest, k)
}

func (s *SignIn) remember(digest string, k knownCredential) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[digest] = k
}

// forget makes what this process changed count at once.
func (s *SignIn) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.known)
}

// caller is who holds a credential, with the roles that he has now.
func (s *SignIn) caller(ctx context.Context, of store.Credential) (identity.Caller, error) {
	h, err := holdingOf(of)
	if err != nil {
		return identity.Caller{}, err
	}
	c := h.Caller
	c.Session = of.ID
	since := s.o.Now().Add(-knownFor)
	if by := h.Came.Key; by != "" { // also where a code or an API token of such a session is what he has
		if counts, err := s.roles.enrolled(ctx, by, since); err != nil || !counts {
			return identity.Caller{}, cmpError(err, forbidden("the key that signed in does not count any more", "sign in with another one: verdict login --server URL"))
		}
	}
	if c.Key != "" && c.Key != h.Came.Key && c.Workload == "" { // he proved it beside a code: it is his while it counts
		counts, err := s.roles.enrolled(ctx, c.Key, since)
		if err != nil {
			return identity.Caller{}, err
		}
		if !counts {
			c.Key = ""
		}
	}
	if c.Account != "" { // the map in force may have given the account to somebody else, or to nobody
		if c.Person, err = s.person(ctx, c.Account); err != nil {
			return identity.Caller{}, err
		}
	}
	if c.Grants, err = s.has(ctx, c, h.Came, since); err != nil {
		return identity.Caller{}, err
	}
	if of.Kind == tokenKind {
		c.SignedIn = false
		c.Grants = identity.Narrowed(h.Narrow, c.Grants)
	}
	return c, nil
}

// has are the roles of somebody: what his sign-in gives and what the ledger does, as it was
// since a time at the earliest.
func (s *SignIn) has(ctx context.Context, c identity.Caller, by came, since time.Time) ([]identity.Grant, error) {
	grants, err := s.gives(c, by)
	if err != nil {
		return nil, err
	}
	roles, err := s.roles.at(ctx, since)
	if err != nil {
		return nil, err
	}
	return append(grants, roles.Of(c.Subjects()...)...), nil
}

func holdingOf(c store.Credential) (h holding, err error) {
	if err := json.Unmarshal([]byte(c.Doc), &h); err != nil {
		return h, fmt.Errorf("credential %s: %w", c.ID, err)
	}
	return h, nil
}

// Bound gives the key that a caller proved to hold when he signed in; nil where he proved
// none, or his session is over.
func (s *SignIn) Bound(ctx context.Context, c identity.Caller) (b *ledger.Bound, err error) {
	err = s.o.Store.View(ctx, func(v *store.View) error {
		x, found, err := v.CredentialByID(ctx, c.Session)
		if err != nil || !found || x.Revoked != 0 {
			return err
		}
		head, _, err := v.Head(ctx)
		if err != nil || (knownCredential{Credential: x, latest: head.Latest}).over(s.o.Now()) {
			return err
		}
		h, err := holdingOf(x)
		b = h.Bound
		return err
	})
	return b, err
}

// issue makes a credential and gives its secret, once.
func (s *SignIn) issue(ctx context.Context, kind, prefix string, h holding, lasts time.Duration, spent *store.Spent) (secret string, c store.Credential, err error) {
	secret, id, err := newSecret(s.o.Rand, prefix)
	if err != nil {
		return "", c, err
	}
	h.Caller.Session, h.Caller.Grants = "", nil
	doc, err := json.Marshal(h)
	if err != nil {
		return "", c, err
	}
	now := s.o.Now()
	latest, err := s.latest(ctx)
	if err != nil {
		return "", c, err
	}
	c = store.Credential{
		ID: id, Digest: digestOf(secret), Kind: kind, Actor: h.Caller.Actor, Doc: string(doc), Made: max(now.UnixMicro(), latest), Expires: now.Add(lasts).UnixMicro(),
	}
	err = s.o.Store.AddCredential(ctx, c, spent)
	if errors.Is(err, store.ErrFence) && spent != nil {
		return "", c, forbidden("the token was exchanged before", "ask its issuer for a new one: each is exchanged once")
	}
	return secret, c, err
}

// latest is when the log's last entry was recorded, in microseconds.
func (s *SignIn) latest(ctx context.Context) (at int64, err error) {
	err = s.o.Store.View(ctx, func(v *store.View) error {
		head, _, err := v.Head(ctx)
		at = head.Latest
		return err
	})
	return at, err
}

func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// actor gives the opaque id of somebody by who vouches for him and what he is called there,
// and keeps what he is called for people.
func (s *SignIn) actor(ctx context.Context, issuer, subject, name, address string) (string, error) {
	random := make([]byte, 10)
	if _, err := io.ReadFull(s.o.Rand, random); err != nil {
		return "", fmt.Errorf("chance: %w", err)
	}
	a, err := s.o.Store.KnownActor(ctx, store.Actor{
		ID: "a" + hex.EncodeToString(random), Source: digestOf(issuer + "\n" + subject), Name: bounded(name), Address: bounded(address), Made: s.o.Now().UnixMicro(),
	})
	return a.ID, err
}

// bounded cuts what somebody else calls a person.
func bounded(s string) string {
	if r := []rune(s); len(r) > 200 {
		return string(r[:200])
	}
	return s
}

// person is the name in the map's people of who has an account as SYSTEM:NAME; empty: of
// nobody there. Spaces around a name are forgiven to who writes a map, and not to an issuer: it
// may give them out as another account.
func (s *SignIn) person(ctx context.Context, account string) (string, error) {
	system, name, ok := strings.Cut(account, ":")
	if !ok || s.o.People == nil || name != strings.TrimSpace(name) {
		return "", nil
	}
	d, err := s.directory(ctx)
	if err != nil || d == nil {
		return "", err
	}
	p, _ := d.Resolve(identity.Account{System: identity.System(system), Name: name})
	return p.ID, nil
}

// directory is the people of the map in force, as they were knownFor ago at the earliest.
func (s *SignIn) directory(ctx context.Context) (*identity.Directory, error) {
	now := s.o.Now()
	s.mu.Lock()
	d, at := s.people, s.peopleAt
	s.mu.Unlock()
	if !at.IsZero() && now.Sub(at) < knownFor && !now.Before(at) {
		return d, nil
	}
	d, err := s.o.People(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people, s.peopleAt = d, now
	return d, nil
}

// Link makes what signs in once, within ten minutes, and from this machine alone: a browser by
// the link that verdict serve prints, or the command line of who has started it.
func (s *SignIn) Link(ctx context.Context, grants []identity.Grant) (string, error) {
	h, err := s.owner(ctx, grants)
	if err != nil {
		return "", err
	}
	h.Loopback = true
	secret, _, err := s.issue(ctx, linkKind, linkPrefix, h, codeFor, nil)
	return secret, err
}

// ownerSession is how long the session of who has started the server lasts. One that an earlier
// start left is taken again while half of that is left, so that a start does not leave one more
// each time, and a command that works with it meanwhile goes on.
const ownerSession = 30 * 24 * time.Hour

// Owner gives a session for who has started the server, which is written where he alone reads it.
// had is what an earlier start left there; empty: nothing.
func (s *SignIn) Owner(ctx context.Context, grants []identity.Grant, had string) (string, error) {
	h, err := s.owner(ctx, grants)
	if err != nil {
		return "", err
	}
	if isSecret(had, sessionPrefix) {
		c, err := s.find(ctx, had)
		if err == nil && time.UnixMicro(c.Expires).Sub(s.o.Now()) >= ownerSession/2 {
			if left, err := holdingOf(c); err == nil && reflect.DeepEqual(left, h) {
				return had, nil
			}
		}
	}
	secret, _, err := s.issue(ctx, sessionKind, sessionPrefix, h, ownerSession, nil)
	return secret, err
}

func (s *SignIn) owner(ctx context.Context, grants []identity.Grant) (h holding, err error) {
	if err := identity.Together(grants); err != nil {
		return h, err
	}
	actor, err := s.actor(ctx, "verdict:server", "owner", "whoever started the server", "")
	return holding{Label: "started the server", Caller: identity.Caller{Actor: actor}, Came: came{Given: grants}}, err
}

// Sweep removes credentials that expired, and tokens that were exchanged and expired too.
func (s *SignIn) Sweep(ctx context.Context) error {
	return s.o.Store.SweepCredentials(ctx, s.o.Now().UnixMicro())
}
