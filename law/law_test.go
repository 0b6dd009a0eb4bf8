// Package law holds the repository's own rules as tests: which room may import which,
// how large things may grow, what must be documented, where SQL and time may stand.
// Each law is a function from a source tree to breaches. It runs over the project, and
// over small trees that break it and that only nearly do, so that no law is a law that
// cannot fail.
package law

import (
	"fmt"
	"sort"
	"strings"
	"testing"
)

// law is one rule of the repository.
type law struct {
	name   string // what it demands, as a sentence
	check  func(*tree) []breach
	broken []example // trees that break it
	fine   []example // trees that nearly do
}

// breach is one place where a law does not hold, and what to do about it.
type breach struct {
	path   string
	line   int // from 1; 0 when the whole file or folder is meant
	what   string
	remedy string
}

func (b breach) String() string {
	at := b.path
	if b.line > 0 {
		at = fmt.Sprintf("%s:%d", b.path, b.line)
	}
	return fmt.Sprintf("%s: %s\n  fix: %s", at, b.what, b.remedy)
}

// example is a small tree in txtar form. For a broken one, says is a part of the
// breach that must be found.
type example struct {
	name, files, says string
}

// laws is the statute book. A law that is not in it is not held.
var laws = []law{
	floorsLaw, leavesLaw, bannedNamesLaw, rootPackageLaw,
	dependenciesLaw, directImportsLaw,
	exportedDocsLaw, namesLaw,
	fileSizeLaw, functionSizeLaw, interfaceSizeLaw,
	sqlOrderLaw, sqlPlaceLaw,
	remedyLaw, predicateBaseLaw, ambientLaw, storedContextLaw, closeLaw,
	assertionLaw, fuzzListLaw,
	unfinishedLaw, registryHostLaw, documentsLaw, readmeBlocksLaw, runbookLaw, metricsLaw, honestyLaw,
}

func TestTheProjectKeepsItsLaws(t *testing.T) {
	project := projectTree(t)
	for _, l := range laws {
		t.Run(l.name, func(t *testing.T) {
			for _, b := range sorted(l.check(project)) {
				t.Error(b)
			}
		})
	}
}

func TestEveryLawCanFail(t *testing.T) {
	for _, l := range laws {
		t.Run(l.name, func(t *testing.T) {
			if len(l.broken) == 0 || len(l.fine) == 0 {
				t.Error("a law needs a tree that breaks it and one that nearly does")
			}
			for _, x := range l.broken {
				if found := l.check(exampleTree(t, x)); !mentions(found, x.says) {
					t.Errorf("%s: no breach that says %q, only %v", x.name, x.says, found)
				}
			}
			for _, x := range l.fine {
				if found := l.check(exampleTree(t, x)); len(found) > 0 {
					t.Errorf("%s: a breach where there is none: %v", x.name, found)
				}
			}
		})
	}
}

func mentions(breaches []breach, part string) bool {
	for _, b := range breaches {
		if strings.Contains(b.String(), part) && b.remedy != "" {
			return true
		}
	}
	return false
}

func sorted(breaches []breach) []breach {
	sort.Slice(breaches, func(i, j int) bool {
		a, b := breaches[i], breaches[j]
		return a.path < b.path || a.path == b.path && a.line < b.line
	})
	return breaches
}
