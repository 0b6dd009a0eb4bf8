package policy

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"verdict"
)

// schemaID is the name under which the schema is published.
const schemaID = "urn:verdict:input:v1"

// words are the values that a type of the vocabulary may have.
var words = map[reflect.Type][]string{
	reflect.TypeFor[verdict.State](): texts(verdict.StateVerified, verdict.StatePresent, verdict.StateMissing,
		verdict.StateStale, verdict.StateFailed, verdict.StateUnknown),
	reflect.TypeFor[verdict.Layer](): texts(verdict.Layers...),
	reflect.TypeFor[verdict.Severity](): texts(verdict.SeverityCritical, verdict.SeverityHigh, verdict.SeverityMedium,
		verdict.SeverityUnknown, verdict.SeverityLow, verdict.SeverityInfo),
	reflect.TypeFor[verdict.Outcome](): texts(verdict.Allow, verdict.Review, verdict.Deny, verdict.Undecided),
	reflect.TypeFor[verdict.SubjectKind](): texts(verdict.SubjectChange, verdict.SubjectTree, verdict.SubjectPlan, verdict.SubjectArtifact,
		verdict.SubjectDeployment, verdict.SubjectResource, verdict.SubjectIdentity, verdict.SubjectLog),
}

// patterns are what text of a type looks like; "" is allowed where nothing is known.
var patterns = map[reflect.Type]string{
	reflect.TypeFor[Time]():           `^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z)?$`,
	reflect.TypeFor[verdict.Digest](): `^([A-Za-z0-9]+:[0-9a-f]{40,128})?$`,
	reflect.TypeFor[verdict.Kind]():   `^[a-z][a-z0-9-]*$`,
}

func texts[T ~string](values ...T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// Schema is the JSON Schema (2020-12) of verdict.input/v1, generated from the Go types.
// The published copy is policy/input.schema.json.
func Schema() []byte { return schema() }

var schema = sync.OnceValue(func() []byte {
	b, err := json.MarshalIndent(schemaOf(nil), "", "  ")
	if err != nil {
		panic(fmt.Sprintf("policy: input schema: %v", err))
	}
	return append(b, '\n')
})

type object = map[string]any

// schemaOf builds the schema. With checks named, their group is closed over exactly
// these: the engine's type checker understands closed objects only.
func schemaOf(checks []string) object {
	defs := object{}
	root := typeSchema(reflect.TypeFor[Input](), defs).(object)
	input := defs["Input"].(object)
	delete(defs, "Input")
	delete(root, "$ref")
	for k, v := range input {
		root[k] = v
	}
	members := root["properties"].(object)
	members["schema"] = object{"const": InputSchema, "type": "string"}
	if checks != nil {
		named := object{}
		for _, c := range checks {
			named[c] = object{"$ref": "#/$defs/Check"}
		}
		members["checks"] = object{"type": "object", "properties": named}
	} else {
		root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
		root["$id"] = schemaID
	}
	root["title"] = InputSchema
	root["$defs"] = defs
	return root
}

func typeSchema(t reflect.Type, defs object) any {
	if w := words[t]; w != nil {
		return object{"type": "string", "enum": w}
	}
	if p := patterns[t]; p != "" {
		return object{"type": "string", "pattern": p}
	}
	switch t.Kind() {
	case reflect.Struct:
		if defs[t.Name()] == nil {
			defs[t.Name()] = structSchema(t, defs)
		}
		return object{"$ref": "#/$defs/" + t.Name()}
	case reflect.Pointer:
		return typeSchema(t.Elem(), defs)
	case reflect.Slice:
		return object{"type": "array", "items": typeSchema(t.Elem(), defs)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": typeSchema(t.Elem(), defs)}
	case reflect.Int64:
		return object{"type": "integer"}
	case reflect.Bool:
		return object{"type": "boolean"}
	}
	return object{"type": "string"}
}

func structSchema(t reflect.Type, defs object) object {
	members, required := object{}, []string{}
	for f := range fieldsOf(t) {
		members[f.name] = typeSchema(f.typ, defs)
		if !f.optional {
			required = append(required, f.name)
		}
	}
	return object{"type": "object", "properties": members, "required": required, "additionalProperties": false}
}

// maxInteger is the first integer that readers of JSON may round.
const maxInteger = 1 << 53

var checkName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// engineSchema makes the engine's type checker refuse a member that the input does not
// have. Names of checks are not known to the schema, so every word in the rules that
// could be one counts as one.
func engineSchema(modules map[string]*ast.Module) (*ast.SchemaSet, error) {
	checks := []string{}
	for _, m := range modules {
		ast.WalkTerms(m, func(t *ast.Term) bool {
			if s, ok := t.Value.(ast.String); ok && checkName.MatchString(string(s)) {
				checks = append(checks, string(s))
			}
			return false
		})
	}
	slices.Sort(checks)
	var raw any
	b, err := json.Marshal(schemaOf(slices.Compact(checks)))
	if err == nil {
		err = json.Unmarshal(b, &raw)
	}
	if err != nil {
		return nil, fmt.Errorf("input schema for the engine: %w", err)
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, raw)
	return set, nil
}

// Validate holds a document against the words and members of verdict.input/v1: the
// states, layers and severities are closed lists, times and digests have one form.
func Validate(canonical []byte) error {
	in, err := ParseInput(canonical)
	if err != nil {
		return err
	}
	return validate(reflect.ValueOf(*in), "input")
}

var compiledPatterns = func() map[reflect.Type]*regexp.Regexp {
	out := map[reflect.Type]*regexp.Regexp{}
	for t, p := range patterns {
		out[t] = regexp.MustCompile(p)
	}
	return out
}()

func validate(v reflect.Value, at string) error {
	switch v.Kind() {
	case reflect.Struct:
		for f := range fieldsOf(v.Type()) {
			if err := validate(v.Field(f.index), at+"."+f.name); err != nil {
				return err
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return validate(v.Elem(), at)
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := validate(v.Index(i), fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := validate(it.Value(), at+"."+it.Key().String()); err != nil {
				return err
			}
		}
	case reflect.Int64:
		if n := v.Int(); n <= -maxInteger || n >= maxInteger {
			return invalidWord(at, strconv.FormatInt(n, 10), "an integer of at most 53 bits, as JSON readers agree on")
		}
	case reflect.String:
		s, w, p := v.String(), words[v.Type()], compiledPatterns[v.Type()]
		if w != nil && !slices.Contains(w, s) {
			return invalidWord(at, s, "one of "+strings.Join(w, ", "))
		}
		if p != nil && !p.MatchString(s) {
			return invalidWord(at, s, "text of the form "+p.String())
		}
	}
	return nil
}

func invalidWord(at, got, want string) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("%s is %q", at, clip(got, 80)), Remedy: "give " + want}
}
