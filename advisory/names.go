package advisory

import (
	"strings"
)

// baseOf is the ecosystem without its release: "Debian" for "Debian:12".
func baseOf(ecosystem string) string {
	b, _, _ := strings.Cut(ecosystem, ":")
	return b
}

// normalName folds the spellings of one package into one. Ecosystems whose registries
// refuse a second name that differs by case only are folded, because tools and package
// URLs disagree about case there; the others are taken as they are.
func normalName(ecosystem, name string) string {
	switch baseOf(ecosystem) {
	case "PyPI": // PEP 503
		return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
			return r == '-' || r == '_' || r == '.'
		}), "-")
	case "crates.io":
		return strings.ReplaceAll(strings.ToLower(name), "_", "-")
	case "Go", "NuGet", "Packagist", "GitHub Actions", "Hex", "Pub", "SwiftURL":
		return strings.ToLower(name)
	}
	return name
}

// keyOf is what the index is sorted by (through its hash): ecosystem and normalised name.
func keyOf(ecosystem, name string) string {
	return ecosystem + "\x00" + normalName(ecosystem, name)
}
