package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
)

const aboutDeployed = "deployment and outcome take the artifact in the place of FILE, and the rest by flags: verdict attest deployment --env E --decision ID REF. With --subject, FILE holds them as JSON, and flags must agree with it. " +
	"An artifact that is deployed runs there until a deployment of another takes its place, or an outcome says rolled-back or failed; what then runs is for a deployment to state. Such a statement is recorded as what it is, also where nothing let the artifact in: that is a finding, is said aloud, and ends with 3. " +
	"A decision about another artifact or environment, an environment that the map does not have, and a time that has not come are refused, and nothing is recorded."

// stating is a deployment or an outcome in the making.
type stating struct {
	kind   verdict.Kind
	said   verdict.Deployment
	result verdict.Result
	detail string
	link   string
	run    string
	time   string
	ref    string
	since  time.Time // of an outcome: when the deployment happened that it is of, zero: none was stated
}

// placed are the kinds that say what runs where, each with a form of its own.
var placed = []verdict.Kind{verdict.KindDeployment, verdict.KindOutcome}

// kindOfWord is the kind that a word or the URI of a predicate type stands for.
func kindOfWord(word string) verdict.Kind {
	if k := evidence.KindOf(word); k != verdict.KindOther {
		return k
	}
	return verdict.Kind(word)
}

func isPlaced(word string) bool { return slices.Contains(placed, kindOfWord(word)) }

func (x *stating) declare(f *flags) {
	f.text(&x.said.Environment, "env", "NAME", "environment of a deployment or outcome, as the map names it")
	f.text(&x.said.Decision, "decision", "ID", "the gate's answer that let the artifact in")
	f.text(&x.time, "time", "TIME", "when it was deployed, or came out so, such as 2026-03-01T12:00:00Z; default: now")
	f.toggle(&x.said.Rollback, "rollback", "the deployment goes back to an artifact that ran there before")
	f.choice((*string)(&x.result), "result", "what came of a deployment", string(verdict.ResultDeployed), string(verdict.ResultFailed), string(verdict.ResultRolledBack), string(verdict.ResultIncident))
	f.text(&x.detail, "detail", "TEXT", "what happened, for people")
	f.text(&x.link, "link", "URL", "the incident or run")
}

// check refuses flags that the kind has no use for.
func (x *stating) check(kind verdict.Kind) error {
	about := map[string]bool{"--env": x.said.Environment != "", "--decision": x.said.Decision != "", "--time": x.time != ""}
	ofDeployment := map[string]bool{"--rollback": x.said.Rollback}
	ofOutcome := map[string]bool{"--result": x.result != "", "--detail": x.detail != "", "--link": x.link != ""}
	refuse := func(set map[string]bool, of string) error {
		for _, flag := range slices.Sorted(maps.Keys(set)) {
			if set[flag] {
				return usage(seeAttest, fmt.Sprintf("%s says something of %s, and the kind is %s", flag, of, kind), "leave "+flag+" out, or state "+of)
			}
		}
		return nil
	}
	switch kind {
	case verdict.KindDeployment:
		return refuse(ofOutcome, "an outcome")
	case verdict.KindOutcome:
		return refuse(ofDeployment, "a deployment")
	}
	maps.Copy(about, ofDeployment)
	maps.Copy(about, ofOutcome)
	return refuse(about, "a deployment")
}

