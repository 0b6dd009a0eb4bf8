package code

import (
	"fmt"
	"regexp"
	"strings"
)

// The forms of a CODEOWNERS file.
const (
	formGitHub = "github"
	formGitLab = "gitlab"
)

// source is one file that says who owns what.
type source struct {
	path, form string
	rules      []rule
	faults     []string
}

// rule is one line of a source.
type rule struct {
	pattern
	text    string // as written, for people
	line    int64
	section int    // place of its section; 0 outside of sections
	title   string // of the section
	owners  []string
	// excludes takes the paths out of the section, for good.
	excludes bool
	// unit is what speaks with one voice: two units that name others are in conflict.
	unit string
	file string // where the line stands
}

func (s *source) fault(line int, format string, args ...any) {
	if len(s.faults) == maxFaults {
		s.faults = append(s.faults, "and more")
	}
	if len(s.faults) < maxFaults {
		s.faults = append(s.faults, shown(fmt.Sprintf("%s:%d: ", s.path, line)+fmt.Sprintf(format, args...)))
	}
}

// section is a heading of GitLab's form: ^[Name][2] @default.
var section = regexp.MustCompile(`^\^?\[([^\[\]]+)\](?:\[\d+\])?(?:\s+(.*))?$`)

// parseOwners reads a CODEOWNERS file. A line that the forge would skip is skipped and
// told; it owns nothing. Never an error: a file of which no line can be read owns nothing.
func parseOwners(path, form string, content []byte) *source {
	s := &source{path: path, form: form}
	if form == "" {
		s.form = formOf(string(content))
	}
	sections, current, title := map[string]int{}, 0, ""
	var standard []string
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(content), "\uFEFF")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if len(s.rules) == maxRules {
			s.fault(number, "the file has more than %d rules; those from here on are not read", maxRules)
			break
		}
		if m := section.FindStringSubmatch(line); s.form == formGitLab && m != nil {
			name := strings.ToLower(strings.TrimSpace(m[1]))
			if sections[name] == 0 {
				sections[name] = len(sections) + 1
			}
			current, title = sections[name], strings.TrimSpace(m[1])
			standard, _ = s.owners(number, strings.Fields(m[2]))
			continue
		}
		r, ok := s.rule(number, line, standard)
		if !ok {
			continue
		}
		r.section, r.title, r.unit = current, title, path
		s.rules = append(s.rules, r)
	}
	return s
}

// formOf tells GitLab's form by a section's heading, which GitHub would skip.
func formOf(content string) string {
	for line := range strings.Lines(content) {
		if section.MatchString(strings.TrimSpace(line)) {
			return formGitLab
		}
	}
	return formGitHub
}

// rule reads one line: a pattern and its owners.
func (s *source) rule(number int, line string, standard []string) (rule, bool) {
	words := splitWords(line)
	r := rule{text: words[0], line: int64(number), file: s.path}
	compile := githubPattern
	if s.form == formGitLab {
		compile = gitlabPattern
		if rest, ok := strings.CutPrefix(r.text, "!"); ok && rest != "" {
			r.excludes = true
			words[0] = rest
		}
	}
	var ok bool
	if r.pattern, ok = compile(words[0]); !ok {
		s.fault(number, "the pattern %q is none that the forge reads; the line owns nothing", words[0])
		return rule{}, false
	}
	if r.excludes {
		return r, true
	}
	if r.owners, ok = s.owners(number, words[1:]); !ok {
		return rule{}, false
	}
	if len(r.owners) == 0 {
		r.owners = standard
	}
	return r, true
}

// owners reads the owners of a line. GitHub skips a line with a word that is no owner,
// and GitLab skips the word.
func (s *source) owners(number int, words []string) ([]string, bool) {
	var out []string
	for _, w := range words {
		if w[0] == '#' && s.form == formGitHub {
			break
		}
		at := strings.LastIndexByte(w, '@')
		name := len(w) > 1 && at == 0 || at == 1 && len(w) > 2 && w[0] == '@'
		address := at > 0 && strings.Contains(w[at:], ".")
		if (name || address) && len(out) < maxClaimOwner {
			out = append(out, shown(w))
			continue
		}
		if s.form == formGitHub {
			s.fault(number, "%q is no owner; the line owns nothing", w)
			return nil, false
		}
		s.fault(number, "%q is no owner, and is passed over", w)
	}
	return out, true
}

// splitWords cuts a line at white space that no backslash stands before.
func splitWords(line string) []string {
	var out []string
	var word strings.Builder
	escape := false
	for _, c := range line {
		switch {
		case (c == ' ' || c == '\t') && !escape:
			if word.Len() > 0 {
				out = append(out, word.String())
				word.Reset()
			}
		default:
			word.WriteRune(c)
		}
		escape = c == '\\' && !escape
	}
	if word.Len() > 0 {
		out = append(out, word.String())
	}
	return out
}

// of lists the rules of a CODEOWNERS file that count for a path: the last that matches,
// in each section of GitLab's form. A section that excludes the path says nothing of it.
func (s *source) of(path string) []rule {
	best := map[int]int{}
	out := map[int]bool{}
	last := 0
	for i, r := range s.rules {
		if out[r.section] || !r.matches(path) {
			continue
		}
		if r.excludes {
			out[r.section] = true
			continue
		}
		best[r.section] = i
		last = max(last, r.section)
	}
	var counts []rule
	for k := 0; k <= last; k++ {
		if i, ok := best[k]; ok && !out[k] {
			counts = append(counts, s.rules[i])
		}
	}
	return counts
}
