package sbom

import (
	"strconv"
	"strings"

	"verdict"
)

// Distribution is a release of a Linux distribution, in the words of its os-release file.
type Distribution struct {
	ID string // "debian", in lower case
	// Version is VERSION_ID, "12"; empty for one that has no releases. That of openEuler has
	// its service pack, which its advisories go by: "24.03-LTS-SP1".
	Version string
}

// SystemPackage is a package of a distribution.
type SystemPackage struct {
	Type    string // of its package URL: apk, deb, rpm
	Name    string
	Version string // as the distribution's tools compare it: with the epoch of an rpm in front
	Arch    string // empty: not said
	// Source is what it was built from, in a version of its own where that differs;
	// empty: what has its own name and version. Advisories speak of it.
	Source, SourceVersion string
	// Vendor is who built it, as Vendor gives it; empty: the distribution.
	Vendor string
}

// PURL is the package URL of a package of the distribution, as purl-spec and other tools
// write it: distro says the release, upstream the source, the namespace the vendor.
func (d Distribution) PURL(p SystemPackage) (string, error) {
	u := PackageURL{Type: p.Type, Namespace: d.namespace(), Name: p.Name, Version: p.Version, Qualifiers: map[string]string{}}
	if p.Vendor != "" && !d.builtBy(p.Vendor) {
		u.Namespace = p.Vendor
	}
	if u.Namespace == "" {
		u.Namespace = unknownVendor
	}
	if p.Arch != "" {
		u.Qualifiers["arch"] = p.Arch
	}
	if d.ID != "" {
		u.Qualifiers["distro"] = strings.TrimSuffix(d.ID+"-"+d.Version, "-")
	}
	if epoch, version, ok := strings.Cut(p.Version, ":"); ok && p.Type == "rpm" {
		u.Version, u.Qualifiers["epoch"] = version, epoch
	}
	if p.Source != "" && (p.Source != p.Name || p.SourceVersion != "" && p.SourceVersion != u.Version) {
		u.Qualifiers["upstream"] = p.Source
		if p.SourceVersion != "" && p.SourceVersion != u.Version {
			u.Qualifiers["upstream"] += "@" + p.SourceVersion
		}
	}
	u, err := u.canonical()
	if err != nil {
		return "", invalid(p.Type+" package "+p.Name, "it has no package URL", err)
	}
	return u.String(), nil
}

// line is a line of releases: how os-release, package URLs and OSV call it.
type line struct {
	id        string
	also      []string // ids that stand for the same in package URLs and os-release files
	namespace string   // of its package URLs; empty: the id
	ecosystem string   // OSV's word, before the release
	kind      string   // the type of its package URLs
	release   func(version string) (string, bool)
	example   string // a version, as os-release has it
	// source says that advisories name what a package was built from, and not each package.
	source bool
	// bare says that versions of advisories have no epoch.
	bare bool
}

