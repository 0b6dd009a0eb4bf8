package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"verdict"
	"verdict/decide"
)

// askGate is a program of the scripts: it asks the point acme.gate about a commit of
// this repository, so that what persons do about a gate can be told from the facts alone.
// It prints the decision's id, and what does not count.
func askGate() {
	a := &app{env: newEnvironment(os.Environ()), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now, rand: rand.Reader}
	a.table = []command{{
		use: "ask REF", short: "Ask a deploy point", args: exactly(1),
		setup: func(f *flags) runner {
			var environment, service, requester string
			f.text(&environment, "env", "NAME", "environment")
			f.text(&service, "service", "NAME", "service")
			f.text(&requester, "requester", "PERSON", "who asks")
			return func(ctx context.Context, a *app, args []string) (err error) {
				w, err := a.open(ctx)
				if err != nil {
					return err
				}
				defer w.end(&err)
				repo, err := repository(ctx, ".")
				if err != nil {
					return err
				}
				j, own, _, err := w.judges(ctx, repo, goal{}, service)
				if err != nil {
					return err
				}
				subject, err := a.subject(ctx, args[0])
				if err != nil {
					return err
				}
				q := decide.Request{Point: "acme.gate", Subject: subject, Service: service, Team: j.Map.Services[service].Team, Environment: environment, Trigger: "gate", Actor: w.actor()}
				if requester != "" {
					q.Requester = &verdict.Requester{Person: requester, Kind: "person", Known: true}
				}
				e, err := w.engine(ctx, j.Map, own)
				if err != nil {
					return err
				}
				d, _, err := e.Decide(ctx, q)
				if err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, d.ID)
				for _, r := range d.Reasons {
					fmt.Fprintln(a.stderr, "reason", r.Rule, r.Standing, strings.Join(r.By, " "), r.Message)
				}
				for _, x := range d.Aside {
					fmt.Fprintln(a.stderr, "aside", x.Kind, x.ID, x.Why)
				}
				return exit(d.Exit())
			}
		},
	}}
	os.Exit(a.main(context.Background(), append([]string{"ask"}, os.Args[1:]...)))
}
