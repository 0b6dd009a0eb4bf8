package ci

import (
	"context"
	"slices"

	"verdict"
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
	// named is what the base's files name, once it was asked for.
	named *Dependencies
}

// tellOld marks in the reports what the base of the change has as well.
func (o *Options) tellOld(ctx context.Context, repo *git.Repo, m *Manifest, s *Secrets, d *Dependencies, reports []verdict.Report) error {
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
	b.tell(ctx, m, s, d, reports)
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

// tell marks what the base has as well. The base is searched by the check itself, in the
// files that matter: for secrets those with a hit, for components all that name some.
func (b *before) tell(ctx context.Context, m *Manifest, secrets *Secrets, d *Dependencies, reports []verdict.Report) {
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
			err = b.oldComponents(ctx, m, d, r.Hits)
		}
		if err != nil {
			for i := range r.Hits {
				r.Hits[i].Old = false
			}
			r.Base = ""
			r.NotChecked = append(r.NotChecked, aside("", "what of this was there before the change could not be told, so all of it counts as new: %s", shown(cut(lastCause(err).Error(), 300))))
		}
	}
}

func (b *before) oldSecrets(ctx context.Context, m *Manifest, s *Secrets, hits []verdict.Hit) error {
	now := map[string]Entry{} // by path as hits name it
	for _, e := range m.Entries {
		now[shown(e.Path)] = e
	}
	probe, err := NewSecrets(SecretsOptions{Now: s.o.Now})
	if err != nil {
		return err
	}
	seen := &Manifest{}
	for i, h := range hits {
		e, known := now[h.Path]
		if !known {
			continue
		}
		// The same content under another name is old where it was moved, and new where it
		// was copied.
		hits[i].Old = slices.ContainsFunc(b.paths[e.Blob], func(p string) bool {
			return p == e.Path || b.left(m, now, p)
		})
		if !hits[i].Old {
			if err := b.read(ctx, e.Path, probe, seen); err != nil {
				return err
			}
		}
	}
	keys := map[string]bool{}
	for _, h := range probe.Report(seen, ".").Hits {
		keys[h.Key] = true
	}
	for i := range hits {
		hits[i].Old = hits[i].Old || keys[hits[i].Key]
	}
	return nil
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
	if _, there := now[shown(p)]; there {
		return false
	}
	i := slices.IndexFunc(m.Skipped, func(s Skip) bool { return s.File.Path == p })
	return i < 0 && !b.partial || i >= 0 && m.Skipped[i].Gone
}

// oldComponents goes by the component: an advisory that was published since makes an old
// component vulnerable, and the change did not bring it.
func (b *before) oldComponents(ctx context.Context, m *Manifest, d *Dependencies, hits []verdict.Hit) error {
	touched := b.touched(m, d)
	purls := map[string]bool{}
	if touched {
		base, err := b.components(ctx, d.like())
		if err != nil {
			return err
		}
		for _, d := range base.Dependencies() {
			purls[d.PURL] = true
		}
	}
	for i, h := range hits {
		hits[i].Old = !touched || h.Vulnerability != nil && purls[h.Vulnerability.Component.PURL]
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
	if b.named != nil {
		return b.named, nil
	}
	seen := &Manifest{}
	for p := range b.files {
		if !probe.Wants(File{Path: p}) {
			continue
		}
		if err := b.read(ctx, p, probe, seen); err != nil {
			return nil, err
		}
	}
	b.named = probe
	return probe, nil
}

// read offers a file of the base to a reader, once.
func (b *before) read(ctx context.Context, p string, r Reader, seen *Manifest) error {
	id, there := b.files[p]
	if !there || len(seen.Entries) >= maxBefore || slices.ContainsFunc(seen.Entries, func(e Entry) bool { return e.Path == p }) {
		return nil
	}
	content, err := b.repo.Blob(ctx, id)
	if err != nil {
		return err
	}
	seen.Entries = append(seen.Entries, Entry{Path: p, Mode: git.ModeFile, Size: int64(len(content))})
	if f := (File{Path: p, Size: int64(len(content))}); r.Wants(f) {
		r.Read(ctx, f, content)
	}
	return ctx.Err()
}
