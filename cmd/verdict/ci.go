package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"verdict"
	"verdict/advisory"
	"verdict/ci"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/git"
	"verdict/policy"
	"verdict/report"
)

// ciCheck is what one run of `verdict ci` is asked for.
type ciCheck struct {
	base    string
	diff    string
	service string
	request string
	signers string
	keyring string
	root    string
	issuers []string
	history string
	// archives: what lies inside of archives is searched too.
	archives bool
	// reach: the tools that tell what is called run too.
	reach bool
	// fix: what can be mended safely is written into the working copy.
	fix bool
}

func ciCommand() command {
	return command{
		use: "ci [PATH]", short: "Decide, before anything is built, whether a tree is provably unsafe",
		long: "Walks the tree once, checks it for leaked secrets, for known vulnerable and for unsafe dependencies, records what was checked as signed evidence, " +
			"with the bill of materials of a commit, and decides the ci points of the map. Of a commit it also states who owns the changed paths, what git tells of the change and what the forge tells of its review, and decides the code points. A clean working copy is judged as its commit; an uncommitted one as itself, and never satisfies a need about a commit. " +
			"The change is judged by the map of its base or the released one, never by its own. " +
			"Tools for which the released map gives command and format under sources: are run over the tree, and their reports decide like its own checks (verdict help tools).\n\n" +
			"With --diff only the files that differ from where the change left BRANCH are read, committed or not: a quick answer for whoever writes the change, which says nothing about the commit. " +
			"What was there before the change is told from what it brings in either case. Of a vulnerable Go module it is told whether the affected package is imported, where the tree tells that, and with --reach whether an affected function is called; it excuses nothing.",
		example: "verdict ci\nverdict ci ./service -o json\nverdict ci -o sarif=verdict.sarif -o markdown=summary.md\nverdict ci --base origin/release\nverdict ci --diff origin/main\nverdict ci --history HEAD~50..HEAD\nverdict ci --service payments-api\nverdict ci --reach\nverdict ci --request 7 --allowed-signers /etc/verdict/signers\nverdict ci -o cyclonedx=sbom.json -o spdx=sbom.spdx.json",
		args:    atMost(1), formats: slices.Concat(report.Formats, report.BillFormats), judges: true,
		setup: func(f *flags) runner {
			c := &ciCheck{}
			f.text(&c.base, "base", "BRANCH", "branch that the change goes to; default: the repository's default branch")
			f.text(&c.diff, "diff", "BRANCH", "read only what differs from where the change left BRANCH: the quick answer, not the one of record")
			f.text(&c.history, "history", "RANGE", "search what the commits FROM..TO added for secrets too; one revision means all of its history")
			f.toggle(&c.archives, "archives", "search for secrets inside of archives too: zip and what is made like it, tar, gzip, bzip2, zstd")
			f.toggle(&c.reach, "reach", "also run the tools of the map that tell whether a vulnerable function is called, those that run on demand included")
			f.toggle(&c.fix, "fix", "write what can be mended safely into the files after they were judged, and show the change: versions in files without lockfile, pins from the table of pins")
			f.text(&c.service, "service", "NAME", "service of the map that is judged; where it has paths of its own, only those are read, and nothing else is said of the commit")
			f.text(&c.request, "request", "ID", "number of the pull or merge request that brings the commit, where the pipeline does not tell it")
			f.text(&c.signers, "allowed-signers", "FILE", "keys whose signatures of commits count, as ssh-keygen(1) describes under ALLOWED SIGNERS; a file of the repository counts as the base of the change has it")
			f.text(&c.keyring, "openpgp-keys", "FILE", "OpenPGP public keys whose signatures of commits count, as gpg --export writes them, each for every address in its user ids; a file of the repository counts as the base of the change has it")
			f.text(&c.root, "trusted-root", "FILE", "trusted_root.json of the authorities and logs by which the certificates are judged that gitsign signs commits with; a file of the repository counts as the base of the change has it")
			f.list(&c.issuers, "certificate-oidc-issuer", "URL", "issuer that may vouch for the identity in a certificate by which gitsign signed, exactly; repeatable, and given with --trusted-root")
			return c.run
		},
	}
}

