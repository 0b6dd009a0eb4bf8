package sbom

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"verdict"
)

// NotConverted says what a document may hold that is not read, and so not written either.
const NotConverted = "not carried over, where it holds them: what depends on what, which component holds which, files, references, properties, evidence, " +
	"vulnerabilities, signatures, texts of licences, and digests other than SHA-256, SHA-384 and SHA-512"

// cdxTypes are the types of CycloneDX 1.6 for those of SPDX that are called otherwise.
var cdxTypes = map[string]string{"operating_system": "operating-system", "": "library"}

// WriteCycloneDX writes b as CycloneDX 1.6 JSON: the same b and source give the same
// bytes. source is the digest of the document that it was read from, and names the result
// where that has no name of its own. It gives what could not be carried over.
func (b *Bill) WriteCycloneDX(w io.Writer, source verdict.Digest, tool verdict.Tool) (left []string, err error) {
	c := cdxConversion{bill: b, known: licences{}, root: "subject"}
	for _, d := range b.Subject.Digests {
		if len(cdxHashes([]verdict.Digest{d})) == 0 { // no hash of CycloneDX: the reference says it
			c.root = string(d)
		}
	}
	c.refs = map[string]bool{c.root: true}
	j := newJSON(w)
	j.member("$schema", schemaBase+"bom-1.6.schema.json")
	j.member("bomFormat", "CycloneDX")
	j.member("specVersion", "1.6")
	j.member("serialNumber", c.serial(source))
	j.member("version", 1)
	j.member("metadata", struct {
		Tools      cdxTools      `json:"tools"`
		Component  cdxComponent  `json:"component"`
		Properties []cdxProperty `json:"properties"`
	}{
		cdxTools{[]cdxComponent{{Type: "application", Name: tool.Name, Version: tool.Version}}}, c.subject(),
		[]cdxProperty{{"verdict:source", string(source)}, {"verdict:source-form", b.Form + " " + b.Version}},
	})
	j.list("components", func(yield func(any) bool) {
		for i := range b.Components {
			if !yield(c.component(&b.Components[i], i)) {
				return
			}
		}
	})
	j.list("compositions", func(yield func(any) bool) {
		yield(cdxComposition{Aggregate: cmp.Or(b.Inventory, Unknown), Assemblies: []string{c.root}})
	})
	return append(c.left(), NotConverted), j.end()
}

// cdxConversion is one bill on its way.
type cdxConversion struct {
	bill     *Bill
	known    licences
	root     string // the reference to the subject
	refs     map[string]bool
	nameless int // components without a name
	retyped  int // components of a type that CycloneDX does not have
}

// counted is a number with what it counts.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (c *cdxConversion) left() (out []string) {
	if c.nameless > 0 {
		out = append(out, counted(c.nameless, "component has no name: it is", "components have no name: they are")+` called "unnamed"`)
	}
	if c.retyped > 0 {
		out = append(out, counted(c.retyped, "component is of a type that CycloneDX 1.6 does not have: it is", "components are of a type that CycloneDX 1.6 does not have: they are")+" called a library")
	}
	return out
}

// serial is the name that a document of CycloneDX has, else one that is derived from its
// bytes (a UUID of version 8).
func (c *cdxConversion) serial(source verdict.Digest) string {
	if c.bill.Form == "CycloneDX" && strings.HasPrefix(c.bill.Serial, "urn:uuid:") && serialNumber.MatchString(c.bill.Serial) {
		return c.bill.Serial
	}
	b, err := hex.DecodeString(source.Hex())
	if err != nil || len(b) < 16 {
		b = make([]byte, 16)
	}
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func (c *cdxConversion) subject() cdxComponent {
	s := c.bill.Subject
	out := cdxComponent{Type: "application", Ref: c.root, Name: cmp.Or(s.Name, "unnamed"), Version: s.Version, PURL: s.PURL, Hashes: cdxHashes(s.Digests)}
	if strings.HasPrefix(s.PURL, "pkg:oci/") || strings.HasPrefix(s.PURL, "pkg:docker/") {
		out.Type = "container"
	}
	for _, d := range s.Digests {
		out.Properties = append(out.Properties, cdxProperty{"verdict:subject", string(d)})
	}
	return out
}

func (c *cdxConversion) component(x *BillComponent, i int) cdxComponent {
	out := cdxComponent{
		Type: cmp.Or(cdxTypes[x.Type], x.Type), Name: x.Name, Version: cmp.Or(x.Version, x.Component.Version),
		PURL: cmp.Or(x.Component.PURL, x.Original), Hashes: cdxHashes(x.Digests),
	}
	if !cdxKinds[out.Type] {
		out.Type = "library"
		c.retyped++
	}
	if out.Name == "" {
		if out.Name = x.Component.Name; out.Name == "" {
			out.Name = "unnamed"
			c.nameless++
		}
	}
	if out.Ref = out.PURL; out.Ref == "" || c.refs[out.Ref] {
		out.Ref = fmt.Sprintf("component-%d", i+1)
	}
	c.refs[out.Ref] = true
	all := c.known.of(x.Licenses)
	if len(all) == 1 && all[0].expression != "" {
		out.Licenses = []any{cdxExpression{Expression: all[0].expression}}
		return out
	}
	for _, l := range all {
		out.Licenses = append(out.Licenses, cdxDeclared{cdxLicense{ID: l.id, Name: l.expression + l.name}})
	}
	return out
}

// cdxHashes are the digests that CycloneDX has a name for.
func cdxHashes(list []verdict.Digest) (out []cdxHash) {
	for _, d := range list {
		if bits, ok := strings.CutPrefix(d.Algorithm(), "sha"); ok && !slices.Contains(out, cdxHash{"SHA-" + bits, d.Hex()}) {
			out = append(out, cdxHash{"SHA-" + bits, d.Hex()})
		}
	}
	return out
}
