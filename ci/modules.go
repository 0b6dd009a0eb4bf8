package ci

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"verdict/ci/iac"
	"verdict/ci/wording"
	"verdict/git"
)

// ApprovedModules are the modules that infrastructure code may call.
type ApprovedModules = iac.ApprovedModules

// ApprovedModule is one of them.
type ApprovedModule = iac.ApprovedModule

// modules is how the check of infrastructure asks for approved modules; nil: it does not.
type modules struct {
	approved ApprovedModules
	now      time.Time
	top      *folder // of the working copy
	prefix   string  // as in outside
	// whole reports whether all of a folder of the repository is read, and seen is what was.
	whole func(folder string) bool
	seen  *Manifest
}

// modules is what the options ask about modules; nil where that is nothing.
func (o *Options) modules(dir, prefix string) (*modules, error) {
	if o.Modules == nil {
		return nil, nil
	}
	top, err := openTop(dir)
	if err != nil {
		return nil, err
	}
	below := func(folder, dir string) bool {
		return dir == "." || folder == dir || strings.HasPrefix(folder, dir+"/")
	}
	whole := func(folder string) bool {
		return !o.Diff && below(folder, path.Clean(prefix)) &&
			(len(o.Within) == 0 || slices.ContainsFunc(o.Within, func(p string) bool { return below(folder, path.Join(prefix, p)) }))
	}
	return &modules{approved: *o.Modules, now: o.Now(), top: top, prefix: prefix, whole: whole}, nil
}

func (m *modules) close() {
	if m != nil {
		m.top.close()
	}
}

// checker makes the checker for a walk of the working copy, or of the base of a change, whose
// copies nobody reads as a whole: what a copy holds is never told to be old.
func (m *modules) checker(base bool) iac.Checker {
	x := iac.NewModules(m.approved, m.now)
	x.Tree, x.Prefix = m.top.root.FS(), m.prefix
	if !base {
		x.Copy = m.copy
	}
	return x
}

// modules judges what a plan calls. Copies are compared as they lie there.
func (o *PlanOptions) modules(p *iac.Plan, name string) iac.Result {
	x := iac.NewModules(*o.Modules, o.Now())
	x.Tree = o.Tree
	x.Copy = func(folder string) (string, bool) {
		if o.Tree == nil {
			return "", false
		}
		digest, _, err := iac.ModuleDigest(o.Tree, folder)
		return digest, err == nil
	}
	return x.CheckPlan(p, name, o.Root)
}

// copy is the digest of a folder of the repository that holds a copy of a module, of the
// files that were read; false where not all of it was.
func (m *modules) copy(folder string) (string, bool) {
	if m.seen == nil || !m.whole(folder) {
		return "", false
	}
	digest, _, err := copyDigest(m.seen, m.prefix, folder)
	return digest, err == nil
}

// copyDigest is the digest of a folder, in the form of iac.ModuleDigest, by what a walk read.
// prefix leads from the repository's root to the folder that was walked.
func copyDigest(seen *Manifest, prefix, folder string) (digest string, files int, err error) {
	sums := map[string][sha256.Size]byte{}
	for _, e := range seen.Entries {
		name, below := strings.CutPrefix(prefix+e.Path, folder+"/")
		if below && e.Mode == git.ModeLink {
			return "", 0, fmt.Errorf("%s is a link, so what it stands for has no digest", wording.Shown(e.Path))
		}
		if below {
			sums[name] = e.SHA256
		}
	}
	for _, s := range seen.Skipped {
		if p := prefix + s.File.Path; strings.HasPrefix(p, folder+"/") && !s.Gone || s.Folder && strings.HasPrefix(folder+"/", p+"/") {
			return "", 0, fmt.Errorf("%s was not read: %s", wording.Shown(s.File.Path), s.Reason)
		}
	}
	if len(sums) == 0 {
		return "", 0, errors.New("it holds no file")
	}
	h := sha256.New() // as dirhash.Hash1, of files whose digests are known
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(h, "%x  %s\n", sums[name], name)
	}
	return "h1:" + base64.StdEncoding.EncodeToString(h.Sum(nil)), len(sums), nil
}