func (c *ciCheck) run(ctx context.Context, a *app, args []string) (err error) {
	path := "."
	if len(args) == 1 {
		path = args[0]
	}
	if err := directory(path); err != nil {
		return err
	}
	var rules sync.WaitGroup
	rules.Go(func() { _, _ = policy.Builtin() }) // whoever needs them gets the error too
	defer rules.Wait()
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	repo, err := repository(ctx, path)
	if err != nil {
		return err
	}
	to, err := c.goesTo(a.env, repo)
	if err != nil {
		return err
	}
	judged, own, service, err := w.judges(ctx, repo, to, c.service)
	if err != nil {
		return err
	}
	if c.reach {
		if err := unreachable(judged.Map); err != nil {
			return err
		}
	}
	within, err := c.within(ctx, judged, repo)
	if err != nil {
		return err
	}
	started := w.now()
	checked, err := w.check(ctx, path, repo, judged, ci.Options{Diff: c.diff != "", Within: within, History: c.history, Archives: c.archives})
	if err != nil {
		return err
	}
	checked.Bill.Name = service
	told, err := w.withTools(ctx, judged.Map, checked, path, c.reach)
	if err != nil {
		return err
	}
	for i := range checked.Reports {
		if err := w.tellRecurring(ctx, &checked.Reports[i], checked.Subject, service, repo); err != nil {
			return err
		}
	}
	unrecorded, err := w.recordChecks(ctx, checked, started, judged.Map, service)
	if err != nil {
		return err
	}
	r := decide.Request{
		Subject: checked.Subject, Service: service, Team: judged.Map.Services[service].Team, Trigger: "verdict ci", Actor: w.actor(), Run: pipelineRun(a.env),
	}
	first, err := c.codeLayer(ctx, w, repo, judged, own, checked, r)
	if err != nil {
		return err
	}
	run, err := w.decideAll(ctx, verdict.LayerCI, judged, own, r)
	if err != nil {
		return err
	}
	if checked.Uncommitted() { // the answer is about the tree, and the commit is beside it
		run = together(run, first)
	} else {
		run = together(first, run)
	}
	run.Command, run.Reports = strings.TrimSpace("verdict ci "+strings.Join(args, " ")), checked.Reports
	run.Bill, run.Notes = &checked.Bill, slices.Concat(scoped(c.service, within), run.Notes, uncommitted(checked), told, unrecorded)
	if c.fix {
		if run.Mended, err = w.mend(ctx, checked, path); err != nil {
			return err
		}
	}
	return a.conclude(run)
}

// judges finds what judges the tree of a repository: the map with the rules that it names
// beside itself, and the service of the map that the tree is of. A map that cannot be told
// is an error.
func (w *workspace) judges(ctx context.Context, repo *git.Repo, to goal, named string) (j judgedBy, own map[string]string, service string, err error) {
	if j, err = w.judgeBy(ctx, repo, to); err != nil {
		return j, nil, "", err
	}
	if j.Unknown != nil {
		return j, nil, "", j.Unknown
	}
	if own, err = w.rulesOf(ctx, repo, j); err != nil {
		return j, nil, "", err
	}
	service, err = (&ciCheck{service: named}).serviceOf(ctx, j.Map, repo)
	return j, own, service, err
}

// goesTo is where the change goes, as far as anybody says it: a person before the pipeline.
func (c *ciCheck) goesTo(env environment, repo *git.Repo) (goal, error) {
	switch {
	case c.diff == "" && c.base == "":
		return pipelineGoal(env), nil
	case c.diff == "":
		return goal{Named: c.base}, nil
	case c.base != "" && c.base != c.diff:
		return goal{}, usage("verdict ci --help", fmt.Sprintf("--base says that the change goes to %s, and --diff that it is compared with %s", c.base, c.diff), "give one of the two: --diff takes the branch that the change goes to as well")
	case repo == nil:
		return goal{}, usage("verdict ci --help", "--diff compares with a branch, and this folder is in no git repository", "leave --diff out, or give a folder of a repository")
	}
	return goal{Named: c.diff}, nil
}

// directory says early, and in plain words, that there is no tree to judge.
func directory(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeUsage, What: fmt.Sprintf("%s is not a folder", path), Remedy: "name the folder of the tree to judge: verdict ci PATH", Err: err,
	}
}

// repository opens the repository that a folder is in; nil for a plain folder.
func repository(ctx context.Context, path string) (*git.Repo, error) {
	repo, err := git.Open(ctx, path)
	if errors.Is(err, git.ErrNotRepository) {
		return nil, nil
	}
	return repo, err
}

// searchedFile keeps which contents of histories were found clean, beside the ledger.
const searchedFile = "searched.contents"

// check walks the tree once with every reader of the ci layer, and searches history when
// it is asked to.
func (w *workspace) check(ctx context.Context, path string, repo *git.Repo, judged judgedBy, o ci.Options) (*ci.Result, error) {
	if o.Diff && judged.Base == "" {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "nothing came before this commit that --diff could compare it with", Remedy: "leave --diff out: verdict ci reads the whole tree",
		}
	}
	o.Path, o.Repo, o.Base, o.Now, o.Version = path, repo, judged.Base, w.app.now, version()
	o.Remembered = filepath.Join(w.dir, searchedFile)
	if repo != nil {
		o.Walk.Written = w.app.writtenBelow(repo.Dir)
	}
	tree, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", path, err)
	}
	if repo != nil {
		tree = repo.Root
	}
	o.Charts = w.charts(judged.Map, tree)
	takes := judged.Map.Dependencies
	o.Taking = ci.Taking{Internal: takes.Internal, AllowLicences: takes.Licences.Allow, DenyLicences: takes.Licences.Deny}
	o.Modules = approvedModules(judged.Map)
	known, err := tables(w.dir)
	if err != nil {
		return nil, err
	}
	o.Taking.Popular, o.Taking.EndOfLife = known.popular, known.eol
	index, err := w.advisories()
	if err != nil {
		return nil, err
	}
	if index != nil {
		defer index.Close()
		o.Matcher = index
	}
	if repo != nil {
		if o.Ignore, err = fileAt(ctx, repo, judged.Base, ci.IgnoreFile); err != nil {
			return nil, err
		}
	}
	step := w.app.progress.phase("checking " + path)
	o.Walk.Progress = func(done, of int) { step.say("%d of %d files", done, of) }
	return ci.Run(ctx, o)
}

