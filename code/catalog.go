package code

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/git"
)

// catalogFile is the name of Backstage's file, in any folder.
const catalogFile = "catalog-info.yaml"

// maxYAMLDepth bounds the nesting of a catalog file, and maxYAMLOpen the brackets that
// are open at once, before the parser recurses into them.
const (
	maxYAMLDepth = 64
	maxYAMLOpen  = 1000
	maxEntities  = 1000
)

// entity is what a document of a catalog file says, as far as it is about ownership.
type entity struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name        string         `yaml:"name"`
		Annotations map[string]any `yaml:"annotations"`
	} `yaml:"metadata"`
	Spec struct {
		Owner any `yaml:"owner"`
	} `yaml:"spec"`
}

// inCatalog are the kinds of entities whose source is the folder that they stand in.
// Systems, domains, users and groups describe no source.
var inCatalog = map[string]bool{"component": true, "resource": true, "api": true, "template": true}

// parseCatalog reads a catalog file. An entity owns the folder that its source-location
// names, where that is a folder of this repository, and else the folder of the file.
func parseCatalog(name, repository string, content []byte) *source {
	s := &source{path: name, form: "backstage"}
	if open(content) > maxYAMLOpen {
		s.fault(1, "it is nested too deep; it owns nothing")
		return s
	}
	dec := yaml.NewDecoder(bytes.NewReader(content))
	for n := 0; ; n++ {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return s
		}
		if err == nil && n == maxEntities {
			err = fmt.Errorf("there are more than %d", maxEntities)
		}
		if err != nil {
			s.fault(1, "document %d cannot be read, and the file owns nothing: %v", n+1, err)
			s.rules = nil // what stands before a broken document may be half of it
			return s
		}
		if !plainYAML(&doc, 0) {
			s.fault(doc.Line, "anchors, aliases and nesting beyond %d are not read; the file owns nothing", maxYAMLDepth)
			s.rules = nil
			return s
		}
		s.entity(&doc, repository)
	}
}

func open(content []byte) int {
	depth, most := 0, 0
	for _, c := range content {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		most = max(most, depth)
	}
	return most
}

// plainYAML refuses anchors and aliases, with which a small file unfolds into a huge one
// and what a line says stands elsewhere.
func plainYAML(n *yaml.Node, depth int) bool {
	if depth > maxYAMLDepth || n.Kind == yaml.AliasNode || n.Anchor != "" {
		return false
	}
	for _, c := range n.Content {
		if !plainYAML(c, depth+1) {
			return false
		}
	}
	return true
}

func (s *source) entity(doc *yaml.Node, repository string) {
	var e entity
	if err := doc.Decode(&e); err != nil {
		s.fault(doc.Line, "the entity cannot be read: %v", err)
		return
	}
	owner, _ := e.Spec.Owner.(string)
	if !inCatalog[strings.ToLower(e.Kind)] {
		return
	}
	line := ownerLine(doc)
	if owner == "" || strings.ContainsAny(owner, " \t\n") {
		s.fault(line, "%s %q names no owner", e.Kind, e.Metadata.Name)
		return
	}
	folder := path.Dir(s.path)
	if said, ok := e.Metadata.Annotations["backstage.io/source-location"].(string); ok {
		if folder, ok = sourceFolder(said, path.Dir(s.path), repository); !ok {
			s.fault(line, "the source-location of %q is elsewhere: %s", e.Metadata.Name, said)
			return
		}
	}
	s.rules = append(s.rules, rule{
		pattern: folderPattern(folder), text: folder, line: int64(line), owners: []string{catalogOwner(owner)}, file: s.path,
		unit: s.path + "#" + strings.ToLower(e.Kind+":"+e.Metadata.Name),
	})
}

// catalogOwner writes an entity reference out: kind:namespace/name, where the kind is
// group and the namespace default unless they are said.
func catalogOwner(ref string) string {
	kind, rest, found := strings.Cut(ref, ":")
	if !found {
		kind, rest = "group", ref
	}
	if !strings.Contains(rest, "/") {
		rest = "default/" + rest
	}
	return shown(strings.ToLower(kind + ":" + rest))
}

// ownerLine is the line of spec.owner; that of the document where there is none.
func ownerLine(doc *yaml.Node) int {
	n := doc
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for _, key := range []string{"spec", "owner"} {
		found := false
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				n, found = n.Content[i+1], true
				break
			}
		}
		if !found {
			break
		}
	}
	return max(n.Line, 1)
}

// sourceFolder is the folder of this repository that a source-location names: "dir:./x"
// or "url:https://host/repository/tree/branch/x/". False when it is of another place.
func sourceFolder(said, here, repository string) (string, bool) {
	kind, where, _ := strings.Cut(strings.TrimSpace(said), ":")
	switch kind {
	case "dir":
		return inside(path.Join(here, where))
	case "url":
		u, err := url.Parse(where)
		if err != nil || u.Host == "" {
			return "", false
		}
		return urlFolder(u, repository)
	}
	return "", false
}

// urlFolder cuts the folder out of a forge's address: the part behind tree/BRANCH,
// blob/BRANCH (GitHub, GitLab with -/), or the path of Azure's query.
func urlFolder(u *url.URL, repository string) (string, bool) {
	whole := strings.TrimSuffix(u.Path, "/")
	folder := "."
	for _, mark := range []string{"/-/tree/", "/-/blob/", "/tree/", "/blob/"} {
		if before, after, found := strings.Cut(u.Path, mark); found {
			whole = before
			if _, rest, deeper := strings.Cut(after, "/"); deeper {
				folder = rest
			}
			break
		}
	}
	if p := u.Query().Get("path"); p != "" {
		folder = p
	}
	if !git.SameRepository(fmt.Sprintf("https://%s%s", u.Host, whole), repository) {
		return "", false
	}
	return inside(strings.Trim(folder, "/"))
}

// inside cleans a folder of the repository; false when it leads out of it.
func inside(folder string) (string, bool) {
	folder = path.Clean(strings.TrimPrefix(folder, "/"))
	return folder, folder != ".." && !strings.HasPrefix(folder, "../")
}
