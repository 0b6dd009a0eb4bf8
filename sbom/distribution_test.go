package sbom

import "testing"

// The package URL of a system package must lead to the words by which advisories speak of
// it: of another release it would be judged by another's fixes, and under its own name
// instead of its source's by none.
func TestSystemPackagesAreNamedAsAdvisoriesDo(t *testing.T) {
	for purl, want := range map[string]string{
		"pkg:deb/debian/libssl3@3.0.15-1?arch=amd64&distro=debian-12&upstream=openssl":                          "Debian:12 openssl 3.0.15-1",
		"pkg:deb/debian/libc6@2.36-9?distro=debian-12.4&upstream=glibc%402.36-8":                                "Debian:12 glibc 2.36-8",
		"pkg:deb/debian/adduser@3.134?distro=12":                                                                "Debian:12 adduser 3.134",
		"pkg:deb/ubuntu/curl@7.81.0-1ubuntu1.16?distro=ubuntu-22.04":                                            "Ubuntu:22.04:LTS curl 7.81.0-1ubuntu1.16",
		"pkg:deb/ubuntu/curl@8.5.0?distro=ubuntu-23.10":                                                         "Ubuntu:23.10 curl 8.5.0",
		"pkg:apk/alpine/libcrypto3@3.3.2-r0?arch=x86_64&distro=alpine-3.20.3&upstream=openssl":                  "Alpine:v3.20 openssl 3.3.2-r0",
		"pkg:apk/wolfi/ca-certificates@2024-r1?distro=wolfi-20230201":                                           "Wolfi ca-certificates 2024-r1",
		"pkg:rpm/almalinux/openssl-libs@3.0.7-27.el9?arch=x86_64&distro=almalinux-9.3&epoch=1&upstream=openssl": "AlmaLinux:9 openssl-libs 1:3.0.7-27.el9",
		"pkg:rpm/redhat/openssl@3.0.7?distro=rhel-9.3":                                                          "",
		"pkg:deb/debian/adduser@3.134":                                                                          "",
		"pkg:deb/debian/adduser@3.134?distro=bookworm":                                                          "",
		"pkg:apk/alpine/musl@1?distro=alpine-edge":                                                              "",
	} {
		p, err := ParsePURL(purl)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if c, ok := p.Component(); ok {
			got = c.Ecosystem + " " + c.Name + " " + c.Version
		}
		if got != want {
			t.Errorf("%s is %q, not %q", purl, got, want)
		}
	}
	for _, ecosystem := range []string{"Debian:12", "Alpine:v3.20", "Ubuntu:24.04:LTS", "Ubuntu:23.10", "Wolfi", "Chainguard", "AlmaLinux:9"} {
		purl, err := PURL(ecosystem, "openssl", "3.0.7-1")
		if err != nil {
			t.Errorf("%s: %v", ecosystem, err)
			continue
		}
		p, err := ParsePURL(purl)
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := p.Component(); !ok || c.Ecosystem != ecosystem || c.Name != "openssl" {
			t.Errorf("%s is written as %s and read as %+v", ecosystem, purl, c)
		}
	}
	for _, none := range []string{"Debian", "Debian:bookworm", "Alpine:edge", "Red Hat:9", "Ubuntu:22.04"} {
		if purl, err := PURL(none, "openssl", "1"); err == nil {
			t.Errorf("%s is written as %s", none, purl)
		}
	}
}
