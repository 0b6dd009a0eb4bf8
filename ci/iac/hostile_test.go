package iac

import (
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
)

// A file that a hand or a tool has spoilt is judged as the program reads it that applies
// it, or told: what it sets up is never taken to be nothing.
func TestASpoiltFileIsJudgedOrTold(t *testing.T) {
	manifest := strings.Replace(privileged, "metadata:", "metadata: # here\n", 1)
	const json = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "b", "securityContext": {"privileged": true}}]}}`
	long := strings.Repeat("x", 5<<20)
	for name, c := range map[string]struct{ file, text string }{
		"HCL: no UTF-8 in a name":             {"main.tf", strings.Replace(bucket, `"logs"`, "\"lo\xffgs\"", 1)},
		"HCL: no UTF-8 in a comment":          {"main.tf", "# \xff\n" + bucket},
		"HCL: NUL":                            {"main.tf", "# \x00\n" + bucket},
		"HCL: an argument twice":              {"main.tf", strings.Replace(bucket, "acl ", "acl = \"private\"\n  acl ", 1)},
		"HCL: a block twice":                  {"main.tf", bucket + bucket},
		"HCL: a conflict":                     {"main.tf", "<<<<<<< HEAD\n" + bucket + "=======\n>>>>>>> side\n"},
		"HCL: cut":                            {"main.tf", bucket[:len(bucket)-4]},
		"HCL: 5 MB in a line":                 {"main.tf", bucket + "# " + long},
		"HCL: one value that needs itself":    {"main.tf", "locals {\n  a = local.a\n}\n" + bucket},
		"HCL: values that need each other":    {"main.tf", "locals {\n  a = local.b\n  b = [local.c]\n  c = local.a\n}\n" + strings.Replace(bucket, `"logs"`, "\"l${local.a}\"", 2)},
		"HCL: a variable that is its default": {"main.tf", "variable \"v\" {\n  default = var.v\n}\n" + bucket},
		"HCL: resources that need each other": {"main.tf", strings.Replace(bucket, "bucket = \"logs\"", "bucket = aws_s3_bucket.b.id", 1) + "resource \"aws_s3_bucket\" \"b\" {\n  bucket = aws_s3_bucket.logs.id\n}\n"},
		"JSON of HCL: a key twice":            {"main.tf.json", `{"resource":{"aws_s3_bucket":{"logs":{"acl":"public-read","acl":"private"}}}}`},
		"JSON of HCL: no UTF-8":               {"main.tf.json", "{\"resource\":{\"aws_s3_bucket\":{\"lo\xffgs\":{\"acl\":\"public-read\"}}}}"},
		"YAML: no UTF-8 in a name":            {"a.yaml", strings.Replace(manifest, "name: p", "name: p\xff", 1)},
		"YAML: no UTF-8 in a comment":         {"a.yaml", "# \xff\n" + manifest},
		"YAML: NUL":                           {"a.yaml", manifest + "# \x00\n"},
		"YAML: a key twice":                   {"a.yaml", strings.Replace(manifest, "privileged: true", "privileged: true\n      privileged: false", 1)},
		"YAML: a key twice, the other way":    {"a.yaml", strings.Replace(manifest, "privileged: true", "privileged: false\n      privileged: true", 1)},
		"YAML: its kind twice":                {"a.yaml", manifest + "kind: ConfigMap\n"},
		"YAML: a conflict":                    {"a.yaml", "<<<<<<< HEAD\n" + manifest + "=======\n>>>>>>> side\n"},
		"YAML: a tab":                         {"a.yaml", strings.Replace(manifest, "  containers", "\tcontainers", 1)},
		"YAML: 5 MB in a line":                {"a.yaml", manifest + "# " + long},
		"YAML: an anchor that holds itself":   {"a.yaml", manifest + "x: &x\n  y: *x\n"},
		"JSON: no UTF-8":                      {"a.json", strings.Replace(json, `"p"`, "\"p\xff\"", 1)},
		"JSON: a key twice":                   {"a.json", strings.Replace(json, `"privileged": true`, `"privileged": true, "privileged": false`, 1)},
		"JSON: 5 MB in a line":                {"a.json", strings.Replace(json, `"p"`, `"`+long+`"`, 1)},
		"a stack: a key twice":                {"stack.yaml", stack + "      AccessControl: Private\n"},
		"a stack: a resource that needs all":  {"stack.yaml", strings.Replace(stack, "PublicRead", "PublicRead\n      BucketName: !Ref Logs", 1)},
		"a template: a key twice":             {"azure.json", strings.Replace(template, `"properties"`, `"properties":{"supportsHttpsTrafficOnly":true},"properties"`, 1)},
		"a Dockerfile: no UTF-8":              {"Dockerfile", "# \xff\nFROM scratch\nUSER root\n"},
		"a Dockerfile: NUL":                   {"Dockerfile", "# \x00\nFROM scratch\nUSER root\n"},
		"a Dockerfile: 5 MB in a line":        {"Dockerfile", "FROM scratch\nUSER root\nRUN " + long},
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			r := checked(t, map[string]string{c.file: c.text})
			judged := slices.ContainsFunc(r.Problems, func(p Problem) bool {
				return slices.Contains([]string{Invalid, "AVD-AWS-0092", "AVD-KSV-0017", "AVD-AZU-0008", "AVD-DS-0002"}, p.Check)
			})
			told := slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool { return n.Blocks })
			if !judged && !told {
				t.Errorf("it was passed over: %+v", r)
			}
			for _, p := range r.Problems {
				if len(p.Message)+len(p.Resource) > 10_000 {
					t.Errorf("%d bytes of the file are told", len(p.Message)+len(p.Resource))
				}
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
