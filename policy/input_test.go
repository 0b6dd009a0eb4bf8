package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	jcs "github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"verdict"
)

var update = flag.Bool("update", false, "write generated files")

func TestPublishedSchemaIsTheOneOfTheGoTypes(t *testing.T) {
	const file = "input.schema.json"
	if *update {
		if err := os.WriteFile(file, Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(Schema()), string(got)); d != "" {
		t.Errorf("%s is not what the types say; run go test ./policy -update\n%s", file, d)
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(schemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheSchemaAcceptsEveryLayersDocumentAndNoOther(t *testing.T) {
	s := compiledSchema(t)
	for _, l := range verdict.Layers {
		doc := documentOf(t, Example(l))
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", l, err)
		}
	}
	broken := map[string]func(object){
		"a member that nobody defined":       func(o object) { o["exceptions"] = []any{} },
		"a group that is absent":             func(o object) { delete(o, "artifact") },
		"a member of a group that is absent": func(o object) { delete(o["vulnerabilities"].(object), "complete") },
		"a state that is no state":           func(o object) { o["change"].(object)["state"] = "ok" },
		"a fraction":                         func(o object) { o["change"].(object)["lines"] = json.Number("1.5") },
		"a null list":                        func(o object) { o["evidence"] = nil },
		"another schema's word":              func(o object) { o["schema"] = "verdict.input/v2" },
		"a time without a zone":              func(o object) { o["decision"].(object)["at"] = "2026-01-01T12:00:00" },
		"a layer that is none":               func(o object) { o["decision"].(object)["layer"] = "prod" },
		"a digest in capitals":               func(o object) { o["subject"].(object)["digest"] = "sha256:" + strings.Repeat("A", 64) },
	}
	for name, breakIt := range broken {
		t.Run(name, func(t *testing.T) {
			doc := documentOf(t, Example(verdict.LayerDeploy)).(object)
			breakIt(doc)
			if s.Validate(doc) == nil {
				t.Error("the schema accepts it")
			}
			b, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			if b, err = jcs.Transform(b); err != nil {
				t.Fatal(err)
			}
			if Validate(b) == nil {
				t.Error("Validate accepts it")
			}
		})
	}
}

func documentOf(t *testing.T, in *Input) any {
	t.Helper()
	doc, err := document(in)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEarlyLayersHaveNoGroupOfPlaceAndTime(t *testing.T) {
	want := []string{"break_glass", "environment", "promotions", "requester", "rollback", "runtime"}
	if got := DeployOnly(); !slices.Equal(got, want) {
		t.Errorf("DeployOnly is %v, want %v", got, want)
	}
	for _, l := range verdict.Layers {
		doc := documentOf(t, Example(verdict.LayerDeploy).ForLayer(l)).(object)
		for _, group := range want {
			if _, there := doc[group]; there != l.SeesEnvironment() {
				t.Errorf("layer %s: %s there: %t", l, group, there)
			}
		}
	}
}

func TestAnInputThatShowsCITheEnvironmentIsRefused(t *testing.T) {
	in := Example(verdict.LayerDeploy)
	in.Decision.Layer = verdict.LayerCI
	_, err := mustBuiltin(t).Evaluate(t.Context(), Query{Rules: []string{"ci.secrets.none"}, Input: in, At: noon})
	wantError(t, err, "may not see", "ForLayer")
}

// wantError demands an error for a person: what it says, and a remedy with a hint.
func wantError(t *testing.T, err error, what, remedy string) {
	t.Helper()
	var e *verdict.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error that says %q", err, what)
	}
	if !strings.Contains(err.Error(), what) || !strings.Contains(e.Remedy, remedy) {
		t.Errorf("got %q → %q\nwant %q → %q", err, e.Remedy, what, remedy)
	}
}

// TestNothingIsLeftOutOfTheDocument guards the condition that makes Rego safe: no member
// depends on its value.
func TestNothingIsLeftOutOfTheDocument(t *testing.T) {
	var empty Input
	empty.Environment, empty.Promotions, empty.Rollback = &Environment{}, &Promotions{}, &Rollback{}
	empty.Runtime, empty.Requester, empty.BreakGlass = &Runtime{}, &Requester{}, &BreakGlass{}
	empty.Checks = map[string]Check{"secrets": {}}
	empty.Normalize()
	full := documentOf(t, Example(verdict.LayerDeploy)).(object)
	zero := documentOf(t, &empty).(object)
	for _, path := range memberPaths(full, nil) {
		if slices.ContainsFunc(path, func(s string) bool { return strings.Trim(s, "0123456789") == "" }) || len(path) > 1 && path[0] == "checks" && path[1] != "secrets" {
			continue // an element of a list, or a check that the empty document does not have
		}
		v, there := at(zero, path)
		if !there || v == nil {
			t.Errorf("input.%s is left out or null when it is empty", strings.Join(path, "."))
		}
	}
	for _, path := range stateGroups(zero) {
		if v, _ := at(zero, append(path, "state")); v != string(verdict.StateUnknown) {
			t.Errorf("input.%s: a state that nobody set is %v, not unknown", strings.Join(path, "."), v)
		}
	}
	wantGroups := "artifact artifact.base artifact.licences artifact.provenance artifact.sbom artifact.signature artifact.source break_glass change checks.secrets environment ownership plan promotions requester review rollback runtime runtime.vulnerable service vulnerabilities vulnerabilities.database"
	var groups []string
	for _, g := range stateGroups(zero) {
		groups = append(groups, strings.Join(g, "."))
	}
	slices.Sort(groups)
	if got := strings.Join(groups, " "); got != wantGroups {
		t.Errorf("groups with a state:\n%s\nwant\n%s", got, wantGroups)
	}
}

// TestInputTypesHoldOnlyWhatTheDocumentCan fails when a field is added that is a float,
// an interface or a time that no schema describes.
func TestInputTypesHoldOnlyWhatTheDocumentCan(t *testing.T) {
	var walk func(reflect.Type, string)
	walk = func(rt reflect.Type, at string) {
		switch rt.Kind() {
		case reflect.Struct:
			for f := range fieldsOf(rt) {
				if f.name == "" || strings.ToLower(f.name) != f.name {
					t.Errorf("%s: member %q has no lower-case name", at, f.name)
				}
				if f.optional != (f.typ.Kind() == reflect.Pointer) {
					t.Errorf("%s.%s: only whole groups may be absent", at, f.name)
				}
				walk(f.typ, at+"."+f.name)
			}
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(rt.Elem(), at)
		case reflect.String, reflect.Int64, reflect.Bool:
		default:
			t.Errorf("%s is a %s", at, rt)
		}
	}
	walk(reflect.TypeFor[Input](), "input")
}

func TestNormalizeSortsWhatHasNoOrderAndKeepsWhatHas(t *testing.T) {
	in := Example(verdict.LayerDeploy)
	in.Vulnerabilities.Findings = []Finding{{Key: "b", Path: []string{"z", "a"}, Aliases: []string{"y", "x"}}, {Key: "a"}}
	in.Review.Objecting = []string{"p-zoe", "p-ada"}
	in.Checks = map[string]Check{"secrets": {Failed: []Hit{{Key: "2"}, {Key: "1"}}}}
	objecting := in.Review.Objecting
	in.Normalize()
	f := in.Vulnerabilities.Findings
	if f[0].Key != "a" || !slices.Equal(f[1].Path, []string{"z", "a"}) || !slices.Equal(f[1].Aliases, []string{"x", "y"}) {
		t.Errorf("findings %+v", f)
	}
	if in.Checks["secrets"].Failed[0].Key != "1" || in.Review.Objecting[0] != "p-ada" {
		t.Errorf("hits %+v, objecting %v", in.Checks["secrets"].Failed, in.Review.Objecting)
	}
	if objecting[0] != "p-zoe" {
		t.Error("the caller's own list was sorted in place")
	}
	once, _ := in.Canonical()
	in.Normalize()
	if twice, _ := in.Canonical(); !bytes.Equal(once, twice) {
		t.Error("normalising twice changes the document")
	}
}

func TestCanonicalFormIsThatOfTheReference(t *testing.T) {
	in := benchInput(true, 3)
	in.Service.Name = "tab\t quote\" back\\ slash/ <b>&amp; \u2028 é 😀 \x00\x1f\x7f \xff"
	in.Checks["😀"], in.Checks["\ufb33"], in.Checks["z"] = Check{}, Check{}, Check{}
	in.Normalize()
	plain, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	want, err := jcs.Transform(plain)
	if err != nil {
		t.Fatal(err)
	}
	got, err := in.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var none *Input
	if _, err := none.Canonical(); err == nil {
		t.Error("no document has a canonical form")
	}
}

// TestAnyDocumentHasOneForm fills documents at random: the canonical form is that of the
// reference, replay reads it back, and the engine sees the same.
func TestAnyDocumentHasOneForm(t *testing.T) {
	s := compiledSchema(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var in Input
		fill(reflect.ValueOf(&in).Elem(), r)
		in = *in.ForLayer(verdict.Layers[r.IntN(len(verdict.Layers))])
		in.Normalize()
		b, err := in.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		if want, err := jcs.Transform(b); err != nil || !bytes.Equal(b, want) {
			t.Fatalf("%v\ngot  %s\nwant %s", err, b, want)
		}
		again, err := ParseInput(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&in, again); d != "" {
			t.Fatalf("read back:\n%s", d)
		}
		if err := s.Validate(documentOf(t, &in)); err != nil {
			t.Fatalf("schema: %v", err)
		}
		if err := Validate(b); err != nil {
			t.Fatal(err)
		}
		got, err := in.value(inputBytes)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := ast.ValueFromReader(bytes.NewReader(b)); err != nil || ast.Compare(got.Value, want) != 0 {
			t.Fatalf("the engine's value differs: %v", err)
		}
	}
}

func fill(v reflect.Value, r *rand.Rand) {
	switch v.Kind() {
	case reflect.Struct:
		for f := range fieldsOf(v.Type()) {
			fill(v.Field(f.index), r)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), r)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4))
		for i := range v.Len() {
			fill(v.Index(i), r)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(4) {
			x := reflect.New(v.Type().Elem()).Elem()
			fill(x, r)
			v.SetMapIndex(reflect.ValueOf(randomText(r)), x)
		}
	case reflect.Int64:
		v.SetInt(r.Int64N(2*maxInteger-1) - maxInteger + 1)
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.String:
		switch w := words[v.Type()]; {
		case w != nil:
			v.SetString(w[r.IntN(len(w))])
		case v.Type() == reflect.TypeFor[Time]():
			v.SetString(string(TimeOf(noon.Add(time.Duration(r.Int64N(1e15))))))
		case v.Type() == reflect.TypeFor[verdict.Digest]():
			v.SetString(string(sha256Digest([]byte(randomText(r)))))
		case v.Type() == reflect.TypeFor[verdict.Kind]():
			v.SetString("sbom")
		default:
			v.SetString(randomText(r))
		}
	}
}

func randomText(r *rand.Rand) string {
	letters := []rune("ab\"\\/<>&\x00\x1f\x7f\n\té\u2028\ufb33\ufffd😀")
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteRune(letters[r.IntN(len(letters))])
	}
	return b.String()
}

