// Package sbom holds what is known about components: how they are named across
// ecosystems and tools, bills of materials that list them, as CycloneDX 1.6 and SPDX 2.3,
// and what is stated of their vulnerabilities (VEX). Names are package URLs, canonical as
// package-url/purl-spec (ECMA-427) has them.
//
// A list that is not whole never looks whole: a document says how complete it is, and
// for each component whether all that it brings in is known.
package sbom

import (
	"fmt"
	"slices"
	"strings"

	"verdict"
)

// form is how the names of an ecosystem split into namespace and name of a purl.
type form int

const (
	plain    form = iota // all of it is the name
	lastPart             // namespace is everything before the last slash
	group                // Maven's group:artifact
	host                 // as lastPart, and the host of a registry in front is a qualifier
	task                 // the name in a namespace that says whose it is
)

// kind joins an ecosystem to the type of its purls.
type kind struct {
	ecosystem, purl string
	form            form
}

// kinds are the ecosystems of OSV. Distributions are not here: their purls need a release,
// which is no part of a name (see Distribution).
var kinds = []kind{
	{"Go", "golang", lastPart},
	{"npm", "npm", lastPart},
	{"PyPI", "pypi", plain},
	{"crates.io", "cargo", plain},
	{"Maven", "maven", group},
	{"NuGet", "nuget", plain},
	{"RubyGems", "gem", plain},
	{"Packagist", "composer", lastPart},
	{"Hex", "hex", lastPart},
	{"Pub", "pub", plain},
	{"Hackage", "hackage", plain},
	{"CRAN", "cran", plain},
	{"ConanCenter", "conan", plain},
	{"SwiftURL", "swift", lastPart},
	{"GitHub Actions", "github", lastPart},
	{"Julia", "julia", plain},
}

// own are ecosystems that OSV does not have: their components are named, and matched with
// nothing. A purl of these types is not read back as a package.
var own = []kind{
	{"CocoaPods", "cocoapods", plain},
	{"Docker", "docker", host},
	{"Helm", "helm", plain},
	{"Terraform", "terraform", lastPart},
	{"Azure Pipelines", "generic", task},
}

// Types are the types of package URLs that stand for an ecosystem, sorted.
func Types() []string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.purl)
	}
	slices.Sort(out)
	return out
}

// HasAdvisories reports whether there is an ecosystem of that name for which advisories
// can be; false for those that OSV does not have.
func HasAdvisories(ecosystem string) bool {
	return !slices.ContainsFunc(own, func(k kind) bool { return k.ecosystem == ecosystem })
}

// PURL is the canonical package URL of a package in an ecosystem of OSV. The version may
// be empty. A Go module's version carries its v, also when it is given without one; the
// standard library and the toolchain carry none. An ecosystem without a purl type, or a
// name that its type does not allow, is an *verdict.Error with CodeInvalid.
func PURL(ecosystem, name, version string) (string, error) {
	if d, purlType, ok := distributionOf(ecosystem); ok {
		return d.PURL(SystemPackage{Type: purlType, Name: name, Version: version})
	}
	for _, k := range slices.Concat(kinds, own) {
		if k.ecosystem != ecosystem {
			continue
		}
		p := PackageURL{Type: k.purl, Name: name, Version: version}
		switch k.form {
		case host:
			p.takeHost()
		case task:
			p.Namespace = "azure-pipelines"
		}
		sep := map[form]string{lastPart: "/", host: "/", group: ":"}[k.form]
		name := p.Name
		if i := strings.LastIndex(name, sep); sep != "" && i >= 0 {
			p.Namespace, p.Name = name[:i], name[i+1:]
		}
		if k.form == group && (p.Namespace == "" || strings.Contains(p.Namespace, ":")) {
			return "", invalid(name, "a Maven package is named group:artifact", nil)
		}
		if ecosystem == "Go" {
			p.Version = goVersion(name, version)
		}
		p, err := p.canonical()
		if err != nil {
			return "", invalid(ecosystem+" package "+name, "it has no package URL", err)
		}
		return p.String(), nil
	}
	return "", &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("ecosystem %q has no type of package URL", ecosystem),
		Remedy: "write the ecosystem as OSV does: Go, npm, PyPI, crates.io, Maven …",
	}
}

// takeHost moves the registry of an image into a qualifier, where purls of images have it.
// A first part is a host when it has a dot or a port, as container tools tell it.
func (p *PackageURL) takeHost() {
	first, rest, more := strings.Cut(p.Name, "/")
	if more && (strings.ContainsAny(first, ".:") || first == "localhost") {
		p.Name, p.Qualifiers = rest, map[string]string{"repository_url": first}
	}
}

// NewComponent names one package in one version, with its purl.
func NewComponent(ecosystem, name, version string) (verdict.Component, error) {
	p, err := PURL(ecosystem, name, version)
	if err != nil {
		return verdict.Component{}, err
	}
	return verdict.Component{Ecosystem: ecosystem, Name: name, Version: version, PURL: p}, nil
}

// Component is the package that p names, in OSV's words. It reports false for a type
// that stands for no ecosystem of packages. Where the type folds case (Go), the name is
// the folded one.
func (p PackageURL) Component() (verdict.Component, bool) {
	for _, k := range kinds {
		if k.purl != p.Type {
			continue
		}
		name := p.Name
		if p.Namespace != "" {
			name = p.Namespace + map[form]string{plain: "/", lastPart: "/", group: ":"}[k.form] + name
		}
		return verdict.Component{Ecosystem: k.ecosystem, Name: name, Version: p.Version, PURL: p.String()}, true
	}
	return p.systemComponent()
}

func goVersion(name, version string) string {
	if name == "stdlib" || name == "toolchain" {
		return strings.TrimPrefix(strings.TrimPrefix(version, "go"), "v")
	}
	if version != "" && version[0] >= '0' && version[0] <= '9' {
		return "v" + version
	}
	return version
}

func invalid(what, why string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("%q cannot be used: %s", what, why),
		Remedy: "write it as pkg:type/namespace/name@version, with special characters percent-encoded", Err: err,
	}
}
