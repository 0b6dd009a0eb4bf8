package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"verdict"
	"verdict/report"
	"verdict/server/wire"
)

const seeLogin = "verdict login --help"

func loginCommand() command {
	return command{
		use: "login", short: "Sign in to a control plane, for the commands that follow",
		long: "Prints a link. Whoever opens it signs in with the browser, and is given a code that works once, to paste here. " +
			"With --once the code is given: that of the link which verdict serve printed, or one from the page.\n\n" +
			"The session is bound to the key that this machine signs with, or to the one of --as, and is kept in the state directory for this user alone. It is used by every command with --server; --token and a pipeline's own identity come before it.",
		example: "verdict login --server https://verdict.acme.example\nverdict login --server http://127.0.0.1:8080 --once env:CODE",
		args:    exactly(0), formats: textOrJSON,
		setup: func(f *flags) runner {
			var once secret
			f.secret(&once, "once", "reference (file:PATH or env:NAME) to a code that works once")
			return func(ctx context.Context, a *app, _ []string) error { return a.login(ctx, once) }
		},
	}
}

func logoutCommand() command {
	return command{
		use: "logout", short: "End the session that verdict login began",
		long:    "The control plane ends the session, and what was kept of it here is removed. It is removed also when the control plane does not answer; that is told, and the session then ends by itself.",
		example: "verdict logout --server https://verdict.acme.example",
		args:    exactly(0), formats: textOrJSON,
		setup: runs(func(ctx context.Context, a *app, _ []string) error { return a.logout(ctx) }),
	}
}

// loggedIn is the document verdict.login/v1.
type loggedIn struct {
	Schema  string `json:"schema"`
	Server  string `json:"server"`
	Expires string `json:"expires"` // RFC 3339; empty: the session ended
	Key     string `json:"key"`     // that the session is bound to
}

// needsServer refuses a command that is about a server when none is named.
func (a *app) needsServer(see string) error {
	if a.config.Server == "" {
		return usage(see, "nothing says which control plane", "name it with --server URL or VERDICT_SERVER")
	}
	return nil
}

func (a *app) login(ctx context.Context, once secret) error {
	if err := a.needsServer(seeLogin); err != nil {
		return err
	}
	if a.config.Token != "" {
		return usage(seeLogin, "--token signs in by itself, and a login would not be used", "leave --token and VERDICT_TOKEN out")
	}
	s, err := a.signingIn(ctx)
	if err != nil {
		return err
	}
	var code string
	if once != "" {
		code, err = once.reveal(a.env)
	} else {
		code, err = a.codeOfBrowser()
	}
	if err != nil {
		return err
	}
	l, err := s.byCode(ctx, code)
	if err != nil {
		return err
	}
	if err := a.keepLogin(a.config.Server, &l); err != nil {
		return err
	}
	doc := loggedIn{"verdict.login/v1", a.config.Server, l.Expires, s.key.KeyID()}
	return a.emit(doc, func(report.Style) string { return "Signed in to " + doc.Server + " until " + doc.Expires + ".\n" })
}

// signingIn is a sign-in with the key that this machine signs with.
func (a *app) signingIn(ctx context.Context) (*signIn, error) {
	folder, err := a.dataDir()
	if err != nil {
		return nil, err
	}
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	s := &signIn{app: a, server: c}
	s.key, err = a.workspaceIn(folder).openSigner(ctx)
	return s, err
}

func (a *app) logout(ctx context.Context) error {
	if err := a.needsServer("verdict logout --help"); err != nil {
		return err
	}
	all, err := a.logins()
	if err != nil {
		return err
	}
	kept, there := all[a.config.Server]
	if !there {
		return &verdict.Error{Code: verdict.CodeNotFound, What: "nobody is signed in to " + a.config.Server + " here", Remedy: "compare the address with the one that verdict login was given"}
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	c.Authorize(func(context.Context, bool) (string, error) { return kept.Token, nil })
	ended := c.SignOut(ctx)
	if err := a.keepLogin(a.config.Server, nil); err != nil {
		return errors.Join(err, ended)
	}
	var e *verdict.Error
	if errors.As(ended, &e) && e.Code != verdict.CodeForbidden { // it was over already
		return &verdict.Error{Code: e.Code, What: "what was kept of the session is removed here, and the control plane was not told: " + e.What, Remedy: "the session ends by itself at " + kept.Expires + "; an admin ends it now with verdict sessions revoke", Err: e.Err}
	}
	doc := loggedIn{Schema: "verdict.login/v1", Server: a.config.Server}
	return a.emit(doc, func(report.Style) string { return "Signed out of " + doc.Server + ".\n" })
}

// maxCode bounds a code that works once.
const maxCode = 200

// codeOfBrowser prints the link for a person and reads the code that the page there gives.
func (a *app) codeOfBrowser() (string, error) {
	fmt.Fprintf(a.stderr, "Open this link, sign in, and paste the code that it gives:\n\n  %s%s\n\ncode: ", a.config.Server, wire.PathCLI)
	line, err := bufio.NewReader(io.LimitReader(a.stdin, maxCode+2)).ReadString('\n')
	code := strings.TrimSpace(line)
	if code == "" || len(code) > maxCode || strings.ContainsAny(code, " \t") {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return "", &verdict.Error{Code: verdict.CodeUsage, What: "no code was given", Remedy: "run verdict login where somebody can paste it, or give it with --once env:NAME or file:PATH", Err: err}
	}
	return code, nil
}
