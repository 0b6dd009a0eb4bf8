package sbom

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"verdict"
)

const xmlText = `<?xml version="1.0" encoding="UTF-8"?>
<bom xmlns="http://cyclonedx.org/schema/bom/1.5" xmlns:x="https://acme.example/x" serialNumber="urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79" version="1">
 <metadata><tools><components><component type="application"><name>tool</name></component></components></tools>
  <component type="container" bom-ref="root"><name>payments</name><version>1.0</version>
   <purl>pkg:oci/payments@sha256%3A0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef</purl></component></metadata>
 <components>
  <component type="library" bom-ref="a"><group>@acme</group><name>left</name><version>1.2.0</version>
   <hashes><hash alg="SHA-256">ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB</hash><hash alg="MD5">abababababababababababababababab</hash></hashes>
   <licenses><license><id>MIT</id></license><license><name>Own</name></license></licenses>
   <purl>pkg:npm/@acme/left@1.2.0</purl><x:note><x:name>no name</x:name></x:note>
   <pedigree><ancestors><component type="library"><name>ancestor</name></component></ancestors></pedigree>
   <components><component type="file" bom-ref="b"><name>inner</name></component></components></component>
  <component type="library" bom-ref="c"><name>curl</name><version>8.1</version><licenses><expression>MIT OR Apache-2.0</expression></licenses>
   <purl>pkg:deb/debian/curl@8.1?arch=amd64</purl></component>
  <component type="library" bom-ref="d"><name>odd</name><purl>npm:odd@1</purl></component>
 </components>
 <compositions><composition><aggregate>complete</aggregate><assemblies><assembly ref="root"/></assemblies></composition></compositions>
</bom>`

const tagText = `# a comment
SPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
SPDXID: SPDXRef-DOCUMENT
DocumentName: payments
DocumentNamespace: https://acme.example/payments
DocumentComment: <text>one
PackageName: that is none
two</text>
Creator: Tool: acme
Created: 2026-11-20T09:00:00Z
PackageName: payments
SPDXID: SPDXRef-root
PackageVersion: 1.0
PackageDownloadLocation: NOASSERTION
PackageChecksum: SHA256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
PackageName: left
SPDXID: SPDXRef-left
PackageVersion: 1.2.0
PackageDownloadLocation: NOASSERTION
PackageLicenseConcluded: NOASSERTION
PackageLicenseDeclared: MIT
ExternalRef: PACKAGE-MANAGER purl pkg:npm/%40acme/left@1.2.0
ExternalRef: PACKAGE-MANAGER purl pkg:npm/left@1.2.0
FileName: ./a
SPDXID: SPDXRef-file
Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-root
Relationship: SPDXRef-root CONTAINS SPDXRef-left
Relationship: SPDXRef-left CONTAINS SPDXRef-root
`

const spdx3Text = `{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[
{"type":"Relationship","spdxId":"urn:r1","creationInfo":"_:c","from":"urn:root","to":["urn:left"],"relationshipType":"contains","completeness":"complete"},
{"type":"CreationInfo","@id":"_:c","specVersion":"3.0.1","created":"2026-11-20T09:00:00Z","createdBy":["urn:acme"]},
{"type":"Organization","spdxId":"urn:acme","creationInfo":"_:c","name":"acme"},
{"type":"software_Package","spdxId":"urn:left","creationInfo":"_:c","name":"left","software_packageVersion":"1.2.0","software_packageUrl":"pkg:npm/%40acme/left@1.2.0",
 "externalIdentifier":[{"type":"ExternalIdentifier","externalIdentifierType":"packageUrl","identifier":"pkg:npm/%40acme/left@1.2.0"}]},
{"type":"software_Package","spdxId":"urn:root","creationInfo":"_:c","name":"payments","software_packageVersion":"1.0","software_primaryPurpose":"container",
 "verifiedUsing":[{"type":"Hash","algorithm":"sha256","hashValue":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}]},
{"type":"simplelicensing_LicenseExpression","spdxId":"urn:mit","creationInfo":"_:c","simplelicensing_licenseExpression":"MIT"},
{"type":"Relationship","spdxId":"urn:r2","creationInfo":"_:c","from":"urn:left","to":["urn:mit"],"relationshipType":"hasDeclaredLicense"},
{"type":"software_Sbom","spdxId":"urn:sbom","creationInfo":"_:c","rootElement":["urn:root"],"element":["urn:root","urn:left"]},
{"type":"SpdxDocument","spdxId":"https://acme.example/doc","creationInfo":"_:c","name":"payments","rootElement":["urn:sbom"]}]}`

