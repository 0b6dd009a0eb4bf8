package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/report"
)

// complete fills in what decisions say of the artifact, and refuses what contradicts the
// decision that is named.
func (x *stating) complete(ctx context.Context, w *workspace, m *decisionmap.Map) error {
	if x.kind == verdict.KindOutcome {
		if err := x.ofLast(ctx, w); err != nil {
			return err
		}
	}
	if x.said.Decision != "" {
		if err := x.named(ctx, w); err != nil {
			return err
		}
	}
	rows, err := w.ledger.Decisions(ctx, ledger.DecisionQuery{Subject: x.said.Digest, At: ledger.Now})
	if err != nil {
		return err
	}
	var services, names []string
	for _, r := range rows {
		if r.Service != "" && !slices.Contains(services, r.Service) {
			services = append(services, r.Service)
		}
		if r.Name != "" && !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	if x.said.Service == "" && len(services) == 1 {
		x.said.Service = services[0]
	}
	if x.said.Name == "" && len(names) == 1 {
		x.said.Name = names[0]
	}
	switch {
	case x.said.Service == "":
		return usage(seeAttest, "nothing says as which service it runs", "add --service NAME: "+listedOr(slices.Sorted(maps.Keys(m.Services)), "declare it under services: of the map"))
	case x.said.Name == "":
		return usage(seeAttest, "the digest alone does not say which artifact it is", "give it with its name: NAME@"+string(x.said.Digest))
	}
	return x.knownService(m, "the map")
}

// ofLast makes an outcome that names no decision that of the last deployment of the
// artifact there.
func (x *stating) ofLast(ctx context.Context, w *workspace) error {
	all, err := w.deploymentsOf(ctx, x.said.Digest, ledger.Now)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.What.Environment == x.said.Environment && (x.said.Service == "" || d.What.Service == x.said.Service) {
			x.said.Service, x.said.Name = d.What.Service, first(x.said.Name, d.What.Name)
			x.said.Decision, x.since = first(x.said.Decision, d.What.Decision), d.What.At
			return nil
		}
	}
	return nil
}

// named finds the decision that is named by its whole id, and takes over what it says. One
// that the log does not have stays as it was typed: that nothing let the artifact in is
// for the statement to show, and not to be hidden.
func (x *stating) named(ctx context.Context, w *workspace) error {
	_, d, err := w.ledger.Decision(ctx, x.said.Decision, ledger.Now)
	var e *verdict.Error
	if errors.As(err, &e) && e.Code == verdict.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	x.said.Decision = d.ID
	contradicts := func(what string) error {
		return &verdict.Error{Code: verdict.CodeInvalid, What: what, Remedy: "name the decision that let this artifact into this environment, or leave --decision out; verdict why " + d.ID + " shows this one"}
	}
	if d.Point == gatePoint {
		switch {
		case d.Subject.Digest != x.said.Digest && !slices.Contains(d.Subject.Also, x.said.Digest):
			return contradicts(fmt.Sprintf("the decision %s is about %s, and this is %s", d.ID, d.Subject.Digest.Short(), x.said.Digest.Short()))
		case d.Environment != x.said.Environment:
			return contradicts(fmt.Sprintf("the decision %s is about the environment %s, and this is %s", d.ID, d.Environment, x.said.Environment))
		case x.said.At.Before(d.At.Add(-aheadOfUs)):
			return contradicts(fmt.Sprintf("the decision %s was taken at %s, after %s", d.ID, d.At.UTC().Format(time.RFC3339), x.said.At.Format(time.RFC3339)))
		}
	}
	x.said.Service, x.said.Name = first(x.said.Service, d.Service), first(x.said.Name, d.Subject.Name)
	return nil
}

// printable refuses what could not be looked for, or would not show.
func (x *stating) printable() error {
	for flag, text := range map[string]string{"--service": x.said.Service, "the artifact's name": x.said.Name, "--decision": x.said.Decision, "--run": x.run} {
		if len(text) > 200 || report.Neutral(text) != text {
			return usage(seeAttest, flag+" is longer than 200 bytes or holds characters that do not show", "give it as the map, the registry or the pipeline names it")
		}
	}
	if len(x.detail) > 10_000 || len(x.link) > 2000 {
		return usage(seeAttest, "--detail is longer than 10,000 bytes, or --link longer than 2,000", "say it in short, and link to the rest")
	}
	return nil
}

// late says aloud when something that is stated to have been deployed later runs there:
// the order of statements counts.
func (x *stating) late(ctx context.Context, w *workspace) error {
	if x.kind != verdict.KindDeployment {
		return nil
	}
	rows, err := w.ledger.Running(ctx, ledger.RunningQuery{Environment: x.said.Environment, Service: x.said.Service, At: ledger.Now})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Name == x.said.Name && r.Digest != x.said.Digest && r.At.After(x.said.At) {
			fmt.Fprintf(w.app.stderr, "verdict: entry %d states a deployment of %s at %s, which is later; the order of statements counts, so this one takes its place\n  fix: where it should not, state that deployment again\n",
				r.Index, r.Digest.Short(), r.At.Format(time.RFC3339))
		}
	}
	return nil
}

// deployment is what the gate had to let in: of an outcome the deployment that it is of,
// since a promotion lets in what happens while it holds, and its end takes nothing out.
func (x *stating) deployment() verdict.Deployment {
	d := x.said
	if !x.since.IsZero() {
		d.At = x.since
	}
	return d
}

// predicate is what is signed.
func (x *stating) predicate(run string) any {
	d := x.said
	if x.kind == verdict.KindDeployment {
		d.Run = run
		return d
	}
	return verdict.Aftermath{
		Decision: d.Decision, Environment: d.Environment, Service: d.Service, Name: d.Name, Digest: d.Digest, Result: x.result, At: d.At, Detail: x.detail, Link: x.link,
	}
}

// came is what an outcome says of an artifact, in words.
var came = map[verdict.Result]string{
	verdict.ResultDeployed: "was deployed", verdict.ResultFailed: "failed", verdict.ResultRolledBack: "was rolled back", verdict.ResultIncident: "had an incident",
}

// tell says what was recorded, and aloud where nothing let the artifact in.
func (x *stating) tell(ctx context.Context, w *workspace, of *attesting, r attested) error {
	var err error
	if r.Name, err = w.nameOfSigner(ctx); err != nil {
		return err
	}
	what, when := "runs in", "since"
	if x.kind == verdict.KindOutcome {
		what, when = came[x.result]+" in", "at"
	}
	r.Found = fmt.Sprintf("%s %s %s as %s, %s %s", x.said.Name, what, x.said.Environment, x.said.Service, when, x.said.At.Format(time.RFC3339))
	if r.Closed > 0 {
		r.Found += fmt.Sprintf("; %s closed of what ran there before: verdict findings list --all", plural(r.Closed, "finding", "findings"))
	}
	if err := of.tell(ctx, w, r); err != nil {
		return err
	}
	if r.Promotion.Problem == "" {
		return nil
	}
	fmt.Fprintf(w.app.stderr, "verdict: recorded, but nothing that held let %s into %s: %s\n  fix: ask before the next one: verdict gate --env %s %s; and name its answer with --decision\n",
		report.Neutral(x.said.Name), x.said.Environment, report.Neutral(r.Promotion.Problem), x.said.Environment, report.Neutral(x.ref))
	return exit(verdict.CodeRefused.Exit())
}
