package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// badRegistries are registries that are filled like an honest one and then behave badly: what
// they do to a GET, or false where they answer as they should.
var badRegistries = map[string]func(w http.ResponseWriter, r *http.Request) bool{
	// redirect sends everybody who asks for a manifest to an address inside.
	"redirect": func(w http.ResponseWriter, r *http.Request) bool {
		if forManifest(r) {
			http.Redirect(w, r, "https://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect)
		}
		return forManifest(r)
	},
	// liar answers other bytes than those of the digest.
	"liar": func(w http.ResponseWriter, r *http.Request) bool {
		if forManifest(r) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			io.WriteString(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`)
		}
		return forManifest(r)
	},
	// hang never answers who asks for a manifest.
	"hang": func(_ http.ResponseWriter, r *http.Request) bool {
		if forManifest(r) {
			<-r.Context().Done()
		}
		return forManifest(r)
	},
	// stall begins an answer and never ends it.
	"stall": func(w http.ResponseWriter, r *http.Request) bool {
		if forManifest(r) {
			io.WriteString(w, "{")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
		return forManifest(r)
	},
	// self gives an index that names itself, whatever it is asked for: by the digest that it
	// says that it has.
	"self": func(w http.ResponseWriter, r *http.Request) bool {
		if forManifest(r) {
			const itself = "sha256:5555555555555555555555555555555555555555555555555555555555555555"
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			w.Header().Set("Docker-Content-Digest", itself)
			fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":%q,"size":230}]}`, itself)
		}
		return forManifest(r)
	},
	// endless has always one more page of what refers to a digest.
	"endless": func(w http.ResponseWriter, r *http.Request) bool {
		of := strings.Contains(r.URL.Path, "/referrers/")
		if of {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			w.Header().Set("Link", fmt.Sprintf("<%s?after=%s1>; rel=\"next\"", r.URL.Path, r.URL.Query().Get("after")))
			io.WriteString(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
		}
		return of
	},
}

func forManifest(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }

// saveLayout is the script command `layout FOLDER DIGEST`: an image of the registry as an OCI
// layout in a folder, as `skopeo copy` writes it.
func saveLayout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: layout FOLDER DIGEST")
	}
	dir := ts.MkAbs(args[0])
	keep := func(name string, b []byte) {
		name = filepath.Join(dir, name)
		ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
		ts.Check(os.WriteFile(name, b, 0o644))
	}
	var save func(digest, kind string) (mediaType string, size int)
	save = func(digest, kind string) (string, int) {
		resp, err := http.Get("http://" + ts.Getenv("REGISTRY") + "/v2/acme/app/" + kind + "/" + digest)
		ts.Check(err)
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		ts.Check(err)
		keep("blobs/sha256/"+strings.TrimPrefix(digest, "sha256:"), raw)
		if kind == "manifests" {
			for i, part := range strings.Split(string(raw), `"digest":"`) {
				inner := "blobs"
				if strings.Contains(resp.Header.Get("Content-Type"), "index") {
					inner = "manifests"
				}
				if i > 0 {
					save(part[:71], inner)
				}
			}
		}
		return resp.Header.Get("Content-Type"), len(raw)
	}
	mediaType, size := save(args[1], "manifests")
	keep("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	keep("index.json", fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`, mediaType, args[1], size))
}

// damageLayout is the script command `damage FOLDER`: every manifest of a layout has a byte more.
func damageLayout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage FOLDER")
	}
	names, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "blobs", "sha256", "*"))
	ts.Check(err)
	for _, name := range names {
		raw, err := os.ReadFile(name)
		ts.Check(err)
		if strings.Contains(string(raw), "schemaVersion") {
			ts.Check(os.WriteFile(name, append(raw, ' '), 0o644))
		}
	}
}
