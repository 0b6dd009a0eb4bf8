package ci

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/wording"
	"verdict/git"
)

// maxBefore bounds how many files of the base are read to tell old findings from new ones.
// Findings in further files count as new.
const maxBefore = 2_000

// before is the base of a change: what was there already.
type before struct {
	repo  *git.Repo
	files map[string]string   // blob ids of regular files, by path
	paths map[string][]string // of each blob
	// partial: the manifest holds what differs from the base, and not the rest.
	partial bool
	scoped  bool // the manifest holds the paths of one service
	// named is what the base's files name, once it was asked for, by what is left out.
	named []*Dependencies
}

// tellOld marks in the reports what the base of the change has as well.
func (o *Options) tellOld(ctx context.Context, repo *git.Repo, m *Manifest, s *Secrets, v *Vulnerabilities, d *Dependencies, x *Infrastructure, reports []verdict.Report) error {
	c, err := repo.Commit(ctx, o.Base)
	if err != nil {
		return err
	}
	any := d.inputs > 0 // what a lockfile had before the change is a question of its own
	for i := range reports {
		reports[i].Base = c.ID
		any = any || len(reports[i].Hits) > 0
	}
	if !any { // many changes: then the base is not read
		return nil
	}
	b, err := baseOf(ctx, repo, c.ID)
	if err != nil {
		return err
	}
	b.partial, b.scoped = o.Diff, len(o.Within) > 0
	b.tell(ctx, m, s, v, d, x, reports)
	return nil
}

// baseOf reads which files a commit holds.
func baseOf(ctx context.Context, repo *git.Repo, commit verdict.Digest) (*before, error) {
	entries, err := repo.Entries(ctx, commit.Hex())
	if err != nil {
		return nil, err
	}
	b := &before{repo: repo, files: make(map[string]string, len(entries)), paths: make(map[string][]string, len(entries))}
	for _, e := range entries {
		if e.Mode == git.ModeFile || e.Mode == git.ModeProgram {
			b.files[e.Path], b.paths[e.ID] = e.ID, append(b.paths[e.ID], e.Path)
		}
	}
	return b, nil
}

// tell marks what the base has as well. The base is searched by the check itself, which
// leaves out there what it leaves out here, in the files that matter: for secrets those
// with a hit, for components all that name some.
func (b *before) tell(ctx context.Context, m *Manifest, secrets *Secrets, v *Vulnerabilities, d *Dependencies, x *Infrastructure, reports []verdict.Report) {
	for i := range reports {
		r := &reports[i]
		var err error
		switch {
		case r.Check == DependenciesCheck:
			err = b.oldDependencies(ctx, m, d, r)
		case len(r.Hits) == 0:
		case r.Check == SecretsCheck:
			if err = b.oldSecrets(ctx, m, secrets, r.Hits); err == nil {
				err = b.oldCommits(ctx, r)
			}
		case r.Check == VulnerabilitiesCheck:
			err = b.oldComponents(ctx, m, v, d, r.Hits)
		case r.Check == IaCCheck:
			err = b.oldInfrastructure(ctx, m, x, r.Hits)
		}
		if err != nil {
			for i := range r.Hits {
				r.Hits[i].Old = false
			}
			r.Base = ""
			r.NotChecked = append(r.NotChecked, wording.Aside("", "what of this was there before the change could not be told, so all of it counts as new: %s", wording.Shown(wording.Cut(lastCause(err).Error(), 300))))
		}
	}
}

func (b *before) oldSecrets(ctx context.Context, m *Manifest, s *Secrets, hits []verdict.Hit) error {
	now := map[string]Entry{} // by path as hits name it
	for _, e := range m.Entries {
		now[wording.Shown(e.Path)] = e
	}
	probe, err := NewSecrets(SecretsOptions{Now: s.o.Now, leftOut: s.o.leftOut, prefix: s.o.prefix})
	if err != nil {
		return err
	}
	unpacked := probe.inArchives()
	seen, moved := &Manifest{}, make([][]string, len(hits))
	for i, h := range hits {
		e, known := now[h.Path]
		if archive, _, packed := strings.Cut(h.Path, inArchive); packed && !known {
			e, known = now[archive]
		}
		if !known {
			continue
		}
		if hits[i].Old = b.files[e.Path] == e.Blob; hits[i].Old {
			continue
		}
		// The same content under another name is old where it was moved, and new where it
		// was copied.
		moved[i] = b.movedFrom(m, now, e)
		for _, p := range append([]string{e.Path}, moved[i]...) {
			if err := b.read(ctx, p, seen, probe, unpacked); err != nil {
				return err
			}
		}
	}
	keys := map[string]bool{}
	for _, h := range probe.Report(seen, ".").Hits {
		keys[h.Key] = true
	}
	for i, h := range hits {
		hits[i].Old = h.Old || keys[h.Key] || slices.ContainsFunc(moved[i], func(p string) bool { return keys[keyAt(h, s.o.prefix, p)] })
	}
	return nil
}

// keyAt is the key that a hit on a secret would have in another file.
func keyAt(h verdict.Hit, prefix, p string) string {
	where, _, _ := strings.Cut(h.Path, inArchive) // what lies in an archive moves with it
	before, after, _ := strings.Cut(h.Key, ":"+wording.Shown(prefix)+where)
	return before + ":" + wording.Shown(prefix+p) + after
}

// movedFrom are the paths of the base that held the content of an entry and are gone.
func (b *before) movedFrom(m *Manifest, now map[string]Entry, e Entry) []string {
	var out []string
	for _, p := range b.paths[e.Blob] {
		if p != e.Path && b.left(m, now, p) {
			out = append(out, p)
		}
	}
	return out
}

