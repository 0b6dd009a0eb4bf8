package sbom

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"verdict"
)

const cdxHead = `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,`

// What two readers could read in two ways, or what keeps us busy, is refused whole and
// says how to help it; half of a bill would be taken for all of it.
func TestBadBillsAreRefused(t *testing.T) {
	entities := `<?xml version="1.0"?><!DOCTYPE bom [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><bom xmlns="http://cyclonedx.org/schema/bom/1.5"><components><component type="library"><name>&b;</name></component></components></bom>`
	for what, text := range map[string]string{
		"nothing":                         "",
		"white space":                     " \n",
		"another text":                    "name: value",
		"a page of a website":             "<html><body>404</body></html>",
		"two forms at once":               cdxHead + `"spdxVersion":"SPDX-2.3"}`,
		"what GitHub hands out":           `{"sbom":{"spdxVersion":"SPDX-2.3"}}`,
		"a byte that is no text":          cdxHead + `"components":[{"type":"library","name":"a` + "\xff" + `"}]}`,
		"a byte that is no text in XML":   strings.Replace(xmlText, "curl", "cu\xffrl", 1),
		"a zero byte":                     strings.Replace(tagText, "left", "le\x00ft", 1),
		"half a character":                cdxHead + `"components":[{"type":"library","name":"\ud800"}]}`,
		"a name twice":                    cdxHead + `"components":[{"type":"library","name":"a","name":"b"}]}`,
		"a name twice among many":         cdxHead + `"components":[{` + manyMembers() + `"a1":1,"type":"library","name":"b"}]}`,
		"a name twice, one of it escaped": cdxHead + `"components":[{"type":"library","name":"a","n\u0061me":"b"}]}`,
		"a name in other letters":         cdxHead + `"Components":[{"type":"library","name":"a"}]}`,
		"more behind its end":             cdxHead + `"components":[]} {}`,
		"a number that none can hold":     strings.Replace(cdxHead, `"version":1`, `"version":1e999999999`, 1) + `"components":[]}`,
		"nesting without an end":          cdxHead + `"components":` + strings.Repeat(`[`, 1_000_000),
		"components in components":        cdxHead + `"components":[` + strings.Repeat(`{"type":"library","name":"a","components":[`, 40) + strings.Repeat(`]}`, 40) + `]}`,
		"a component twice":               cdxHead + `"components":[{"type":"library","name":"a","version":"1"},{"version":"1","name":"a","type":"library"}]}`,
		"entities of its own":             entities,
		"an entity that is not declared":  strings.Replace(xmlText, "curl", "&curl;", 1),
		"nesting in XML":                  `<bom xmlns="http://cyclonedx.org/schema/bom/1.5">` + strings.Repeat("<components><component>", 100),
		"XML in another encoding":         strings.Replace(xmlText, "UTF-8", "UTF-16", 1),
		"XML of a version not read":       strings.Replace(xmlText, "bom/1.5", "bom/1.1", 1),
		"XML of two versions":             strings.Replace(xmlText, `<components>`, `<components xmlns="http://cyclonedx.org/schema/bom/1.4">`, 1),
		"two documents in one":            xmlText + strings.TrimPrefix(xmlText, `<?xml version="1.0" encoding="UTF-8"?>`),
		"XML that ends early":             xmlText[:len(xmlText)/2],
		"XML with no type of component":   strings.Replace(xmlText, `type="file"`, `type="thing"`, 1),
		"XML with a hash that is none":    strings.Replace(xmlText, ">ABAB", ">XBAB", 1),
		"XML with a licence that is none": strings.Replace(xmlText, "<id>MIT", "<id>MITx", 1),
		"XML with a nameless component":   strings.Replace(xmlText, "<name>inner</name>", "", 1),
		"tags of a version not read":      strings.Replace(tagText, "SPDX-2.3", "SPDX-2.1", 1),
		"tags with a line that is none":   tagText + "nothing\n",
		"tags whose text does not end":    tagText + "PackageComment: <text>a\nPackageName: b\n",
		"tags with a tag twice":           strings.Replace(tagText, "PackageVersion: 1.2.0", "PackageVersion: 1.2.0\nPackageVersion: 1.2.1", 1),
		"tags without a namespace":        strings.Replace(tagText, "DocumentNamespace:", "# ", 1),
		"tags of a package without id":    strings.Replace(tagText, "SPDXID: SPDXRef-left", "# ", 1),
		"tags with half a relationship":   tagText + "Relationship: SPDXRef-a DESCRIBES\n",
		"SPDX without a name":             `{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","dataLicense":"CC0-1.0","documentNamespace":"urn:a","creationInfo":{"created":"2026-11-20T09:00:00Z","creators":["Tool: a"]}}`,
		"SPDX 3 of another context":       strings.Replace(spdx3Text, "rdf/3.0.1", "rdf/3.9.0", 1),
		"SPDX 3 without a licence's text": strings.Replace(spdx3Text, `,"simplelicensing_licenseExpression":"MIT"`, "", 1),
		"SPDX 3 with half a relationship": strings.Replace(spdx3Text, `"from":"urn:root",`, "", 1),
	} {
		b, err := ReadValidBill([]byte(text))
		if e := verdict.AsError(err); b != nil || e == nil || e.Code != verdict.CodeInvalid || e.Remedy == "" || len(e.Error()) > 2_000 {
			t.Errorf("%s: %v, %v", what, b, err)
		}
	}
}

