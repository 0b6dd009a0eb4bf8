package sbom

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// cycloneDXSpace is what the namespaces of CycloneDX's XML begin with; the version follows.
const cycloneDXSpace = "http://cyclonedx.org/schema/bom/"

// xmlElements are the names of the elements that CycloneDX has, with the version that
// brought each.
var xmlElements = sync.OnceValue(func() map[string]string {
	text, err := forms.ReadFile("forms/cyclonedx-elements.txt")
	if err != nil { // it is part of the program
		panic(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			for _, name := range words[1:] {
				out[name] = words[0]
			}
		}
	}
	return out
})

// xmlReader is one pass over a document. It holds one component of the outermost list with
// all that is in it, and nothing else.
type xmlReader struct {
	r     *billReader
	in    *xml.Decoder
	open  []xmlFrame
	items []*xmlItem // the components that are open
	plans []cdxPlan
	hash  string         // the algorithm of the digest that is open
	odd   map[string]int // elements that the version does not have
}

// xmlFrame is an element that is open.
type xmlFrame struct {
	name string
	// listed: all elements around it are the document, its metadata, lists of components
	// or components. What stands elsewhere, as an ancestor or a tool, is no part of the
	// subject.
	listed bool
	text   []byte
}

// xmlItem is a component with those that it holds.
type xmlItem struct {
	cdxItem
	inner []*xmlItem
	main  bool // the subject of the document
}

// xml reads CycloneDX as XML. Entities cannot be declared: a document with a DTD is
// refused before any of it is expanded.
func (r *billReader) xml(raw []byte) error {
	x := xmlReader{r: r, in: xml.NewDecoder(bytes.NewReader(raw)), odd: map[string]int{}}
	for {
		token, err := x.in.Token()
		if errors.Is(err, io.EOF) {
			return x.end()
		}
		if err != nil {
			return billInvalid("it is no XML: "+cut(err.Error(), 200), "write it with a tool that writes XML in UTF-8")
		}
		switch token := token.(type) {
		case xml.Directive:
			err = billInvalid("it has a document type declaration, which can declare entities", "take out everything that begins with <!DOCTYPE")
		case xml.StartElement:
			err = x.start(token)
		case xml.CharData:
			err = x.text(token)
		case xml.EndElement:
			err = x.close()
		}
		if err != nil {
			return err
		}
	}
}

