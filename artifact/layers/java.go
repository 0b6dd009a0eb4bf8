package layers

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Limits of archives of Java.
const (
	maxJarDepth   = 3       // of an archive in an archive
	maxJarFiles   = 100_000 // in one file of a layer, with those of the archives in it
	maxJarBytes   = 1 << 30 // unpacked, in one file of a layer
	maxProperties = 1 << 20 // bytes of pom.properties and MANIFEST.MF
	maxJarRatio   = 300     // of one archive in an archive, from 16 MiB on
)

func isJar(base string) bool {
	switch path.Ext(base) {
	case ".jar", ".war", ".ear":
		return true
	}
	return false
}

// readJar reads the Maven coordinates in an archive and in those inside of it.
func readJar(f *file) ([]found, error) {
	b, err := f.bytes()
	if err != nil {
		return nil, err
	}
	j := &jar{}
	err = j.read(b, f.name, 1)
	for _, n := range j.nameless {
		f.x.open(n, "it does not say which package it is: it has no Maven coordinates", true)
	}
	return j.out, err
}

// jar is one archive of a layer being read.
type jar struct {
	out      []found
	files    int
	bytes    int64
	nameless []string
}

func (j *jar) read(b []byte, name string, depth int) error {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	if j.files += len(z.File); j.files > maxJarFiles {
		return fmt.Errorf("it holds more than %d files", maxJarFiles)
	}
	before := len(j.out)
	var manifest *found
	for _, f := range z.File {
		clean := path.Clean(f.Name)
		switch {
		case strings.HasPrefix(clean, "META-INF/maven/") && path.Base(clean) == "pom.properties":
			raw, err := j.open(f, maxProperties)
			if err != nil {
				return err
			}
			p := found{eco: "Maven"}
			fields := properties(raw, "=")
			p.name, p.version = fields["groupId"]+":"+fields["artifactId"], fields["version"]
			if fields["groupId"] != "" && fields["artifactId"] != "" && p.sound() {
				j.out = append(j.out, p)
			}
		case clean == "META-INF/MANIFEST.MF":
			raw, err := j.open(f, maxProperties)
			if err != nil {
				return err
			}
			manifest = fromManifest(properties(raw, ":"))
		case isJar(path.Base(clean)):
			if depth >= maxJarDepth {
				return fmt.Errorf("archives in it nest deeper than %d", maxJarDepth)
			}
			raw, err := j.open(f, maxJarBytes)
			if err != nil {
				return err
			}
			if err := j.read(raw, name+"!"+clean, depth+1); err != nil {
				return fmt.Errorf("%.200q in it: %w", clean, err)
			}
		}
	}
	switch {
	case len(j.out) > before:
	case manifest != nil:
		j.out = append(j.out, *manifest)
	default:
		j.nameless = append(j.nameless, name)
	}
	return nil
}

// open unpacks one file within the limits. What a header says of its size is not believed.
func (j *jar) open(f *zip.File, most int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	most = min(most, maxJarBytes-j.bytes)
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	j.bytes += int64(len(b))
	switch {
	case int64(len(b)) > most, len(b) > 16<<20 && uint64(len(b))/maxJarRatio > f.CompressedSize64:
		return nil, fmt.Errorf("%w: %.200q", errBomb, f.Name)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	}
	return b, nil
}

// properties reads lines of key and value.
func properties(b []byte, sep string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, sep); ok && !strings.HasPrefix(line, "#") && len(out) < 1000 {
			out[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return out
}

// fromManifest is the package that a MANIFEST.MF names by group, as Maven's plugin and
// OSGi bundles do; nil where it does not say the group.
func fromManifest(m map[string]string) *found {
	group, name, version := m["Implementation-Vendor-Id"], m["Implementation-Title"], m["Implementation-Version"]
	if version == "" {
		version = m["Bundle-Version"]
	}
	p := found{eco: "Maven", name: group + ":" + name, version: version}
	if group == "" || name == "" || strings.Contains(group+name, ":") || !p.sound() {
		return nil
	}
	return &p
}
