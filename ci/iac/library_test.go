package iac

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func checked(t *testing.T, files map[string]string) Result {
	t.Helper()
	var list []File
	for p, text := range files {
		list = append(list, File{Path: p, Content: []byte(text)})
	}
	result, err := NewLibrary().Check(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

const bucket = `resource "aws_s3_bucket" "logs" {
  bucket = "logs"
  acl    = "public-read"
}
`

const pod = `apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
    - name: web
      image: web:1.0.0
      securityContext:
        privileged: true
`

const plan = `{"format_version":"1.2","terraform_version":"1.9.0","planned_values":{"root_module":{"resources":[
{"address":"aws_s3_bucket.logs","mode":"managed","type":"aws_s3_bucket","name":"logs","provider_name":"registry.terraform.io/hashicorp/aws","schema_version":0,"values":{"acl":"public-read","bucket":"logs"}}]}},
"resource_changes":[{"address":"aws_s3_bucket.logs","mode":"managed","type":"aws_s3_bucket","name":"logs","provider_name":"registry.terraform.io/hashicorp/aws","change":{"actions":["create"],"before":null,"after":{"acl":"public-read","bucket":"logs"},"after_unknown":{}}}],
"configuration":{"root_module":{"resources":[{"address":"aws_s3_bucket.logs","mode":"managed","type":"aws_s3_bucket","name":"logs","expressions":{"acl":{"constant_value":"public-read"}}}]}}}`

const template = `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0","resources":[
{"type":"Microsoft.Storage/storageAccounts","apiVersion":"2021-02-01","name":"logs","location":"westeurope","properties":{"supportsHttpsTrafficOnly":false}}]}`

const stack = "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Logs:\n    Type: AWS::S3::Bucket\n    Properties:\n      AccessControl: PublicRead\n"

// What is unsafe in any format is found under the id that people look it up by, at its place.
func TestASettingThatIsUnsafeIsFoundAtItsPlace(t *testing.T) {
	for _, c := range []struct {
		file, text, check, format, kind, resource string
		line                                      int64
	}{
		{"main.tf", bucket, "AVD-AWS-0092", "terraform", "aws_s3_bucket", "aws_s3_bucket.logs", 3},
		{"main.tofu", bucket, "AVD-AWS-0092", "terraform", "aws_s3_bucket", "aws_s3_bucket.logs", 3},
		{"main.tf.json", `{"resource":{"aws_s3_bucket":{"logs":{"acl":"public-read"}}}}`, "AVD-AWS-0092", "terraform", "aws_s3_bucket", "aws_s3_bucket.logs", 1},
		{"net.tf", "resource \"azurerm_storage_account\" \"a\" {\n  name = \"a\"\n  enable_https_traffic_only = false\n}\n", "AVD-AZU-0008", "terraform", "azurerm_storage_account", "azurerm_storage_account.a", 3},
		{"pod.yaml", pod, "AVD-KSV-0017", "kubernetes", "Pod", "Pod/web", 6},
		{"two.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n" + pod, "AVD-KSV-0017", "kubernetes", "Pod", "Pod/web", 10},
		{"Dockerfile", "FROM scratch\nUSER root\n", "AVD-DS-0002", "dockerfile", "USER", "", 2},
		{"Containerfile", "FROM scratch\nUSER root\n", "AVD-DS-0002", "dockerfile", "USER", "", 2},
		{"stack.yaml", stack, "AVD-AWS-0092", "cloudformation", "AWS::S3::Bucket", "Logs", 6},
		{"azure.json", template, "AVD-AZU-0008", "azure-arm", "", "", 2},
		{"azure.json", template, "AVD-AZU-0011", "azure-arm", "", "", 0}, // a default, which stands nowhere
		{"tfplan.json", plan, "AVD-AWS-0092", "terraform-plan", "aws_s3_bucket", "aws_s3_bucket.logs", 0},
	} {
		t.Run(c.file, func(t *testing.T) {
			result := checked(t, map[string]string{c.file: c.text})
			i := slices.IndexFunc(result.Problems, func(p Problem) bool { return p.Check == c.check })
			if i < 0 {
				t.Fatalf("%s is not found: %+v, open %v", c.check, result.Problems, result.Open)
			}
			p := result.Problems[i]
			if p.Format != c.format || p.Type != c.kind || c.resource != "" && p.Resource != c.resource || p.Line != c.line || p.Path != c.file || p.Fix == "" || p.Message == "" {
				t.Errorf("got %+v", p)
			}
			if again := checked(t, map[string]string{c.file: c.text}); !reflect.DeepEqual(result, again) {
				t.Error("the same file has another result when it is judged again")
			}
		})
	}
}

// A file that is not what it claims to be is told with its place, and never passed over.
func TestAFileThatCannotBeReadIsInvalid(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		line       int64
	}{
		"HCL cut short":           {"main.tf", "resource \"a\" \"b\" {\n  x = 1\n", 3},
		"HCL as JSON cut short":   {"main.tf.json", "{\"resource\": {\n", 2},
		"variables":               {"prod.tfvars", "a = \n", 1},
		"HCL that nests":          {"main.tf", "x = " + strings.Repeat("[", 5000), 1},
		"HCL of signs":            {"main.tf", "x = " + strings.Repeat("! ", 500_000), 1},
		"a manifest":              {"pod.yaml", "apiVersion: v1\nkind: Pod\nspec: [\n", 4},
		"a template":              {"azure.json", template[:len(template)-3], 2},
		"a stack":                 {"stack.yaml", stack + "  Bad: [\n", 7},
		"a plan":                  {"plan.json", plan[:len(plan)-3], 3},
		"a Dockerfile":            {"Dockerfile", "FROM scratch\nRNU x\n", 2},
		"aliases that swell":      {"pod.yaml", "apiVersion: v1\nkind: Pod\na: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", 1},
		"a module that calls all": {"main.tf", "module \"a\" {\n  source = \"./.\"\n}\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			result := checked(t, map[string]string{c.file: c.text})
			if len(result.Problems) != 1 || result.Problems[0].Check != Invalid || result.Problems[0].Path != c.file {
				t.Fatalf("got %+v, open %v", result.Problems, result.Open)
			}
			if p := result.Problems[0]; c.line > 0 && p.Line < 1 {
				t.Errorf("no line: %+v", p)
			}
		})
	}
}

