package ci

import (
	"bytes"
	"context"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/zricethezav/gitleaks/v8/config"
)

// maxDecode is how many encodings inside each other are taken off.
const maxDecode = 5

// segment is one encoded value and where it stands: in the file, in the text of the
// layer below, and decoded in this layer.
type segment struct {
	original, encoded, decoded window
	kind                       encoding // of this one and of those that it came out of
}

// layer is a text in which encoded values are replaced by what they stand for. The file
// itself is a layer without segments.
type layer struct {
	text     []byte
	depth    int
	segments []segment // in order, apart from each other
	under    *layer    // what it was decoded from
}

// decode makes the layer above; nil when nothing in this one is encoded. A layer is never
// longer than the one below it. This layer's text is given up.
func (l *layer) decode() (*layer, error) {
	all, err := encodedIn(l.text)
	if err != nil {
		return nil, err
	}
	up := &layer{depth: l.depth + 1, under: l}
	copied := 0
	for _, e := range undisturbed(all) {
		value := e.decode(l.text)
		if len(value) == 0 {
			continue
		}
		up.text = append(up.text, l.text[copied:e.from]...)
		at := len(up.text)
		up.text = append(up.text, value...)
		copied = e.to
		s := segment{original: l.original(e.window), encoded: e.window, decoded: window{at, len(up.text)}, kind: e.kind}
		for _, below := range l.touching(e.window) {
			s.kind |= below.kind
		}
		up.segments = append(up.segments, s)
	}
	if len(up.segments) == 0 {
		return nil, nil
	}
	up.text = append(up.text, l.text[copied:]...)
	l.text = nil
	return up, nil
}

// touching gives the segments whose decoded text a stretch of this layer overlaps or
// has an edge in common with.
func (l *layer) touching(w window) []segment {
	from := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].decoded.to >= w.from })
	to := from
	for to < len(l.segments) && l.segments[to].decoded.from <= w.to {
		to++
	}
	return l.segments[from:to]
}

// original says where in the file a stretch of this layer comes from. Within an encoded
// value that is all of the value.
func (l *layer) original(w window) window {
	for l != nil && len(l.segments) > 0 {
		var below window
		for _, s := range l.touching(w) {
			if s.decoded.holds(w) {
				return s.original
			}
			wide := s.decoded.with(w)
			place := window{s.encoded.from + wide.from - s.decoded.from, s.encoded.to + wide.to - s.decoded.to}
			if below.to == 0 {
				below = place
			} else {
				below = below.with(place)
			}
		}
		if below.to == 0 {
			return w
		}
		w, l = below, l.under
	}
	return w
}

// findDecoded searches every layer above the file's text, and with forms looks for whole
// files in it.
func (s *ruleSet) findDecoded(ctx context.Context, path string, content []byte, forms bool) ([]finding, error) {
	l, err := (&layer{text: content}).decode()
	var all []finding
	for ; l != nil && err == nil; l, err = l.decode() {
		found, err := s.pass(path, l.text, func(r *rule, at []int32, odd bool) ([]finding, error) {
			return r.findIn(l, path, content, at, odd), ctx.Err()
		})
		all = append(all, found...)
		if err != nil {
			return all, err
		}
		if forms {
			all = append(all, s.embedded(ctx, path, content, l)...)
		}
		if l.depth == maxDecode {
			break
		}
	}
	return all, err
}

// smallestForm is the shortest decoded value that could be a whole file.
const smallestForm = 64

// embedded finds files of a form that stand encoded in another, as a kubeconfig does in
// the variables of a pipeline.
func (s *ruleSet) embedded(ctx context.Context, path string, content []byte, l *layer) []finding {
	var all []finding
	for _, part := range l.segments {
		value := l.text[part.decoded.from:part.decoded.to]
		if len(value) < smallestForm {
			continue
		}
		for _, form := range embeddedForms {
			if !form.fits("", value) {
				continue
			}
			found, _ := form.read(ctx, s, path, value) // what is no such file is none here
			for _, f := range found {
				f.line = lineOf(content, part.original)
				f.kind, f.depth = f.kind|part.kind, f.depth+l.depth
				all = append(all, f)
			}
		}
	}
	return all
}

// lineOf is the line, from 1, in which a stretch of the file begins.
func lineOf(content []byte, w window) int64 {
	return 1 + int64(bytes.Count(content[:min(w.from+1, len(content))], newline))
}

