package ci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"verdict"
	"verdict/ci/wording"
	"verdict/git"
)

// maxPlaces bounds what one range may add: contents, each under each of its paths.
const maxPlaces = 2_000_000

// arrival is where a content first came into the range: the path is relative to the folder
// that is walked.
type arrival struct {
	path   string
	commit int // in order of the range
}

// past is the search of a range of commits. Each content is read once, whatever number
// of commits and paths it has.
type past struct {
	rules  *ruleSet
	known  *remembered
	limits WalkOptions
	order  []string // ids of contents, as they came
	places map[string][]arrival
	outs   int64 // left out by their path
	// leftOut is what the file of ignores leaves out of the check, and left how many files
	// of the history that were.
	leftOut outside
	left    int

	mu     sync.Mutex // guards what follows
	found  []pastHit
	failed []verdict.NotChecked
	more   int // hits that were not kept
	lost   int64
	binary int64
	told   verdict.History
}

// maxPastHits bounds the hits of all versions, before they are merged.
const maxPastHits = 20 * maxHits

// pastHit is a hit in one content.
type pastHit struct {
	secretHit
	commit int
}

// searchHistory searches what the commits of a range added, below the folder that is
// walked. What was searched before by the same rules, and was clean, is not read again.
func (s *Secrets) searchHistory(ctx context.Context, repo *git.Repo, g git.Range, limits WalkOptions, file string) error {
	p := &past{
		rules: s.rules, leftOut: s.o.leftOut, known: recall(file, s.rules.digest, s.o.Version), limits: limits.withDefaults(), places: map[string][]arrival{},
		told: verdict.History{From: g.From, To: g.To, Commits: int64(len(g.Commits))},
	}
	if len(g.Commits) == 0 && g.From == g.To {
		p.fail("", "history: the range begins and ends with commit "+short(g.To.Hex())+", so it holds none, and none was searched", false)
	} else if len(g.Commits) == 0 {
		p.fail("", fmt.Sprintf("history: the range holds no commit, because all that %s reaches %s reaches too: give it as FROM..TO, the older commit first", short(g.To.Hex()), short(g.From.Hex())), true)
	}
	if len(g.Cut) > 0 {
		p.fail("", "the history before commit "+g.Cut[0][:12]+" is not in this shallow clone: git fetch --unshallow", true)
	}
	err := p.list(ctx, repo, g)
	if err == nil {
		err = p.search(ctx, repo, g)
	}
	if err != nil {
		// What this clone does not hold leaves the check incomplete; the tree was read.
		var e *verdict.Error
		if ctx.Err() != nil || !errors.As(err, &e) {
			return fmt.Errorf("search the history: %w", err)
		}
		p.fail("", "history: "+e.What+": "+e.Remedy, true)
	}
	if err := p.known.save(file); err != nil {
		p.fail("", reason("what was searched cannot be remembered for the next run", err), false)
	}
	p.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past, s.commits = p, g.Commits
	return nil
}

func (p *past) fail(path, why string, blocks bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = append(p.failed, verdict.NotChecked{Path: wording.Shown(path), Reason: why, Blocks: blocks})
}

// tell sums up what was not searched.
func (p *past) tell() {
	if p.lost > 0 {
		p.fail("", fmt.Sprintf("contents of the history that this partial clone does not hold: %d: git fetch --refetch, or clone without --filter", p.lost), true)
	}
	if p.more > 0 {
		p.fail("", fmt.Sprintf("%d more hits in history than are kept are not listed: search it in parts", p.more), true)
	}
	if p.binary > 0 {
		p.fail("", fmt.Sprintf("binary files of the history, whose content was not searched: %d", p.binary), false)
	}
	if p.left > 0 {
		p.fail("", fmt.Sprintf("%s left out by %s", wording.Count(p.left, "file of the history is", "files of the history are"), p.leftOut.file), false)
	}
	if p.outs > 0 {
		p.fail("", fmt.Sprintf("files of the history that the rule set leaves out by their path: %d", p.outs), false)
	}
}

// list takes down which contents the range added, and where.
func (p *past) list(ctx context.Context, repo *git.Repo, g git.Range) error {
	number := make(map[string]int, len(g.Commits))
	for i, c := range g.Commits {
		number[c] = i
	}
	seen := map[[16]byte]bool{}
	return repo.Added(ctx, g, func(a git.Addition) error {
		name, inside := a.Path, true
		if repo.Prefix != "" {
			name, inside = strings.CutPrefix(name, repo.Prefix+"/")
		}
		inside = inside && (len(p.limits.Within) == 0 || inScope(name, p.limits.Within))
		if !inside || a.Mode == git.ModeLink || a.Mode == git.ModeSubmodule {
			return nil
		}
		mark := memory(a.ID, name)
		switch {
		case seen[mark]:
			return nil
		case p.rules.pathAllowed(name):
			p.outs++
		case p.leftOut.covers(name):
			p.left++
		case len(p.rules.named(name)) == 0 && p.known.holds(mark):
			p.told.Remembered++
		default:
			if p.places[a.ID] == nil {
				p.order = append(p.order, a.ID)
			}
			p.places[a.ID] = append(p.places[a.ID], arrival{name, number[a.Commit]})
		}
		seen[mark] = true
		if len(seen) > maxPlaces {
			return &verdict.Error{
				Code: verdict.CodeLimit, What: fmt.Sprintf("the range adds more than %d files", maxPlaces), Remedy: "search it in parts: --history FROM..TO",
			}
		}
		return nil
	})
}

