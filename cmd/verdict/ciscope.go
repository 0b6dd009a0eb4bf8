package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"verdict/decisionmap"
	"verdict/git"
)

// serviceOf is the service of the map that the tree belongs to: the one that was named,
// the only one, or the only one with this repository's address. It is never guessed
// from a name, and empty where the map does not tell.
func (c *ciCheck) serviceOf(ctx context.Context, m *decisionmap.Map, repo *git.Repo) (string, error) {
	names := make([]string, 0, len(m.Services))
	for name := range m.Services {
		names = append(names, name)
	}
	sort.Strings(names)
	if c.service != "" {
		if !slices.Contains(names, c.service) {
			return "", usage("verdict ci --help", fmt.Sprintf("the map has no service %q", c.service), meant(c.service, names, "", "add it under services: in the map, or leave --service out"))
		}
		return c.service, c.isHere(ctx, m.Services[c.service], repo)
	}
	if repo == nil || len(names) == 0 {
		return "", nil
	}
	address, err := repo.Remote(ctx)
	if err != nil {
		return "", err
	}
	var here []string
	for _, name := range names {
		if r := m.Services[name].Repo; r != "" && git.Address(r) == address {
			here = append(here, name)
		}
	}
	if len(here) == 0 && len(names) == 1 && m.Services[names[0]].Repo == "" {
		here = names
	}
	if len(here) != 1 {
		return "", nil
	}
	return here[0], nil
}

// isHere refuses a service that --service names and that is not the one of the tree: what
// is found here would be evidence about another.
func (c *ciCheck) isHere(ctx context.Context, s decisionmap.Service, repo *git.Repo) error {
	if repo == nil {
		return nil
	}
	if repo.Prefix != "" {
		return usage("verdict ci --help", fmt.Sprintf("--service judges what is the service's of the whole repository, and %s is a folder of it", repo.Prefix),
			fmt.Sprintf("run `verdict ci --service %s` at the top of the repository, or leave --service out", c.service))
	}
	address, err := repo.Remote(ctx)
	if err != nil {
		return err
	}
	if s.Repo != "" && address != "" && git.Address(s.Repo) != address {
		return usage("verdict ci --help", fmt.Sprintf("the service %s is built from %s, and this is %s", c.service, s.Repo, address),
			"run it in a clone of that repository, or mend repo: of the service in the map")
	}
	return nil
}

// within is the part of a repository that a service named by --service has for itself; nil
// for all of it. Nobody's tree is narrowed who did not ask for it. A folder that is neither
// in the tree nor was in its base is a wrong name, and not a service without files.
func (c *ciCheck) within(ctx context.Context, judged judgedBy, repo *git.Repo) ([]string, error) {
	if c.service == "" || repo == nil {
		return nil, nil
	}
	folders := judged.Map.Services[c.service].Folders()
	if slices.Contains(folders, ".") {
		return nil, nil
	}
	for _, f := range folders {
		if _, err := os.Lstat(filepath.Join(repo.Dir, filepath.FromSlash(f))); err == nil {
			continue
		}
		had, err := hadFolder(ctx, repo, judged.Base, f)
		if err != nil {
			return nil, err
		}
		if !had {
			return nil, usage("verdict ci --help", fmt.Sprintf("the map says that %s of this repository belongs to the service %s, and it is not there", f, c.service),
				"mend paths: and iac: of the service in the map, on the branch that the change goes to")
		}
	}
	return folders, nil
}

// hadFolder reports whether a revision has a file, or files below a folder, of this name.
func hadFolder(ctx context.Context, repo *git.Repo, rev, name string) (bool, error) {
	if rev == "" {
		return false, nil
	}
	entries, err := repo.Entries(ctx, rev)
	return slices.ContainsFunc(entries, func(e git.Entry) bool { return e.Path == name || strings.HasPrefix(e.Path, name+"/") }), err
}

// scoped says what was read where that is not all, so that nobody takes the answer for one
// about the whole commit.
func scoped(service string, within []string) []string {
	if len(within) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("only what is %s's was read: %s", service, strings.Join(within, ", "))}
}
