package ci

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"verdict"
	"verdict/ci/plain"
	"verdict/ci/wording"
	"verdict/git"
)

// SecretsCheck is the name of the check in its report.
const SecretsCheck = "secrets"

// maxHits bounds a report. More are counted, and leave the report incomplete.
const maxHits = 10_000

// SecretsOptions are what the secrets check takes besides files.
type SecretsOptions struct {
	Version string // of Verdict
	// Ignores are the false positives, as the base of the change has them, and their
	// file's name.
	Ignores    []Ignore
	IgnoreFile string
	Now        func() time.Time
	leftOut    outside
	// prefix is as in outside. A secret has the same key whichever folder was asked for.
	prefix string
	// partial is true where by intent not every file of the tree is read.
	partial bool
}

// Secrets is a Reader that finds credentials in files, and in what commits added. It
// keeps no secret after the file that holds it was read: of each stays its rule, its
// place, 16 bits of its hash, and where it has one, the id of its public half.
type Secrets struct {
	o     SecretsOptions
	rules *ruleSet

	mu     sync.Mutex // guards what follows
	hits   []secretHit
	more   int // hits beyond maxHits
	files  int64
	bytes  int64
	binary int64
	failed []verdict.NotChecked
	// past is the search of history, and commits the ids that it counts by; nil when none
	// was asked for.
	past    *past
	commits []string
	// archives reads what lies inside of archives; nil when that was not asked for.
	archives *archives
}

// secretHit is a hit before it has its key: several may share one until all are known.
type secretHit struct {
	rule    *rule
	path    string
	lines   []int64
	check   string
	same    uint64 // equal for equal secrets, in this process alone
	length  int    // characters; 0 for a hit on the file as such
	allowed bool
	// As in finding.
	kind     encoding
	depth    int
	severity verdict.Severity
	note     string
	publicID string
	versions int // in history: later versions of the file that hold it
}

// sameSecret tells one secret in one file from others, wherever it stands.
type sameSecret struct {
	rule, path string
	same       uint64
}

func (f secretHit) identity() sameSecret { return sameSecret{f.rule.ID, f.path, f.same} }

var seed = maphash.MakeSeed()

// NewSecrets makes the check. It is for one walk.
func NewSecrets(o SecretsOptions) (*Secrets, error) {
	rules, err := loadRules()
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Secrets{o: o, rules: rules}, nil
}

// Wants refuses the paths that the rule set leaves out: lockfiles, images, and what was
// built or brought in by others.
func (s *Secrets) Wants(f File) bool { return s.searches(f) && !s.o.leftOut.covers(f.Path) }

// searches is Wants but for what the file of ignores leaves out.
func (s *Secrets) searches(f File) bool { return !s.rules.pathAllowed(f.Path) }

// Read searches one file.
func (s *Secrets) Read(ctx context.Context, f File, content []byte) {
	hits, binary, err := s.rules.hitsIn(ctx, f.Path, content)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += f.Size
	if binary {
		s.binary++
	} else {
		s.files++
	}
	if err != nil {
		s.failed = append(s.failed, unsearched(f.Path, err))
	}
	room := max(0, maxHits-len(s.hits))
	s.more += max(0, len(hits)-room)
	s.hits = append(s.hits, hits[:min(len(hits), room)]...)
}

// unsearched tells what the search of a file left out.
func unsearched(path string, err error) verdict.NotChecked {
	if less := asideError(""); errors.As(err, &less) {
		return verdict.NotChecked{Path: wording.Shown(path), Reason: string(less)}
	}
	return verdict.NotChecked{Path: wording.Shown(path), Reason: reason("the search did not finish", err), Blocks: true}
}

