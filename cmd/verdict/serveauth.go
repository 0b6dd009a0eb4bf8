package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/deploy"
	"verdict/identity"
	"verdict/identity/token"
	"verdict/outward"
	"verdict/server"
)

// The roles of who starts a server on a loopback address: with the key in its data directory
// he states evidence and asks points, as commands without a server do; with the link that
// works once he administers. Nobody has both at once.
var (
	ownerWorks    = []identity.Grant{{Role: identity.Developer, Scope: identity.Anywhere()}}
	ownerManages  = []identity.Grant{{Role: identity.Admin, Scope: identity.Anywhere()}}
	maxSignInFile = int64(1 << 20)
)

// signIn makes what knows who may come in. file is that of --sign-in; empty: no issuer's
// tokens are believed.
func (h *host) signIn(file string, public *url.URL) (*server.SignIn, error) {
	o := server.SignInOptions{
		PublicURL: public, Ledger: h.base.own, Store: h.base.store, Signer: h.base.signer, Now: h.app.now, Rand: h.app.rand, Logger: h.app.log,
		Proxy: http.ProxyFromEnvironment, People: h.people, Trusted: h.appoints,
		Secret: func(ref string) (string, error) { return secret(ref).reveal(h.app.env) },
	}
	if outward.Loopback(public.Hostname()) {
		o.Own = ownerWorks
	}
	if file != "" {
		text, err := readLimited(file, maxSignInFile)
		if err != nil {
			return nil, &verdict.Error{Code: verdict.CodeUsage, What: "the sign-in file " + file + " cannot be read", Remedy: "make it a readable file of at most 1 MiB, or leave --sign-in out", Err: err}
		}
		if o.Config, err = token.ReadConfig(file, text); err != nil {
			return nil, err
		}
		o.ConfigDigest = sha256Digest(text)
	}
	return server.NewSignIn(o)
}

// people joins accounts to the people of the map in force.
func (h *host) people(ctx context.Context) (*identity.Directory, error) {
	m, err := h.mapInForce(ctx)
	if err != nil {
		return nil, err
	}
	return deploy.Directory(m)
}

// appoints reports whether changes of roles count that another key signed than this server's:
// the map in force trusts it with them, by its id. That is how they outlive a change of keys.
func (h *host) appoints(ctx context.Context, key string) (bool, error) {
	m, err := h.mapInForce(ctx)
	if err != nil {
		return false, err
	}
	return m.Trusts(decisionmap.Signer{Key: key}, string(verdict.KindRoleChange), decisionmap.All, ""), nil
}

// localTokenFile is where a server on this machine leaves what its user signs in with: a
// token, and below it the data directory, whose keys are this user's too.
func localTokenFile(env environment, host string) string {
	state := env.stateDir()
	if state == "" {
		return ""
	}
	return filepath.Join(state, "verdict", "servers", strings.ReplaceAll(host, ":", "_")+".token")
}

// leaveToken lets commands of the same user in without a login, on a loopback address.
// Whoever reads the file could use the data directory as well.
func (h *host) leaveToken(ctx context.Context, s *server.SignIn, public *url.URL) error {
	path := localTokenFile(h.app.env, public.Host)
	if path == "" || !outward.Loopback(public.Hostname()) {
		return nil
	}
	var had string
	if left, err := readLimited(path, 64<<10); err == nil {
		had, _, _ = strings.Cut(string(left), "\n")
	}
	secret, err := s.Owner(ctx, ownerWorks, had)
	if err != nil {
		return err
	}
	folder, err := filepath.Abs(h.base.dir)
	if err != nil {
		return err
	}
	if err := keepSecret(path, []byte(secret+"\n"+folder+"\n")); err != nil {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "the token of this server cannot be written to " + path, Remedy: "make the folder writable for this user, or set XDG_STATE_HOME", Err: err}
	}
	return nil
}

// adminLink signs an administrator in once, from this machine; empty where the server is not
// for this machine alone.
func (h *host) adminLink(ctx context.Context, s *server.SignIn, public *url.URL) (string, error) {
	if !outward.Loopback(public.Hostname()) {
		return "", nil
	}
	code, err := s.Link(ctx, ownerManages)
	return fmt.Sprintf("%s/login?code=%s", public, code), err
}

// owns reports whether a caller signed in with the server's own key: he is who started it on
// this machine.
func (h *host) owns(c identity.Caller) bool { return c.Key != "" && c.Key == h.base.signer.KeyID() }

// requester says who asks for a deployment: the person or account that the caller's credential
// names, or whose key he holds. A machine whose token names nobody may say for whom it asks,
// and who started the server on his machine as he may without one.
func (h *host) requester(ctx context.Context, m *decisionmap.Map, c identity.Caller, hint string) (*verdict.Requester, error) {
	keys, err := h.base.own.Keys(ctx)
	if err != nil {
		return nil, err
	}
	now, err := h.base.own.Position(ctx)
	if err != nil {
		return nil, err
	}
	a := deploy.Asking{Named: c.Person, Key: c.Key, KeyName: namesOf(keys)(c.Key, now), Workload: c.Workload, Issuer: c.Issuer}
	if a.Named == "" {
		a.Named = c.Account
	}
	switch {
	case a.Named != "":
	case c.Workload != "":
		a.Claimed = hint
	case h.owns(c):
		a.Named = hint
	}
	return deploy.Requester(m, a)
}
