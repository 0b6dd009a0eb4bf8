package sbom

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
	"github.com/spdx/tools-golang/spdxlib"
	"pgregory.net/rapid"

	"verdict"
)

var update = flag.Bool("update", false, "write the golden files")

// component names one, as a lockfile does.
func component(t interface{ Fatal(...any) }, ecosystem, name, version string) Component {
	c, err := NewComponent(ecosystem, name, version)
	if err != nil {
		t.Fatal(err)
	}
	return Component{Component: c}
}

var commit = verdict.NewDigest("gitCommit", strings.Repeat("0123456789", 4))

// sample is a document with something of everything.
func sample(t interface{ Fatal(...any) }) *Document {
	left, deep := component(t, "npm", "left", "1.2.0"), component(t, "npm", "@scope/deep", "0.9.0")
	left.Direct, left.Needs, left.Licenses = true, []string{deep.PURL, "pkg:npm/gone@1.0.0"}, []string{"mit"}
	left.Hashes = []Hash{{"SHA-512", strings.Repeat("ab", 64)}}
	left.Occurrences = []Occurrence{{"web/package-lock.json", 7}, {"web/package-lock.json", 7}}
	deep.Needs, deep.Development, deep.Origins = []string{left.PURL, deep.PURL}, true, []string{"https://npm.acme.example/deep.tgz"}
	deep.Licenses = []string{"(MIT OR Apache-2.0) AND BSD-3-Clause"}
	again := component(t, "npm", "left", "1.2.0")
	again.Development, again.Licenses, again.Needs = true, []string{"MIT", "SEE LICENSE IN X"}, []string{}
	again.Occurrences = []Occurrence{{"app/package-lock.json", 3}}
	module := component(t, "Go", "example.com/a", "v1.0.0")
	module.Direct, module.Sums = true, []string{"h1:AAAA="}
	jar := component(t, "Maven", "org.log:log-core", "2.14.1")
	jar.Licenses = []string{"LicenseRef-own OR MIT"}
	crate := component(t, "crates.io", "two", "2.0.0")
	crate.Needs, crate.Development, crate.Origins = []string{}, true, []string{"git+https://git.acme.example/two#" + strings.Repeat("a1", 20)}
	return &Document{
		Subject: verdict.Subject{Kind: verdict.SubjectChange, Name: "git.acme.example/payments", Digest: commit, Also: []verdict.Digest{verdict.NewDigest("gitTree", strings.Repeat("9", 40))}},
		Name:    "payments-api", Tool: verdict.Tool{Name: "verdict", Version: "1.2.3"}, At: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC),
		Components: []Component{left, module, crate, deep, jar, again}, Inventory: Incomplete,
		Open: []verdict.NotChecked{{Path: "pom.xml", Reason: "what it brings in is not in the tree"}, {Reason: "one more"}},
	}
}

func written(t testing.TB, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./sbom -update writes it)", err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s: %s", name, d)
	}
}

// What a reader gets of each format, byte for byte, and the same whatever the order in
// which the files were read.
func TestADocumentIsWrittenTheSame(t *testing.T) {
	d := sample(t)
	cdx, spdx := written(t, d.WriteCycloneDX), written(t, d.WriteSPDX)
	golden(t, "sample.cdx.json", cdx)
	golden(t, "sample.spdx.json", spdx)
	slices.Reverse(d.Components)
	if !bytes.Equal(cdx, written(t, d.WriteCycloneDX)) || !bytes.Equal(spdx, written(t, d.WriteSPDX)) {
		t.Error("the order of the components shows")
	}
	if err := ValidateCycloneDX(cdx); err != nil {
		t.Error(err)
	}
}

// The serial number is that of the subject: another commit, tree, service or version of
// the tool must not pass for this one.
func TestSerialNumbersFollowTheSubject(t *testing.T) {
	seen := map[string]string{}
	for what, change := range map[string]func(*Document){
		"this one": func(*Document) {}, "a commit": func(d *Document) { d.Subject.Digest = verdict.NewDigest("gitCommit", strings.Repeat("1", 40)) },
		"a name": func(d *Document) { d.Name = "other" }, "a tool": func(d *Document) { d.Tool.Version = "2" },
		"a part": func(d *Document) { d.Paths = []string{"web"} },
	} {
		d := sample(t)
		change(d)
		if with := seen[d.uuid()]; with != "" {
			t.Errorf("%s has the number of %s", what, with)
		}
		seen[d.uuid()] = what
	}
	later := sample(t)
	later.At = later.At.Add(time.Hour)
	if seen[later.uuid()] != "this one" {
		t.Error("the number follows the time")
	}
}