// findIn runs one rule over a layer. What holds nothing that was decoded there was found
// in a layer below.
func (r *rule) findIn(l *layer, path string, content []byte, at []int32, odd bool) []finding {
	// A rule that yields knows the form of its file, and found the value as it stands.
	if r.Yields || leftOut(r.lists, path) {
		return nil
	}
	places := []window{{0, len(l.text)}}
	if len(r.Keywords) > 0 && !odd && r.reach.known {
		places = r.windows(l.text, r.near(l, at))
	}
	var all []finding
	for _, w := range places {
		for _, m := range r.regex.FindAllIndex(l.text[w.from:w.to], -1) {
			match := window{w.from + m[0], w.from + m[1]}
			if segments := l.touching(match); len(segments) > 0 {
				if f, ok := r.judge(l, segments, match, path, content); ok {
					all = append(all, f)
				}
			}
			if len(all) > maxFindings {
				return all
			}
		}
	}
	return all
}

// near keeps the keywords whose windows, joined with those that overlap them, reach a
// decoded value: what the others find was found in a layer below.
func (r *rule) near(l *layer, at []int32) []int32 {
	slices.Sort(at)
	kept := at[:0]
	for i := 0; i < len(at); {
		joined, n := r.around(l, at[i]), i+1
		for ; n < len(at); n++ {
			w := r.around(l, at[n])
			if w.from > joined.to {
				break
			}
			joined = joined.with(w)
		}
		if len(l.touching(joined)) > 0 {
			kept = append(kept, at[i:n]...)
		}
		i = n
	}
	return kept
}

func (r *rule) around(l *layer, k int32) window {
	return window{max(0, int(k)-r.reach.before-margin), min(len(l.text), r.reach.end(l.text, int(k))+margin)}
}

// judge does what the library does with a match in decoded text, which it does not offer
// to others: the group, the entropy, the allow lists, the line in the file.
func (r *rule) judge(l *layer, segments []segment, match window, path string, content []byte) (finding, bool) {
	whole := strings.Trim(string(l.text[match.from:match.to]), "\n")
	secret := whole
	if groups := r.regex.FindStringSubmatch(whole); len(groups) > 1 {
		if r.SecretGroup > 0 {
			if len(groups) <= r.SecretGroup {
				return finding{}, false
			}
			secret = groups[r.SecretGroup]
		} else if i := slices.IndexFunc(groups[1:], func(g string) bool { return g != "" }); i >= 0 {
			secret = groups[1+i]
		}
	}
	if r.Entropy != 0 && entropy(secret) <= r.Entropy {
		return finding{}, false
	}
	decoded, kind := segments[0].decoded, encoding(0)
	for _, s := range segments {
		decoded, kind = decoded.with(s.decoded), kind|s.kind
	}
	around := string(lines(l.text, decoded))
	for _, lists := range [][]*config.Allowlist{r.allowed, r.lists} {
		if excused(lists, path, secret, whole, around) {
			return finding{}, false
		}
	}
	place := l.original(match)
	return identified(finding{
		rule: r, secret: secret, kind: kind, depth: l.depth,
		line:    lineOf(content, place),
		allowed: bytes.Contains(lines(content, place), []byte("gitleaks:allow")),
	}, l.text, match.from), true
}

// lines is the stretch with the rest of its first and last line, as far as an allow list
// gets to see it.
func lines(text []byte, w window) []byte {
	w = window{min(w.from, len(text)), min(w.to, len(text))}
	low, high := max(0, w.from-wholeLine), min(len(text), w.to+wholeLine)
	from, to := low, high
	if i := bytes.LastIndexByte(text[low:min(w.from+1, len(text))], '\n'); i >= 0 {
		from = low + i
	}
	if i := bytes.IndexByte(text[w.to:high], '\n'); i >= 0 {
		to = w.to + i
	}
	return text[from:max(from, to)]
}

// leftOut reports whether a rule's allow lists leave a file out by its path.
func leftOut(lists []*config.Allowlist, path string) bool {
	return slices.ContainsFunc(lists, func(a *config.Allowlist) bool {
		if a.MatchCondition == config.AllowlistMatchAnd && len(a.Regexes)+len(a.StopWords) > 0 {
			return false // to be judged with the match
		}
		return a.PathAllowed(path)
	})
}

// excused reports whether an allow list holds what was found.
func excused(lists []*config.Allowlist, path, secret, match, line string) bool {
	return slices.ContainsFunc(lists, func(a *config.Allowlist) bool {
		target := secret
		switch a.RegexTarget {
		case "match":
			target = match
		case "line":
			target = line
		}
		expr := a.RegexAllowed(target)
		word, _ := a.ContainsStopWord(secret)
		if a.MatchCondition != config.AllowlistMatchAnd {
			return expr || word
		}
		return (len(a.Paths) == 0 || a.PathAllowed(path)) && (len(a.Regexes) == 0 || expr) && (len(a.StopWords) == 0 || word)
	})
}

// entropy is Shannon's, in bits per character, by the library's formula: it counts
// characters and divides by bytes.
func entropy(s string) float64 {
	counts := map[rune]int{}
	for _, c := range s {
		counts[c]++
	}
	sum := 0.0
	for _, n := range counts {
		p := float64(n) / float64(len(s))
		sum -= p * math.Log2(p)
	}
	return sum
}
