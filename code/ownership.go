package code

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/git"
)

// Question is the change that is asked about, and by what it is judged.
type Question struct {
	Repo *git.Repo
	// Base is where the change left its target, in hex; empty for a first commit. Head is
	// its last commit.
	Base, Head string
	// Against names for people what Base was found with.
	Against string
	Map     *decisionmap.Map // that judges the change
	People  People
	// Forge is the forge that the repository is on, as package forge names it; empty when
	// that is not known. It says which form of CODEOWNERS counts.
	Forge string
	// Made is true where the forge says that it made Head itself when it merged the request:
	// whoever pressed the button stands in it as committer, and wrote nothing of it.
	Made bool
	// Reviewed is the last commit of that request. Where Head and what lies before it are
	// its commits made anew, the forge made each of them.
	Reviewed string
	// Keys and Keyring are whose signatures of commits can be verified, by SSH and OpenPGP.
	Keys    Keys
	Keyring Keyring
	// Certificates judge the signatures with a certificate; nil when nothing was given that
	// they could be judged by. Issuers may vouch for the identities in them.
	Certificates Certificates
	Issuers      []string
	Now          time.Time
}

// OwnersOf is Owners for the paths of a change; where those are not known, nobody knows
// whose they are. The paths are taken from git once more, byte for byte: those that the
// change states were made fit to be shown.
func OwnersOf(ctx context.Context, q Question, c verdict.Change) (verdict.Ownership, error) {
	if c.State != verdict.StateVerified {
		return verdict.Ownership{Knowledge: c.Knowledge, Map: q.Map.Digest(), Sources: []verdict.OwnershipSource{}, Groups: []verdict.OwnedPaths{}}, nil
	}
	changed, err := q.Repo.Changed(ctx, q.Base, q.Head)
	if err != nil {
		return verdict.Ownership{}, err
	}
	paths := make([]string, len(changed))
	for i, f := range changed {
		paths[i] = f.Path
	}
	return Owners(ctx, q, paths)
}

// Owners says who owns the paths by the files of the base and the services of the map.
func Owners(ctx context.Context, q Question, paths []string) (verdict.Ownership, error) {
	o := verdict.Ownership{Knowledge: verified, Map: q.Map.Digest(), Sources: []verdict.OwnershipSource{}, Groups: []verdict.OwnedPaths{}}
	address, err := q.Repo.Remote(ctx)
	if err != nil {
		return o, err
	}
	base, known, err := q.sources(ctx, q.Base, address)
	if err != nil {
		return o, err
	}
	if known.State != verdict.StateVerified {
		o.Knowledge = known
		return o, nil
	}
	if len(paths) > maxFiles {
		o.Knowledge = missing(fmt.Sprintf("the change touches %d paths; owners are told of at most %d", len(paths), maxFiles), "split the change")
		return o, nil
	}
	counts := append([]*source{declared(q.Map, address)}, base...)
	for _, s := range counts {
		o.Sources = append(o.Sources, verdict.OwnershipSource{Path: s.path, Form: s.form, Rules: int64(len(s.rules)), Faults: append([]string{}, s.faults...)})
	}
	rules, _, _ := q.Map.Policies.Beside()
	included, known, err := q.included(ctx)
	if err != nil {
		return o, err
	}
	if known.State != verdict.StateVerified {
		o.Knowledge = known
		return o, nil
	}
	g := &grouping{people: q.People, counts: counts, rules: rules, included: included, at: map[string]int{}}
	for _, p := range paths {
		g.add(p)
	}
	if err := q.brought(ctx, g, address); err != nil {
		return o, err
	}
	o.Groups = append(o.Groups, g.groups...)
	return o, nil
}

// brought tells of the paths that nobody owns whom the change's own files name. That
// counts for nothing, and a person should hear it.
func (q Question) brought(ctx context.Context, g *grouping, address string) error {
	if !slices.ContainsFunc(g.groups, verdict.OwnedPaths.Unowned) {
		return nil
	}
	own, known, err := q.sources(ctx, q.Head, address)
	if err != nil || known.State != verdict.StateVerified {
		return err
	}
	told := &grouping{people: q.People, at: map[string]int{}}
	for _, group := range g.groups {
		if !group.Unowned() {
			told.groups = append(told.groups, group)
			continue
		}
		for _, p := range group.Paths {
			claims, _ := g.claims(own, p)
			told.put(p, group, slices.DeleteFunc(claims, func(c verdict.Claim) bool { return len(c.Owners) == 0 }))
		}
	}
	g.groups = told.groups
	return nil
}