// hitsIn searches one content, text or not. The error says what was not searched. A dozen
// bytes make a key store of anything, so that is no reason not to search a text.
func (s *ruleSet) hitsIn(ctx context.Context, path string, content []byte) (hits []secretHit, binary bool, err error) {
	k := readKeystore(content)
	switch {
	case k.key:
		hits = gathered(path, []finding{{rule: keystoreRule, note: k.note(), publicID: k.publicID}})
	case k.unknown:
		err = errKeystore
	}
	searched := content
	if k.form != "" && isBinary(path, content) {
		if searched = k.behind; len(searched) == 0 {
			return hits, true, err
		}
	}
	if isBinary(path, searched) {
		if k.form != "" && err == nil {
			err = asideError(fmt.Sprintf("%d bytes behind the end of the %s store are no text and were not searched", len(searched), k.form))
		}
		return hits, true, err
	}
	found, unfinished := s.search(ctx, path, withoutNUL(plain.UTF8(searched)))
	for i, before := 0, content[:len(content)-len(searched)]; i < len(found); i++ {
		found[i].line += int64(bytes.Count(before, newline))
	}
	return append(hits, gathered(path, found)...), false, cmp.Or(unfinished, err)
}

// gathered makes one hit of the same secret in several lines.
func gathered(path string, found []finding) []secretHit {
	var hits []secretHit
	seen := map[string]int{}
	for _, f := range found {
		id := f.rule.ID + "\x00" + f.secret
		if n, known := seen[id]; known {
			if !slices.Contains(hits[n].lines, f.line) {
				hits[n].lines = append(hits[n].lines, f.line)
			}
			hits[n].allowed = hits[n].allowed || f.allowed
			hits[n].note = cmp.Or(hits[n].note, f.note)
			hits[n].publicID = cmp.Or(hits[n].publicID, f.publicID)
			continue
		}
		seen[id] = len(hits)
		hits = append(hits, secretHit{
			rule: f.rule, path: path, lines: []int64{f.line}, check: checkValue(f.secret), same: maphash.String(seed, f.secret), length: len([]rune(f.secret)), allowed: f.allowed,
			kind: f.kind, depth: f.depth, severity: f.severity, note: f.note, publicID: f.publicID,
		})
	}
	return hits
}

// checkValue is what a key says about the secret itself: 16 bits of its hash. It tells a
// replaced secret from the one that was stated to be a false positive (all but one in
// 65,536), and it cannot be turned back: of the guesses for a weak password, one in
// 65,536 fits, whatever is spent on guessing, and the hash of the same secret is the
// same everywhere, so that several places tell no more.
func checkValue(secret string) string {
	sum := sha256.Sum256([]byte("verdict secret check v1\x00" + secret))
	return fmt.Sprintf("%x", sum[:2])
}

const secretKey = "secret:"

// Report says what was found in the files of the walk that m describes.
func (s *Secrets) Report(m *Manifest, scope string) verdict.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, named := s.named(m)
	r := verdict.Report{
		Check:      SecretsCheck,
		Tool:       verdict.Tool{Name: "verdict with the rules of " + RulesVersion, Version: s.o.Version, Rules: s.rules.digest},
		Scope:      verdict.Scope{Path: scope, Files: s.files + s.binary, Bytes: s.bytes, Inputs: s.files + s.binary},
		NotChecked: append(m.notChecked(s, true), slices.Concat(s.failed, s.o.leftOut.told(m, s.searches))...),
	}
	all, more := s.keyed(m, append(slices.Clone(s.hits), named...))
	hits, n, told := ignored(all, s.o.Ignores, s.o.IgnoreFile, s.o.Now())
	r.Hits, r.Ignored, r.NotChecked = hits, n, append(r.NotChecked, told...)
	aside := func(n int64, what string) {
		if n > 0 {
			r.NotChecked = append(r.NotChecked, verdict.NotChecked{Reason: fmt.Sprintf("%s: %d", what, n)})
		}
	}
	if s.archives != nil {
		r.NotChecked = append(r.NotChecked, s.archives.told(m)...)
	} else {
		aside(archived(m), "archives, which were not opened (verdict ci --archives does)")
	}
	aside(s.binary, "binary files, whose content was not searched")
	aside(out, "files that the rule set leaves out by their path, as lockfiles, images, documents and code brought in by others")
	if s.past == nil {
		r.NotChecked = append(r.NotChecked, verdict.NotChecked{Reason: "git history was not searched: verdict ci --history FROM..TO"})
	} else {
		r.NotChecked, r.History = append(r.NotChecked, s.past.failed...), &s.past.told
	}
	if more += s.more; more > 0 {
		r.NotChecked = append(r.NotChecked, verdict.NotChecked{Reason: fmt.Sprintf("%d more hits than a report holds are not listed", more), Blocks: true})
	}
	r.Complete = complete(r.NotChecked)
	return r
}

