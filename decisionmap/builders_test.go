package decisionmap

import (
	"slices"
	"strings"
	"testing"
)

const buildersText = `schema: verdict/v1
service: shop
builders:
  - {name: release, identity: "https://github.com/acme/*/.github/workflows/release.yml@refs/heads/main", issuer: "https://issuer.example",
     builder: "https://github.com/acme/builders/release.yml@refs/tags/*", level: 3, build_types: ["https://types.example/v*"], parameters: [workflow]}
  - {name: jenkins, key: jenkins, builder: "https://ci.acme.example", level: 1, build_types: ["https://ci.acme.example/job/v1"], sources: ["https://git.acme.example/shop/*"]}
`

// Whoever may sign must not gain a level by the name of a better builder.
func TestABuilderIsKnownByWhoSignsItsIdAndItsBuildType(t *testing.T) {
	m := load(t, buildersText)
	workflow := Signer{Identity: "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main", Issuer: "https://issuer.example"}
	const id, typ = "https://github.com/acme/builders/release.yml@refs/tags/v1.2.3", "https://types.example/v1"
	for _, c := range []struct {
		name    string
		signer  Signer
		id, typ string
		want    string // of the builder, or a part of why there is none
	}{
		{"the workflow at a version", workflow, id, typ, "release"},
		{"another branch's workflow", Signer{Identity: strings.Replace(workflow.Identity, "main", "try", 1), Issuer: workflow.Issuer}, id, typ, "signs otherwise"},
		{"another issuer", Signer{Identity: workflow.Identity, Issuer: "https://other.example"}, id, typ, "signs otherwise"},
		{"a branch where a tag is asked for", workflow, strings.Replace(id, "tags/v1.2.3", "heads/main", 1), typ, "no entry"},
		{"a version that is two parts", workflow, id + "/x", typ, "no entry"},
		{"another build type", workflow, id, "https://other.example/v1", "not known with the build type"},
		{"a key by its name", Signer{Key: "k1", KeyName: "jenkins"}, "https://ci.acme.example", "https://ci.acme.example/job/v1", "jenkins"},
		{"a key that says it is the workflow", Signer{Key: "k1", KeyName: "jenkins"}, id, typ, "signs otherwise"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, why := m.Builder(c.signer, c.id, c.typ)
			if b.Name != c.want && (b.Name != "" || !strings.Contains(why, c.want)) {
				t.Errorf("%q, %q", b.Name, why)
			}
		})
	}
	if _, why := Builtin().Builder(workflow, id, typ); !strings.Contains(why, "names no builder") {
		t.Errorf("without a table: %q", why)
	}
	if b := m.Builders[1]; !b.Allows("https://git.acme.example/shop/cart.git") || b.Allows("https://git.acme.example/fork/cart") || b.Allows("https://git.acme.example/shop/cart/x") {
		t.Error("sources")
	}
}

func TestABuilderThatSaysTooLittleIsRefused(t *testing.T) {
	for text, says := range map[string]string{
		`{key: k, builder: b, level: 1, build_types: [t]}`:                                                                     "no name",
		`{name: a, builder: b, level: 1, build_types: [t]}`:                                                                    "who signs",
		`{name: a, key: k, identity: i, issuer: j, builder: b, level: 1, build_types: [t]}`:                                    "who signs",
		`{name: a, identity: "*", issuer: j, builder: b, level: 1, build_types: [t]}`:                                          "anybody",
		`{name: a, identity: i, builder: b, level: 1, build_types: [t]}`:                                                       "anybody",
		`{name: a, key: k, builder: "*", level: 1, build_types: [t]}`:                                                          "which builder",
		`{name: a, key: k, builder: b, build_types: [t]}`:                                                                      "its level",
		`{name: a, key: k, builder: b, level: 4, build_types: [t]}`:                                                            "level",
		`{name: a, key: k, builder: b, level: 1}`:                                                                              "build types",
		`{name: a, key: k, builder: b, level: 1, build_types: [t], sources: ["*"]}`:                                            "anywhere",
		`{name: a, key: k, builder: b, level: 1, build_types: [t], parameter: [x]}`:                                            "parameters",
		`{name: a, key: k, builder: b, level: 1, build_types: [t], issuer: j}`:                                                 "beside a key",
		"{name: a, key: k, builder: b, level: 1, build_types: [t]}, {name: a, key: k, builder: c, level: 1, build_types: [t]}": "name of the builder",
	} {
		_, err := Load("verdict.yaml", []byte("schema: verdict/v1\nbuilders: ["+text+"]\n"))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A repository that may name a builder, or raise one, trusts itself.
func TestOneMoreBuilderOrAHigherLevelNeedsAnApprover(t *testing.T) {
	old := load(t, buildersText)
	for name, c := range map[string]struct {
		from, to string
		want     Effect
	}{
		"a higher level":      {"level: 1", "level: 2", Loosens},
		"a lower level":       {"level: 3", "level: 2", Tightens},
		"one more parameter":  {"[workflow]", "[workflow, inputs]", Loosens},
		"one more source":     {`"https://git.acme.example/shop/*"`, `"https://git.acme.example/shop/*", "https://x.example/y"`, Loosens},
		"another signer":      {"key: jenkins", "key: mallory", Changes},
		"another builder":     {"name: jenkins", "name: other", Loosens},
		"the service's alone": {`, sources: ["https://git.acme.example/shop/*"]`, "", Changes},
	} {
		changes := Diff(old, load(t, strings.Replace(buildersText, c.from, c.to, 1)))
		if !slices.ContainsFunc(changes, func(x Change) bool { return x.Effect == c.want && x.NeedsApprover() }) {
			t.Errorf("%s: %+v", name, changes)
		}
	}
	org := load(t, "schema: verdict/v1\norganization: acme\n")
	if _, err := Merge(org, load(t, buildersText)); err == nil || !strings.Contains(err.Error(), "weakens") {
		t.Errorf("a repository names a builder of its own: %v", err)
	}
}
