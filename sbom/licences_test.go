package sbom

import (
	"fmt"
	"slices"
	"testing"
)

// Whoever looks for a licence must find it under each way of writing it, and a component of
// which nobody can tell is counted as that and not as one without it.
func TestLicencesOfABillAreCountedWithThoseThatNobodyKnows(t *testing.T) {
	b := &Bill{Components: []BillComponent{
		{Name: "a", Type: "library", Licenses: []string{"MIT"}},
		{Name: "b", Type: "library", Licenses: []string{"mit"}},
		{Name: "c", Type: "library", Licenses: []string{"(MIT OR GPL-3.0-only)"}},
		{Name: "d", Type: "library"},
		{Name: "e", Type: "library", Licenses: []string{"The Good Licence"}},
		{Name: "f", Type: "library", Licenses: []string{"LicenseRef-acme"}},
		{Name: "g", Type: "library", Licenses: []string{"MIT", "what I wrote"}},
		{Name: "h", Type: "library", Licenses: []string{"Apache-2.0", "MIT", "MIT"}},
		{Name: "i", Type: "library", Licenses: []string{"GPL-2.0-only WITH Classpath-exception-2.0"}},
		{Name: "libx", Type: "file", Original: ""},
		{Name: "os", Type: "operating-system"},
	}}
	l := b.Licences()
	var got []string
	for _, u := range l.Uses {
		got = append(got, fmt.Sprintf("%s %v %d", u.Expression, u.IDs, u.Components))
	}
	want := []string{"(MIT OR GPL-3.0-only) [GPL-3.0-only MIT] 1", "Apache-2.0 [Apache-2.0] 1", "GPL-2.0-only WITH Classpath-exception-2.0 [GPL-2.0-only] 1", "MIT [MIT] 4"}
	if l.Components != 9 || l.Unknown != 4 || !slices.Equal(got, want) {
		t.Errorf("%d components, %d unknown: %q", l.Components, l.Unknown, got)
	}
	if s := l.String(); s != "4 MIT, 1 (MIT OR GPL-3.0-only), 1 Apache-2.0, 1 GPL-2.0-only WITH Classpath-exception-2.0, of 4 of 9 components unknown" {
		t.Error(s)
	}
	if s := (&Bill{Components: []BillComponent{{Name: "a"}}}).Licences().String(); s != "of its only component unknown" {
		t.Error(s)
	}
}

// A bill with as many licences as components must not grow what rules read without end.
func TestLicencesAreBounded(t *testing.T) {
	b := &Bill{}
	for i := range 3000 {
		b.Components = append(b.Components, BillComponent{Name: "a", Licenses: []string{fmt.Sprintf("(MIT OR %s)", someLicence(i))}})
	}
	l := b.Licences()
	if len(l.Uses) > maxLicenceUses {
		t.Errorf("%d licences", len(l.Uses))
	}
	n := l.Unknown
	for _, u := range l.Uses {
		n += u.Components
	}
	if n != 3000 {
		t.Errorf("%d components of 3000 are counted", n)
	}
}

func someLicence(i int) string {
	ids := make([]string, 0, len(licenceIDs()))
	for id := range licenceIDs() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids[i%len(ids)] + " OR " + ids[(i*7+1)%len(ids)]
}
