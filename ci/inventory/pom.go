package inventory

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// pom is one Maven project file, as it stands: nothing of it is resolved.
type pom struct {
	source               string
	group, name, version string
	parent               *pomParent
	properties           map[string]string
	managed, asks        []pomDependency
}

type pomParent struct {
	group, name, version string
	// place is the relative path: "../pom.xml" when it is not given, "" when the parent is
	// said to be elsewhere.
	place string
}

type pomDependency struct {
	group, name, version, scope, kind string
	line                              int64
}

// maxPOMDepth bounds nesting and parents.
const maxPOMDepth = 100

// parsePOM reads a project file. Entities that a file defines itself are refused, so
// that it cannot grow while it is read.
func parsePOM(p string, content []byte) (*pom, error) {
	d := xml.NewDecoder(bytes.NewReader(content))
	d.CharsetReader = charset
	r := &pomReader{d: d, lines: lineCounter{text: content, line: 1}, pom: &pom{source: p, properties: map[string]string{}}}
	if err := r.read(); err != nil {
		return nil, fmt.Errorf("line %d: %w", r.lines.at(d.InputOffset()), err)
	}
	if r.pom.parent != nil {
		if r.pom.group == "" {
			r.pom.group = r.pom.parent.group
		}
		if r.pom.version == "" {
			r.pom.version = r.pom.parent.version
		}
	}
	return r.pom, nil
}

// pomReader walks the elements with the path that leads to each.
type pomReader struct {
	d     *xml.Decoder
	lines lineCounter
	pom   *pom
	path  []string
	word  strings.Builder
	dep   *pomDependency
}

func (r *pomReader) read() error {
	seen := false
	for {
		t, err := r.d.Token()
		if errors.Is(err, io.EOF) {
			if !seen {
				return errors.New("there is no project element")
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if len(r.path) == 0 && t.Name.Local != "project" {
				return fmt.Errorf("the file is a %.40q, no project", t.Name.Local)
			}
			seen = true
			if err := r.start(t.Name.Local); err != nil {
				return err
			}
		case xml.CharData:
			if r.word.Len() < 64<<10 {
				r.word.Write(t)
			}
		case xml.EndElement:
			r.end(strings.TrimSpace(r.word.String()))
		}
	}
}

func (r *pomReader) start(name string) error {
	r.path = append(r.path, name)
	if len(r.path) > maxPOMDepth {
		return fmt.Errorf("nested deeper than %d", maxPOMDepth)
	}
	r.word.Reset()
	switch at := strings.Join(r.path, "/"); {
	case at == "project/parent":
		r.pom.parent = &pomParent{place: "../pom.xml"}
	case strings.HasSuffix(at, "dependencies/dependency") && r.dependencies() != nil:
		r.dep = &pomDependency{line: r.lines.at(r.d.InputOffset())}
	}
	return nil
}

// dependencies is the list that the dependency under way belongs to; nil for one of a
// plugin, which takes part in the build and not in the product.
func (r *pomReader) dependencies() *[]pomDependency {
	at := r.path[:len(r.path)-1]
	if len(at) > 2 && at[1] == "profiles" && at[2] == "profile" {
		at = append([]string{"project"}, at[3:]...)
	}
	switch strings.Join(at, "/") {
	case "project/dependencies":
		return &r.pom.asks
	case "project/dependencyManagement/dependencies":
		return &r.pom.managed
	}
	return nil
}

func (r *pomReader) end(word string) {
	at := strings.Join(r.path, "/")
	name := r.path[len(r.path)-1]
	above := strings.TrimSuffix(at, "/"+name)
	switch {
	case r.dep != nil && name == "dependency":
		if list := r.dependencies(); list != nil {
			*list = append(*list, *r.dep)
		}
		r.dep = nil
	case r.dep != nil && strings.HasSuffix(above, "/dependency"):
		set(map[string]*string{"groupId": &r.dep.group, "artifactId": &r.dep.name, "version": &r.dep.version, "scope": &r.dep.scope, "type": &r.dep.kind}, name, word)
	case above == "project/parent":
		p := r.pom.parent
		set(map[string]*string{"groupId": &p.group, "artifactId": &p.name, "version": &p.version, "relativePath": &p.place}, name, word)
	case above == "project/properties" || strings.HasPrefix(at, "project/profiles/profile/properties/"):
		if _, known := r.pom.properties[name]; !known || above == "project/properties" {
			r.pom.properties[name] = word
		}
	case above == "project":
		set(map[string]*string{"groupId": &r.pom.group, "artifactId": &r.pom.name, "version": &r.pom.version}, name, word)
	}
	r.path = r.path[:len(r.path)-1]
	r.word.Reset()
}

func set(places map[string]*string, name, value string) {
	if place := places[name]; place != nil {
		*place = value
	}
}

// lineCounter tells lines of growing offsets.
type lineCounter struct {
	text   []byte
	offset int64
	line   int64
}

func (c *lineCounter) at(offset int64) int64 {
	if offset > c.offset && offset <= int64(len(c.text)) {
		c.line += int64(bytes.Count(c.text[c.offset:offset], []byte("\n")))
		c.offset = offset
	}
	return c.line
}

// charset reads the encodings in which project files are written.
func charset(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1", "windows-1252", "iso-8859-15":
		b, err := io.ReadAll(io.LimitReader(in, 64<<20))
		if err != nil {
			return nil, err
		}
		out := make([]byte, 0, len(b)+len(b)/8)
		for _, c := range b {
			out = utf8.AppendRune(out, rune(c))
		}
		return bytes.NewReader(out), nil
	}
	return nil, fmt.Errorf("the encoding %.40q is not read", label)
}