// oldCommits goes by the commit where a hit is one of history: what the file holds today
// says nothing of it.
func (b *before) oldCommits(ctx context.Context, r *verdict.Report) error {
	if !slices.ContainsFunc(r.Hits, func(h verdict.Hit) bool { return h.Commit != "" }) {
		return nil
	}
	since, err := b.repo.Range(ctx, r.Base.Hex()+".."+r.History.To.Hex())
	if err != nil {
		return err
	}
	brought := map[string]bool{}
	for _, c := range since.Commits {
		brought[c] = true
	}
	for i, h := range r.Hits {
		if h.Commit != "" {
			r.Hits[i].Old = !brought[h.Commit.Hex()]
		}
	}
	return nil
}

// left reports whether a path of the base is no longer in the tree.
func (b *before) left(m *Manifest, now map[string]Entry, p string) bool {
	if _, there := now[wording.Shown(p)]; there {
		return false
	}
	i := slices.IndexFunc(m.Skipped, func(s Skip) bool { return s.File.Path == p })
	return i < 0 && !b.partial || i >= 0 && m.Skipped[i].Gone
}

// oldComponents goes by the component and the folder whose files name it: an advisory that
// was published since makes an old component vulnerable, and the change did not bring it. A
// hit that stands for several folders is old where all of them are.
func (b *before) oldComponents(ctx context.Context, m *Manifest, v *Vulnerabilities, d *Dependencies, hits []verdict.Hit) error {
	probe := d.like()
	probe.leftOut = v.leftOut
	if !b.touched(m, probe) {
		for i := range hits {
			hits[i].Old = true
		}
		return nil
	}
	base, err := b.components(ctx, probe)
	if err != nil {
		return err
	}
	now := map[string]Entry{} // by path as hits name it
	for _, e := range m.Entries {
		now[wording.Shown(e.Path)] = e
	}
	type place struct{ purl, folder string }
	there := map[place]bool{}
	for _, d := range base.Dependencies() {
		there[place{d.PURL, path.Dir(d.Source)}] = true
	}
	places := byPURL(v.Dependencies())
	for i, h := range hits {
		if h.Vulnerability == nil {
			continue
		}
		purl := h.Vulnerability.Component.PURL
		hits[i].Old = !slices.ContainsFunc(places[purl], func(d inventory.Dependency) bool {
			folders := []string{path.Dir(d.Source)}
			for _, p := range b.movedFrom(m, now, now[wording.Shown(d.Source)]) {
				folders = append(folders, path.Dir(p))
			}
			return !slices.ContainsFunc(folders, func(f string) bool { return there[place{purl, f}] })
		})
	}
	return nil
}

// oldDependencies goes by the keys that the check gives the base, and adds what only the
// comparison with it shows, which is never old.
func (b *before) oldDependencies(ctx context.Context, m *Manifest, d *Dependencies, r *verdict.Report) error {
	if !b.touched(m, d) {
		for i := range r.Hits {
			r.Hits[i].Old = true
		}
		return nil
	}
	base, err := b.components(ctx, d.like())
	if err != nil {
		return err
	}
	keys := map[string]bool{}
	for _, h := range base.Report(&Manifest{}, ".").Hits {
		keys[h.Key] = true
	}
	for i, h := range r.Hits {
		r.Hits[i].Old = keys[h.Key]
	}
	d.Against(r, base.Components)
	return nil
}

// touched reports whether a file that names components is not as in the base, or is gone.
func (b *before) touched(m *Manifest, d *Dependencies) bool {
	there := 0
	for _, e := range m.Entries {
		if e.Mode == git.ModeLink || !d.Wants(File{Path: e.Path, Size: e.Size}) {
			continue
		}
		if b.files[e.Path] != e.Blob {
			return true
		}
		there++
	}
	return slices.ContainsFunc(m.Skipped, func(s Skip) bool { return s.Gone && d.Wants(s.File) }) || there < b.naming(d)
}

// naming counts the files of the base that name components; 0 where the tree at hand is
// only a part of it.
func (b *before) naming(d *Dependencies) (n int) {
	if b.partial || b.scoped {
		return 0
	}
	for p := range b.files {
		if d.Wants(File{Path: p}) {
			n++
		}
	}
	return n
}

// components reads what the base's files name, once, by a check that has read nothing.
func (b *before) components(ctx context.Context, probe *Dependencies) (*Dependencies, error) {
	for _, known := range b.named {
		if slices.EqualFunc(known.leftOut.list, probe.leftOut.list, func(x, y LeftOut) bool { return x.Path == y.Path && x.Expires == y.Expires }) {
			return known, nil
		}
	}
	seen := &Manifest{}
	for _, p := range slices.Sorted(maps.Keys(b.files)) {
		if !probe.Wants(File{Path: p}) {
			continue
		}
		if err := b.read(ctx, p, seen, probe); err != nil {
			return nil, err
		}
	}
	b.named = append(b.named, probe)
	return probe, nil
}

// read offers a file of the base to a reader, once.
func (b *before) read(ctx context.Context, p string, seen *Manifest, readers ...Reader) error {
	id, there := b.files[p]
	if !there || len(seen.Entries) >= maxBefore || slices.ContainsFunc(seen.Entries, func(e Entry) bool { return e.Path == p }) {
		return nil
	}
	content, err := b.repo.Blob(ctx, id)
	if err != nil {
		return err
	}
	seen.Entries = append(seen.Entries, Entry{Path: p, Mode: git.ModeFile, Size: int64(len(content))})
	f := File{Path: p, Size: int64(len(content))}
	for _, r := range readers {
		if r.Wants(f) {
			r.Read(ctx, f, content)
		}
	}
	return ctx.Err()
}