// writtenBelow are the files that -o writes, by their paths below dir.
func (a *app) writtenBelow(dir string) []string {
	var out []string
	for _, o := range a.config.Output {
		if p, below := pathBelow(dir, o.File); o.File != "" && below {
			out = append(out, p)
		}
	}
	return out
}

// uncommitted says in what a tree is not its commit, so that nobody takes its decision
// for one about the commit.
func uncommitted(r *ci.Result) []string {
	if !r.Uncommitted() {
		return nil
	}
	if r.Partial {
		return r.Differences
	}
	note := "this is the uncommitted tree, and its checks say nothing about a commit"
	if len(r.Differences) > 0 {
		note += ": " + r.Differences[0]
	}
	if more := len(r.Differences) - 1; more > 0 {
		note += fmt.Sprintf(" (and %d more)", more)
	}
	return []string{note}
}

// advisories opens the index of vulnerability data; nil when none was imported yet.
func (w *workspace) advisories() (*advisory.Index, error) {
	index, err := advisory.Open(filepath.Join(w.dir, advisoryFile))
	var e *verdict.Error
	if errors.As(err, &e) && e.Code == verdict.CodeNotFound {
		return nil, nil
	}
	return index, err
}

// recordChecks signs each report, and the bill of materials, as evidence about the
// subject, and records them together. It gives notes on what was not recorded.
func (w *workspace) recordChecks(ctx context.Context, r *ci.Result, started time.Time, m *decisionmap.Map, service string) (notes []string, err error) {
	c := w.aboutChange(m, service)
	bill, note, err := w.bill(ctx, r, c)
	if err != nil {
		return nil, err
	}
	bundles, err := w.signChecks(ctx, r.Reports, r.Subject, started, c)
	if err != nil {
		return nil, err
	}
	if bill != nil {
		bundles = append(bundles, bill)
	}
	if note != "" {
		notes = []string{note}
	}
	if _, err := w.ledger.AppendAll(ctx, bundles); err != nil {
		return nil, fmt.Errorf("record what was checked: %w", err)
	}
	return notes, nil
}

// aboutChange is the context of evidence about a change of a service.
func (w *workspace) aboutChange(m *decisionmap.Map, service string) verdict.Context {
	return verdict.Context{
		Service: service, Team: m.Services[service].Team, Run: pipelineRun(w.app.env), Actor: w.actor(), At: w.now(), Retention: "change",
	}
}

// signChecks signs each report as evidence about the subject.
func (w *workspace) signChecks(ctx context.Context, reports []verdict.Report, about verdict.Subject, started time.Time, c verdict.Context) ([]*evidence.Bundle, error) {
	var bundles []*evidence.Bundle
	for _, x := range reports {
		c.Point = "ci." + x.Check
		s, err := evidence.NewCheck(x, []verdict.Subject{about}, started, w.now(), c, w.app.rand)
		if err != nil {
			return nil, fmt.Errorf("state the check %s: %w", x.Check, err)
		}
		b, err := evidence.Sign(ctx, s, w.signer)
		if err != nil {
			return nil, fmt.Errorf("sign the check %s: %w", x.Check, err)
		}
		bundles = append(bundles, b)
	}
	return bundles, nil
}

// decideAll asks every point of a layer.
func (w *workspace) decideAll(ctx context.Context, layer verdict.Layer, judged judgedBy, own map[string]string, r decide.Request) (report.Run, error) {
	return w.decideAt(ctx, func(p decisionmap.Point) bool { return p.Layer == layer }, judged, own, r)
}

// decideAt asks the points that are chosen, by the map and the rules that it names beside
// itself. Points without rules are told apart, and never passed over.
func (w *workspace) decideAt(ctx context.Context, chosen func(decisionmap.Point) bool, judged judgedBy, own map[string]string, r decide.Request) (report.Run, error) {
	run := report.Run{Version: version(), At: w.now(), ReportOnly: w.app.config.ReportOnly, Notes: []string{"judged by " + judged.From}}
	e, err := w.decider(ctx, judged, own)
	if err != nil {
		return run, err
	}
	for _, p := range judged.Map.Points {
		if !chosen(p) {
			continue
		}
		r.Point = p.ID
		d, _, err := e.Decide(ctx, r)
		if errors.Is(err, errNotBuilt) {
			run.NotBuilt = append(run.NotBuilt, p.ID)
			continue
		}
		if err != nil {
			return run, err
		}
		run.Decisions = append(run.Decisions, d)
	}
	run.Notes = append(run.Notes, e.notes()...)
	return run, nil
}
