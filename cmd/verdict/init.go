package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/git"
	"verdict/report"
)

func initCommand() command {
	return command{
		use: "init [DIR]", short: "Look at a repository and write its verdict.yaml, to begin with",
		long: "Writes a decision map with comments at the top of the repository that DIR is in: every point observes and nothing blocks until you say so. What the repository shows (its remote, its lockfiles, its folders of infrastructure code) is written down; " +
			"who owns it is not guessed, and the lines that say it are left for you. A verdict.yaml that is there already is never touched.",
		example: "verdict init\nverdict init --stdout",
		args:    atMost(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			var show bool
			f.toggle(&show, "stdout", "print the file instead of writing it")
			return func(ctx context.Context, a *app, args []string) error {
				dir := "."
				if len(args) == 1 {
					dir = args[0]
				}
				return a.initialise(ctx, dir, show)
			}
		},
	}
}

// begun is the document verdict.init/v1: what init saw, and what it wrote.
type begun struct {
	Schema         string   `json:"schema"`
	File           string   `json:"file"`   // that was written, or would be
	Wrote          bool     `json:"wrote"`  // false with --stdout
	Remote         string   `json:"remote"` // without credentials; empty: none
	DefaultBranch  string   `json:"default_branch"`
	Lockfiles      []string `json:"lockfiles"`      // that verdict ci reads
	Unread         []string `json:"unread"`         // lockfiles that it does not read yet
	Infrastructure []string `json:"infrastructure"` // folders
	Until          string   `json:"adopting_until"`
	Content        string   `json:"content"`
	ecosystems     []string // of the files that verdict ci reads, more than once; "" for others
}

func (a *app) initialise(ctx context.Context, dir string, show bool) error {
	if err := directory(dir); err != nil {
		return err
	}
	repo, err := git.Open(ctx, dir)
	if errors.Is(err, git.ErrNotRepository) {
		return &verdict.Error{
			Code: verdict.CodeInvalid, What: dir + " is in no git repository, and a change is judged by the map that the repository held before it",
			Remedy: "run git init there first, or name a folder of a repository: verdict init DIR",
		}
	}
	if err != nil {
		return err
	}
	found, err := lookAround(ctx, repo)
	if err != nil {
		return err
	}
	found.Until = a.now().UTC().Add(decisionmap.AdoptingTime).Format(time.DateOnly)
	found.Content = found.file(serviceName(repo, found.Remote))
	if _, err := decisionmap.Load(decisionmap.FileName, []byte(found.Content)); err != nil {
		return fmt.Errorf("the map that init wrote: %w", err)
	}
	if show {
		return a.emit(found, func(report.Style) string { return found.Content })
	}
	if err := createNew(found.File, found.Content); err != nil {
		return err
	}
	found.Wrote = true
	return a.emit(found, func(s report.Style) string { return found.text(s) })
}

// createNew writes a file that must not be there: a link that leads nowhere is there,
// too.
func createNew(file, content string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return &verdict.Error{Code: verdict.CodeConflict, What: "there is a " + file + " already", Remedy: "edit it, and see what it means with verdict map show; verdict init --stdout prints a fresh one to compare"}
	}
	if err == nil {
		if _, err = f.WriteString(content); err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(file))
		}
	}
	if err != nil {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: file + " cannot be written", Remedy: "make the folder writable for this user and see that there is room, or print the file: verdict init --stdout", Err: err}
	}
	return nil
}

// The files by which a folder is known. What verdict ci reads is told from what it does
// not read yet.
var (
	lockfiles = []string{"go.mod", "package-lock.json", "npm-shrinkwrap.json", "requirements.txt", "Cargo.lock", "pom.xml",
		"yarn.lock", "pnpm-lock.yaml", "bun.lock", "poetry.lock", "Pipfile.lock", "uv.lock", "pdm.lock", "pylock.toml",
		"gradle.lockfile", "libs.versions.toml", "packages.lock.json", "packages.config", "composer.lock", "Gemfile.lock", "gems.locked", "mix.lock", "rebar.lock", "pubspec.lock",
		"Package.resolved", "conan.lock", "Podfile.lock", "Chart.lock", ".terraform.lock.hcl"}
	unread    = []string{"bun.lockb", "deno.lock", "paket.lock", "conda-lock.yml", "pixi.lock", "Cartfile.resolved"}
	infraFile = []string{"Chart.yaml", "kustomization.yaml", "kustomization.yml", "Pulumi.yaml", "cdk.json", "serverless.yml", "terragrunt.hcl"}
	infraType = []string{".tf", ".tofu", ".bicep"}
)

// shownFiles bounds how many files of one sort are written into the map's comments.
const shownFiles = 12

