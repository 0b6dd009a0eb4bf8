package advisory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"verdict"
)

// Limits of one record.
const (
	maxRecord   = 16 << 20 // bytes of its JSON
	maxYAML     = 1 << 20  // bytes of its YAML, whose tree takes a hundred times that
	maxMembers  = 500_000  // commas and braces: bounds what a decoder builds, whatever the nesting
	maxID       = 128      // bytes of an id or alias
	maxName     = 512      // bytes of ecosystem and name of a package
	maxAliases  = 1000
	maxSummary  = 160     // characters kept of the summary
	maxCompared = 200_000 // comparisons spent on making a list of versions shorter
)

// errNoMatter is a record that is well-formed and matches no component.
var errNoMatter = errors.New("names no package with versions")

// rawRecord is the part of an OSV record that matters here. Field names are those of
// the OSV schema, 1.0 to 1.7.
type rawRecord struct {
	ID        string        `json:"id" yaml:"id"`
	Modified  string        `json:"modified" yaml:"modified"`
	Withdrawn string        `json:"withdrawn" yaml:"withdrawn"`
	Aliases   []string      `json:"aliases" yaml:"aliases"`
	Upstream  []string      `json:"upstream" yaml:"upstream"`
	Summary   string        `json:"summary" yaml:"summary"`
	Details   string        `json:"details" yaml:"details"`
	Severity  []rawSeverity `json:"severity" yaml:"severity"`
	Affected  []rawAffected `json:"affected" yaml:"affected"`
	Database  rawDatabase   `json:"database_specific" yaml:"database_specific"`
}

type rawSeverity struct {
	Type  string `json:"type" yaml:"type"`
	Score string `json:"score" yaml:"score"`
}

type rawAffected struct {
	Package struct {
		Ecosystem string `json:"ecosystem" yaml:"ecosystem"`
		Name      string `json:"name" yaml:"name"`
	} `json:"package" yaml:"package"`
	Severity  []rawSeverity `json:"severity" yaml:"severity"`
	Ranges    []rawRange    `json:"ranges" yaml:"ranges"`
	Versions  []string      `json:"versions" yaml:"versions"`
	Ecosystem rawDatabase   `json:"ecosystem_specific" yaml:"ecosystem_specific"`
	Database  rawDatabase   `json:"database_specific" yaml:"database_specific"`
}

type rawRange struct {
	Type   string     `json:"type" yaml:"type"`
	Events []rawEvent `json:"events" yaml:"events"`
}

type rawEvent struct {
	Introduced   string `json:"introduced" yaml:"introduced"`
	Fixed        string `json:"fixed" yaml:"fixed"`
	LastAffected string `json:"last_affected" yaml:"last_affected"`
	Limit        string `json:"limit" yaml:"limit"`
}

// rawDatabase holds what databases say outside of the schema. Its members have any
// type elsewhere, and a strange one is no reason to lose the record.
type rawDatabase struct {
	Severity      word        `json:"severity" yaml:"severity"`
	CVSS          word        `json:"cvss" yaml:"cvss"`                   // RustSec: a vector
	Informational word        `json:"informational" yaml:"informational"` // RustSec: unmaintained, unsound, notice
	Malicious     countable   `json:"malicious-packages-origins" yaml:"malicious-packages-origins"`
	Imports       packageList `json:"imports" yaml:"imports"` // Go: the affected packages
}

// UnmarshalJSON never fails.
func (d *rawDatabase) UnmarshalJSON(b []byte) error {
	type plain rawDatabase
	_ = json.Unmarshal(b, (*plain)(d))
	return nil
}

// UnmarshalYAML never fails.
func (d *rawDatabase) UnmarshalYAML(n *yaml.Node) error {
	type plain rawDatabase
	_ = n.Decode((*plain)(d))
	return nil
}

// word is a text, or empty for a value of any other type.
type word string

// UnmarshalJSON never fails.
func (w *word) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*w = word(s)
	}
	return nil
}

// UnmarshalYAML never fails.
func (w *word) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		*w = word(n.Value)
	}
	return nil
}

// countable is the length of a list, or 0 for a value of any other type.
type countable int

// UnmarshalJSON never fails.
func (c *countable) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) == nil {
		*c = countable(len(list))
	}
	return nil
}

// UnmarshalYAML never fails.
func (c *countable) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		*c = countable(len(n.Content))
	}
	return nil
}

// packageList holds the paths of a list of packages, as the Go vulnerability database has it;
// empty for a value of any other type.
type packageList []struct {
	Path word `json:"path" yaml:"path"`
}

// UnmarshalJSON never fails.
func (i *packageList) UnmarshalJSON(b []byte) error {
	type plain packageList
	if json.Unmarshal(b, (*plain)(i)) != nil {
		*i = nil
	}
	return nil
}

// UnmarshalYAML never fails.
func (i *packageList) UnmarshalYAML(n *yaml.Node) error {
	type plain packageList
	if n.Decode((*plain)(i)) != nil {
		*i = nil
	}
	return nil
}

