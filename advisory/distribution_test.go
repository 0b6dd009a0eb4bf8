package advisory

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"verdict"
)

// Fixes of a distribution go by its release and by its own order of versions.
func TestPackagesOfDistributionsAreMatchedByTheirRelease(t *testing.T) {
	x := imported(t, map[string]string{
		"a.json": osv("DSA-1-1", "", affects("Debian:12", "openssl", events("ECOSYSTEM", "introduced 0 fixed 3.0.15-1~deb12u1"))),
		"e.json": osv("DSA-1-2", "", affects("Debian:11", "openssl", events("ECOSYSTEM", "introduced 0 fixed 1.1.1w-0+deb11u2"))),
		"b.json": osv("ALPINE-CVE-2026-1", "", affects("Alpine:v3.20", "openssl", events("ECOSYSTEM", "introduced 0 fixed 3.3.2-r1"))),
		"c.json": osv("ALSA-2026:1", "", affects("AlmaLinux:9", "openssl-libs", events("ECOSYSTEM", "introduced 0 fixed 1:3.0.7-28.el9"))),
		"d.json": osv("USN-1-1", "", affects("Ubuntu:22.04:LTS", "curl", events("ECOSYSTEM", "introduced 0 fixed 7.81.0-1ubuntu1.17"))),
	})
	for _, c := range []struct {
		ecosystem, name, version string
		hits                     int
	}{
		{"Debian:12", "openssl", "3.0.14-1~deb12u2", 1}, {"Debian:12", "openssl", "3.0.15-1~deb12u1", 0}, {"Debian:11", "openssl", "3.0.14-1", 0},
		{"Alpine:v3.20", "openssl", "3.3.2-r0", 1}, {"Alpine:v3.20", "openssl", "3.3.2-r1", 0},
		{"AlmaLinux:9", "openssl-libs", "1:3.0.7-27.el9", 1}, {"AlmaLinux:9", "openssl-libs", "1:3.0.7-28.el9", 0},
		{"Ubuntu:22.04:LTS", "curl", "7.81.0-1ubuntu1.16", 1}, {"Ubuntu:22.04:LTS", "curl", "7.81.0-1ubuntu1.17", 0},
	} {
		if got := match(t, x, c.ecosystem, c.name, c.version); len(got) != c.hits {
			t.Errorf("%s %s %s: %d hits, not %d", c.ecosystem, c.name, c.version, len(got), c.hits)
		}
	}
	for ecosystem, covered := range map[string]bool{"Debian:12": true, "Debian:13": false, "Alpine:v3.19": false} {
		if x.Covers(ecosystem) != covered {
			t.Errorf("%s is covered: %v", ecosystem, !covered)
		}
	}
}

