package iac

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"verdict"
)

// Bounds of one run.
const (
	maxText  = 4 << 20 // bytes of a file
	maxDepth = 200     // values within values
)

// Library judges infrastructure code by the checks of trivy's library: Terraform and
// OpenTofu, plans as JSON, CloudFormation, Azure Resource Manager, Kubernetes, Dockerfiles.
// It needs no network and looks at nothing but the files that it is given. Comments that
// silence a check have no effect: a change could bring them. The library logs through the
// default logger of the process and keeps what it logs until the program sets one.
type Library struct {
	// Charts renders Helm charts; nil where nobody does, and then they are told.
	Charts Charts
}

// NewLibrary makes the checker. Nothing is loaded before a file needs it.
func NewLibrary() *Library { return &Library{} }

// Wants reports whether a file may be infrastructure code, by its name.
func (l *Library) Wants(p string) bool {
	return named(p) || slices.Contains([]string{".yaml", ".yml", ".json", ".template"}, strings.ToLower(path.Ext(p)))
}

func isDockerfile(base string) bool {
	for _, name := range []string{"Dockerfile", "Containerfile"} {
		if base == name || strings.HasPrefix(base, name+".") || strings.HasSuffix(strings.ToLower(base), "."+strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// Check judges the files. The result is the same for the same files.
func (l *Library) Check(ctx context.Context, files []File) (Result, error) {
	run := &run{charts: map[string]bool{}, texts: map[string][]byte{}, renderer: l.Charts}
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	for _, f := range files {
		if path.Base(f.Path) == "Chart.yaml" {
			run.charts[path.Dir(f.Path)] = !isLibrary(f.Content)
		}
	}
	run.overlays(ctx, files)
	var modules []File
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		switch {
		case !l.Wants(f.Path):
		case len(f.Content) > maxText:
			if named(f.Path) || speaksOf(f.Content) {
				run.open(f.Path, true, "it is larger than the %d bytes that infrastructure code is read up to", maxText)
			}
		case isTerraform(f.Path):
			modules = append(modules, f)
		default:
			run.guarded(f.Path, func() error {
				return run.timely(ctx, f.Path, func(ctx context.Context) error { return run.single(ctx, f) })
			})
		}
	}
	run.overlaid()
	if err := run.render(ctx); err != nil {
		return Result{}, err
	}
	run.terraform(ctx, modules)
	return run.finish(), cmp.Or(ctx.Err(), run.ended)
}

// Names reports whether the name alone says what the file is.
func (l *Library) Names(p string) bool {
	return named(p) || l.Charts != nil && path.Base(p) == "Chart.yaml"
}

func named(p string) bool {
	return isTerraform(p) || isDockerfile(path.Base(p)) || isKustomization(p)
}

// Keeps leaves out files of YAML and JSON that have no mark of a format, but for those of
// charts and overlays.
func (l *Library) Keeps(f File) bool {
	return named(f.Path) || path.Base(f.Path) == "Chart.yaml" || mayBe(f.Content) || ofOverlay(f.Content)
}

// run is one call of Check.
type run struct {
	result Result
	charts map[string]bool   // folders of Helm charts: whether they set up something by themselves
	texts  map[string][]byte // of the files that were judged, for the settings in them
	// patches are files that overlays put into manifests, and added is what is wrong then.
	// overlaysDone are the folders of those that were rendered.
	patches      []string
	added        []added
	overlaysDone []string

	renderer Charts // nil where charts are not rendered
	pulse    *pulse // of a part that is evaluated within bounds
	ended    error  // why nothing more can be judged
}

func (r *run) open(p string, blocks bool, format string, args ...any) {
	n := verdict.NotChecked{Path: p, Reason: fmt.Sprintf(format, args...), Blocks: blocks}
	if !slices.Contains(r.result.Open, n) {
		r.result.Open = append(r.result.Open, n)
	}
}

// invalid says that a file is not what it claims to be.
func (r *run) invalid(p, format string, line, column int64, message string) {
	r.result.Judged = append(r.result.Judged, p)
	r.result.Problems = append(r.result.Problems, Problem{
		Check: Invalid, Title: "Infrastructure code can be read", Message: oneLine(message), Fix: "mend the file: nobody knows what it would set up",
		Severity: verdict.SeverityHigh, Path: p, Line: line, Column: column, Format: format,
	})
}

// guarded runs the library over one set of files, named by its path. What the library
// cannot cope with stays open.
func (r *run) guarded(name string, do func() error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case givenUp:
			r.open(name, true, "it was not judged: evaluating it takes %s", p.why)
		default:
			r.open(name, true, "the library for infrastructure code broke off over it")
		}
	}()
	if err := do(); err != nil {
		r.open(name, true, "it could not be judged: %s", oneLine(err.Error()))
	}
}

