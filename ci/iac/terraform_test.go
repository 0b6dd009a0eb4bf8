package iac

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"verdict"
)

func moduleCall(name, source string) string {
	return fmt.Sprintf("module %q {\n  source = %q\n}\n", name, source)
}

func judgedTerraform(t *testing.T, files map[string]string) Result {
	t.Helper()
	var list []File
	for p, content := range files {
		list = append(list, File{p, []byte(content)})
	}
	r, err := NewLibrary().Check(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Modules that call each other in ever more ways would keep the check busy for ever.
func TestManyWaysThroughModulesEnd(t *testing.T) {
	files := map[string]string{}
	for i := range 40 {
		files[fmt.Sprintf("m%d/a.tf", i)] = moduleCall("x", fmt.Sprintf("../m%d", i+1)) + moduleCall("y", fmt.Sprintf("../m%d", i+1))
	}
	files["m40/a.tf"] = "locals {\n  a = 1\n}\n"
	r := judgedTerraform(t, files)
	if !slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool {
		return n.Path == "m0/a.tf" && n.Blocks && strings.Contains(n.Reason, "call each other")
	}) {
		t.Errorf("%+v", r)
	}
}

// Values that Terraform takes by itself decide what is set up.
func TestFilesOfValuesCount(t *testing.T) {
	files := map[string]string{"a.tf": "variable \"from\" {\n}\nresource \"aws_security_group\" \"g\" {\n  description = \"x\"\n  ingress {\n    description = \"x\"\n    from_port = 22\n    to_port = 22\n    protocol = \"tcp\"\n    cidr_blocks = [var.from]\n  }\n}\n"}
	open := func(r Result) bool {
		return slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == "AVD-AWS-0107" })
	}
	files["terraform.tfvars"] = `from = "10.0.0.0/8"`
	if r := judgedTerraform(t, files); open(r) {
		t.Errorf("closed: %+v", r.Problems)
	}
	files["prod.auto.tfvars"] = `from = "0.0.0.0/0"`
	if r := judgedTerraform(t, files); !open(r) {
		t.Errorf("open: %+v", r.Problems)
	}
}

// A harmless main.tofu must not hide the main.tf that Terraform applies.
func TestAFileThatAnotherToolReadsIsNotHidden(t *testing.T) {
	r := judgedTerraform(t, map[string]string{"main.tofu": "locals {\n  a = 1\n}\n", "main.tf": "resource \"aws_s3_bucket\" \"a\" {\n}\n"})
	if !slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool { return n.Path == "main.tf" && n.Blocks }) {
		t.Errorf("%+v", r.Open)
	}
}

// What is not there to be judged holds the answer back, wherever it was put.
func TestAModuleThatWasNotReadIsAbsent(t *testing.T) {
	r := judgedTerraform(t, map[string]string{"main.tf": moduleCall("net", "./modules/net")})
	if len(r.Absent) != 1 || r.Absent[0].Path != "main.tf" || !r.Absent[0].Blocks || !strings.Contains(r.Absent[0].Reason, "modules/net") {
		t.Errorf("%+v", r.Absent)
	}
}

func TestAFileThatOverridesOthersHoldsTheAnswerBack(t *testing.T) {
	for _, name := range []string{"override.tf", "main_override.tf", "override.tf.json"} {
		content := "locals {\n  a = 1\n}\n"
		if strings.HasSuffix(name, ".json") {
			content = `{"locals": {"a": 1}}`
		}
		r := judgedTerraform(t, map[string]string{"main.tf": "locals {\n  b = 1\n}\n", name: content})
		if !slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool { return n.Path == name && n.Blocks }) {
			t.Errorf("%s: %+v", name, r.Open)
		}
	}
}

// A provider without a check must not look checked.
func TestAProviderWithoutChecksIsTold(t *testing.T) {
	r := judgedTerraform(t, map[string]string{"a.tf": "resource \"hcloud_server\" \"a\" {\n}\nresource \"random_id\" \"b\" {\n}\n"})
	if len(r.Open) != 1 || !strings.Contains(r.Open[0].Reason, "provider hcloud") {
		t.Errorf("%+v", r.Open)
	}
}

// What makes a parser's or an evaluator's stack full ends the whole program.
func TestExpressionsThatGoOnForEverAreRefused(t *testing.T) {
	for name, content := range map[string]string{
		"a sum":            "x = 1" + strings.Repeat("+1", 100_000) + "\n",
		"a choice":         "x = " + strings.Repeat("true?1:", 100_000) + "1\n",
		"a sum over lines": "x = (1" + strings.Repeat("\n+1", 100_000) + ")\n",
		"a sum in a text":  "x = \"${1" + strings.Repeat("+1", 100_000) + "}\"\n",
		"and":              "x = true" + strings.Repeat("&&true", 100_000) + "\n",
	} {
		r := judgedTerraform(t, map[string]string{"a.tf": content})
		if len(r.Problems) != 1 || r.Problems[0].Check != Invalid || !strings.Contains(r.Problems[0].Message, "signs") {
			t.Errorf("%s: %+v", name, r.Problems)
		}
	}
	long := "x = \"" + strings.Repeat("a+b/c=", 100_000) + "\" # " + strings.Repeat("+", 10_000) + "\ny = 1 + 2\n"
	if n, _ := operators([]byte(long)); n > 5 {
		t.Errorf("text and a comment count as %d signs", n)
	}
}