// maxPackages bounds the affected packages that are kept of one module. A record with more
// is taken to be about all of it.
const maxPackages = 500

// addPackages joins the packages that an entry of a record says are affected. One that
// does not say is about all of the module, and so are they together then.
func (p *posting) addPackages(list packageList, first bool) {
	if !first && p.packages == nil {
		return
	}
	for _, x := range list {
		if x.Path == "" || !printable(string(x.Path), maxName) {
			list = nil
			break
		}
		p.packages = append(p.packages, string(x.Path))
	}
	slices.Sort(p.packages)
	if p.packages = slices.Compact(p.packages); len(list) == 0 || len(p.packages) > maxPackages {
		p.packages = nil
	}
}

// parsed is one record, ready for the index: one posting per package.
type parsed struct {
	id       string
	modified time.Time // zero when the record does not say
	byKey    map[string]*posting
	tally    Tally
	// alone is the ecosystem that the record is about, if it is about one only.
	alone string
}

// parseRecord reads one OSV record in JSON, or in YAML. A record that is well-formed and
// cannot match anything gives errNoMatter.
func parseRecord(b []byte, isYAML bool, now time.Time) (*parsed, error) {
	if len(b) > maxRecord {
		return nil, fmt.Errorf("longer than %d bytes", maxRecord)
	}
	raw, err := decodeRecord(b, isYAML)
	if err != nil {
		return nil, err
	}
	if !printable(raw.ID, maxID) || raw.ID == "" {
		return nil, fmt.Errorf("its id %.64q is none", raw.ID)
	}
	head := posting{id: raw.ID, summary: summaryOf(raw), malicious: strings.HasPrefix(raw.ID, "MAL-") || raw.Database.Malicious > 0}
	p := &parsed{id: raw.ID, byKey: map[string]*posting{}}
	if p.modified, err = timeOf(raw.Modified); err != nil {
		return nil, fmt.Errorf("modified: %w", err)
	}
	if p.modified.After(now) {
		p.modified = now // a clock ahead of ours must not make data look newer than it is
	}
	if head.modified = p.modified.Unix(); p.modified.IsZero() {
		head.modified = 0
	}
	withdrawn, err := timeOf(raw.Withdrawn)
	if err != nil {
		return nil, fmt.Errorf("withdrawn: %w", err)
	}
	head.withdrawn = !withdrawn.IsZero() && !withdrawn.After(now)
	if head.aliases, err = namesOf(raw.ID, raw.Aliases, "alias"); err != nil {
		return nil, err
	}
	if head.upstream, err = namesOf(raw.ID, raw.Upstream, "upstream id"); err != nil {
		return nil, err
	}
	for _, a := range head.aliases {
		head.malicious = head.malicious || strings.HasPrefix(a, "MAL-")
	}
	for _, a := range raw.Affected {
		if err := p.add(a, raw, head); err != nil {
			return nil, err
		}
	}
	if len(p.byKey) == 0 {
		return p, errNoMatter
	}
	p.tally.Records = 1
	if head.withdrawn {
		p.tally.Withdrawn = 1
	}
	return p, nil
}