func manyMembers() string {
	var b strings.Builder
	for i := range 2 * manyNames {
		fmt.Fprintf(&b, `"a%d":1,`, i)
	}
	return b.String()
}

// What is odd and can be read is told, and hides nothing else.
func TestOddBillsAreReadAndTold(t *testing.T) {
	for what, c := range map[string]struct{ text, remark string }{
		"a reference twice": {cdxHead + `"components":[{"type":"library","name":"a","bom-ref":"x"},{"type":"library","name":"b","bom-ref":"x"}]}`,
			"1 of its components has the reference of another one: what it says of such a reference is not read"},
		"an element that there is not": {strings.Replace(xmlText, "<name>inner</name>", "<name>inner</name><flavour>red</flavour>", 1),
			`CycloneDX 1.5 has no element "flavour", which stands in it 1 times: it is not read`},
		"an element of a later version": {strings.Replace(xmlText, "<name>inner</name>", "<name>inner</name><patentAssertions/>", 1),
			`CycloneDX 1.5 has no element "patentAssertions", which stands in it 1 times: it is not read`},
		"a tag that there is not": {tagText + "PackageFlavour: red\n", "1 of its lines have a tag that SPDX 2.3 does not have: they are not read"},
		"several subjects":        {tagText + "Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-left\n", "it describes 2 packages: all of them count as components"},
		"no subject":              {strings.Replace(tagText, "DOCUMENT DESCRIBES", "other DESCRIBES", 1), "it does not say what it describes"},
		"a huge package URL": {cdxHead + `"components":[{"type":"library","name":"a","purl":"pkg:npm/` + strings.Repeat("a", 1<<20) + `"}]}`,
			`the package URL "pkg:npm/` + strings.Repeat("a", 192) + `…" of component 1 is none: it is kept as it is written, and matched with nothing`},
	} {
		b, err := ReadValidBill([]byte(c.text))
		if err != nil || len(b.Components) == 0 || !strings.Contains(strings.Join(b.Remarks, "\n"), c.remark) {
			t.Errorf("%s: %+v, %v", what, b, err)
		}
	}
}

// Packages that hold each other in a circle are each listed once.
func TestACircleOfPackagesEnds(t *testing.T) {
	b, err := ReadValidBill([]byte(tagText))
	if err != nil || len(b.Components) != 1 || b.Components[0].Name != "left" {
		t.Errorf("%+v, %v", b, err)
	}
}