// state records a deployment or an outcome for verdict attest.
func (x *stating) state(ctx context.Context, a *app, of *attesting, args []string) (err error) {
	x.kind, x.run, x.said.Service = kindOfWord(args[0]), of.context.Run, of.context.Service
	if e := of.context.Environment; e != "" && x.said.Environment != "" && e != x.said.Environment {
		return usage(seeAttest, "--env and --environment name two environments", "give one of them")
	}
	x.said.Environment = first(x.said.Environment, of.context.Environment)
	if err := x.read(a, args[1], of.about); err != nil {
		return err
	}
	about, err := x.artifact(ctx, a)
	if err != nil {
		return err
	}
	if err := x.when(a.now()); err != nil {
		return err
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	m, from, err := w.mapOfPeople(ctx, ledger.Now)
	if err != nil {
		return err
	}
	if err := x.known(m, from); err != nil {
		return err
	}
	if err := x.complete(ctx, w, m); err != nil {
		return err
	}
	if err := x.printable(); err != nil {
		return err
	}
	about.Name = x.said.Name
	let, err := w.promotionOf(ctx, m, x.deployment(), ledger.Now)
	if err != nil {
		return err
	}
	if err := x.late(ctx, w); err != nil {
		return err
	}
	c := verdict.Context{
		Service: x.said.Service, Team: m.Services[x.said.Service].Team, Environment: x.said.Environment,
		Run: x.run, Retention: retentionOf(x.kind, []verdict.Subject{about}),
	}
	b, err := w.sign(ctx, x.kind, about, x.predicate(c.Run), c)
	if err != nil {
		return err
	}
	e, err := w.ledger.Append(ctx, b)
	if err != nil {
		return err
	}
	closed, err := w.closeEnded(ctx, m, x.deployment())
	if err != nil {
		return fmt.Errorf("recorded as entry %d, and close the findings of what it ended: %w", e.Index, err)
	}
	of.about = []string{x.ref}
	return x.tell(ctx, w, of, attested{Entry: e, Known: e.Digest != b.PayloadDigest(), Promotion: &let, Closed: closed})
}

// read takes the predicate from a file where a subject is given for it; what flags say
// beside it has to be the same.
func (x *stating) read(a *app, arg string, subjects []string) error {
	x.ref = arg
	if len(subjects) == 0 {
		return nil
	}
	if len(subjects) > 1 {
		return usage(seeAttest, "a deployment is of one artifact, and several are given", "state each by itself")
	}
	x.ref = subjects[0]
	raw, err := a.readInput(arg, "the predicate", evidence.MaxStatement)
	if err != nil {
		return err
	}
	if _, err := predicateOf(x.kind, "", raw); err != nil {
		return err
	}
	var doc verdict.Aftermath
	var d verdict.Deployment
	if x.kind == verdict.KindDeployment {
		err = strictly(raw, &d)
	} else if err = strictly(raw, &doc); err == nil {
		d = verdict.Deployment{Decision: doc.Decision, Environment: doc.Environment, Service: doc.Service, Name: doc.Name, Digest: doc.Digest, At: doc.At}
	}
	if err != nil {
		return &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("the predicate does not have the form of kind %s", x.kind), Remedy: "give the members that " + seeAttest + " has flags for, and no others", Err: err}
	}
	return x.agree(d, doc)
}

// agree takes over what a file says, which flags may repeat and not contradict.
func (x *stating) agree(d verdict.Deployment, doc verdict.Aftermath) error {
	x.said.Name, x.said.Digest, x.said.Rollback = d.Name, d.Digest, x.said.Rollback || d.Rollback
	if x.time == "" && !d.At.IsZero() {
		x.time = d.At.UTC().Format(time.RFC3339Nano)
	}
	for _, p := range []struct {
		flag string
		into *string
		file string
	}{
		{"--env", &x.said.Environment, d.Environment}, {"--service", &x.said.Service, d.Service}, {"--decision", &x.said.Decision, d.Decision},
		{"--run", &x.run, d.Run}, {"--result", (*string)(&x.result), string(doc.Result)}, {"--detail", &x.detail, doc.Detail}, {"--link", &x.link, doc.Link},
	} {
		if *p.into != "" && p.file != "" && *p.into != p.file {
			return usage(seeAttest, fmt.Sprintf("%s and the file contradict each other: %s and %s", p.flag, report.Neutral(*p.into), report.Neutral(p.file)), "leave "+p.flag+" out, or correct it")
		}
		*p.into = first(*p.into, p.file)
	}
	return nil
}

func strictly(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something stands behind the document")
	}
	return nil
}