// lookAround reads names alone: nothing of the repository is opened or run.
func lookAround(ctx context.Context, repo *git.Repo) (*begun, error) {
	top, err := git.Open(ctx, repo.Root)
	if err != nil {
		return nil, err
	}
	found := &begun{Schema: "verdict.init/v1", File: filepath.Join(repo.Root, decisionmap.FileName), Lockfiles: []string{}, Unread: []string{}, Infrastructure: []string{}}
	files, err := top.Files(ctx)
	if err != nil {
		return nil, err
	}
	if found.Remote, err = top.Remote(ctx); err != nil {
		return nil, err
	}
	var unknown *verdict.Error
	found.DefaultBranch, err = top.DefaultBranch(ctx)
	if err != nil && !errors.Is(err, git.ErrNotFound) && !(errors.As(err, &unknown) && unknown.Code == verdict.CodeUnavailable) {
		return nil, err
	}
	for _, f := range files {
		base := path.Base(f.Path)
		switch {
		case strings.Contains("/"+f.Path, "/node_modules/") || strings.Contains("/"+f.Path, "/vendor/") || strings.Contains("/"+f.Path, "/testdata/"):
		case slices.Contains(lockfiles, base):
			found.Lockfiles = append(found.Lockfiles, f.Path)
			found.ecosystems = append(found.ecosystems, ecosystemOf(f.Path))
		case slices.Contains(unread, base):
			found.Unread = append(found.Unread, f.Path)
		case slices.Contains(infraFile, base) || slices.Contains(infraType, path.Ext(base)):
			found.Infrastructure = append(found.Infrastructure, path.Dir(f.Path))
		default:
			found.ecosystems = append(found.ecosystems, ecosystemOf(f.Path))
		}
	}
	for _, list := range []*[]string{&found.Lockfiles, &found.Unread} {
		sort.Strings(*list)
		*list = slices.Compact(*list)
	}
	found.Infrastructure = topFolders(found.Infrastructure)
	return found, nil
}

// topFolders leaves out folders that lie in another one of the list.
func topFolders(dirs []string) []string {
	sort.Strings(dirs)
	out := []string{}
	for _, d := range dirs {
		if !slices.ContainsFunc(out, func(o string) bool { return o == "." || d == o || strings.HasPrefix(d, o+"/") }) {
			out = append(out, d)
		}
	}
	return out
}

// serviceName proposes what to call the service: the last part of the remote's address,
// else the folder's name, in the letters that the map takes.
func serviceName(repo *git.Repo, remote string) string {
	name := filepath.Base(repo.Root)
	if remote != "" {
		name = strings.TrimSuffix(remote[strings.LastIndexAny(remote, "/:")+1:], ".git")
	}
	name = strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			return c
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		}
		return '-'
	}, name)
	if name = strings.Trim(name, "-_"); name == "" {
		return "my-service"
	}
	return cut(name, 60)
}

// quoted is a text from the repository as YAML takes it, on one line and without
// anything that acts. JSON's strings are YAML's.
func quoted(s string) string {
	b, err := json.Marshal(report.Neutral(s))
	if err != nil {
		return `""`
	}
	return string(b)
}

func quotedList(list []string) string {
	var out []string
	for i, s := range list {
		if i == shownFiles {
			out = append(out, fmt.Sprintf("and %d more", len(list)-shownFiles))
			break
		}
		out = append(out, quoted(s))
	}
	return strings.Join(out, ", ")
}

// file is the map that is written. Only schema and adopting hold as it stands: the
// service is left as comments, because its team and owner are for a person to say, and
// lines without a value are refused when they are uncommented as they are.
func (x *begun) file(service string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# The decision map of this repository: what is decided about a change, and how strictly.")
	line("# Everything that is not said here has a default: `verdict map show` prints all of it.")
	line("# A change is judged by this file as it stood before the change.")
	line("schema: %s", decisionmap.Schema)
	line("")
	line("# While adopting, every point observes: it records what it would have decided, and")
	line("# blocks nothing. Let a point block when its answers are right, under points: below.")
	line("# Until this day some findings of `verdict map lint` are warnings; then they are errors.")
	line("adopting: true")
	line("adopting_until: %s", x.Until)
	line("")
	line("# What this repository is. Nobody can tell from a name who answers for it, so team and")
	line("# owner are yours to fill in: take the # away, and write who is asked when it is blocked.")
	line("# service: %s", service)
	line("# team:   # for example payments")
	line("# owner:  # for example payments-leads@example.com")
	if x.Remote != "" {
		line("# repo: %s", quoted(x.Remote))
	}
	if iac, odd := plainFolders(x.Infrastructure); len(iac) > 0 {
		line("# iac: [%s]", strings.Join(iac, ", "))
		if len(odd) > 0 {
			line("# Infrastructure code is in these folders too, which do not fit into that line: %s.", quotedList(odd))
		}
	}
	line("")
	switch {
	case len(x.Lockfiles) > 0:
		line("# verdict ci matches these against known vulnerabilities: %s.", quotedList(x.Lockfiles))
	default:
		line("# No lockfile that verdict ci reads was found, so it has no dependencies to judge.")
	}
	if len(x.Unread) > 0 {
		line("# These it does not read yet, and it says so each time: %s.", quotedList(x.Unread))
	}
	line("")
	b.WriteString(laterParts)
	return b.String()
}