// bom is a CycloneDX document as a foreign reader sees it.
type bom struct {
	Metadata struct {
		Component struct {
			Ref     string `json:"bom-ref"`
			Name    string
			Version string
		}
		Properties []cdxProperty
	}
	Components   []cdxComponent
	Dependencies []cdxDependency
	Compositions []cdxComposition
}

// refs holds what is true of every document: no reference is given twice, none leads
// nowhere, no component is declared twice, and each has a degree of completeness.
func (b *bom) refs() error {
	known, declared, degree := map[string]bool{b.Metadata.Component.Ref: true}, map[string]bool{}, map[string]int{}
	for _, c := range b.Components {
		if known[c.Ref] || c.Ref != c.PURL {
			return fmt.Errorf("%q is given twice, or is not %q", c.Ref, c.PURL)
		}
		known[c.Ref] = true
		p, err := ParsePURL(c.PURL)
		if err != nil || p.String() != c.PURL {
			return fmt.Errorf("%q is not canonical: %v", c.PURL, err)
		}
	}
	for _, d := range b.Dependencies {
		if declared[d.Ref] || !known[d.Ref] {
			return fmt.Errorf("%q is declared twice, or is nothing", d.Ref)
		}
		declared[d.Ref] = true
		for _, on := range d.DependsOn {
			if !known[on] || on == d.Ref {
				return fmt.Errorf("%q depends on %q", d.Ref, on)
			}
		}
	}
	for _, c := range b.Compositions {
		for _, ref := range c.Dependencies {
			degree[ref]++
			if ref != b.Metadata.Component.Ref && declared[ref] != (c.Aggregate != Unknown) {
				return fmt.Errorf("%q is %s, and declared: %v", ref, c.Aggregate, declared[ref])
			}
		}
	}
	for ref := range known {
		if degree[ref] != 1 {
			return fmt.Errorf("%q has %d degrees of completeness", ref, degree[ref])
		}
	}
	return nil
}

func TestReferencesHoldForAnyDocument(t *testing.T) {
	names := []string{"a", "b", "@s/c", "d.e", "F_G", "h::i", "</script>", "j\x1b[2J", "k\u202e", "l'm", "##vso[x]"}
	rapid.Check(t, func(t *rapid.T) {
		d := &Document{Subject: sample(t).Subject, Tool: verdict.Tool{Name: "verdict"}, Inventory: rapid.SampledFrom([]Completeness{"", Complete, Incomplete}).Draw(t, "inventory")}
		text := rapid.OneOf(rapid.SampledFrom([]string{"MIT", "GPL-2.0-only WITH Classpath-exception-2.0", "Classpath-exception-2.0", "x", "::error::"}), rapid.String())
		for range rapid.IntRange(0, 12).Draw(t, "components") {
			c, err := NewComponent(rapid.SampledFrom([]string{"npm", "PyPI", "Go", "crates.io"}).Draw(t, "ecosystem"), rapid.SampledFrom(names).Draw(t, "name"), rapid.SampledFrom([]string{"1", "2.0", "v3+x", "4 5"}).Draw(t, "version"))
			if err != nil {
				continue
			}
			x := Component{Component: c, Direct: rapid.Bool().Draw(t, "direct"), Licenses: rapid.SliceOfN(text, 0, 2).Draw(t, "licences")}
			if rapid.Bool().Draw(t, "told") {
				x.Needs = []string{"pkg:npm/nowhere@1"}
				for _, other := range d.Components {
					x.Needs = append(x.Needs, other.PURL)
				}
			}
			x.Occurrences = []Occurrence{{text.Draw(t, "place"), int64(rapid.IntRange(0, 3).Draw(t, "line"))}}
			d.Components = append(d.Components, x)
		}
		for _, write := range []func(io.Writer) error{d.WriteCycloneDX, d.WriteSPDX} {
			var out bytes.Buffer
			if err := write(&out); err != nil {
				t.Fatal(err)
			}
			if at := bytes.IndexFunc(out.Bytes(), func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }); at >= 0 || bytes.Contains(out.Bytes(), []byte("##")) || bytes.ContainsAny(out.Bytes(), "<>&") {
				t.Fatalf("something acts in %q", out.String())
			}
			if !json.Valid(out.Bytes()) {
				t.Fatalf("no JSON: %s", out.String())
			}
		}
		var out bytes.Buffer
		var b bom
		if err := d.WriteCycloneDX(&out); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out.Bytes(), &b); err != nil {
			t.Fatal(err)
		}
		if err := b.refs(); err != nil {
			t.Fatal(err)
		}
		if err := ValidateCycloneDX(out.Bytes()); err != nil {
			t.Fatal(err)
		}
	})
}

