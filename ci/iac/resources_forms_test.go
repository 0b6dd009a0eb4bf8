package iac

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func problem(t *testing.T, r Result, id string) Problem {
	t.Helper()
	found, _ := ofRule(t, r, id)
	if len(found) != 1 {
		t.Fatalf("%s is found %d times: %+v, open %v", id, len(found), r.Problems, r.Open)
	}
	return found[0]
}

// What stands in another file is to be mended there.
func TestADocumentOfRightsIsFoundWhereItStands(t *testing.T) {
	files := map[string]string{
		"roles.tf":  "module \"deploy\" {\n  source = \"./role\"\n}\n",
		"role/a.tf": "resource \"aws_iam_role\" \"r\" {\n  count = 1\n  assume_role_policy = data.aws_iam_policy_document.all.json\n}\n",
		"role/b.tf": "data \"aws_iam_policy_document\" \"all\" {\n  source_policy_documents = [data.aws_iam_policy_document.one.json]\n}\ndata \"aws_iam_policy_document\" \"one\" {\n  statement {\n    principals {\n      type = \"*\"\n      identifiers = [\"*\"]\n    }\n    actions = [\"sts:AssumeRole\"]\n  }\n}\n",
	}
	r := checked(t, files)
	p := problem(t, r, "VI-AWS-002")
	if p.Path != "role/b.tf" || p.Line != 5 || p.Resource != "module.deploy.aws_iam_role.r[0]" || p.Type != "aws_iam_role" || p.Format != formatTerraform {
		t.Errorf("%+v", p)
	}
	if again := checked(t, files); !reflect.DeepEqual(r, again) {
		t.Error("the same files have another result when they are judged again")
	}
}

// A statement that another one of the same sid takes the place of gives no rights.
func TestStatementsThatAreReplacedGiveNoRights(t *testing.T) {
	text := func(sid string) string {
		return "resource \"aws_iam_policy\" \"p\" {\n  policy = data.aws_iam_policy_document.all.json\n}\ndata \"aws_iam_policy_document\" \"wide\" {\n  statement {\n    sid = \"main\"\n    actions = [\"*\"]\n    resources = [\"*\"]\n  }\n}\n" +
			"data \"aws_iam_policy_document\" \"all\" {\n  source_policy_documents = [data.aws_iam_policy_document.wide.json]\n  statement {\n    sid = \"" + sid + "\"\n    actions = [\"s3:Get*\"]\n    resources = [\"*\"]\n  }\n}\n"
	}
	for sid, want := range map[string]int{"main": 0, "other": 1} {
		if found, _ := ofRule(t, checked(t, map[string]string{"a.tf": text(sid)}), "VI-AWS-003"); len(found) != want {
			t.Errorf("%s: %+v", sid, found)
		}
	}
}

// Documents that take each other in must not take the stack.
func TestDocumentsOfRightsInACircleEnd(t *testing.T) {
	text := "resource \"aws_iam_role\" \"r\" {\n  assume_role_policy = data.aws_iam_policy_document.a.json\n}\n"
	for _, pair := range []string{"ab", "ba"} {
		text += fmt.Sprintf("data \"aws_iam_policy_document\" \"%c\" {\n  source_policy_documents = [data.aws_iam_policy_document.%c.json, data.aws_iam_policy_document.%c.json]\n}\n", pair[0], pair[1], pair[1])
	}
	if _, unknown := ofRule(t, checked(t, map[string]string{"a.tf": text}), ""); unknown == 0 {
		t.Error("what nobody followed to its end is not told")
	}
}

const plannedVault = `{"format_version": "1.2", "planned_values": {"root_module": {"child_modules": [{"address": "module.net", "resources": [
{"address": "module.net.azurerm_key_vault.v[\"a\"]", "mode": "managed", "type": "azurerm_key_vault", "name": "v", "values": {"name": "v"%[1]s}}]}]}},
"resource_changes": [{"address": "module.net.azurerm_key_vault.v[\"a\"]", "mode": "managed", "type": "azurerm_key_vault", "name": "v", "change": {"actions": ["create"], "after": {"name": "v"%[1]s}, "after_unknown": {"id": true%[2]s}}}],
"configuration": {"root_module": {}}}`

