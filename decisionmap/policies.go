package decisionmap

import (
	"io/fs"
	"strings"

	"verdict"
)

// Beside tells where the bundle lies that the map names beside itself: a folder or an
// archive, by its path from the folder of the map, and the digest that its rule files
// must have. It is false for the built-in bundle and for one that would have to be
// fetched. The path is empty where it leads elsewhere, and the digest where none is
// pinned: see VD-P02.
func (p Policies) Beside() (name string, pin verdict.Digest, ok bool) {
	name, digest := p.Bundle, ""
	if i := strings.LastIndex(name, "@"); i >= 0 {
		name, digest = name[:i], name[i+1:]
	}
	if p.elsewhere() || strings.Contains(name, ":") {
		return "", "", false
	}
	if pinned.MatchString(p.Bundle) {
		pin = verdict.Digest(digest)
	}
	if !fs.ValidPath(name) || name == "." || strings.Contains(name, `\`) {
		name = ""
	}
	return name, pin, true
}

// Wrong says what keeps a map from deciding by the bundle that it names; empty for a
// bundle that is named well, wherever it is.
func (p Policies) Wrong() []string {
	var why []string
	if p.elsewhere() {
		return nil
	}
	name, _, beside := p.Beside()
	signer := p.Verify.Key != "" || p.Verify.Issuer != "" && p.Verify.Subject != ""
	switch {
	case beside && name == "":
		why = append(why, "is no path from the folder of the map, without . and ..")
	case beside && p.Verify != (Verify{}):
		why = append(why, "lies beside the map, where no signature is looked for: who puts the map in force answers for both")
	case !beside && !signer:
		why = append(why, "names no signer")
	}
	if !pinned.MatchString(p.Bundle) {
		why = append(why, "is not pinned by a digest")
	}
	return why
}

// elsewhere reports whether the bundle is pinned by something else than the map.
func (p Policies) elsewhere() bool { return p.Bundle == BuiltinBundle || p.Bundle == ReleasedBundle }
