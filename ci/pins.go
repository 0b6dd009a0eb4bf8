package ci

import (
	"errors"
	"fmt"
	"regexp"
)

// maxPins bounds the table of pins.
const maxPins = 100_000

// Pins are what tags stood for when somebody looked: commits of actions and digests of
// images. They are a table of the operator's, so that nothing has to be asked for.
type Pins struct{ to map[[2]string]string }

var pinWord = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64}|sha256:[0-9a-f]{64})$`)

// ParsePins reads the table: in each line a name, a tag and its commit or digest, as in
// "actions/checkout v4.2.2 11bd71901bbe5b1630ceea73d27597364c9af683". Lines that begin with
// # say nothing; one tag with two pins is an error.
func ParsePins(content []byte) (*Pins, error) {
	p := &Pins{to: map[[2]string]string{}}
	err := rows(content, func(n int, f []string) error {
		if len(f) != 3 || !pinWord.MatchString(f[2]) {
			return fmt.Errorf("line %d is no name, tag and commit or sha256 digest, as in \"actions/checkout v4.2.2 11bd71901bbe5b1630ceea73d27597364c9af683\"", n)
		}
		key := [2]string{f[0], f[1]}
		if old, known := p.to[key]; known && old != f[2] {
			return fmt.Errorf("line %d gives %s %s another pin than a line before it", n, f[0], f[1])
		}
		if p.to[key] = f[2]; len(p.to) > maxPins {
			return fmt.Errorf("it lists more than %d pins", maxPins)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(p.to) == 0 {
		return nil, errors.New("it lists no pin")
	}
	return p, nil
}

// Len is the number of pins.
func (p *Pins) Len() int { return len(p.to) }

// of gives what a tag stands for. A nil table knows nothing.
func (p *Pins) of(name, tag string) (to string, known bool) {
	if p == nil {
		return "", false
	}
	to, known = p.to[[2]string{name, tag}]
	return to, known
}
