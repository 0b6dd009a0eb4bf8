package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// database is the layout that osv-scanner looks for: a folder per ecosystem with an
// all.zip. Verdict imports the very same archives, so both judge by the same facts.
type database struct{ dir string }

func (d database) archive(ecosystem string) string {
	return filepath.Join(d.dir, "osv-scalibr", ecosystem, "all.zip")
}

const inventedPackages = 400 // of each ecosystem; every seventh is vulnerable

// published are the ecosystems whose advisories come from the corpora; for the others
// they are made up about made-up packages.
var published = map[string]string{"Go": "go-vulndb-osv.tar.gz", "PyPI": "pypa-osv-yaml.tar.gz", "crates.io": "rustsec-osv.tar.gz"}

var invented = []string{"npm", "RubyGems", "Packagist", "NuGet", "Maven"}

// fill writes the archive of every ecosystem and says which.
func (d database) fill(corpora string) (ecosystems []string, missing []string, err error) {
	for _, e := range []string{"Go", "PyPI", "crates.io"} {
		source := filepath.Join(corpora, "osv", published[e])
		if _, err := os.Stat(source); corpora == "" || err != nil {
			missing = append(missing, e)
			continue
		}
		if err := d.write(e, func(add func(id string, record any) error) error { return records(source, add) }); err != nil {
			return nil, nil, err
		}
		ecosystems = append(ecosystems, e)
	}
	for _, e := range invented {
		err := d.write(e, func(add func(id string, record any) error) error { return invent(e, inventedPackages/7, 7, add) })
		if err != nil {
			return nil, nil, err
		}
		ecosystems = append(ecosystems, e)
	}
	return ecosystems, missing, nil
}

func (d database) write(ecosystem string, each func(add func(id string, record any) error) error) (err error) {
	to := d.archive(ecosystem)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	z := zip.NewWriter(f)
	defer func() { err = errors.Join(err, z.Close(), f.Close()) }()
	return each(func(id string, record any) error {
		w, err := z.Create(id + ".json")
		if err != nil {
			return err
		}
		return json.NewEncoder(w).Encode(record)
	})
}

// records reads every OSV record of a tar.gz, in JSON or in YAML.
func records(source string, add func(id string, record any) error) error {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	g, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("open %s: %w", source, err)
	}
	t := tar.NewReader(g)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", source, err)
		}
		name := filepath.Base(h.Name)
		ending := filepath.Ext(name)
		if h.Typeflag != tar.TypeReg || ending != ".json" && ending != ".yaml" {
			continue
		}
		var record map[string]any
		if err := yaml.NewDecoder(t).Decode(&record); err != nil { // JSON is YAML
			return fmt.Errorf("read %s in %s: %w", h.Name, source, err)
		}
		if record["affected"] == nil {
			continue
		}
		if err := add(strings.TrimSuffix(name, ending), record); err != nil {
			return err
		}
	}
}

// invent writes advisories about every so-manieth made-up package of an ecosystem.
func invent(ecosystem string, n, step int, add func(id string, record any) error) error {
	for i := range n {
		id := fmt.Sprintf("BENCH-%s-%d", strings.ReplaceAll(ecosystem, ".", ""), i)
		kind := "ECOSYSTEM"
		if ecosystem == "npm" {
			kind = "SEMVER"
		}
		err := add(id, map[string]any{
			"schema_version": "1.6.0", "id": id, "modified": "2026-01-02T03:04:05Z", "published": "2026-01-02T03:04:05Z", "summary": "A made-up weakness of a made-up package",
			"aliases": []string{fmt.Sprintf("CVE-1999-%d", 100000+i)},
			"affected": []any{map[string]any{
				"package": map[string]any{"ecosystem": ecosystem, "name": names(ecosystem, i*step)},
				"ranges":  []any{map[string]any{"type": kind, "events": []any{map[string]any{"introduced": "0"}, map[string]any{"fixed": fmt.Sprintf("1.%d.0", 5+i%10)}}}},
			}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