// The advisories of Red Hat and SUSE go by product, and those of others leave out what the
// installed version has. A fix that is not found in its place reads as no vulnerability.
func TestAdvisoriesByProductAreThoseOfTheirRelease(t *testing.T) {
	rpm := func(ecosystem, name, fixed string) string {
		return affects(ecosystem, name, events("ECOSYSTEM", "introduced 0 fixed "+fixed))
	}
	x := imported(t, map[string]string{
		"a.json": osv("RHSA-2024:9333", `"upstream":["CVE-2024-6119","CVE-2024-5535"]`, rpm("Red Hat:enterprise_linux:9::baseos", "openssl-libs", "1:3.2.2-6.el9_5"),
			rpm("Red Hat:enterprise_linux:9::appstream", "openssl-libs", "1:3.2.2-6.el9_5"), rpm("Red Hat:enterprise_linux:9::appstream", "openssl-devel", "1:3.2.2-6.el9_5")),
		"b.json": osv("RHSA-2025:1", "", rpm("Red Hat:enterprise_linux:10.0", "bash", "0:5.2.26-6.el10_0")),
		"c.json": osv("RHSA-2025:2", "", rpm("Red Hat:rhel_els:7", "bash", "0:4.2.46-36.el7_9")),
		"d.json": osv("RHSA-2025:3", "", rpm("Red Hat:rhel_eus:9.2::baseos", "curl", "0:9-1.el9_2"), rpm("Red Hat:openshift:4.16::el9", "podman", "4:9-1.rhaos4.16.el9")),
		"e.json": osv("SUSE-SU-2024:1", "", rpm("SUSE:Linux Enterprise Module for Basesystem 15 SP6", "openssl-3", "3.1.4-150600.5.18.1"), rpm("SUSE:Linux Enterprise Server 15 SP5-LTSS", "openssl-3", "3.0.8-150500.5.48.1"),
			rpm("SUSE:Linux Enterprise Micro 5.5", "openssl-3", "3.0.8-150500.5.48.1"), rpm("openSUSE:Leap 15.6", "openssl-3", "3.1.4-150600.5.18.1")),
		"f.json": osv("SUSE-SU-2024:2", "", rpm("SUSE:Linux Enterprise Module for Python 3 15 SP6", "python311", "3.11.9-1"), rpm("SUSE:Linux Enterprise Module for Public Cloud 12", "aws-cli", "1.22-1")),
		"g.json": osv("AZL-1", "", rpm("Azure Linux:3", "python-webob", "1.8.8-1")),
		"h.json": osv("RLSA-2024:1", "", rpm("Rocky Linux:9", "gnutls", "0:3.7.6-23.el9_3.4")),
		"i.json": osv("OESA-2024-1", "", rpm("openEuler:24.03-LTS-SP1", "curl", "8.4.0-10.oe2403sp1")),
		"j.json": osv("MGASA-2024-1", "", rpm("Mageia:9", "curl", "7.88.1-4.6.mga9")),
		"k.json": osv("CGA-1", "", affects("Wolfi", "openssl", events("ECOSYSTEM", "introduced 0 fixed 3.3.2-r1")), affects("Chainguard", "openssl", events("ECOSYSTEM", "introduced 0 fixed 3.3.2-r1"))),
	})
	for _, c := range []struct {
		ecosystem, name, version string
		hits                     int
	}{
		{"Red Hat:enterprise_linux:9", "openssl-libs", "1:3.0.7-27.el9", 1}, {"Red Hat:enterprise_linux:9", "openssl-libs", "1:3.2.2-6.el9_5", 0}, {"Red Hat:enterprise_linux:9", "openssl-libs", "1:3.2.2-6.el9_5.1", 0},
		{"Red Hat:enterprise_linux:9", "openssl-libs", "3.5.0-1.el9", 1}, // no epoch is a lower one
		{"Red Hat:enterprise_linux:8", "openssl-libs", "1:1.1.1k-12.el8", 0},
		{"Red Hat:enterprise_linux:10", "bash", "5.2.26-4.el10", 1}, {"Red Hat:enterprise_linux:7", "bash", "4.2.46-35.el7_9", 1},
		{"Red Hat:enterprise_linux:9", "curl", "1-1.el9", 0}, {"Red Hat:enterprise_linux:9", "podman", "4:1-1.el9", 0},
		{"SUSE:Linux Enterprise Server 15 SP6", "openssl-3", "3.1.4-150600.5.15.1", 1}, {"SUSE:Linux Enterprise Server 15 SP6", "openssl-3", "3.1.4-150600.5.18.1", 0},
		{"SUSE:Linux Enterprise Server 15 SP5", "openssl-3", "3.0.8-150500.5.42.1", 1}, {"SUSE:Linux Enterprise Server 15 SP5", "openssl-3", "3.0.8-150500.5.48.1", 0},
		{"SUSE:Linux Enterprise Micro 5.5", "openssl-3", "3.0.8-150500.5.42.1", 1}, {"openSUSE:Leap 15.6", "openssl-3", "3.1.4-150600.5.15.1", 1},
		{"SUSE:Linux Enterprise Server 15 SP6", "python311", "3.11.8-1", 1}, {"SUSE:Linux Enterprise Server 12 SP5", "aws-cli", "1.21-1", 1},
		{"Azure Linux:3", "python-webob", "1.8.7-2.azl3", 1}, {"Azure Linux:3", "python-webob", "1.8.8-1.azl3", 0}, {"Azure Linux:2", "python-webob", "1.8.7-2.cm2", 0},
		{"Rocky Linux:9", "gnutls", "3.7.6-23.el9_3.3", 1}, {"Rocky Linux:9", "gnutls", "3.7.6-23.el9_3.4", 0}, {"Rocky Linux:9", "gnutls", "3.8.3-4.el9_4", 0},
		{"openEuler:24.03-LTS-SP1", "curl", "8.4.0-9.oe2403sp1", 1}, {"Mageia:9", "curl", "7.88.1-4.5.mga9", 1}, {"Mageia:9", "curl", "7.88.1-4.10.mga9", 0},
		{"Wolfi", "openssl", "3.3.2-r0", 1}, {"Wolfi", "openssl", "3.3.2-r10", 0}, {"Chainguard", "openssl", "3.3.1-r7", 1},
	} {
		got, err := x.Match(verdict.Component{Ecosystem: c.ecosystem, Name: c.name, Version: c.version})
		if len(got) != c.hits || err != nil && !errors.Is(err, ErrNotCovered) {
			t.Errorf("%s %s %s: %d hits, not %d, %v", c.ecosystem, c.name, c.version, len(got), c.hits, err)
		}
	}
}