// laterParts are what a team says when it goes further than its commits: comments, each of
// which holds as it stands when it is uncommented.
const laterParts = `# The rest is for later: who may say yes, where it runs, and who builds it. Take the # away
# from the lines that you need, and put your own names into them.

# Persons, and the accounts by which they are known. verdict people enroll NAME gives each a
# key of their own; verdict help people tells what it is for.
# people:
#   ada: {name: Ada Example, teams: [payments], accounts: {git: ada@example.com}}
#   noor: {name: Noor Example, teams: [payments], accounts: {git: noor@example.com}}

# Where it runs, and what is at stake there. A gate takes what is not said for unknown, and
# never for harmless. verdict gate --env dev NAME@sha256:... asks whether something may go in.
# environments:
#   dev: {tier: dev, exposure: private, data: synthetic, blast_radius: service, rollback: none}
#   staging: {tier: staging, exposure: internal, data: synthetic, blast_radius: service, rollback: required, promote_from: dev}
#   production:
#     tier: prod
#     exposure: internet         # private, internal, partner or internet
#     data: internal             # synthetic, public, internal, confidential or restricted
#     blast_radius: service      # service, zone, regional or global
#     rollback: required         # none, required or tested
#     promote_from: staging
#     soak: 1h                   # how long it is in staging before
#     timezone: Europe/Amsterdam
#     hours: {allow: Mon-Fri 08:00-20:00}

# Who builds, and what their provenance is worth: verdict help builders.
# builders:
#   - name: release
#     identity: https://github.com/example/*/.github/workflows/release.yml@refs/heads/main
#     issuer: https://token.actions.githubusercontent.com
#     builder: https://github.com/actions/runner/github-hosted
#     level: 2
#     build_types: [https://actions.github.io/buildtypes/workflow/v1]
#     parameters: [workflow]

# Whose word counts for what: a builder states provenance, a deploying job deployments.
# trust:
#   - {name: this machine, key: local, kinds: ["*"], services: ["*"], environments: ["*"]}
#   - name: release
#     identity: https://github.com/example/*/.github/workflows/release.yml@refs/heads/main
#     issuer: https://token.actions.githubusercontent.com
#     kinds: [provenance, sbom]
#     services: ["*"]

# points:
#   - {id: ci.secrets, mode: block}         # a leaked secret stops the change
#   - {id: ci.vulnerabilities, mode: block} # so does a dependency that has a fix
#   - {id: artifact.trust, mode: block}     # only what a known builder made from checked source
#   - id: deploy.gate                       # and only that is let in
#     mode: block
#     review: {approvers: [payments], count: 1, not: [author, requester], requires: [scope, rationale, expiry], max_validity: 24h}
`

// maxFolders bounds the folders of infrastructure code in one line.
const maxFolders = 50

// plainFolders are the folders as the map takes them, and those that it does not take.
func plainFolders(dirs []string) (plain, odd []string) {
	for _, d := range dirs {
		if report.Neutral(d) == d && !strings.ContainsAny(d, `\:`) && len(plain) < maxFolders {
			plain = append(plain, quoted(d))
		} else {
			odd = append(odd, d)
		}
	}
	return plain, odd
}

func (x *begun) text(s report.Style) string {
	rows := [][]string{}
	add := func(name string, list []string, none string) {
		if len(list) == 0 {
			rows = append(rows, []string{name, none})
			return
		}
		text := report.Neutral(strings.Join(list[:min(len(list), shownFiles)], ", "))
		if more := len(list) - shownFiles; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		rows = append(rows, []string{name, text})
	}
	add("remote", nonEmpty(x.Remote), "none")
	add("branch", nonEmpty(x.DefaultBranch), "the default branch cannot be told from this clone")
	add("lockfiles", x.Lockfiles, "none that verdict ci reads")
	if len(x.Unread) > 0 {
		add("not read yet", x.Unread, "")
	}
	add("infrastructure", x.Infrastructure, "none found")
	out := s.Strong("Wrote "+report.Neutral(x.File)) + "\n" + report.Table(rows, s.Width, "  ") + "next:\n"
	for _, n := range []string{
		"1. Fill in service, team and owner in the file: ownership is never guessed.",
		"2. verdict map lint",
		"3. git add " + decisionmap.FileName + " and commit it: a change is judged by the file as it stood before.",
		"4. verdict advisories update, then verdict ci",
	} {
		out += report.Wrap(n, s.Width, "  ") + "\n"
	}
	return out
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
