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