// grouping collects paths with equal answers.
type grouping struct {
	people People
	counts []*source
	rules  string // where the map says that rules of its own are; empty: nowhere
	// included are the files that the pipeline is put together from.
	included []pattern
	groups   []verdict.OwnedPaths
	at       map[string]int
}

func (g *grouping) protected(p string) bool {
	return protectedPath(p) || g.rules != "" && inFolder(p, g.rules) || slices.ContainsFunc(g.included, func(x pattern) bool { return x.matches(p) })
}

func (g *grouping) add(p string) {
	claims, units := g.claims(g.counts, p)
	answer := verdict.OwnedPaths{Claims: claims, Protected: g.protected(p), Persons: []string{}}
	for _, u := range units {
		answer.Persons = append(answer.Persons, personsOf(u.owners)...)
		answer.Own = answer.Own || !u.whole
		for _, other := range units {
			answer.Conflict = answer.Conflict || !agree(u.owners, other.owners)
		}
	}
	slices.Sort(answer.Persons)
	answer.Persons = slices.Compact(answer.Persons)
	g.put(p, answer, []verdict.Claim{})
}

// put adds the path to the group of its answer.
func (g *grouping) put(p string, answer verdict.OwnedPaths, brought []verdict.Claim) {
	var key strings.Builder
	fmt.Fprint(&key, answer.Protected, answer.Conflict, answer.Own)
	for _, c := range slices.Concat(answer.Claims, []verdict.Claim{{}}, brought) {
		fmt.Fprintf(&key, "\x00%s\x00%d\x00%s\x00%s", c.File, c.Line, c.Pattern, c.Section)
	}
	i, ok := g.at[key.String()]
	if !ok {
		i = len(g.groups)
		g.at[key.String()] = i
		answer.Paths, answer.Brought = []string{}, brought
		g.groups = append(g.groups, answer)
	}
	g.groups[i].Paths = append(g.groups[i].Paths, shown(p))
}

// unit is what one voice says of a path: a file, or one service or entity in it.
type unit struct {
	name   string
	owners []owner
	whole  bool // it names the path only among all that there is
}

// claims lists what each source says of a path, and the voices that name an owner.
func (g *grouping) claims(sources []*source, p string) ([]verdict.Claim, []unit) {
	claims, units := []verdict.Claim{}, []unit{}
	for _, s := range sources {
		for _, r := range s.counting(p) {
			c := verdict.Claim{File: r.file, Line: r.line, Pattern: shown(r.text), Section: shown(r.title), Owners: []string{}}
			var owners []owner
			for _, written := range r.owners {
				o := g.people.owner(written)
				owners = append(owners, o)
				c.Owners = append(c.Owners, o.word)
			}
			claims = append(claims, c)
			if len(owners) == 0 {
				continue
			}
			i := slices.IndexFunc(units, func(u unit) bool { return u.name == r.unit })
			if i < 0 {
				i, units = len(units), append(units, unit{name: r.unit, whole: true})
			}
			units[i].owners = append(units[i].owners, owners...)
			units[i].whole = units[i].whole && r.whole
		}
	}
	return claims, units
}

// counting lists the rules of a source that count for a path: of folders the deepest.
func (s *source) counting(p string) []rule {
	if s.form == formGitHub || s.form == formGitLab {
		return s.of(p)
	}
	var out []rule
	deepest := -1
	for _, r := range s.rules {
		if !r.matches(p) {
			continue
		}
		depth := 0
		if !r.whole {
			depth = len(r.parts)
		}
		if depth > deepest {
			deepest, out = depth, nil
		}
		if depth == deepest {
			out = append(out, r)
		}
	}
	return out
}

// declared is what the map says of the services of this repository. A service that says
// no address is here only where the map is the repository's own, or has no other: a
// repository's name tells nothing.
func declared(m *decisionmap.Map, address string) *source {
	s := &source{path: decisionmap.FileName, form: "map"}
	names := make([]string, 0, len(m.Services))
	for name := range m.Services {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		service := m.Services[name]
		origin := m.Origin("services." + name + ".paths")
		own := !m.IsOrganisation() || len(names) == 1 || strings.HasPrefix(origin.Name, decisionmap.FileName)
		switch {
		case service.Repo == "" && !own:
			s.fault(origin.Line, "service %s names no repo, so it is not known whether it is this one", name)
			continue
		case service.Repo != "" && !git.SameRepository(service.Repo, address):
			continue
		}
		var owners []string
		for _, o := range []string{service.Team, service.Owner} {
			if o != "" {
				owners = append(owners, o)
			}
		}
		for _, folder := range service.Paths {
			s.rules = append(s.rules, rule{
				pattern: folderPattern(path.Clean(folder)), text: folder, line: int64(origin.Line), owners: owners, file: fileName(origin), unit: "service " + name,
			})
		}
	}
	return s
}

