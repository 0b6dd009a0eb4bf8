package inventory

import (
	"errors"
	"fmt"
	"strings"

	"verdict/ci/wording"
)

// gemfileLock reads Gemfile.lock, whose levels are told by spaces:
//
//	GEM
//	  remote: https://gems.acme.example/
//	  specs:
//	    rails (7.0.4)
//	      activesupport (= 7.0.4)
//	DEPENDENCIES
//	  rails (~> 7.0)
//
// A gem with compiled parts stands in it once for each platform, and is one component.
type gemfileLock struct {
	*named
	section string
	kind    nodeKind
	address string // of the source that is read
	at      int    // the gem whose wishes follow; -1 where there is none
	asked   bool   // DEPENDENCIES was there
	root    node
	sums    map[string][]Hash // name@version → digests
}

func parseGemfileLock(content []byte) (*locked, error) {
	x := &gemfileLock{named: newNamed(EcosystemGems, "bundle lock"), at: -1, root: node{kind: project}, sums: map[string][]Hash{}}
	lines := strings.Split(string(content), "\n")
	for i, line := range lines {
		if err := x.line(int64(i+1), strings.TrimRight(line, " \r")); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if !x.asked {
		return nil, errors.New("it is no lockfile of Bundler, or ends early: it has no DEPENDENCIES")
	}
	for i := range x.nodes {
		x.nodes[i].hashes = x.sums[x.nodes[i].name+"@"+x.nodes[i].version]
	}
	x.locked.add(x.root)
	return x.locked, nil
}

func (x *gemfileLock) line(number int64, line string) error {
	text := strings.TrimLeft(line, " ")
	level := len(line) - len(text)
	switch {
	case text == "":
		return nil
	case level == 0:
		x.section, x.kind, x.address, x.at = text, released, "", -1
		switch text {
		case "GIT":
			x.kind = addressed
		case "PATH":
			x.kind = local
		case "DEPENDENCIES":
			x.asked = true
		}
		return nil
	}
	switch x.section {
	case "GEM", "GIT", "PATH", "PLUGIN SOURCE":
		return x.source(number, level, text)
	case "DEPENDENCIES":
		name, _ := gemAndVersion(text)
		x.root.asks = append(x.root.asks, ask{name: name, optional: name == "bundler"})
	case "CHECKSUMS":
		gem, digests, _ := strings.Cut(text, ") ")
		name, version := gemAndVersion(gem + ")")
		for digest := range strings.SplitSeq(digests, ",") {
			algorithm, hex, _ := strings.Cut(strings.TrimSpace(digest), "=")
			x.sums[name+"@"+version] = append(x.sums[name+"@"+version], hashOfHex(algorithm, hex)...)
		}
	}
	return nil
}

// source takes one line of a source: where it is, its gems, and what they need.
func (x *gemfileLock) source(number int64, level int, text string) error {
	key, value, _ := strings.Cut(text, ": ")
	switch {
	case level == 2 && key == "remote":
		if x.section == "GEM" && x.address != "" { // one of several; which one, it does not tell
			value = ""
		}
		x.address = value
	case level == 2 && key == "revision" && commitID.MatchString(value):
		x.address += "#" + value
	case level == 4:
		name, version := gemAndVersion(text)
		if name == "" || version == "" {
			return errors.New("a gem without name or version")
		}
		i, fresh := x.put(node{name: name, version: version, line: number, kind: x.kind, address: x.address})
		if x.at = i; !fresh && x.nodes[i].version != version {
			return fmt.Errorf("%s stands twice, as %s and as %s", wording.Cut(name, 120), wording.Cut(x.nodes[i].version, 40), wording.Cut(version, 40))
		}
	case level == 6 && x.at >= 0:
		name, _ := gemAndVersion(text)
		x.nodes[x.at].asks = append(x.nodes[x.at].asks, ask{name: name, optional: name == "bundler"})
	}
	return nil
}

// gemAndVersion reads "name (1.0-platform)" and "name (~> 1.0)!".
func gemAndVersion(text string) (name, version string) {
	name, rest, _ := strings.Cut(strings.TrimSuffix(text, "!"), " (")
	version, _, _ = strings.Cut(rest, ")")
	version, _, _ = strings.Cut(version, "-") // what follows is a platform: no version of a gem holds a dash
	return strings.TrimSpace(name), version
}