var leftInSPDX = BillComponent{
	Component: verdict.Component{Ecosystem: "npm", Name: "@acme/left", Version: "1.2.0", PURL: "pkg:npm/%40acme/left@1.2.0"}, Original: "pkg:npm/%40acme/left@1.2.0",
	Name: "left", Version: "1.2.0", Licenses: []string{"MIT"},
}

// A tool that writes another form says the same: what is decided must not depend on it.
func TestEveryFormSaysTheSame(t *testing.T) {
	fromJSON, err := ReadBill([]byte(cdxText("1.5")))
	if err != nil {
		t.Fatal(err)
	}
	fromJSON.Inventory, fromJSON.Encoding = Complete, ""
	spdx := func(version, serial, kind string, remarks ...string) *Bill {
		root := BillSubject{Name: "payments", Version: "1.0", Digests: []verdict.Digest{image}}
		return &Bill{Form: "SPDX", Version: version, Serial: serial, Inventory: Completeness(kind), Subject: root, Components: []BillComponent{leftInSPDX}, Remarks: remarks}
	}
	for _, c := range []struct {
		what, text, encoding string
		want                 *Bill
	}{
		{"CycloneDX in XML", xmlText, EncodingXML, fromJSON},
		{"with a byte order mark", byteOrderMark + xmlText, EncodingXML, fromJSON},
		{"SPDX in tags", tagText, EncodingTags, spdx("2.3", "https://acme.example/payments", "unknown",
			"1 of its packages has more than one package URL: the first is read", "1 file is listed, which is no component here")},
		{"SPDX 3", spdx3Text, EncodingJSON, spdx("3.0.1", "https://acme.example/doc", "complete")},
	} {
		got, err := ReadValidBill([]byte(c.text))
		if err != nil || got.Encoding != c.encoding {
			t.Errorf("%s: %+v, %v", c.what, got, err)
			continue
		}
		got.Encoding = ""
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, d)
		}
	}
}

// Ids of licences that are younger than the schemas are ids: crates have been under
// Unicode-3.0 for years. Those of nobody are none.
func TestNewLicencesAreRead(t *testing.T) {
	for id, known := range map[string]bool{"Unicode-3.0": true, "MIT": true, "Unicode-99": false} {
		for what, text := range map[string]string{"JSON": strings.Replace(cdxText("1.6"), `"id":"MIT"`, `"id":"`+id+`"`, 1), "XML": strings.Replace(xmlText, "<id>MIT", "<id>"+id, 1)} {
			if _, err := ReadValidBill([]byte(text)); (err == nil) != known {
				t.Errorf("%s in %s: %v", id, what, err)
			}
		}
	}
}

// What we write, we read back as what it was written from.
func TestOurOwnBillsAreReadBack(t *testing.T) {
	d := sample(t)
	for what, write := range map[string]func() []byte{
		"CycloneDX": func() []byte { return written(t, d.WriteCycloneDX) }, "SPDX": func() []byte { return written(t, d.WriteSPDX) },
	} {
		b, err := ReadValidBill(write())
		if err != nil || b.Subject.Name != "payments-api" || len(b.Subject.Digests) != 1 || b.Subject.Digests[0] != commit || len(b.Components) != 5 || len(b.Remarks) > 0 {
			t.Errorf("%s: %+v, %v", what, b, err)
		}
		if what == "CycloneDX" && b.Inventory != Incomplete {
			t.Errorf("the inventory is %s", b.Inventory)
		}
	}
}

// The documents of the specification's own tools are read.
func TestSPDXsOwnExamplesAreRead(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/spdx/tools-golang").Output()
	if err != nil || len(bytes.TrimSpace(dir)) == 0 {
		t.Skipf("SKIP examples of SPDX: the module cache holds none: go mod download github.com/spdx/tools-golang: %v", err)
	}
	for file, packages := range map[string]int{
		"json/SPDXJSONExample-v2.2.spdx.json": 3, "json/SPDXJSONExample-v2.3.spdx.json": 4,
		"tv/SPDXTagExample-v2.2.spdx": 3, "tv/SPDXTagExample-v2.3.spdx": 4,
	} {
		raw, err := os.ReadFile(filepath.Join(string(bytes.TrimSpace(dir)), "examples", "sample-docs", file))
		if err != nil {
			t.Fatal(err)
		}
		b, err := ReadValidBill(raw)
		if err != nil || b.Subject.Name != "glibc" || len(b.Subject.Digests) != 1 || len(b.Components) != packages {
			t.Errorf("%s: %+v, %v", file, b, err)
		}
	}
}
