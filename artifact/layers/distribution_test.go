package layers

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/sbom"
)

// osReleases are those of real images, as far as they are read.
var osReleases = map[string]string{
	"ubi8":       "NAME=\"Red Hat Enterprise Linux\"\nVERSION=\"8.6 (Ootpa)\"\nID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"8.6\"\nPRETTY_NAME=\"Red Hat Enterprise Linux 8.6 (Ootpa)\"\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:8::baseos\"\n",
	"bci":        "NAME=\"SLES\"\nVERSION=\"15-SP3\"\nVERSION_ID=\"15.3\"\nPRETTY_NAME=\"SUSE Linux Enterprise Server 15 SP3\"\nID=\"sles\"\nID_LIKE=\"suse\"\n",
	"mariner":    "NAME=\"Common Base Linux Mariner\"\nVERSION=\"2.0.20220226\"\nID=mariner\nVERSION_ID=\"2.0\"\nPRETTY_NAME=\"CBL-Mariner/Linux\"\n",
	"fedora":     "NAME=\"Fedora Linux\"\nVERSION=\"35 (Container Image)\"\nID=fedora\nVERSION_ID=35\nPRETTY_NAME=\"Fedora Linux 35 (Container Image)\"\n",
	"centos":     "NAME=\"CentOS Linux\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"\n",
	"openeuler":  "NAME=\"openEuler\"\nVERSION=\"24.03 (LTS-SP1)\"\nID=\"openEuler\"\nVERSION_ID=\"24.03\"\nPRETTY_NAME=\"openEuler 24.03 (LTS-SP1)\"\n",
	"tumbleweed": "NAME=\"openSUSE Tumbleweed\"\nID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\nVERSION_ID=\"20240801\"\n",
	"wolfi":      "ID=wolfi\nNAME=\"Wolfi\"\nPRETTY_NAME=\"Wolfi\"\nVERSION_ID=\"20230201\"\nHOME_URL=\"https://wolfi.dev\"\n",
	"amazon":     "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\n",
	"oracle":     "NAME=\"Oracle Linux Server\"\nID=\"ol\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\n",
	"rocky":      "NAME=\"Rocky Linux\"\nVERSION=\"9.4 (Blue Onyx)\"\nID=\"rocky\"\nVERSION_ID=\"9.4\"\n",
}

// The release of an image leads to the advisories that are about it, and to none where there
// are none: another's would be wrong in silence.
func TestTheReleaseOfAnImageLeadsToItsAdvisories(t *testing.T) {
	for name, want := range map[string]string{
		"ubi8": "Red Hat:enterprise_linux:8", "bci": "SUSE:Linux Enterprise Server 15 SP3", "mariner": "Azure Linux:2", "fedora": "", "centos": "", "openeuler": "openEuler:24.03-LTS-SP1",
		"tumbleweed": "openSUSE:Tumbleweed", "wolfi": "Wolfi", "amazon": "", "oracle": "", "rocky": "Rocky Linux:9",
	} {
		r := parseRelease([]byte(osReleases[name]))
		if got := (sbom.Distribution{ID: r.id, Version: r.version}).Ecosystem(); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
}

// The databases of real images: each package of the distribution is one that its advisories
// find, and each of others is told to be none.
func TestPackagesOfRealImagesLeadToTheirAdvisories(t *testing.T) {
	dir := moduleFiles(t)
	for _, c := range []struct {
		database, file, release string
		ecosystems              map[string]int
		purl, told              string
	}{
		{"ubi8-s390x", "Packages", "ubi8", map[string]int{"Red Hat:enterprise_linux:8": 181}, "pkg:rpm/redhat/openssl-libs@1.1.1k-6.el8_5?arch=s390x&distro=rhel-8.6&epoch=1&upstream=openssl", ""},
		{"sle15-bci", "Packages.db", "bci", map[string]int{"SUSE:Linux Enterprise Server 15 SP3": 35}, "pkg:rpm/suse/glibc@2.31-9.3.2?arch=x86_64&distro=sles-15.3", ""},
		{"cbl-mariner-2.0", "rpmdb.sqlite", "mariner", map[string]int{"Azure Linux:2": 129}, "pkg:rpm/azurelinux/openssl-libs@1.1.1k-7.cm2?arch=x86_64&distro=mariner-2.0&upstream=openssl", ""},
		{"fedora35-plus-mongo", "rpmdb.sqlite", "fedora", map[string]int{"": 141}, "pkg:rpm/fedora/openssl-libs@1.1.1l-2.fc35?arch=x86_64&distro=fedora-35&epoch=1&upstream=openssl", "no advisories are known for packages of fedora 35"},
		{"centos7-httpd24", "Packages", "rocky", map[string]int{"": 224}, "pkg:rpm/centos/openssl-libs@1.0.2k-16.el7_6.1?arch=x86_64&distro=rocky-9.4&epoch=1&upstream=openssl", "are none of rocky 9.4 itself"},
	} {
		raw, err := os.ReadFile(filepath.Join(dir, c.database, c.file))
		if os.IsNotExist(err) {
			t.Skip("the module cache holds no databases of rpm: go mod download github.com/knqyf263/go-rpmdb")
		}
		if err != nil {
			t.Fatal(err)
		}
		d := read(t, Limits{}, tarOf(t, entry{name: "etc/os-release", content: osReleases[c.release]}, entry{name: "var/lib/rpm/" + c.file, content: string(raw)}))
		got := map[string]int{}
		for _, x := range d.Components {
			got[x.Ecosystem]++
			p, err := sbom.ParsePURL(x.PURL)
			if err != nil || p.String() != x.PURL {
				t.Errorf("%s: %s is not canonical: %v", c.database, x.PURL, err)
			}
			if known, ok := p.Component(); ok != (x.Ecosystem != "") || known.Ecosystem != x.Ecosystem {
				t.Errorf("%s: %s is read back as %+v", c.database, x.PURL, known)
			}
		}
		for e, n := range c.ecosystems {
			if got[e] < n-3 || got[e] > n || len(got) != len(c.ecosystems) { // keys of signatures are no packages
				t.Errorf("%s: %v, not %v", c.database, slices.Collect(maps.Keys(got)), c.ecosystems)
			}
		}
		if c.purl != "" && !slices.Contains(purls(d), c.purl) {
			t.Errorf("%s has no %s: %v", c.database, c.purl, slices.DeleteFunc(purls(d), func(s string) bool { return !strings.Contains(s, "/glibc@") && !strings.Contains(s, "/openssl-libs@") }))
		}
		if c.told != "" && !slices.ContainsFunc(d.Open, func(n verdict.NotChecked) bool { return strings.Contains(n.Reason, c.told) }) {
			t.Errorf("%s: %+v", c.database, d.Open)
		}
	}
}
