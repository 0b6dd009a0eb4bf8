package sbom

import "testing"

// Whoever asks for a licence must find it in expressions and under its older name, and be
// told where nobody can say.
func TestALicenceIsFoundInWhatIsDeclared(t *testing.T) {
	for _, c := range []struct {
		declared   []string
		want       string
		yes, known bool
	}{
		{[]string{"MIT"}, "MIT", true, true},
		{[]string{"MIT"}, "GPL-3.0-only", false, true},
		{[]string{"MIT OR GPL-3.0-only"}, "GPL-3.0-only", true, true},
		{[]string{"MIT AND (BSD-3-Clause OR Apache-2.0)"}, "Apache-2.0", true, true},
		{[]string{"GPL-3.0"}, "GPL-3.0-only", true, true},
		{[]string{"GPL-3.0-or-later"}, "GPL-3.0-only", false, true},
		{[]string{"GPL-2.0-only WITH Classpath-exception-2.0"}, "GPL-2.0-only", true, true},
		{[]string{"LGPL-2.1-only"}, "LGPL-*", true, true},
		{[]string{"LGPL-2.1-only"}, "GPL-*", false, true},
		{[]string{"MIT", "ISC"}, "ISC", true, true},
		{[]string{"Our own terms"}, "MIT", false, false},
		{[]string{"Our own terms", "MIT"}, "MIT", true, true},
	} {
		yes, known := UnderLicence(c.declared, c.want)
		if yes != c.yes || known != c.known {
			t.Errorf("%v under %s: %v, %v", c.declared, c.want, yes, known)
		}
	}
	if id, ok := LicenceID("mit"); id != "MIT" || !ok {
		t.Errorf("%s, %v", id, ok)
	}
	if _, ok := LicenceID("GLP-3.0"); ok {
		t.Error("GLP-3.0 is taken for a licence")
	}
}
