package layers

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"verdict"
	"verdict/artifact"
	"verdict/sbom"
)

// entry is one entry of a layer.
type entry struct {
	name, content string
	kind          byte
	link          string
	mode          int64
}

// tarOf is a layer with these entries.
func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Size: int64(len(e.content)), Mode: e.mode}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// memory is a store of blobs.
type memory map[verdict.Digest][]byte

func (m memory) Manifest(context.Context, verdict.Digest) (artifact.Manifest, error) {
	return artifact.Manifest{}, fmt.Errorf("no manifests here")
}

func (m memory) Blob(_ context.Context, d artifact.Descriptor) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(m[d.Digest])), nil
}

// read lists the packages of an image with these layers, the lowest first.
func read(t testing.TB, l Limits, layers ...[]byte) sbom.Document {
	t.Helper()
	m, i := memory{}, Image{Subject: verdict.Subject{Kind: verdict.SubjectArtifact, Name: "r/a", Digest: verdict.NewDigest("sha256", strings.Repeat("a", 64))}}
	for _, b := range layers {
		sum := sha256.Sum256(b)
		d := artifact.Descriptor{Digest: verdict.NewDigest("sha256", hex.EncodeToString(sum[:])), Size: int64(len(b))}
		m[d.Digest] = b
		i.Layers = append(i.Layers, d)
	}
	i.Store = m
	d, err := Read(context.Background(), i, l)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func purls(d sbom.Document) []string {
	out := []string{}
	for _, c := range d.Components {
		out = append(out, c.PURL)
	}
	slices.Sort(out)
	return out
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// told reports whether a gap with these words is told, and that the list lacks something.
func told(d sbom.Document, words string) bool {
	return slices.ContainsFunc(d.Open, func(n verdict.NotChecked) bool { return strings.Contains(n.Path+": "+n.Reason, words) && n.Blocks }) && d.Inventory == sbom.Incomplete
}

const (
	alpine   = "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.20.3\n"
	debian   = "ID=debian\nVERSION_ID=\"12\"\n"
	apkMusl  = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\nL:MIT\n\n"
	apkSSL   = "P:libssl3\nV:3.3.2-r0\nA:x86_64\no:openssl\nF:lib\nR:libssl.so.3\n\n"
	dpkgBase = "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl (3.0.15-1)\nVersion: 3.0.15-1~deb12u1\nDescription: x\n more: text\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: adduser\nStatus: install ok installed\nArchitecture: all\nVersion: 3.134\n"
)

// The packages of a distribution are named so that its advisories find them.
func TestPackagesOfDistributions(t *testing.T) {
	d := read(t, Limits{}, zipped(t, tarOf(t, entry{name: "etc/os-release", content: alpine}, entry{name: "./lib/apk/db/installed", content: apkMusl + apkSSL})))
	same(t, "alpine", purls(d), []string{
		"pkg:apk/alpine/libssl3@3.3.2-r0?arch=x86_64&distro=alpine-3.20.3&upstream=openssl", "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.3",
	})
	if d.Components[0].Ecosystem != "Alpine:v3.20" || d.Inventory != sbom.Unknown {
		t.Errorf("ecosystem %q, inventory %q", d.Components[0].Ecosystem, d.Inventory)
	}
	p, err := sbom.ParsePURL(d.Components[0].PURL)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := p.Component(); !ok || c.Ecosystem != "Alpine:v3.20" || c.Name != "openssl" {
		t.Errorf("advisories would look for %+v", c)
	}
	d = read(t, Limits{}, tarOf(t, entry{name: "usr/lib/os-release", content: debian}, entry{name: "etc/os-release", kind: tar.TypeSymlink, link: "../usr/lib/os-release"},
		entry{name: "var/lib/dpkg/status", content: dpkgBase}, entry{name: "var/lib/dpkg/status.d/tzdata", content: "Package: tzdata\nVersion: 2024a\nArchitecture: all\n"},
		entry{name: "var/lib/dpkg/status.d/tzdata.md5sums", content: "no stanza\n"}))
	same(t, "debian", purls(d), []string{
		"pkg:deb/debian/adduser@3.134?arch=all&distro=debian-12", "pkg:deb/debian/libssl3@3.0.15-1~deb12u1?arch=amd64&distro=debian-12&upstream=openssl%403.0.15-1",
		"pkg:deb/debian/tzdata@2024a?arch=all&distro=debian-12",
	})
	if d.Inventory != sbom.Unknown {
		t.Errorf("a whole reading is %q: %+v", d.Inventory, d.Open)
	}
}

// What an upper layer took away is not in the image, and what it did not is.
func TestWhiteoutsAreFollowed(t *testing.T) {
	const modules = "app/node_modules/"
	pkg := func(name, version string) entry {
		return entry{name: modules + name + "/package.json", content: fmt.Sprintf(`{"name":%q,"version":%q}`, name, version)}
	}
	base := tarOf(t, pkg("a", "1.0.0"), pkg("b", "1.0.0"), pkg("c", "1.0.0"), pkg("d", "1.0.0"), entry{name: "lib/apk/db/installed", content: apkMusl})
	for name, c := range map[string]struct {
		upper []byte
		want  []string
	}{
		"a file":     {tarOf(t, entry{name: modules + "a/.wh.package.json"}), []string{"b@1.0.0", "c@1.0.0", "d@1.0.0"}},
		"a folder":   {tarOf(t, entry{name: modules + ".wh.a"}), []string{"b@1.0.0", "c@1.0.0", "d@1.0.0"}},
		"all of it":  {tarOf(t, entry{name: ".wh.app"}), nil},
		"opaque":     {tarOf(t, entry{name: modules + ".wh..wh..opq"}, pkg("e", "2.0.0")), []string{"e@2.0.0"}},
		"another":    {tarOf(t, pkg("a", "3.0.0")), []string{"a@3.0.0", "b@1.0.0", "c@1.0.0", "d@1.0.0"}},
		"same layer": {tarOf(t, entry{name: modules + ".wh.a"}, pkg("a", "4.0.0")), []string{"a@4.0.0", "b@1.0.0", "c@1.0.0", "d@1.0.0"}},
		"no folder":  {tarOf(t, entry{name: "app/node_modules", kind: tar.TypeSymlink, link: "/elsewhere"}), nil},
		"a trick":    {tarOf(t, entry{name: modules + "x/.wh..."}, entry{name: ".wh..."}, entry{name: "../.wh.app"}), []string{"a@1.0.0", "b@1.0.0", "c@1.0.0", "d@1.0.0"}},
	} {
		d := read(t, Limits{}, base, c.upper)
		want := []string{"pkg:apk/unknown/musl@1.2.5-r0?arch=x86_64"}
		for _, w := range c.want {
			want = append(want, "pkg:npm/"+w)
		}
		same(t, name, purls(d), want)
	}
}

// A layer must not be able to pass a file off as another, nor lead us out of the image.
func TestNamesAndLinksDoNotLeadOut(t *testing.T) {
	for name, e := range map[string]entry{
		"../ in front":   {name: "../../lib/apk/db/installed", content: apkMusl},
		"../ within":     {name: "a/../../lib/apk/db/installed", content: apkMusl},
		"/../":           {name: "/../lib/apk/db/installed", content: apkMusl},
		"symbolic link":  {name: "lib/apk/db/installed", kind: tar.TypeSymlink, link: "/etc/passwd"},
		"hard link out":  {name: "lib/apk/db/installed", kind: tar.TypeLink, link: "../../etc/passwd"},
		"hard link":      {name: "lib/apk/db/installed", kind: tar.TypeLink, link: "somewhere"},
		"name too long":  {name: strings.Repeat("a/", 3000) + "installed", content: apkMusl},
		"damaged":        {name: "lib/apk/db/installed", content: "P:a b\nV:1\n\n"},
		"binary":         {name: "var/lib/dpkg/status", content: "\x00\x01\x02"},
		"no database":    {name: "var/lib/rpm/Packages", content: strings.Repeat("x", 5000)},
		"journal of rpm": {name: "var/lib/rpm/rpmdb.sqlite-wal", content: "x"},
		"no jar":         {name: "a.jar", content: "x"},
	} {
		if d := read(t, Limits{}, tarOf(t, e)); len(d.Components) != 0 || d.Inventory != sbom.Incomplete {
			t.Errorf("%s: %v, %q, %+v", name, purls(d), d.Inventory, d.Open)
		}
	}
	d := read(t, Limits{}, tarOf(t, entry{name: "b.jar", kind: tar.TypeSymlink, link: "../usr/share/java/a.jar"}, entry{name: "x/node_modules/a/package.json", kind: tar.TypeSymlink, link: "/x/secret"}))
	if !told(d, "links are not followed") || !told(d, "out of the image") {
		t.Errorf("links to what is not read: %+v", d.Open)
	}
	d = read(t, Limits{}, tarOf(t, entry{name: "srv/b.jar", kind: tar.TypeSymlink, link: "../usr/share/java/a.jar"}))
	if d.Inventory != sbom.Unknown {
		t.Errorf("a link to what is read where it lies: %+v", d.Open)
	}
	d = read(t, Limits{}, tarOf(t, entry{name: "/lib/apk/db/installed", content: apkMusl}))
	if len(d.Components) != 1 {
		t.Errorf("an absolute name is one of the image's own root: %v", purls(d))
	}
	d = read(t, Limits{}, tarOf(t, entry{name: "x/node_modules/a/package.json", content: `{"name":"a","version":"1.0.0"}`}, entry{name: "y/node_modules/a/package.json", kind: tar.TypeLink, link: "x/node_modules/a/package.json"}))
	if len(d.Components) != 2 || d.Inventory != sbom.Unknown {
		t.Errorf("a hard link to a file that was read: %v, %+v", purls(d), d.Open)
	}
}

// A bomb must end in an answer that says what was not read.
func TestBombsAreTold(t *testing.T) {
	zeros := make([]byte, 1<<20)
	pack := func(w io.WriteCloser, n int) {
		t.Helper()
		h := tar.NewWriter(w)
		if err := h.WriteHeader(&tar.Header{Name: "zeros", Typeflag: tar.TypeReg, Size: int64(n) << 20}); err != nil {
			t.Fatal(err)
		}
		for range n {
			if _, err := h.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var gz, zst bytes.Buffer
	pack(gzip.NewWriter(&gz), 200)
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	pack(z, 200)
	small := tarOf(t, entry{name: "lib/apk/db/installed", content: apkMusl})
	for name, c := range map[string]struct {
		limits Limits
		layer  []byte
		words  string
	}{
		"gzip":    {Limits{}, gz.Bytes(), "far more"},
		"zstd":    {Limits{}, zst.Bytes(), "far more"},
		"bytes":   {Limits{Bytes: 100}, small, "far more"},
		"entries": {Limits{Entries: 1}, tarOf(t, entry{name: "a"}, entry{name: "b"}), "more than 1 files"},
		"file":    {Limits{File: 10}, small, "at most 10"},
		"jar":     {Limits{}, tarOf(t, entry{name: "a.jar", content: string(jarOf(t, "META-INF/MANIFEST.MF", string(zeros)+string(zeros)))}), "far more"},
		"nested":  {Limits{}, tarOf(t, entry{name: "a.jar", content: nested(t, 5)}), "nest deeper"},
		"jar zip": {Limits{}, tarOf(t, entry{name: "a.jar", content: string(jarOf(t, "lib/b.jar", strings.Repeat("\x00", 20<<20)))}), "far more"},
		"cut":     {Limits{}, zipped(t, small)[:60], "not read to its end"},
		"no tar":  {Limits{}, []byte(strings.Repeat("hello", 500)), "no tar archive"},
	} {
		if d := read(t, c.limits, c.layer); !told(d, c.words) {
			t.Errorf("%s: %q, %+v", name, d.Inventory, d.Open)
		}
	}
}

func jarOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func nested(t testing.TB, depth int) string {
	t.Helper()
	if depth == 0 {
		return string(jarOf(t, "a", "b"))
	}
	return string(jarOf(t, "lib/x.jar", nested(t, depth-1)))
}

// What languages leave beside their packages is found wherever it lies.
func TestManifestsOfLanguages(t *testing.T) {
	inner := jarOf(t, "META-INF/maven/org.acme/inner/pom.properties", "#c\nversion=2.0\ngroupId=org.acme\nartifactId=inner\n")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	d := read(t, Limits{}, tarOf(t,
		entry{name: "app/node_modules/@acme/x/package.json", content: `{"name":"@acme/x","version":"1.2.3","license":"MIT"}`},
		entry{name: "app/node_modules/@acme/x/test/package.json", content: `{"name":"fixture","version":"0.0.1"}`},
		entry{name: "app/node_modules/es/package.json", content: `{"type":"module"}`},
		entry{name: "app/package.json", content: `{"name":"app","version":"1.0.0"}`},
		entry{name: "usr/lib/python3/site-packages/Foo_Bar-1.0.dist-info/METADATA", content: "Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.0\n\nName: not-this\n"},
		entry{name: "usr/lib/ruby/gems/3.1.0/specifications/rack-2.2.8.gemspec", content: "Gem::Specification.new do |s|\n  s.name = \"rack\".freeze\n  s.version = \"2.2.8\"\n  s.licenses = [\"MIT\".freeze]\nend\n"},
		entry{name: "srv/app.jar", content: string(jarOf(t, "BOOT-INF/lib/inner.jar", string(inner), "META-INF/MANIFEST.MF", "Implementation-Title: app\nImplementation-Version: 1.0\nImplementation-Vendor-Id: org.acme\n"))},
		entry{name: "usr/bin/tool", content: string(program), mode: 0o755},
	))
	var got []string
	for _, p := range purls(d) {
		if !strings.HasPrefix(p, "pkg:golang/") {
			got = append(got, p)
		}
	}
	same(t, "languages", got, []string{
		"pkg:gem/rack@2.2.8", "pkg:maven/org.acme/inner@2.0", "pkg:npm/%40acme/x@1.2.3", "pkg:pypi/foo-bar@1.0",
	})
	if !slices.ContainsFunc(purls(d), func(p string) bool { return strings.HasPrefix(p, "pkg:golang/stdlib@") }) {
		t.Errorf("a Go program says nothing of its standard library: %v, %+v", purls(d), d.Open)
	}
	d = read(t, Limits{}, tarOf(t, entry{name: "a.jar", content: string(jarOf(t, "a.class", "x"))}))
	if !told(d, "no Maven coordinates") {
		t.Errorf("an archive that names nothing: %+v", d.Open)
	}
}

// The same image must give the same bytes, or its bill would be recorded anew each time.
func TestTheSameImageGivesTheSameBill(t *testing.T) {
	layer := tarOf(t, entry{name: "lib/apk/db/installed", content: apkSSL + apkMusl}, entry{name: "etc/os-release", content: alpine},
		entry{name: "a/node_modules/x/package.json", content: `{"name":"x","version":"1.0.0"}`}, entry{name: "b/node_modules/x/package.json", content: `{"name":"x","version":"1.0.0"}`})
	var first string
	for range 20 {
		d := read(t, Limits{}, layer)
		var b bytes.Buffer
		if err := d.WriteCycloneDX(&b); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = b.String()
		}
		if b.String() != first {
			t.Fatalf("two bills:\n%s\n%s", first, b.String())
		}
	}
	bill, err := sbom.ReadBill([]byte(first))
	if err != nil || len(bill.Components) != 3 || len(bill.Subject.Digests) != 1 {
		t.Errorf("read back: %+v, %v", bill, err)
	}
}

func FuzzLayer(f *testing.F) {
	f.Add(tarOf(f, entry{name: "lib/apk/db/installed", content: apkMusl}, entry{name: "etc/.wh.x"}, entry{name: "a", kind: tar.TypeLink, link: "b"}))
	f.Add(tarOf(f, entry{name: "x.jar", content: nested(f, 2)}))
	f.Add(tarOf(f, entry{name: "var/lib/dpkg/status", content: dpkgBase}))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := read(t, Limits{Bytes: 8 << 20, Entries: 1000, File: 1 << 20}, b)
		if d.Inventory == sbom.Complete {
			t.Error("it calls itself complete")
		}
		for _, c := range d.Components {
			if _, err := sbom.ParsePURL(c.PURL); err != nil {
				t.Errorf("%q: %v", c.PURL, err)
			}
		}
	})
}

func FuzzDatabases(f *testing.F) {
	for _, s := range []string{apkMusl + apkSSL, dpkgBase, alpine} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		apk, _ := parseAPK(b)
		deb, _ := parseDpkg(b)
		for _, p := range append(apk, deb...) {
			if !p.sound() {
				t.Errorf("%+v", p)
			}
		}
		if r := parseRelease(b); strings.ContainsAny(r.id+r.version, " \t/") {
			t.Errorf("%+v", r)
		}
	})
}
