package ci

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	imageName   = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$`)
	imageTag    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	imageDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// image adds an image by name[:tag][@digest]. The digest is its version where there is
// one; a tag can be moved.
func (r *reference) image(text string, line int) {
	if text == "" || text == "scratch" {
		return
	}
	rest, digest, pinned := strings.Cut(text, "@")
	name, tag := rest, "latest"
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		name, tag = rest[:i], rest[i+1:]
	}
	if len(text) > 512 || !imageName.MatchString(name) || !imageTag.MatchString(tag) || pinned && !imageDigest.MatchString(digest) {
		r.gaps = append(r.gaps, aside(r.source, "line %d names an image that cannot be told: %s", line, shown(cut(text, 160))))
		return
	}
	name = withoutHub(name)
	if !pinned {
		r.put(ecosystemImages, name, tag, line)
		r.moving = append(r.moving, name+":"+tag)
		return
	}
	d := r.put(ecosystemImages, name, digest, line)
	d.Hashes = hashOfHex("sha256", strings.TrimPrefix(digest, "sha256:"))
}

// withoutHub writes the names of one image in one way.
func withoutHub(name string) string {
	for _, hub := range []string{"docker.io/", "index.docker.io/", "registry-1.docker.io/"} {
		name = strings.TrimPrefix(name, hub)
	}
	return strings.TrimPrefix(name, "library/")
}

// dockerfile reports whether a file is built into an image, by its name.
func dockerfile(base string) bool {
	base = strings.ToLower(base)
	for _, word := range []string{"dockerfile", "containerfile"} {
		if base == word || strings.HasPrefix(base, word+".") && !strings.HasSuffix(base, ".dockerignore") || strings.HasSuffix(base, "."+word) {
			return true
		}
	}
	return false
}

// maxStages bounds the stages of one file, and maxLogical a line with what continues it.
const (
	maxStages  = 10_000
	maxLogical = 64 << 10
)

// dockerfileText is what is known while a Dockerfile is read.
type dockerfileText struct {
	*reference
	args   map[string]string // defaults in front of the first FROM
	stages map[string]bool
	froms  int
}

// dockerfile reads the images that a Dockerfile is built from, and copies from.
func (r *reference) dockerfile(content []byte) error {
	x := &dockerfileText{reference: r, args: map[string]string{}, stages: map[string]bool{}}
	escape, directives := byte('\\'), 0
	lines := strings.Split(string(withoutBOM(content)), "\n")
	for i := 0; i < len(lines); i++ {
		text := strings.TrimSpace(lines[i])
		if x.froms == 0 && strings.HasPrefix(text, "#") && strings.EqualFold(strings.ReplaceAll(text, " ", ""), "#escape=`") {
			escape = '`'
		}
		if image, ok := syntaxOf(text); ok && i == directives {
			x.image(image, i+1)
		}
		if strings.HasPrefix(text, "#") && i == directives {
			directives++
		}
		first := i
		for !strings.HasPrefix(text, "#") && strings.HasSuffix(text, string(escape)) && i+1 < len(lines) && len(text) < maxLogical {
			i++
			if next := strings.TrimSpace(lines[i]); !strings.HasPrefix(next, "#") {
				text = text[:len(text)-1] + " " + next
			}
		}
		x.instruction(text, first+1)
		for _, word := range heredocs(text) { // whose text is no instruction
			for i++; i < len(lines) && strings.Trim(lines[i], "\t\r ") != word; i++ {
			}
			if i >= len(lines) {
				return fmt.Errorf("line %d: the text up to %s has no end", first+1, word)
			}
		}
		if len(x.stages) > maxStages {
			break
		}
	}
	return r.full()
}

var syntaxLine = regexp.MustCompile(`^#\s*syntax\s*=\s*(\S+)`)

// syntaxOf is the image that reads the file, where a comment in front of everything names
// one.
func syntaxOf(text string) (string, bool) {
	m := syntaxLine.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	return m[1], true
}

