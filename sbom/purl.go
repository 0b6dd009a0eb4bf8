package sbom

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/package-url/packageurl-go"
)

// maxPURL bounds a package URL, in bytes. Real ones end far below a thousand.
const maxPURL = 4096

// PackageURL is a package URL in its parts, decoded and canonical when it came from
// ParsePURL.
type PackageURL struct {
	Type, Namespace, Name, Version string
	Qualifiers                     map[string]string // never nil after ParsePURL
	Subpath                        string
}

// ParsePURL reads a package URL and brings it into its canonical form. What cannot be
// read is an *verdict.Error with CodeInvalid.
func ParsePURL(s string) (PackageURL, error) {
	if len(s) > maxPURL {
		return PackageURL{}, invalid(s[:64]+"…", fmt.Sprintf("it is longer than %d bytes", maxPURL), nil)
	}
	lib, err := packageurl.FromString(s)
	if err != nil {
		return PackageURL{}, invalid(s, "it is no package URL", err)
	}
	p := PackageURL{lib.Type, lib.Namespace, lib.Name, lib.Version, lib.Qualifiers.Map(), lib.Subpath}
	if p, err = p.canonical(); err != nil {
		return PackageURL{}, invalid(s, "it is no package URL", err)
	}
	return p, nil
}

// String is the canonical text of a canonical p.
func (p PackageURL) String() string {
	ns, name := p.Namespace, p.Name
	if p.Type == gitType {
		// The name of a repository may hold slashes, which stay slashes; the library
		// would encode them.
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			ns, name = ns+"/"+name[:i], name[i+1:]
		}
	}
	q := make([]packageurl.Qualifier, 0, len(p.Qualifiers))
	for _, k := range slices.Sorted(maps.Keys(p.Qualifiers)) {
		q = append(q, packageurl.Qualifier{Key: k, Value: p.Qualifiers[k]})
	}
	return packageurl.NewPackageURL(p.Type, ns, name, p.Version, q, p.Subpath).ToString()
}

const gitType = "git"

// canonical checks and normalises the parts, by the library and by what it leaves out.
func (p PackageURL) canonical() (PackageURL, error) {
	lib := packageurl.NewPackageURL(p.Type, p.Namespace, p.Name, p.Version,
		packageurl.QualifiersFromMap(p.Qualifiers), p.Subpath)
	if err := lib.Normalize(); err != nil {
		return p, err
	}
	p = PackageURL{lib.Type, lib.Namespace, lib.Name, lib.Version, lib.Qualifiers.Map(), lib.Subpath}
	if p.Type == gitType {
		// purl-spec types/git: the host is the namespace, the rest is the name, both in
		// lower case. The library does not know the type yet.
		host, path, _ := strings.Cut(strings.ToLower(p.Namespace), "/")
		p.Namespace, p.Name = host, strings.Trim(path+"/"+strings.ToLower(p.Name), "/")
	}
	p.Namespace = withoutEmpty(p.Namespace)
	p.Subpath = withoutEmpty(p.Subpath)
	if p.Name == "" {
		return p, errors.New("purl is missing name")
	}
	return p, p.check()
}

// check refuses bytes that are no text, and subpaths that leave their place, also where
// the dots were encoded.
func (p PackageURL) check() error {
	for _, part := range append(slices.Collect(maps.Values(p.Qualifiers)), p.Namespace, p.Name, p.Version, p.Subpath) {
		if !utf8.ValidString(part) {
			return errors.New("it holds bytes that are not UTF-8")
		}
	}
	for s := range strings.SplitSeq(p.Subpath, "/") {
		if s == "." || s == ".." {
			return fmt.Errorf("subpath %q leaves its place", p.Subpath)
		}
	}
	return nil
}

func withoutEmpty(path string) string {
	parts := slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" })
	return strings.Join(parts, "/")
}
