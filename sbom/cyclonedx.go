package sbom

import (
	"io"
	"iter"
	"strings"
	"time"

	"verdict"
)

// The parts of a CycloneDX 1.6 document, as far as we write them.
type (
	cdxComponent struct {
		Type       string        `json:"type"`
		Ref        string        `json:"bom-ref,omitempty"`
		Group      string        `json:"group,omitempty"`
		Name       string        `json:"name"`
		Version    string        `json:"version,omitempty"`
		Scope      string        `json:"scope,omitempty"`
		Hashes     []cdxHash     `json:"hashes,omitempty"`
		Licenses   []any         `json:"licenses,omitempty"`
		PURL       string        `json:"purl,omitempty"`
		References []cdxLink     `json:"externalReferences,omitempty"`
		Properties []cdxProperty `json:"properties,omitempty"`
		Evidence   *cdxEvidence  `json:"evidence,omitempty"`
	}
	cdxHash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	cdxLink struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	}
	cdxProperty struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	cdxEvidence struct {
		Occurrences []cdxOccurrence `json:"occurrences"`
	}
	cdxOccurrence struct {
		Location string `json:"location"`
		Line     int64  `json:"line,omitempty"`
	}
	// cdxDeclared is a licence in a list of them, cdxExpression one that stands alone.
	cdxDeclared struct {
		License cdxLicense `json:"license"`
	}
	cdxLicense struct {
		ID              string `json:"id,omitempty"`
		Name            string `json:"name,omitempty"`
		Acknowledgement string `json:"acknowledgement,omitempty"`
	}
	cdxExpression struct {
		Expression      string `json:"expression"`
		Acknowledgement string `json:"acknowledgement,omitempty"`
	}
	cdxMetadata struct {
		Timestamp  string        `json:"timestamp,omitempty"`
		Lifecycles []cdxPhase    `json:"lifecycles"`
		Tools      cdxTools      `json:"tools"`
		Component  cdxComponent  `json:"component"`
		Properties []cdxProperty `json:"properties"`
	}
	cdxPhase struct {
		Phase string `json:"phase"`
	}
	cdxTools struct {
		Components []cdxComponent `json:"components"`
	}
	cdxDependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
	cdxComposition struct {
		Aggregate    Completeness `json:"aggregate"`
		Assemblies   []string     `json:"assemblies,omitempty"`
		Dependencies []string     `json:"dependencies,omitempty"`
	}
)

// declared says that a licence is what the maker of a component states, and not what
// anybody found in it.
const declared = "declared"

// WriteCycloneDX writes d as CycloneDX 1.6 JSON. The same d gives the same bytes.
func (d *Document) WriteCycloneDX(w io.Writer) error {
	all, err := d.entries()
	if err != nil {
		return err
	}
	known := licences{}
	j := newJSON(w)
	j.member("$schema", schemaBase+"bom-1.6.schema.json")
	j.member("bomFormat", "CycloneDX")
	j.member("specVersion", "1.6")
	j.member("serialNumber", "urn:uuid:"+d.uuid())
	j.member("version", 1)
	j.member("metadata", d.cdxMetadata())
	j.list("components", func(yield func(any) bool) {
		for i := range all {
			if !yield(all[i].cdx(known)) {
				return
			}
		}
	})
	j.list("dependencies", d.cdxGraph(all))
	j.list("compositions", d.cdxCompositions(all))
	return j.end()
}

func (d *Document) cdxMetadata() cdxMetadata {
	m := cdxMetadata{
		Lifecycles: []cdxPhase{{"pre-build"}}, // what a tree asks for, not what a build took
		Tools:      cdxTools{[]cdxComponent{{Type: "application", Name: d.Tool.Name, Version: d.Tool.Version}}},
		Component:  cdxComponent{Type: "application", Ref: d.ref(), Name: d.name(), Version: d.version()},
		Properties: []cdxProperty{{"verdict:subject", string(d.Subject.Digest)}},
	}
	if d.Subject.Kind == verdict.SubjectArtifact {
		m.Lifecycles = []cdxPhase{{"post-build"}} // what is in it
		m.Component.Type = "container"
		for _, x := range append([]verdict.Digest{d.Subject.Digest}, d.Subject.Also...) {
			if alg := map[string]string{"sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}[x.Algorithm()]; alg != "" {
				m.Component.Hashes = append(m.Component.Hashes, cdxHash{alg, x.Hex()})
			}
		}
	}
	if !d.At.IsZero() {
		m.Timestamp = d.At.UTC().Format(time.RFC3339)
	}
	for _, also := range d.Subject.Also {
		m.Properties = append(m.Properties, cdxProperty{"verdict:subject", string(also)})
	}
	if d.uncommitted() {
		m.Properties = append(m.Properties, cdxProperty{"verdict:uncommitted", "true"})
	}
	for _, path := range d.Paths {
		m.Properties = append(m.Properties, cdxProperty{"verdict:path", path})
	}
	m.Properties = append(m.Properties, cdxProperty{"verdict:inventory", string(d.inventory())})
	for _, gap := range d.told() {
		m.Properties = append(m.Properties, cdxProperty{"verdict:open", gap})
	}
	return m
}

