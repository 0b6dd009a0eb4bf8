package policy

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/version"

	"verdict"
)

//go:embed rules
var embedded embed.FS

// BuiltinPrefix begins the path of each embedded file inside a bundle, and of no other.
const BuiltinPrefix = "verdict/"

// Bundle is a set of rules, compiled once. It is immutable and safe for concurrent use.
type Bundle struct {
	digest   verdict.Digest
	files    map[string]string // rules, tests and cases, by path
	rules    []*rule           // sorted by id
	byID     map[string]*rule
	compiler *ast.Compiler
	limits   Limits
	inspect  bool
}

// rule is one rule, ready to run.
type rule struct {
	verdict.Rule
	layer     verdict.Layer // "" when the rule belongs to no layer
	at        string        // file:line
	forbidden []string      // builtins that are not allowed; only in a bundle for inspection
	hidden    []string      // reads that code, ci and artifact points do not have
	query     ast.Body
	compiler  ast.QueryCompiler
}

// Builtin is the bundle of the rules that come with Verdict, compiled on first use.
func Builtin() (*Bundle, error) { return builtin() }

var builtin = sync.OnceValues(func() (*Bundle, error) { return Compile(nil, CompileOptions{}) })

// Open reads the files of a bundle under a directory: see Load. Symbolic links that lead
// out of the directory are refused.
func Open(dir string) (map[string]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &verdict.Error{Code: verdict.CodeNotFound, What: fmt.Sprintf("no rules in %s", dir),
			Remedy: "name a directory that holds .rego files", Err: err}
	}
	defer root.Close()
	return Load(root.FS())
}

// Load reads the files of a bundle: *.rego, *_test.rego and *.cases.yaml, by path,
// outside of directories whose name starts with a dot. It is an *verdict.Error when there is none, or more than a bundle may hold.
func Load(fsys fs.FS) (map[string]string, error) {
	files := map[string]string{}
	total, seen := 0, 0
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if seen++; seen > maxEntries {
			return tooMuch(name)
		}
		if err == nil && d.IsDir() && name != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !isRule(name) && !isTest(name) && !isCases(name) {
			return err
		}
		info, err := fs.Stat(fsys, name)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || info.Size() > maxFileBytes || len(files) >= maxFiles {
			return tooMuch(name)
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if total += len(b); total > maxBytes {
			return tooMuch(name)
		}
		files[name] = string(b)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	if len(files) == 0 {
		return nil, &verdict.Error{Code: verdict.CodeNotFound, What: "there are no .rego files here",
			Remedy: "name the directory that holds the rules"}
	}
	return files, nil
}

func tooMuch(name string) error {
	return &verdict.Error{Code: verdict.CodeLimit,
		What:   fmt.Sprintf("%s: a bundle holds at most %d regular files of at most %d bytes, %d bytes together", name, maxFiles, maxFileBytes, maxBytes),
		Remedy: "keep rules and nothing else in the directory, and split what is larger"}
}

func isTest(name string) bool  { return strings.HasSuffix(name, "_test.rego") }
func isRule(name string) bool  { return strings.HasSuffix(name, ".rego") && !isTest(name) }
func isCases(name string) bool { return strings.HasSuffix(name, ".cases.yaml") }

// embeddedFiles are the built-in rules with their tests, under BuiltinPrefix.
var embeddedFiles = sync.OnceValues(func() (map[string]string, error) {
	sub, err := fs.Sub(embedded, "rules")
	if err != nil {
		return nil, err
	}
	files, err := Load(sub)
	if err != nil {
		return nil, fmt.Errorf("built-in rules: %w", err)
	}
	out := map[string]string{}
	for name, text := range files {
		out[BuiltinPrefix+name] = text
	}
	return out, nil
})

// digestOf is the sha256 of one line "<sha256 of the file>  <path>\n" for each file
// that takes part in decisions, sorted by path: what `sha256sum` prints. Tests and
// cases decide nothing, so they do not count.
func digestOf(files map[string]string) verdict.Digest {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if isRule(name) {
			fmt.Fprintf(&b, "%s  %s\n", sha256Digest([]byte(files[name])).Hex(), name)
		}
	}
	return sha256Digest([]byte(b.String()))
}

