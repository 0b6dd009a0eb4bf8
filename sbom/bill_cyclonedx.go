package sbom

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"verdict"
)

// cycloneDXVersions are the versions that are read. 1.0 and 1.1 have no JSON.
var cycloneDXVersions = []string{"1.2", "1.3", "1.4", "1.5", "1.6", "1.7"}

// cdxBillDocument is what is read of a CycloneDX document.
type cdxBillDocument struct {
	Format   string `json:"bomFormat"`
	Version  string `json:"specVersion"`
	Serial   string `json:"serialNumber"`
	Metadata struct {
		Component *cdxItem `json:"component"`
	} `json:"metadata"`
	Components   []cdxItem        `json:"components"`
	Compositions []cdxComposition `json:"compositions"`
}

// cdxItem is a component as any version of CycloneDX writes it.
type cdxItem struct {
	Type       string       `json:"type"`
	Ref        string       `json:"bom-ref"`
	Group      string       `json:"group"`
	Name       string       `json:"name"`
	Version    string       `json:"version"`
	PURL       string       `json:"purl"`
	Hashes     []cdxHash    `json:"hashes"`
	Licenses   []cdxLicence `json:"licenses"`
	Components []cdxItem    `json:"components"`
}

// cdxLicence is a licence, or an expression over licences.
type cdxLicence struct {
	License struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"license"`
	Expression string `json:"expression"`
}

func readCycloneDXJSON(raw []byte) (*Bill, error) {
	if err := strictJSON(raw); err != nil {
		return nil, billInvalid("it is no JSON that says one thing: "+err.Error(), "write it with a tool that writes JSON")
	}
	var doc cdxBillDocument
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, billInvalid("a member holds another kind of value than CycloneDX has there: "+cutText(err.Error()), "validate it: verdict sbom validate FILE")
	}
	return doc.bill()
}

// bill reads what a document says, whatever it was written in.
func (d *cdxBillDocument) bill() (*Bill, error) {
	if d.Format != "CycloneDX" || !slices.Contains(cycloneDXVersions, d.Version) {
		return nil, billInvalid(fmt.Sprintf("it says the form %q in the version %q", cut(d.Format, 50), cut(d.Version, 50)),
			"write it as CycloneDX "+cycloneDXVersions[0]+" to "+cycloneDXVersions[len(cycloneDXVersions)-1])
	}
	r := billReader{bill: Bill{Form: "CycloneDX", Version: d.Version, Serial: cut(d.Serial, maxBillText), Inventory: Unknown}}
	root := ""
	if m := d.Metadata.Component; m != nil {
		root = m.Ref
		r.bill.Subject = m.subject()
		if err := r.items(m.Components); err != nil {
			return nil, err
		}
	}
	if err := r.items(d.Components); err != nil {
		return nil, err
	}
	r.bill.Inventory = inventoryOf(d.Compositions, root)
	return r.done(), nil
}

// items takes components with those that they hold.
func (r *billReader) items(list []cdxItem) error {
	for i := range list {
		if err := r.add(list[i].component()); err != nil {
			return err
		}
		if err := r.items(list[i].Components); err != nil {
			return err
		}
	}
	return nil
}

func (c *cdxItem) component() BillComponent {
	out := BillComponent{Original: c.PURL, Name: c.fullName(), Version: c.Version, Type: cut(c.Type, 50), Licenses: licenceTexts(c.Licenses)}
	for _, h := range c.Hashes {
		out.Digests = digestsOf(h.Algorithm, h.Content, out.Digests)
	}
	return out
}

func (c *cdxItem) fullName() string {
	if c.Group == "" {
		return c.Name
	}
	return c.Group + "/" + c.Name
}

// subject is what the document is about, with every digest that it gives it: as hashes, as
// the version of an image, in its package URL, or as the reference to it.
func (c *cdxItem) subject() BillSubject {
	s := BillSubject{Name: cut(c.fullName(), maxBillText), Version: cut(c.Version, maxBillText), PURL: cut(c.PURL, maxBillText)}
	for _, h := range c.Hashes {
		s.Digests = digestsOf(h.Algorithm, h.Content, s.Digests)
	}
	for _, text := range []string{c.Version, c.Ref, c.Name[strings.LastIndexByte(c.Name, '@')+1:]} {
		s.names(text)
	}
	s.namedIn(c.PURL)
	s.namedIn(c.Ref)
	return s
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

func licenceTexts(list []cdxLicence) (out []string) {
	for _, l := range list {
		for _, text := range []string{l.Expression, l.License.ID, l.License.Name} {
			if text = strings.TrimSpace(text); text != "" && len(out) < maxBillLicences {
				out = append(out, cut(text, maxLicence))
			}
		}
	}
	return out
}

// inventoryOf says how complete a document calls what it lists of its subject. What it
// says of other components says nothing of the whole, but that one of them lacks
// something. Of several words the worse counts.
func inventoryOf(list []cdxComposition, root string) Completeness {
	said := map[Completeness]bool{}
	for _, c := range list {
		whole := root != "" && slices.Contains(c.Assemblies, root)
		switch {
		case strings.HasPrefix(string(c.Aggregate), "incomplete"):
			if whole || len(c.Dependencies) == 0 {
				said[Incomplete] = true
			}
		case whole && c.Aggregate == Complete:
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
