package decisionmap

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict"
)

// Builder is one way of building that an organisation knows: who signs what it states, and
// which level of SLSA's build track that is worth. Trust says who may state provenance at
// all; this says what it is worth, so that a signer gains no level by naming a better
// builder than the one that it is.
type Builder struct {
	Name string `json:"name"`
	// Key, or Identity with Issuer, signs its provenance, as in Trust.
	Key      string `json:"key,omitempty"`
	Identity string `json:"identity,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	// Builder is the builder's id in its provenance. A * stands for one part of it, such as
	// a version: see Trust.Identity.
	Builder string `json:"builder"`
	Level   int64  `json:"level"` // of SLSA's build track, 1 to 3
	// BuildTypes are those whose meaning the organisation knows, with * as in Builder.
	BuildTypes []string `json:"build_types"`
	// Sources are the repositories that it may build from, as addresses without .git, with *
	// as in Builder; none: the repository of the service alone.
	Sources []string `json:"sources"`
	// Parameters are the external parameters that a build may have; another one fails it.
	Parameters []string `json:"parameters"`
}

// Builder finds the entry that a signed provenance belongs to. Without one it says what of
// the provenance no entry fits.
func (m *Map) Builder(s Signer, id, buildType string) (b Builder, why string) {
	why = "the map names no builder"
	if len(m.Builders) > 0 {
		why = fmt.Sprintf("no entry of builders has the id %q", id)
	}
	for _, b := range m.Builders {
		switch {
		case !matchParts(b.Builder, id):
		case !b.signer().SignedBy(s):
			why = fmt.Sprintf("the builder %s signs otherwise than who signed this", b.Name)
		case !slices.ContainsFunc(b.BuildTypes, func(t string) bool { return matchParts(t, buildType) }):
			why = fmt.Sprintf("the builder %s is not known with the build type %q", b.Name, buildType)
		default:
			return b, ""
		}
	}
	return Builder{}, why
}

// Allows reports whether the builder's own list names the source.
func (b Builder) Allows(source string) bool {
	source = strings.TrimSuffix(strings.TrimSuffix(source, "/"), ".git")
	return slices.ContainsFunc(b.Sources, func(p string) bool { return matchParts(strings.TrimSuffix(p, ".git"), source) })
}

// signer is the builder as an entry of trust.
func (b Builder) signer() Trust { return Trust{Key: b.Key, Identity: b.Identity, Issuer: b.Issuer} }

const builderExample = "{name: release, identity: \"https://github.com/acme/*/.github/workflows/release.yml@refs/heads/main\", issuer: https://token.actions.githubusercontent.com, " +
	"builder: https://github.com/actions/runner/github-hosted, level: 2, build_types: [https://actions.github.io/buildtypes/workflow/v1], parameters: [workflow]}"

func (r *reader) builders(into *[]Builder) field {
	return func(n *yaml.Node, at string) {
		if n.Kind != yaml.SequenceNode || len(n.Content) > maxList {
			r.wrong(n, at, fmt.Sprintf("a list of at most %d builders", maxList), "["+builderExample+"]")
			return
		}
		r.said(n, at)
		out, lines := []Builder{}, map[string]int{}
		for i, item := range n.Content {
			var b Builder
			at, before := fmt.Sprintf("%s[%d]", at, i), len(r.faults)
			r.object(item, at, builderExample, map[string]field{
				"name": r.text(&b.Name, "release"), "key": r.text(&b.Key, "build-key"),
				"identity":    r.text(&b.Identity, "https://github.com/acme/*/.github/workflows/release.yml@refs/heads/main"),
				"issuer":      r.text(&b.Issuer, "https://token.actions.githubusercontent.com"),
				"builder":     r.text(&b.Builder, "https://github.com/actions/runner/github-hosted"),
				"level":       r.number(&b.Level, 1, 3, "2"),
				"build_types": r.words(&b.BuildTypes, "https://actions.github.io/buildtypes/workflow/v1"),
				"sources":     r.words(&b.Sources, "https://github.com/acme/*"),
				"parameters":  r.words(&b.Parameters, "workflow"),
			})
			if len(r.faults) > before {
				continue
			}
			r.builder(item, at, b)
			if line, dup := lines[b.Name]; dup {
				r.fail(item, fmt.Sprintf("%s has the name of the builder on line %d", at, line), "give each builder a name of its own")
			}
			lines[b.Name] = item.Line
			out = append(out, b)
		}
		*into = out
	}
}

// builder refuses an entry that would trust anybody, or says too little.
func (r *reader) builder(n *yaml.Node, at string, b Builder) {
	empty := func(pattern string) bool { return strings.Trim(pattern, "*/:@#.") == "" }
	switch {
	case b.Name == "":
		r.fail(n, at+" has no name", "add `name:`: decisions say by it who built")
	case (b.Key == "") == (b.Identity == ""):
		r.fail(n, at+" does not say who signs its provenance, or says it twice", "say key, or identity with issuer")
	case b.Identity != "" && (b.Issuer == "" || empty(b.Identity)):
		r.fail(n, at+" believes anybody at all", "name the identity and its `issuer:`; a * stands for one part of the identity")
	case b.Key != "" && b.Issuer != "":
		r.fail(n, at+" names an issuer beside a key", "take the issuer out: a key has none")
	case empty(b.Builder):
		r.fail(n, at+" does not say which builder it is", "add `builder:` with the id that stands in its provenance")
	case b.Level == 0:
		r.fail(n, at+" does not say its level", "add `level:` with 1, 2 or 3, as https://slsa.dev/spec/v1.2/build-track-basics describes them")
	case len(b.BuildTypes) == 0 || slices.ContainsFunc(b.BuildTypes, empty):
		r.fail(n, at+" does not say which build types it is known with", "add `build_types:`: what a parameter means hangs on the build type")
	case slices.ContainsFunc(b.Sources, empty):
		r.fail(n, at+" may build from anywhere", "name the repositories under `sources:`, or leave it out for the service's own")
	}
}

// builders compares the tables by the builders' names. One more builder and a higher level
// let more pass.
func (d *differ) builders(old, new []Builder) {
	byName := func(list []Builder) map[string]Builder {
		out := map[string]Builder{}
		for _, b := range list {
			out[b.Name] = b
		}
		return out
	}
	both(d, "builders", byName(old), byName(new), Loosens, Tightens, d.builder)
	stayed := func(list, other []Builder) (names []string) {
		for _, b := range list {
			if _, both := byName(other)[b.Name]; both {
				names = append(names, b.Name)
			}
		}
		return names
	}
	if !slices.Equal(stayed(old, new), stayed(new, old)) {
		d.add("builders", Changes, "", "", "builders: the order is another, and the first that fits counts")
	}
}

func (d *differ) builder(path string, a, b Builder) {
	d.text(path+".name", a.Name, b.Name, Changes)
	d.text(path+".key", a.Key, b.Key, Changes)
	d.text(path+".identity", a.Identity, b.Identity, Changes)
	d.text(path+".issuer", a.Issuer, b.Issuer, Changes)
	d.text(path+".builder", a.Builder, b.Builder, Changes)
	d.number(path+".level", -a.Level, -b.Level)
	d.words(path+".build_types", a.BuildTypes, b.BuildTypes, Loosens)
	if (len(a.Sources) == 0) != (len(b.Sources) == 0) { // none stands for the service's own
		d.text(path+".sources", strings.Join(a.Sources, ", "), strings.Join(b.Sources, ", "), Changes)
	} else {
		d.words(path+".sources", a.Sources, b.Sources, Loosens)
	}
	d.words(path+".parameters", a.Parameters, b.Parameters, Loosens)
}

func buildersTrusted(l *linter) { // VD-T03
	for _, p := range l.Points {
		if len(l.Builders) == 0 && p.Layer == verdict.LayerArtifact && acts(p) && p.needs(string(verdict.KindProvenance)) {
			l.found(at(p, "needs"), p.ID+" needs provenance, and the map knows no builder: nothing can be trusted", "name who builds under `builders:`, as `verdict help builders` shows")
		}
	}
	for i, b := range l.Builders {
		trusted := slices.ContainsFunc(l.Trust, func(t Trust) bool {
			return listed(t.Kinds, string(verdict.KindProvenance)) && (t.sameSigner(b.signer()) || t.SignedBy(Signer{Key: b.Key, KeyName: b.Key, Identity: b.Identity, Issuer: b.Issuer}))
		})
		if !trusted {
			l.found(fmt.Sprintf("builders[%d]", i), fmt.Sprintf("the builder %s is known, and nobody trusts %s with provenance: what it states counts as absent", b.Name, cmp.Or(b.Key, b.Identity)),
				"add the same signer under `trust:` with the kind provenance")
		}
	}
}
