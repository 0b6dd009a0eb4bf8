package layers

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const (
	maxManifest = 8 << 20 // bytes of a manifest of a language
	maxLicence  = 200     // bytes of what a manifest says of its licence
)

// languageReader is what reads a manifest that a package manager leaves beside a package.
func languageReader(name, base string) reader {
	switch {
	case base == "package.json" && inNodeModules(name):
		return manifest(readPackageJSON)
	case base == "METADATA" && strings.HasSuffix(parent(name), ".dist-info"),
		base == "PKG-INFO" && strings.HasSuffix(parent(name), ".egg-info"):
		return manifest(readPython)
	case strings.HasSuffix(base, ".egg-info"):
		return manifest(readPython)
	case strings.HasSuffix(base, ".gemspec") && strings.HasSuffix(parent(name), "/specifications") || strings.HasSuffix(base, ".gemspec") && strings.HasSuffix(parent(name), "/specifications/default"):
		return manifest(readGemspec)
	case strings.HasSuffix(base, ".deps.json"):
		return manifest(readDotnet)
	case base == "installed.json" && strings.HasSuffix("/"+parent(name), "/composer"):
		return manifest(readComposer)
	case isJar(base):
		return readJar
	}
	return nil
}

func manifest(read func(b []byte) ([]found, error)) reader {
	return func(f *file) ([]found, error) {
		if f.size > maxManifest {
			return nil, fmt.Errorf("it has %d bytes, and a manifest of at most %d is read", f.size, maxManifest)
		}
		b, err := f.bytes()
		if err != nil {
			return nil, err
		}
		return read(b)
	}
}

// inNodeModules reports whether a package.json is that of an installed package: the one at
// its root. Those further down are parts of it.
func inNodeModules(name string) bool {
	dir := parent(name)
	i := strings.LastIndex("/"+dir, "/node_modules/")
	if i < 0 {
		return false
	}
	rest := ("/" + dir)[i+len("/node_modules/"):]
	depth := strings.Count(rest, "/")
	return depth == 0 || depth == 1 && strings.HasPrefix(rest, "@")
}

func readPackageJSON(b []byte) ([]found, error) {
	var p struct {
		Name, Version string
		License       json.RawMessage
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, err
	}
	if p.Name == "" || p.Version == "" { // a marker of the module's type, no package
		return nil, errNothing
	}
	out := found{eco: "npm", name: p.Name, version: p.Version}
	_ = json.Unmarshal(p.License, &out.licence) // an object in old ones, which says nothing that is needed
	return out.checked()
}

// readPython reads the head of a METADATA file (PEP 566): fields until an empty line.
func readPython(b []byte) ([]found, error) {
	out := found{eco: "PyPI"}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch key {
		case "Name":
			out.name = value
		case "Version":
			out.version = value
		case "License", "License-Expression":
			out.licence = value
		}
	}
	return out.checked()
}

var (
	gemName    = regexp.MustCompile(`(?m)^\s*s\.name\s*=\s*["']([^"']{1,200})["']`)
	gemVersion = regexp.MustCompile(`(?m)^\s*s\.version\s*=\s*(?:Gem::Version\.new\(?\s*)?["']([^"']{1,200})["']`)
	gemLicense = regexp.MustCompile(`(?m)^\s*s\.licenses\s*=\s*\[["']([^"']{1,200})["']`)
)

// readGemspec reads what RubyGems writes when it installs: a program, of which the lines
// that name the gem always look alike.
func readGemspec(b []byte) ([]found, error) {
	name, version := gemName.FindSubmatch(b), gemVersion.FindSubmatch(b)
	if name == nil || version == nil {
		return nil, errors.New("it does not name its gem and version as RubyGems writes them")
	}
	out := found{eco: "RubyGems", name: string(name[1]), version: string(version[1])}
	if l := gemLicense.FindSubmatch(b); l != nil {
		out.licence = string(l[1])
	}
	return out.checked()
}

func (p found) checked() ([]found, error) {
	if len(p.licence) > maxLicence { // some paste the whole text
		p.licence = ""
	}
	if !p.sound() {
		return nil, fmt.Errorf("its name is %.60q and its version %.60q", p.name, p.version)
	}
	return []found{p}, nil
}