// Texts of any length do not fill memory for as long as the bill is held.
func TestHugeTextsAreCut(t *testing.T) {
	huge := strings.Repeat("é", 10<<20)
	for what, text := range map[string]string{
		"JSON": cdxHead + `"components":[{"type":"library","name":"` + huge + `","licenses":[{"license":{"name":"` + huge + `"}}]}]}`,
		"XML":  strings.Replace(xmlText, "<name>curl", "<name>"+huge, 1),
		"tags": strings.Replace(tagText, "PackageName: left", "PackageName: "+huge, 1),
	} {
		b, err := ReadValidBill([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for _, c := range b.Components {
			if len(c.Name) > maxBillText+5 || len(strings.Join(c.Licenses, "")) > maxLicence+5 {
				t.Errorf("%s: a name of %d bytes", what, len(c.Name))
			}
		}
	}
}

// many is a bill of n components.
func many(n int) []byte {
	var b bytes.Buffer
	b.WriteString(cdxHead + `"components":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"library","bom-ref":"%d","name":"left%d","version":"1.2.%d","purl":"pkg:npm/left%d@1.2.%d","licenses":[{"license":{"id":"MIT"}}]}`, i, i, i, i, i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// A monorepo's bill is read in memory that a build machine has: some 1 KB for a component,
// beside its bytes.
func TestThreeHundredThousandComponentsAreRead(t *testing.T) {
	const n = 300_000
	raw := many(n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b, err := ReadValidBill(raw)
	runtime.ReadMemStats(&after)
	if err != nil || len(b.Components) != n || b.Components[n-1].Component.PURL != "pkg:npm/left299999@1.2.299999" {
		t.Fatalf("%d components, %v", len(raw), err)
	}
	taken, system := int64(after.TotalAlloc-before.TotalAlloc)>>20, int64(after.Sys-before.Sys)>>20
	t.Logf("%d MB of a document: %d MB allocated in all, %d MB more taken from the system", len(raw)>>20, taken, system)
	if taken > 1500 || system > 600 {
		t.Errorf("%d MB were allocated, and %d MB taken", taken, system)
	}
}

// What is larger than a stated limit is refused by its size, before any of it is read.
func TestABillHasALimit(t *testing.T) {
	_, err := ReadValidBill(make([]byte, MaxBill+1))
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeLimit || e.Remedy == "" {
		t.Error(err)
	}
}

// FuzzBill: nothing that anybody writes makes a reader fail otherwise than by an error that
// says how to help it; and what holds its schema can be read without it, and says the same.
func FuzzBill(f *testing.F) {
	for _, text := range []string{cdxText("1.2"), cdxText("1.7"), string(written(f, sample(f).WriteSPDX)), spdx3Text, `{"@graph":[],"@context":""}`, cdxHead + `"x":"\ud83d\ude00"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { readAnyhow(t, raw) })
}

func FuzzBillXML(f *testing.F) {
	f.Add([]byte(xmlText))
	f.Add([]byte(`<bom xmlns="http://cyclonedx.org/schema/bom/1.2"/>`))
	f.Fuzz(func(t *testing.T, raw []byte) { readAnyhow(t, raw) })
}

func FuzzBillTags(f *testing.F) {
	f.Add([]byte(tagText))
	f.Add([]byte("SPDXVersion: SPDX-2.2\nPackageComment: <text>a\nb</text> c"))
	f.Fuzz(func(t *testing.T, raw []byte) { readAnyhow(t, raw) })
}

func readAnyhow(t *testing.T, raw []byte) {
	valid, refused := ReadValidBill(raw)
	plain, err := ReadBill(raw)
	for _, err := range []error{refused, err} {
		if e := verdict.AsError(err); err != nil && (e.Remedy == "" || e.Code == verdict.CodeInternal) {
			t.Fatalf("%v", err)
		}
	}
	if refused == nil && (err != nil || len(plain.Components) != len(valid.Components) || plain.Inventory != valid.Inventory) {
		t.Fatalf("it holds, and is read otherwise without its schema: %v", err)
	}
}
