package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"verdict"
)

// The published documents, their Go types and the file that describes each.
var published = map[string]struct {
	title string
	of    reflect.Type
}{
	"report.v1":       {"What a run of Verdict decided, and what that rests on", reflect.TypeFor[document]()},
	"why.v1":          {"Why something was decided", reflect.TypeFor[Explanation]()},
	"trail.v1":        {"The chain of evidence and decisions that a subject belongs to", reflect.TypeFor[TrailDocument]()},
	"environments.v1": {"Environments, what is at stake in each, and what is stated to run there", reflect.TypeFor[Environments]()},
	"changes.v1":      {"What changed in an environment between two positions of the log", reflect.TypeFor[Changes]()},
	"error.v1":        {"An error of the command line", reflect.TypeFor[failureDocument]()},
}

// The schemas are made from the Go types and their comments, so that the documentation
// of a field is the comment that its author reads.
func TestSchemasAreThoseOfTheTypes(t *testing.T) {
	docs := comments(t, "..", ".")
	for name, doc := range published {
		s := schemaOf(doc.of, docs)
		s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
		s["$id"] = "verdict." + strings.ReplaceAll(name, ".v", "/v")
		s["title"] = doc.title
		props := s["properties"].(map[string]any)
		props["schema"] = map[string]any{"const": s["$id"]}
		b, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("schema", name+".json")
		got := string(b) + "\n"
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v (go test ./report -update writes it)", err)
		}
		if got != string(want) {
			t.Errorf("%s is not what the types say; go test ./report -update writes it: %s", path, firstDifference(got, string(want)))
		}
	}
}

// A client that validates what it gets must never find us breaking our word.
func TestDocumentsHoldTheirSchemas(t *testing.T) {
	compiled := map[string]*jsonschema.Schema{}
	for name := range published {
		compiled[name] = compile(t, name)
	}
	check := func(t *testing.T, schema string, write func(*bytes.Buffer) error) {
		t.Helper()
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(&b)
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled[schema].Validate(v); err != nil {
			t.Errorf("%s: %v", schema, err)
		}
	}
	for name, r := range cases() {
		if name == "hostile" { // its words are outside every list of words
			continue
		}
		t.Run("run "+name, func(t *testing.T) {
			check(t, "report.v1", func(b *bytes.Buffer) error { return Write(b, "json", r) })
		})
	}
	for name, x := range explanations() {
		if name == "hostile" {
			continue
		}
		t.Run("why "+name, func(t *testing.T) {
			check(t, "why.v1", func(b *bytes.Buffer) error { return Why(b, "json", x, Style{}) })
		})
	}
	for name, nodes := range trails() {
		if name == "hostile" {
			continue
		}
		t.Run("trail "+name, func(t *testing.T) {
			check(t, "trail.v1", func(b *bytes.Buffer) error { return Trail(b, "json", nodes, Style{}) })
		})
	}
	check(t, "environments.v1", func(b *bytes.Buffer) error { return WriteEnvironments(b, "json", environmentsCase(), Style{}) })
	check(t, "changes.v1", func(b *bytes.Buffer) error { return WriteChanges(b, "json", changesCase(), Style{}) })
	check(t, "why.v1", func(b *bytes.Buffer) error { return Why(b, "json", chainedCase(), Style{}) })
	check(t, "error.v1", func(b *bytes.Buffer) error {
		return WriteFailure(b, "json", Failure{Code: verdict.CodeUsage, What: "x", Remedy: "y", Exit: 2}, Style{})
	})
	if err := compiled["error.v1"].Validate(map[string]any{"schema": "verdict.error/v1", "code": "usage", "what": "x"}); err == nil {
		t.Error("an error without a remedy holds the schema")
	}
	if err := compiled["report.v1"].Validate(map[string]any{"schema": "verdict.report/v2"}); err == nil {
		t.Error("another version holds the schema")
	}
}

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open(filepath.Join("schema", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("file:///"+name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("file:///" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// words lists the values that a type of ours may have in a document.
var words = map[reflect.Type][]string{
	reflect.TypeFor[verdict.Outcome]():    {"allow", "review", "deny", "error"},
	reflect.TypeFor[verdict.Mode]():       {"observe", "warn", "block"},
	reflect.TypeFor[verdict.Effect]():     {"deny", "review", "note"},
	reflect.TypeFor[verdict.RuleStatus](): {"pass", "fail", "skip"},
	reflect.TypeFor[verdict.Standing]():   {"counts", "announced", "accepted", "approved"},
	reflect.TypeFor[verdict.Severity]():   {"critical", "high", "medium", "unknown", "low", "info", ""},
	reflect.TypeFor[verdict.State]():      {"verified", "present", "missing", "stale", "failed", "unknown", ""},
	reflect.TypeFor[verdict.Result]():     {"deployed", "failed", "rolled-back", "incident"},
	reflect.TypeFor[Side]():               {"before", "asked", "after"},
}

// empty lists by type the fields whose word may be missing.
var empty = map[string][]string{
	"TrailNode": {"Outcome", "Enforced"}, "Case": {"Outcome", "Enforced"}, "Promotion": {"Outcome", "Enforced", "Mode"}, "Ended": {"Result"},
}

// schemaOf describes a type. Fields are required unless they are left out when empty;
// further fields are allowed, because v1 may grow.
func schemaOf(t reflect.Type, docs map[string]string) map[string]any {
	if w, ok := words[t]; ok {
		return map[string]any{"type": "string", "enum": w}
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem(), docs)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return map[string]any{"type": "string", "contentEncoding": "base64"}
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem(), docs)}
	case t.Kind() == reflect.String:
		return map[string]any{"type": "string"}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return map[string]any{"type": "integer"}
	case t.Kind() != reflect.Struct:
		panic(fmt.Sprintf("no schema for %s", t))
	}
	props, required := map[string]any{}, []string{}
	out := map[string]any{"type": "object", "properties": props}
	addFields(t, docs, props, &required)
	out["required"] = required
	return out
}

func addFields(t reflect.Type, docs map[string]string, props map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			addFields(f.Type, docs, props, required)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		s := schemaOf(f.Type, docs)
		if doc := docs[t.Name()+"."+f.Name]; doc != "" {
			s["description"] = doc
		}
		if slices.Contains(empty[t.Name()], f.Name) {
			s["enum"] = append(slices.Clone(words[f.Type]), "")
		}
		props[name] = s
		if !strings.Contains(options, "omitempty") {
			*required = append(*required, name)
		}
	}
}

// comments reads what the source says about the fields of the types in some folders.
func comments(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok {
					return true
				}
				if s, ok := spec.Type.(*ast.StructType); ok {
					for _, f := range s.Fields.List {
						for _, name := range f.Names {
							text := strings.TrimSpace(f.Doc.Text() + " " + f.Comment.Text())
							out[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(text), " ")
						}
					}
				}
				return true
			})
		}
	}
	return out
}