func TestTheEngineReadsWhatTheDocumentSays(t *testing.T) {
	in := benchInput(true, 3)
	in.Service.Name = "not UTF-8: \xff"
	got, err := in.value(inputBytes)
	if err != nil {
		t.Fatal(err)
	}
	b, err := in.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	want, err := ast.ValueFromReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if ast.Compare(got.Value, want) != 0 {
		t.Errorf("the engine's value is not the document:\n%s\n%s", got, want)
	}
}

func TestReplayReadsOnlyTheCanonicalDocument(t *testing.T) {
	b, err := Example(verdict.LayerDeploy).Canonical()
	if err != nil {
		t.Fatal(err)
	}
	in, err := ParseInput(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Example(verdict.LayerDeploy), in); d != "" {
		t.Errorf("read back:\n%s", d)
	}
	doc := string(b)
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	for name, bad := range map[string]string{
		"a member too many":         strings.Replace(doc, `{"artifact"`, `{"approvals":[],"artifact"`, 1),
		"a member that is absent":   strings.Replace(doc, `"build_type":"make",`, "", 1),
		"a member twice":            strings.Replace(doc, `"build_type":"make",`, `"build_type":"make","build_type":"make",`, 1),
		"a name in capitals":        strings.Replace(doc, `"build_type"`, `"Build_Type"`, 1),
		"a fraction":                strings.Replace(doc, `"slsa":3`, `"slsa":3.0`, 1),
		"a null":                    strings.Replace(doc, `"freezes":[]`, `"freezes":null`, 1),
		"white space":               doc + "\n",
		"a second document":         doc + doc,
		"nothing":                   "",
		"another order":             strings.Replace(strings.Replace(doc, `"build_type":"make",`, "", 1), `"builder":"builder",`, `"builder":"builder","build_type":"make",`, 1),
		"another schema":            strings.Replace(doc, InputSchema, "verdict.input/v9", 1),
		"a nesting without an end":  deep,
		"a nesting inside a member": strings.Replace(doc, `"build_type":"make"`, `"build_type":`+deep, 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseInput([]byte(bad))
			wantError(t, err, InputSchema, "")
		})
	}
	_, err = ParseInput(make([]byte, inputBytes+1))
	wantError(t, err, "more than", "smaller subject")
}

var canonicalReference = jcs.Transform

func TestTimeIsOneTextPerMoment(t *testing.T) {
	zone := time.FixedZone("east", 2*3600)
	for want, at := range map[Time]time.Time{
		"":                            {},
		"2026-01-01T12:00:00Z":        time.Date(2026, 1, 1, 14, 0, 0, 0, zone),
		"2026-01-01T12:00:00.000001Z": time.Date(2026, 1, 1, 12, 0, 0, 1999, time.UTC),
	} {
		if got := TimeOf(at); got != want {
			t.Errorf("%v is %q, want %q", at, got, want)
		}
	}
}

func TestAnInputBeyondTheLimitIsRefusedBeforeAnyRule(t *testing.T) {
	in := Example(verdict.LayerCI)
	in.Change.Files = []string{strings.Repeat("x", inputBytes)}
	_, err := mustBuiltin(t).Evaluate(t.Context(), Query{Rules: []string{"ci.secrets.none"}, Input: in, At: noon})
	wantError(t, err, "more than the 4194304", "smaller subject")
}