// artifact finds out which artifact is meant.
func (x *stating) artifact(ctx context.Context, a *app) (verdict.Subject, error) {
	about, err := a.subject(ctx, x.ref)
	switch {
	case err != nil:
		return about, err
	case about.Kind == verdict.SubjectChange || about.Digest.Algorithm() == "gitCommit":
		return about, usage(seeAttest, report.Neutral(x.ref)+" is a commit, and what is deployed is an artifact", "give the image as NAME@sha256:…, or the file, that was built from it")
	case x.said.Digest != "" && x.said.Digest != about.Digest:
		return about, &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("the file speaks of %s, and --subject is %s", report.Neutral(string(x.said.Digest)), about.Digest),
			Remedy: "give the artifact that the file is about, or correct the file",
		}
	}
	about.Kind = verdict.SubjectArtifact
	x.said.Digest, x.said.Name = about.Digest, first(about.Name, x.said.Name)
	return about, nil
}

// when reads the time, which must have come.
func (x *stating) when(now time.Time) error {
	x.said.At = now.UTC().Truncate(time.Microsecond)
	if x.time == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339, x.time)
	if err != nil {
		return usage(seeAttest, fmt.Sprintf("--time is %q, which is no full time", x.time), "write it with its zone, such as 2026-03-01T12:00:00Z")
	}
	if t.Sub(now) > aheadOfUs {
		return usage(seeAttest, "--time is "+x.time+", which has not come", "give the time at which it happened, or set this machine's clock right")
	}
	x.said.At = t.UTC().Truncate(time.Microsecond)
	return nil
}

// known holds the environment, and the service where one is given, against the map.
func (x *stating) known(m *decisionmap.Map, from string) error {
	if x.said.Environment == "" {
		what, add := "nothing says into which environment", "add --env NAME: "+listedOr(slices.Sorted(maps.Keys(m.Environments)), from+" declares none")
		if x.kind == verdict.KindOutcome && x.result == "" {
			what, add = what+", and what came of it", add+"; and --result "+results
		}
		return usage(seeAttest, what, add)
	}
	if _, err := environmentIn(m, from, x.said.Environment); err != nil && len(m.Environments) > 0 { // where none is declared, that is told when it is read
		return err
	}
	if x.kind == verdict.KindOutcome && !x.result.Valid() {
		return usage(seeAttest, "nothing says what came of it", "add --result "+results)
	}
	return x.knownService(m, from)
}

func (x *stating) knownService(m *decisionmap.Map, from string) error {
	if _, ok := m.Services[x.said.Service]; ok || x.said.Service == "" || len(m.Services) == 0 {
		return nil
	}
	return usage(seeAttest, fmt.Sprintf("%s has no service %s", from, report.Neutral(x.said.Service)),
		meant(x.said.Service, slices.Sorted(maps.Keys(m.Services)), "--service ", listedOr(slices.Sorted(maps.Keys(m.Services)), "declare it under services: of the map")))
}

// results are what can come of a deployment.
const results = string(verdict.ResultDeployed + "|" + verdict.ResultFailed + "|" + verdict.ResultRolledBack + "|" + verdict.ResultIncident)

// lacks tells all at once what has to be given with a kind alone.
func (x *stating) lacks(kind verdict.Kind, environment string) error {
	names, words := []string{"REF"}, []string{"REF"}
	if first(x.said.Environment, environment) == "" {
		names, words = append(names, "--env"), append(words, "--env NAME")
	}
	if kind == verdict.KindOutcome && x.result == "" {
		names, words = append(names, "--result"), append(words, "--result "+results)
	}
	return usage(seeAttest, fmt.Sprintf("verdict attest %s needs %s", kind, listed(names)), fmt.Sprintf("add %s: REF is the artifact, as NAME@sha256:…, a digest or a file", strings.Join(words, " ")))
}

// environmentIn finds an environment of a map by its name.
func environmentIn(m *decisionmap.Map, from, name string) (decisionmap.Environment, error) {
	e, ok := m.Environments[name]
	if ok {
		return e, nil
	}
	names := slices.Sorted(maps.Keys(m.Environments))
	return e, usage("verdict environments", fmt.Sprintf("%s has no environment %s", from, report.Neutral(name)), meant(name, names, "", listedOr(names, "declare it under environments: of the map")))
}

func listedOr(names []string, otherwise string) string {
	if len(names) == 0 {
		return otherwise
	}
	if len(names) == 1 {
		return "there is " + report.Neutral(names[0])
	}
	return "there are " + report.Neutral(listed(names))
}
