package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"verdict"
	"verdict/identity"
	"verdict/identity/token"
)

// The cookies. With TLS they bear the prefix by which a browser takes them from this host
// alone, and by https alone.
const (
	sessionCookie = "verdict"
	loginCookie   = "verdict-login"
	hostPrefix    = "__Host-"
)

// secure reports whether people reach the server by https. Without, it is on loopback.
func (s *SignIn) secure() bool { return s.o.PublicURL.Scheme == "https" }

func (s *SignIn) cookieName(name string) string {
	if s.secure() {
		return hostPrefix + name
	}
	return name
}

func (s *SignIn) setCookie(w http.ResponseWriter, name, value string, lasts time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(name), Value: value, Path: "/", MaxAge: max(int(lasts.Seconds()), -1), HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
	})
}

const forgetCookie = -time.Second

// attempt is a sign-in that is under way: it lies with the browser that began it, so that
// no other one ends it, and nobody fills the store by beginning.
type attempt struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // of PKCE
	With     string `json:"with"`
	Return   string `json:"return"`
	Until    int64  `json:"until"`
}

// localPath is where a browser is led afterwards: a path of this server, whatever was asked.
func localPath(p string) string {
	u, err := url.Parse(p)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n\t") || len(p) > 500 {
		return "/"
	}
	return p
}

func (s *SignIn) pages(srv *Server) {
	page := func(pattern, id string, verb identity.Verb, h func(http.ResponseWriter, *http.Request) error) {
		srv.Handle(pattern, Operation{ID: id, Public: verb == "", Verb: verb, Once: true}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.o.Logger.Info("a sign-in did not succeed", "page", id, "error", err.Error())
				s.tell(w, err)
			}
		}))
	}
	page("GET /login", "page-login", "", s.login)
	page("GET /callback", "page-callback", "", s.callback)
	page("POST /logout", "page-logout", identity.Reading, s.logout)
	page("GET /cli", "page-cli", "", s.cliPage)
	page("POST /cli", "page-cli-code", identity.Reading, s.cliCode)
}

// login leads to the issuer where people sign in, or takes the link of verdict serve.
func (s *SignIn) login(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	back := localPath(q.Get("return"))
	if q.Get("return") == "" {
		back = "/cli"
	}
	if code := q.Get("code"); code != "" {
		a, err := s.byLink(r.Context(), code, r.RemoteAddr)
		if err != nil {
			return err
		}
		return s.enter(w, r, a, back)
	}
	all := s.o.Config.People
	with := q.Get("with")
	if with == "" && len(all) == 1 {
		with = all[0].Name
	}
	for _, p := range all {
		if p.Name == with {
			return s.begin(w, r, p, back)
		}
	}
	if len(all) == 0 {
		return &verdict.Error{Code: verdict.CodeNotFound, What: "no issuer is named where people sign in", Remedy: "name one under people: in the file of --sign-in; whoever started the server has a link in its output"}
	}
	return s.show(w, "Sign in", "choices", struct {
		People []token.People
		Return string
	}{all, back})
}

func (s *SignIn) begin(w http.ResponseWriter, r *http.Request, p token.People, back string) error {
	d, err := s.verifier.Discover(r.Context(), p.Issuer)
	if err != nil {
		return err
	}
	random := make([]byte, 3*32)
	if _, err := io.ReadFull(s.o.Rand, random); err != nil {
		return err
	}
	text := func(i int) string { return base64.RawURLEncoding.EncodeToString(random[i*32 : (i+1)*32]) }
	a := attempt{State: text(0), Nonce: text(1), Verifier: text(2), With: p.Name, Return: back, Until: s.o.Now().Add(codeFor).Unix()}
	kept, err := json.Marshal(a)
	if err != nil {
		return err
	}
	u, err := url.Parse(d.Authorization)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "the issuer " + p.Issuer + " names no address where people sign in", Remedy: "see authorization_endpoint of its discovery document"}
	}
	challenge := sha256.Sum256([]byte(a.Verifier))
	q := u.Query()
	for name, v := range map[string]string{
		"response_type": "code", "client_id": p.ClientID, "redirect_uri": s.self + "/callback", "scope": strings.Join(append([]string{"openid", "profile"}, p.Scopes...), " "),
		"state": a.State, "nonce": a.Nonce, "code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	} {
		q.Set(name, v)
	}
	u.RawQuery = q.Encode()
	s.setCookie(w, loginCookie, base64.RawURLEncoding.EncodeToString(kept), codeFor)
	http.Redirect(w, r, u.String(), http.StatusSeeOther)
	return nil
}

