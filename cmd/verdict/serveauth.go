package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"verdict"
	"verdict/identity"
	"verdict/server"
)

// localIssuer is the issuer of the token that a server on a loopback address leaves for the
// user who started it. No issuer of tokens has that name: theirs are URLs.
const localIssuer = "local"

// authenticator tells who asks: on a loopback address also the user who started the server.
func (h *host) authenticator(_ context.Context, public *url.URL) (server.Authenticator, error) {
	local, err := h.localToken(public)
	if err != nil {
		return nil, err
	}
	return &localAuth{digest: local}, nil
}

// localAuth knows the bearer of the token that lies in the state directory of the user who
// started the server: whoever reads that file could use the data directory as well.
type localAuth struct {
	digest [sha256.Size]byte // of the token; of nothing that anybody can send where there is none
}

func (l *localAuth) Authenticate(r *http.Request) (identity.Caller, error) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		return identity.Caller{}, nil
	}
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], l.digest[:]) == 1 {
		return identity.Caller{
			Actor: localIssuer, Workload: localIssuer, Issuer: localIssuer, Session: localIssuer,
			Grants: []identity.Grant{{Role: identity.Developer, Scope: identity.Anywhere()}},
		}, nil
	}
	return identity.Caller{}, &verdict.Error{Code: verdict.CodeForbidden, What: "the token is not one of this server, or has ended", Remedy: "sign in again: verdict login --server URL"}
}

// localTokenFile is where the token of a server on this machine lies for its user.
func localTokenFile(env environment, host string) string {
	state := env.stateDir()
	if state == "" {
		return ""
	}
	return filepath.Join(state, "verdict", "servers", strings.ReplaceAll(host, ":", "_")+".token")
}

// localToken makes a new token at each start and gives its digest.
func (h *host) localToken(public *url.URL) (digest [sha256.Size]byte, err error) {
	path := localTokenFile(h.app.env, public.Host)
	if path == "" || !loopbackHost(public.Hostname()) {
		_, err = rand.Read(digest[:])
		return digest, err
	}
	var secret [32]byte
	if _, err := h.app.rand.Read(secret[:]); err != nil {
		return digest, err
	}
	token := "vdl_" + hex.EncodeToString(secret[:])
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
		err = writeSecret(path, token)
	}
	if err != nil {
		return digest, &verdict.Error{Code: verdict.CodeUnavailable, What: fmt.Sprintf("the token of this server cannot be written to %s", path), Remedy: "make the folder writable for this user, or set XDG_STATE_HOME", Err: err}
	}
	return sha256.Sum256([]byte(token)), nil
}

// writeSecret replaces a file whole, readable for its owner alone.
func writeSecret(path, content string) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
