package sbom

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"verdict"
)

// cycloneDXVersions are the versions that are read. 1.0 and 1.1 have no JSON.
var cycloneDXVersions = []string{"1.2", "1.3", "1.4", "1.5", "1.6", "1.7"}

// cdxItem is what is read of a component, whatever it was written in.
type cdxItem struct {
	kind, ref, group, name, version, purl string
	hashes                                []cdxHash
	licenses                              []string
}

// cdxPlan is one composition: what it says of which components.
type cdxPlan struct {
	aggregate    string
	assemblies   []string
	dependencies bool // it speaks of what components bring in
}

// cycloneDX reads a document, and holds it to its schema where that is asked for.
func (r *billReader) cycloneDX(d *jsonDocument) error {
	version := d.text("specVersion")
	if d.text("bomFormat") != "CycloneDX" || !slices.Contains(cycloneDXVersions, version) {
		return cycloneDXVersion(d.text("bomFormat"), version)
	}
	r.bill.Form, r.bill.Version, r.bill.Serial, r.bill.Inventory = "CycloneDX", version, cut(d.text("serialNumber"), maxBillText), Unknown
	top, err := r.ruled(cycloneDXSchemas[version], d)
	if err != nil {
		return err
	}
	for name, kind := range map[string]byte{"components": '[', "compositions": '[', "metadata": '{'} {
		if k := d.kind(name); k != 0 && k != kind {
			return notByTheSchema("its member " + name + " holds another kind of value")
		}
	}
	var plans []cdxPlan
	err = d.walk(top, func(name string, t *jsonTree, n node) error {
		switch name {
		case "metadata":
			if c := t.get(n, "component"); c != 0 {
				r.cdxSubject(t.cdxItem(c))
				return t.each(c, "components", func(k node) error { return r.cdxItems(t, k) })
			}
		case "components":
			return r.cdxItems(t, n)
		case "compositions":
			plans = append(plans, cdxPlan{t.text(n, "aggregate"), t.texts(n, "assemblies"), t.get(n, "dependencies") != 0})
		}
		return nil
	})
	if err == nil {
		r.bill.Inventory = inventoryOf(plans, r.root)
	}
	return err
}

func cycloneDXVersion(form, version string) error {
	return billInvalid(fmt.Sprintf("it says the form %q in the version %q", cut(form, 50), cut(version, 50)),
		"write it as CycloneDX "+cycloneDXVersions[0]+" to "+cycloneDXVersions[len(cycloneDXVersions)-1])
}

// cdxItems takes a component with those that it holds.
func (r *billReader) cdxItems(t *jsonTree, n node) error {
	if t.nodes[n].kind != '{' {
		return notByTheSchema("one of its components is no object")
	}
	if err := r.cdxItem(t.cdxItem(n)); err != nil {
		return err
	}
	return t.each(n, "components", func(k node) error { return r.cdxItems(t, k) })
}

// cdxItem reads a component in JSON.
func (t *jsonTree) cdxItem(n node) cdxItem {
	c := cdxItem{
		kind: t.text(n, "type"), ref: t.text(n, "bom-ref"), group: t.text(n, "group"),
		name: t.text(n, "name"), version: t.text(n, "version"), purl: t.text(n, "purl"),
	}
	_ = t.each(n, "hashes", func(k node) error {
		c.hashes = append(c.hashes, cdxHash{t.text(k, "alg"), t.text(k, "content")})
		return nil
	})
	_ = t.each(n, "licenses", func(k node) error {
		l := t.get(k, "license")
		c.licenses = append(c.licenses, t.text(k, "expression"))
		if l != 0 {
			c.licenses = append(c.licenses, t.text(l, "id"), t.text(l, "name"))
		}
		return nil
	})
	return c
}

// cdxItem takes one component.
func (r *billReader) cdxItem(c cdxItem) error {
	r.refer(c.ref)
	out := BillComponent{Original: c.purl, Name: c.fullName(), Version: c.version, Type: c.kind, Licenses: licenceTexts(c.licenses)}
	for _, h := range c.hashes {
		out.Digests = digestsOf(h.Algorithm, h.Content, out.Digests)
	}
	return r.add(out)
}

func (c *cdxItem) fullName() string {
	if c.group == "" {
		return c.name
	}
	return c.group + "/" + c.name
}

// cdxSubject takes what the document is about, with every digest that it gives it: as
// hashes, as the version of an image, in its package URL, or as the reference to it.
func (r *billReader) cdxSubject(c cdxItem) {
	r.refer(c.ref)
	r.root = c.ref
	s := BillSubject{Name: cut(c.fullName(), maxBillText), Version: cut(c.version, maxBillText), PURL: cut(c.purl, maxBillText)}
	for _, h := range c.hashes {
		s.Digests = digestsOf(h.Algorithm, h.Content, s.Digests)
	}
	for _, text := range []string{c.version, c.ref, c.name[strings.LastIndexByte(c.name, '@')+1:]} {
		s.names(text)
	}
	s.namedIn(c.purl)
	s.namedIn(c.ref)
	r.bill.Subject = s
}

// names takes a text that is a digest.
func (s *BillSubject) names(text string) {
	if d, err := verdict.ParseDigest(text); err == nil {
		s.Digests = append(s.Digests, d)
	}
}

// namedIn takes the version of a package URL that is a digest, as those of images are.
func (s *BillSubject) namedIn(purl string) {
	if !strings.HasPrefix(purl, "pkg:") {
		return
	}
	if p, err := ParsePURL(purl); err == nil {
		s.names(p.Version)
	}
}

func licenceTexts(list []string) (out []string) {
	for _, text := range list {
		if text = strings.TrimSpace(text); text != "" && len(out) < maxBillLicences {
			out = append(out, cut(text, maxLicence))
		}
	}
	return out
}

// inventoryOf says how complete a document calls what it lists of its subject. What it
// says of other components says nothing of the whole, but that one of them lacks
// something. Of several words the worse counts.
func inventoryOf(list []cdxPlan, root string) Completeness {
	said := map[Completeness]bool{}
	for _, c := range list {
		whole := root != "" && slices.Contains(c.assemblies, root)
		switch {
		case strings.HasPrefix(c.aggregate, "incomplete"):
			if whole || !c.dependencies || len(c.assemblies) > 0 {
				said[Incomplete] = true
			}
		case whole && c.aggregate == string(Complete):
			said[Complete] = true
		case whole:
			said[Unknown] = true
		}
	}
	switch {
	case said[Incomplete]:
		return Incomplete
	case said[Complete] && !said[Unknown]:
		return Complete
	}
	return Unknown
}

// hasMembers judges the outermost object by itself: what it lacks, and what it has that
// the schema does not know.
func (d *jsonDocument) hasMembers(top *rule) error {
	for _, name := range top.required {
		if !slices.ContainsFunc(d.members, func(m jsonMember) bool { return m.name == name }) {
			return notByTheSchema("it lacks the member " + strconv.Quote(name))
		}
	}
	for _, m := range d.members {
		if top.closed && top.members[m.name] == nil {
			return notByTheSchema("it has a member " + strconv.Quote(cut(m.name, 64)) + ", which its version does not know")
		}
	}
	return nil
}

func notByTheSchema(what string) error {
	return billInvalid("it does not hold the schema of its version: "+what, "let the tool that wrote it write what the specification says, or a newer version of that tool")
}
