package sbom

import "strings"

// unknownVendor is the namespace of a package of which nobody says who built it.
const unknownVendor = "unknown"

// vendors are those that build packages of distributions, by how the vendor of an rpm
// begins. Each is the namespace of its package URLs.
var vendors = []struct{ begins, namespace string }{
	{"Red Hat", "redhat"}, {"SUSE", "suse"}, {"openSUSE", "opensuse"}, {"Rocky", "rocky"}, {"AlmaLinux", "almalinux"}, {"Microsoft", "azurelinux"},
	{"Mageia", "mageia"}, {"openEuler", "openeuler"}, {"http://openeuler.org", "openeuler"}, {"VMware", "photon"}, {"Broadcom", "photon"},
	{"Fedora", "fedora"}, {"CentOS", "centos"}, {"Amazon", "amzn"}, {"Oracle", "ol"},
}

// Vendor is whose package an rpm is by the vendor that it states: a namespace of package
// URLs. One from elsewhere lies in a distribution's database beside its own, and its
// advisories say nothing of it.
func Vendor(stated string) string {
	for _, v := range vendors {
		if strings.HasPrefix(stated, v.begins) {
			return v.namespace
		}
	}
	return unknownVendor
}

// builtBy reports whether a package of this vendor is one of the distribution. openSUSE takes
// those of SUSE over as they are.
func (d Distribution) builtBy(vendor string) bool {
	l, ok := lineOf(d.ID)
	if !ok {
		return vendor == d.ID
	}
	own := l.vendor()
	if vendor == own || vendor == l.id || own == "opensuse" && vendor == "suse" {
		return true
	}
	for _, a := range l.also {
		if vendor == a {
			return true
		}
	}
	return false
}

// ofEnterpriseLinux reports whether a package of Red Hat is one of Red Hat Enterprise Linux
// itself, by the mark in its release: 1.el9, 1.el9_4.2, 2.module+el8.9.0+1+a. Those of
// other products (el9ost, el9fdp, rhaos4.14.el9) have advisories that go by the product. No
// version at all stands for every one.
func ofEnterpriseLinux(version, release string) bool {
	if version == "" {
		return true
	}
	m, _, _ := strings.Cut(release, ".")
	if strings.Contains(version, "rhaos") || strings.Contains(version, ".assembly.") {
		return false
	}
	_, built, _ := strings.Cut(version, "-")
	for _, mark := range []string{".el" + m, "+el" + m} {
		for rest := built; ; {
			i := strings.Index(rest, mark)
			if i < 0 {
				break
			}
			if rest = rest[i+len(mark):]; rest == "" || strings.IndexByte("_.+", rest[0]) >= 0 {
				return true
			}
		}
	}
	return false
}