// Nothing found is not nothing there: what a reader sees must say which of both it is.
func TestAnEmptyInventoryNeverLooksWhole(t *testing.T) {
	for _, c := range []struct {
		inventory Completeness
		cdx, spdx string
	}{
		{"", `{"aggregate":"unknown","assemblies":["gitCommit:`, "The inventory is unknown."},
		{Incomplete, `{"aggregate":"incomplete","assemblies":["gitCommit:`, "The inventory is incomplete."},
		{Complete, `{"aggregate":"complete","assemblies":["gitCommit:`, "The inventory is complete."},
	} {
		d := &Document{Subject: sample(t).Subject, Tool: verdict.Tool{Name: "verdict"}, Inventory: c.inventory}
		cdx, spdx := string(written(t, d.WriteCycloneDX)), string(written(t, d.WriteSPDX))
		if !strings.Contains(cdx, c.cdx) || !strings.Contains(cdx, `"components": []`) || ValidateCycloneDX([]byte(cdx)) != nil {
			t.Errorf("%q: %s", c.inventory, cdx)
		}
		if !strings.Contains(spdx, c.spdx) || strings.Contains(spdx, `"NOASSERTION"}`) != (c.inventory != Complete) || strings.Contains(spdx, `"NONE"}`) != (c.inventory == Complete) {
			t.Errorf("%q: %s", c.inventory, spdx)
		}
		if declared := strings.Contains(cdx, `{"ref":"gitCommit:`); declared != (c.inventory == Complete) {
			t.Errorf("%q: that the project needs nothing is said: %v", c.inventory, declared)
		}
	}
}

func TestAnUncommittedTreeIsMarked(t *testing.T) {
	d := sample(t)
	d.Subject = verdict.Subject{Kind: verdict.SubjectTree, Name: "payments on 0123 (uncommitted)", Digest: verdict.NewDigest("sha256", strings.Repeat("5", 64))}
	cdx, spdx := string(written(t, d.WriteCycloneDX)), string(written(t, d.WriteSPDX))
	if !strings.Contains(cdx, `"version":"uncommitted:5555`) || !strings.Contains(cdx, `{"name":"verdict:uncommitted","value":"true"}`) || !strings.Contains(spdx, "This is an uncommitted tree.") {
		t.Errorf("%s\n%s", cdx, spdx)
	}
	if err := ValidateCycloneDX([]byte(cdx)); err != nil {
		t.Error(err)
	}
}

func TestAComponentWithoutAPackageURLIsRefused(t *testing.T) {
	d := &Document{Components: []Component{{Component: verdict.Component{Name: "x"}}}}
	for _, write := range []func(io.Writer) error{d.WriteCycloneDX, d.WriteSPDX} {
		if err := write(io.Discard); err == nil {
			t.Error("it was written")
		}
	}
}

