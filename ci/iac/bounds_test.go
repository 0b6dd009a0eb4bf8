package iac

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"verdict"
)

// chain is a module of locals of which each is made of the one before.
func chain(n int, first, next string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "locals {\n  l0 = %s\n}\n", first)
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "locals {\n  l%d = %s\n}\n", i, strings.ReplaceAll(next, "PREVIOUS", fmt.Sprintf("local.l%d", i-1)))
	}
	return b.String() + bucket
}

// heapOf sets a smaller bound for a test.
func heapOf(t *testing.T, grow, end int64) {
	heap, until := perHeap, untilEnd
	perHeap, untilEnd = grow, end
	t.Cleanup(func() { perHeap, untilEnd = heap, until })
}

// A module that multiplies what it holds would take the machine's memory, and with it the
// answer about everything else. It is told, and the module beside it is judged.
func TestWhatMultipliesIsGivenUpAndTheRestIsJudged(t *testing.T) {
	heapOf(t, 16<<20, 64)
	for name, text := range map[string]string{
		"text that doubles itself":  chain(40, `"0123456789abcdef"`, `"${PREVIOUS}${PREVIOUS}"`),
		"by format":                 chain(40, `"0123456789abcdef"`, `format("%s%s", PREVIOUS, PREVIOUS)`),
		"a value that needs itself": "locals {\n  a = \"${try(local.a, \"0123456789abcdef\")}${try(local.a, \"0123456789abcdef\")}\"\n}\n" + bucket,
		"through resources":         bucket + "resource \"aws_s3_bucket\" \"a\" {\n  bucket = \"${try(aws_s3_bucket.a.bucket, \"0123456789abcdef\")}${try(aws_s3_bucket.a.bucket, \"0123456789abcdef\")}\"\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := checked(t, map[string]string{
				"bad/main.tf": text, "good/main.tf": bucket,
			})
			if !slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool {
				return n.Path == "bad" && n.Blocks && strings.Contains(n.Reason, "memory")
			}) {
				t.Errorf("nobody is told: %+v", r.Open)
			}
			if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Path == "good/main.tf" }) {
				t.Error("the module beside it was not judged")
			}
		})
	}
}

// Where the evaluation cannot be stopped, the run ends with a word about what it was, before
// the machine ends it without one.
func TestARunThatCannotBeStoppedEndsWithItsReason(t *testing.T) {
	heapOf(t, 8<<20, 4)
	runtime.GC() // what earlier tests left
	hold := make(chan struct{})
	defer close(hold)
	r := &run{}
	r.within(t.Context(), "infra", 0, func(*run) error {
		var all [][]byte
		for range 64 {
			all = append(all, make([]byte, 1<<20))
		}
		<-hold
		_ = all
		return nil
	})
	var e *verdict.Error
	if !errors.As(r.ended, &e) || e.Code != verdict.CodeLimit || e.Remedy == "" || !strings.Contains(e.What, "infra") {
		t.Fatalf("got %v", r.ended)
	}
	r.within(t.Context(), "next", 0, func(*run) error { t.Error("it goes on"); return nil })
}

// A module of ordinary size is not near any of the bounds.
func TestAnOrdinaryModuleIsWithinItsBounds(t *testing.T) {
	heapOf(t, 64<<20, 4)
	var b strings.Builder
	b.WriteString("locals {\n  zones = [\"a\", \"b\", \"c\"]\n  all = { for p in setproduct(local.zones, range(40)) : \"${p[0]}-${p[1]}\" => p }\n}\nresource \"aws_s3_bucket\" \"all\" {\n  for_each = local.all\n  bucket = each.key\n  acl = \"public-read\"\n}\n")
	for i := range 100 {
		b.WriteString(strings.ReplaceAll(bucket, "logs", fmt.Sprintf("b%d", i)))
	}
	r := checked(t, map[string]string{"main.tf": b.String()})
	if len(r.Open) > 0 || len(r.Problems) < 100 {
		t.Errorf("%d problems, open %+v", len(r.Problems), r.Open)
	}
}