// cdx is the component in the words of CycloneDX.
func (e *entry) cdx(known licences) cdxComponent {
	c := cdxComponent{
		Type: "library", Ref: e.PURL, Name: e.Name, Version: e.Version, Scope: "required", PURL: e.PURL,
		Licenses: e.cdxLicenses(known), Properties: []cdxProperty{{"verdict:direct", "false"}},
	}
	c.Group, c.Name = e.split()
	if e.Development {
		c.Scope = "optional"
	}
	if e.Direct {
		c.Properties[0].Value = "true"
	}
	for _, h := range e.Hashes {
		c.Hashes = append(c.Hashes, cdxHash{h.Algorithm, h.Hex})
	}
	for _, sum := range e.Sums {
		c.Properties = append(c.Properties, cdxProperty{"verdict:go.sum", sum})
	}
	for _, from := range e.Origins {
		kind := "distribution"
		if strings.HasPrefix(from, "git+") {
			kind = "vcs"
		}
		c.References = append(c.References, cdxLink{kind, from})
	}
	if len(e.Occurrences) > 0 {
		c.Evidence = &cdxEvidence{}
		for _, o := range e.Occurrences {
			c.Evidence.Occurrences = append(c.Evidence.Occurrences, cdxOccurrence(o))
		}
	}
	return c
}

// split gives group and name where the ecosystem has groups: Maven's, and npm's scopes.
func (e *entry) split() (group, name string) {
	switch e.Ecosystem {
	case "Maven":
		if g, n, ok := strings.Cut(e.Name, ":"); ok {
			return g, n
		}
	case "npm":
		if g, n, ok := strings.Cut(e.Name, "/"); ok && strings.HasPrefix(g, "@") {
			return g, n
		}
	}
	return "", e.Name
}

// cdxLicenses is one expression alone, or a list of ids and names: both together are not
// allowed.
func (e *entry) cdxLicenses(known licences) []any {
	all := known.of(e.Licenses)
	if len(all) == 1 && all[0].expression != "" {
		return []any{cdxExpression{all[0].expression, declared}}
	}
	var out []any
	for _, l := range all {
		out = append(out, cdxDeclared{cdxLicense{ID: l.id, Name: l.expression + l.name, Acknowledgement: declared}})
	}
	return out
}

// cdxGraph declares what brings in what. An element without needs says that there are
// none, so what is not known is not declared: the compositions say so.
func (d *Document) cdxGraph(all []entry) iter.Seq[any] {
	return func(yield func(any) bool) {
		root := cdxDependency{Ref: d.ref(), DependsOn: direct(all)}
		if (len(root.DependsOn) > 0 || d.inventory() == Complete) && !yield(root) {
			return
		}
		for i := range all {
			e := &all[i]
			if e.needs != Unknown && !yield(cdxDependency{Ref: e.PURL, DependsOn: e.Needs}) {
				return
			}
		}
	}
}

func direct(all []entry) []string {
	var refs []string
	for i := range all {
		if all[i].Direct {
			refs = append(refs, all[i].PURL)
		}
	}
	return refs
}

// cdxCompositions says how complete the inventory is, and for which components the graph
// tells all that they bring in.
func (d *Document) cdxCompositions(all []entry) iter.Seq[any] {
	return func(yield func(any) bool) {
		if !yield(cdxComposition{Aggregate: d.inventory(), Assemblies: []string{d.ref()}, Dependencies: []string{d.ref()}}) {
			return
		}
		for _, degree := range []Completeness{Complete, Incomplete, Unknown} {
			c := cdxComposition{Aggregate: degree}
			for i := range all {
				if all[i].needs == degree {
					c.Dependencies = append(c.Dependencies, all[i].PURL)
				}
			}
			if len(c.Dependencies) > 0 && !yield(c) {
				return
			}
		}
	}
}
