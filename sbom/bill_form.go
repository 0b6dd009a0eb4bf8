package sbom

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// billForms is what is read, for remedies.
const billForms = "give CycloneDX 1.2 to 1.7 as JSON or XML, SPDX 2.2 or 2.3 as JSON or tag-value, or SPDX 3.0.1 as JSON-LD"

// How a bill can be written.
const (
	EncodingJSON = "json"
	EncodingXML  = "xml"
	EncodingTags = "tag-value"
)

// byteOrderMark is what some tools write in front of UTF-8.
const byteOrderMark = "\ufeff"

// read tells the form of a document by what it holds, never by its name.
func (r *billReader) read(raw []byte) (*Bill, error) {
	raw = bytes.TrimPrefix(raw, []byte(byteOrderMark))
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return nil, billInvalid("it holds bytes that are no text in UTF-8", "write it as UTF-8, without zero bytes")
	}
	var err error
	switch text := bytes.TrimLeft(raw, " \t\r\n"); {
	case bytes.HasPrefix(text, []byte("{")):
		r.bill.Encoding = EncodingJSON
		err = r.json(raw)
	case bytes.HasPrefix(text, []byte("<")):
		r.bill.Encoding = EncodingXML
		err = r.xml(raw)
	case isTagValue(text):
		r.bill.Encoding = EncodingTags
		err = r.tagValue(text)
	default:
		err = billInvalid("it is in none of the forms that are read", billForms)
	}
	if err != nil {
		return nil, err
	}
	return r.done(), nil
}

// json tells the forms in JSON apart. A document that says two of them says nothing.
func (r *billReader) json(raw []byte) error {
	d, err := openJSON(raw)
	if err != nil {
		return err
	}
	var said []string
	for _, name := range []string{"bomFormat", "spdxVersion", "@graph"} {
		if d.has(name) {
			said = append(said, name)
		}
	}
	if len(said) > 1 {
		return billInvalid("it says that it is in two forms at once: "+strings.Join(said, " and "), "write each form into a document of its own")
	}
	if len(said) == 0 {
		if d.has("sbom") {
			return billInvalid("it holds a bill under \"sbom\", as GitHub hands it out", "take what stands there: jq .sbom FILE")
		}
		return billInvalid("it is in none of the forms that are read", billForms)
	}
	switch said[0] {
	case "bomFormat":
		return r.cycloneDX(d)
	case "spdxVersion":
		return r.spdx2(d)
	}
	return r.spdx3(d)
}

// ruled gives the rules to hold a document to: none where it is read and not judged.
func (r *billReader) ruled(schema func() (*rule, error), d *jsonDocument) (*rule, error) {
	if !r.validate {
		return &rule{}, nil
	}
	top, err := schema()
	if err == nil {
		err = d.hasMembers(top)
	}
	return top, err
}