// callback is where the issuer leads back to.
func (s *SignIn) callback(w http.ResponseWriter, r *http.Request) error {
	a, err := s.attempted(r)
	if err != nil {
		return err
	}
	s.setCookie(w, loginCookie, "", forgetCookie)
	q := r.URL.Query()
	if said := q.Get("error"); said != "" {
		return forbidden(fmt.Sprintf("the issuer signs you in to nothing: %.60q", said), "ask who runs the issuer whether you may use this application")
	}
	for _, p := range s.o.Config.People {
		if p.Name != a.With {
			continue
		}
		t, err := s.redeem(r.Context(), p, q.Get("code"), a)
		if err != nil {
			return err
		}
		in, err := s.personOf(r.Context(), p, t)
		if err != nil {
			return err
		}
		return s.enter(w, r, in, a.Return)
	}
	return forbidden("the issuer is not in the sign-in file any more", "begin again: /login")
}

// attempted finds the sign-in that this browser began, which is the one that comes back.
func (s *SignIn) attempted(r *http.Request) (a attempt, err error) {
	stranger := forbidden("this browser did not begin the sign-in that it ends, or did so too long ago", "begin again: /login")
	c, err := r.Cookie(s.cookieName(loginCookie))
	if err != nil || len(c.Value) > 4096 {
		return a, stranger
	}
	kept, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(kept, &a) != nil {
		return a, stranger
	}
	state := r.URL.Query().Get("state")
	if a.State == "" || subtle.ConstantTimeCompare([]byte(a.State), []byte(state)) != 1 || s.o.Now().Unix() >= a.Until {
		return a, stranger
	}
	return a, nil
}

