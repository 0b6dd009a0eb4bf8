package advisory

import "testing"

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
