package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/identity"
	"verdict/ledger"
)

// deployable is the artifact that a reference stands for, by its digest alone.
func (w *workspace) deployable(ctx context.Context, ref string) (verdict.Subject, error) {
	s, err := w.app.subject(ctx, ref)
	if err != nil {
		return s, err
	}
	if s.Kind == verdict.SubjectChange || s.Digest.Algorithm() == "gitCommit" {
		return s, usage(seeGate, "a commit is not deployed: what was built from it is", "name the digest of the artifact; verdict trail "+ref+" shows what was built from the commit")
	}
	s.Kind = verdict.SubjectArtifact
	if s.Name == "" {
		s.Name, err = w.nameOf(ctx, s.Digest)
	}
	return s, err
}

// nameOf is the name under which a digest was decided on last; empty where it was not.
func (w *workspace) nameOf(ctx context.Context, d verdict.Digest) (string, error) {
	rows, err := w.ledger.Decisions(ctx, ledger.DecisionQuery{Subject: d, At: ledger.Now})
	if err != nil {
		return "", err
	}
	for _, r := range rows {
		if r.Name != "" {
			return r.Name, nil
		}
	}
	return "", nil
}

// serviceOf is the service that is asked for: the one that is named, else the only one that
// the subject was decided on for, else the only one of the map.
func (x *gating) serviceOf(ctx context.Context, w *workspace, m *decisionmap.Map, subject verdict.Subject) (string, error) {
	names := slices.Sorted(maps.Keys(m.Services))
	if x.service != "" {
		if !slices.Contains(names, x.service) {
			return "", usage(seeGate, fmt.Sprintf("the map has no service %q", x.service), meant(x.service, names, "--service ", listedOr(names, "declare it under services: of the map")))
		}
		return x.service, nil
	}
	rows, err := w.ledger.Decisions(ctx, ledger.DecisionQuery{Subject: subject.Digest, At: ledger.Now})
	if err != nil {
		return "", err
	}
	var of []string
	for _, r := range rows {
		if r.Service != "" && !slices.Contains(of, r.Service) {
			of = append(of, r.Service)
		}
	}
	switch {
	case len(of) == 1:
		return of[0], nil
	case len(of) == 0 && len(names) == 1:
		return names[0], nil
	}
	return "", usage(seeGate, "nothing says of which service this is", "add --service NAME: "+listedOr(names, "declare it under services: of the map"))
}

// pipelineAccount is the account that started the pipeline that runs us, as it says itself;
// none outside of one.
func pipelineAccount(env environment) identity.Account {
	for _, p := range []struct {
		mark   string
		system identity.System
		names  []string
	}{
		{"GITHUB_ACTIONS", identity.GitHub, []string{"GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"}},
		{"GITLAB_CI", identity.GitLab, []string{"GITLAB_USER_LOGIN"}},
		{"TF_BUILD", identity.Azure, []string{"BUILD_REQUESTEDFOREMAIL"}},
	} {
		if !strings.EqualFold(env.get(p.mark), "true") {
			continue
		}
		for _, name := range p.names {
			if v := env.get(name); v != "" {
				return identity.Account{System: p.system, Name: v}
			}
		}
	}
	return identity.Account{}
}
