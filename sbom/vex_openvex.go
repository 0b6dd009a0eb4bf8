package sbom

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// openVEXContext is the one version that is read: earlier ones name products as text.
const (
	openVEXBase    = "https://openvex.dev/ns"
	openVEXContext = openVEXBase + "/v0.2.0"
)

type openVEXProduct struct {
	ID            string            `json:"@id"`
	Identifiers   map[string]string `json:"identifiers"`
	Hashes        map[string]string `json:"hashes"`
	Subcomponents []openVEXProduct  `json:"subcomponents"`
}

// openVEX reads OpenVEX 0.2.0. A statement's own timestamp goes before the document's, as
// its specification has it ("Data Inheritance").
func (r *vexReader) openVEX(raw []byte) error {
	var doc struct {
		Context    string    `json:"@context"`
		ID         string    `json:"@id"`
		Author     string    `json:"author"`
		Timestamp  time.Time `json:"timestamp"`
		Statements []struct {
			Vulnerability struct {
				ID      string   `json:"@id"`
				Name    string   `json:"name"`
				Aliases []string `json:"aliases"`
			} `json:"vulnerability"`
			Timestamp     time.Time        `json:"timestamp"`
			Products      []openVEXProduct `json:"products"`
			Status        string           `json:"status"`
			Justification string           `json:"justification"`
			Impact        string           `json:"impact_statement"`
			Action        string           `json:"action_statement"`
		} `json:"statements"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return vexShape(err)
	}
	if strings.TrimSuffix(doc.Context, "/") != openVEXContext {
		return vexInvalid(fmt.Sprintf("%q is another version of OpenVEX than 0.2.0", cutText(doc.Context)), "write it as OpenVEX 0.2.0: @context "+openVEXContext)
	}
	r.doc.Form, r.doc.ID, r.doc.Author = "OpenVEX", cutText(doc.ID), cutText(doc.Author)
	for _, x := range doc.Statements {
		s := VEXStatement{
			Vulnerabilities: append([]string{cmp.Or(x.Vulnerability.Name, lastPartOf(x.Vulnerability.ID))}, x.Vulnerability.Aliases...),
			Status:          VEXStatus(x.Status), Justification: x.Justification, Impact: x.Impact, Action: x.Action, At: x.Timestamp,
		}
		if s.At.IsZero() {
			s.At = doc.Timestamp
		}
		if s.Status == Affected && x.Action == "" {
			r.remark("%s is affected, and no action_statement says what to do", cutText(s.Vulnerabilities[0]))
		}
		for _, p := range x.Products {
			s.Products = append(s.Products, p.product())
		}
		if err := r.add(s); err != nil {
			return err
		}
	}
	return nil
}

// product takes a product with its subcomponents. Those of subcomponents are not in the
// specification, and are left out.
func (p openVEXProduct) product() VEXProduct {
	out := VEXProduct{}
	for _, name := range append([]string{p.ID}, valuesOf(p.Identifiers)...) {
		out.name(name)
	}
	for _, algorithm := range slices.Sorted(maps.Keys(p.Hashes)) {
		out.Digests = digestsOf(algorithm, p.Hashes[algorithm], out.Digests)
	}
	for _, sub := range p.Subcomponents {
		sub.Subcomponents = nil
		out.Parts = append(out.Parts, sub.product())
	}
	return out
}

func valuesOf(m map[string]string) (out []string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

func (p *VEXProduct) name(s string) {
	if s != "" && len(s) <= maxVEXText && !slices.Contains(p.Names, s) {
		p.Names = append(p.Names, s)
	}
}

// lastPartOf is the id that an address of a vulnerability ends with.
func lastPartOf(iri string) string {
	iri = strings.TrimRight(iri, "/")
	return iri[strings.LastIndexByte(iri, '/')+1:]
}
