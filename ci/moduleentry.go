package ci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"verdict"
	"verdict/ci/iac"
	"verdict/ci/wording"
	"verdict/git"
)

// DescribeModule is the entry by which a map approves the module in a folder, with the
// number of files that its digest covers; 0 where its address fixes its content. The folder
// is one that terraform init made, or a copy in a repository.
func DescribeModule(ctx context.Context, dir string) (m ApprovedModule, files int, err error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return m, 0, fmt.Errorf("path %q: %w", dir, err)
	}
	before, key, installed := strings.Cut(filepath.ToSlash(at)+"/", "/"+iac.InstalledModules+"/")
	if !installed {
		return describeCopy(ctx, dir)
	}
	root, err := os.OpenRoot(filepath.FromSlash(before + "/"))
	if err != nil {
		return m, 0, fmt.Errorf("open %s: %w", before, err)
	}
	defer root.Close() // it was only read
	if key = strings.TrimSuffix(key, "/"); key == "" {
		return m, 0, undescribed(dir, errors.New("it holds modules and is none"), "name one of the folders in it, such as "+iac.InstalledModules+"/vpc for the call of that name")
	}
	source, version, err := iac.Installed(root.FS(), key)
	if err != nil {
		return m, 0, undescribed(dir, err, "name a folder that terraform init -backend=false made, such as "+iac.InstalledModules+"/vpc for the call of that name")
	}
	m.Source = source.String()
	if source.Kind == verdict.ModuleGit {
		m.Ref, err = commitOf(ctx, at, source)
		return m, 0, err
	}
	if m.Digest = source.Fixed(); m.Digest == "" {
		m.Version = version
		if m.Digest, files, err = iac.ModuleDigest(root.FS(), path.Join(iac.InstalledModules, key)); err != nil {
			return m, 0, undescribed(dir, err, "run terraform init -backend=false, and name one of the folders in "+iac.InstalledModules)
		}
	}
	return m, files, nil
}

// commitOf is the commit that a module from git lies at, whatever the call names.
func commitOf(ctx context.Context, dir string, s verdict.ModuleSource) (string, error) {
	if ref := s.Fixed(); ref != "" {
		return ref, nil
	}
	repo, err := git.Open(ctx, dir)
	if err == nil && repo.Prefix != "" {
		err = git.ErrNotRepository // only the project's own is around it
	}
	if err != nil {
		return "", undescribed(dir, err, "write the commit that "+wording.Shown(s.Ref)+" leads to as ref: git ls-remote prints it")
	}
	head, err := repo.Head(ctx)
	return head.ID.Hex(), err
}

// describeCopy takes of a folder what a walk of its repository would.
func describeCopy(ctx context.Context, dir string) (m ApprovedModule, files int, err error) {
	const remedy = "name the folder of the module, as the tree that calls it has it: verdict map module modules/vendored/net"
	repo, err := git.Open(ctx, dir)
	top := dir
	switch {
	case errors.Is(err, git.ErrNotRepository):
		m.Path = filepath.ToSlash(filepath.Clean(dir))
	case err != nil:
		return m, 0, err
	default:
		m.Path, top = repo.Prefix, repo.Dir
	}
	if m.Path == "" || m.Path == "." || !filepath.IsLocal(filepath.FromSlash(m.Path)) {
		return m, 0, undescribed(dir, errors.New("it is no folder below the top of a repository or of this folder"), remedy)
	}
	seen, err := Walk(ctx, top, WalkOptions{Repo: repo})
	if err != nil {
		return m, 0, err
	}
	if m.Digest, files, err = copyDigest(seen, m.Path+"/", m.Path); err != nil {
		return m, 0, undescribed(dir, err, "keep regular files in the folder, and nothing else")
	}
	return m, files, nil
}

func undescribed(dir string, err error, remedy string) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: "what the module in " + wording.Shown(dir) + " is cannot be told", Remedy: remedy, Err: err}
}