// redeem gets the token that a code of the issuer stands for.
func (s *SignIn) redeem(ctx context.Context, p token.People, code string, a attempt) (*token.Claims, error) {
	away := func(err error) error {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "the issuer " + p.Issuer + " gives no token for its code", Err: err, Remedy: "begin again: /login; if that does not help, compare client_id, client_secret and the redirect address " + s.self + "/callback with what is registered there"}
	}
	d, err := s.verifier.Discover(ctx, p.Issuer)
	if err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.self + "/callback"}, "client_id": {p.ClientID}, "code_verifier": {a.Verifier}}
	r, err := s.verifier.Request(ctx, p.Issuer, d.Token, form)
	if err != nil {
		return nil, away(err)
	}
	if p.Secret != "" {
		if s.o.Secret == nil {
			return nil, away(fmt.Errorf("nobody reads %s", p.Secret))
		}
		secret, err := s.o.Secret(p.Secret)
		if err != nil {
			return nil, away(err)
		}
		r.SetBasicAuth(url.QueryEscape(p.ClientID), url.QueryEscape(secret))
	}
	res, err := s.verifier.Client(p.Issuer).Do(r)
	if err != nil {
		return nil, away(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 256<<10))
	if err != nil {
		return nil, away(err)
	}
	var said struct {
		ID    string `json:"id_token"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(b, &said); err != nil || res.StatusCode != http.StatusOK || said.ID == "" {
		return nil, away(fmt.Errorf("it answers %s %.60q", res.Status, said.Error))
	}
	t, err := s.verifier.Verify(ctx, said.ID, p.ClientID)
	if err != nil {
		return nil, err
	}
	if azp := t.Text("azp"); subtle.ConstantTimeCompare([]byte(t.Text("nonce")), []byte(a.Nonce)) != 1 || azp != "" && azp != p.ClientID {
		return nil, forbidden("the token is of another sign-in than this browser began", "begin again: /login")
	}
	return t, nil
}

// personOf is who a token of an issuer of people names. Names and addresses go to the
// directory alone, from which they can be erased; nothing is known by them.
func (s *SignIn) personOf(ctx context.Context, p token.People, t *token.Claims) (a proven, err error) {
	id := t.Text(p.Claim)
	if id == "" || t.Subject == "" {
		return a, forbidden(fmt.Sprintf("the token does not say %s", p.Claim), "have the issuer write the claim, or name another one under people: in the sign-in file")
	}
	c := identity.Caller{SignedIn: true, Account: identity.Account{System: identity.System(p.System), Name: id}.String()}
	by := came{People: p.Name, Issuer: p.Issuer, Claim: p.Claim, Groups: t.List("groups"), At: s.o.Now().UnixMicro()}
	if len(p.Groups) > 0 && t.Has("_claim_names") {
		s.o.Logger.Warn("a token leaves its groups out, because there are too many: nobody gets roles by them", "issuer", p.Issuer, "remedy", "have the application's token list only groups that are assigned to it")
	}
	name, address := t.Text("name"), t.Text("email")
	if address == "" {
		address = t.Text("preferred_username")
	}
	if c.Actor, err = s.actor(ctx, t.Issuer, id, name, address); err != nil {
		return a, err
	}
	if c.Person, err = s.person(ctx, c.Account); err != nil {
		return a, err
	}
	a = proven{holding: holding{Caller: c, Came: by, Label: p.Name}, lasts: personSession}
	if len(s.grouped(&p, by)) > 0 {
		a.lasts = groupsFor
	}
	return a, nil
}

// enter gives the browser a session of its own. One that it had is over: whoever planted it
// there does not share the new one.
func (s *SignIn) enter(w http.ResponseWriter, r *http.Request, a proven, back string) error {
	if c, err := r.Cookie(s.cookieName(sessionCookie)); err == nil {
		if old, err := s.find(r.Context(), c.Value); err == nil {
			if err := s.revoke(r.Context(), old.ID); err != nil {
				return err
			}
		}
	}
	x, err := s.session(r.Context(), a)
	if err != nil {
		return err
	}
	s.setCookie(w, sessionCookie, x.Token, a.lasts)
	http.Redirect(w, r, localPath(back), http.StatusSeeOther)
	return nil
}

func (s *SignIn) logout(w http.ResponseWriter, r *http.Request) error {
	if err := s.leave(r.Context(), CallerOf(r.Context())); err != nil {
		return err
	}
	s.setCookie(w, sessionCookie, "", forgetCookie)
	return s.show(w, "Signed out", "text", "You are signed out here, and your session is over everywhere.")
}

// cliPage asks whether the command line is to be signed in, for who came by a link.
func (s *SignIn) cliPage(w http.ResponseWriter, r *http.Request) error {
	if CallerOf(r.Context()).Actor == "" {
		http.Redirect(w, r, "/login?return=/cli", http.StatusSeeOther)
		return nil
	}
	return s.show(w, "Sign in the command line", "cli", nil)
}

func (s *SignIn) cliCode(w http.ResponseWriter, r *http.Request) error {
	code, err := s.codeFor(r.Context(), CallerOf(r.Context()))
	if err != nil {
		return err
	}
	return s.show(w, "Sign in the command line", "code", struct{ Code, Server string }{code, s.self})
}

// codeFor makes a code that works once, for who has a session of a browser: what it gives is
// no more than he has.
func (s *SignIn) codeFor(ctx context.Context, c identity.Caller) (string, error) {
	old, found, err := s.credential(ctx, c.Session)
	if err != nil {
		return "", err
	}
	if !found || old.Kind != sessionKind {
		return "", forbidden("an API token gives no codes", "sign in: "+s.self+"/login")
	}
	h, err := holdingOf(old)
	if err != nil {
		return "", err
	}
	h.Bound, h.Caller.Key, h.Until = nil, "", old.Expires
	secret, _, err := s.issue(ctx, codeKind, codePrefix, h, codeFor, nil)
	return secret, err
}
