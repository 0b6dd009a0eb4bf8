package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"verdict"
	"verdict/advisory"
	"verdict/report"
)

func advisoriesCommand() command {
	return command{
		use: "advisories", short: "Fetch, import and list what is publicly known about vulnerable packages",
		sub: []command{advisoriesUpdateCommand(), advisoriesImportCommand(), advisoriesListCommand(), advisoriesRemoveCommand(), advisoriesTablesCommand()},
	}
}

// indexFile is where the advisories of this machine lie. They need no ledger, and for
// them none is made; the data directory is made when write says so.
func (a *app) indexFile(write bool) (string, error) {
	folder, err := a.dataDir()
	if err != nil {
		return "", err
	}
	if write {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return "", &verdict.Error{
				Code: verdict.CodeUnavailable, What: "the data directory " + folder + " cannot be made",
				Remedy: "make room for it, or name another with --data DIR", Err: err,
			}
		}
	}
	_, err = os.Stat(filepath.Join(folder, keyFolder))
	fresh := errors.Is(err, fs.ErrNotExist) // no ledger was begun, so no clock was chosen
	if write || !fresh || !a.pinned {
		err = a.checkClock(folder, fresh)
	} else {
		err = nil
	}
	return filepath.Join(folder, advisoryFile), err
}

// advisoryChange is the document verdict.advisories-change/v1: what an import or update
// did.
type advisoryChange struct {
	Schema  string         `json:"schema"`
	Index   string         `json:"index"` // file
	Sources []takenSource  `json:"sources"`
	Failed  []failedSource `json:"failed"` // what was known about them stays
	// Rematched says what that changed of what was built; absent where there is no ledger.
	Rematched *rematched `json:"rematched,omitempty"`
}

const advisoryChangeSchema = "verdict.advisories-change/v1"

func newAdvisoryChange(index string) *advisoryChange {
	return &advisoryChange{Schema: advisoryChangeSchema, Index: index, Sources: []takenSource{}, Failed: []failedSource{}}
}

// takenSource is one source that is in the index now.
type takenSource struct {
	advisory.Source
	State   string        `json:"state"` // imported, fetched, unchanged
	Bytes   int64         `json:"bytes"` // that travelled
	Resumed bool          `json:"resumed"`
	Skipped []skippedFile `json:"skipped"` // the first of those that could not be used
}

type skippedFile struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

type failedSource struct {
	Source string       `json:"source"`
	Code   verdict.Code `json:"code"`
	What   string       `json:"what"`
	Remedy string       `json:"remedy"`
	err    error
}

func (c *advisoryChange) add(s advisory.Source, state string, skipped []advisory.Skipped) *takenSource {
	t := takenSource{Source: s, State: state, Skipped: []skippedFile{}}
	for _, x := range skipped {
		t.Skipped = append(t.Skipped, skippedFile{x.Name, x.Reason})
	}
	c.Sources = append(c.Sources, t)
	return &c.Sources[len(c.Sources)-1]
}

func (c *advisoryChange) fail(source string, err error) {
	err = advisoryError(source, err)
	e := verdict.AsError(err)
	c.Failed = append(c.Failed, failedSource{source, e.Code, e.Error(), e.Remedy, err})
}

// advisoryError gives what the system refused a remedy.
func advisoryError(source string, err error) error {
	if e := new(verdict.Error); errors.As(err, &e) || errors.Is(err, context.Canceled) {
		return err
	}
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: report.Neutral(source) + " cannot be taken in", Err: err,
		Remedy: "make it readable for this user, and the data directory writable; what was known before stays in use",
	}
}

// conclude tells what was taken in and what was not. Where nothing was, the failure is
// the whole answer.
func (a *app) concludeAdvisories(ctx context.Context, c *advisoryChange) error {
	a.progress.stop()
	if len(c.Sources) == 0 && len(c.Failed) == 1 {
		return c.Failed[0].err
	}
	if len(c.Sources) > 0 {
		var err error
		if c.Rematched, err = a.rematch(ctx, c.Index); err != nil {
			c.fail("the match of what was built", err)
		}
	}
	return a.tellAdvisories(ctx, c)
}