// An advisory of a distribution is about faults of others: whoever asks for one of them must
// find it, and one that is exploited is exploited there too.
func TestAnAdvisoryOfADistributionIsFoundByTheFaultsThatItIsAbout(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "advisories")
	fixed := events("ECOSYSTEM", "introduced 0 fixed 2-1.el9")
	mustImport(t, folder(t, map[string]string{
		"a.json": osv("RHSA-1:1", `"upstream":["CVE-2026-1000","CVE-2026-1001"]`, affects("Red Hat:enterprise_linux:9::baseos", "curl", fixed)),
		"b.json": osv("RHSA-1:2", `"upstream":["CVE-2026-1001"]`, affects("Red Hat:enterprise_linux:9::baseos", "curl", fixed)),
	}), dst, ImportOptions{Name: "test", Now: clock})
	kev := filepath.Join(folder(t, map[string]string{"kev.json": `{"catalogVersion":"2026.11.19","dateReleased":"2026-11-19T00:00:00Z","vulnerabilities":[{"cveID":"CVE-2026-1000"}]}`}), "kev.json")
	before := mustOpen(t, dst)
	old := filepath.Join(t.TempDir(), "old")
	if err := os.Link(dst, old); err != nil {
		t.Fatal(err)
	}
	mustImport(t, kev, dst, ImportOptions{Now: clock})
	x := mustOpen(t, dst)
	hits := match(t, x, "Red Hat:enterprise_linux:9", "curl", "1-1.el9")
	if len(hits) != 2 || !hits[0].Exploited || hits[0].ID != "RHSA-1:1" || hits[1].Exploited {
		t.Errorf("%+v", hits)
	}
	named, err := x.Find("CVE-2026-1001")
	if err != nil || !slices.Equal(named.IDs, []string{"CVE-2026-1001"}) || !slices.Equal(named.Within, []string{"RHSA-1:1", "RHSA-1:2"}) || len(named.Packages) != 1 || named.Packages[0].Ecosystem != "Red Hat:enterprise_linux:9" {
		t.Errorf("%+v, %v", named, err)
	}
	if named, err := x.Find("RHSA-1:1"); err != nil || !slices.Equal(named.All(), []string{"RHSA-1:1"}) {
		t.Errorf("one advisory is another: %+v, %v", named, err)
	}
	changed, err := Changed(before, x)
	if err != nil || len(changed) != 1 {
		t.Errorf("an exploited fault changes what is known of %v, %v", changed, err)
	}
}

// A source that is complete for a distribution says nothing of a release that came later.
func TestAReleaseThatNoSourceSpeaksOfIsNotCovered(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "advisories")
	mustImport(t, folder(t, map[string]string{"a.json": osv("RLSA-1", "", affects("Rocky Linux:9", "curl", events("ECOSYSTEM", "introduced 0 fixed 0:2-1.el9")), affects("Rocky Linux:8", "curl", events("ECOSYSTEM", "introduced 0 fixed 0:2-1.el8")))}),
		dst, ImportOptions{Name: "test", Covers: []string{"Rocky Linux"}, Now: clock})
	x := mustOpen(t, dst)
	for ecosystem, covered := range map[string]bool{"Rocky Linux": true, "Rocky Linux:8": true, "Rocky Linux:9": true, "Rocky Linux:10": false} {
		if x.Covers(ecosystem) != covered {
			t.Errorf("%s is covered: %v", ecosystem, !covered)
		}
	}
}

// The order of rpm, by the cases of its own tests.
func TestVersionsOfRPMAreOrderedAsRPMDoes(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0-1", "1.0-1", 0}, {"1.0-1", "2.0-1", -1}, {"2.0.1a-1", "2.0.1-1", 1}, {"5.5p1-1", "5.5p10-1", -1}, {"10xyz-1", "10.1xyz-1", -1}, {"1.0~rc1-1", "1.0-1", -1}, {"1.0~rc1-1", "1.0~rc2-1", -1},
		{"1.0^-1", "1.0-1", 1}, {"1.0^git1-1", "1.01-1", -1}, {"1.0^20160101-1", "1.0.1-1", -1}, {"1.05-1", "1.5-1", 0}, {"0:1.0-1", "1.0-1", 0}, {"1:1.0-1", "2:0.1-1", -1}, {"1:1-1", "9-1", 1}, {"1.0-9.el9", "1.0-10.el9", -1}, {"1.0-1.el9", "1.0-1.el9_4", -1},
		{"4_0-1", "4.0-1", 0}, {"20101121-1", "20101122-1", -1},
	} {
		for _, e := range []string{"Red Hat:enterprise_linux:9", "Azure Linux:3", "SUSE:Linux Enterprise Server 15 SP6", "Rocky Linux:9", "Mageia:9", "openEuler:24.03-LTS"} {
			if got, err := Compare(e, "x", c.a, c.b); err != nil || got != c.want {
				t.Errorf("%s: %s and %s compare as %d, %v", e, c.a, c.b, got, err)
			}
		}
	}
}