// Who waits is answered, also where the library goes on.
func TestAModuleThatTakesTooLongIsGivenUp(t *testing.T) {
	old := perModule
	perModule = 0
	defer func() { perModule = old }()
	block := make(chan struct{})
	defer close(block)
	r := &run{}
	r.within(t.Context(), "infra", 0, func(*run) error { <-block; return nil })
	if len(r.result.Open) != 1 || r.result.Open[0].Path != "infra" || !r.result.Open[0].Blocks {
		t.Errorf("%+v", r.result.Open)
	}
}

const plannedGroup = `{"format_version": "1.2", "planned_values": {"root_module": {%s}}, "resource_changes": [{"address": "%s", "mode": "managed", "type": "aws_security_group", "name": "g", "change": {"actions": ["create"], "after": {"description": "x", "ingress": [%s]}, "after_unknown": {"id": true, "ingress": [{"self": false}]}}}], "configuration": {"root_module": {}}}`

// Each element of a list counts, and what is declared in a module has its address.
func TestAllOfAPlanIsJudged(t *testing.T) {
	rule := func(from string) string {
		return `{"description": "x", "from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": [` + from + `]}`
	}
	resource := func(address string) string {
		return `"resources": [{"address": "` + address + `", "mode": "managed", "type": "aws_security_group", "name": "g", "values": {}}]`
	}
	inModule := `"child_modules": [{"address": "module.net[0]", ` + resource("module.net[0].aws_security_group.g") + `}]`
	for name, c := range map[string]struct {
		module, address, ingress string
		open                     bool
	}{
		"closed":                     {resource("aws_security_group.g"), "aws_security_group.g", rule(`"10.0.0.0/8"`), false},
		"the second address is open": {resource("aws_security_group.g"), "aws_security_group.g", rule(`"10.0.0.0/8", "0.0.0.0/0"`), true},
		"the second block is open":   {resource("aws_security_group.g"), "aws_security_group.g", rule(`"10.0.0.0/8"`) + "," + rule(`"0.0.0.0/0"`), true},
		"in a module":                {inModule, "module.net[0].aws_security_group.g", rule(`"0.0.0.0/0"`), true},
		"one of several":             {resource(`aws_security_group.g[\"a\"]`), `aws_security_group.g[\"a\"]`, rule(`"0.0.0.0/0"`), true},
	} {
		r, err := NewLibrary().CheckPlan(t.Context(), File{"tfplan.json", fmt.Appendf(nil, plannedGroup, c.module, c.address, c.ingress)})
		if err != nil {
			t.Fatal(err)
		}
		address := strings.ReplaceAll(c.address, `\"`, `"`)
		if open := slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == "AVD-AWS-0107" && p.Resource == address }); open != c.open {
			t.Errorf("%s: open %v: %+v", name, open, r.Problems)
		}
		if !slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool {
			return strings.Contains(n.Reason, "1 values are known only after the apply")
		}) {
			t.Errorf("%s: what is not known yet is not told: %+v", name, r.Open)
		}
	}
}

// A bucket and what blocks access to it belong together, although the plan has no id yet.
func TestReferencesOfAPlanAreFollowed(t *testing.T) {
	const plan = `{"format_version": "1.2", "planned_values": {"root_module": {"resources": [
 {"address": "aws_s3_bucket.b", "mode": "managed", "type": "aws_s3_bucket", "name": "b", "values": {"bucket": "x"}},
 {"address": "aws_s3_bucket_public_access_block.p", "mode": "managed", "type": "aws_s3_bucket_public_access_block", "name": "p", "values": {"block_public_acls": true, "block_public_policy": true, "ignore_public_acls": true, "restrict_public_buckets": true}}]}},
 "configuration": {"root_module": {"resources": [{"address": "aws_s3_bucket_public_access_block.p", "expressions": {"bucket": {"references": [%s]}}}]}}}`
	has := func(refs string) bool {
		r, err := NewLibrary().CheckPlan(t.Context(), File{"tfplan.json", fmt.Appendf(nil, plan, refs)})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == "AVD-AWS-0086" })
	}
	if has(`"aws_s3_bucket.b.id", "aws_s3_bucket.b"`) {
		t.Error("the bucket is told to be open, although its access is blocked")
	}
	if !has(`"var.other"`) {
		t.Error("a block of another bucket counts")
	}
}