// Digest identifies the rules: the same files under the same paths, the same digest.
func (b *Bundle) Digest() verdict.Digest { return b.digest }

// Capabilities identifies what the engine let the rules do.
func (b *Bundle) Capabilities() verdict.Digest { return capabilitiesDigest() }

// Engine names the engine and its version.
func (b *Bundle) Engine() string { return "opa " + version.Version }

// Rules lists every rule, sorted by id.
func (b *Bundle) Rules() []verdict.Rule {
	out := make([]verdict.Rule, len(b.rules))
	for i, r := range b.rules {
		out[i] = r.Rule
	}
	return out
}

// Select gives the rules that a selector of the decision map names: a rule's id
// ("ci.secrets.none"), the start of ids up to a dot ("ci.secrets" or "ci.secrets.*"), or
// a Rego package. The second value is false when it matches nothing.
func (b *Bundle) Select(selector string) ([]verdict.Rule, bool) {
	name := strings.TrimSuffix(strings.TrimPrefix(selector, "data."), ".*")
	var out []verdict.Rule
	for _, r := range b.rules {
		if name != "" && (within(r.ID, name) || within(r.Package, name)) {
			out = append(out, r.Rule)
		}
	}
	return out, len(out) > 0
}

func within(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && (rest == "" || rest[0] == '.')
}

// Forbidden lists the builtins that the rule uses though no rule may, sorted. It is
// empty for a bundle that may decide: such a rule does not compile.
func (b *Bundle) Forbidden(id string) []string {
	if r := b.byID[id]; r != nil {
		return slices.Clone(r.forbidden)
	}
	return nil
}

// Layer is the layer that the rule was written for, from its METADATA or its package;
// "" when it says none, and for an id that is not there.
func (b *Bundle) Layer(id string) verdict.Layer {
	if r := b.byID[id]; r != nil {
		return r.layer
	}
	return ""
}

// CheckLayer tells whether a point of layer l may use these rules. A rule that reads
// what the layer does not have, or that is not in the bundle, is an *verdict.Error.
func (b *Bundle) CheckLayer(l verdict.Layer, ids []string) error {
	for _, id := range ids {
		r := b.byID[id]
		if r == nil {
			return b.unknown(id)
		}
		if !l.SeesEnvironment() && len(r.hidden) > 0 {
			return hiddenRead(r, l)
		}
	}
	return nil
}

func (b *Bundle) unknown(id string) error {
	return &verdict.Error{Code: verdict.CodeNotFound, What: fmt.Sprintf("there is no rule %q in the bundle", id),
		Remedy: fmt.Sprintf("name one of its %d rules in the decision map; the nearest is %q", len(b.rules), nearest(id, slices.Collect(maps.Keys(b.byID))))}
}

func hiddenRead(r *rule, l verdict.Layer) *verdict.Error {
	what := strings.Join(r.hidden, ", ")
	remedy := "ask this at a deploy point, or drop the read: " + string(l) + " decides the same for every environment"
	if slices.Contains(r.hidden, "input") {
		remedy = "read the members by name, such as input.checks.secrets.state, so that it is plain what the rule reads"
		what = "input as a whole, or by a name that is not written out"
	}
	return &verdict.Error{Code: verdict.CodeInvalid, Remedy: remedy,
		What: fmt.Sprintf("%s: rule %s reads %s, which points of layer %s do not have", r.at, r.ID, what, l)}
}

// cleanPath reports whether a file may have this path in a bundle.
func cleanPath(name string) bool {
	return fs.ValidPath(name) && path.Clean(name) == name && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}