// tellAdvisories writes what was taken in, and on standard error what was not.
func (a *app) tellAdvisories(ctx context.Context, c *advisoryChange) error {
	shown := *c
	if a.hosted != nil {
		shown.Index = filepath.Base(shown.Index)
	}
	if err := a.emit(shown, func(s report.Style) string { return c.text(s, a.now()) }); err != nil {
		return err
	}
	code := 0
	for _, f := range c.Failed {
		if f.err == nil { // a server said it
			f.err = &verdict.Error{Code: f.Code, What: f.What, Remedy: f.Remedy}
		}
		x := explain(ctx, f.err)
		tell(a.stderr, x, a.screen)
		code = max(code, x.Exit)
	}
	return exit(code)
}

// stepper shows what advisory does as phases.
func (a *app) stepper() func(advisory.Progress) {
	var last advisory.Progress
	var step *phase
	verbs := map[string]string{"download": "fetching ", "read": "reading ", "write": "writing the index with "}
	return func(p advisory.Progress) {
		if step == nil || p.Source != last.Source || p.Step != last.Step {
			step = a.progress.phase(verbs[p.Step] + p.Source)
		}
		last = p
		switch {
		case p.Step == "download" && p.Total > 0:
			step.say("%d of %d MiB", p.Done>>20, p.Total>>20)
		case p.Step == "download":
			step.say("%d MiB", p.Done>>20)
		case p.Step == "read":
			step.say("%d records", p.Done)
		}
	}
}

const seeUpdate = "verdict advisories update --help"

func advisoriesUpdateCommand() command {
	return command{
		use: "update [ECOSYSTEM…]", short: "Fetch advisories from their publisher, as far as they changed",
		long: "Fetches the archive that OSV publishes of each ECOSYSTEM: Go, npm, PyPI, crates.io, Maven and others, as OSV writes them. Where none is named it is those that were fetched before, and the first time those of this repository's lockfiles. " +
			"An archive that has not changed is confirmed, and not fetched again; a download that broke off is continued. What is new is matched with the bills of materials in the ledger, where there is one: artifacts get a new report, and what runs a finding.\n\n" +
			"Where one ecosystem fails the others are still updated, and the command ends with 1; what was known about it stays in use until it is stale.\n\n" + atServerHelp,
		example: "verdict advisories update Go npm\nverdict advisories update",
		args:    atLeast(0), formats: textOrJSON,
		setup: func(f *flags) runner {
			o := &advisory.UpdateOptions{}
			f.list(&o.Ecosystems, "ecosystem", "NAME", "ecosystem to fetch beside those named, for the configuration file; repeatable")
			f.add(addressValue(&o.Base), "url", "", "where <ecosystem>/all.zip lies; default: OSV's storage")
			f.toggle(&o.Force, "force", "take an archive that lost over 10 % of its records")
			var there bool
			atServerFlag(f, &there)
			return func(ctx context.Context, a *app, args []string) error {
				one := *o
				one.Ecosystems = append(slices.Clone(args), o.Ecosystems...)
				c, err := a.advisoriesAt(ctx, there, seeUpdate)
				if err != nil {
					return err
				}
				if c != nil {
					return a.updateAdvisoriesThere(ctx, c, one)
				}
				return a.updateAdvisories(ctx, one)
			}
		},
	}
}

