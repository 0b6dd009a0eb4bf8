package exposure

import (
	"errors"
	"strings"
	"testing"

	"verdict"
)

// known is a Matcher that knows npm alone.
type known map[string][]verdict.Vulnerability

func (k known) Match(c verdict.Component) ([]verdict.Vulnerability, error) {
	if c.Version == "latest" {
		return nil, unjudged{errors.New("the version cannot be ordered")}
	}
	return k[c.Name], nil
}

type unjudged struct{ error }

func (u unjudged) Unwrap() []error { return []error{u.error} }

func (k known) DatabaseFor(ecosystems ...string) verdict.Database {
	return verdict.Database{Name: "osv", Ecosystems: ecosystems}
}
func (k known) Covers(ecosystem string) bool { return ecosystem == "npm" }
func (k known) KnowsExploited() bool         { return true }

func npm(name, version string) verdict.Component {
	return verdict.Component{Ecosystem: "npm", Name: name, Version: version, PURL: "pkg:npm/" + name + "@" + version}
}

// A report that is complete says that everything was matched: whoever lets an artifact in
// for it rests on that.
func TestAReportIsCompleteOnlyWhereEverythingWasMatched(t *testing.T) {
	for _, c := range []struct {
		name     string
		l        Listing
		complete bool
		says     string
	}{
		{"a whole bill", Listing{Components: []verdict.Component{npm("a", "1.0.0")}, Inventory: "complete"}, true, ""},
		{"one that does not say that it is whole", Listing{Components: []verdict.Component{npm("a", "1.0.0")}, Inventory: "unknown"}, true, "does not say"},
		{"one that says that there is more", Listing{Inventory: "incomplete"}, false, "not complete"},
		{"one that cannot be read", Listing{Inventory: "unreadable"}, false, "cannot be read"},
		{"packages of a distribution", Listing{Components: []verdict.Component{{Ecosystem: "pkg:deb", Name: "openssl", Version: "3"}}, Inventory: "complete", Nameless: 1}, false, "pkg:deb is in"},
		{"packages of a distribution without advisories", Listing{Components: []verdict.Component{{Ecosystem: "pkg:rpm", Name: "fedora/curl", Version: "8"}}, Inventory: "complete", Nameless: 1}, false, "pkg:rpm/fedora is in the bill of materials and not matched: no advisories are known"},
		{"an image that it was built on", Listing{Components: []verdict.Component{{Ecosystem: "pkg:oci", Name: "base", Version: "3"}}, Inventory: "complete", Nameless: 1}, true, "type oci"},
		{"what has no name", Listing{Inventory: "complete", Nameless: 2}, false, "2 components have no package URL"},
		{"an ecosystem without advisories", Listing{Components: []verdict.Component{{Ecosystem: "Go", Name: "a", Version: "v1"}}, Inventory: "complete"}, false, "no advisories for Go"},
		{"a version that cannot be ordered", Listing{Components: []verdict.Component{npm("a", "latest")}, Inventory: "complete"}, false, "not judged completely"},
	} {
		r := Report(c.l, known{}, "1")
		said := ""
		for _, n := range r.NotChecked {
			said += n.Reason + "\n"
		}
		if r.Complete != c.complete || !strings.Contains(said, c.says) || c.says == "" && said != "" {
			t.Errorf("%s: complete %v, %s", c.name, r.Complete, said)
		}
	}
}

func TestAFindingNamesItsComponentAndWhatFixesIt(t *testing.T) {
	m := known{"a": {{ID: "CVE-1", Severity: verdict.SeverityHigh, Fixed: "1.0.1"}}}
	r := Report(Listing{Components: []verdict.Component{npm("a", "1.0.0")}, Inventory: "complete"}, m, "1")
	if len(r.Hits) != 1 || r.Hits[0].Key != "CVE-1@pkg:npm/a@1.0.0" || !strings.Contains(r.Hits[0].Fix, "1.0.1") || r.Scope.Components != 1 {
		t.Errorf("%+v", r)
	}
}

// One fault under another id is no new one: its finding would be opened twice.
func TestAFaultIsKnownUnderAnyOfItsIDs(t *testing.T) {
	was := []verdict.Vulnerability{{ID: "GHSA-1"}}
	now := []verdict.Vulnerability{{ID: "CVE-1", Aliases: []string{"GHSA-1"}}, {ID: "CVE-2"}}
	if news := Without(now, was); len(news) != 1 || news[0].ID != "CVE-2" {
		t.Errorf("%+v", news)
	}
	if differ, err := Differ(nil, known{}, npm("a", "1.0.0")); differ || err != nil {
		t.Errorf("%v, %v", differ, err)
	}
	if differ, err := Differ(known{}, known{"a": now}, npm("a", "1.0.0")); !differ || err != nil {
		t.Errorf("%v, %v", differ, err)
	}
}
