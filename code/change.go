package code

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/git"
	"verdict/identity"
)

// maxCommit bounds the bytes of a commit that is read, and maxCoAuthors the people that
// one commit names beside its author.
const (
	maxCommit    = 1 << 20
	maxCoAuthors = 100
)

// Change says what git knows of the change: its commits with their people and
// signatures, the paths and the lines.
func Change(ctx context.Context, q Question) (verdict.Change, error) {
	out := verdict.Change{
		Knowledge: verified, Map: q.Map.Digest(), Against: shown(q.Against), Commits: []verdict.Commit{}, Files: []verdict.ChangedFile{}, Infrastructure: []string{}, Added: -1, Removed: -1,
		Author: verdict.Party{ID: "unknown"}, Committer: verdict.Party{ID: "unknown"},
	}
	if q.Base != "" {
		out.Base = verdict.NewDigest("gitCommit", q.Base)
	}
	known, err := q.commits(ctx, &out)
	if err == nil && known.State == verdict.StateVerified {
		known, err = q.files(ctx, &out)
	}
	if err != nil {
		return out, err
	}
	if known.State != verdict.StateVerified {
		out.Knowledge = known
	}
	return out, nil
}

// commits reads the commits from the base to the head.
func (q Question) commits(ctx context.Context, out *verdict.Change) (verdict.Knowledge, error) {
	ids, err := q.Repo.Between(ctx, q.Base, q.Head, maxCommits)
	if k, ok := notHeld(err); ok || err != nil {
		return k, cleared(ok, err)
	}
	if len(ids) > maxCommits {
		return missing(fmt.Sprintf("the change has more than %d commits", maxCommits), "name the branch that it goes to with --base BRANCH, or split the change"), nil
	}
	objects, err := q.Repo.Objects(ctx, ids, maxCommit)
	if k, ok := notHeld(err); ok || err != nil {
		return k, cleared(ok, err)
	}
	rebased := false
	if q.Made && q.Reviewed != "" && len(ids) > 1 {
		if rebased, err = q.remade(ctx, q.Reviewed); notThere(err) != nil {
			return verdict.Knowledge{}, err
		}
	}
	var parents []string
	for _, o := range objects {
		if o.Missing || o.Data == nil {
			return missing("this clone does not hold the commit "+short(o.ID)+", or it is too large to read", refetch), nil
		}
		c, err := git.ParseCommit(o.ID, o.Data)
		if err != nil {
			return verdict.Knowledge{State: verdict.StateFailed, Why: "the commit " + short(o.ID) + " cannot be read", Remedy: "check the repository: git fsck"}, nil
		}
		for _, p := range c.Parents {
			parents = append(parents, p.Hex())
		}
		one := verdict.Commit{ID: c.ID, Authors: q.authors(c), Committer: q.committer(c), Signature: q.signature(c, o.Data)}
		if rebased {
			one.Committer = q.forge()
		}
		if o.ID == q.Head {
			if err := q.made(ctx, c, &one); err != nil {
				return verdict.Knowledge{}, err
			}
			if err := q.squashed(ctx, c, &one); err != nil {
				return verdict.Knowledge{}, err
			}
			out.Author, out.Committer = one.Authors[0], one.Committer
		}
		out.Commits = append(out.Commits, one)
	}
	return q.reached(ctx, ids, parents)
}

// cleared drops an error that was told as missing.
func cleared(told bool, err error) error {
	if told {
		return nil
	}
	return err
}

// reached makes sure that no commit of the change lies beyond the end of a shallow clone:
// there, a parent is neither in the change nor held.
func (q Question) reached(ctx context.Context, ids, parents []string) (verdict.Knowledge, error) {
	if !q.Repo.Shallow {
		return verified, nil
	}
	in := map[string]bool{}
	for _, id := range ids {
		in[id] = true
	}
	parents = slices.DeleteFunc(parents, func(p string) bool { return in[p] })
	slices.Sort(parents)
	held, err := q.Repo.Objects(ctx, slices.Compact(parents), 0)
	if k, ok := notHeld(err); ok || err != nil {
		return k, cleared(ok, err)
	}
	for _, o := range held {
		if o.Missing {
			return missing("the clone is too shallow to hold every commit of the change: "+short(o.ID)+" is not there", "fetch the whole history: git fetch --unshallow (fetch-depth: 0 in GitHub Actions); then run `verdict ci` again"), nil
		}
	}
	return verified, nil
}

