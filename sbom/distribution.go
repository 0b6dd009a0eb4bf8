package sbom

import (
	"strconv"
	"strings"

	"verdict"
)

// Distribution is a release of a Linux distribution, in the words of its os-release file.
type Distribution struct {
	ID      string // "debian"
	Version string // "12"; empty for one that has no releases
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
}

// PURL is the package URL of a package of the distribution, as purl-spec and other tools
// write it: distro says the release, upstream the source.
func (d Distribution) PURL(p SystemPackage) (string, error) {
	u := PackageURL{Type: p.Type, Namespace: d.ID, Name: p.Name, Version: p.Version, Qualifiers: map[string]string{}}
	if u.Namespace == "" {
		u.Namespace = "unknown"
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
	if p.Source != "" && (p.Source != p.Name || p.SourceVersion != "" && p.SourceVersion != p.Version) {
		u.Qualifiers["upstream"] = p.Source
		if p.SourceVersion != "" && p.SourceVersion != p.Version {
			u.Qualifiers["upstream"] += "@" + p.SourceVersion
		}
	}
	u, err := u.canonical()
	if err != nil {
		return "", invalid(p.Type+" package "+p.Name, "it has no package URL", err)
	}
	return u.String(), nil
}

// Ecosystem is OSV's word for the release, whose advisories speak of its packages; empty
// where OSV has none, or names them otherwise than by release.
func (d Distribution) Ecosystem() string {
	major, rest, _ := strings.Cut(d.Version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	switch d.ID {
	case "alpine":
		if number(major) && number(minor) {
			return "Alpine:v" + major + "." + minor
		}
	case "debian":
		if number(major) {
			return "Debian:" + major
		}
	case "ubuntu":
		if !number(major) || minor == "" {
			return ""
		}
		year, _ := strconv.Atoi(major)
		if minor == "04" && year%2 == 0 {
			return "Ubuntu:" + major + "." + minor + ":LTS"
		}
		return "Ubuntu:" + major + "." + minor
	case "wolfi":
		return "Wolfi"
	case "chainguard":
		return "Chainguard"
	case "almalinux":
		if number(major) {
			return "AlmaLinux:" + major
		}
	}
	return ""
}

// distributionOf reads a word of Ecosystem back, with the type of its packages.
func distributionOf(ecosystem string) (d Distribution, purlType string, ok bool) {
	base, release, _ := strings.Cut(ecosystem, ":")
	switch base {
	case "Alpine":
		d, purlType = Distribution{"alpine", strings.TrimPrefix(release, "v")}, "apk"
	case "Debian":
		d, purlType = Distribution{"debian", release}, "deb"
	case "Ubuntu":
		d, purlType = Distribution{"ubuntu", strings.TrimSuffix(release, ":LTS")}, "deb"
	case "Wolfi", "Chainguard":
		d, purlType = Distribution{strings.ToLower(base), release}, "apk"
	case "AlmaLinux":
		d, purlType = Distribution{"almalinux", release}, "rpm"
	}
	return d, purlType, purlType != "" && d.Ecosystem() == ecosystem
}

func number(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// systemComponent is the component that a package URL of a distribution names, in OSV's
// words: the source in the release. The advisories of Red Hat, SUSE and others go by the
// product that a package came with, which no package URL says: their packages have no
// ecosystem here, and are unknown, not clean.
func (p PackageURL) systemComponent() (verdict.Component, bool) {
	switch p.Type {
	case "apk", "deb", "rpm":
	default:
		return verdict.Component{}, false
	}
	distro := p.Qualifiers["distro"]
	id, version, _ := strings.Cut(distro, "-")
	if id != p.Namespace { // "distro=12" and "distro=bookworm" are written too
		id, version = p.Namespace, strings.TrimPrefix(distro, p.Namespace+"-")
	}
	ecosystem := Distribution{id, version}.Ecosystem()
	if ecosystem == "" {
		return verdict.Component{}, false
	}
	c := verdict.Component{Ecosystem: ecosystem, Name: p.Name, Version: p.Version, PURL: p.String()}
	if epoch := p.Qualifiers["epoch"]; number(epoch) && epoch != "0" {
		c.Version = epoch + ":" + c.Version
	}
	if p.Type == "rpm" { // AlmaLinux names each package, and not its source
		return c, true
	}
	if upstream := p.Qualifiers["upstream"]; upstream != "" {
		name, version, ok := strings.Cut(upstream, "@")
		c.Name = name
		if ok {
			c.Version = version
		}
	}
	return c, true
}
