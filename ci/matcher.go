package ci

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/zricethezav/gitleaks/v8/detect"

	"verdict"
)

// finding is one secret in memory. It never leaves this room.
type finding struct {
	rule    *rule
	line    int64 // from 1; 0 for a rule about the file itself
	secret  string
	allowed bool // the line carries a comment that asks to be left out
	// kind and depth say how it stands encoded in the file; zero when it does not.
	kind  encoding
	depth int
	// severity is empty for the rule's own; note goes on in the message; publicID is as in
	// verdict.Hit.
	severity verdict.Severity
	note     string
	publicID string
}

// wholeLine bounds the line around a match that the library's allow lists get to see: in
// a file that is one line of megabytes, this much on both sides.
const wholeLine = 16 << 10

// scratch is what one file's search needs; it is used again for the next.
type scratch struct {
	at  [][]int32 // by rule: where its keywords begin
	met []int     // rules with a keyword in the file
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *ruleSet) borrow() *scratch {
	x := scratches.Get().(*scratch)
	if len(x.at) != len(s.rules) {
		x.at = make([][]int32, len(s.rules))
	}
	return x
}

func (x *scratch) giveBack() {
	for _, r := range x.met {
		x.at[r] = x.at[r][:0]
	}
	x.met = x.met[:0]
	scratches.Put(x)
}

// find gives the secrets in a file: what the library's own detector finds in it, with
// decoding, at a fraction of the work. Each rule's expression runs only where one of
// its keywords is near enough, and the library judges what it met there.
func (s *ruleSet) find(ctx context.Context, path string, content []byte) ([]finding, error) {
	all, err := s.passes(ctx, path, content, false)
	return precedence(all), err
}

// passes searches the text as it stands, and then what is encoded in it; there with forms
// for files of a form too.
func (s *ruleSet) passes(ctx context.Context, path string, content []byte, forms bool) ([]finding, error) {
	all, err := s.pass(path, content, func(r *rule, at []int32, odd bool) ([]finding, error) {
		return r.find(ctx, path, content, at, odd)
	})
	if err != nil {
		return all, err
	}
	decoded, err := s.findDecoded(ctx, path, content, forms)
	return append(all, decoded...), err
}

// maxFindings bounds what one text gives: nobody reads more, and each costs.
const maxFindings = maxHits

var errFindings = errors.New("more than " + strconv.Itoa(maxFindings) + " secrets were found in it")

