package advisory

import (
	"regexp"
	"strings"
)

// The advisories of Red Hat and SUSE go by the product in whose repository a package lies,
// which no installed package says: "Red Hat:enterprise_linux:9::appstream", "SUSE:Linux
// Enterprise Module for Basesystem 15 SP6". All products of one release are built from one
// line of sources. They are kept under the release alone, which an image does say, so that
// a package is compared with each fix of its release.

var (
	enterpriseLinux = regexp.MustCompile(`^Red Hat:(?:enterprise_linux|rhel_els):([0-9]+)(?:[.:].*)?$`)
	linuxEnterprise = regexp.MustCompile(`^SUSE:Linux Enterprise (.*?) ?([0-9]+(?:\.[0-9]+)?)(?: (SP[0-9]+))?(?:-[A-Za-z].*)?$`)
	azureLinux      = regexp.MustCompile(`^Azure Linux:([0-9]+)(?:\.[0-9.]*)?$`)
)

// releasesOf are the releases that an ecosystem of an advisory stands for: most for
// themselves. Fixes after the end of support (ELS, LTSS) belong to their release: what
// lacks one of them is affected, whoever may fetch it.
func releasesOf(ecosystem string) []string {
	if m := enterpriseLinux.FindStringSubmatch(ecosystem); m != nil {
		return []string{"Red Hat:enterprise_linux:" + m[1]}
	}
	if m := azureLinux.FindStringSubmatch(ecosystem); m != nil {
		return []string{"Azure Linux:" + m[1]}
	}
	m := linuxEnterprise.FindStringSubmatch(ecosystem)
	if m == nil || strings.HasPrefix(m[1], "Micro") {
		return []string{ecosystem}
	}
	release := "SUSE:Linux Enterprise Server " + m[2]
	switch {
	case m[3] != "":
		return []string{release + " " + m[3]}
	case m[2] == "12" && strings.HasPrefix(m[1], "Module"): // its modules are those of each service pack
		return []string{release, release + " SP1", release + " SP2", release + " SP3", release + " SP4", release + " SP5"}
	}
	return []string{release}
}
