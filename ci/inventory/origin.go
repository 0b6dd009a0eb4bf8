package inventory

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// digestForms gives the digests that are taken over from lockfiles, by their word for
// each, and how many bytes each has.
var digestForms = map[string]struct {
	name string
	size int
}{
	"sha1": {"SHA-1", 20}, "sha256": {"SHA-256", 32}, "sha384": {"SHA-384", 48}, "sha512": {"SHA-512", 64},
}

// hashOf is a digest in the words of a bill of materials; false for an algorithm that is
// not taken, and for a digest of another length: a wrong hash is worse than none.
func hashOf(algorithm string, digest []byte) (Hash, bool) {
	form, known := digestForms[strings.ToLower(algorithm)]
	return Hash{Algorithm: form.name, Hex: hex.EncodeToString(digest)}, known && len(digest) == form.size
}

// hashOfHex is hashOf for a digest in hex; none for what is no such digest.
func hashOfHex(algorithm, digest string) []Hash {
	b, err := hex.DecodeString(digest)
	if h, ok := hashOf(algorithm, b); err == nil && ok {
		return []Hash{h}
	}
	return nil
}

// integrity reads npm's form of it: "sha512-<base64>", once or more with spaces between,
// each perhaps with options behind a question mark.
func integrity(s string) []Hash {
	var all []Hash
	for one := range strings.FieldsSeq(s) {
		one, _, _ = strings.Cut(one, "?")
		algorithm, text, _ := strings.Cut(one, "-")
		b, err := base64.StdEncoding.DecodeString(text)
		if h, ok := hashOf(algorithm, b); err == nil && ok && !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	return all
}

// homes are where an ecosystem keeps its packages unless somebody says otherwise. The
// names are put together, because no file may hold the host of a registry that
// something could be fetched from: these are compared with, and nothing else.
var homes = map[string][]string{
	EcosystemNPM:   {"https://registry." + "npmjs.org", "https://registry." + "yarnpkg.com"},
	EcosystemPyPI:  {"https://pypi.org", "https://files.pythonhosted.org"},
	EcosystemCargo: {"https://github.com/rust-lang/crates.io-index", "https://index.crates.io"},
	EcosystemGems:  {"https://rubygems.org", "http://rubygems.org"},
	EcosystemPub:   {"https://pub.dev", "https://pub.dartlang.org"},
}

// atHome reports whether an address lies at the ecosystem's own registry, to which anybody
// may publish.
func atHome(ecosystem, address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	text := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	return slices.ContainsFunc(homes[ecosystem], func(home string) bool { return text == home || strings.HasPrefix(text, home+"/") })
}

// maxOrigin bounds an address, in bytes.
const maxOrigin = 2048

var commitID = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// origin is an address without what may be a credential: no user, no query, and no
// fragment but a commit. It is empty for the ecosystem's own registry, and for what
// cannot be taken apart.
func origin(ecosystem, address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || len(address) > maxOrigin {
		return ""
	}
	clean := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if commitID.MatchString(u.Fragment) {
		clean.Fragment = u.Fragment
	}
	text := withoutCredentials(clean.String())
	for _, home := range homes[ecosystem] {
		if text == home || strings.HasPrefix(text, home+"/") {
			return ""
		}
	}
	return text
}