// lines are those that OSV has advisories for. Fedora, Amazon Linux, Oracle Linux and CentOS
// are not among them: what is known of their packages is in no database of OSV's form.
var lines = []line{
	{id: "alpine", example: "3.20", ecosystem: "Alpine", kind: "apk", release: alpineRelease, source: true},
	{id: "wolfi", ecosystem: "Wolfi", kind: "apk", release: rolling, source: true},
	{id: "chainguard", ecosystem: "Chainguard", kind: "apk", release: rolling, source: true},
	{id: "minimos", ecosystem: "MinimOS", kind: "apk", release: rolling, source: true},
	{id: "alpaquita", example: "23", ecosystem: "Alpaquita", kind: "apk", release: streamOrNumber, source: true},
	{id: "bellsoft-hardened-containers", example: "23", ecosystem: "BellSoft Hardened Containers", kind: "apk", release: streamOrNumber, source: true},
	{id: "debian", example: "12", ecosystem: "Debian", kind: "deb", release: major, source: true},
	{id: "ubuntu", example: "24.04", ecosystem: "Ubuntu", kind: "deb", release: ubuntuRelease, source: true},
	{id: "rhel", example: "9", also: []string{"redhat"}, namespace: "redhat", ecosystem: "Red Hat:enterprise_linux", kind: "rpm", release: major},
	{id: "rocky", example: "9", also: []string{"rocky-linux"}, ecosystem: "Rocky Linux", kind: "rpm", release: major},
	{id: "almalinux", example: "9", also: []string{"alma"}, ecosystem: "AlmaLinux", kind: "rpm", release: major},
	{id: "sles", example: "15.6", also: []string{"sled", "sles_sap", "suse"}, namespace: "suse", ecosystem: "SUSE:Linux Enterprise Server ", kind: "rpm", release: servicePack, source: true, bare: true},
	{id: "sle-micro", example: "5.5", namespace: "suse", ecosystem: "SUSE:Linux Enterprise Micro ", kind: "rpm", release: dotted, source: true, bare: true},
	{id: "sl-micro", example: "6.0", namespace: "suse", ecosystem: "SUSE:Linux Micro ", kind: "rpm", release: dotted, source: true, bare: true},
	{id: "opensuse-leap-micro", example: "5.5", namespace: "opensuse", ecosystem: "openSUSE:Leap Micro ", kind: "rpm", release: dotted, source: true, bare: true},
	{id: "opensuse-leap", example: "15.6", also: []string{"opensuse.leap"}, namespace: "opensuse", ecosystem: "openSUSE:Leap ", kind: "rpm", release: dotted, source: true, bare: true},
	{id: "opensuse-tumbleweed", also: []string{"opensuse.tumbleweed"}, namespace: "opensuse", ecosystem: "openSUSE:Tumbleweed", kind: "rpm", release: rolling, source: true, bare: true},
	{id: "azurelinux", example: "3", also: []string{"azure-linux", "mariner", "cbl-mariner"}, ecosystem: "Azure Linux", kind: "rpm", release: major, source: true, bare: true},
	{id: "mageia", example: "9", ecosystem: "Mageia", kind: "rpm", release: major, source: true, bare: true},
	{id: "openeuler", example: "24.03-LTS", ecosystem: "openEuler", kind: "rpm", release: longTerm, source: true, bare: true},
	{id: "photon", example: "5.0", ecosystem: "Photon OS", kind: "rpm", release: dotted, bare: true},
}

// lineOf is the line of an id, and whether there is one.
func lineOf(id string) (line, bool) {
	for _, l := range lines {
		if l.id == id {
			return l, true
		}
		for _, a := range l.also {
			if a == id {
				return l, true
			}
		}
	}
	return line{}, false
}

// word is OSV's word for a release of the line.
func (l line) word(release string) string {
	if release == "" || strings.HasSuffix(l.ecosystem, " ") {
		return l.ecosystem + release
	}
	return l.ecosystem + ":" + release
}

func (l line) vendor() string {
	if l.namespace != "" {
		return l.namespace
	}
	return l.id
}

func (d Distribution) namespace() string {
	if l, ok := lineOf(d.ID); ok {
		return l.vendor()
	}
	return d.ID
}

// Ecosystem is OSV's word for the release, whose advisories speak of its packages; empty
// where OSV has none.
func (d Distribution) Ecosystem() string {
	l, ok := lineOf(d.ID)
	if !ok {
		return ""
	}
	release, ok := l.release(d.Version)
	if !ok {
		return ""
	}
	return l.word(release)
}

// distributionOf reads a word of Ecosystem back, with the type of its packages.
func distributionOf(ecosystem string) (d Distribution, purlType string, ok bool) {
	for _, l := range lines {
		rest, ok := strings.CutPrefix(ecosystem, l.ecosystem)
		if !ok {
			continue
		}
		d := Distribution{l.id, readBack(strings.TrimPrefix(rest, ":"))}
		if d.Ecosystem() == ecosystem {
			return d, l.kind, true
		}
	}
	return Distribution{}, "", false
}

// readBack is the version that os-release gives for a release of OSV's words.
func readBack(release string) string {
	release = strings.TrimSuffix(release, ":LTS") // of Ubuntu
	if number, pack, ok := strings.Cut(release, " SP"); ok {
		return number + "." + pack
	}
	return strings.TrimPrefix(release, "v") // of Alpine
}

// systemComponent is the component that a package URL of a distribution names, in OSV's
// words. A package that another vendor built, or one of another product of Red Hat, is in no
// advisories of the release: it has no ecosystem here, and is unknown, not clean.
func (p PackageURL) systemComponent() (verdict.Component, bool) {
	d, ok := p.distribution()
	l, known := lineOf(d.ID)
	if !ok || !known || l.kind != p.Type || !d.builtBy(p.Namespace) {
		return verdict.Component{}, false
	}
	ecosystem := d.Ecosystem()
	if ecosystem == "" || l.id == "rhel" && !ofEnterpriseLinux(p.Version, d.Version) {
		return verdict.Component{}, false
	}
	c := verdict.Component{Ecosystem: ecosystem, Name: p.Name, Version: p.Version, PURL: p.String()}
	if l.source {
		c.Name, c.Version = p.source()
	}
	if epoch := p.Qualifiers["epoch"]; number(epoch) && epoch != "0" && !l.bare && c.Version != "" {
		c.Version = epoch + ":" + c.Version
	}
	return c, true
}

