package decisionmap

import (
	"encoding/base64"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"verdict"
)

// Modules says which modules infrastructure code may call. A map without it lets code call
// any.
type Modules struct {
	Approved []Module `json:"approved"`
	// From is the day from which another module blocks; until then it is told.
	From time.Time `json:"from,omitzero"`
}

// Module is one that is approved, with what says which content that is: a commit for one
// from git, else a digest. Source and Path exclude each other.
type Module struct {
	// Source is the address of its calls, as verdict.ModuleSource writes it.
	Source  string `json:"source,omitempty"`
	Version string `json:"version,omitempty"` // of a registry, exact
	Ref     string `json:"ref,omitempty"`     // commit of git, whole
	// Digest is h1:… over the files (golang.org/x/mod/sumdb/dirhash), or sha256:… as the
	// address of an OCI module or of an archive gives it.
	Digest string `json:"digest,omitempty"`
	// Path is a folder of a repository that holds a copy.
	Path string `json:"path,omitempty"`
	Note string `json:"note,omitempty"`
}

// content is everything of the entry but what people note about it.
func (m Module) content() Module {
	m.Note = ""
	return m
}

func (m Module) text() string {
	return strings.Join(strings.Fields(strings.Join([]string{m.Source, m.Path, m.Version, m.Ref, m.Digest}, " ")), " ")
}

const moduleExample = "{source: \"git::https://github.com/acme/terraform-net//vpc\", ref: 7c1f791efd61f326ed6102d564d1a65d1eceedf0}"

func (r *reader) modules(into **Modules) field {
	return func(n *yaml.Node, at string) {
		v := Modules{}
		if *into != nil {
			v = **into
		}
		r.object(n, at, "{approved: ["+moduleExample+"]}", map[string]field{
			"approved": r.approvedModules(&v.Approved),
			"from":     r.day(&v.From, time.UTC, "2027-02-01"),
		})
		*into = &v
	}
}

func (r *reader) approvedModules(into *[]Module) field {
	return func(n *yaml.Node, at string) {
		if n.Kind != yaml.SequenceNode || len(n.Content) > maxEntries {
			r.wrong(n, at, fmt.Sprintf("a list of at most %d modules", maxEntries), "["+moduleExample+"]")
			return
		}
		r.said(n, at)
		out, first := []Module{}, map[Module]int{}
		for i, item := range n.Content {
			var m Module
			at := fmt.Sprintf("%s[%d]", at, i)
			before := len(r.faults)
			r.object(item, at, moduleExample, map[string]field{
				"source": r.text(&m.Source, "git::https://github.com/acme/terraform-net//vpc"), "path": r.text(&m.Path, "modules/vendored/net"),
				"version": r.text(&m.Version, "5.1.2"), "ref": r.text(&m.Ref, "7c1f791efd61f326ed6102d564d1a65d1eceedf0"),
				"digest": r.text(&m.Digest, "h1:…"), "note": r.text(&m.Note, "reviewed in NET-12"),
			})
			if len(r.faults) > before {
				continue
			}
			r.approved(item, at, &m)
			if line, dup := first[m.content()]; dup {
				r.fail(item, fmt.Sprintf("%s approves what line %d approves", at, line), "keep one of the two")
				continue
			}
			first[m.content()] = item.Line
			out = append(out, m)
		}
		r.apart(n, at, out)
		*into = out
	}
}

// approved holds one entry to what its kind of source needs, and writes it in one spelling.
func (r *reader) approved(n *yaml.Node, at string, m *Module) {
	if (m.Source == "") == (m.Path == "") {
		r.fail(n, at+" says neither or both of source and path", "write source: with the address of the calls, or path: with the folder of a copy in the repository")
		return
	}
	if m.Path != "" {
		if m.Path == "." || m.Path != path.Clean(m.Path) || path.IsAbs(m.Path) || strings.ContainsAny(m.Path, `\:`) || m.Path == ".." || strings.HasPrefix(m.Path, "../") {
			r.fail(n, fmt.Sprintf("%s names %q, which is no folder inside of a repository", at, clip(m.Path)), "write it from the repository's root with slashes, like modules/vendored/net")
		}
		r.onlyModule(n, at, "a copy in the repository", m.Version, m.Ref)
		r.contentDigest(n, at, m.Digest, false)
		return
	}
	s, err := verdict.ParseModuleSource(m.Source)
	switch {
	case err != nil:
		r.fail(n, fmt.Sprintf("%s names the source %q: %v", at, clip(m.Source), err), "write the source as a call gives it, for example "+moduleExample)
		return
	case s.Kind == verdict.ModuleLocal:
		r.fail(n, fmt.Sprintf("%s names the source %q, which is a folder beside the call", at, clip(m.Source)), "write path: with the folder from the repository's root")
		return
	case s.Ref != "":
		r.fail(n, fmt.Sprintf("%s gives a version within its source (%s)", at, clip(s.Ref)), "take it out of the source, and write a commit of git as ref: and everything else as digest:")
		return
	}
	m.Source, m.Ref = s.String(), strings.ToLower(m.Ref)
	switch s.Kind {
	case verdict.ModuleGit:
		r.onlyModule(n, at, "a module from git", m.Version, m.Digest)
		if !verdict.IsCommit(m.Ref) {
			r.fail(n, fmt.Sprintf("%s has the ref %q, which is no commit: a tag or a branch holds other content tomorrow", at, clip(m.Ref)),
				"write all 40 or 64 digits of the commit; git ls-remote URL TAG prints them")
		}
	case verdict.ModuleRegistry:
		r.onlyModule(n, at, "a module of a registry", m.Ref, "")
		if !exactVersion.MatchString(m.Version) {
			r.fail(n, fmt.Sprintf("%s has the version %q, which is not exact", at, clip(m.Version)), "write all three numbers, like version: \"5.1.2\"")
		}
		r.contentDigest(n, at, m.Digest, false)
	default:
		r.onlyModule(n, at, "this source", m.Version, m.Ref)
		r.contentDigest(n, at, m.Digest, true)
	}
}

var exactVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)

// onlyModule refuses keys that say nothing about such a module: whoever wrote them expects
// that they are compared.
func (r *reader) onlyModule(n *yaml.Node, at, what string, others ...string) {
	if slices.ContainsFunc(others, func(s string) bool { return s != "" }) {
		r.fail(n, fmt.Sprintf("%s says more about %s than is compared", at, what),
			"give a module from git ref: alone, one of a registry version: and digest:, and every other digest: alone")
	}
}

// contentDigest holds a digest to its form.
func (r *reader) contentDigest(n *yaml.Node, at, digest string, addressed bool) {
	sum, files := strings.CutPrefix(digest, "h1:")
	raw, err := base64.StdEncoding.Strict().DecodeString(sum)
	hex, fixed := strings.CutPrefix(digest, "sha256:")
	switch {
	case files && err == nil && len(raw) == 32:
	case fixed && addressed && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == "":
	case fixed && !addressed:
		r.fail(n, at+" has a digest sha256:…, which only an address of OCI or of an archive can give", "write h1:…: verdict map module FOLDER prints it")
	default:
		r.fail(n, fmt.Sprintf("%s has the digest %q, which is none", at, clip(digest)), "verdict map module FOLDER prints the entry with its digest, h1: and 44 characters")
	}
}

// apart refuses copies within copies: of a file in both it could not be told which digest
// counts.
func (r *reader) apart(n *yaml.Node, at string, list []Module) {
	for _, inner := range list {
		for _, outer := range list {
			if outer.Path != "" && strings.HasPrefix(inner.Path, outer.Path+"/") {
				r.fail(n, fmt.Sprintf("%s has the folder %q, which lies in %q", at, clip(inner.Path), clip(outer.Path)), "keep one of the two")
				return
			}
		}
	}
}

func (d *differ) modules(a, b *Modules) {
	switch {
	case a == nil && b == nil:
		return
	case a == nil:
		d.add("modules", Tightens, "", fmt.Sprint(len(b.Approved)), "modules: only approved ones, instead of any")
		return
	case b == nil:
		d.add("modules", Loosens, fmt.Sprint(len(a.Approved)), "", "modules: any, instead of approved ones")
		return
	}
	const list = "modules.approved"
	for _, m := range a.Approved {
		switch i := slices.IndexFunc(b.Approved, func(o Module) bool { return o.content() == m.content() }); {
		case i < 0:
			d.add(list, withdrawn(m, b.Approved), m.text(), "", "approved: "+quoted(m.text())+" was taken out")
		case b.Approved[i].Note != m.Note:
			d.add(list, Changes, m.Note, b.Approved[i].Note, "approved: the note on "+quoted(m.text())+" is another")
		}
	}
	for _, m := range b.Approved {
		if !slices.ContainsFunc(a.Approved, func(o Module) bool { return o.content() == m.content() }) {
			d.add(list, opposite(withdrawn(m, a.Approved)), "", m.text(), "approved: "+quoted(m.text())+" was added")
		}
	}
	d.delay("modules.from", a.From, b.From)
}

// withdrawn is what it does to take an entry out where others stay. An entry lets one more
// module in, but the only one for a folder of the repository holds that to its digest.
func withdrawn(m Module, others []Module) Effect {
	if m.Path != "" && !slices.ContainsFunc(others, func(o Module) bool { return o.Path == m.Path }) {
		return Loosens
	}
	return Tightens
}
