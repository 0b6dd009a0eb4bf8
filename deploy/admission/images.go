package admission

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"verdict"
)

// Image is one image that an object would have run.
type Image struct {
	Path string // in the object: spec.template.spec.containers[0]
	Ref  string // as it stands there; empty where a container names none
}

// containerLists are the fields of a pod's spec that list containers.
var containerLists = []string{"containers", "ephemeralContainers", "initContainers"}

// imagesIn finds the images of every pod and pod template in an object, by their shape: an
// object that lists containers. So a list of objects, and a kind that nobody here has heard
// of, are read as those that a cluster always has.
func imagesIn(raw json.RawMessage, kind GroupKind) ([]Image, named, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, named{}, nil
	}
	var object any
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, named{}, invalid(fmt.Sprintf("the object is no JSON: %.200v", err))
	}
	top, ok := object.(map[string]any)
	if !ok {
		return nil, named{}, invalid("the object is no JSON object")
	}
	f, name := finder{strict: builtIn(kind.Group)}, nameOf(top)
	delete(top, "metadata") // of names and of who changed what, which is the largest part of many
	f.walk(top, "")
	if len(f.found) > maxImages {
		return nil, name, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("the object would run more than %d images", maxImages), Remedy: "divide it"}
	}
	return f.found, name, nil
}

// named is how an object is called, and what controls it.
type named struct {
	name  string
	owner string // "Kind/name"; empty: nothing controls it
}

// nameOf reads the metadata of an object. What has another shape names nothing.
func nameOf(object map[string]any) (n named) {
	meta, _ := object["metadata"].(map[string]any)
	text := func(m map[string]any, key string) string { s, _ := m[key].(string); return clip(s) }
	if n.name = text(meta, "name"); n.name == "" {
		if prefix := text(meta, "generateName"); prefix != "" {
			n.name = prefix + "*"
		}
	}
	refs, _ := meta["ownerReferences"].([]any)
	for _, r := range refs {
		if ref, _ := r.(map[string]any); ref["controller"] == true {
			n.owner = text(ref, "kind") + "/" + text(ref, "name")
		}
	}
	return n
}

type finder struct {
	strict bool // a container that names no image is told
	found  []Image
}

func (f *finder) walk(v any, path string) {
	if len(f.found) > maxImages {
		return
	}
	switch v := v.(type) {
	case []any:
		for i, x := range v {
			f.walk(x, fmt.Sprintf("%s[%d]", path, i))
		}
	case map[string]any:
		pod := false
		for _, key := range containerLists {
			pod = f.containers(v[key], under(path, key)) || pod
		}
		if pod {
			f.volumes(v["volumes"], under(path, "volumes"))
		}
		for _, key := range slices.Sorted(maps.Keys(v)) { // in an order that stays: messages are compared
			switch v[key].(type) {
			case map[string]any, []any:
				f.walk(v[key], under(path, key))
			}
		}
	}
}

// under is the path of a member. Paths are told to people, and whoever makes an object names
// its members.
func under(path, key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(key) {
		key = quoted(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// containers takes the images of a list of containers; false for what is none.
func (f *finder) containers(v any, path string) (pod bool) {
	list, _ := v.([]any)
	for i, x := range list {
		c, ok := x.(map[string]any)
		if !ok {
			continue
		}
		image, named := c["image"].(string)
		if named || f.strict {
			f.found, pod = append(f.found, Image{fmt.Sprintf("%s[%d]", path, i), image}), true
		}
	}
	return pod
}

// volumes takes the images that are mounted.
func (f *finder) volumes(v any, path string) {
	list, _ := v.([]any)
	for i, x := range list {
		volume, _ := x.(map[string]any)
		if source, ok := volume["image"].(map[string]any); ok {
			ref, _ := source["reference"].(string)
			f.found = append(f.found, Image{fmt.Sprintf("%s[%d]", path, i), ref})
		}
	}
}

// reference is an image as a container names it.
type reference struct {
	Name   string         // as it is written, without tag and digest
	Tag    string         // empty: none
	Digest verdict.Digest // empty: none
}

// readReference reads how a container names an image; false for what no runtime would pull.
func readReference(ref string) (r reference, ok bool) {
	name, digest, pinned := strings.Cut(ref, "@")
	if pinned {
		d, err := verdict.ParseDigest(digest)
		if err != nil || d.Algorithm() != "sha256" && d.Algorithm() != "sha512" {
			return r, false
		}
		r.Digest = d
	}
	last := strings.LastIndexByte(name, '/')
	if colon := strings.LastIndexByte(name, ':'); colon > last { // a colon before the last slash is that of a port
		name, r.Tag = name[:colon], name[colon+1:]
		if r.Tag == "" || len(r.Tag) > 128 || strings.Trim(r.Tag, tagLetters) != "" {
			return r, false
		}
	}
	r.Name = name
	return r, name != "" && len(name) <= 255 && strings.Trim(name, nameLetters) == "" && !strings.Contains(name, "//") && !strings.HasPrefix(name, "/") && !strings.HasSuffix(name, "/")
}

const (
	tagLetters  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
	nameLetters = tagLetters + "/:[]"
)

// repository is a name in the form in which two spellings of one are equal: what names no
// registry is in that of Docker.
func repository(name string) string {
	first, rest, several := strings.Cut(name, "/")
	switch {
	case !several:
		return "docker.io/library/" + name
	case first == "index.docker.io":
		return "docker.io/" + rest
	case !strings.ContainsAny(first, ".:") && first != "localhost":
		return "docker.io/" + name
	}
	return name
}

// Named lists what requests name: digests, and the names of images that have none. It is for
// who looks up no more than that.
func Named(requests []*Request) (digests []verdict.Digest, names []string, err error) {
	for _, r := range requests {
		images, _, err := imagesIn(r.Object, r.Kind)
		if err != nil {
			return nil, nil, err
		}
		for _, i := range images {
			switch ref, ok := readReference(i.Ref); {
			case !ok:
			case ref.Digest != "":
				digests = append(digests, ref.Digest)
			default:
				names = append(names, ref.Name)
			}
		}
	}
	slices.Sort(digests)
	slices.Sort(names)
	return slices.Compact(digests), slices.Compact(names), nil
}

// SameName reports whether two names of images are of one repository.
func SameName(a, b string) bool { return repository(a) == repository(b) }
