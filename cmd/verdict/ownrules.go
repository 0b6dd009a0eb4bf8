package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/git"
	"verdict/policy"
)

// rulesPlace is where the rules of a map are from, and what to do there.
type rulesPlace struct {
	name  string
	lost  string // when they cannot be read
	other string // when they are not those that the map pins; %q is a pin of what is there
	read  func(name string) (map[string]string, error)
}

// otherBeside is what to do about rules beside a map that are not those it pins.
const otherBeside = "where the rules are those that were reviewed, pin them: `policies: {bundle: %q}`; else bring the pinned ones back"

// ownRules are the files of the bundle that a map names beside itself, by path; nil for a
// map that decides by the built-in rules alone. They are read from where the map is
// from, and count only with the digest that it pins: a change brings neither.
func ownRules(p decisionmap.Policies, from rulesPlace) (map[string]string, error) {
	switch p.Bundle {
	case decisionmap.BuiltinBundle:
		return nil, nil
	case decisionmap.ReleasedBundle:
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the map decides by the released policy, and none has taken effect in this ledger",
			Remedy: "release the rules: verdict policy release DIR; verdict policy list shows those that take effect later. Or write `policies: {bundle: builtin}`",
		}
	}
	name, pin, beside := p.Beside()
	if !beside {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("the map decides by the policy bundle %s, and this version fetches none", p.Bundle),
			Remedy: "put the rules beside the map and name their folder: `policies: {bundle: policy@sha256:…}`; verdict policy test DIR prints the digest. Or write `policies: {bundle: builtin}`",
		}
	}
	if wrong := p.Wrong(); len(wrong) > 0 {
		return nil, &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("the policy bundle %q of the map %s", p.Bundle, strings.Join(wrong, " and ")),
			Remedy: "verdict map lint says what to write (VD-P02)",
		}
	}
	files, err := from.read(name)
	if err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("the policy bundle %s of the map cannot be read from %s", name, from.name),
			Remedy: from.lost + "; " + verdict.AsError(err).Remedy, Err: err,
		}
	}
	if got := policy.DigestOf(files); got != pin {
		return nil, &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("the policy bundle %s in %s has the digest %s, and the map pins %s", name, from.name, got, pin),
			Remedy: strings.ReplaceAll(from.other, "%q", strconv.Quote(name+"@"+string(got))),
		}
	}
	return files, nil
}

// isArchive tells from its name that a bundle is packed.
func isArchive(name string) bool {
	return strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

// rulesOnDisk reads a bundle below a folder, out of which no link leads.
func rulesOnDisk(folder, name string) (map[string]string, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &verdict.Error{Code: verdict.CodeNotFound, What: "there is no " + name + " there", Remedy: "correct its name in the map where it has another", Err: err}
	case err != nil:
		return nil, err
	case !isArchive(name):
		sub, err := fs.Sub(root.FS(), name)
		if err != nil {
			return nil, err
		}
		return policy.Load(sub)
	case !info.Mode().IsRegular() || info.Size() > git.MaxFile:
		return nil, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("%s is no regular file of at most %d bytes", name, git.MaxFile), Remedy: "keep rules and nothing else in it, or name their folder"}
	}
	content, err := fs.ReadFile(root.FS(), name)
	if err != nil {
		return nil, err
	}
	return policy.LoadArchive(content)
}

// rulesAt reads a bundle as a revision of the repository has it.
func rulesAt(ctx context.Context, repo *git.Repo, rev, name string) (map[string]string, error) {
	if isArchive(name) {
		content, err := repo.ReadFile(ctx, rev, name)
		if err != nil {
			return nil, err
		}
		return policy.LoadArchive(content)
	}
	found, err := repo.ReadFolder(ctx, rev, name, policy.MaxBytes, policy.IsFile)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for path, content := range found {
		files[path] = string(content)
	}
	return files, nil
}

// prove runs the tests of a bundle with rules that did not come with the program, once for
// each command. Whose says which rules they are.
func (a *app) prove(ctx context.Context, b *policy.Bundle, whose string, code verdict.Code, so string) error {
	if a.proved[b.Digest()] {
		return nil
	}
	a.progress.phase("testing rules")
	r, err := b.Test(ctx)
	a.progress.stop()
	if err != nil {
		return err
	}
	if r.OK() {
		if a.proved == nil {
			a.proved = map[verdict.Digest]bool{}
		}
		a.proved[b.Digest()] = true
		return nil
	}
	return &verdict.Error{
		Code: code, What: "the tests of the rules " + whose + " do not hold, so " + so,
		Remedy: "verdict policy test DIR says what to do about each",
	}
}

// releasedRules is the blob that keeps the rules of a released map.
type releasedRules struct {
	Files map[string]string `json:"files"` // with their tests, by path
}

// keepRules keeps the rules that a map names beside itself; none have no digest.
func (w *workspace) keepRules(ctx context.Context, files map[string]string) (verdict.Digest, error) {
	if files == nil {
		return "", nil
	}
	content, err := json.Marshal(releasedRules{files})
	if err != nil {
		return "", err
	}
	return w.ledger.PutBlob(ctx, content)
}

func (w *workspace) rulesOfRelease(ctx context.Context, said mapRelease) (map[string]string, error) {
	if said.Policy == "" {
		return nil, &verdict.Error{Code: verdict.CodeNotFound, What: "the release does not carry it", Remedy: "every later release carries them"}
	}
	content, err := w.ledger.Blob(ctx, said.Policy)
	if err != nil {
		return nil, err
	}
	var kept releasedRules
	if err := json.Unmarshal(content, &kept); err != nil {
		return nil, fmt.Errorf("read blob %s: %w", said.Policy, err)
	}
	return kept.Files, nil
}

// rulesOf gives the rules that decide by the map of a change, over the built-in ones: those
// that were released as the policy, else those that the map names beside itself, from its
// release or from the base commit.
func (w *workspace) rulesOf(ctx context.Context, repo *git.Repo, j judgedBy) (map[string]string, error) {
	if files, err := w.releasedFiles(ctx, j.Map); files != nil || err != nil {
		return files, err
	}
	if j.Released != nil {
		const again = "put them where they were beside the file that was released, and release it again: verdict map release FILE"
		return ownRules(j.Map.Policies, rulesPlace{
			name: fmt.Sprintf("the release in entry %d", j.Released.index()), lost: again, other: again,
			read: func(string) (map[string]string, error) { return w.rulesOfRelease(ctx, j.Released.Said) },
		})
	}
	return ownRules(j.Map.Policies, rulesPlace{
		name: "the commit " + short(j.Base) + " of " + decisionmap.FileName, lost: "keep the folder or archive beside the map, in the same commit", other: otherBeside,
		read: func(name string) (map[string]string, error) { return rulesAt(ctx, repo, j.Base, name) },
	})
}

// besideMap is how messages call the rules of a map.
const besideMap = "that the map names beside itself"

// besideFile gives the rules that a map file names beside itself.
func (t mapText) besideFile(m *decisionmap.Map) (map[string]string, error) {
	folder := filepath.Dir(t.File)
	return ownRules(m.Policies, rulesPlace{
		name: "the folder of " + t.name(), lost: "keep the folder or archive beside the map", other: otherBeside,
		read: func(name string) (map[string]string, error) { return rulesOnDisk(folder, name) },
	})
}
