package sbom

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// isTagValue reports whether a text is SPDX's tag-value form: its first line that is no
// comment names the version.
func isTagValue(text []byte) bool {
	for len(text) > 0 && text[0] == '#' {
		_, rest, _ := bytes.Cut(text, []byte("\n"))
		text = bytes.TrimLeft(rest, " \t\r\n")
	}
	return bytes.HasPrefix(text, []byte("SPDXVersion:"))
}

// spdxTags are the tags of SPDX 2.2 and 2.3.
var spdxTags = setOf(strings.Fields(`SPDXVersion DataLicense SPDXID DocumentName DocumentNamespace ExternalDocumentRef LicenseListVersion Creator Created
CreatorComment DocumentComment PackageName PackageVersion PackageFileName PackageSupplier PackageOriginator PackageDownloadLocation FilesAnalyzed
PackageVerificationCode PackageChecksum PackageHomePage PackageSourceInfo PackageLicenseConcluded PackageLicenseInfoFromFiles PackageLicenseDeclared
PackageLicenseComments PackageCopyrightText PackageSummary PackageDescription PackageComment ExternalRef ExternalRefComment PackageAttributionText
PrimaryPackagePurpose ReleaseDate BuiltDate ValidUntilDate FileName FileType FileChecksum LicenseConcluded LicenseInfoInFile LicenseComments
FileCopyrightText FileComment FileNotice FileContributor FileAttributionText FileDependency ArtifactOfProjectName ArtifactOfProjectHomePage ArtifactOfProjectURI
SnippetSPDXID SnippetFromFileSPDXID SnippetByteRange SnippetLineRange SnippetLicenseConcluded LicenseInfoInSnippet SnippetLicenseComments
SnippetCopyrightText SnippetComment SnippetName SnippetAttributionText LicenseID ExtractedText LicenseName LicenseCrossReference LicenseComment
Relationship RelationshipComment Annotator AnnotationDate AnnotationType AnnotationComment SPDXREF Reviewer ReviewDate ReviewComment`))

func setOf(words []string) map[string]bool {
	out := make(map[string]bool, len(words))
	for _, w := range words {
		out[w] = true
	}
	return out
}

// tagReader is one pass over a document in tags.
type tagReader struct {
	r       *billReader
	item    *spdxItem // the package that is open
	located bool      // it has said where it is downloaded from
	element string    // what is open: "", package, file, snippet, licence
	name    string    // of the document
	seen    map[string]bool
	strange int // tags that the form does not have
}

// tagValue reads SPDX 2.2 and 2.3 as tags, line by line.
func (r *billReader) tagValue(text []byte) error {
	x := tagReader{r: r, seen: map[string]bool{}}
	for line := 1; len(text) > 0; line++ {
		var row []byte
		row, text, _ = bytes.Cut(text, []byte("\n"))
		row = bytes.TrimSpace(row)
		if len(row) == 0 || row[0] == '#' {
			continue
		}
		tag, value, ok := bytes.Cut(row, []byte(":"))
		if !ok {
			return wrongTag(line, "it is no tag with a value")
		}
		value = bytes.TrimSpace(value)
		at := line
		if inner, long := bytes.CutPrefix(value, []byte("<text>")); long {
			whole, rest, ended := longText(inner, text)
			if !ended {
				return wrongTag(at, "its text does not end")
			}
			line += bytes.Count(text[:len(text)-len(rest)], []byte("\n"))
			value, text = whole, rest
		}
		if err := x.tag(at, string(tag), strings.TrimSpace(cut(string(value), maxBillText))); err != nil {
			return err
		}
	}
	return x.end()
}

// longText gives what stands up to </text>, which may be several lines below, and what
// follows that line.
func longText(first, more []byte) (whole, rest []byte, ended bool) {
	if whole, _, ended = bytes.Cut(first, []byte("</text>")); ended {
		return whole, more, true
	}
	inner, rest, ended := bytes.Cut(more, []byte("</text>"))
	if _, after, ok := bytes.Cut(rest, []byte("\n")); ok {
		rest = after
	} else {
		rest = nil
	}
	return slices.Concat(first, []byte("\n"), inner), rest, ended
}

func wrongTag(line int, what string) error {
	return billInvalid(fmt.Sprintf("line %d: %s", line, what), "let the tool that wrote it write SPDX 2.3 as its specification says, or as JSON")
}

