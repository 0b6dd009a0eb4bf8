package ci

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/wording"
	"verdict/git"
	"verdict/sbom"
)

// Options say what to run on.
type Options struct {
	Path string // a folder: a repository's top, a folder of one, or a plain folder
	// Repo is the repository that Path was opened as, to save opening it again; nil finds
	// out.
	Repo *git.Repo
	Walk WalkOptions
	// Matcher knows advisories; nil when there are none.
	Matcher Matcher
	// Taking is what the map says is taken from others.
	Taking Taking
	// Modules are those that infrastructure code may call; nil where it may call any.
	Modules *ApprovedModules
	// Base is the revision that the change came from, to tell what was there before it from
	// what it brings; empty: everything counts as new.
	Base string
	// Within limits the run to these files and folders of a repository, a service's for
	// example, with the files above them that name components; empty: all of it. What is
	// read is held against the commit all the same.
	Within []string
	// Diff limits the run to what differs from Base, and what it needs to be understood; the
	// subject is then the tree that was read, whatever is committed. It takes a repository.
	Diff bool
	// Ignore is the file of false positives as the base of the change has it, and
	// IgnoreName where it was; nil when the base has none.
	Ignore     []byte
	IgnoreName string
	// History is a range of commits whose additions are searched for secrets too, as
	// git.Repo.Range takes it; empty for none. Remembered is the file in which clean contents
	// are kept for the next run; empty for none.
	History    string
	Remembered string
	// Archives: what lies inside of archives is searched for secrets too.
	Archives bool
	// Charts renders the Helm charts of the tree; nil: they are told and not rendered.
	Charts *Charts
	// Readers take part in the walk beside the checks.
	Readers []Reader
	Version string // of Verdict
	Now     func() time.Time
}

// Result is everything that one run found out.
type Result struct {
	Standing
	// Repo is nil for a plain folder.
	Repo     *git.Repo
	Manifest *Manifest
	// Reports are those of the checks of secrets, of vulnerabilities, of dependencies and of
	// infrastructure code, in this order.
	Reports []verdict.Report
	// Dependencies are the components that the tree names, and Bill is the bill of
	// materials that lists them.
	Dependencies []inventory.Dependency
	Bill         sbom.Document
}