var heredoc = regexp.MustCompile(`^[0-9]*<<-?["']?([A-Za-z_][A-Za-z0-9_]*)["']?$`)

// heredocs are the words that end the texts behind a RUN or COPY.
func heredocs(text string) (words []string) {
	all := strings.Fields(text)
	if len(all) == 0 {
		return nil
	}
	switch strings.ToUpper(all[0]) {
	case "RUN", "COPY", "ADD":
		for _, w := range all[1:] {
			if m := heredoc.FindStringSubmatch(w); m != nil {
				words = append(words, m[1])
			}
		}
	}
	return words
}

func (x *dockerfileText) instruction(text string, line int) {
	words := strings.Fields(text)
	if len(words) < 2 {
		return
	}
	switch strings.ToUpper(words[0]) {
	case "ARG":
		for _, w := range words[1:] {
			if name, value, ok := strings.Cut(w, "="); ok && x.froms == 0 {
				x.args[name] = strings.Trim(value, `"'`)
			}
		}
	case "FROM":
		x.from(words[1:], line)
	case "COPY", "RUN": // --from=image, and --mount=type=bind,from=image
		for _, w := range words[1:] {
			if !strings.HasPrefix(w, "--") {
				break
			}
			for option := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(w, "--mount="), "--"), ",") {
				if image, ok := strings.CutPrefix(option, "from="); ok {
					x.base(image, line)
				}
			}
		}
	}
}

func (x *dockerfileText) from(words []string, line int) {
	x.froms++
	for len(words) > 0 && strings.HasPrefix(words[0], "--") { // the platform: the image is of the same name
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	x.base(words[0], line)
	if len(words) == 3 && strings.EqualFold(words[1], "AS") {
		x.stages[strings.ToLower(words[2])] = true
	}
}

// base takes an image, unless it is a stage of the same file, by name or number.
func (x *dockerfileText) base(text string, line int) {
	image, ok := expand(text, x.args)
	if !ok {
		x.gaps = append(x.gaps, aside(x.source, "line %d names an image by a value that only the build knows: %s", line, shown(cut(text, 160))))
		return
	}
	if !x.stages[strings.ToLower(image)] && strings.Trim(image, "0123456789") != "" {
		x.image(image, line)
	}
}

// variable is $NAME, ${NAME} or ${NAME:-default}.
var variable = regexp.MustCompile(`\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}$]*))?\}|([A-Za-z_][A-Za-z0-9_]*))`)

// expand puts in the defaults of variables; false where one has none, or is written in a
// way that is not read.
func expand(text string, args map[string]string) (string, bool) {
	ok := true
	for range 5 { // a default can hold another one
		if !strings.Contains(text, "$") || len(text) > 1024 {
			break
		}
		text = variable.ReplaceAllStringFunc(text, func(v string) string {
			m := variable.FindStringSubmatch(v)
			value := args[m[1]+m[3]]
			if value == "" {
				value = m[2]
			}
			ok = ok && value != ""
			return value
		})
	}
	return text, ok && !strings.Contains(text, "$")
}

func composeFile(base string) bool {
	return strings.HasPrefix(base, "docker-compose.") || strings.HasPrefix(base, "docker-compose-") || strings.HasPrefix(base, "compose.")
}

// compose reads the images of services. One that is built here as well is only named by
// it.
func (r *reference) compose(content []byte) error {
	docs, err := handYAML(content)
	if err != nil {
		return err
	}
	for _, d := range docs {
		err := mappings(d, "", 0, func(m *yaml.Node, _ string) {
			image := yamlMember(m, "image")
			if image == nil || yamlMember(m, "build") != nil {
				return
			}
			text, ok := expand(handWord(image), nil)
			if !ok {
				r.gaps = append(r.gaps, aside(r.source, "line %d names an image by a value that only the run knows: %s", image.Line, shown(cut(text, 160))))
				return
			}
			r.image(text, image.Line)
		})
		if err != nil {
			return err
		}
	}
	return r.full()
}
