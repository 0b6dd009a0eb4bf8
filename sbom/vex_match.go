package sbom

import (
	"slices"
	"strings"

	"verdict"
)

// Covers reports whether a statement speaks of a component of ours. It does where a
// product is the component itself; and where a product is ours, and the component one of
// its parts, or the statement names no parts. A statement without products speaks of what
// its evidence is about, which is ours.
func (s VEXStatement) Covers(component PackageURL, ours Ours) bool {
	if len(s.Products) == 0 {
		return true
	}
	return slices.ContainsFunc(s.Products, func(p VEXProduct) bool {
		if len(p.Parts) == 0 && p.Is(component) {
			return true
		}
		return ours.Is(p) && (len(p.Parts) == 0 || slices.ContainsFunc(p.Parts, func(part VEXProduct) bool { return part.Is(component) }))
	})
}

// Is reports whether one of the product's package URLs names the component.
func (p VEXProduct) Is(component PackageURL) bool {
	return slices.ContainsFunc(p.Names, func(name string) bool {
		u, err := ParsePURL(name)
		return err == nil && u.general(component)
	})
}

// general reports whether p, of a statement, names c: in its version, or in any where it
// has none. What else p says, where it is from for instance, has to be so; what c says
// beyond that does not matter. A package of a module is not the module.
func (p PackageURL) general(c PackageURL) bool {
	if p.Type == "golang" && p.Version != "" {
		p.Version = goVersion(p.Name, p.Version)
	}
	if p.Type != c.Type || p.Namespace != c.Namespace || p.Name != c.Name || p.Subpath != c.Subpath || p.Version != "" && p.Version != c.Version {
		return false
	}
	for k, v := range p.Qualifiers {
		if c.Qualifiers[k] != v && !(p.Type == "maven" && k == "type" && v == "jar") { // what Maven takes where nothing is said
			return false
		}
	}
	return true
}

// Ours is what is judged, by the names under which a statement may know it.
type Ours struct {
	Digests []verdict.Digest
	Service string
	Repo    string // as the map names it: "github.com/acme/payments", an address, or "acme/payments"
}

// Is reports whether a product is what is judged: by a digest; by a package URL or an
// address of its repository; or by the name of its service. A product in a version is
// ours only where the version is one of our digests: whether some other name of a version
// means this commit cannot be told.
func (o Ours) Is(p VEXProduct) bool {
	if slices.ContainsFunc(p.Digests, func(d verdict.Digest) bool { return slices.Contains(o.Digests, d) }) {
		return true
	}
	return slices.ContainsFunc(p.Names, o.named)
}

func (o Ours) named(name string) bool {
	if o.version(name) {
		return true
	}
	if u, err := ParsePURL(name); err == nil {
		return (u.Version == "" || o.version(u.Version)) && u.Subpath == "" && o.packaged(u)
	}
	if o.Service != "" && name == o.Service {
		return true
	}
	path, version, pinned := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], "@")
	return o.repository(name[:strings.LastIndexByte(name, '/')+1]+path) && (!pinned || o.version(version))
}

// version reports whether a text is one of our digests, with or without its algorithm.
func (o Ours) version(s string) bool {
	return slices.ContainsFunc(o.Digests, func(d verdict.Digest) bool { return s == string(d) || s == d.Hex() })
}

// packaged reports whether a package URL names the repository or the service.
func (o Ours) packaged(u PackageURL) bool {
	path := strings.Trim(u.Namespace+"/"+u.Name, "/")
	switch u.Type {
	case "github":
		return o.repository("github.com/" + path)
	case "bitbucket":
		return o.repository("bitbucket.org/" + path)
	case "gitlab":
		return o.repository("gitlab.com/" + path)
	case "golang", gitType:
		return o.repository(path)
	case "oci", "docker", "generic":
		return o.Service != "" && u.Name == o.Service
	}
	return false
}

// repository reports whether a path or address is the repository's. Where the map names
// no host, the path behind the host has to be the same.
func (o Ours) repository(s string) bool {
	theirs, ours := plainRepository(s), plainRepository(o.Repo)
	if ours == "" || theirs == "" {
		return false
	}
	if first, _, _ := strings.Cut(ours, "/"); !strings.Contains(first, ".") {
		host, path, _ := strings.Cut(theirs, "/")
		return theirs == ours || strings.Contains(host, ".") && path == ours
	}
	return theirs == ours
}

// plainRepository is host and path of a repository, without what only says how it is
// fetched.
func plainRepository(s string) string {
	s = strings.ToLower(strings.TrimPrefix(s, "git+"))
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if user, rest, ok := strings.Cut(s, "@"); ok && !strings.Contains(user, "/") { // git@github.com:acme/payments
		s = strings.Replace(rest, ":", "/", 1)
	}
	return strings.TrimSuffix(strings.Trim(s, "/"), ".git")
}
