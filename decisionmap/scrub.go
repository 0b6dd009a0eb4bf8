package decisionmap

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"verdict"
)

// roleOfLayer is what stands for the place of a point in the leadership view.
var roleOfLayer = map[verdict.Layer]string{
	verdict.LayerCode:       "code host",
	verdict.LayerCI:         "automated checks",
	verdict.LayerArtifact:   "artifact store",
	verdict.LayerDeploy:     "delivery platform",
	verdict.LayerRuntime:    "running platform",
	verdict.LayerGovernance: "record keeping",
}

// roleOf says who states a kind of evidence, whichever tool that is.
func roleOf(kind string) string {
	switch {
	case slices.Contains([]string{"change", "ownership", "change-review"}, kind):
		return "code host"
	case slices.Contains([]string{"provenance", "sbom", "signature"}, kind):
		return "builder"
	case slices.Contains([]string{"inventory", "intent", "grants", "access"}, kind):
		return "observation"
	case kind == "iac-plan":
		return "infrastructure planning"
	case slices.Contains(unsigned, kind):
		return "the declared environment"
	}
	return "automated checks"
}

// roleOfSource is the role of a tool, by the first kind that it yields.
func roleOfSource(s Source) string {
	if s.Format == HelmFormat {
		return roleOf("iac")
	}
	if len(s.Kinds) == 0 {
		return "reference data"
	}
	return roleOf(s.Kinds[0])
}

// restsOn lists, by role, who states what a point needs.
func (m *Map) restsOn(p Point) []string {
	var out []string
	for _, n := range p.Needs {
		role := roleOf(n.Kind)
		for _, o := range m.Points {
			if o.Produces.Kind == n.Kind {
				role = string(o.Layer) + " decisions"
			}
		}
		if !slices.Contains(out, role) {
			out = append(out, role)
		}
	}
	return out
}

// scrubber gives a function that puts roles in the place of the names of tools, systems,
// clouds and clusters, however they are written, in text made safe for one line.
func (m *Map) scrubber() func(string) string {
	roles := m.vendorWords()
	words := slices.Collect(maps.Keys(roles))
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	patterns := make([]*regexp.Regexp, len(words))
	for i, w := range words {
		patterns[i] = regexp.MustCompile("(?i)" + regexp.QuoteMeta(w))
	}
	return func(s string) string {
		s = oneLine(s)
		for i, p := range patterns {
			s = replaceWord(s, p, roles[words[i]])
		}
		return s
	}
}

// vendorWords maps each name that belongs to a vendor, or to a place of a vendor, to its
// role. A name with dashes is meant with spaces too.
func (m *Map) vendorWords() map[string]string {
	out := map[string]string{}
	put := func(word, role string) {
		if word == "" {
			return
		}
		out[word] = role
		out[strings.NewReplacer("-", " ", "_", " ").Replace(word)] = role
	}
	for _, e := range m.Environments {
		put(e.Cloud, "cloud")
		put(e.Cluster, "cluster")
	}
	for _, p := range m.Points {
		system, _, _ := strings.Cut(p.At, "/")
		put(p.At, roleOfLayer[p.Layer])
		put(system, roleOfLayer[p.Layer])
	}
	for name, s := range m.Sources {
		put(name, roleOfSource(s))
		if len(s.Command) > 0 {
			put(path.Base(s.Command[0]), roleOfSource(s))
		}
	}
	return out
}

// replaceWord replaces matches that are no part of a longer word.
func replaceWord(s string, p *regexp.Regexp, with string) string {
	var b strings.Builder
	last := 0
	for _, at := range p.FindAllStringIndex(s, -1) {
		before, _ := utf8.DecodeLastRuneInString(s[:at[0]])
		after, _ := utf8.DecodeRuneInString(s[at[1]:])
		if inWord(before) || inWord(after) {
			continue
		}
		b.WriteString(s[last:at[0]])
		b.WriteString(with)
		last = at[1]
	}
	b.WriteString(s[last:])
	return b.String()
}

func inWord(c rune) bool {
	return c != utf8.RuneError && (unicode.IsLetter(c) || unicode.IsNumber(c))
}
