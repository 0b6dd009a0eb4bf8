package ci

import (
	"slices"
	"strings"
)

// folded makes one finding of one value that was found as it stands and decoded again.
// Of the same rule the first stays, whose key does not depend on decoding; a generic one
// gives way to a rule that knew the decoded value.
func folded(all []finding) []finding {
	decoded := map[int64][]finding{} // by line
	for _, f := range all {
		if f.depth > 0 {
			decoded[f.line] = append(decoded[f.line], f)
		}
	}
	if len(decoded) == 0 {
		return all
	}
	type one struct {
		rule   *rule
		line   int64
		depth  int
		secret string
	}
	gone := map[one]bool{}
	for _, f := range all {
		var texts []string
		for _, g := range decoded[f.line] {
			same := f.rule == g.rule
			if f.depth >= g.depth || !same && (!generic(f.rule) || generic(g.rule)) {
				continue
			}
			if texts == nil {
				texts = layersOf(f.secret)
			}
			if !slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(t, g.secret) }) {
				continue
			}
			if same {
				gone[one{g.rule, g.line, g.depth, g.secret}] = true
			} else {
				gone[one{f.rule, f.line, f.depth, f.secret}] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(f finding) bool { return gone[one{f.rule, f.line, f.depth, f.secret}] })
}

// layersOf are the texts that a value stands for.
func layersOf(value string) []string {
	texts := []string{}
	l, err := (&layer{text: []byte(value)}).decode()
	for ; l != nil && err == nil && l.depth <= maxDecode; l, err = l.decode() {
		texts = append(texts, string(l.text))
	}
	return texts
}