func complete(list []verdict.NotChecked) bool {
	return !slices.ContainsFunc(list, func(n verdict.NotChecked) bool { return n.Blocks })
}

// named goes by paths alone: files that the rule set leaves out, and files that are
// secrets by their name, whatever they hold.
func (s *Secrets) named(m *Manifest) (out int64, hits []secretHit) {
	read := map[string]bool{}
	for _, h := range s.hits {
		read[h.path] = read[h.path] || h.rule == keystoreRule
	}
	for _, e := range m.Entries {
		switch {
		case e.Mode == git.ModeLink || read[e.Path]: // a key store says more than its name
		case s.o.leftOut.covers(e.Path):
		case s.rules.pathAllowed(e.Path):
			out++
		default:
			hits = append(hits, gathered(e.Path, s.rules.named(e.Path))...)
		}
	}
	return out, hits
}

// keyed gives each hit its key, its words and its place in the order, and counts those
// of the history that a report has no room for. Two secrets that share rule, path and
// check value are told apart by their order in the file.
func (s *Secrets) keyed(m *Manifest, found []secretHit) (hits []verdict.Hit, more int) {
	slices.SortStableFunc(found, func(a, b secretHit) int {
		return cmp.Or(strings.Compare(a.path, b.path), cmp.Compare(a.lines[0], b.lines[0]), strings.Compare(a.rule.ID, b.rule.ID))
	})
	hits = []verdict.Hit{}
	taken, inTree := map[string]int{}, map[sameSecret]int{}
	for _, f := range found {
		inTree[f.identity()] = len(hits)
		hits = append(hits, f.hit(s.o.prefix, taken))
	}
	tree := len(hits)
	hits = s.withHistory(m, hits, inTree, taken)
	keep := max(tree, min(len(hits), maxHits))
	return hits[:keep], len(hits) - keep
}

// hit makes the hit of a report, its key with the path from the repository's root. Keys
// that are taken get a number.
func (f secretHit) hit(prefix string, taken map[string]int) verdict.Hit {
	h := verdict.Hit{
		Key: secretKey + f.rule.ID + ":" + f.check + ":" + wording.Shown(prefix+f.path), Detector: f.rule.ID, Message: f.message(),
		Severity: f.severity, Path: wording.Shown(f.path), Line: f.lines[0], PublicID: wording.Shown(f.publicID),
		Fix: "revoke it where it was issued, then take it out of the file and out of git's history; if it is no secret, an owner states so in " +
			IgnoreFile + " on the branch that the change goes to (verdict help false-positives)",
	}
	if h.Severity == "" {
		h.Severity = verdict.SeverityCritical
		if generic(f.rule) || f.rule.Yields && f.rule.Regex != "" {
			h.Severity = verdict.SeverityHigh
		}
	}
	if taken[h.Key]++; taken[h.Key] > 1 {
		h.Key += fmt.Sprintf("#%d", taken[h.Key])
	}
	return h
}

// message says what was found and never what it is.
func (f secretHit) message() string {
	var b bytes.Buffer
	b.WriteString(strings.TrimSuffix(f.rule.Description, "."))
	if f.length > 0 {
		fmt.Fprintf(&b, " (%d characters, not shown)", f.length)
	}
	if f.depth > 0 {
		fmt.Fprintf(&b, "; it stands there encoded as %s", f.kind)
		if f.depth > 1 {
			fmt.Fprintf(&b, ", %d inside each other", f.depth)
		}
	}
	if len(f.lines) > 1 {
		fmt.Fprintf(&b, "; also in line")
		for _, l := range f.lines[1:min(len(f.lines), 6)] {
			fmt.Fprintf(&b, " %d", l)
		}
		if len(f.lines) > 6 {
			fmt.Fprintf(&b, " and %d more", len(f.lines)-6)
		}
	}
	b.WriteString(f.note)
	if f.allowed {
		b.WriteString("; the gitleaks:allow comment beside it does not count: a change cannot excuse itself")
	}
	return b.String()
}
