package iac

import (
	"slices"
	"strings"
	"testing"

	"verdict"
)

const open22 = `"description": "x", "from_port": 22, "to_port": 22, "protocol": "tcp"`

// Whoever writes a block in JSON opens the same port as who writes it in native syntax.
func TestBlocksInJSONAreSeen(t *testing.T) {
	group := func(ingress string) string {
		return "{\n \"resource\": {\n  \"aws_security_group\": {\n   \"g\": {\n    \"description\": \"x\",\n    " + ingress + "\n}}}}"
	}
	for name, c := range map[string]struct {
		files map[string]string
		line  int64
	}{
		"an object":           {map[string]string{"a.tf.json": group(`"ingress": {` + open22 + `, "cidr_blocks": ["0.0.0.0/0"]}`)}, 6},
		"a list of objects":   {map[string]string{"a.tf.json": group("\"ingress\": [\n{" + open22 + `, "cidr_blocks": ["10.0.0.0/8"]},` + "\n{" + open22 + `, "cidr_blocks": ["0.0.0.0/0"]}]`)}, 8},
		"an expression":       {map[string]string{"a.tf.json": group(`"ingress": {` + open22 + `, "cidr_blocks": ["${var.from}"]}`), "v.tf": "variable \"from\" {\n  default = \"0.0.0.0/0\"\n}\n"}, 6},
		"a text with one":     {map[string]string{"a.tf.json": group(`"ingress": {` + open22 + `, "cidr_blocks": ["0.0.0.${var.n + 0}/${join(\"\", [\"0\"])}"]}`), "v.tf.json": `{"variable": {"n": {"type": "number", "default": 0}}}`}, 6},
		"a list in a text":    {map[string]string{"a.tf.json": group(`"ingress": {` + open22 + `, "cidr_blocks": "${local.from}"}`), "l.tf.json": `{"locals": {"from": ["0.0.0.0/0"]}}`}, 6},
		"dynamic":             {map[string]string{"a.tf.json": group(`"dynamic": {"ingress": {"for_each": ["0.0.0.0/0"], "content": {` + open22 + `, "cidr_blocks": ["${ingress.value}"]}}}`)}, 6},
		"lists at each level": {map[string]string{"a.tf.json": `[{"resource": [{"aws_security_group": [{"g": [{"description": "x", "ingress": [{` + open22 + `, "cidr_blocks": ["0.0.0.0/0"]}]}]}]}]}]`}, 1},
		"of OpenTofu":         {map[string]string{"a.tofu.json": group(`"ingress": {` + open22 + `, "cidr_blocks": ["0.0.0.0/0"]}`)}, 6},
		"in a module": {map[string]string{
			"main.tf.json": `{"module": {"m": {"source": "./m", "from": "0.0.0.0/0"}}}`, "m/v.tf": "variable \"from\" {}\n",
			"m/a.tf.json": group(`"ingress": {` + open22 + `, "cidr_blocks": ["${var.from}"]}`),
		}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			r := checked(t, c.files)
			i := slices.IndexFunc(r.Problems, func(p Problem) bool { return p.Check == "AVD-AWS-0107" })
			if i < 0 {
				t.Fatalf("it is not seen: %+v, open %+v", r.Problems, r.Open)
			}
			if p := r.Problems[i]; p.Line != c.line || !strings.HasSuffix(p.Path, ".json") || !strings.HasSuffix(p.Resource, "aws_security_group.g") {
				t.Errorf("got %+v", p)
			}
			if len(r.Open) > 0 {
				t.Errorf("open: %+v", r.Open)
			}
			for p, text := range c.files {
				c.files[p] = strings.ReplaceAll(strings.ReplaceAll(text, "0.0.0.0/0", "10.0.0.0/8"), "0.0.0.$", "10.0.0.$")
			}
			if r := checked(t, c.files); slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Check == "AVD-AWS-0107" }) {
				t.Errorf("a closed port is told to be open: %+v", r.Problems)
			}
		})
	}
}

// What cannot be told apart holds the answer back, and a text does not become code.
func TestJSONThatCannotBeWrittenAsBlocksIsTold(t *testing.T) {
	for name, text := range map[string]string{
		"a directive":           `{"resource": {"aws_s3_bucket": {"a": {"bucket": "%{ if true }x%{ endif }"}}}}`,
		"a template cut":        `{"resource": {"aws_s3_bucket": {"a": {"bucket": "${var.a"}}}}`,
		"a type that is none":   `{"variable": {"v": {"type": "any\n}\n/*"}}}`,
		"a type with a comment": `{"variable": {"v": {"type": "any # x"}}}`,
		"objects without end":   `{"resource": {"aws_s3_bucket": {"a": ` + strings.Repeat(`{"x": [{"y":`, 200) + `"` + strings.Repeat("z", 200_000) + `"` + strings.Repeat("}]}", 200) + `}}}`,
	} {
		r := checked(t, map[string]string{"a.tf.json": text})
		if !slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool { return n.Path == "a.tf.json" && n.Blocks }) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	r := checked(t, map[string]string{"a.tf.json": `{"//": "x", "resource": {"aws_s3_bucket": {"\"}\n": {"acl": "public-read", "tags": {"a:b": "$${x}", "\"\n}": "\n}\n"}, "//": "y"}, "logs": {"acl": "public-read"}}}}`})
	n := 0
	for _, p := range r.Problems {
		if p.Check == "AVD-AWS-0092" {
			n++
		}
	}
	if n != 2 || len(r.Open) > 0 {
		t.Errorf("%d buckets are open: %+v, %+v", n, r.Problems, r.Open)
	}
}

func FuzzNative(f *testing.F) {
	f.Add([]byte(`{"resource": {"a": {"b": {"c": [{"d": "x${var.e}y"}, {"d": "${f(1)}"}], "dynamic": {"g": {"for_each": [1]}}, "h": null}}}}`))
	f.Add([]byte(`[{"variable": {"v": {"type": "list(string)", "default": ["$${x}"]}}, "locals": {"a": {"b:c": 1e5}}}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		code, lines, err := nativeOf(text)
		if err != nil {
			return
		}
		if n := strings.Count(string(code), "\n"); n != len(lines) {
			t.Errorf("%d lines were written, and %d have a place", n, len(lines))
		}
		for _, l := range lines {
			if l < 1 || l > int64(strings.Count(string(text), "\n"))+1 {
				t.Errorf("line %d of %q", l, text)
			}
		}
	})
}