// pass calls search for every rule that a text is to be searched with: with the places of
// its keywords, and whether a letter in the text voids the windows.
func (s *ruleSet) pass(path string, text []byte, search func(r *rule, at []int32, odd bool) ([]finding, error)) ([]finding, error) {
	x := s.borrow()
	defer x.giveBack()
	odd := slices.ContainsFunc(oddFolds, func(l string) bool { return bytes.Contains(text, []byte(l)) })
	searched := text
	if odd { // the library looks for keywords in the lowered text
		searched = bytes.ToLower(text)
	}
	s.keywords.scan(searched, func(word, at int) {
		for _, r := range s.of[word] {
			if len(x.at[r]) == 0 {
				x.met = append(x.met, r)
			}
			x.at[r] = append(x.at[r], int32(at))
		}
	})
	var all []finding
	slices.Sort(x.met)
	for _, n := range append(slices.Clone(s.always), x.met...) {
		r := s.rules[n]
		if err := r.ready(); err != nil {
			return nil, err
		}
		if r.path != nil && !r.path.MatchString(path) {
			continue
		}
		found, err := search(r, x.at[n], odd)
		all = append(all, found...)
		if err == nil && len(all) > maxFindings {
			all, err = all[:maxFindings], errFindings
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// find runs one rule. at are the places of its keywords.
func (r *rule) find(ctx context.Context, path string, content []byte, at []int32, odd bool) ([]finding, error) {
	if len(r.Keywords) == 0 || odd || !r.reach.known {
		if !r.regex.Match(content) {
			return nil, nil
		}
		return r.confirm(ctx, path, content, window{0, len(content)}, 0)
	}
	var all []finding
	line, counted := 0, 0
	for _, w := range r.fragments(content, at) {
		line += bytes.Count(content[counted:w.from], newline)
		counted = w.from
		found, err := r.confirm(ctx, path, content, w, line)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

var newline = []byte("\n")

// window is a stretch of the text.
type window struct{ from, to int }

// fragments gives the windows in which the expression matches, widened to whole lines.
func (r *rule) fragments(content []byte, at []int32) []window {
	var out []window
	for _, w := range r.windows(content, at) {
		if !r.regex.Match(content[w.from:w.to]) {
			continue
		}
		w = widened(content, w)
		if n := len(out); n > 0 && w.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, w.to)
			continue
		}
		out = append(out, w)
	}
	return out
}

// windows joins what the keywords can reach.
func (r *rule) windows(content []byte, at []int32) []window {
	var out []window
	slices.Sort(at) // words of different lengths are found by their ends
	for _, k := range at {
		if !r.reach.follows(content, int(k)) {
			continue
		}
		w := window{max(0, int(k)-r.reach.before-margin), min(len(content), r.reach.end(content, int(k))+margin)}
		if n := len(out); n > 0 && w.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, w.to)
			continue
		}
		out = append(out, w)
	}
	return out
}

// widened takes in the rest of the first and of the last line, with the newlines at
// both ends: the library tells lines by them.
func widened(content []byte, w window) window {
	low := max(0, w.from-wholeLine)
	if i := bytes.LastIndexByte(content[low:w.from], '\n'); i >= 0 {
		w.from = low + i
	} else {
		w.from = low
	}
	high := min(len(content), w.to+wholeLine)
	if i := bytes.IndexByte(content[w.to:high], '\n'); i >= 0 {
		w.to += i + 1
	} else {
		w.to = high
	}
	return w
}

// confirm has the library judge one fragment that begins after so many newlines.
func (r *rule) confirm(ctx context.Context, path string, content []byte, w window, before int) ([]finding, error) {
	//lint:ignore SA1019 the detector of this version takes nothing else
	fragment := detect.Fragment{Raw: string(content[w.from:w.to]), FilePath: path, StartLine: before + 1}
	var all []finding
	for _, f := range r.library.DetectContext(ctx, fragment) {
		all = append(all, finding{rule: r, line: int64(f.StartLine), secret: f.Secret, allowed: strings.Contains(f.Line, "gitleaks:allow")})
	}
	return all, ctx.Err()
}

// named gives the findings of the rules that judge a path alone.
func (s *ruleSet) named(path string) []finding {
	var all []finding
	for _, n := range s.byPath {
		if r := s.rules[n]; r.ready() == nil && r.path != nil && r.path.MatchString(path) {
			all = append(all, finding{rule: r})
		}
	}
	return all
}

// precedence drops a finding of a generic rule where another rule found the same secret
// in the same line, as the library does for a whole file, and one of a rule that yields
// where a rule found it that names the service.
func precedence(all []finding) []finding {
	better := map[int64][]finding{} // by line, those that say more than others
	for _, f := range all {
		if !generic(f.rule) {
			better[f.line] = append(better[f.line], f)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(f finding) bool {
		if f.secret == "" || !generic(f.rule) && !f.rule.Yields {
			return false
		}
		return slices.ContainsFunc(better[f.line], func(g finding) bool {
			if f.rule == g.rule {
				return false
			}
			same := strings.Contains(g.secret, f.secret)
			return same && generic(f.rule) || f.rule.Yields && !g.rule.Yields && g.secret != "" && (same || strings.Contains(f.secret, g.secret))
		})
	})
}

func generic(r *rule) bool { return strings.Contains(strings.ToLower(r.ID), "generic") }
