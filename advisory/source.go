package advisory

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"verdict"
)

// Family is what a source is made of.
type Family string

// The families.
const (
	FamilyOSV  Family = "osv"  // advisories
	FamilyKEV  Family = "kev"  // CISA's catalogue of known exploited vulnerabilities
	FamilyEPSS Family = "epss" // FIRST's probabilities of exploitation
)

// Source is one import: where its data came from, how old it is, what is in it and what
// could not be used. Importing under the same name again replaces it.
type Source struct {
	Name   string `json:"name"`
	Family Family `json:"family"`
	Origin string `json:"origin"` // file name or URL, for people
	// Modified is the latest time that a record (or catalogue) itself states; zero when
	// none does.
	Modified time.Time `json:"modified"`
	// Imported is when the data was read into the index.
	Imported time.Time `json:"imported"`
	// Confirmed is when the data was last known to be what its publisher offers: the
	// time of the publisher's answer for an update, the time that the operator stated
	// or the file's own for an import. Staleness counts from here.
	Confirmed time.Time      `json:"confirmed"`
	Digest    verdict.Digest `json:"digest"` // of the archive; empty for a folder
	Covers    []string       `json:"covers"` // ecosystems that the data is complete for, sorted
	Counts    Tally          `json:"counts"`
	// PerEcosystem counts the postings (a package in a record) of each ecosystem.
	PerEcosystem map[string]int64 `json:"per_ecosystem"`
	// ETag and LastModified make the next update conditional.
	ETag         string `json:"etag"`
	LastModified string `json:"last_modified"`
}

// Tally counts what became of the records of a source.
type Tally struct {
	Records      int64 `json:"records"`       // in the index; rows for KEV and EPSS
	Withdrawn    int64 `json:"withdrawn"`     // of them, kept to supersede older copies
	Duplicates   int64 `json:"duplicates"`    // same id twice: the newer one counts
	NoPackage    int64 `json:"no_package"`    // well-formed, names no package with versions
	Unreadable   int64 `json:"unreadable"`    // left out: damaged, too large, wrong types
	GitRanges    int64 `json:"git_ranges"`    // ranges of git commits, which versions cannot be compared with
	BadRanges    int64 `json:"bad_ranges"`    // ranges whose ends cannot be ordered
	NotMatchable int64 `json:"not_matchable"` // packages about which only git commits or nothing is said
}

func (t *Tally) add(o Tally) {
	t.Records += o.Records
	t.Withdrawn += o.Withdrawn
	t.Duplicates += o.Duplicates
	t.NoPackage += o.NoPackage
	t.Unreadable += o.Unreadable
	t.GitRanges += o.GitRanges
	t.BadRanges += o.BadRanges
	t.NotMatchable += o.NotMatchable
}

// meta is the last section of an index. Sources are sorted by name; postings name them
// by their place.
type meta struct {
	Sources []Source `json:"sources"`
}

func decodeMeta(b []byte) (meta, error) {
	var m meta
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("meta: %w", err)
	}
	if !slices.IsSortedFunc(m.Sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) }) {
		return m, errors.New("meta: sources are out of order")
	}
	return m, nil
}

// covered lists the ecosystems that the sources are complete for, sorted.
func covered(sources []Source) []string {
	set := map[string]bool{}
	for _, s := range sources {
		for _, e := range s.Covers {
			set[e] = true
		}
	}
	out := slices.Sorted(maps.Keys(set))
	if out == nil {
		out = []string{}
	}
	return out
}

// covers reports whether the source is complete for the ecosystem, or for all of its
// releases. Of a release that it says nothing about nobody knows whether it has no
// vulnerabilities or no advisories.
func (s Source) covers(ecosystem string) bool {
	if slices.Contains(s.Covers, ecosystem) {
		return true
	}
	base := baseOf(ecosystem)
	return slices.Contains(s.Covers, base) && (base == ecosystem || s.PerEcosystem[ecosystem] > 0)
}

// holds reports whether the source says anything about the ecosystem or a release of it.
func (s Source) holds(ecosystem string) bool {
	for e := range s.PerEcosystem {
		if e == ecosystem || baseOf(e) == ecosystem {
			return true
		}
	}
	return false
}
