package main

import (
	"context"
	"runtime"

	"verdict"
	"verdict/identity/token"
)

// ownerOnlyFiles: the mode of a file says who may read it.
const ownerOnlyFiles = runtime.GOOS != "windows"

// byPipeline exchanges the pipeline's own token for a session that is bound to the key of
// this run. The server's address is what the token is for, so that no other takes it.
func (s *signIn) byPipeline(ctx context.Context, issue issuing) (string, error) {
	a := s.app
	raw, err := issue(ctx, a.config.Server)
	if err != nil {
		return "", err
	}
	proof, err := token.Prove(ctx, s.key, a.config.Server, raw, a.now(), a.rand)
	if err != nil {
		return "", err
	}
	session, err := s.server.Exchange(ctx, token.Exchange{Token: raw, Proof: proof})
	return session.Token, err
}

// byKey signs in with the key that evidence is signed with, where it is enrolled. There is a
// session beside the error where it has no role.
func (s *signIn) byKey(ctx context.Context) (string, error) {
	a := s.app
	said, err := token.Assert(ctx, s.key, s.key.KeyID(), a.config.Server, a.now(), a.rand)
	if err != nil {
		return "", err
	}
	session, err := s.server.Exchange(ctx, token.Exchange{Assertion: said})
	if err == nil && len(session.Caller.Grants) == 0 { // what else signs in may have a role
		err = &verdict.Error{
			Code: verdict.CodeForbidden, What: "the key that signs here is enrolled on " + a.config.Server + " and has no role there", Remedy: "have an admin give it one: verdict roles grant " + session.Caller.Actor + " ROLE --service '*' --reason TEXT",
		}
	}
	return session.Token, err
}

// byCode exchanges a code that works once, and binds the session to the key that evidence is
// signed with.
func (s *signIn) byCode(ctx context.Context, code string) (login, error) {
	a := s.app
	proof, err := token.Prove(ctx, s.key, a.config.Server, code, a.now(), a.rand)
	if err != nil {
		return login{}, err
	}
	session, err := s.server.Exchange(ctx, token.Exchange{Code: code, Proof: proof})
	if err != nil {
		return login{}, err
	}
	return login{Token: session.Token, Expires: session.Expires.UTC().Format("2006-01-02T15:04:05Z")}, nil
}
