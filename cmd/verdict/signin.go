package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"verdict"
	"verdict/evidence"
	"verdict/outward"
	"verdict/report"
	"verdict/server/client"
)

// signIn finds what a command signs in to the server with. The first of these that there is
// counts: --token, the pipeline's own identity, the enrolled key that it signs with, what
// verdict login kept, and what verdict serve left for its user on this machine.
type signIn struct {
	app    *app
	server *client.Client
	key    evidence.Signer // signs the evidence, and is what a session is bound to

	mu      sync.Mutex // guards what follows
	session string
	told    bool // that the key was refused
}

// signer is the key that signs evidence: in a pipeline that signs in by its own identity one
// of this run alone, unless --as or --signer names one; else that of the workspace.
func (s *signIn) signer(ctx context.Context, w *workspace) (key evidence.Signer, err error) {
	if c := s.app.config; c.As == "" && c.Signer.text == "" && c.Token == "" && pipelineIdentity(s.app.env) != nil {
		key, err = evidence.TemporaryKey()
	} else {
		key, err = w.openSigner(ctx)
	}
	s.key = key
	return key, err
}

// token is a client.Token. A session that the server does not take any more is asked for
// anew, once.
func (s *signIn) token(ctx context.Context, again bool) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session != "" && !again {
		return s.session, nil
	}
	var err error
	s.session, err = s.find(ctx)
	return s.session, err
}

func (s *signIn) find(ctx context.Context) (string, error) {
	a := s.app
	if a.config.Token != "" {
		return a.config.Token.reveal(a.env)
	}
	if p := pipelineIdentity(a.env); p != nil {
		return s.byPipeline(ctx, p)
	}
	token, byKey := s.byKey(ctx)
	if byKey == nil {
		return token, nil
	}
	if code := verdict.AsError(byKey).Code; code == verdict.CodeUnavailable || code == verdict.CodeNotFound { // nothing else would be heard either: it is down, or none of ours
		return "", byKey
	}
	// Who signs in because no key of his is enrolled need not hear each time that it is so.
	tell := token != "" || a.config.As != "" || a.config.Signer.text != ""
	for _, w := range []struct {
		from func() (string, error)
		what string
	}{{s.kept, "what verdict login kept"}, {s.besideServer, "what verdict serve left for you on this machine"}} {
		token, err := w.from()
		if err == nil && token != "" && tell {
			s.instead(w.what, byKey)
		}
		if err != nil || token != "" {
			return token, err
		}
	}
	return "", &verdict.Error{
		Code: verdict.CodeForbidden, What: "nothing here signs in to " + a.config.Server,
		Remedy: "sign in with verdict login --server " + a.config.Server + ", give a token with --token env:NAME or file:PATH, or have your key enrolled there: verdict people enroll",
		Err:    byKey,
	}
}

// instead tells, once, by what a command signs in whose key was refused: it acts with the roles
// of somebody else than who signs its evidence.
func (s *signIn) instead(what string, refused error) {
	if !s.told {
		fmt.Fprintf(s.app.stderr, "verdict: signed in by %s, and not by the key that signs here: %s\n", what, report.Neutral(verdict.AsError(refused).What))
	}
	s.told = true
}

// login is what verdict login keeps of a server.
type login struct {
	Token   string `json:"token"`
	Expires string `json:"expires"` // RFC 3339
}

// loginsFile is where verdict login keeps what it was given, by server. Its folder is outside
// of the data directory, which others may be given to read.
func (a *app) loginsFile() (string, error) {
	state := a.env.stateDir()
	if state == "" {
		return "", &verdict.Error{Code: verdict.CodeUsage, What: "there is no place to keep a login: neither HOME nor XDG_STATE_HOME is set", Remedy: "set XDG_STATE_HOME, or give a token with --token env:NAME or file:PATH"}
	}
	return filepath.Join(state, "verdict", "logins.json"), nil
}

// maxLogins bounds the file.
const maxLogins = 1 << 20

// logins reads what is kept, by server. A file that others may read is refused.
func (a *app) logins() (map[string]login, error) {
	path, err := a.loginsFile()
	if err != nil {
		return nil, err
	}
	content, err := secretFile(path, maxLogins)
	if err != nil || content == nil {
		return map[string]login{}, err
	}
	all := map[string]login{}
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: "what verdict login kept in " + path + " cannot be read", Remedy: "remove the file, and sign in again: verdict login --server URL", Err: err}
	}
	return all, nil
}

// keepLogin keeps a login for a server, or forgets it when it is nil.
func (a *app) keepLogin(server string, l *login) error {
	all, err := a.logins()
	if err != nil {
		return err
	}
	if delete(all, server); l != nil {
		all[server] = *l
	}
	path, err := a.loginsFile()
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = keepSecret(path, content)
	}
	if err != nil {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "the login cannot be kept in " + path, Remedy: "make its folder writable for you", Err: err}
	}
	return nil
}

// secretFile reads a file that nobody else may read; nil: there is none.
func secretFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 && ownerOnlyFiles {
		return nil, &verdict.Error{Code: verdict.CodeForbidden, What: fmt.Sprintf("others may read the token in %s (mode %04o)", path, info.Mode().Perm()), Remedy: "chmod 600 " + path + ", and end the session when somebody may have copied it: verdict logout"}
	}
	if err != nil {
		return nil, err
	}
	return readLimited(path, limit)
}

// kept is what verdict login kept for the server.
func (s *signIn) kept() (string, error) {
	all, err := s.app.logins()
	return all[s.app.config.Server].Token, err
}

// besideServer is what verdict serve left for its own user, on its own machine.
func (s *signIn) besideServer() (string, error) {
	u, err := url.Parse(s.app.config.Server)
	if err != nil || !outward.Loopback(u.Hostname()) || s.app.env.stateDir() == "" {
		return "", nil
	}
	content, err := secretFile(localTokenFile(s.app.env, u.Host), maxSecret)
	token, _, _ := strings.Cut(trimmed(content), "\n")
	return token, err
}

// servedFolder is the data directory of a server on this machine that the same user started:
// it stands below the token. Its keys are this user's, so commands sign with them where
// neither --data nor --as names others. Empty: there is no such server.
func (a *app) servedFolder() string {
	u, err := url.Parse(a.config.Server)
	if err != nil || !outward.Loopback(u.Hostname()) || a.env.stateDir() == "" || a.config.Data != "" || a.config.Token != "" {
		return ""
	}
	content, err := secretFile(localTokenFile(a.env, u.Host), maxSecret)
	_, folder, _ := strings.Cut(trimmed(content), "\n")
	if err != nil || !filepath.IsAbs(folder) {
		return ""
	}
	return folder
}
