package inventory

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"verdict/ci/wording"
)

// yarnLock reads yarn.lock in the form of yarn 1: blocks whose head names everything that
// one version answers ("a@^1, a@^1.2:"), with members below. What the projects ask for
// stands in their package.json only.
type yarnLock struct {
	*locked
	answers map[string]int  // by name@range
	byName  map[string]int  // the last of each name
	own     map[string]bool // names of the projects
	loose   bool            // a project puts other versions in place of those asked for
	section string          // the member that nested lines belong to
}

// parseYarnLock reads the form of yarn 1 and hands later ones on.
func parseYarnLock(content []byte) (*locked, error) {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(content, []byte("__metadata:")) || bytes.Contains(content, []byte("\n__metadata:")) {
		return parseBerryLock(content)
	}
	x := &yarnLock{
		locked:  &locked{ecosystem: EcosystemNPM, relock: "yarn install", globs: true},
		answers: map[string]int{}, byName: map[string]int{}, own: map[string]bool{},
	}
	x.locked.resolve, x.locked.manifest = x.answer, x.takeManifest
	in := bufio.NewScanner(bytes.NewReader(content))
	in.Buffer(nil, 1<<20)
	for line := int64(1); in.Scan(); line++ {
		if err := x.line(in.Text(), line); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	for i := range x.nodes {
		if x.nodes[i].version == "" {
			return nil, fmt.Errorf("line %d: an entry without a version: the file ends early", x.nodes[i].line)
		}
	}
	return x.locked, x.tooMany()
}

func (x *yarnLock) line(text string, at int64) error {
	body := strings.TrimLeft(text, " ")
	indent := len(text) - len(body)
	body = strings.TrimRight(body, " \r")
	if body == "" || body[0] == '#' {
		return nil
	}
	if indent == 0 {
		return x.head(body, at)
	}
	key, rest, err := yarnWord(body)
	if err != nil {
		return err
	}
	if len(x.nodes) == 0 {
		return errors.New("a member without an entry")
	}
	switch {
	case indent == 2 && rest == ":":
		x.section = key
		return nil
	case indent == 2:
		x.section = ""
	case indent != 4 || x.section == "":
		return fmt.Errorf("an indent of %d that yarn does not write", indent)
	}
	value, rest, err := yarnWord(strings.TrimLeft(rest, " "))
	if err == nil && rest != "" {
		err = errors.New("text behind a value")
	}
	if err != nil {
		return err
	}
	return x.member(key, value)
}

// yarnWord takes one word, quoted as in JSON or plain.
func yarnWord(s string) (word, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case '"':
				if json.Unmarshal([]byte(s[:i+1]), &word) != nil {
					return "", "", errors.New("a quoted word that cannot be read")
				}
				return word, s[i+1:], nil
			}
		}
		return "", "", errors.New("a quoted word without its end")
	}
	i := indexAny(s, " ,:\"")
	// A plain word may hold a colon: only one in front of a space or the end divides.
	for i < len(s) && s[i] == ':' && i+1 < len(s) && s[i+1] != ' ' {
		i += 1 + indexAny(s[i+1:], " ,:\"")
	}
	if i == 0 {
		return "", "", errors.New("a word was expected")
	}
	return s[:i], s[i:], nil
}

// head begins an entry.
func (x *yarnLock) head(s string, at int64) error {
	x.section = ""
	i := x.add(node{line: at})
	for {
		pattern, rest, err := yarnWord(s)
		if err != nil {
			return err
		}
		if _, twice := x.answers[pattern]; twice {
			return fmt.Errorf("%s stands twice", wording.Cut(pattern, 120))
		}
		x.answers[pattern] = i
		name, spec := nameAndVersion(pattern, '@')
		x.byName[name] = i
		if err := x.nodes[i].called(name, spec); err != nil {
			return err
		}
		if rest == ":" {
			return nil
		}
		comma := false
		if s, comma = strings.CutPrefix(rest, ", "); !comma {
			return errors.New("the head of an entry without its end")
		}
	}
}

// called takes what one pattern of the head says.
func (n *node) called(name, spec string) error {
	protocol, rest, _ := strings.Cut(spec, ":")
	switch {
	case protocol == "npm" && rest != "":
		if real, version := nameAndVersion(rest, '@'); version != "" || !versionForm.MatchString(strings.TrimLeft(real, "^~<>=")) {
			name = real // an alias
		}
	case protocol == "link" || protocol == "file" && !isArchive(rest) || protocol == "portal":
		n.kind = local
	case strings.ContainsAny(spec, ":/"):
		n.kind, n.address = addressed, spec
	}
	if n.name != "" && n.name != name {
		return fmt.Errorf("one entry for two packages, %s and %s", wording.Cut(n.name, 120), wording.Cut(name, 120))
	}
	n.name = name
	return nil
}

// isArchive reports whether a path is that of a packed package, which others than this
// tree may have made.
func isArchive(p string) bool {
	return strings.HasSuffix(p, ".tgz") || strings.HasSuffix(p, ".tar.gz")
}

func (x *yarnLock) member(key, value string) error {
	n := &x.nodes[len(x.nodes)-1]
	switch {
	case x.section == "dependencies" || x.section == "optionalDependencies":
		n.asks = append(n.asks, ask{name: key, spec: value, optional: x.section == "optionalDependencies"})
	case x.section != "":
	case key == "version" && n.version != "":
		return errors.New("version stands twice")
	case key == "version":
		n.version = cmp.Or(value, "?")
	case key == "resolved":
		n.address = value
		if address, digest, _ := strings.Cut(value, "#"); n.kind != addressed {
			n.address, n.hashes = address, append(n.hashes, hashOfHex("sha1", digest)...)
		}
	case key == "integrity":
		n.hashes = append(integrity(value), n.hashes...)
	}
	return nil
}

// takeManifest adds a project.
func (x *yarnLock) takeManifest(_ string, m, root *packageJSON) {
	x.own[m.name] = true
	x.loose = x.loose || root.overrides
	x.add(node{name: m.name, kind: project, asks: m.asks})
}

// answer finds name@range. Projects of one workspace and linked folders are not in the
// file; and with resolutions another range than the one asked for is.
func (x *yarnLock) answer(_ int, a ask) ([]int, bool) {
	for _, pattern := range []string{a.name + "@" + a.spec, strings.TrimSuffix(a.name+"@"+a.spec, "@")} {
		if i, ok := x.answers[pattern]; ok {
			return []int{i}, true
		}
	}
	protocol, rest, _ := strings.Cut(a.spec, ":")
	if x.own[a.name] || protocol == "link" || protocol == "workspace" || protocol == "file" && !isArchive(rest) {
		return nil, true
	}
	if i, ok := x.byName[a.name]; ok && x.loose {
		return []int{i}, true
	}
	return nil, false
}
