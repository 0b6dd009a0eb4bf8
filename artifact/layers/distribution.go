package layers

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Limits of the databases of distributions.
const (
	maxPackages = 200_000 // of one database
	maxLine     = 1 << 20 // bytes of one line
	maxField    = 512     // bytes of a name or version
)

// release is what /etc/os-release says.
type release struct {
	path    string
	id      string // "debian"
	version string // "12"; empty for rolling ones
}

// take keeps the better of two: etc is what an engine's tools read, and an upper layer
// comes first.
func (r *release) take(path string, of release) {
	if r.path == "" || r.path != "etc/os-release" && path == "etc/os-release" {
		*r, r.path = of, path
	}
}

func readRelease(f *file) ([]found, error) {
	if f.size > maxLine {
		return nil, errors.New("it is too large for what it is")
	}
	b, err := f.bytes()
	if err != nil {
		return nil, err
	}
	r := parseRelease(b)
	if r.id == "" {
		return nil, errors.New("it names no distribution")
	}
	return []found{{release: &r}}, nil
}

// parseRelease reads os-release(5).
func parseRelease(b []byte) release {
	var r release
	pack := ""
	for line := range strings.Lines(string(b)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		value = strings.Trim(value, `"'`)
		if key == "PRETTY_NAME" {
			pack = servicePack.FindString(value)
		}
		if len(value) > 64 || strings.ContainsAny(value, "/ \t&?#%") {
			continue
		}
		switch key {
		case "ID":
			r.id = strings.ToLower(value)
		case "VERSION_ID":
			r.version = value
		}
	}
	if pack = strings.Trim(pack, "()"); r.id == "openeuler" && r.version != "" && pack != "" {
		r.version += "-" + strings.ReplaceAll(pack, " ", "-")
	}
	return r
}

// servicePack is where openEuler says which of the releases of one number it is.
var servicePack = regexp.MustCompile(`\(LTS([- ]SP[0-9]{1,2})?\)`)

// stanzas calls each with the fields of every block of lines. Lines that go on (with a
// space in front) belong to the field before, and are not needed here.
func stanzas(b []byte, sep string, each func(field map[string]string) error) error {
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(make([]byte, 64<<10), maxLine)
	field, count := map[string]string{}, 0
	flush := func() error {
		if len(field) == 0 {
			return nil
		}
		if count++; count > maxPackages {
			return fmt.Errorf("it lists more than %d packages", maxPackages)
		}
		err := each(field)
		clear(field)
		return err
	}
	for s.Scan() {
		line := strings.TrimRight(s.Text(), "\r")
		if strings.TrimSpace(line) == "" {
			if err := flush(); err != nil {
				return err
			}
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			continue
		}
		key, value, ok := strings.Cut(line, sep)
		if !ok {
			return fmt.Errorf("a line of it is %.60q", line)
		}
		if _, twice := field[key]; !twice {
			field[key] = strings.TrimSpace(value)
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	return flush()
}

// readAPK reads the database of apk: blocks of lines X:value (apk-tools, "database").
func readAPK(f *file) ([]found, error) {
	b, err := f.bytes()
	if err != nil {
		return nil, err
	}
	return parseAPK(b)
}

func parseAPK(b []byte) ([]found, error) {
	var out []found
	err := stanzas(b, ":", func(field map[string]string) error {
		p := found{eco: "apk", name: field["P"], version: field["V"], arch: field["A"], source: field["o"], licence: field["L"]}
		if !p.sound() {
			return fmt.Errorf("a package of it has the name %.60q and the version %.60q", p.name, p.version)
		}
		out = append(out, p)
		return nil
	})
	return out, err
}

// readDpkg reads dpkg's status file, or one of the files of status.d, which images
// without a package manager have.
func readDpkg(f *file) ([]found, error) {
	b, err := f.bytes()
	if err != nil {
		return nil, err
	}
	return parseDpkg(b)
}

func parseDpkg(b []byte) ([]found, error) {
	var out []found
	err := stanzas(b, ":", func(field map[string]string) error {
		// A file of status.d has no status. Of what was removed the configuration is left.
		if s := field["Status"]; s != "" && !strings.HasSuffix(s, " installed") {
			return nil
		}
		p := found{eco: "deb", name: field["Package"], version: field["Version"], arch: field["Architecture"]}
		p.source = field["Source"]
		if name, version, ok := strings.Cut(p.source, " ("); ok {
			p.source, p.sourceVersion = name, strings.TrimSuffix(version, ")")
		}
		if !p.sound() {
			return fmt.Errorf("a package of it has the name %.60q and the version %.60q", p.name, p.version)
		}
		out = append(out, p)
		return nil
	})
	return out, err
}

// sound reports whether name and version can be those of a package.
func (p found) sound() bool {
	for _, s := range []string{p.name, p.version} {
		if s == "" || len(s) > maxField || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xfffd }) {
			return false
		}
	}
	return len(p.source) <= maxField && len(p.arch) <= maxField && len(p.sourceVersion) <= maxField
}