func decodeRecord(b []byte, isYAML bool) (raw rawRecord, err error) {
	if bytes.Count(b, []byte{','})+bytes.Count(b, []byte{'{'}) > maxMembers {
		return raw, fmt.Errorf("more than %d members", maxMembers)
	}
	if !isYAML {
		err = json.Unmarshal(b, &raw)
		return raw, err
	}
	if len(b) > maxYAML {
		return raw, fmt.Errorf("longer than %d bytes of YAML", maxYAML)
	}
	if !utf8.Valid(b) {
		return raw, errors.New("not UTF-8")
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	return raw, d.Decode(&raw)
}

// add puts one affected package to the postings, joined with what the record already
// says about the same package.
func (p *parsed) add(a rawAffected, raw rawRecord, head posting) error {
	eco, name := a.Package.Ecosystem, a.Package.Name
	if eco == "" || name == "" {
		return nil // git only: no component of ours can be that package
	}
	if !printable(eco, maxName) || !printable(name, maxName) {
		return fmt.Errorf("its package %.64q is none", name)
	}
	for _, release := range releasesOf(eco) {
		a.Package.Ecosystem = release
		if err := p.addTo(a, raw, head); err != nil {
			return err
		}
	}
	return nil
}

// addTo is add for one release of an ecosystem.
func (p *parsed) addTo(a rawAffected, raw rawRecord, head posting) error {
	eco := a.Package.Ecosystem
	switch {
	case len(p.byKey) == 0:
		p.alone = eco
	case p.alone != eco:
		p.alone = ""
	}
	key := keyOf(eco, a.Package.Name)
	post := p.byKey[key]
	first := post == nil
	if first {
		c := head
		post = &c
		post.key, post.severity = key, severityOfRecord(raw)
		p.byKey[key] = post
	}
	if s := severityOfAffected(a); s != verdict.SeverityUnknown {
		post.severity = s // closer to the package than what the record says as a whole
	}
	if post.withdrawn {
		return nil // only the fact matters: it supersedes an older record of that id
	}
	post.addPackages(a.Ecosystem.Imports, first)
	return post.addVersions(a, &p.tally)
}

// addVersions turns ranges and lists into spans and versions of the posting.
func (p *posting) addVersions(a rawAffected, t *Tally) error {
	o := orderOf(a.Package.Ecosystem, a.Package.Name)
	var spans []span
	why := notJudged(0)
	for _, r := range a.Ranges {
		switch r.Type {
		case "GIT":
			t.GitRanges++
			if why == 0 {
				why = onlyGit
			}
			continue
		case "SEMVER", "ECOSYSTEM":
		default:
			why = badRange
			t.BadRanges++
			continue
		}
		other := r.Type == "SEMVER" && !o.isSemver()
		by := o
		if other {
			by = semverOrder
		}
		s, err := spansOf(r.Events, by, other)
		if err != nil {
			why = badRange
			t.BadRanges++
			continue
		}
		spans = append(spans, s...)
	}
	for _, v := range a.Versions {
		if !printable(v, maxVersion) {
			return fmt.Errorf("its version %.64q is none", v)
		}
	}
	if len(a.Ranges) == 0 && len(a.Versions) == 0 {
		why = noVersions
	}
	if why == onlyGit && (len(spans) > 0 || len(a.Versions) > 0) {
		why = 0 // the same fact, said a second time
	}
	if why == onlyGit || why == noVersions {
		t.NotMatchable++
	}
	p.why = max(p.why, why)
	for _, s := range spans {
		if !slices.Contains(p.spans, s) { // the same fix in several products of one release
			p.spans = append(p.spans, s)
		}
	}
	p.versions = append(p.versions, withoutCovered(a.Versions, spans, o)...)
	return nil
}

// withoutCovered leaves out the versions that the spans hold anyway. Databases list
// every release beside the range that says the same; the index needs it once.
func withoutCovered(versions []string, spans []span, o order) []string {
	if len(versions)*len(spans) > maxCompared {
		return versions
	}
	parse := placed(o)
	return slices.DeleteFunc(slices.Clone(versions), func(v string) bool {
		for _, s := range spans {
			if s.semver {
				continue
			}
			if place, err := parse(v); err == nil {
				if in, err := s.holds(place, parse); err == nil && in {
					return true
				}
			}
		}
		return false
	})
}

func severityOfRecord(raw rawRecord) verdict.Severity {
	if s := severityOfVectors(raw.Severity); s != verdict.SeverityUnknown {
		return s
	}
	return severityWord(string(raw.Database.Severity))
}

func severityOfAffected(a rawAffected) verdict.Severity {
	s := worseOf(severityOfVectors(a.Severity), severityOf(string(a.Database.CVSS)))
	for _, w := range []word{a.Database.Severity, a.Ecosystem.Severity} {
		if s == verdict.SeverityUnknown {
			s = severityWord(string(w))
		}
	}
	if i := a.Database.Informational; s == verdict.SeverityUnknown && (i == "unmaintained" || i == "notice") {
		s = verdict.SeverityInfo
	}
	return s
}

func severityOfVectors(list []rawSeverity) verdict.Severity {
	out := verdict.SeverityUnknown
	for _, s := range list {
		out = worseOf(out, severityOf(s.Score))
	}
	return out
}

// namesOf are the other ids in a list of a record, sorted.
func namesOf(own string, list []string, what string) ([]string, error) {
	if len(list) > maxAliases {
		return nil, fmt.Errorf("more than %d of %s", maxAliases, what)
	}
	out := make([]string, 0, len(list))
	for _, a := range list {
		if !printable(a, maxID) || a == "" {
			return nil, fmt.Errorf("its %s %.64q is none", what, a)
		}
		if a != own {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// summaryOf is one line for people: the summary, or the beginning of the details.
func summaryOf(raw rawRecord) string {
	s := raw.Summary
	if strings.TrimSpace(s) == "" {
		s = raw.Details
	}
	if len(s) > 8*maxSummary {
		s = s[:8*maxSummary]
	}
	s = strings.ToValidUTF8(s, "")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if r := []rune(s); len(r) > maxSummary {
		s = strings.TrimSpace(string(r[:maxSummary-1])) + "…"
	}
	return s
}

// timeOf reads a time of RFC 3339; empty and the year 1 are no time.
func timeOf(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.64q is no time of RFC 3339", s)
	}
	if t = t.UTC(); t.Year() <= 1 {
		return time.Time{}, nil
	}
	return t.Truncate(time.Microsecond), nil
}

// printable reports whether s is text of at most most bytes that may be shown and
// stored: valid UTF-8 without control characters.
func printable(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}
