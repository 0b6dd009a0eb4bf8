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
		"pkg:rpm/redhat/openssl@3.0.7?distro=rhel-9.3":                                                          "", // no mark of a release

		"pkg:rpm/redhat/openssl-libs@3.0.7-27.el9?arch=x86_64&distro=rhel-9.4&epoch=1&upstream=openssl-3.0.7-27.el9.src.rpm": "Red Hat:enterprise_linux:9 openssl-libs 1:3.0.7-27.el9",
		"pkg:rpm/redhat/kernel@5.14.0-427.el9_4?distro=redhat-9.4":                                                           "Red Hat:enterprise_linux:9 kernel 5.14.0-427.el9_4",
		"pkg:rpm/redhat/nodejs@18.19.0-1.module%2Bel8.9.0%2B21184%2Bd2c46bd7?distro=rhel-8.9&epoch=1":                        "Red Hat:enterprise_linux:8 nodejs 1:18.19.0-1.module+el8.9.0+21184+d2c46bd7",
		"pkg:rpm/redhat/bash@5.2.26-4.el10?distro=rhel-10.0":                                                                 "Red Hat:enterprise_linux:10 bash 5.2.26-4.el10",
		"pkg:rpm/redhat/openshift-clients@4.16.0-202411.p0.g1.assembly.stream.el9?distro=rhel-9.4":                           "", // of another product
		"pkg:rpm/redhat/openvswitch3.1@3.1.0-65.el9fdp?distro=rhel-9.4":                                                      "",
		"pkg:rpm/fedora/htop@3.3.0-1.el9?distro=rhel-9.4":                                                                    "", // of EPEL
		"pkg:rpm/unknown/mongodb@1-1.el9?distro=rhel-9.4":                                                                    "",
		"pkg:rpm/rocky/openssl-libs@3.0.7-27.el9?distro=rocky-9.4&epoch=1":                                                   "Rocky Linux:9 openssl-libs 1:3.0.7-27.el9",
		"pkg:rpm/rocky-linux/gnutls@3.7.6-23.el9?distro=rocky-linux-9":                                                       "Rocky Linux:9 gnutls 3.7.6-23.el9",
		"pkg:rpm/suse/libopenssl3@3.1.4-150600.5.15.1?distro=sles-15.6&upstream=openssl-3-3.1.4-150600.5.15.1.src.rpm":       "SUSE:Linux Enterprise Server 15 SP6 openssl-3 3.1.4-150600.5.15.1",
		"pkg:rpm/suse/glibc@2.40-1?distro=sles-16.0":                                                                         "SUSE:Linux Enterprise Server 16.0 glibc 2.40-1",
		"pkg:rpm/suse/bash@5-1?distro=sle-micro-5.5":                                                                         "SUSE:Linux Enterprise Micro 5.5 bash 5-1",
		"pkg:rpm/opensuse/libcurl4@8.6.0-1?distro=opensuse-leap-15.6&upstream=curl":                                          "openSUSE:Leap 15.6 curl 8.6.0-1",
		"pkg:rpm/suse/glibc@2.38-1?distro=opensuse-leap-15.6":                                                                "openSUSE:Leap 15.6 glibc 2.38-1", // taken over
		"pkg:rpm/opensuse/glibc@2.38-1?distro=sles-15.6":                                                                     "",                                // of the Package Hub
		"pkg:rpm/opensuse/bash@5.2-1?distro=opensuse-tumbleweed-20240801":                                                    "openSUSE:Tumbleweed bash 5.2-1",
		"pkg:rpm/azurelinux/python3-webob@1.8.7-2.azl3?distro=azurelinux-3.0&epoch=1&upstream=python-webob":                  "Azure Linux:3 python-webob 1.8.7-2.azl3",
		"pkg:rpm/mariner/openssl-libs@1.1.1k-7.cm2?distro=mariner-2.0&upstream=openssl-1.1.1k-7.cm2.src.rpm":                 "Azure Linux:2 openssl 1.1.1k-7.cm2",
		"pkg:rpm/mageia/lib64curl4@8.0-1.mga9?distro=mageia-9&upstream=curl":                                                 "Mageia:9 curl 8.0-1.mga9",
		"pkg:rpm/openeuler/curl@8.4-1.oe2403?distro=openeuler-24.03-LTS-SP1":                                                 "openEuler:24.03-LTS-SP1 curl 8.4-1.oe2403",
		"pkg:rpm/openeuler/curl@8.4-1.oe2403?distro=openeuler-24.03":                                                         "", // its service pack is open
		"pkg:rpm/fedora/curl@7.50.3-1.fc25?distro=fedora-25":                                                                 "",
		"pkg:rpm/amzn/curl@8.3.0-1.amzn2023?distro=amzn-2023":                                                                "",
		"pkg:rpm/ol/curl@7.76.1-29.el9?distro=ol-9.4":                                                                        "",
		"pkg:rpm/centos/bash@4.2-1.el7?distro=centos-7":                                                                      "",
		"pkg:apk/chainguard/libssl3@3.3-r1?distro=chainguard-20230214&upstream=openssl":                                      "Chainguard openssl 3.3-r1",
		"pkg:apk/alpaquita/musl@1.2-r1?distro=alpaquita-stream":                                                              "Alpaquita:stream musl 1.2-r1",
		"pkg:deb/debian/adduser@3.134":                                                                                       "",
		"pkg:deb/debian/adduser@3.134?distro=bookworm":                                                                       "",
		"pkg:apk/alpine/musl@1?distro=alpine-edge":                                                                           "",
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
	for _, ecosystem := range []string{"Debian:12", "Alpine:v3.20", "Ubuntu:24.04:LTS", "Ubuntu:23.10", "Wolfi", "Chainguard", "AlmaLinux:9", "Red Hat:enterprise_linux:9",
		"Rocky Linux:9", "SUSE:Linux Enterprise Server 15 SP6", "SUSE:Linux Enterprise Server 15", "SUSE:Linux Enterprise Server 16.0", "SUSE:Linux Enterprise Micro 5.5", "openSUSE:Leap 15.6",
		"openSUSE:Leap Micro 5.5", "openSUSE:Tumbleweed", "Azure Linux:3", "Mageia:9", "openEuler:24.03-LTS-SP1", "MinimOS", "Alpaquita:stream"} {
		purl, err := PURL(ecosystem, "openssl", "3.0.7-1.el9")
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
	for _, none := range []string{"Debian", "Debian:bookworm", "Alpine:edge", "Red Hat:9", "Ubuntu:22.04", "Fedora:40", "SUSE:Linux Enterprise Server 15.6", "openEuler:24.03"} {
		if purl, err := PURL(none, "openssl", "1"); err == nil {
			t.Errorf("%s is written as %s", none, purl)
		}
	}
}