// Run walks the tree at Path once and runs every check of the layer on it.
func Run(ctx context.Context, o Options) (*Result, error) {
	repo, err := o.repository(ctx)
	if err != nil {
		return nil, err
	}
	dir, scope, prefix := o.Path, ".", ""
	if repo != nil {
		dir = repo.Dir
		if repo.Prefix != "" {
			scope, prefix = wording.Shown(repo.Prefix), repo.Prefix+"/"
		}
	} else if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("path %q: %w", o.Path, err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	history, err := o.history(ctx, repo)
	if err != nil {
		return nil, err
	}
	ignores, told := o.ignores()
	left := outside{list: ignores.LeftOut, file: o.IgnoreName, now: o.Now(), prefix: prefix, part: prefix != "" || o.Diff || len(o.Within) > 0}
	secrets, err := NewSecrets(SecretsOptions{
		Version: o.Version, Ignores: ignoresOf(ignores.FalsePositives, secretKey), IgnoreFile: o.IgnoreName, Now: o.Now, leftOut: left.of(SecretsCheck), prefix: prefix, partial: o.Diff,
	})
	if err != nil {
		return nil, err
	}
	o.Taking.Now = o.Now
	dependencies := NewDependencies(NewComponents(), o.Taking, o.Version)
	vulnerabilities := NewVulnerabilities(o.Matcher, o.Version)
	vulnerabilities.leftOut = left.of(VulnerabilitiesCheck)
	vulnerabilities.partial = o.Diff || len(o.Within) > 0
	readers := []Reader{secrets, dependencies}
	if o.Archives {
		readers = append(readers, secrets.inArchives())
	}
	if dependencies.leftOut = left.of(DependenciesCheck); len(vulnerabilities.leftOut.list)+len(dependencies.leftOut.list) == 0 {
		dependencies.Components = vulnerabilities.Components
	} else { // each leaves out its own
		dependencies.partial = vulnerabilities.partial
		readers = append(readers, vulnerabilities)
	}
	if o.Matcher != nil && o.Matcher.Covers(inventory.EcosystemGo) {
		readers = append(readers, &vulnerabilities.imports)
	}
	infrastructure := NewInfrastructure(o.Version)
	infrastructure.leftOut, infrastructure.prefix, infrastructure.partial = left.of(IaCCheck), prefix, o.Diff || len(o.Within) > 0
	asked, err := o.modules(dir, prefix)
	if err != nil {
		return nil, err
	}
	defer asked.close()
	readers = append(readers, infrastructure)
	o.Walk.Repo = repo
	if len(o.Within) > 0 {
		if o.Walk.Within, err = withAbove(dir, o.Within); err != nil {
			return nil, err
		}
	}
	if o.Diff {
		if o.Walk.Only, err = differing(ctx, repo, dir, o.Base); err != nil {
			return nil, err
		}
	}
	infrastructure.renders(o.Charts, dir, o.Walk)
	infrastructure.asks(asked, false)
	m, err := Walk(ctx, dir, o.Walk, append(readers, o.Readers...)...)
	if err != nil {
		return nil, err
	}
	s, err := o.stand(ctx, repo, dir, m)
	if err != nil {
		return nil, err
	}
	if o.History != "" {
		if err := secrets.searchHistory(ctx, repo, history, o.Walk, o.Remembered); err != nil {
			return nil, err
		}
	}
	found := secrets.Report(m, scope)
	declared, err := infrastructure.Report(ctx, m, scope)
	if err != nil {
		return nil, err
	}
	var stated []verdict.NotChecked
	declared.Hits, declared.Ignored, stated = ignored(declared.Hits, ignoresOf(ignores.FalsePositives, iacKey), o.IgnoreName, o.Now())
	declared.NotChecked = append(declared.NotChecked, stated...)
	reports := []verdict.Report{found, vulnerabilities.Report(m, scope), dependencies.Report(m, scope), declared}
	for i := range reports {
		reports[i].NotChecked = append(reports[i].NotChecked, told...)
		if reports[i].Scope.Paths = o.Within; len(o.Within) > 0 {
			reports[i].NotChecked = append(reports[i].NotChecked, wording.Aside("", "nothing outside of %s was read, but for the files above that name components", wording.Shown(strings.Join(o.Within, ", "))))
		}
	}
	if repo != nil && o.Base != "" {
		if err := o.tellOld(ctx, repo, m, secrets, vulnerabilities, dependencies, infrastructure, reports); err != nil {
			return nil, err
		}
	}
	if o.Diff {
		for i := range reports {
			reports[i].NotChecked = append(reports[i].NotChecked, wording.Aside("", "only what differs from %s was read: %s", short(o.Base), wording.Count(m.Read, "file", "files")))
		}
	}
	return &Result{
		Standing: s, Repo: repo, Manifest: m, Dependencies: vulnerabilities.Dependencies(), Reports: reports, Bill: o.bill(vulnerabilities, m, s),
	}, nil
}

// repository is the one that Path is in; nil for a plain folder.
func (o *Options) repository(ctx context.Context) (*git.Repo, error) {
	if o.Repo != nil {
		return o.Repo, nil
	}
	repo, err := git.Open(ctx, o.Path)
	if errors.Is(err, git.ErrNotRepository) {
		return nil, nil
	}
	return repo, err
}

// history finds the range before anything is read, so that a wrong one is told at once.
func (o *Options) history(ctx context.Context, repo *git.Repo) (git.Range, error) {
	switch {
	case o.History == "":
		return git.Range{}, nil
	case repo == nil:
		return git.Range{}, &verdict.Error{
			Code: verdict.CodeInvalid, What: wording.Shown(o.Path) + " is in no git repository, so it has no history to search",
			Remedy: "leave --history out, or give a folder of a repository",
		}
	}
	return repo.Range(ctx, o.History)
}

// ignores reads the base's false positives. A file that cannot be read excuses nothing:
// that is stricter than the file could be, so it is told and does not block; a change
// that repairs it must be able to pass.
func (o *Options) ignores() (none Ignores, told []verdict.NotChecked) {
	if o.IgnoreName == "" {
		o.IgnoreName = IgnoreFile
	}
	if o.Ignore == nil {
		return none, nil
	}
	list, err := ParseIgnores(o.IgnoreName, o.Ignore)
	if err != nil {
		return none, []verdict.NotChecked{wording.Aside(o.IgnoreName, "its false positives do not count, nor what it leaves out: %s", wording.Shown(err.Error()))}
	}
	return list, nil
}