// search reads the contents through one process and searches them on every core.
func (p *past) search(ctx context.Context, repo *git.Repo, g git.Range) error {
	workers, inner := errgroup.WithContext(ctx)
	workers.SetLimit(p.limits.Workers)
	budget := semaphore.NewWeighted(p.limits.Memory)
	err := repo.Blobs(inner, g, p.order, p.limits.MaxFile, func(b git.Blob) error {
		if b.Content == nil {
			p.unread(b)
			return inner.Err()
		}
		if err := budget.Acquire(inner, b.Size); err != nil {
			return err
		}
		workers.Go(func() error {
			defer budget.Release(b.Size)
			p.content(inner, b)
			return inner.Err()
		})
		return nil
	})
	return cmp.Or(workers.Wait(), err)
}

// unread tells of a content that is not there or too large.
func (p *past) unread(b git.Blob) {
	for _, at := range p.places[b.ID] {
		if !b.Missing && !isBinary(at.path, b.Head) {
			p.fail(at.path, fmt.Sprintf("in history it holds %d bytes, more than the limit of %d", b.Size, p.limits.MaxFile), true)
			continue
		}
		p.mu.Lock()
		if b.Missing {
			p.lost++
		} else {
			p.binary++
		}
		p.mu.Unlock()
	}
}

// content searches one content under each of its paths: what a rule finds can depend on
// the path.
func (p *past) content(ctx context.Context, b git.Blob) {
	for _, at := range p.places[b.ID] {
		hits, binary, err := p.rules.hitsIn(ctx, at.path, b.Content)
		if !slices.ContainsFunc(hits, func(h secretHit) bool { return h.rule == keystoreRule }) {
			hits = append(hits, gathered(at.path, p.rules.named(at.path))...)
		}
		p.mu.Lock()
		for _, h := range hits {
			if len(p.found) < maxPastHits {
				p.found = append(p.found, pastHit{h, at.commit})
			} else {
				p.more++
			}
		}
		if binary {
			p.binary++
		}
		p.told.Contents++
		p.told.Bytes += b.Size
		if err != nil {
			p.failed = append(p.failed, unsearched(at.path, err))
		}
		p.mu.Unlock()
		if err == nil && len(hits) == 0 {
			p.known.add(memory(b.ID, at.path))
		}
	}
}

// merged makes one hit of a secret that stands in several versions of a file: the
// oldest, which is where it came in, and how many more there are.
func (p *past) merged() []pastHit {
	slices.SortStableFunc(p.found, func(a, b pastHit) int {
		return cmp.Or(cmp.Compare(a.commit, b.commit), strings.Compare(a.path, b.path), cmp.Compare(a.lines[0], b.lines[0]), strings.Compare(a.rule.ID, b.rule.ID))
	})
	var out []pastHit
	at := map[sameSecret]int{}
	for _, h := range p.found {
		id := h.identity()
		if n, known := at[id]; known {
			out[n].versions++
			continue
		}
		at[id] = len(out)
		out = append(out, h)
	}
	return out
}

const pastFix = "revoke it where it was issued: to take it out of the file is not enough, as every clone keeps the commit; " +
	"when it is revoked, or is no secret, an owner states so in " + IgnoreFile + " on the branch that the change goes to (verdict help false-positives)"

// withHistory adds the hits of the history to those of the tree. A secret has the same
// key in both, so that what is stated about it holds for both; one that the tree still
// holds is one hit.
func (s *Secrets) withHistory(m *Manifest, hits []verdict.Hit, inTree map[sameSecret]int, taken map[string]int) []verdict.Hit {
	if s.past == nil {
		return hits
	}
	elsewhere := map[uint64]string{}
	for id, n := range inTree {
		if p := hits[n].Path; elsewhere[id.same] == "" || p < elsewhere[id.same] {
			elsewhere[id.same] = p
		}
	}
	for _, f := range s.past.merged() {
		commit := s.commits[f.commit]
		came := "; commit " + commit[:12] + " added it"
		switch f.versions {
		case 0:
		case 1:
			came += ", and 1 later version of the file holds it"
		default:
			came += fmt.Sprintf(", and %d later versions of the file hold it", f.versions)
		}
		if n, still := inTree[f.identity()]; still {
			hits[n].Message += came
			continue
		}
		other := elsewhere[f.same]
		switch f.note += came; {
		case f.length > 0 && other != "":
			f.note += "; the tree holds it in " + other
		case s.unread(m, f.path):
			f.note += "; whether the tree still holds it was not read"
		default:
			f.note += "; the tree holds it no more, and every clone still does"
		}
		h := f.hit(s.o.prefix, taken)
		h.Commit, h.Fix = verdict.NewDigest("gitCommit", commit), pastFix
		hits = append(hits, h)
	}
	return hits
}

// unread reports whether a path may be in the tree although it was not searched there.
func (s *Secrets) unread(m *Manifest, name string) bool {
	if slices.ContainsFunc(m.Skipped, func(x Skip) bool {
		return !x.Gone && (x.File.Path == name || x.Folder && strings.HasPrefix(name, x.File.Path+"/"))
	}) {
		return true
	}
	return s.more > 0 || s.o.partial && !slices.ContainsFunc(m.Entries, func(e Entry) bool { return e.Path == name })
}