// A change could bring the comment with the fault.
func TestACommentSilencesNothing(t *testing.T) {
	for file, text := range map[string]string{
		"main.tf":    "#trivy:ignore:*\n#tfsec:ignore:*\n" + bucket,
		"Dockerfile": "#trivy:ignore:AVD-DS-0002\nFROM scratch\n#trivy:ignore:AVD-DS-0002\nUSER root\n",
		"stack.yaml": "#trivy:ignore:*\n" + stack,
	} {
		result := checked(t, map[string]string{file: text})
		if !slices.ContainsFunc(result.Problems, func(p Problem) bool { return p.Check == "AVD-AWS-0092" || p.Check == "AVD-DS-0002" }) {
			t.Errorf("%s: a comment silenced the check", file)
		}
	}
}

func TestWhatIsOfAnotherFormatIsNotJudged(t *testing.T) {
	result := checked(t, map[string]string{"a.yaml": "a: [", "b.json": "{", "c.yml": "services: {web: {image: x}}", "d.go": "package d"})
	if len(result.Judged)+len(result.Problems)+len(result.Open) != 0 {
		t.Errorf("got %+v", result)
	}
}

// What a module makes of its variables counts, and a module from elsewhere is told.
func TestModulesAreJudgedAsTheyAreCalled(t *testing.T) {
	result := checked(t, map[string]string{
		"live/main.tf":           "module \"logs\" {\n  source = \"../modules/bucket\"\n  acl = \"public-read\"\n}\nmodule \"far\" {\n  source = \"terraform-aws-modules/vpc/aws\"\n}\n",
		"modules/bucket/main.tf": "variable \"acl\" {}\nresource \"aws_s3_bucket\" \"b\" {\n  acl = var.acl\n}\n",
	})
	if !slices.ContainsFunc(result.Problems, func(p Problem) bool {
		return p.Check == "AVD-AWS-0092" && p.Path == "modules/bucket/main.tf" && p.Type == "aws_s3_bucket"
	}) {
		t.Errorf("what the caller asks for is not judged: %+v", result.Problems)
	}
	if len(result.Open) != 1 || result.Open[0].Blocks || !strings.Contains(result.Open[0].Reason, "comes from elsewhere") {
		t.Errorf("got %+v", result.Open)
	}
}

