package sbom

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"verdict"
)

var spdx2Versions = []string{"SPDX-2.2", "SPDX-2.3"}

// spdxItem is what is read of a package, whatever it was written in.
type spdxItem struct {
	id, name, version, purpose, comment string
	declared, concluded                 string
	purls                               []string
	checksums                           []cdxHash
}

// spdxGathered is what has to be known whole before a document of SPDX can be told.
type spdxGathered struct {
	places    map[string]int            // of the packages among the components, by id
	described []string                  // ids, in the order of the document
	digests   map[string]verdict.Digest // that stand where words about a package do
	files     int
	several   int // packages with more than one package URL
}

// spdxVersion takes the version that a document of SPDX 2 says.
func (r *billReader) spdxVersion(said string) error {
	if !slices.Contains(spdx2Versions, said) {
		return billInvalid(fmt.Sprintf("it says the version %q of SPDX", cut(said, 50)), "write it as SPDX 2.2, 2.3 or 3.0.1")
	}
	r.bill.Form, r.bill.Version, r.bill.Inventory = "SPDX", strings.TrimPrefix(said, "SPDX-"), Unknown
	return nil
}

// spdxItem takes one package.
func (r *billReader) spdxItem(p spdxItem) error {
	g := &r.spdx
	if g.places == nil {
		g.places, g.digests = map[string]int{}, map[string]verdict.Digest{}
	}
	r.refer(p.id)
	if d, err := verdict.ParseDigest(p.comment); err == nil {
		g.digests[p.id] = d
	}
	c := BillComponent{Name: p.name, Version: p.version, Type: strings.ToLower(cut(p.purpose, 50))}
	if len(p.purls) > 0 {
		c.Original = p.purls[0]
	}
	if len(p.purls) > 1 {
		g.several++
	}
	for _, h := range p.checksums {
		c.Digests = digestsOf(h.Algorithm, h.Content, c.Digests)
	}
	for _, l := range []string{p.declared, p.concluded} {
		if l != "NOASSERTION" && l != "NONE" && !slices.Contains(c.Licenses, l) {
			c.Licenses = append(c.Licenses, licenceTexts([]string{l})...)
		}
	}
	g.places[p.id] = len(r.bill.Components)
	return r.add(c)
}

// spdxRelated takes one relationship: only what the document describes matters here.
func (r *billReader) spdxRelated(from, kind, to string) {
	switch {
	case kind == "DESCRIBES" && from == spdxDocument:
		r.spdxDescribes(to)
	case kind == "DESCRIBED_BY" && to == spdxDocument:
		r.spdxDescribes(from)
	}
}

func (r *billReader) spdxDescribes(id string) {
	if !slices.Contains(r.spdx.described, id) && len(r.spdx.described) < maxBillRoots {
		r.spdx.described = append(r.spdx.described, id)
	}
}

// maxBillRoots is how many things one document is taken to describe.
const maxBillRoots = 100

// spdxSubjects takes what the document describes out of its components: that is what it is
// the bill of. Where it describes several things, each is a component of something that has
// no name but the document's.
func (r *billReader) spdxSubjects(name string) {
	g, b := &r.spdx, &r.bill
	b.Subject.Name = cut(name, maxBillText)
	var roots []int
	for _, id := range g.described {
		if i, ok := g.places[id]; ok && !slices.Contains(roots, i) {
			roots = append(roots, i)
			b.Subject.describes(b.Components[i])
			if d := g.digests[id]; d != "" {
				b.Subject.Digests = append(b.Subject.Digests, d)
			}
		}
	}
	switch {
	case len(roots) == 1:
		c := b.Components[roots[0]]
		b.Subject.Name, b.Subject.Version, b.Subject.PURL = c.Name, c.Version, c.Original
		b.Components = slices.Delete(b.Components, roots[0], roots[0]+1)
	case len(roots) > 1:
		r.remark("it describes %d packages: all of them count as components", len(roots))
	case len(g.described) == 0 && len(b.Components) > 0:
		r.remark("it does not say what it describes")
	}
	if g.several > 0 {
		r.remark("%s more than one package URL: the first is read", counted(g.several, "of its packages has", "of its packages have"))
	}
	if g.files > 0 {
		r.remark("%s here", counted(g.files, "file is listed, which is no component", "files are listed, which are no components"))
	}
}

