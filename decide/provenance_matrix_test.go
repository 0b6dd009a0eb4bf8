package decide_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"verdict"
)

// told are the members of provenance that trust does not rest on, each with why.
var told = map[string]string{
	"runDetails.metadata": "when it was built is not what it is",
	"buildDefinition.externalParameters.repository is gone": "the source is that of the dependency then",
	"runDetails.metadata.finishedOn":                        "the same",
	"buildDefinition.externalParameters.ref":                "a branch is a name; the commit counts",
}

// paths are all members of a document, at every depth.
func paths(v any, at string, each func(path string)) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			p := strings.TrimPrefix(at+"."+k, ".")
			each(p)
			paths(x, p, each)
		}
	case []any:
		for i, x := range v {
			p := fmt.Sprintf("%s.%d", at, i)
			each(p)
			paths(x, p, each)
		}
	}
}

// edited is a document in which one member is gone, or is another one.
func edited(t *testing.T, text, path string, change func(any) any) string {
	t.Helper()
	var doc any
	must(t, json.Unmarshal([]byte(text), &doc))
	var in func(v any, path []string) any
	in = func(v any, path []string) any {
		if len(path) == 0 {
			return change(v)
		}
		switch v := v.(type) {
		case map[string]any:
			if x := in(v[path[0]], path[1:]); x == nil {
				delete(v, path[0])
			} else {
				v[path[0]] = x
			}
		case []any:
			var i int
			_, err := fmt.Sscan(path[0], &i)
			must(t, err)
			if x := in(v[i], path[1:]); x == nil {
				return append(v[:i:i], v[i+1:]...)
			} else {
				v[i] = x
			}
		}
		return v
	}
	raw, err := json.Marshal(in(doc, strings.Split(path, ".")))
	must(t, err)
	return string(raw)
}

// other is another value of the same kind, which might be right.
func other(v any) any {
	switch v := v.(type) {
	case string:
		if len(v) == 40 {
			return strings.Repeat("f", 40)
		}
		return strings.NewReplacer("acme", "evil", "ci.example", "evil.example", "/main", "/other").Replace(v) + map[bool]string{true: "", false: "x"}[strings.ContainsAny(v, "/")]
	case map[string]any, []any:
		return map[string]any{"x": "y"}
	}
	return "x"
}

// Provenance of which one member was taken away, or made another's, must not give the trust
// that the whole gives: a verifier that passes over what it does not find is how others were
// made to accept a build that nobody made.
func TestEachMemberOfProvenanceCounts(t *testing.T) {
	var doc any
	must(t, json.Unmarshal([]byte(build{}.json()), &doc))
	var all []string
	paths(doc, "", func(p string) { all = append(all, p) })
	if len(all) < 14 {
		t.Fatalf("%d members: %v", len(all), all)
	}
	for _, path := range all {
		for name, change := range map[string]func(any) any{"gone": func(any) any { return nil }, "another": other} {
			t.Run(path+" is "+name, func(t *testing.T) {
				t.Parallel()
				h := newHouse(t, trustMap)
				h.checkCommit("payments")
				h.attest("local", verdict.KindSBOM, artifact, aBill)
				h.attest("local", verdict.KindProvenance, artifact, edited(t, build{}.json(), path, change))
				d := h.trust(artifact, "payments")
				if lets := d.Outcome == verdict.Allow; lets != (told[path] != "" || told[path+" is "+name] != "") {
					t.Errorf("%s: %s", d.Outcome, rulesOf(d))
				}
			})
		}
	}
}
