package ci

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"verdict/ci/inventory/inventorytest"
	"verdict/sbom"
)

var update = flag.Bool("update", false, "write the golden files")

var noon = func() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// several is a tree with every ecosystem that is read, and with what is not whole in it.
func several() map[string]string {
	sum := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x01", 32)))
	return map[string]string{
		"api/go.mod":             inventorytest.GoMod,
		"api/go.sum":             "example.com/direct v1.2.0 h1:" + sum + "\nexample.com/ours v1.0.1 h1:" + sum + "\n",
		"api/testdata/go.mod":    "module x\n",
		"web/package-lock.json":  inventorytest.PackageLock,
		"shop/package-lock.json": inventorytest.OldPackageLock,
		"shop/package.json":      `{"dependencies":{"left":"^1"}}`,
		"requirements.txt":       "django==4.2.1 --hash=sha256:" + hex32 + "\n-e .\n",
		"cli/Cargo.lock":         strings.ReplaceAll(inventorytest.CargoLock, `"abc"`, `"`+hex32+`"`),
		"pom.xml":                `<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version><dependencies><dependency><groupId>org.log</groupId><artifactId>log-core</artifactId><version>2.14.1</version></dependency></dependencies></project>`,
		"mobile/paket.lock":      "NUGET",
	}
}

func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, dir, name, content)
	}
	return dir
}

func cycloneDX(t *testing.T, d sbom.Document) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, d.WriteCycloneDX(&b))
	must(t, sbom.ValidateCycloneDX(b.Bytes()))
	return b.Bytes()
}

