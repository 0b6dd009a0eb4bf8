package sbom

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// The parts of an SPDX 2.3 document, as far as we write them.
type (
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
		Comment  string   `json:"comment"`
	}
	spdxPackage struct {
		Name             string         `json:"name"`
		ID               string         `json:"SPDXID"`
		Version          string         `json:"versionInfo,omitempty"`
		Supplier         string         `json:"supplier"`
		DownloadLocation string         `json:"downloadLocation"`
		FilesAnalyzed    bool           `json:"filesAnalyzed"`
		Checksums        []spdxChecksum `json:"checksums,omitempty"`
		LicenseConcluded string         `json:"licenseConcluded"`
		LicenseDeclared  string         `json:"licenseDeclared"`
		LicenseComments  string         `json:"licenseComments,omitempty"`
		CopyrightText    string         `json:"copyrightText"`
		SourceInfo       string         `json:"sourceInfo,omitempty"`
		Comment          string         `json:"comment,omitempty"`
		ExternalRefs     []spdxRef      `json:"externalRefs,omitempty"`
		Purpose          string         `json:"primaryPackagePurpose"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

const (
	spdxDocument = "SPDXRef-DOCUMENT"
	spdxSubject  = "SPDXRef-Subject"

	// SPDX tells "there is none" from "nobody says".
	spdxNone     = "NONE"
	spdxNobody   = "NOASSERTION"
	spdxDepends  = "DEPENDS_ON"
	maxLocations = 20 // that a package lists; SPDX has one line of text for them
)

// WriteSPDX writes d as SPDX 2.3 JSON. The same d gives the same bytes; a document
// without a time is of 1970, because the format demands one.
func (d *Document) WriteSPDX(w io.Writer) error {
	all, err := d.entries()
	if err != nil {
		return err
	}
	at := d.At
	if at.IsZero() {
		at = time.Unix(0, 0)
	}
	known := licences{}
	j := newJSON(w)
	j.member("spdxVersion", "SPDX-2.3")
	j.member("dataLicense", "CC0-1.0")
	j.member("SPDXID", spdxDocument)
	j.member("name", d.name()+" "+d.version())
	j.member("documentNamespace", "urn:uuid:"+d.uuid())
	j.member("creationInfo", spdxCreation{
		Created:  at.UTC().Format(time.RFC3339),
		Creators: []string{"Tool: " + d.Tool.Name + "-" + cmp.Or(d.Tool.Version, "unknown")},
		Comment:  d.spdxComment(),
	})
	j.list("packages", func(yield func(any) bool) {
		if !yield(d.spdxSubject()) {
			return
		}
		for i := range all {
			if !yield(all[i].spdx(known)) {
				return
			}
		}
	})
	j.list("relationships", d.spdxGraph(all))
	return j.end()
}

// spdxComment says whether the inventory is whole, which SPDX has no field for.
func (d *Document) spdxComment() string {
	text := "The inventory is " + string(d.inventory()) + "."
	if d.uncommitted() {
		text = "This is an uncommitted tree. " + text
	}
	if len(d.Paths) > 0 {
		text = "Of " + strings.Join(d.Paths, ", ") + " alone. " + text
	}
	if gaps := d.told(); len(gaps) > 0 {
		text += " Open: " + strings.Join(gaps, "; ")
	}
	return text
}

func (d *Document) spdxSubject() spdxPackage {
	return spdxPackage{
		Name: d.name(), ID: spdxSubject, Version: d.version(), Supplier: spdxNobody, DownloadLocation: spdxNobody,
		LicenseConcluded: spdxNobody, LicenseDeclared: spdxNobody, CopyrightText: spdxNobody, Purpose: "APPLICATION",
		Comment: string(d.Subject.Digest),
	}
}

// spdxID is a name that holds nothing but what SPDX allows in one.
func spdxID(purl string) string {
	sum := sha256.Sum256([]byte(purl))
	return fmt.Sprintf("SPDXRef-Package-%x", sum[:10])
}

// spdx is the component in the words of SPDX.
func (e *entry) spdx(known licences) spdxPackage {
	p := spdxPackage{
		Name: e.Name, ID: spdxID(e.PURL), Version: e.Version, Supplier: spdxNobody, DownloadLocation: spdxNobody,
		LicenseConcluded: spdxNobody, LicenseDeclared: spdxNobody, CopyrightText: spdxNobody, Purpose: "LIBRARY",
		ExternalRefs: []spdxRef{{"PACKAGE-MANAGER", "purl", e.PURL}}, Comment: "Brought in by others.", SourceInfo: e.places(),
	}
	if e.Direct {
		p.Comment = "Asked for by the project itself."
	}
	if e.Development {
		p.Comment += " For development."
	}
	for _, sum := range e.Sums {
		p.Comment += " go.sum: " + sum
	}
	if len(e.Origins) == 1 {
		p.DownloadLocation = strings.Replace(e.Origins[0], "#", "@", 1) // SPDX 7.7: a commit stands behind an @
	}
	for _, h := range e.Hashes {
		p.Checksums = append(p.Checksums, spdxChecksum{strings.ReplaceAll(h.Algorithm, "-", ""), h.Hex})
	}
	switch all := known.of(e.Licenses); {
	case len(all) == 1 && all[0].spdx() != "":
		p.LicenseDeclared = all[0].spdx()
	case len(all) > 0:
		p.LicenseComments = "Declared as"
		for _, l := range all {
			p.LicenseComments += ": " + l.text()
		}
	}
	return p
}

// places says where a component is named.
func (e *entry) places() string {
	var text []string
	for i, o := range e.Occurrences {
		if i == maxLocations {
			text = append(text, fmt.Sprintf("and %d more places", len(e.Occurrences)-i))
			break
		}
		if o.Line > 0 {
			o.Location += fmt.Sprintf(":%d", o.Line)
		}
		text = append(text, o.Location)
	}
	if len(text) == 0 {
		return ""
	}
	return "named in " + strings.Join(text, ", ")
}

// spdxGraph tells what depends on what: nothing as NONE, and what nobody says as
// NOASSERTION.
func (d *Document) spdxGraph(all []entry) iter.Seq[any] {
	return func(yield func(any) bool) {
		if !yield(spdxRelationship{spdxDocument, "DESCRIBES", spdxSubject}) ||
			!depends(yield, spdxSubject, direct(all), d.inventory()) {
			return
		}
		for i := range all {
			if !depends(yield, spdxID(all[i].PURL), all[i].Needs, all[i].needs) {
				return
			}
		}
	}
}

func depends(yield func(any) bool, from string, on []string, whole Completeness) bool {
	for _, purl := range on {
		if !yield(spdxRelationship{from, spdxDepends, spdxID(purl)}) {
			return false
		}
	}
	switch {
	case whole != Complete:
		return yield(spdxRelationship{from, spdxDepends, spdxNobody})
	case len(on) == 0:
		return yield(spdxRelationship{from, spdxDepends, spdxNone})
	}
	return true
}
