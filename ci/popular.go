package ci

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"verdict/ci/inventory"
)

// Limits of the table of popular names. Names shorter than minPopular are near to too many.
const (
	maxPopular     = 50_000
	maxPopularName = 100
	minPopular     = 5
)

// Popular are the names that are imitated, by ecosystem: a list of the operator's.
type Popular struct {
	names map[string]bool // "ecosystem name", in lower case
	// near gives for a name without one of its letters, and for what it looks like, the
	// names that it was made from.
	near map[string][]string
}

// ParsePopular reads the list: in each line an ecosystem as OSV writes it and a name, as in
// "npm lodash". Lines that begin with # say nothing.
func ParsePopular(content []byte) (*Popular, error) {
	p := &Popular{names: map[string]bool{}, near: map[string][]string{}}
	err := rows(content, func(n int, f []string) error {
		if len(f) != 2 || !utf8.ValidString(f[0]+f[1]) || len(f[1]) > maxPopularName {
			return fmt.Errorf("line %d is no ecosystem and name, as in \"npm lodash\"", n)
		}
		if p.add(f[0], f[1]); len(p.names) > maxPopular {
			return fmt.Errorf("it lists more than %d names", maxPopular)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(p.names) == 0 {
		return nil, fmt.Errorf("it lists no name")
	}
	return p, nil
}

// rows gives the words of each line of a table of the operator's, with its number from 1.
// Empty lines and those that begin with # say nothing.
func rows(content []byte, each func(n int, words []string) error) error {
	in := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))))
	for n := 1; in.Scan(); n++ {
		words := strings.Fields(in.Text())
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if err := each(n, words); err != nil {
			return err
		}
	}
	return in.Err()
}

// Len is the number of names.
func (p *Popular) Len() int { return len(p.names) }

func (p *Popular) add(ecosystem, name string) {
	key := strings.ToLower(ecosystem + " " + name)
	if p.names[key] {
		return
	}
	p.names[key] = true
	name = strings.ToLower(name)
	for near := range around(ecosystem, name) {
		p.near[near] = append(p.near[near], name)
	}
}

// around gives the name itself, the name without each of its letters, and what it looks like,
// each with the ecosystem. Two names that are one edit apart have one of these in common.
func around(ecosystem, name string) map[string]bool {
	ecosystem = strings.ToLower(ecosystem)
	out := map[string]bool{ecosystem + " ~" + looks(name): true}
	letters := []rune(name)
	if len(letters) < minPopular {
		return out
	}
	out[ecosystem+" "+name] = true
	for i := range letters {
		out[ecosystem+" "+string(letters[:i])+string(letters[i+1:])] = true
	}
	return out
}

// lookalikes are letters that are read as another.
var lookalikes = strings.NewReplacer(
	"0", "o", "1", "l", "rn", "m", "vv", "w", "-", "", "_", "", ".", "", "@", "", "/", "",
	"а", "a", "е", "e", "о", "o", "р", "p", "с", "c", "у", "y", "х", "x", "і", "i", "ѕ", "s", "ԁ", "d", "ј", "j", "ո", "n", "ո", "n",
	"ο", "o", "α", "a", "ν", "v", "ρ", "p", "ι", "i", "κ", "k", "τ", "t", "ı", "i",
)

// looks is what a name looks like to somebody who reads over it.
func looks(name string) string { return lookalikes.Replace(name) }

// imitated is the popular name that a name is near to: one edit apart, two letters swapped,
// or another only by separators and letters that look alike.
func (p *Popular) imitated(ecosystem, name string) string {
	name = strings.ToLower(name)
	if p == nil || len(name) > maxPopularName || p.names[strings.ToLower(ecosystem)+" "+name] {
		return ""
	}
	best := ""
	for near := range around(ecosystem, name) {
		for _, other := range p.near[near] {
			if (looks(other) == looks(name) || apart(other, name)) && (best == "" || other < best) {
				best = other
			}
		}
	}
	return best
}

// apart reports whether two names are one edit of Damerau apart: a letter more, less, or
// another, or two neighbours swapped.
func apart(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	i := 0
	for i < len(x) && x[i] == y[i] {
		i++
	}
	same := func(u, v []rune) bool { return string(u) == string(v) }
	switch {
	case min(len(x), len(y)) < minPopular-1 || len(y)-len(x) > 1:
		return false
	case len(y) > len(x):
		return same(x[i:], y[i+1:])
	case i == len(x):
		return false // the same name
	case same(x[i+1:], y[i+1:]):
		return true
	}
	return i+1 < len(x) && x[i] == y[i+1] && x[i+1] == y[i] && same(x[i+2:], y[i+2:])
}

// imitations tells components whose name is near to a popular one.
func (t Taking) imitations(all []inventory.Dependency) (flaws []inventory.Flaw) {
	for _, d := range all {
		if t.Popular == nil || d.Ecosystem == inventory.EcosystemGo && d.Name == "stdlib" || t.internal(d.Name) {
			continue
		}
		if other := t.Popular.imitated(d.Ecosystem, d.Name); other != "" {
			flaws = append(flaws, d.Flaw(nameNear, "make sure that it is the one that was meant, and have it taken into the list of popular names if it is",
				"%s looks like the popular name %s", d.Name, other))
		}
	}
	return flaws
}
