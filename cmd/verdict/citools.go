package main

import (
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

// withTools puts the reports of the map's tools beside those of Verdict's own checks, and
// takes out those of Verdict's whose question the map gives to another tool alone. It
// gives notes on that.
func (w *workspace) withTools(ctx context.Context, m *decisionmap.Map, r *ci.Result, path string) (notes []string, err error) {
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
		if len(m.Sources[name].Command) == 0 {
			continue
		}
		for _, check := range m.Checks(name) {
			if !neededInCI(m, check) {
				continue
			}
			report, err := w.runTool(ctx, m, name, check, ci.Tool{Dir: dir, Tree: tree})
			if err != nil {
				return nil, err
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
func (w *workspace) runTool(ctx context.Context, m *decisionmap.Map, name, check string, t ci.Tool) (verdict.Report, error) {
	s := m.Sources[name]
	t.Reads = ci.ResultOptions{Format: s.Format, Source: name, Check: check}
	t.SHA256, t.Timeout = s.SHA256, time.Duration(s.Timeout)
	for _, v := range passedOn {
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
	return t.Run(ctx)
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