// The same risk under another name is known again.
func TestAPatternKnowsTheRiskUnderAnotherName(t *testing.T) {
	pattern := func(text string) string {
		for _, p := range checked(t, map[string]string{"main.tf": text}).Problems {
			if p.Check == "AVD-AWS-0092" {
				return p.Pattern()
			}
		}
		return ""
	}
	if a, b := pattern(bucket), pattern("\n\n"+strings.ReplaceAll(bucket, "logs", "other")); a == "" || a != b {
		t.Errorf("%s and %s", a, b)
	}
	if a, b := pattern(bucket), pattern(strings.ReplaceAll(bucket, "public-read", "public-read-write")); a == b {
		t.Error("another setting has the same pattern")
	}
}

func TestAChartIsToldAndItsTemplatesAreNotRead(t *testing.T) {
	result := checked(t, map[string]string{"c/Chart.yaml": "apiVersion: v2\nname: c\n", "c/templates/pod.yaml": "{{ if x }}\napiVersion: v1\nkind: Pod\n"})
	if len(result.Problems) != 0 || len(result.Open) != 1 || result.Open[0].Blocks {
		t.Errorf("got %+v", result)
	}
}

// A count that nobody means must not take the machine's memory.
func TestAMillionCopiesAreRefused(t *testing.T) {
	result := checked(t, map[string]string{"main.tf": "resource \"aws_s3_bucket\" \"b\" {\n  count = 1000 * 1000 * 1000\n}\n"})
	if len(result.Open) != 1 || !result.Open[0].Blocks {
		t.Errorf("got %+v", result)
	}
}

func BenchmarkTerraform300(b *testing.B) {
	var files []File
	for i := range 300 {
		files = append(files, File{Path: fmt.Sprintf("m%d/f%d.tf", i/10, i), Content: []byte(strings.ReplaceAll(bucket, "logs", fmt.Sprintf("b%d", i)))})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewLibrary().Check(b.Context(), files); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzLibrary(f *testing.F) {
	f.Add("s.yaml", trusted("{Federated: !Join ['', [a, !Ref Any]]}", "          Condition: {StringEquals: {'a:sub': !If [x, !GetAtt R.Arn, !Sub '${Any}']}}\n"))
	f.Add("a.json", arm("Microsoft.Resources/deployments", `"template": {"resources": [{"type": "Microsoft.KeyVault/vaults", "name": "[parameters('on')]", "properties": {"enableRbacAuthorization": "[variables('off')]"}}]}`))
	f.Add("kustomization.yaml", "resources: [web.yaml, ../base]\npatches: [{patch: '[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]', target: {kind: Pod}}]\nconfigMapGenerator: [{name: a, literals: [b=c], envs: ['https://example.com=x']}]\n")
	f.Add("a.tf", trusting("sts:AssumeRoleWithWebIdentity", github, audience))
	for name, text := range map[string]string{"main.tf": bucket, "main.tf.json": `{"resource":{"aws_s3_bucket":{"logs":{"acl":"${var.a}"}}}}`, "pod.yaml": pod, "Dockerfile": "FROM scratch\n", "azure.json": template, "stack.yaml": stack, "plan.json": plan} {
		f.Add(name, text)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		result, err := NewLibrary().Check(t.Context(), []File{{Path: name, Content: []byte(text)}})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range result.Problems {
			if p.Check == "" || p.Path == "" || p.Line < 0 {
				t.Errorf("got %+v", p)
			}
		}
	})
}

// A check about policies of a namespace says nothing of a Deployment: a user would be told
// in each manifest to write what stands elsewhere.
func TestAManifestIsAskedWhatIsAboutItsKind(t *testing.T) {
	result := checked(t, map[string]string{"web.yaml": sound})
	for _, p := range result.Problems {
		if p.Check == "AVD-KSV-0039" || p.Check == "AVD-KSV-0040" {
			t.Errorf("%s is about other kinds: %s", p.Check, p.Message)
		}
	}
	if !slices.Contains(result.Judged, "web.yaml") {
		t.Error("it was not judged at all")
	}
}