// describes adds the digests that a package of SPDX has.
func (s *BillSubject) describes(c BillComponent) {
	s.Digests = append(s.Digests, c.Digests...)
	s.names(c.Version)
	s.names(c.Name[strings.LastIndexByte(c.Name, '@')+1:])
	s.namedIn(c.Original)
}

// spdx2 reads SPDX 2.2 and 2.3 in JSON.
func (r *billReader) spdx2(d *jsonDocument) error {
	if err := r.spdxVersion(d.text("spdxVersion")); err != nil {
		return err
	}
	r.bill.Serial = cut(d.text("documentNamespace"), maxBillText)
	for name, kind := range map[string]byte{"packages": '[', "relationships": '[', "documentDescribes": '['} {
		if k := d.kind(name); k != 0 && k != kind {
			return notByTheSchema("its member " + name + " holds another kind of value")
		}
	}
	top, err := r.ruled(spdx2Schema, d)
	if err != nil {
		return err
	}
	err = d.walk(top, func(name string, t *jsonTree, n node) error {
		switch name {
		case "packages":
			if t.nodes[n].kind != '{' {
				return notByTheSchema("one of its packages is no object")
			}
			return r.spdxItem(t.spdxItem(n))
		case "files":
			r.spdx.files++
		case "relationships":
			r.spdxRelated(t.text(n, "spdxElementId"), t.text(n, "relationshipType"), t.text(n, "relatedSpdxElement"))
		case "documentDescribes":
			r.spdxDescribes(string(t.nodes[n].text))
		}
		return nil
	})
	if err == nil {
		r.spdxSubjects(d.text("name"))
	}
	return err
}

func (t *jsonTree) spdxItem(n node) spdxItem {
	p := spdxItem{
		id: t.text(n, "SPDXID"), name: t.text(n, "name"), version: t.text(n, "versionInfo"), purpose: t.text(n, "primaryPackagePurpose"),
		comment: t.text(n, "comment"), declared: t.text(n, "licenseDeclared"), concluded: t.text(n, "licenseConcluded"),
	}
	_ = t.each(n, "checksums", func(k node) error {
		p.checksums = append(p.checksums, cdxHash{t.text(k, "algorithm"), t.text(k, "checksumValue")})
		return nil
	})
	_ = t.each(n, "externalRefs", func(k node) error {
		if t.text(k, "referenceType") == "purl" {
			p.purls = append(p.purls, t.text(k, "referenceLocator"))
		}
		return nil
	})
	return p
}

// spdx3 reads SPDX 3.0.1 as JSON-LD: its elements stand in any order, and refer to each
// other by their ids. What the context renames is not followed: it has to be the published
// one.
func (r *billReader) spdx3(d *jsonDocument) error {
	if c := d.text("@context"); !strings.HasPrefix(c, "https://spdx.org/rdf/3.0.1/") {
		return billInvalid(fmt.Sprintf("its @context is %q", cut(c, 100)), "write it as SPDX 3.0.1: @context https://spdx.org/rdf/3.0.1/spdx-context.jsonld")
	}
	if d.kind("@graph") != '[' {
		return notByTheSchema("its @graph is no list")
	}
	r.bill.Form, r.bill.Version, r.bill.Inventory = "SPDX", "3.0.1", Unknown
	top, err := r.ruled(spdx3Schema, d)
	if err != nil {
		return err
	}
	g := spdx3Gathered{licences: map[string]string{}, roots: map[string][]string{}}
	err = d.walk(top, func(name string, t *jsonTree, n node) error {
		if name != "@graph" {
			return nil
		}
		return r.spdx3Element(&g, t, n)
	})
	if err != nil {
		return err
	}
	r.spdx3Joined(&g)
	return nil
}