// distribution is the release that a package URL says: distro=debian-12, and "distro=12"
// and "distro=bookworm" are written too.
func (p PackageURL) distribution() (Distribution, bool) {
	switch p.Type {
	case "apk", "deb", "rpm":
	default:
		return Distribution{}, false
	}
	distro := p.Qualifiers["distro"]
	best, version := "", ""
	take := func(id string) {
		rest, ok := strings.CutPrefix(strings.ToLower(distro), id)
		if ok && len(id) > len(best) && (rest == "" || rest[0] == '-') {
			best, version = id, strings.TrimPrefix(distro[len(id):], "-")
		}
	}
	for _, l := range lines {
		take(l.id)
		for _, a := range l.also {
			take(a)
		}
	}
	switch {
	case best != "":
		return Distribution{best, version}, true
	case p.Namespace != "" && !strings.ContainsFunc(distro, func(r rune) bool { return r == '-' }):
		return Distribution{p.Namespace, distro}, true
	}
	return Distribution{}, false
}

// ReleaseExample is a word for distro= that a package URL of a distribution lacks; empty where
// no release would tell more.
func ReleaseExample(p PackageURL) string {
	if p.Qualifiers["distro"] != "" {
		return ""
	}
	for _, l := range lines {
		if (l.id == p.Namespace || l.vendor() == p.Namespace) && l.kind == p.Type {
			if l.example == "" {
				return l.id
			}
			return l.id + "-" + l.example
		}
	}
	return ""
}

// source is what a package was built from: upstream=openssl, openssl@3.0.7-1, and the file of
// a source rpm, as other tools write it.
func (p PackageURL) source() (name, version string) {
	upstream := p.Qualifiers["upstream"]
	if upstream == "" {
		return p.Name, p.Version
	}
	if file, ok := strings.CutSuffix(upstream, ".src.rpm"); ok {
		if name, version, ok := SourceRPM(file); ok {
			return name, version
		}
	}
	if name, version, ok := strings.Cut(upstream, "@"); ok {
		return name, version
	}
	return upstream, p.Version
}

// SourceRPM reads NAME-VERSION-RELEASE, with .src.rpm behind it or without.
func SourceRPM(file string) (name, version string, ok bool) {
	file = strings.TrimSuffix(strings.TrimSuffix(file, ".rpm"), ".src")
	at := len(file)
	for range 2 {
		if at = strings.LastIndexByte(file[:at], '-'); at <= 0 {
			return "", "", false
		}
	}
	return file[:at], file[at+1:], true
}

func number(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// The forms of releases.

func rolling(string) (string, bool) { return "", true }

func major(version string) (string, bool) {
	m, _, _ := strings.Cut(version, ".")
	return m, number(m)
}

func dotted(version string) (string, bool) {
	m, minor, ok := strings.Cut(version, ".")
	return version, ok && number(m) && number(minor)
}

func streamOrNumber(version string) (string, bool) {
	return version, version == "stream" || number(version)
}

func alpineRelease(version string) (string, bool) {
	m, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return "v" + m + "." + minor, number(m) && number(minor)
}

func ubuntuRelease(version string) (string, bool) {
	m, minor, _ := strings.Cut(version, ".")
	minor, _, _ = strings.Cut(minor, ".")
	if !number(m) || !number(minor) {
		return "", false
	}
	if year, _ := strconv.Atoi(m); minor == "04" && year%2 == 0 {
		return m + "." + minor + ":LTS", true
	}
	return m + "." + minor, true
}

// servicePack is how SUSE's products are called: 15.6 is "15 SP6", 16.0 is "16.0".
func servicePack(version string) (string, bool) {
	m, pack, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(m)
	switch {
	case err != nil || pack != "" && !number(pack):
		return "", false
	case n >= 16:
		return version, pack != ""
	case pack == "" || pack == "0":
		return m, true
	}
	return m + " SP" + pack, true
}

// longTerm is a release of openEuler with its service pack. Those without "LTS" have no
// advisories, and one that leaves its service pack open may be any.
func longTerm(version string) (string, bool) {
	release, pack, ok := strings.Cut(version, "-")
	m, minor, _ := strings.Cut(release, ".")
	return version, ok && number(m) && number(minor) && (pack == "LTS" || strings.HasPrefix(pack, "LTS-SP") && number(pack[len("LTS-SP"):]))
}
