package ci

import (
	"strings"
	"testing"

	"verdict"
	"verdict/ci/inventory"
	"verdict/ci/inventory/inventorytest"
)

// affectedBefore is a Matcher that knows one fault in every release below 4.1.7.
type affectedBefore struct{ asked []string }

func (m *affectedBefore) Match(c verdict.Component) ([]verdict.Vulnerability, error) {
	m.asked = append(m.asked, c.Name+"@"+c.Version)
	return nil, nil
}
func (m *affectedBefore) Database() verdict.Database { return verdict.Database{} }
func (m *affectedBefore) Covers(e string) bool       { return e == inventory.EcosystemActions }

// v4 follows the newest release: a fault that 4.1.7 mended is not in it, and to block a
// build for it would be wrong.
func TestATagThatMovesIsJudgedAsTheNewestOfItsLine(t *testing.T) {
	m := &affectedBefore{}
	v := NewVulnerabilities(m, "test")
	v.Read(t.Context(), File{Path: "action.yml"}, []byte("runs:\n  using: composite\n  steps:\n    - uses: a/b@v4\n    - uses: a/c@v4.1\n    - uses: a/d@v4.1.6\n"))
	r := v.Report(&Manifest{}, ".")
	if got := strings.Join(m.asked, " "); got != "a/b@v4.999999999.999999999 a/c@v4.1.999999999 a/d@v4.1.6" {
		t.Errorf("matched as %s", got)
	}
	gap(t, r.NotChecked, "2 names that can move", false)
	if !r.Complete {
		t.Errorf("%+v", r.NotChecked)
	}
}

// OSV has no ecosystem for pods. They are in the bill, and it is told that nobody judged
// them.
func TestComponentsThatNoAdvisoryIsAboutAreTold(t *testing.T) {
	v := NewVulnerabilities(nil, "test")
	v.Read(t.Context(), File{Path: "ios/Podfile.lock"}, []byte(inventorytest.PodfileLock))
	r := v.Report(&Manifest{}, ".")
	gap(t, r.NotChecked, "2 components of CocoaPods are in the bill of materials and not matched", false)
	if !r.Complete || r.Scope.Components != 2 {
		t.Errorf("complete %v, %d components: %+v", r.Complete, r.Scope.Components, r.NotChecked)
	}
}