// spdx3Gathered is what the elements of a graph say of each other.
type spdx3Gathered struct {
	name     string              // of the document
	document []string            // its roots
	roots    map[string][]string // of bills and bundles, by their id
	licences map[string]string   // expressions, by the id of their element
	licensed [][2]string         // package and licence
	wholes   [][2]string         // package, and how complete its relationship is
}

func (r *billReader) spdx3Element(g *spdx3Gathered, t *jsonTree, n node) error {
	id := t.text(n, "spdxId")
	switch kind := t.text(n, "type"); kind {
	case "software_Package":
		return r.spdxItem(t.spdx3Item(n))
	case "software_File":
		r.spdx.files++
	case "SpdxDocument":
		r.bill.Serial, g.name, g.document = cut(id, maxBillText), t.text(n, "name"), append(g.document, t.texts(n, "rootElement")...)
	case "software_Sbom", "Bom", "Bundle":
		g.roots[id] = t.texts(n, "rootElement")
	case "simplelicensing_LicenseExpression":
		g.licences[id] = t.text(n, "simplelicensing_licenseExpression")
	case "Relationship", "LifecycleScopedRelationship":
		from := t.text(n, "from")
		switch t.text(n, "relationshipType") {
		case "hasDeclaredLicense", "hasConcludedLicense":
			for _, to := range t.texts(n, "to") {
				g.licensed = append(g.licensed, [2]string{from, to})
			}
		case "contains", "dependsOn":
			if whole := t.text(n, "completeness"); whole != "" {
				g.wholes = append(g.wholes, [2]string{from, whole})
			}
		}
	}
	return nil
}

func (t *jsonTree) spdx3Item(n node) spdxItem {
	p := spdxItem{
		id: t.text(n, "spdxId"), name: t.text(n, "name"), version: t.text(n, "software_packageVersion"),
		purpose: t.text(n, "software_primaryPurpose"), comment: t.text(n, "comment"),
	}
	purl := func(s string) {
		if s != "" && !slices.Contains(p.purls, s) {
			p.purls = append(p.purls, s)
		}
	}
	purl(t.text(n, "software_packageUrl"))
	_ = t.each(n, "externalIdentifier", func(k node) error {
		if t.text(k, "externalIdentifierType") == "packageUrl" {
			purl(t.text(k, "identifier"))
		}
		return nil
	})
	_ = t.each(n, "verifiedUsing", func(k node) error {
		p.checksums = append(p.checksums, cdxHash{t.text(k, "algorithm"), t.text(k, "hashValue")})
		return nil
	})
	return p
}

// spdx3Joined puts together what was said in any order.
func (r *billReader) spdx3Joined(g *spdx3Gathered) {
	for _, l := range g.licensed {
		i, ok := r.spdx.places[l[0]]
		if text := licenceTexts([]string{g.licences[l[1]]}); ok && len(text) > 0 {
			if c := &r.bill.Components[i]; !slices.Contains(c.Licenses, text[0]) && len(c.Licenses) < maxBillLicences {
				c.Licenses = append(c.Licenses, text[0])
			}
		}
	}
	for _, root := range g.document {
		inner, bill := g.roots[root]
		if !bill {
			inner = []string{root}
		}
		for _, id := range inner {
			r.spdxDescribes(id)
		}
	}
	if len(g.document) == 0 {
		for _, id := range slices.Sorted(maps.Keys(g.roots)) {
			for _, inner := range g.roots[id] {
				r.spdxDescribes(inner)
			}
		}
	}
	var plans []cdxPlan
	for _, w := range g.wholes {
		aggregate := cmp.Or(map[string]string{"noAssertion": string(Unknown)}[w[1]], w[1])
		plans = append(plans, cdxPlan{aggregate: aggregate, assemblies: []string{w[0]}})
	}
	if len(r.spdx.described) == 1 {
		r.bill.Inventory = inventoryOf(plans, r.spdx.described[0])
	}
	r.spdxSubjects(g.name)
}