// tag takes one tag.
func (x *tagReader) tag(line int, tag, value string) error {
	if !spdxTags[tag] {
		x.strange++
		return nil
	}
	switch tag {
	case "PackageName", "FileName", "SnippetSPDXID", "LicenseID":
		if err := x.close(line); err != nil {
			return err
		}
		x.element = tag
		if tag == "FileName" {
			x.r.spdx.files++
		}
		if tag == "PackageName" {
			if value == "" {
				return wrongTag(line, "a package has no name")
			}
			x.item, x.located = &spdxItem{name: value}, false
		}
		return nil
	case "Relationship":
		from, kind, to := threeWords(value)
		if to == "" {
			return wrongTag(line, "a relationship is not made of two ids and a kind between them")
		}
		x.r.spdxRelated(from, kind, to)
		return nil
	}
	if x.item != nil {
		return x.packaged(line, tag, value)
	}
	if x.element == "" {
		return x.document(line, tag, value)
	}
	return nil
}

func threeWords(s string) (a, b, c string) {
	if words := strings.Fields(s); len(words) == 3 {
		return words[0], words[1], words[2]
	}
	return "", "", ""
}

// once are the tags that a document has once.
var once = []string{"SPDXVersion", "DataLicense", "SPDXID", "DocumentName", "DocumentNamespace", "Created"}

func (x *tagReader) document(line int, tag, value string) error {
	if slices.Contains(once, tag) && x.seen[tag] {
		return wrongTag(line, tag+" stands twice")
	}
	x.seen[tag] = true
	switch tag {
	case "SPDXVersion":
		return x.r.spdxVersion(value)
	case "SPDXID":
		if value != spdxDocument {
			return wrongTag(line, "the document is not called "+spdxDocument)
		}
	case "DataLicense":
		if value != "CC0-1.0" {
			return wrongTag(line, "the licence of the document's data is not CC0-1.0")
		}
	case "DocumentName":
		x.name = value
	case "DocumentNamespace":
		x.r.bill.Serial = value
	}
	return nil
}

// packaged takes a tag of the package that is open.
func (x *tagReader) packaged(line int, tag, value string) error {
	p := x.item
	if to := p.field(tag); to != nil {
		if *to != "" {
			return wrongTag(line, tag+" stands twice in one package")
		}
		*to = value
	}
	switch tag {
	case "PackageDownloadLocation":
		x.located = value != ""
	case "PackageChecksum":
		algorithm, hex, ok := strings.Cut(value, ":")
		if !ok {
			return wrongTag(line, "a checksum has no algorithm")
		}
		p.checksums = append(p.checksums, cdxHash{strings.TrimSpace(algorithm), strings.TrimSpace(hex)})
	case "ExternalRef":
		_, kind, locator := threeWords(value)
		if locator == "" {
			return wrongTag(line, "an external reference is not made of a category, a type and a locator")
		}
		if kind == "purl" {
			p.purls = append(p.purls, locator)
		}
	}
	return nil
}

// field is where the text of a tag belongs that a package has once; nil for other tags.
func (p *spdxItem) field(tag string) *string {
	switch tag {
	case "SPDXID":
		return &p.id
	case "PackageVersion":
		return &p.version
	case "PrimaryPackagePurpose":
		return &p.purpose
	case "PackageComment":
		return &p.comment
	case "PackageLicenseDeclared":
		return &p.declared
	case "PackageLicenseConcluded":
		return &p.concluded
	}
	return nil
}

// close ends the package that is open.
func (x *tagReader) close(line int) error {
	p := x.item
	if x.item = nil; p == nil {
		return nil
	}
	if x.r.validate && (!strings.HasPrefix(p.id, "SPDXRef-") || !x.located) {
		return wrongTag(line, fmt.Sprintf("the package %q above has no SPDXID or no PackageDownloadLocation", cut(p.name, 100)))
	}
	return x.r.spdxItem(*p)
}

// end ends the document.
func (x *tagReader) end() error {
	if err := x.close(0); err != nil {
		return err
	}
	for _, tag := range append(once, "Creator") {
		if x.r.validate && !x.seen[tag] {
			return billInvalid("it has no "+tag, "let the tool that wrote it write what SPDX 2.3 demands")
		}
	}
	if x.strange > 0 {
		x.r.remark("%d of its lines have a tag that SPDX 2.3 does not have: they are not read", x.strange)
	}
	x.r.spdxSubjects(x.name)
	return nil
}
