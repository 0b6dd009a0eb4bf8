package advisory

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/osv-scalibr/semantic"
)

// maxVersion bounds a version, in bytes.
const maxVersion = 256

// ErrVersion says that a version, of a component or of an advisory's range, has no
// place in the order of its ecosystem. Whether the component is affected is unknown.
var ErrVersion = errors.New("the version cannot be ordered")

// order places versions of one ecosystem. The library takes any text for a version;
// what is no version must not compare, so the syntax is checked before.
type order struct {
	ecosystem string // as the library names it
	valid     func(string) (string, bool)
}

// semverOrder is the order of ranges of type SEMVER in whatever ecosystem.
var semverOrder = order{"npm", validSemver}

// orderOf gives the order of an ecosystem; that of a package of Go's own distribution
// also knows the forms of the go command.
func orderOf(ecosystem, name string) order {
	switch base := baseOf(ecosystem); base {
	case "Go":
		if name == "stdlib" || name == "toolchain" {
			return order{base, validToolchain}
		}
		return order{base, validSemver}
	case "GitHub Actions": // tags by semver; the library has no order of its own for them
		return semverOrder
	case "npm", "crates.io", "Hex", "Pub", "SwiftURL", "Julia", "Bitnami", "GHC":
		return order{base, validSemver}
	case "Maven":
		return order{base, validMaven}
	case "Azure Linux", "Photon OS": // packages of rpm, in an order that the library knows by another name
		return order{"Red Hat", validGeneric}
	default:
		return order{base, validGeneric}
	}
}

// isSemver reports whether ranges of type SEMVER are in this order anyway.
func (o order) isSemver() bool {
	switch o.ecosystem {
	case "Go", "npm", "crates.io", "Hex", "Pub", "SwiftURL", "Julia", "Bitnami", "GHC":
		return true
	}
	return false
}

// parse gives the place of a version, or ErrVersion.
func (o order) parse(version string) (semantic.Version, error) {
	s, ok := version, len(version) > 0 && len(version) <= maxVersion
	if ok {
		s, ok = o.valid(version)
	}
	if !ok {
		return nil, fmt.Errorf("%.64q in %s: %w", version, o.ecosystem, ErrVersion)
	}
	v, err := semantic.Parse(s, o.ecosystem)
	if err == nil && o.ecosystem == "PyPI" {
		// What is no PEP 440 version the library sorts below all that are.
		if c, e := v.Compare(lowestPyPI()); e != nil || c < 0 {
			err = errors.New("not by PEP 440")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%.64q in %s: %w: %w", version, o.ecosystem, ErrVersion, err)
	}
	return v, nil
}

var lowestPyPI = sync.OnceValue(func() semantic.Version { return semantic.MustParse("0.dev0", "PyPI") })

// validSemver takes semver 2.0 with one to three numbers and an optional v. The library
// would read a fourth number as a pre-release.
func validSemver(s string) (string, bool) {
	s = strings.TrimPrefix(s, "v")
	rest, build, hasBuild := strings.Cut(s, "+")
	core, pre, hasPre := strings.Cut(rest, "-")
	numbers := strings.Split(core, ".")
	short := len(numbers) < 3 && (hasPre || hasBuild) // 1.0-rc.1 is no semver, and tools disagree about it
	if short || len(numbers) > 3 || hasPre && !identifiers(pre) || hasBuild && !identifiers(build) {
		return s, false
	}
	for _, n := range numbers {
		if n == "" || strings.Trim(n, "0123456789") != "" {
			return s, false
		}
	}
	return s, true
}

func identifiers(s string) bool {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" || strings.IndexFunc(id, func(r rune) bool { return !alphanumeric(r) && r != '-' }) >= 0 {
			return false
		}
	}
	return true
}

func alphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// validToolchain reads go1.21rc2 as 1.21.0-rc.2, the form of the Go vulnerability
// database; what follows a space are settings of the build.
func validToolchain(s string) (string, bool) {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "go"), " ")
	if v, ok := validSemver(s); ok {
		return v, true
	}
	for _, word := range []string{"rc", "beta"} {
		if core, n, ok := strings.Cut(s, word); ok && n != "" && strings.Trim(n, "0123456789") == "" {
			if strings.Count(core, ".") == 1 {
				core += ".0"
			}
			return validSemver(core + "-" + word + "." + n)
		}
	}
	return s, false
}

// validMaven refuses what a pom holds in place of a version: properties, ranges and the
// words that mean whatever is newest.
func validMaven(s string) (string, bool) {
	if s == "LATEST" || s == "RELEASE" || !alphanumeric(rune(s[0])) {
		return s, false
	}
	return s, strings.IndexFunc(s, func(r rune) bool { return !alphanumeric(r) && !strings.ContainsRune("._-+", r) }) < 0
}

// validGeneric takes what starts with a number, after an optional v, and holds no
// spaces; the library checks the rest where its parser of the ecosystem does.
func validGeneric(s string) (string, bool) {
	core := strings.TrimPrefix(s, "v")
	if core == "" || core[0] < '0' || core[0] > '9' {
		return s, false
	}
	return s, strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
