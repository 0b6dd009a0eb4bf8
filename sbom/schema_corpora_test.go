package sbom

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// officialFiles are the JSON documents of an archive of the corpora, by name.
func officialFiles(t testing.TB, archive string) map[string][]byte {
	t.Helper()
	f, err := os.Open(filepath.Join(corpora(t, "cyclonedx"), archive))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || path.Ext(h.Name) != ".json" {
			continue
		}
		if out[strings.TrimPrefix(h.Name, "./")], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

var officialName = regexp.MustCompile(`(valid|invalid)-.*-(1\.[2-7])\.json$`)

// judgedOtherwise are official documents that we judge otherwise, each with its reason.
var judgedOtherwise = map[string]string{
	"valid-license-expression-1.5.json": "it gives an expression a bom-ref, which the published schema of 1.5 does not have, nor has that of 1.6",
}

// The usual decoder reads every one of the invalid documents as if it were sound.
func TestOfficialDocumentsAreJudgedAsTheirNamesSay(t *testing.T) {
	valid, invalid := 0, 0
	for name, raw := range officialFiles(t, "cyclonedx-1.2-1.5-json.tar.gz") {
		said := officialName.FindStringSubmatch(path.Base(name))
		if said == nil {
			t.Logf("%s says nothing of itself", name)
			continue
		}
		_, err := ReadValidBill(raw)
		if reason := judgedOtherwise[path.Base(name)]; reason != "" {
			if (err == nil) == (said[1] == "valid") {
				t.Errorf("%s is judged as its name says, and is listed otherwise: %s", name, reason)
			}
			continue
		}
		if (err == nil) != (said[1] == "valid") {
			t.Errorf("%s: %v", name, err)
		}
		if said[1] == "valid" {
			valid++
		} else {
			invalid++
		}
	}
	t.Logf("%d valid documents accepted, %d invalid ones refused, %d judged otherwise", valid, invalid, len(judgedOtherwise))
}

// Documents that tools really write are not refused by a reading that is too strict.
func TestRealDocumentsAreAccepted(t *testing.T) {
	files, components := officialFiles(t, "bom-examples-json.tar.gz"), 0
	for name, raw := range files {
		b, err := ReadValidBill(raw)
		if err != nil || len(b.Remarks) > 0 {
			t.Errorf("%s: %+v, %v", name, b, err)
			continue
		}
		components += len(b.Components)
	}
	if len(files) == 0 {
		t.Error("the archive is empty")
	}
	t.Logf("%d documents with %d components accepted", len(files), components)
}

// What holds by our own reading of a schema and not by the library's would be let in
// without holding it. Every value of every small official document is taken out and
// replaced, one by one, and the two must agree on each.
func TestRulesJudgeAsTheLibraryDoes(t *testing.T) {
	judged, refused, limit := 0, 0, 800
	if os.Getenv("VERDICT_LONG") != "" {
		limit = 4_000
	}
	for name, raw := range officialFiles(t, "cyclonedx-1.2-1.5-json.tar.gz") {
		said := officialName.FindStringSubmatch(path.Base(name))
		if said == nil || len(raw) > limit {
			continue
		}
		var doc map[string]any
		if json.Unmarshal(raw, &doc) != nil {
			t.Fatal(name)
		}
		versions := []string{said[2]}
		if said[2] == "1.5" {
			versions = []string{"1.5", "1.6", "1.7"}
		}
		for _, version := range versions {
			doc["specVersion"] = version
			r, err := cycloneDXSchemas[version]()
			if err != nil {
				t.Fatal(err)
			}
			everyChange(doc, func() {
				text, err := json.Marshal(doc)
				if err != nil {
					t.Fatal(err)
				}
				var tree jsonTree
				tree.read(text, 0)
				ours, theirs := r.holds(&tree, 0), r.source.Validate(tree.plain(0)) == nil
				if judged++; !ours {
					refused++
				}
				_, err = ReadValidBill(text)
				if ours != theirs || ours != (err == nil) && doc["$schema"] == nil && doc["specVersion"] == version {
					t.Errorf("%s: we say %v, the library %v, and the reader %v: %s", name, ours, theirs, err, text)
				}
			})
		}
	}
	t.Logf("%d documents judged, %d of them refused", judged, refused)
}

// everyChange calls f with each change of one value below v, and undoes it.
func everyChange(v any, f func()) {
	others := []any{nil, true, "", "x", "http://a b", json.Number("1"), json.Number("1.5"), json.Number("-3"), []any{}, []any{"a", "a"}, map[string]any{}}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			old := v[name]
			delete(v, name)
			f()
			for _, o := range others {
				v[name] = o
				f()
			}
			v[name] = old
			everyChange(old, f)
		}
		v["unheard-of"] = "x"
		f()
		delete(v, "unheard-of")
	case []any:
		for i, old := range v {
			for _, o := range others {
				v[i] = o
				f()
			}
			if v[i] = old; len(v) > 1 {
				v[i] = v[(i+1)%len(v)] // twice
				f()
				v[i] = old
			}
			everyChange(old, f)
		}
	}
}
