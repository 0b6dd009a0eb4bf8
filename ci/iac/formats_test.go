package iac

import (
	"slices"
	"strings"
	"testing"

	"verdict"
)

const privileged = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n  - name: a\n    image: b\n    securityContext:\n      privileged: true\n"

// Whoever wants to get by writes the file in a way that the program which applies it still
// understands.
func TestAManifestIsFoundHoweverItIsWritten(t *testing.T) {
	indented := "   " + strings.ReplaceAll(strings.TrimSuffix(privileged, "\n"), "\n", "\n   ") + "\n"
	for name, files := range map[string]map[string]string{
		"as it is":                  {"a.yaml": privileged},
		"indented":                  {"a.yaml": indented},
		"with quotes":               {"a.yaml": strings.NewReplacer("apiVersion:", "'apiVersion':", "kind:", "\"kind\" :").Replace(privileged)},
		"in flow style":             {"a.yaml": "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, image: b, securityContext: {privileged: true}}]}}\n"},
		"with escapes":              {"a.yaml": strings.NewReplacer("apiVersion:", `"api\u0056ersion":`, "kind:", `"\x6bind":`).Replace(privileged)},
		"JSON with escapes":         {"a.json": `{"api\u0056ersion": "v1", "\u006bind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "b", "securityContext": {"privileged": true}}]}}`},
		"with a merge":              {"a.yaml": "x: &x\n  apiVersion: v1\n  kind: Pod\n<<: *x\n" + strings.SplitN(privileged, "\n", 3)[2]},
		"with words of another one": {"a.yaml": privileged + "  notes: |\n    AWSTemplateFormatVersion: x\n    \"$schema\": \"https://x/deploymentTemplate.json\"\n"},
		"behind another document":   {"a.yaml": "AWSTemplateFormatVersion: '2010-09-09'\nResources: {}\n---\n" + privileged},
		"beside a chart's file":     {"Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\n", "a.yaml": privileged},
		"among a chart's templates": {"c/Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\n", "c/templates/a.yaml": "# {{ nothing }}\n" + privileged},
		"as an overlay's file":      {"kustomization.yaml": "resources: []\n---\n" + privileged},
		"by an overlay's name":      {"kustomization.dev.yaml": privileged},
		"with another ending":       {"a.YML": privileged},
		"behind a commented mark":   {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n--- # next\n" + privileged},
		"behind a mark and a space": {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n--- \n" + privileged},
		"in a list":                 {"a.yaml": "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSuffix(privileged, "\n"), "\n", "\n  ") + "\n"},
		"in a list of JSON":         {"a.json": `{"apiVersion": "v1", "kind": "PodList", "items": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "b", "securityContext": {"privileged": true}}]}}]}`},
		"JSON over several lines":   {"a.json": "{\n    \"apiVersion\": \"v1\",\n    \"kind\": \"Pod\",\n    \"metadata\": {\"name\": \"p\"},\n    \"spec\": {\"containers\": [{\"name\": \"a\", \"image\": \"b\", \"securityContext\": {\"privileged\": true}}]}\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := judgedTerraform(t, files)
			if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == "AVD-KSV-0017" }) {
				t.Errorf("it was passed over: %+v", r)
			}
		})
	}
}

// Templates that happen to be YAML say things twice, and have values that are none, before
// they are rendered. Outside of a chart that is a fault.
func TestATemplateThatIsYAMLIsNotCalledBroken(t *testing.T) {
	for name, text := range map[string]string{
		"a value of braces": "apiVersion: v1\nkind: Pod\nspec: {{ .Values.spec }}\n",
		"a choice of two":   "apiVersion: v1\nkind: Pod\nspec:\n  # {{ if .Values.x }}\n  hostNetwork: true\n  # {{ else }}\n  hostNetwork: false\n  # {{ end }}\n",
	} {
		r := judgedTerraform(t, map[string]string{"c/Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\n", "c/templates/a.yaml": text})
		if slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == Invalid }) || slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool { return n.Path == "c/templates/a.yaml" }) {
			t.Errorf("%s: %+v", name, r)
		}
		r = judgedTerraform(t, map[string]string{"a.yaml": text})
		if len(r.Problems)+len(r.Open) == 0 {
			t.Errorf("%s, outside of a chart: it was passed over", name)
		}
	}
}

// A template of a chart is no manifest before it is rendered, and is not called broken.
func TestATemplateOfAChartIsToldAndNotCalledBroken(t *testing.T) {
	r := judgedTerraform(t, map[string]string{
		"c/Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\n", "c/templates/a.yaml": "apiVersion: v1\nkind: Pod\n{{- if .Values.x }}\nspec: {{ .Values.spec | toYaml }}\n{{ end }}\n",
	})
	if len(r.Problems) > 0 || !slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool { return n.Path == "c/Chart.yaml" }) {
		t.Errorf("%+v", r)
	}
}

// The same for the other formats.
func TestAStackIsFoundHoweverItIsWritten(t *testing.T) {
	const stack = `{"Resources":{"G":{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupDescription":"x","SecurityGroupIngress":[{"IpProtocol":"tcp","FromPort":22,"ToPort":22,"CidrIp":"0.0.0.0/0"}]}}}}`
	for name, files := range map[string]map[string]string{
		"in one line": {"infra/stack.json": stack}, "below a chart": {"Chart.yaml": "x\n", "infra/stack.json": stack},
	} {
		r := judgedTerraform(t, files)
		if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == "AVD-AWS-0107" && p.Path == "infra/stack.json" }) {
			t.Errorf("%s: it was passed over: %+v", name, r)
		}
	}
}
