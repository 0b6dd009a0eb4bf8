package sbom

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"verdict"
)

const image = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// cdxText is a small document of a version, with something of everything.
func cdxText(version string) string {
	return `{"bomFormat":"CycloneDX","specVersion":"` + version + `","serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79","version":1,
"metadata":{"component":{"type":"container","bom-ref":"root","name":"payments","version":"1.0","purl":"pkg:oci/payments@` + strings.Replace(image, ":", "%3A", 1) + `"}},
"components":[
 {"type":"library","bom-ref":"a","group":"@acme","name":"left","version":"1.2.0","purl":"pkg:npm/@acme/left@1.2.0","licenses":[{"license":{"id":"MIT"}},{"license":{"name":"Own"}}],
  "hashes":[{"alg":"SHA-256","content":"` + strings.Repeat("AB", 32) + `"},{"alg":"MD5","content":"` + strings.Repeat("ab", 16) + `"}],
  "components":[{"type":"file","bom-ref":"b","name":"inner"}]},
 {"type":"library","bom-ref":"c","name":"curl","version":"8.1","purl":"pkg:deb/debian/curl@8.1?arch=amd64","licenses":[{"expression":"MIT OR Apache-2.0"}]},
 {"type":"library","bom-ref":"d","name":"odd","purl":"npm:odd@1"}],
"dependencies":[{"ref":"root","dependsOn":["a"]}]}`
}

// Everything that is decided about an artifact's components rests on this reading.
func TestABillSaysWhatItsDocumentSays(t *testing.T) {
	for _, version := range cycloneDXVersions {
		got, err := ReadBill([]byte(cdxText(version)))
		if err != nil {
			t.Fatalf("%s: %v", version, err)
		}
		want := &Bill{
			Form: "CycloneDX", Version: version, Encoding: EncodingJSON, Serial: "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79", Inventory: Unknown,
			Subject: BillSubject{Name: "payments", Version: "1.0", PURL: "pkg:oci/payments@" + strings.Replace(image, ":", "%3A", 1), Digests: []verdict.Digest{image}},
			Components: []BillComponent{
				{Component: verdict.Component{Ecosystem: "npm", Name: "@acme/left", Version: "1.2.0", PURL: "pkg:npm/%40acme/left@1.2.0"}, Original: "pkg:npm/@acme/left@1.2.0",
					Name: "@acme/left", Version: "1.2.0", Type: "library", Licenses: []string{"MIT", "Own"}, Digests: []verdict.Digest{verdict.NewDigest("sha256", strings.Repeat("ab", 32))}},
				{Name: "inner", Type: "file"},
				{Component: verdict.Component{Name: "debian/curl", Version: "8.1", PURL: "pkg:deb/debian/curl@8.1?arch=amd64"}, Original: "pkg:deb/debian/curl@8.1?arch=amd64",
					Name: "curl", Version: "8.1", Type: "library", Licenses: []string{"MIT OR Apache-2.0"}},
				{Original: "npm:odd@1", Name: "odd", Type: "library"},
			},
			Remarks: []string{`the package URL "npm:odd@1" of component 4 is none: it is kept as it is written, and matched with nothing`},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", version, d)
		}
	}
}

// A list that is taken for whole and is not hides what it lacks.
func TestABillIsCompleteOnlyWhereItSaysSo(t *testing.T) {
	for _, c := range []struct {
		what, compositions string
		want               Completeness
	}{
		{"nothing is said", ``, Unknown},
		{"its subject is complete", `{"aggregate":"complete","assemblies":["root"]}`, Complete},
		{"another component is complete", `{"aggregate":"complete","assemblies":["a"]}`, Unknown},
		{"what brings in what is complete", `{"aggregate":"complete","dependencies":["root"]}`, Unknown},
		{"nothing is named", `{"aggregate":"complete"}`, Unknown},
		{"its subject lacks something", `{"aggregate":"incomplete","assemblies":["root"]}`, Incomplete},
		{"it lacks parts of others", `{"aggregate":"incomplete_third_party_only","assemblies":["root"]}`, Incomplete},
		{"a component of a complete one lacks something", `{"aggregate":"complete","assemblies":["root"]},{"aggregate":"incomplete","assemblies":["a"]}`, Incomplete},
		{"two words are said of it", `{"aggregate":"complete","assemblies":["root"]},{"aggregate":"unknown","assemblies":["root"]}`, Unknown},
	} {
		b, err := ReadBill([]byte(strings.TrimSuffix(cdxText("1.5"), "}") + `,"compositions":[` + c.compositions + `]}`))
		if err != nil || b.Inventory != c.want {
			t.Errorf("%s: %v, %v", c.what, b, err)
		}
	}
}

// Whichever way a tool names the digest of its subject, a bill for another one is told by it.
func TestASubjectIsKnownByItsDigests(t *testing.T) {
	for what, component := range map[string]string{
		"its hashes":                 `"name":"app","hashes":[{"alg":"SHA-256","content":"` + strings.TrimPrefix(image, "sha256:") + `"}]`,
		"the version of an image":    `"name":"app","version":"` + image + `"`,
		"its package URL":            `"name":"app","purl":"pkg:oci/app@` + image + `?repository_url=ghcr.io/acme/app"`,
		"the reference to it":        `"name":"app","bom-ref":"` + image + `"`,
		"a package URL as its ref":   `"name":"app","bom-ref":"pkg:oci/app@` + image + `"`,
		"the name of a pulled image": `"name":"ghcr.io/acme/app@` + image + `"`,
	} {
		b, err := ReadBill([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"type":"container",` + component + `}}}`))
		if err != nil || len(b.Subject.Digests) != 1 || b.Subject.Digests[0] != image {
			t.Errorf("%s: %+v, %v", what, b, err)
		}
	}
}

// What two readers could read in two ways is read by none.
func TestWhatIsNoBillIsRefused(t *testing.T) {
	for what, text := range map[string]string{
		"nothing": "", "no JSON": "{", "a list": "[]", "null": "null", "another form": `{"bomFormat":"Other","specVersion":"1.6"}`,
		"a version that is not read": `{"bomFormat":"CycloneDX","specVersion":"2.0"}`,
		"no version":                 `{"bomFormat":"CycloneDX"}`,
		"components that are text":   `{"bomFormat":"CycloneDX","specVersion":"1.6","components":"none"}`,
		"a member twice":             `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[],"components":[{"type":"library","name":"a"}]}`,
		"nested without an end":      `{"bomFormat":"CycloneDX","specVersion":"1.6","components":` + strings.Repeat(`[{"components":`, 100) + `[]` + strings.Repeat(`}]`, 100) + `}`,
	} {
		b, err := ReadBill([]byte(text))
		if e := verdict.AsError(err); b != nil || e == nil || e.Code != verdict.CodeInvalid || e.Remedy == "" {
			t.Errorf("%s: %v, %v", what, b, err)
		}
	}
}

// A document of odd package URLs does not fill the screen.
func TestRemarksAreBounded(t *testing.T) {
	list := make([]string, 1000)
	for i := range list {
		list[i] = fmt.Sprintf(`{"type":"library","name":"a","purl":"odd%d"}`, i)
	}
	b, err := ReadBill([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[` + strings.Join(list, ",") + `]}`))
	if err != nil || len(b.Remarks) != maxBillRemarks+1 || b.Remarks[maxBillRemarks] != "and 980 more remarks" || len(b.Components) != 1000 {
		t.Errorf("%+v, %v", b, err)
	}
}