func (x *xmlReader) wrong(what string) error {
	line, _ := x.in.InputPos()
	return notByTheSchema(fmt.Sprintf("line %d: %s", line, what))
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

func (x *xmlReader) start(e xml.StartElement) error {
	if len(x.open) == 0 {
		return x.document(e)
	}
	if len(x.open) == maxBillDepth {
		return billInvalid(fmt.Sprintf("it nests more than %d deep", maxBillDepth), "write it without that nesting")
	}
	above := x.open[len(x.open)-1]
	f := xmlFrame{name: e.Name.Local}
	switch {
	case e.Name.Space == cycloneDXSpace+x.r.bill.Version:
		f.listed = above.listed && nested(above.name, f.name)
		if since := xmlElements()[f.name]; since == "" || since > x.r.bill.Version {
			if name := cut(f.name, 64); len(x.odd) < maxBillRemarks || x.odd[name] > 0 {
				x.odd[name]++
			}
		}
	case strings.HasPrefix(e.Name.Space, cycloneDXSpace):
		return x.wrong("elements of two versions of CycloneDX stand in it")
	default: // an extension of somebody, which the schema allows
		f.name = ""
	}
	x.open = append(x.open, f)
	return x.opened(f, e)
}

// nested reports whether a list of components goes on from one element to the next.
func nested(above, name string) bool {
	switch name {
	case "components":
		return above == "bom" || above == "component"
	case "component":
		return above == "components" || above == "metadata"
	case "metadata":
		return above == "bom"
	}
	return false
}

// document takes the outermost element.
func (x *xmlReader) document(e xml.StartElement) error {
	version, ours := strings.CutPrefix(e.Name.Space, cycloneDXSpace)
	if !ours || e.Name.Local != "bom" {
		return billInvalid(fmt.Sprintf("its outermost element is %q in the namespace %q", cut(e.Name.Local, 50), cut(e.Name.Space, 100)), billForms)
	}
	if x.r.bill.Form != "" {
		return x.wrong("there is a second document behind the first")
	}
	if !slices.Contains(cycloneDXVersions, version) {
		return cycloneDXVersion("CycloneDX", version)
	}
	b := &x.r.bill
	b.Form, b.Version, b.Inventory, b.Serial = "CycloneDX", version, Unknown, cut(attribute(e, "serialNumber"), maxBillText)
	if x.r.validate && b.Serial != "" && !serialNumber.MatchString(b.Serial) {
		return x.wrong("its serialNumber is no urn:uuid")
	}
	x.open = append(x.open, xmlFrame{name: "bom", listed: true})
	return nil
}

var serialNumber = regexp.MustCompile(`^(urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\{[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\})$`)

// opened takes what an element says in its attributes.
func (x *xmlReader) opened(f xmlFrame, e xml.StartElement) error {
	switch {
	case f.name == "component" && f.listed:
		item := &xmlItem{cdxItem: cdxItem{kind: attribute(e, "type"), ref: attribute(e, "bom-ref")}, main: x.above(1) == "metadata"}
		if len(x.items) > 0 {
			last := x.items[len(x.items)-1]
			last.inner = append(last.inner, item)
		}
		if x.r.validate && !cdxKinds[item.kind] {
			return x.wrong(fmt.Sprintf("%q is no type of component", cut(item.kind, 50)))
		}
		x.items = append(x.items, item)
	case f.name == "hash":
		x.hash = attribute(e, "alg")
	case f.name == "composition":
		x.plans = append(x.plans, cdxPlan{})
	case x.above(2) == "composition" && len(x.plans) > 0:
		p := &x.plans[len(x.plans)-1]
		if x.above(1) == "assemblies" {
			p.assemblies = append(p.assemblies, attribute(e, "ref"))
		}
		p.dependencies = p.dependencies || x.above(1) == "dependencies"
	}
	return nil
}

// cdxKinds are the types that a component can have in any version.
var cdxKinds = setOf(strings.Fields("application framework library container platform operating-system device device-driver firmware file machine-learning-model data cryptographic-asset"))

// above is the name of an element around the innermost one; 0 is that one itself.
func (x *xmlReader) above(n int) string {
	if n >= len(x.open) {
		return ""
	}
	return x.open[len(x.open)-1-n].name
}

// kept are the elements whose text is read.
var kept = setOf(strings.Fields("group name version purl hash id expression aggregate"))

func (x *xmlReader) text(b xml.CharData) error {
	if len(x.open) == 0 {
		if len(bytes.TrimSpace(bytes.TrimPrefix(b, []byte(byteOrderMark)))) > 0 {
			return x.wrong("there is text outside of the document")
		}
		return nil
	}
	if f := &x.open[len(x.open)-1]; kept[f.name] && len(f.text) <= maxBillText {
		f.text = append(f.text, b[:min(len(b), maxBillText+1)]...)
	}
	return nil
}

// close takes what an element held.
func (x *xmlReader) close() error {
	f := x.open[len(x.open)-1]
	text := strings.TrimSpace(string(f.text))
	if len(x.items) > 0 {
		if err := x.field(x.items[len(x.items)-1], f.name, text); err != nil {
			return err
		}
	}
	if f.name == "aggregate" && len(x.plans) > 0 {
		x.plans[len(x.plans)-1].aggregate = text
	}
	x.open = x.open[:len(x.open)-1]
	if f.name != "component" || !f.listed {
		return nil
	}
	item := x.items[len(x.items)-1]
	if x.items = x.items[:len(x.items)-1]; x.r.validate && item.name == "" {
		return x.wrong("a component has no name")
	}
	if len(x.items) == 0 {
		return x.take(item)
	}
	return nil
}

// field takes the text of an element of the component that is open.
func (x *xmlReader) field(c *xmlItem, name, text string) error {
	own := len(x.open) > 1 && x.open[len(x.open)-2].listed && x.above(1) == "component"
	listed := func(n int) bool {
		return len(x.open) > n && x.open[len(x.open)-1-n].listed && x.above(n) == "component"
	}
	switch {
	case own && name == "group":
		c.group = text
	case own && name == "name":
		c.name = text
	case own && name == "version":
		c.version = text
	case own && name == "purl":
		c.purl = text
	case name == "hash" && x.above(1) == "hashes" && listed(2):
		if x.r.validate && (!cdxAlgorithms[x.hash] || !hashText.MatchString(text)) {
			return x.wrong(fmt.Sprintf("%s is no hash, or %q no algorithm", cut(text, 40), cut(x.hash, 40)))
		}
		c.hashes = append(c.hashes, cdxHash{x.hash, text})
	case name == "expression" && x.above(1) == "licenses" && listed(2),
		(name == "id" || name == "name") && x.above(1) == "license" && x.above(2) == "licenses" && listed(3):
		if x.r.validate && name == "id" && !readableIDs()[text] {
			return x.wrong(fmt.Sprintf("%q is no id of SPDX", cut(text, 100)))
		}
		c.licenses = append(c.licenses, text)
	}
	return nil
}

var (
	cdxAlgorithms = setOf(strings.Fields("MD5 SHA-1 SHA-256 SHA-384 SHA-512 SHA3-256 SHA3-384 SHA3-512 BLAKE2b-256 BLAKE2b-384 BLAKE2b-512 BLAKE3 Streebog-256 Streebog-512"))
	hashText      = regexp.MustCompile(hashPattern)
)

// take gives a component, with all that it holds, to the bill.
func (x *xmlReader) take(c *xmlItem) error {
	if c.main {
		x.r.cdxSubject(c.cdxItem)
	} else if err := x.r.cdxItem(c.cdxItem); err != nil {
		return err
	}
	for _, inner := range c.inner {
		if err := x.take(inner); err != nil {
			return err
		}
	}
	return nil
}

func (x *xmlReader) end() error {
	if x.r.bill.Form == "" {
		return billInvalid("it is XML without an element", billForms)
	}
	x.r.bill.Inventory = inventoryOf(x.plans, x.r.root)
	for _, name := range slices.Sorted(maps.Keys(x.odd)) {
		x.r.remark("CycloneDX %s has no element %q, which stands in it %d times: it is not read", x.r.bill.Version, name, x.odd[name])
	}
	return nil
}
