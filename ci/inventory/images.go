package inventory

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
	"verdict/ci/wording"
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
		r.gaps = append(r.gaps, wording.Aside(r.source, "line %d names an image that cannot be told: %s", line, wording.Shown(wording.Cut(text, 160))))
		return
	}
	name = withoutHub(name)
	if !pinned {
		r.put(EcosystemImages, name, tag, line)
		r.moving = append(r.moving, name+":"+tag)
		return
	}
	d := r.put(EcosystemImages, name, digest, line)
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

// maxStages bounds the stages of one file.
const maxStages = 10_000

// dockerfileText is what is known while a Dockerfile is read.
type dockerfileText struct {
	*reference
	args   map[string]string // defaults in front of the first FROM
	stages map[string]bool
	froms  int
	escape string // the character that continues a line
	lines  []string
	at     int
}

// dockerfile reads the images that a Dockerfile is built from, and copies from.
func (r *reference) dockerfile(content []byte) error {
	x := &dockerfileText{reference: r, args: map[string]string{}, stages: map[string]bool{}, escape: "\\"}
	x.lines = strings.Split(string(withoutBOM(content)), "\n")
	for head := true; x.at < len(x.lines); {
		first := x.at + 1
		text := strings.TrimSpace(x.lines[x.at])
		if head = head && strings.HasPrefix(text, "#"); head {
			x.directive(text, first)
		}
		if strings.HasPrefix(text, "#") {
			x.at++
			continue
		}
		text = x.logical()
		x.instruction(text, first)
		for _, end := range heredocs(text) {
			if !x.passOver(end) {
				return fmt.Errorf("line %d: the text up to %s has no end", first, end.word)
			}
		}
		if x.froms > maxStages {
			return fmt.Errorf("it has more than %d stages", maxStages)
		}
	}
	return r.full()
}

// directive takes what a comment in front of everything says about how to read the file.
func (x *dockerfileText) directive(text string, line int) {
	m := directiveLine.FindStringSubmatch(text)
	switch {
	case m == nil:
	case strings.EqualFold(m[1], "escape") && m[2] == "`":
		x.escape = "`"
	case strings.EqualFold(m[1], "syntax"): // the image that reads the file
		x.image(m[2], line)
	}
}

// logical takes a line with those that continue it. Comments and empty lines between them
// do not end it.
func (x *dockerfileText) logical() string {
	var b strings.Builder
	for x.at < len(x.lines) {
		line := strings.TrimRight(x.lines[x.at], " \t\r")
		x.at++
		if trimmed := strings.TrimSpace(line); b.Len() > 0 && (trimmed == "" || trimmed[0] == '#') {
			continue
		}
		more, goesOn := strings.CutSuffix(line, x.escape)
		b.WriteString(more)
		if !goesOn {
			break
		}
	}
	return strings.TrimSpace(b.String())
}

// passOver leaves out the text of a heredoc; false where it has no end.
func (x *dockerfileText) passOver(end heredocEnd) bool {
	for x.at < len(x.lines) {
		line := strings.TrimSuffix(x.lines[x.at], "\r")
		x.at++
		if end.tabs {
			line = strings.TrimLeft(line, "\t")
		}
		if line == end.word {
			return true
		}
	}
	return false
}

var directiveLine = regexp.MustCompile(`^#\s*([A-Za-z]+)\s*=\s*(\S+)`)

// heredocEnd is the line that ends a text; with tabs it may be behind some.
type heredocEnd struct {
	word string
	tabs bool
}

var heredoc = regexp.MustCompile(`^[0-9]*<<(-?)["']?([A-Za-z_][A-Za-z0-9_]*)["']?$`)

// heredocs are the ends of the texts behind a RUN or COPY.
func heredocs(text string) (ends []heredocEnd) {
	all := strings.Fields(text)
	if len(all) == 0 {
		return nil
	}
	switch strings.ToUpper(all[0]) {
	case "RUN", "COPY", "ADD":
		for _, w := range all[1:] {
			if m := heredoc.FindStringSubmatch(w); m != nil {
				ends = append(ends, heredocEnd{m[2], m[1] != ""})
			}
		}
	}
	return ends
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
		x.gaps = append(x.gaps, wording.Aside(x.source, "line %d names an image by a value that only the build knows: %s", line, wording.Shown(wording.Cut(text, 160))))
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
			image := plain.Member(m, "image")
			if image == nil || plain.Member(m, "build") != nil {
				return
			}
			text, ok := expand(handWord(image), nil)
			if !ok {
				r.gaps = append(r.gaps, wording.Aside(r.source, "line %d names an image by a value that only the run knows: %s", image.Line, wording.Shown(wording.Cut(text, 160))))
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
