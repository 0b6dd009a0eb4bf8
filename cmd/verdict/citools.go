package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/ci"
	"verdict/decisionmap"
)

// passedOn are the variables that a tool is given: where programs, its home and its
// caches are, and how the network is reached. Nothing of the pipeline's own, and no token.
var passedOn = []string{
	"PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
	"http_proxy", "https_proxy", "no_proxy", "SYSTEMROOT", "TEMP", "TMP", "USERPROFILE", "LOCALAPPDATA",
}

// passedToGo are those besides for a tool that has the go command read sources.
var passedToGo = []string{"GOPATH", "GOMODCACHE", "GOCACHE"}

// withTools puts the reports of the map's tools beside those of Verdict's own checks, and
// takes out those of Verdict's whose question the map gives to another tool alone. It
// gives notes on that.
// reach asks for the tools that run on demand, and for each that tells what is called, though
// no point needs it.
func (w *workspace) withTools(ctx context.Context, m *decisionmap.Map, r *ci.Result, path string, reach bool) (notes []string, err error) {
	own := m.Sources[decisionmap.OwnSource].Kinds
	r.Reports = slices.DeleteFunc(r.Reports, func(x verdict.Report) bool {
		others := yielding(m, x.Check)
		elsewhere := !slices.Contains(own, x.Check) && len(others) > 0
		if elsewhere {
			notes = append(notes, fmt.Sprintf("%s: the map has %s answer it, and Verdict's own answer is not recorded", x.Check, strings.Join(others, " and ")))
		}
		return elsewhere
	})
	tree, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", path, err)
	}
	dir := tree
	if r.Repo != nil {
		dir, tree = r.Repo.Dir, r.Repo.Root
	}
	for _, name := range slices.Sorted(maps.Keys(m.Sources)) {
		s := m.Sources[name]
		if len(s.Command) == 0 {
			continue
		}
		asked := reach && s.Format == decisionmap.ReachFormat
		for _, check := range m.Checks(name) {
			if s.OnDemand && !asked {
				notes = append(notes, fmt.Sprintf("%s: %s was not run, it runs on demand: verdict ci --reach", check, name))
				continue
			}
			if !neededInCI(m, check) && !asked {
				continue
			}
			report, err := w.runTool(ctx, m, name, check, ci.Tool{Dir: dir, Tree: tree}, r)
			if err != nil {
				return nil, err
			}
			if asked {
				notes = append(notes, reached(report)...)
			}
			if r.Repo != nil && r.Repo.Prefix != "" {
				report.Scope.Path = r.Repo.Prefix
			}
			r.Reports = append(r.Reports, report)
		}
	}
	return notes, nil
}

// yielding are the sources of a map that yield a kind.
func yielding(m *decisionmap.Map, kind string) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(m.Sources)) {
		if slices.Contains(m.Sources[name].Kinds, kind) {
			out = append(out, name)
		}
	}
	return out
}

func neededInCI(m *decisionmap.Map, kind string) bool {
	return slices.ContainsFunc(m.Points, func(p decisionmap.Point) bool {
		return p.Layer == verdict.LayerCI && slices.ContainsFunc(p.Needs, func(n decisionmap.Need) bool { return n.Kind == kind })
	})
}

// runTool runs one source of the map over the tree. What keeps it from running is in its
// report, so that the point that needs it cannot decide and says why.
func (w *workspace) runTool(ctx context.Context, m *decisionmap.Map, name, check string, t ci.Tool, r *ci.Result) (verdict.Report, error) {
	s := m.Sources[name]
	t.Reads = ci.ResultOptions{Format: s.Format, Source: name, Check: check}
	t.SHA256, t.Timeout = s.SHA256, time.Duration(s.Timeout)
	pass := passedOn
	if s.Format == decisionmap.ReachFormat {
		pass = slices.Concat(pass, passedToGo)
	}
	for _, v := range pass {
		if value, given := w.app.env[v]; given {
			t.Env = append(t.Env, v+"="+value)
		}
	}
	command, err := m.Command(name)
	switch {
	case err != nil:
		e := verdict.AsError(err)
		return t.Unanswered(e.What + ": " + e.Remedy), nil
	case s.Format == "":
		return t.Unanswered("the map does not say the form of what it prints: add `format:` to the source and release the map"), nil
	case len(m.Checks(name)) > 1:
		return t.Unanswered(fmt.Sprintf("one run answers one question, and the map gives it %s: write a source for each", strings.Join(m.Checks(name), ", "))), nil
	}
	t.Command = command
	w.app.progress.phase("running " + name)
	if s.Format == decisionmap.ReachFormat {
		return t.RunInGoModules(ctx, r.Repo, r.Manifest)
	}
	return t.Run(ctx)
}

// reached says what --reach was asked for, what is called first.
func reached(r verdict.Report) (notes []string) {
	const most = 10
	rank := func(h verdict.Hit) int {
		switch called, imported := ci.Called(h); {
		case called:
			return 0
		case imported:
			return 1
		}
		return 2
	}
	called := slices.Clone(r.Hits)
	slices.SortStableFunc(called, func(a, b verdict.Hit) int { return cmp.Compare(rank(a), rank(b)) })
	for i, h := range called {
		if i == most {
			notes = append(notes, fmt.Sprintf("%s: … and %d more: verdict ci --reach -o json", r.Check, len(called)-most))
			break
		}
		at := h.Path
		if h.Line > 0 {
			at += fmt.Sprintf(":%d", h.Line)
		}
		notes = append(notes, fmt.Sprintf("%s: %s in %s, %s", r.Check, h.Detector, h.Message, at))
	}
	switch {
	case !r.Complete:
		notes = append(notes, fmt.Sprintf("%s: %s did not tell of all of the tree what is called, see what was checked", r.Check, r.Source))
	case len(called) == 0:
		notes = append(notes, fmt.Sprintf("%s: %s found nothing that is known to be vulnerable", r.Check, r.Source))
	}
	return notes
}

// unreachable says that a map has nothing that answers --reach, and how it gets that.
func unreachable(m *decisionmap.Map) error {
	if len(m.ReachSources()) > 0 {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "--reach asks whether what is vulnerable is called, and the map has no tool that tells it",
		Remedy: "add `govulncheck: {kinds: [go-symbols], command: [govulncheck, -json, -db, \"file:///srv/vulndb\", ./...], format: govulncheck, on_demand: true}` under `sources:` of the organisation map and run `verdict map release` with it; or leave --reach out: whether an affected package is imported is told without it",
	}
}

// charts is what renders the Helm charts of a tree by the program that the map names; nil
// where it names none, or where another tool alone answers for infrastructure code.
func (w *workspace) charts(m *decisionmap.Map, tree string) *ci.Charts {
	name, err := m.Renderer()
	if name == "" && err == nil || !slices.Contains(m.Sources[decisionmap.OwnSource].Kinds, ci.IaCCheck) {
		return nil
	}
	s := m.Sources[name]
	c := &ci.Charts{Tool: ci.Tool{Reads: ci.ResultOptions{Source: name}, SHA256: s.SHA256, Timeout: time.Duration(s.Timeout), Tree: tree}}
	for _, v := range []string{"PATH", "LANG", "LC_ALL", "SYSTEMROOT"} {
		if value, given := w.app.env[v]; given {
			c.Tool.Env = append(c.Tool.Env, v+"="+value)
		}
	}
	if err == nil {
		c.Tool.Command, err = m.Command(name)
	}
	if err != nil {
		e := verdict.AsError(err)
		c.Unable = e.What + ": " + e.Remedy
	}
	return c
}