func TestAFullDiskIsTold(t *testing.T) {
	for _, write := range []func(io.Writer) error{sample(t).WriteCycloneDX, sample(t).WriteSPDX} {
		if err := write(full{}); err == nil {
			t.Error("half a document passed for a whole one")
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// An SPDX document is read back by SPDX's own library, and says the same.
func TestOthersReadTheSPDXDocument(t *testing.T) {
	read, err := spdxjson.Read(bytes.NewReader(written(t, sample(t).WriteSPDX)))
	if err != nil {
		t.Fatal(err)
	}
	if read.SPDXVersion != "SPDX-2.3" || len(read.Packages) != 6 || read.DocumentName != "payments-api "+commit.Hex() {
		t.Fatalf("read %q %q with %d packages", read.SPDXVersion, read.DocumentName, len(read.Packages))
	}
	ids := map[common.ElementID]*spdx.Package{}
	purls := map[string]*spdx.Package{}
	for _, p := range read.Packages {
		ids[p.PackageSPDXIdentifier] = p
		for _, r := range p.PackageExternalReferences {
			purls[r.Locator] = p
		}
	}
	left, deep := purls["pkg:npm/left@1.2.0"], purls["pkg:npm/%40scope/deep@0.9.0"]
	if left == nil || deep == nil || len(left.PackageChecksums) != 1 || left.PackageChecksums[0].Algorithm != common.SHA512 || len(left.PackageChecksums[0].Value) != 128 {
		t.Fatalf("left %+v, deep %+v", left, deep)
	}
	if deep.PackageLicenseDeclared != "(MIT OR Apache-2.0) AND BSD-3-Clause" || left.PackageLicenseDeclared != spdxNobody || left.PackageLicenseComments == "" {
		t.Errorf("licences %q and %q (%q)", deep.PackageLicenseDeclared, left.PackageLicenseDeclared, left.PackageLicenseComments)
	}
	has := map[string]bool{}
	for _, r := range read.Relationships {
		name := func(x common.DocElementID) string {
			if x.SpecialID != "" {
				return x.SpecialID
			}
			if p := ids[x.ElementRefID]; p != nil {
				return p.PackageName
			}
			return string(x.ElementRefID)
		}
		has[name(r.RefA)+" "+r.Relationship+" "+name(r.RefB)] = true
	}
	// The library's check knows no NONE and no NOASSERTION.
	read.Relationships = slices.DeleteFunc(read.Relationships, func(r *spdx.Relationship) bool { return r.RefB.SpecialID != "" })
	if err := spdxlib.ValidateDocument(read); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"DOCUMENT DESCRIBES payments-api", "payments-api DEPENDS_ON left", "payments-api DEPENDS_ON NOASSERTION", "left DEPENDS_ON @scope/deep",
		"left DEPENDS_ON NOASSERTION", "two DEPENDS_ON NONE", "example.com/a DEPENDS_ON NOASSERTION",
	} {
		if !has[want] {
			t.Errorf("%q is missing in %v", want, has)
		}
	}
}

// The inventory of a large monorepo is written in a moment and in little memory beside
// what it holds already.
func TestAHundredThousandComponents(t *testing.T) {
	const many = 100_000
	d := &Document{Subject: sample(t).Subject, Tool: verdict.Tool{Name: "verdict"}, Inventory: Complete}
	purl := func(i int) string { return fmt.Sprintf("pkg:npm/package-%d@1.0.0", i%many) }
	for i := range many {
		d.Components = append(d.Components, Component{
			Component: verdict.Component{Ecosystem: "npm", Name: fmt.Sprintf("package-%d", i), Version: "1.0.0", PURL: purl(i)},
			Needs:     []string{purl(i + 1), purl(i * 7), purl(i / 2)}, Hashes: []Hash{{"SHA-512", strings.Repeat("ab", 64)}}, Licenses: []string{"MIT"},
			Occurrences: []Occurrence{{"package-lock.json", int64(i)}},
		})
	}
	for name, write := range map[string]func(io.Writer) error{"CycloneDX": d.WriteCycloneDX, "SPDX": d.WriteSPDX} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start, n := time.Now(), counter(0)
		if err := write(&n); err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		held := int64(after.HeapSys-before.HeapSys) >> 20 // less than nothing, where other tests gave memory back
		t.Logf("%s: %d MB in %v, heap grew by %d MB, %d MB allocated", name, n>>20, took, held, (after.TotalAlloc-before.TotalAlloc)>>20)
		if n < 30<<20 || took > time.Minute || held > 512 {
			t.Errorf("%s: %d bytes in %v with %d MB", name, n, took, held)
		}
	}
}

type counter int64

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }
