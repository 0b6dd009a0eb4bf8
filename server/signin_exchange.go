package server

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/identity/token"
	"verdict/ledger"
	"verdict/store"
)

// Session is what somebody is given for what he signed in with.
type Session struct {
	Token   string          `json:"token" doc:"to send as Authorization: Bearer"`
	Expires time.Time       `json:"expires"`
	Caller  identity.Caller `json:"caller" doc:"who that is, with the roles of this moment"`
}

type exchangeIn struct {
	Body token.Exchange
	from string
}

// Resolve notes where the request comes from.
func (x *exchangeIn) Resolve(ctx huma.Context) []error {
	x.from = ctx.RemoteAddr()
	return nil
}

func (s *SignIn) exchangeRoute(srv *Server) {
	type out struct{ Body Session }
	Route(srv, Operation{
		Method: http.MethodPost, Path: "/token", ID: "exchange-token", Summary: "Sign in with a token, a key or a code", Tag: tagAccess, Public: true, Once: true, Body: 64 << 10,
		About: "One of `token` (of an issuer of the sign-in file, for this server alone), `assertion` (a JSON Web Token that an enrolled key signed: `iss` is `" + token.Key + "`, `sub` and `kid` the id of the key, `aud` the public URL of this server, at most five minutes, with a `jti`) " +
			"and `code` (that works once). `proof` binds the session to a key: a JSON Web Token with the public key as `jwk` in its header and the sha256 of what it goes with as `ath`. What was exchanged is not exchanged again; tokens of Kubernetes, SPIFFE and GitLab, which lie in a file or variable, are.",
	}, func(ctx context.Context, _ identity.Caller, in *exchangeIn) (*out, error) {
		x, err := s.Exchange(ctx, in.Body, in.from)
		return &out{x}, err
	})
}

// Exchange gives a session for what somebody has; from is the address that he sends it from.
func (s *SignIn) Exchange(ctx context.Context, x token.Exchange, from string) (Session, error) {
	n, way, credential := 0, s.byToken, ""
	for _, w := range []struct {
		sent string
		way  func(context.Context, string, string) (proven, error)
	}{{x.Token, s.byToken}, {x.Assertion, s.byAssertion}, {x.Code, s.byCode}} {
		if w.sent != "" {
			n, way, credential = n+1, w.way, w.sent
		}
	}
	if n != 1 {
		return Session{}, &verdict.Error{Code: verdict.CodeUsage, What: fmt.Sprintf("%d of token, assertion and code were sent", n), Remedy: "send one of them"}
	}
	var key *ecdsa.PublicKey
	if x.Proof != "" { // before the code is used up
		var err error
		if key, _, err = token.Proved(x.Proof, s.self, credential, s.o.Now()); err != nil {
			return Session{}, err
		}
	}
	a, err := way(ctx, credential, from)
	if err != nil {
		return Session{}, err
	}
	if key != nil && x.Assertion == "" { // who signed in with a key has that one
		a.Caller.Key = evidence.KeyID(key)
		a.Bound = &ledger.Bound{Key: evidence.PublicPEM(key), Token: verdict.NewDigest("sha256", digestOf(credential))}
	}
	return s.session(ctx, a)
}

// proven is somebody who proved who he is, and has no session yet.
type proven struct {
	holding
	lasts time.Duration
	spent *store.Spent
}

func (s *SignIn) session(ctx context.Context, a proven) (Session, error) {
	secret, c, err := s.issue(ctx, sessionKind, sessionPrefix, a.holding, a.lasts, a.spent)
	if err != nil {
		return Session{}, err
	}
	caller, err := s.caller(ctx, c)
	if err != nil {
		return Session{}, err
	}
	s.o.Logger.Info("signed in", "actor", caller.Actor, "by", a.Label, "session", c.ID)
	return Session{Token: secret, Expires: time.UnixMicro(c.Expires).UTC(), Caller: caller}, nil
}