// files reads which paths the change touches, and how many lines.
func (q Question) files(ctx context.Context, out *verdict.Change) (verdict.Knowledge, error) {
	changed, err := q.Repo.Changed(ctx, q.Base, q.Head)
	if k, ok := notHeld(err); ok || err != nil {
		return k, cleared(ok, err)
	}
	if len(changed) > maxFiles {
		return missing(fmt.Sprintf("the change touches %d paths; at most %d are read", len(changed), maxFiles), "split the change"), nil
	}
	for _, c := range changed {
		out.Files = append(out.Files, verdict.ChangedFile{Path: shown(c.Path), Status: c.Status})
		if q.infrastructure(c.Path) {
			out.Infrastructure = append(out.Infrastructure, shown(c.Path))
		}
	}
	added, removed, err := q.Repo.Lines(ctx, q.Base, q.Head)
	if _, ok := notHeld(err); ok { // the paths are known without the contents
		return verified, nil
	}
	if err == nil {
		out.Added, out.Removed = added, removed
	}
	return verified, err
}

// infrastructure reports whether a path is in a folder that the map declares as
// infrastructure code, or is a file of such a kind.
func (q Question) infrastructure(p string) bool {
	for _, s := range q.Map.Services {
		if slices.ContainsFunc(s.IaC, func(folder string) bool { return inFolder(p, folder) }) {
			return true
		}
	}
	return infrastructureName(p)
}

// authors are everybody whom a commit names as an author, the author first. A squash
// keeps those of what it squashed as co-authors only.
func (q Question) authors(c git.Commit) []verdict.Party {
	out := []verdict.Party{q.People.address(c.Author.Email)}
	paragraphs := strings.Split(strings.TrimSpace(strings.ReplaceAll(c.Message, "\r\n", "\n")), "\n\n")
	for line := range strings.SplitSeq(strings.Join(paragraphs[min(1, len(paragraphs)):], "\n"), "\n") {
		key, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.TrimSpace(key), "co-authored-by") {
			continue
		}
		_, mail, _ := strings.Cut(value, "<")
		mail, _, _ = strings.Cut(mail, ">")
		if p := q.People.address(mail); !slices.Contains(out, p) && len(out) < maxCoAuthors {
			out = append(out, p)
		}
	}
	return out
}

// made puts the forge in the place of the person for whom it made the last commit. Of a
// merge that adds nothing, which the forge makes also for a pipeline, nobody is an author.
func (q Question) made(ctx context.Context, c git.Commit, one *verdict.Commit) error {
	machine := one.Committer
	if q.Made {
		machine = q.forge()
		one.Committer = machine
	}
	if !machine.Bot || len(c.Parents) != 2 {
		return nil
	}
	only, err := q.onlyMerges(ctx, c.Parents[1].Hex())
	if only {
		one.Authors = []verdict.Party{machine}
	}
	return notThere(err)
}

// squashed adds to the last commit whoever wrote what the request of it brought, where
// its commits are not among those of the change. What cannot be known of it the review says.
func (q Question) squashed(ctx context.Context, c git.Commit, one *verdict.Commit) error {
	if q.Reviewed == "" || q.Reviewed == q.Head || len(c.Parents) == 2 && c.Parents[1].Hex() == q.Reviewed {
		return nil
	}
	hands, _, err := q.hands(ctx, q.Reviewed)
	if notThere(err) != nil {
		return err
	}
	for _, p := range hands {
		if !slices.Contains(one.Authors, p) {
			one.Authors = append(one.Authors, p)
		}
	}
	return nil
}

// forge is the forge as the committer of what it makes.
func (q Question) forge() verdict.Party { return verdict.Party{ID: q.Forge, Known: true, Bot: true} }

// webCommitter is the address with which GitHub commits what people do on its pages.
const webCommitter = "noreply@github.com"

func (q Question) committer(c git.Commit) verdict.Party {
	if c.Committer.Email == webCommitter {
		return verdict.Party{ID: "github", Known: true, Bot: true}
	}
	return q.People.address(c.Committer.Email)
}

// address says who commits with an address. The ones that GitHub and GitLab hand out to
// hide others hold the login.
func (p People) address(mail string) verdict.Party {
	mail = strings.TrimSpace(mail)
	if person, ok := p.Resolve(identity.Account{System: identity.Git, Name: mail}); ok {
		return verdict.Party{ID: person.ID, Known: true}
	}
	local, host, _ := strings.Cut(strings.ToLower(mail), "@")
	for _, hidden := range []struct {
		host, separator string
		system          identity.System
	}{{"users.noreply.github.com", "+", identity.GitHub}, {"users.noreply.gitlab.com", "-", identity.GitLab}} {
		if host != hidden.host {
			continue
		}
		if number, login, found := strings.Cut(local, hidden.separator); found && strings.Trim(number, "0123456789") == "" {
			local = login
		}
		if person, ok := p.Resolve(identity.Account{System: hidden.system, Name: local}); ok {
			return verdict.Party{ID: person.ID, Known: true}
		}
	}
	return p.party(identity.Git, mail)
}
