package advisory

import (
	"path/filepath"
	"testing"

	"verdict"
)

// The command line holds --kev and --epss to what they say before anything is changed.
func TestASourceIsKnownByItsContent(t *testing.T) {
	dir := folder(t, map[string]string{"a.json": osv("GHSA-1", "", affects("npm", "a", events("SEMVER", "introduced 0")))})
	for _, c := range []struct {
		src, name string
		family    Family
	}{
		{file(t, "kev.json", []byte(`{"catalogVersion":"1","vulnerabilities":[]}`)), "kev", FamilyKEV},
		{file(t, "scores.csv", []byte("cve,epss,percentile\nCVE-2026-1,0.5,0.5\n")), "epss", FamilyEPSS},
		{filepath.Join(dir, "a.json"), "a", FamilyOSV},
		{dir, filepath.Base(dir), FamilyOSV},
	} {
		name, family, err := Recognise(c.src)
		if err != nil || name != c.name || family != c.family {
			t.Errorf("%s: %q %q %v", c.src, name, family, err)
		}
	}
	if _, _, err := Recognise(filepath.Join(dir, "nothing")); verdict.AsError(err).Code != verdict.CodeNotFound {
		t.Errorf("a missing file: %v", err)
	}
	if _, _, err := Recognise(file(t, "x.txt", []byte("hello"))); verdict.AsError(err).Code != verdict.CodeInvalid {
		t.Errorf("a text: %v", err)
	}
}