func (a *app) updateAdvisories(ctx context.Context, o advisory.UpdateOptions) error {
	if a.config.Offline {
		return usage(seeUpdate, "--offline forbids every connection, and an update is one", "leave --offline out, or bring the archives in files: verdict advisories import FILE")
	}
	index, err := a.indexFile(true)
	if err != nil {
		return err
	}
	if len(o.Ecosystems) == 0 {
		if o.Ecosystems, err = a.neededHere(ctx, index); err != nil {
			return err
		}
	}
	if err := a.beforeChange(ctx, index); err != nil {
		return err
	}
	o.Index, o.Now, o.Progress = index, a.now, a.stepper()
	done, err := advisory.Update(ctx, o)
	c := newAdvisoryChange(index)
	for _, u := range done {
		state := "fetched"
		if u.NotModified {
			state = "unchanged"
		}
		t := c.add(u.Source, state, u.Skipped)
		t.Bytes, t.Resumed = u.Bytes, u.Resumed
	}
	var many interface{ Unwrap() []error }
	switch {
	case err == nil:
	case errors.As(err, &many) && ctx.Err() == nil:
		for _, e := range many.Unwrap() {
			c.fail(failedEcosystem(e), e)
		}
	default:
		return advisoryError("the publisher's archive", err)
	}
	return a.concludeAdvisories(ctx, c)
}

// ecosystems are those that lockfiles are about, by name.
var ecosystems = map[string]string{
	"go.mod": "Go", "go.sum": "Go", "package-lock.json": "npm", "npm-shrinkwrap.json": "npm", "requirements.txt": "PyPI", "Cargo.lock": "crates.io", "pom.xml": "Maven",
	"yarn.lock": "npm", "pnpm-lock.yaml": "npm", "bun.lock": "npm", "poetry.lock": "PyPI", "uv.lock": "PyPI", "pdm.lock": "PyPI", "Pipfile.lock": "PyPI", "pylock.toml": "PyPI",
	"gradle.lockfile": "Maven", "libs.versions.toml": "Maven", "packages.lock.json": "NuGet", "packages.config": "NuGet", "composer.lock": "Packagist", "Gemfile.lock": "RubyGems",
	"mix.lock": "Hex", "rebar.lock": "Hex", "pubspec.lock": "Pub", "Package.resolved": "SwiftURL", "conan.lock": "ConanCenter",
}

// ecosystemOf is which ecosystem a file names components of; "" for most files.
func ecosystemOf(p string) string {
	ext := path.Ext(p)
	switch {
	case strings.HasPrefix(p, ".github/workflows/") && (ext == ".yml" || ext == ".yaml"):
		return "GitHub Actions"
	case ext == ".csproj" || ext == ".fsproj" || ext == ".vbproj":
		return "NuGet"
	}
	return ecosystems[path.Base(p)]
}

// neededHere lists the ecosystems of the lockfiles of the repository in this folder,
// where nothing was ever fetched.
func (a *app) neededHere(ctx context.Context, index string) ([]string, error) {
	if x, err := advisory.Open(index); err == nil {
		fetched := slices.ContainsFunc(x.Sources(), func(s advisory.Source) bool { return strings.HasPrefix(s.Name, advisory.FetchedPrefix) })
		if err := x.Close(); err != nil || fetched {
			return nil, err
		}
	}
	if a.hosted != nil { // the folder of the server says nothing of what is built
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: "this server never fetched an ecosystem, and none was named", Remedy: "name those of your code: verdict advisories update Go npm --at-server; or verdict serve --advisories-every 6h --advisories-ecosystem npm",
		}
	}
	repo, err := repository(ctx, ".")
	if err != nil || repo == nil {
		return nil, err
	}
	found, err := lookAround(ctx, repo)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range found.ecosystems {
		if e != "" {
			out = append(out, e)
		}
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > 0 {
		fmt.Fprintf(a.stderr, "verdict: fetching what the lockfiles of this repository need: %s\n", strings.Join(out, ", "))
	}
	return out, nil
}

// failedEcosystem is the name in an error of advisory.Update, which is: update "Go": why.
func failedEcosystem(err error) string {
	quoted, bad := strconv.QuotedPrefix(strings.TrimPrefix(err.Error(), "update "))
	name, unquote := strconv.Unquote(quoted)
	if bad != nil || unquote != nil {
		return ""
	}
	return name
}