// byToken signs in a workload with a token of its issuer.
func (s *SignIn) byToken(ctx context.Context, raw, _ string) (a proven, err error) {
	t, err := s.verifier.Verify(ctx, raw, append([]string{s.self}, s.o.Config.Audiences()...)...)
	if err != nil {
		return a, err
	}
	rule, workload, account, err := s.o.Config.Workload(t, s.self)
	if err != nil {
		return a, err
	}
	c := identity.Caller{Workload: workload, Issuer: t.Issuer, Account: account}
	if c.Actor, err = s.actor(ctx, t.Issuer, workload, workload, ""); err != nil {
		return a, err
	}
	if c.Person, err = s.person(ctx, account); err != nil {
		return a, err
	}
	seen := rule.Seen(t)
	a = proven{holding: holding{Caller: c, Came: came{Seen: &seen}, Label: "rule " + rule.Name}, lasts: machineSession}
	if !rule.Reused() {
		a.spent = &store.Spent{Issuer: t.Issuer, ID: t.ID, Expires: t.Expires.Add(2 * token.Skew).UnixMicro()}
	}
	return a, nil
}

// byAssertion signs in who holds an enrolled key.
func (s *SignIn) byAssertion(ctx context.Context, raw, _ string) (a proven, err error) {
	keys, err := s.o.Ledger.Keys(ctx)
	if err != nil {
		return a, err
	}
	position, err := s.o.Ledger.Position(ctx)
	if err != nil {
		return a, err
	}
	name := ""
	t, err := token.Asserted(raw, s.self, s.o.Now(), func(id string) *ecdsa.PublicKey {
		k, counts := keys.ValidAt(id, int64(position))
		if !counts || k.Doubted(int64(position)) {
			return nil
		}
		name = k.Person
		public, err := evidence.ParsePublicPEM([]byte(k.PublicPEM))
		if err != nil {
			return nil
		}
		return public
	})
	if err != nil {
		return a, err
	}
	// The name that a key bears is the word of who enrolled it, and gives no roles.
	c := identity.Caller{Key: t.Subject}
	if c.Actor, err = s.actor(ctx, token.Key, t.Subject, name, ""); err != nil {
		return a, err
	}
	return proven{
		holding: holding{Caller: c, Came: came{Key: t.Subject}, Label: "key " + t.Subject[:min(len(t.Subject), 12)]}, lasts: machineSession, spent: &store.Spent{Issuer: token.Key, ID: t.ID, Expires: t.Expires.Add(2 * token.Skew).UnixMicro()},
	}, nil
}

// byCode signs in the command line of who has a code that works once, or the link of
// verdict serve.
func (s *SignIn) byCode(ctx context.Context, code, from string) (proven, error) {
	if isSecret(code, codePrefix) {
		return s.byOnce(ctx, code, codeKind, from)
	}
	return s.byLink(ctx, code, from)
}

// byLink signs in who has the link of verdict serve, and takes no code of a browser: with one of
// his own somebody could sign another one's browser in as himself.
func (s *SignIn) byLink(ctx context.Context, code, from string) (proven, error) {
	return s.byOnce(ctx, code, linkKind, from)
}

func (s *SignIn) byOnce(ctx context.Context, code, kind, from string) (a proven, err error) {
	var c store.Credential
	found := isSecret(code, codePrefix, linkPrefix)
	if found { // what nobody gave out costs no look
		c, found, err = s.o.Store.TakeCredential(ctx, digestOf(code), kind, s.o.Now().UnixMicro())
	}
	var latest int64
	if err == nil && found {
		latest, err = s.latest(ctx)
	}
	if err != nil {
		return a, err
	}
	if !found || (knownCredential{Credential: c, latest: latest}).over(s.o.Now()) {
		return a, forbidden("the code is not known: it works once, and for ten minutes", "get a new one: start verdict serve again, or open "+s.self+"/cli")
	}
	h, err := holdingOf(c)
	if err != nil {
		return a, err
	}
	if h.Loopback && !local(from) {
		return a, forbidden("the code is for the machine that the server runs on", "open the link there, or sign in another way")
	}
	a = proven{holding: h, lasts: personSession}
	if h.Until > 0 {
		a.lasts = min(a.lasts, time.UnixMicro(h.Until).Sub(s.o.Now()))
	}
	return a, nil
}

// local reports whether an address is of this machine.
func local(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
