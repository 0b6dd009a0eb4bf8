package sbom

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"verdict"
)

// OpenVEXOptions say what a document cannot say of itself.
type OpenVEXOptions struct {
	ID      string    // IRI of the document; empty: made from what it says
	Author  string    // who states it; required by the form
	Tooling string    // what wrote it
	At      time.Time // when it was written; statements keep their own times
}

type openVEXOut struct {
	Context    string           `json:"@context"`
	ID         string           `json:"@id"`
	Author     string           `json:"author"`
	Timestamp  time.Time        `json:"timestamp"`
	Version    int              `json:"version"`
	Tooling    string           `json:"tooling,omitempty"`
	Statements []openVEXSaidOut `json:"statements"`
}

type openVEXSaidOut struct {
	Vulnerability struct {
		Name    string   `json:"name"`
		Aliases []string `json:"aliases,omitempty"`
	} `json:"vulnerability"`
	Timestamp     time.Time           `json:"timestamp"`
	Products      []openVEXProductOut `json:"products,omitempty"`
	Status        VEXStatus           `json:"status"`
	Notes         string              `json:"status_notes,omitempty"`
	Justification string              `json:"justification,omitempty"`
	Impact        string              `json:"impact_statement,omitempty"`
	Action        string              `json:"action_statement,omitempty"`
}

type openVEXProductOut struct {
	ID            string              `json:"@id,omitempty"`
	Identifiers   map[string]string   `json:"identifiers,omitempty"`
	Hashes        map[string]string   `json:"hashes,omitempty"`
	Subcomponents []openVEXProductOut `json:"subcomponents,omitempty"`
}

// OpenVEX writes what the document states as OpenVEX 0.2.0. Each statement keeps its time
// and, as a note, the document and form that it is from. What cannot be said in this form
// without saying more, a product that is named by a range of versions alone, is left out,
// and left says so of each.
func (v *VEX) OpenVEX(o OpenVEXOptions) (doc []byte, left []string, err error) {
	if strings.TrimSpace(o.Author) == "" {
		return nil, nil, &verdict.Error{Code: verdict.CodeInvalid, What: "the document does not say who its author is, and OpenVEX demands one", Remedy: "name who states it: --author NAME"}
	}
	out := openVEXOut{Context: openVEXContext, ID: o.ID, Author: o.Author, Timestamp: o.At.UTC(), Version: 1, Tooling: o.Tooling, Statements: []openVEXSaidOut{}}
	from := ""
	if v.Form != "OpenVEX" {
		from = strings.TrimSpace("from " + v.Form + " " + v.ID)
	}
	for i, s := range v.Statements {
		products, skipped := productsOut(s.Products)
		switch {
		case len(s.Products) > 0 && len(products) == 0: // without products it would speak of everything
			left = append(left, fmt.Sprintf("statement %d, %s of %s: it names its products by ranges of versions alone", i+1, s.Status, s.Vulnerabilities[0]))
			continue
		case skipped > 0:
			left = append(left, fmt.Sprintf("statement %d, %s of %s: %d of its products, named by ranges of versions alone", i+1, s.Status, s.Vulnerabilities[0], skipped))
		}
		x := openVEXSaidOut{Timestamp: s.At.UTC(), Products: products, Status: s.Status, Notes: from, Justification: s.Justification, Impact: s.Impact, Action: s.Action}
		x.Vulnerability.Name, x.Vulnerability.Aliases = s.Vulnerabilities[0], s.Vulnerabilities[1:]
		if s.Status == Affected && x.Action == "" { // the form demands one
			x.Action = "No action is stated."
		}
		out.Statements = append(out.Statements, x)
	}
	if len(out.Statements) == 0 {
		return nil, left, vexInvalid("nothing of it can be said in OpenVEX: it names its products by ranges of versions alone", "name the versions that it is about")
	}
	doc, err = vexJSON(out)
	if err == nil && out.ID == "" {
		out.ID = nameOf(doc)
		doc, err = vexJSON(out)
	}
	return doc, left, err
}

func vexJSON(x openVEXOut) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(x)
	return b.Bytes(), err
}

// nameOf names a document by what it says, as document.go does it.
func nameOf(doc []byte) string {
	sum := sha256.Sum256(doc)
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// productsOut writes one product for each name: the form has one id, and any of several
// names is meant. Skipped counts those that nothing names.
func productsOut(list []VEXProduct) (out []openVEXProductOut, skipped int) {
	for _, p := range list {
		parts, lost := productsOut(p.Parts)
		hashes := map[string]string{}
		for _, d := range p.Digests {
			if bits, sha := strings.CutPrefix(d.Algorithm(), "sha"); sha {
				hashes["sha-"+bits] = d.Hex()
			}
		}
		if len(p.Names)+len(hashes) == 0 || len(p.Parts) > 0 && len(parts) == 0 {
			skipped++
			continue
		}
		if skipped += lost; len(p.Names) == 0 {
			out = append(out, openVEXProductOut{Hashes: hashes, Subcomponents: parts})
		}
		for _, name := range p.Names {
			out = append(out, openVEXProductOut{ID: name, Identifiers: identifiersOf(name), Hashes: hashes, Subcomponents: parts})
		}
	}
	return out, skipped
}

// identifiersOf repeats a name under the word that the form has for its kind.
func identifiersOf(name string) map[string]string {
	for prefix, kind := range map[string]string{"pkg:": "purl", "cpe:/": "cpe22", "cpe:2.3:": "cpe23"} {
		if strings.HasPrefix(name, prefix) {
			return map[string]string{kind: name}
		}
	}
	return nil
}
