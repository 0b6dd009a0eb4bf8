package inventory

import (
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// Versions of a step that are exact, and those that stand for the newest of a line.
var (
	exactTag  = regexp.MustCompile(`^v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?$`)
	movingTag = regexp.MustCompile(`^v?[0-9]+(?:\.[0-9]+)?$`)
	sha       = regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?$`)
	tagWord   = regexp.MustCompile(`\bv?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?`)
	actionRef = regexp.MustCompile(`^([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)((?:/[^@\s]+)?)@(\S+)$`)
)

// workflow reads the steps and reusable workflows of GitHub Actions, and its images.
func (r *reference) workflow(content []byte) error {
	docs, err := handYAML(content)
	if err != nil {
		return err
	}
	for _, d := range docs {
		err := mappings(d, "", 0, func(m *yaml.Node, under string) {
			for key, value := range plain.Members(m) {
				switch text := handWord(value); key.Value {
				case "uses":
					r.uses(value)
				case "container":
					r.image(text, value.Line)
				case "services":
					for _, service := range plain.Members(value) {
						if image := plain.Member(service, "image"); image != nil {
							r.image(handWord(image), image.Line)
						}
					}
				case "image":
					if image, ok := strings.CutPrefix(text, "docker://"); ok && under == "runs" || under == "container" { // else a Dockerfile
						r.image(image, value.Line)
					}
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return r.full()
}

// uses takes one reference to a step: owner/repo[/path]@ref, docker://image or a folder.
func (r *reference) uses(value *yaml.Node) {
	text := handWord(value)
	if text == "" || strings.HasPrefix(text, "./") || strings.HasPrefix(text, "../") { // of this tree
		return
	}
	if image, ok := strings.CutPrefix(text, "docker://"); ok {
		r.image(image, value.Line)
		return
	}
	m := actionRef.FindStringSubmatch(text)
	if m == nil || strings.Contains(text, "${{") {
		r.gaps = append(r.gaps, wording.Open(r.source, "line %d uses %s, which is no owner/repository@version: what it is was not judged", value.Line, wording.Shown(wording.Cut(text, 120))))
		return
	}
	name, ref := m[1], m[3]
	version := ref
	if sha.MatchString(ref) {
		if said := tagWord.FindString(value.LineComment); said != "" {
			version = said
		}
	}
	d := r.put(EcosystemActions, name, version, value.Line)
	switch {
	case sha.MatchString(ref):
		d.From = "https://github.com/" + name + "#" + ref
		if version == ref {
			r.gaps = append(r.gaps, wording.Aside(r.source, "line %d pins %s to a commit and does not say which release that is: write it behind as a comment (# v1.2.3)", value.Line, name))
		}
	case movingTag.MatchString(ref): // it follows the newest release of its line
		d.JudgedAs = newestOf(ref)
		r.moving = append(r.moving, text)
	case !exactTag.MatchString(ref):
		r.moving = append(r.moving, text)
	}
}

// newestOf is behind every release that a tag such as v4 can stand for.
func newestOf(tag string) string {
	const last = ".999999999"
	return tag + strings.Repeat(last, 2-strings.Count(tag, "."))
}

// azurePipeline reports whether a file is a pipeline of Azure by where it lies and how it
// is called.
func azurePipeline(p string) bool {
	base := path.Base(p)
	if strings.HasPrefix(base, "azure-pipelines") || strings.HasPrefix(base, "azure-pipeline.") {
		return true
	}
	for _, folder := range []string{".azure-pipelines", ".azuredevops", ".azure/pipelines", "azure-pipelines", ".pipelines"} {
		if Within(p, folder) {
			return true
		}
	}
	return false
}

var taskRef = regexp.MustCompile(`^([A-Za-z0-9_.-]+)@([0-9][0-9A-Za-z.-]*)$`)

// azure reads the tasks of a pipeline of Azure, and its images.
func (r *reference) azure(content []byte) error {
	docs, err := handYAML(content)
	if err != nil {
		return err
	}
	for _, d := range docs {
		err := mappings(d, "", 0, func(m *yaml.Node, under string) {
			for key, value := range plain.Members(m) {
				text := handWord(value)
				switch {
				case key.Value == "task" && text != "":
					r.task(text, value.Line)
				case key.Value == "image" && (under == "container" || under == "containers"), key.Value == "container" && strings.ContainsAny(text, ":/"):
					r.image(text, value.Line)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return r.full()
}

func (r *reference) task(text string, line int) {
	m := taskRef.FindStringSubmatch(text)
	if m == nil {
		r.gaps = append(r.gaps, wording.Aside(r.source, "line %d names a task without a version that can be told: %s", line, wording.Shown(wording.Cut(text, 120))))
		return
	}
	r.put(EcosystemTasks, m[1], m[2], line)
}
