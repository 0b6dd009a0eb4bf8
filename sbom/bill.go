package sbom

import (
	"cmp"
	"fmt"
	"strings"

	"verdict"
)

// Bill is what a bill of materials of any form says: of what it is, what is in that, and
// whether that is all. Components keep the order of the document; nested ones come behind
// the one that holds them.
type Bill struct {
	Form    string // CycloneDX, SPDX
	Version string // of the form, as the document says: "1.6", "2.3"
	// Encoding is how it is written: json, xml, tag-value.
	Encoding string
	Serial   string // the document's own name for itself; empty where it has none
	Subject  BillSubject
	// Components are all that it lists but the subject itself.
	Components []BillComponent
	// Inventory is Complete only where the document says so of its subject.
	Inventory Completeness
	// Remarks are what the document says and could not be read as it is meant, and what
	// it should say and does not. There are at most some twenty.
	Remarks []string
}

// BillSubject is what a bill says that it is the bill of. Nothing about it is proved.
type BillSubject struct {
	Name, Version string
	PURL          string // as it is written; empty where it has none
	// Digests are those that the document gives its subject, sorted. None: it names none,
	// or only such as Verdict does not accept.
	Digests []verdict.Digest
}

// BillComponent is one component of a bill.
type BillComponent struct {
	// Component is what its package URL names, canonical. It has no ecosystem where the
	// type stands for none that has advisories, and is empty where there is no package URL
	// that can be read.
	Component verdict.Component
	Original  string // the package URL as it is written; empty where there is none
	// Name and Version are those that are written beside the package URL.
	Name, Version string
	Type          string   // in the words of its form: library, application, container
	Licenses      []string // SPDX ids and expressions, or what its maker wrote instead
	Digests       []verdict.Digest
}

// Limits of a bill. A real one of the largest images has some ten thousand components.
const (
	MaxBill         = 256 << 20 // bytes
	maxBillItems    = 1_000_000 // components
	maxBillDepth    = 64
	maxBillText     = 4_096 // bytes of a text that are kept
	maxBillRemarks  = 20
	maxBillLicences = 100 // of one component
)

// ReadBill reads a bill of materials in any of its forms, told by what it holds. What is
// none, says two things at once, or is in a version that is not read is refused as a
// whole: *verdict.Error with CodeInvalid, or CodeLimit for what is too large. It reads and
// does not judge: whether a document holds its schema is for Validate to say.
func ReadBill(raw []byte) (*Bill, error) {
	if len(raw) > MaxBill {
		return nil, billLimit(fmt.Sprintf("it has %d bytes, and %d are read", len(raw), MaxBill))
	}
	r := billReader{}
	return r.read(raw)
}

// ReadValidBill is ReadBill for what is taken in: the document has to hold the published
// schema of its form and version, or the rules of its form where none is published.
func ReadValidBill(raw []byte) (*Bill, error) {
	if len(raw) > MaxBill {
		return nil, billLimit(fmt.Sprintf("it has %d bytes, and %d are read", len(raw), MaxBill))
	}
	r := billReader{validate: true}
	return r.read(raw)
}

// billReader gathers a bill.
type billReader struct {
	bill     Bill
	validate bool            // hold the document to its schema
	root     string          // the reference to the subject
	refs     map[string]bool // the references to components
	twice    int             // components with a reference that another has
	left     int             // remarks that were not kept
	spdx     spdxGathered
}

// refer notes the reference to a component.
func (r *billReader) refer(ref string) {
	if ref == "" {
		return
	}
	if r.refs == nil {
		r.refs = map[string]bool{}
	}
	if r.refs[ref] {
		r.twice++
	}
	r.refs[ref] = true
}

func (r *billReader) remark(format string, args ...any) {
	if len(r.bill.Remarks) < maxBillRemarks {
		r.bill.Remarks = append(r.bill.Remarks, fmt.Sprintf(format, args...))
	} else {
		r.left++
	}
}

// add takes one more component, with its package URL as it is written in Original.
func (r *billReader) add(c BillComponent) error {
	if len(r.bill.Components) == maxBillItems {
		return billLimit(fmt.Sprintf("it lists more than %d components", maxBillItems))
	}
	if c.Original != "" {
		if p, err := ParsePURL(c.Original); err != nil {
			r.remark("the package URL %q of component %d is none: it is kept as it is written, and matched with nothing", cut(c.Original, 200), len(r.bill.Components)+1)
		} else {
			c.Component = p.named()
		}
	}
	c.Original, c.Name, c.Version = cut(c.Original, maxBillText), cut(c.Name, maxBillText), cut(c.Version, maxBillText)
	r.bill.Components = append(r.bill.Components, c)
	return nil
}

// named is the component that p names, without an ecosystem where OSV has none for its
// type.
func (p PackageURL) named() verdict.Component {
	if c, ok := p.Component(); ok {
		return c
	}
	return verdict.Component{Name: strings.TrimPrefix(p.Namespace+"/"+p.Name, "/"), Version: p.Version, PURL: p.String()}
}

// done gives the bill once all of it was read.
func (r *billReader) done() *Bill {
	b := &r.bill
	if r.twice > 0 {
		b.Remarks = append(b.Remarks, counted(r.twice, "of its components has", "of its components have")+" the reference of another one: what it says of such a reference is not read")
	}
	if r.left > 0 {
		b.Remarks = append(b.Remarks, "and "+counted(r.left, "more remark", "more remarks"))
	}
	b.Subject.Digests = unique(b.Subject.Digests, cmp.Compare[verdict.Digest])
	return b
}

func billInvalid(what, remedy string) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: "the bill of materials cannot be used: " + what, Remedy: remedy}
}

func billLimit(what string) error {
	return &verdict.Error{Code: verdict.CodeLimit, What: "the bill of materials is too large: " + what, Remedy: "divide it: one bill for each part of the subject"}
}