// What whoever asks for the bill of a mixed tree gets, byte for byte and each time again.
func TestTheBillOfSeveralEcosystems(t *testing.T) {
	bill := ran(t, folderOf(t, several()), Options{Now: noon, Version: "1.2.3"}).Bill
	bill.Name = "shop"
	var spdx bytes.Buffer
	must(t, bill.WriteSPDX(&spdx))
	for name, got := range map[string][]byte{"bill.cdx.json": cycloneDX(t, bill), "bill.spdx.json": spdx.Bytes()} {
		path := filepath.Join("testdata", name)
		if *update {
			must(t, os.WriteFile(path, got, 0o644))
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v (go test ./ci -run Bill -update writes it)", err)
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	again := ran(t, folderOf(t, several()), Options{Now: noon, Version: "1.2.3"}).Bill
	again.Name = "shop"
	if !bytes.Equal(cycloneDX(t, bill), cycloneDX(t, again)) {
		t.Error("the same tree in another folder has another bill")
	}
}

// What steps, images, charts and modules are named without an exact version is in the
// bill as well, which stays valid.
func TestTheBillOfWhatIsNamedWhereItIsUsed(t *testing.T) {
	bill := ran(t, folderOf(t, map[string]string{
		".github/workflows/ci.yml": inventorytest.Workflow, "Dockerfile": inventorytest.Dockerfile, "main.tf": inventorytest.Terraform, "Chart.yaml": "dependencies: [{name: db, version: 1.x}]\n",
		".terraform.lock.hcl": inventorytest.TerraformLock, "azure-pipelines.yml": "steps: [{task: A@1}]\n", "Podfile.lock": inventorytest.PodfileLock, "Gemfile.lock": inventorytest.GemfileLock,
	}), Options{Now: noon}).Bill
	text := string(cycloneDX(t, bill))
	var spdx bytes.Buffer
	must(t, bill.WriteSPDX(&spdx))
	for _, purl := range []string{"pkg:github/actions/checkout@v4", "pkg:docker/golang@1.26-alpine", "pkg:terraform/github.com/acme/mods", "pkg:helm/db", "pkg:generic/azure-pipelines/A@1", "pkg:cocoapods/Firebase@10.0.0", "pkg:gem/rack@2.2.8"} {
		if !strings.Contains(text, `"`+purl+`"`) || !strings.Contains(spdx.String(), `"`+purl+`"`) {
			t.Errorf("%s is not in the bill", purl)
		}
	}
}

// The bill says what it does not know: whoever takes half a list for a whole one looks
// for a vulnerable package in vain.
func TestABillIsWholeOnlyWhereNothingIsLeftOut(t *testing.T) {
	lock := `{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":"1"}},"node_modules/a":{"version":"1.0.0"}}}`
	for name, c := range map[string]struct {
		files map[string]string
		want  sbom.Completeness
		open  string
	}{
		"a lockfile":                          {map[string]string{"package-lock.json": lock}, sbom.Complete, ""},
		"a lockfile without packages":         {map[string]string{"package-lock.json": `{"lockfileVersion":3,"packages":{}}`}, sbom.Complete, ""},
		"a Go module with its release":        {map[string]string{"go.mod": "module m\n\ngo 1.26.0\n"}, sbom.Complete, ""},
		"a Go module that names no release":   {map[string]string{"go.mod": "module m\n\ngo 1.22\n"}, sbom.Incomplete, "standard library"},
		"nothing that names components":       {map[string]string{"main.c": "int main;"}, sbom.Unknown, ""},
		"test data alone":                     {map[string]string{"testdata/package-lock.json": lock}, sbom.Unknown, ""},
		"test data beside a lockfile":         {map[string]string{"package-lock.json": lock, "testdata/package-lock.json": "{"}, sbom.Complete, ""},
		"a lockfile cut short":                {map[string]string{"package-lock.json": lock[:60]}, sbom.Incomplete, "cannot be read"},
		"one that is read and one cut short":  {map[string]string{"package-lock.json": lock, "a/package-lock.json": lock[:60]}, sbom.Incomplete, "cannot be read"},
		"a lockfile that nobody reads":        {map[string]string{"package-lock.json": lock, "paket.lock": "NUGET"}, sbom.Incomplete, "Paket"},
		"a manifest without lockfile":         {map[string]string{"package.json": `{"dependencies":{"a":"1"}}`}, sbom.Incomplete, "no lockfile"},
		"a package from an address":           {map[string]string{"package-lock.json": strings.Replace(lock, `"1.0.0"`, `"git+ssh://git@x.example/a.git#1"`, 1)}, sbom.Incomplete, "comes from an address"},
		"a pom, which tells the first layer":  {map[string]string{"pom.xml": `<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version><dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId><version>1</version></dependency></dependencies></project>`}, sbom.Incomplete, "bring in"},
		"requirements, listed as they may be": {map[string]string{"requirements.txt": "a==1\n"}, sbom.Incomplete, "as far as it is listed"},
		"requirements with all their hashes":  {map[string]string{"requirements.txt": "a==1 --hash=sha256:" + hex32 + "\n"}, sbom.Complete, ""},
	} {
		bill := ran(t, folderOf(t, c.files), Options{Now: noon}).Bill
		text := string(cycloneDX(t, bill))
		if bill.Inventory != c.want || !strings.Contains(text, `{"aggregate":"`+string(c.want)+`","assemblies"`) || !strings.Contains(text, c.open) || c.open == "" && len(bill.Open) > 0 {
			t.Errorf("%s: %q, open: %+v", name, bill.Inventory, bill.Open)
		}
	}
}

func TestTheBillOfACommitNamesItAndOneOfATreeDoesNot(t *testing.T) {
	dir, id := committed(t, map[string]string{"go.mod": "module m\n\ngo 1.26.0\n"})
	text := string(cycloneDX(t, ran(t, dir, Options{Now: noon}).Bill))
	if !strings.Contains(text, `"bom-ref":"gitCommit:`+id) || !strings.Contains(text, `"version":"`+id) || strings.Contains(text, "uncommitted") {
		t.Errorf("%s", text)
	}
	write(t, dir, "go.mod", "module m\n\ngo 1.26.1\n")
	text = string(cycloneDX(t, ran(t, dir, Options{Now: noon}).Bill))
	if strings.Contains(text, id) || !strings.Contains(text, `"name":"verdict:uncommitted","value":"true"`) {
		t.Errorf("%s", text)
	}
}

// A part of a tree has a bill of its own, which says so: it must not pass for the whole
// one, whose commit it bears.
func TestTheBillOfAPart(t *testing.T) {
	lock := `{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{"version":"1.0.0"}}}`
	dir, id := committed(t, map[string]string{"a/package-lock.json": lock, "b/package-lock.json": "cut {"})
	whole, part := ran(t, dir, Options{Now: noon}).Bill, ran(t, dir, Options{Now: noon, Within: []string{"a"}}).Bill
	if whole.Inventory != sbom.Incomplete || part.Inventory != sbom.Complete || part.Subject.Digest.Hex() != id {
		t.Errorf("whole %q, part %q of %s", whole.Inventory, part.Inventory, part.Subject.Digest)
	}
	if text := string(cycloneDX(t, part)); !strings.Contains(text, `{"name":"verdict:path","value":"a"}`) || serial(text) == serial(string(cycloneDX(t, whole))) {
		t.Errorf("%s", text)
	}
	write(t, dir, "c.txt", "new")
	commitAll(t, dir)
	diff := ran(t, dir, Options{Now: noon, Diff: true, Base: id}).Bill
	if text := string(cycloneDX(t, diff)); diff.Inventory != sbom.Incomplete || !strings.Contains(text, "only what differs") || !strings.Contains(text, "uncommitted:") {
		t.Errorf("%s", text)
	}
}

func serial(text string) string {
	_, rest, _ := strings.Cut(text, "urn:uuid:")
	return rest[:36]
}

// Names and places that a repository chooses act on nobody who looks at the bill, and
// are what they are for who decodes it.
func TestHostileNamesInABill(t *testing.T) {
	hostile := "a\u202e\u001b[2J::error::##vso[task.x]<script>&'"
	lock, err := json.Marshal(map[string]any{"lockfileVersion": 3, "packages": map[string]any{
		"": map[string]any{}, "node_modules/" + hostile: map[string]any{"version": "1.0.0-\u202e##vso[<b>", "license": "::error::<b>" + hostile, "resolved": "https://u:s3cret@x.example/<script>"}}})
	must(t, err)
	folder := "d\u202e\x1b[2J\n::error::<b>\xff"
	bill := ran(t, folderOf(t, map[string]string{folder + "/package-lock.json": string(lock)}), Options{Now: noon}).Bill
	var spdx bytes.Buffer
	must(t, bill.WriteSPDX(&spdx))
	for _, out := range [][]byte{cycloneDX(t, bill), spdx.Bytes()} {
		if bytes.ContainsFunc(out, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }) || bytes.ContainsAny(out, "<>&") || bytes.Contains(out, []byte("##")) || bytes.Contains(out, []byte("s3cret")) {
			t.Errorf("something acts: %s", out)
		}
		for line := range bytes.Lines(out) {
			if bytes.HasPrefix(bytes.TrimSpace(line), []byte("::")) {
				t.Errorf("a command: %s", line)
			}
		}
	}
	var read struct {
		Components []struct{ Name, Version string }
	}
	must(t, json.Unmarshal(cycloneDX(t, bill), &read))
	if len(read.Components) != 1 || read.Components[0].Name != hostile || read.Components[0].Version != "1.0.0-\u202e##vso[<b>" {
		t.Errorf("read back as %+v of %+v", read, bill.Open)
	}
}

// A lockfile whose packages need each other in a circle has edges, and an end.
func TestTheGraphOfABill(t *testing.T) {
	bill := ran(t, folderOf(t, map[string]string{"package-lock.json": `{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":"1"}},
		"node_modules/a":{"version":"1.0.0","dependencies":{"b":"1"}},"node_modules/b":{"version":"1.0.0","dependencies":{"a":"1","c":"1"}},
		"node_modules/c":{"version":"1.0.0","dev":true}}}`}), Options{Now: noon}).Bill
	text := string(cycloneDX(t, bill))
	for _, want := range []string{
		`"dependsOn":["pkg:npm/a@1.0.0"]}`, `{"ref":"pkg:npm/a@1.0.0","dependsOn":["pkg:npm/b@1.0.0"]}`,
		`{"ref":"pkg:npm/b@1.0.0","dependsOn":["pkg:npm/a@1.0.0","pkg:npm/c@1.0.0"]}`, `{"ref":"pkg:npm/c@1.0.0"}`, `"scope":"optional"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
}