// A number of copies that nobody means is refused before any is made, however it is written.
func TestCopiesAreCountedByVariablesAndLocals(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		many  bool
	}{
		"a product":                   {map[string]string{"a.tf": counting("1000 * 1000 * 1000")}, true},
		"a text":                      {map[string]string{"a.tf": counting(`"1000000"`)}, true},
		"a variable":                  {map[string]string{"a.tf": counting("var.n"), "v.tf": "variable \"n\" {\n  default = 1000000\n}\n"}, true},
		"a variable of few":           {map[string]string{"a.tf": counting("var.n"), "v.tf": "variable \"n\" {\n  default = 2\n}\n"}, false},
		"a value for a variable":      {map[string]string{"a.tf": counting("var.n"), "v.tf": "variable \"n\" {\n  default = 1\n}\n", "terraform.tfvars": "n = 1000000\n"}, true},
		"a value nobody reads":        {map[string]string{"a.tf": counting("var.n"), "v.tf": "variable \"n\" {\n  default = 1\n}\n", "prod.tfvars": "n = 1000000\n"}, false},
		"a local of a local":          {map[string]string{"a.tf": counting("(local.b + 1)"), "v.tf": "locals {\n  a = 1000\n  b = local.a * local.a\n}\n"}, true},
		"a choice":                    {map[string]string{"a.tf": counting("var.on ? 1000000 : 1"), "v.tf": "variable \"on\" {\n  default = 1\n}\n"}, false},
		"values that need each other": {map[string]string{"a.tf": counting("local.a"), "v.tf": "locals {\n  a = local.b + 1\n  b = local.a + 1\n}\n"}, false},
	} {
		r := checked(t, c.files)
		many := slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool {
			return n.Path == "a.tf" && n.Blocks && strings.Contains(n.Reason, "line 2 asks for more than 1000 copies")
		})
		if many != c.many {
			t.Errorf("%s: %+v", name, r.Open)
		}
	}
}

func counting(n string) string {
	return "resource \"aws_s3_bucket\" \"b\" {\n  count = " + n + "\n}\n"
}

// What one expression asks of the machine at once would end the program.
func TestWhatOneExpressionAsksForIsToldBeforehand(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		told string
	}{
		"a product":              {"locals {\n  a = setproduct(range(1000), range(1000))\n}\n", "line 2 makes a product"},
		"a product of a product": {"locals {\n  a = range(100)\n  b = setproduct(local.a, local.a)\n  c = setproduct((local.b), [for x in local.b : x])\n}\n", "line 4 makes a product"},
		"by a variable":          {"variable \"n\" {\n  default = 1000\n}\nlocals {\n  a = setproduct(range(var.n), range(var.n))\n}\n", "line 5 makes a product"},
		"a width":                {"locals {\n  a = format(\"%9000000000s\", \"x\")\n}\n", "line 2 writes a text"},
		"a precision":            {"locals {\n  a = formatlist(\"%.9000000000f\", [1])\n}\n", "line 2 writes a text"},
		"spaces":                 {"locals {\n  n = 1000000\n  a = indent(local.n * local.n, \"\\n\")\n}\n", "line 3 indents"},
		"in a block of a block":  {strings.Replace(bucket, "acl ", "tags = { a = setproduct(range(1000), range(1000)) }\n  acl ", 1), "makes a product"},
		"an ordinary product":    {"locals {\n  a = setproduct([\"a\", \"b\"], range(100))\n  b = format(\"%05d-%s\", 1, \"100%\")\n  c = indent(4, \"x\")\n}\n", ""},
		"what nobody knows":      {"variable \"v\" {}\nlocals {\n  a = setproduct(var.v, range(1000), range(1000))\n}\n", ""},
		"what needs itself":      {"locals {\n  a = setproduct(local.a, range(10))\n}\n", ""},
	} {
		r := checked(t, map[string]string{"main.tf": c.text + bucket})
		told := slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool { return n.Blocks && strings.Contains(n.Reason, c.told) })
		if told != (c.told != "") {
			t.Errorf("%s: %+v", name, r.Open)
		}
	}
}

// Numbers that lean on each other twice must not take twice as long for each step.
func TestNumbersAreWorkedOutOnce(t *testing.T) {
	var b strings.Builder
	b.WriteString("locals {\n  a0 = 1\n  b0 = 1\n")
	for i := 1; i <= 19; i++ {
		fmt.Fprintf(&b, "  a%[1]d = local.a%[2]d + local.b%[2]d\n  b%[1]d = local.a%[2]d + local.b%[2]d\n", i, i-1)
	}
	b.WriteString("}\nresource \"aws_s3_bucket\" \"a\" {\n  count = local.a19\n}\n")
	r := checked(t, map[string]string{"main.tf": b.String()})
	if !slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool { return n.Blocks && strings.Contains(n.Reason, "copies") }) {
		t.Errorf("a count of 2^19 is not told beforehand: %v", r.Open)
	}
}