// A plan has the rules of code, and what only the apply tells is not taken for absent.
func TestAPlanHasTheSameRules(t *testing.T) {
	for name, c := range map[string]struct {
		values, later string
		found         bool
		unknown       int
	}{
		"absent":                   {"", "", true, 0},
		"null":                     {`, "enable_rbac_authorization": null`, "", true, 0},
		"unsafe":                   {`, "enable_rbac_authorization": false`, "", true, 0},
		"safe":                     {`, "enable_rbac_authorization": true`, "", false, 0},
		"known only after apply":   {"", `, "rbac_authorization_enabled": true`, false, 1},
		"another one is not known": {"", `, "vault_uri": true`, true, 0},
	} {
		r, err := NewLibrary().CheckPlan(t.Context(), File{"tfplan.json", fmt.Appendf(nil, plannedVault, c.values, c.later)})
		if err != nil {
			t.Fatal(err)
		}
		found, unknown := ofRule(t, r, "VI-AZ-008")
		if (len(found) == 1) != c.found || unknown != c.unknown {
			t.Errorf("%s: %+v, %d unknown", name, found, unknown)
		}
		for _, p := range found {
			if p.Resource != `module.net.azurerm_key_vault.v["a"]` || p.Path != "tfplan.json" || p.Line != 0 || p.Format != formatPlan {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
}

// Modules of Bicep become templates within a template, with parameters of their own.
func TestTemplatesWithinATemplateAreJudged(t *testing.T) {
	nested := func(scope, given string) string {
		return arm("Microsoft.Resources/deployments", `"expressionEvaluationOptions": {"scope": "`+scope+`"},
"parameters": {`+given+`},
"template": {"parameters": {"on": {"type": "bool", "defaultValue": false}},
"resources": [
{"type": "Microsoft.ContainerRegistry/registries",
"name": "[parameters('name')]",
"properties": {
"adminUserEnabled": "[parameters('on')]"}}]}`)
	}
	for name, c := range map[string]struct {
		scope, given string
		found        bool
		unknown      int
	}{
		"the module's default":             {"inner", "", false, 0},
		"what it is given":                 {"inner", `"on": {"value": true}`, true, 0},
		"what is handed on":                {"inner", `"on": {"value": "[parameters('on')]"}`, true, 0},
		"what is handed on from nobody":    {"inner", `"on": {"value": "[parameters('any')]"}`, false, 1},
		"without a scope the outer counts": {"outer", "", true, 0},
	} {
		found, unknown := ofRule(t, checked(t, map[string]string{"a.json": nested(c.scope, c.given)}), "VI-AZ-004")
		if (len(found) == 1) != c.found || unknown != c.unknown {
			t.Errorf("%s: %+v, %d unknown", name, found, unknown)
		}
		if c.found && (found[0].Line != 19 || found[0].Type != "Microsoft.ContainerRegistry/registries") {
			t.Errorf("%s: %+v", name, found[0])
		}
	}
}

// The same risk under another name and in another place is known again, and another is not.
func TestPatternsOfOwnRules(t *testing.T) {
	of := func(text string) string {
		return problem(t, checked(t, map[string]string{"a.tf": text}), "VI-AZ-004").Pattern()
	}
	one := of("resource \"azurerm_container_registry\" \"a\" {\n  admin_enabled = true\n}\n")
	if other := of("\n\nresource \"azurerm_container_registry\" \"other\" {\n  name = \"x\"\n  admin_enabled = \"true\"\n}\n"); one != other {
		t.Error("the same risk has another pattern under another name")
	}
	shared := func(text string) string {
		return problem(t, checked(t, map[string]string{"a.tf": text}), "VI-AZ-006").Pattern()
	}
	if shared("resource \"azurerm_storage_account\" \"a\" {\n}\n") == shared("resource \"azurerm_storage_account\" \"a\" {\n  shared_access_key_enabled = true\n}\n") {
		t.Error("what is missing and what is written wrong have one pattern")
	}
}

// A provider about which only own rules are is not told as one without any.
func TestAProviderWithOwnRulesIsNoProviderWithoutChecks(t *testing.T) {
	r := checked(t, map[string]string{"a.tf": "resource \"alicloud_vpc\" \"a\" {\n}\n"})
	if len(r.Open) != 0 {
		t.Errorf("%+v", r.Open)
	}
}

// What a file cannot say in JSON, and what nests without an end, is no value.
func TestOddValuesAreUnknown(t *testing.T) {
	deep := strings.Repeat(`{\"a\":`, 300) + "1" + strings.Repeat("}", 300)
	for name, value := range map[string]string{"deep JSON": `"` + deep + `"`, "a large number": "1e400", "a sensitive value": "sensitive(var.x)", "a mistake": "nothing.at.all"} {
		r := checked(t, map[string]string{"a.tf": "variable \"x\" {}\nresource \"aws_iam_policy\" \"a\" {\n  policy = " + value + "\n}\n"})
		if _, unknown := ofRule(t, r, ""); unknown != 1 {
			t.Errorf("%s: %d unknown: %+v", name, unknown, r)
		}
	}
	r := checked(t, map[string]string{"s.yaml": cfnOf("AWS::IAM::Policy", "      PolicyDocument: !Join [!Ref Any]\n")})
	if _, unknown := ofRule(t, r, ""); unknown != 1 {
		t.Errorf("%+v", r)
	}
}

// Blocks of Terraform as JSON are values, and judged as blocks are.
func TestResourcesAsJSONAreJudged(t *testing.T) {
	r := checked(t, map[string]string{"a.tf.json": `{"resource": {"google_project_iam_audit_config": {"a": {"audit_log_config": [{"log_type": "DATA_READ", "exempted_members": ["user:a@example.com"]}]}}}}`})
	if p := problem(t, r, "VI-GCP-005"); p.Resource != "google_project_iam_audit_config.a" {
		t.Errorf("%+v", p)
	}
}

// Who has no resource of a provider does not wait for its rules.
func TestRulesAreNotCompiledForNothing(t *testing.T) {
	saved := clouds
	defer func() { clouds = saved }()
	fresh := &cloud{name: "oracle"}
	clouds = map[string]*cloud{"oci_": fresh}
	checked(t, map[string]string{"a.tf": bucket, "pod.yaml": pod})
	if fresh.set != nil {
		t.Error("rules about a provider that is not there were compiled")
	}
	checked(t, map[string]string{"a.tf": "resource \"oci_objectstorage_bucket\" \"a\" {\n  access_type = \"ObjectRead\"\n}\n"})
	if fresh.set == nil || !slices.ContainsFunc(fresh.set.checks, func(c pipelineRule) bool { return c.id == "VI-OCI-001" }) {
		t.Error("rules about a provider that is there were not compiled")
	}
}

// A rule that breaks off over a setting of an odd form would leave all of a module not judged.
func TestRulesTakeSettingsOfAnyForm(t *testing.T) {
	list := func(all ...field) field { return valued(all, 1) }
	forms := []field{unset(1), unknown("", 1), unknown("repo:?/x:*", 1), valued(true, 1), number(22, 1), number(1e300, 1), valued("*", 1), valued("", 1), list(), list(list(number(1, 1)))}
	for _, key := range []string{"Statement", "source", "protocol", "min", "name", "Principal"} {
		for _, inner := range forms[:8] {
			forms = append(forms, valued(map[string]field{key: inner}, 1), list(valued(map[string]field{key: inner, "Effect": valued("Allow", 1), "Action": inner, "Condition": valued(map[string]field{"StringLike": inner}, 1)}, 1), inner))
		}
	}
	for _, prefix := range []string{"azurerm_", "aws_", "google_", "alicloud_", "oci_"} {
		c := cloudOf(prefix + "x")
		if err := c.load(); err != nil {
			t.Fatal(err)
		}
		for kind := range c.byType {
			for _, f := range forms {
				r := &run{}
				if _, err := r.rulesAbout(t.Context(), &asset{kind: kind, address: "r", path: "a.tf", top: func(string) field { return f }}); err != nil {
					t.Errorf("%+v: %v", f, err)
				}
			}
		}
	}
}