func fileName(o decisionmap.Origin) string {
	if o.Name == "" {
		return decisionmap.FileName
	}
	return shown(o.Name)
}

// sources reads the ownership files of a revision: the one CODEOWNERS that its forge
// takes, and every catalog file.
func (q Question) sources(ctx context.Context, rev, address string) ([]*source, verdict.Knowledge, error) {
	if rev == "" {
		return nil, verified, nil
	}
	entries, err := q.Repo.Top().Entries(ctx, rev)
	if k, ok := notHeld(err); ok {
		return nil, k, nil
	}
	if err != nil {
		return nil, verdict.Knowledge{}, err
	}
	chosen, faults := q.choose(entries)
	if len(chosen) > maxCatalogs {
		return nil, missing(fmt.Sprintf("%s holds more than %d ownership files", short(rev), maxCatalogs), "leave the catalog files that say nothing of owners out of the repository"), nil
	}
	ids := make([]string, len(chosen))
	for i, e := range chosen {
		ids[i] = e.ID
	}
	objects, err := q.Repo.Objects(ctx, ids, maxOwnership)
	if k, ok := notHeld(err); ok {
		return nil, k, nil
	}
	if err != nil {
		return nil, verdict.Knowledge{}, err
	}
	var out []*source
	for i, e := range chosen {
		switch o := objects[i]; {
		case o.Missing:
			return nil, missing(fmt.Sprintf("this clone does not hold %s of %s", shown(e.Path), short(rev)), refetch), nil
		case o.Data == nil && o.Size > 0:
			s := &source{path: e.Path, form: formGitHub}
			s.fault(1, "the file has %d bytes; above %d the forges read nothing of it, and it owns nothing", o.Size, maxOwnership)
			out = append(out, s)
		case path.Base(e.Path) == catalogFile:
			out = append(out, parseCatalog(e.Path, address, o.Data))
		default:
			out = append(out, parseOwners(e.Path, q.form(e.Path), o.Data))
		}
	}
	if len(faults) > 0 {
		out = append(out, &source{path: "CODEOWNERS", form: q.form(""), faults: faults})
	}
	return out, verified, nil
}

const refetch = "fetch what is missing: git fetch --refetch, or git fetch --unshallow, or clone again without --filter; then run `verdict ci` again"

func short(rev string) string { return rev[:min(len(rev), 12)] }

// form is that of the place or the forge; empty: as the content tells.
func (q Question) form(at string) string {
	switch {
	case q.Forge == formGitLab, strings.HasPrefix(at, ".gitlab/"):
		return formGitLab
	case q.Forge == formGitHub, strings.HasPrefix(at, ".github/"):
		return formGitHub
	}
	return ""
}

// choose picks the ownership files of a tree. Of several CODEOWNERS the forges take one.
func (q Question) choose(entries []git.Entry) (chosen []git.Entry, faults []string) {
	order := ownersAt
	switch q.Forge {
	case formGitHub:
		order = ownersAt[:3]
	case formGitLab:
		order = []string{"CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"}
	}
	best := len(order)
	var owners git.Entry
	for _, e := range entries {
		file := e.Mode == git.ModeFile || e.Mode == git.ModeProgram
		at := slices.Index(order, e.Path)
		switch {
		case at >= 0 && !file:
			faults = append(faults, e.Path+": it is no regular file, and owns nothing")
		case at >= 0 && at < best:
			if best < len(order) {
				faults = append(faults, owners.Path+": not read, "+e.Path+" comes first")
			}
			best, owners = at, e
		case at >= 0:
			faults = append(faults, e.Path+": not read, "+owners.Path+" comes first")
		case file && path.Base(e.Path) == catalogFile:
			chosen = append(chosen, e)
		}
	}
	if best < len(order) {
		chosen = append([]git.Entry{owners}, chosen...)
	}
	return chosen, faults
}