// problemOf is what a check said, with what only the format knows.
func problemOf(f finding, format, kind string) Problem {
	return Problem{
		Check: f.meta.AVDID, Title: oneLine(f.meta.Title), Message: oneLine(cmp.Or(f.message, f.meta.Title)),
		Fix: oneLine(f.meta.RecommendedActions), Severity: severityOf(f.meta.Severity),
		Path: f.path, Line: f.line, Format: format, Type: kind, Resource: f.resource,
	}
}

// found takes in what a check said of a file that is read by itself.
func (r *run) found(f finding, format, kind string) {
	p := problemOf(f, format, kind)
	if f.line > 0 && f.end <= f.line {
		p.Cause = setting(r.texts[f.path], f.line, format)
	}
	r.result.Problems = append(r.result.Problems, p)
}

// finish puts the result in an order of its own and drops what is told twice.
func (r *run) finish() Result {
	slices.Sort(r.result.Judged)
	r.result.Judged = slices.Compact(r.result.Judged)
	slices.SortStableFunc(r.result.Problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), strings.Compare(a.Check, b.Check),
			strings.Compare(a.Resource, b.Resource), strings.Compare(a.Message, b.Message))
	})
	r.result.Problems = slices.Compact(r.result.Problems)
	slices.SortStableFunc(r.result.Open, func(a, b verdict.NotChecked) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Reason, b.Reason))
	})
	return r.result
}

// oneLine is text of others in one line of bounded length.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:297], "") + "…"
	}
	return s
}

// setting is the text of a line without what its author named: the key, and the value
// where it is a word of the language and no name.
func setting(text []byte, line int64, format string) string {
	lines := bytes.SplitN(text, []byte("\n"), int(line)+1)
	if int64(len(lines)) < line {
		return ""
	}
	s := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(string(lines[line-1])), "- "))
	if format == "dockerfile" {
		word, rest, _ := strings.Cut(s, " ")
		if word = strings.ToUpper(word); word == "USER" || word == "EXPOSE" {
			return word + " " + strings.TrimSpace(rest)
		}
		return word
	}
	i := strings.IndexAny(s, "=:")
	if i < 0 {
		return ""
	}
	key, value := strings.Trim(strings.TrimSpace(s[:i]), `"`), strings.Trim(strings.TrimSpace(s[i+1:]), `",`)
	if !ofLanguage(value) {
		return key
	}
	return key + " " + s[i:i+1] + " " + value
}

// words are values that languages give, and no author.
var words = []string{
	"true", "false", "null", "*", "0.0.0.0/0", "::/0", "public-read", "public-read-write", "private", "Allow", "Deny", "root", "Enabled", "Disabled",
	"None", "Always", "Unconfined", "RuntimeDefault", "SYS_ADMIN", "NET_ADMIN", "ALL", "HTTP", "HTTPS", "http", "https", "TLSv1", "TLS1_0", "TLS1_1", "TLS1_2", "Mutable", "MUTABLE",
}

func ofLanguage(value string) bool {
	return slices.Contains(words, value) || value != "" && len(value) <= 9 && strings.Trim(value, "0123456789") == ""
}
