package iac

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"verdict"
	"verdict/ci/plain"
)

const smallPlan = `{"format_version": "1.2", "terraform_version": "1.13.0", "planned_values": {"root_module": {}}, "resource_changes": [
 {"address": "aws_s3_bucket.logs", "mode": "managed", "type": "aws_s3_bucket", "change": {"actions": ["create"]}},
 {"address": "aws_db_instance.main", "mode": "managed", "type": "aws_db_instance", "change": {"actions": ["delete", "create"]}},
 {"address": "aws_vpc.main", "mode": "managed", "type": "aws_vpc", "change": {"actions": ["no-op"]}},
 {"address": "data.aws_ami.base", "mode": "data", "type": "aws_ami", "change": {"actions": ["read"]}}],
 "resource_drift": [{"address": "aws_vpc.main", "change": {"actions": ["update"]}}],
 "configuration": {"root_module": {"module_calls": {"net": {"source": "./modules/net", "module": {"module_calls": {"inner": {"source": "../inner", "module": {}}}}}, "far": {"source": "hashicorp/consul/aws", "module": {}}}}}}`

func TestAPlanSaysWhatWouldChange(t *testing.T) {
	p, err := ReadPlan([]byte(smallPlan))
	if err != nil {
		t.Fatal(err)
	}
	if p.Counts["create"] != 1 || p.Counts["replace"] != 1 || p.Counts["read"] != 1 || len(p.Counts) != 3 || p.Drift != 1 || strings.Join(p.Types, " ") != "aws_db_instance aws_s3_bucket" || p.Version != "1.13.0" {
		t.Errorf("%+v", p)
	}
}

// A file that is no whole plan must not be judged as one: an apply would do more than was
// looked at.
func TestWhatIsNoPlanIsRefusedWithARemedy(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"nothing":                 {"", "it is not JSON"},
		"a plan that was cut":     {smallPlan[:200], "it is not JSON"},
		"a saved plan":            {"PK\x03\x04...", "only terraform reads"},
		"another JSON":            {`{"name": "x"}`, "JSON of something else"},
		"a list":                  {`[]`, "it is not JSON"},
		"a state":                 {`{"format_version": "1.0", "values": {"root_module": {}}}`, "it is a state"},
		"a plan with an error":    {strings.Replace(smallPlan, `"planned_values"`, `"errored": true, "planned_values"`, 1), "ended with an error"},
		"a plan of the future":    {strings.Replace(smallPlan, `"1.2"`, `"2.0"`, 1), "its format"},
		"actions that are none":   {strings.Replace(smallPlan, `["create"]`, `["destroy-all"]`, 1), "its change 1"},
		"a change without any":    {strings.Replace(smallPlan, `["create"]`, `[]`, 1), "its change 1"},
		"no planned values":       {`{"format_version": "1.0", "resource_changes": [{"address": "a"}]}`, "no planned values"},
		"deeper than can be read": {`{"planned_values": ` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "it is not JSON"},
	} {
		_, err := ReadPlan([]byte(c.content))
		var e *verdict.Error
		if !errors.As(err, &e) || !strings.Contains(e.What, c.want) || e.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A finding at an address is worth little to who has to mend it in a file.
func TestAnAddressIsFoundWhereItIsDeclared(t *testing.T) {
	p, err := ReadPlan([]byte(smallPlan))
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{
		"infra/a.tf":                 {Data: append([]byte("resource \"aws_s3_bucket\" \"logs\" {\n}\n"), make([]byte, maxText)...)}, // too large to be looked at
		"infra/main.tf":              {Data: []byte("# \"aws_s3_bucket\" \"logs\"\n\nresource \"aws_s3_bucket\" \"logs\" {\n}\ndata \"aws_ami\" \"base\" {}\n")},
		"infra/modules/net/a.tf":     {Data: []byte("resource \"aws_vpc\" \"main\" {\n}\n")},
		"infra/modules/inner/b.tofu": {Data: []byte("\n  resource \"aws_subnet\" \"a\" {\n}\n")},
	}
	for address, want := range map[string]string{
		"aws_s3_bucket.logs": "infra/main.tf:3", `aws_s3_bucket.logs["a.b]\"x"]`: "infra/main.tf:3", "data.aws_ami.base": "infra/main.tf:5",
		"module.net.aws_vpc.main[0]": "infra/modules/net/a.tf:1", `module.net["eu"].module.inner[1].aws_subnet.a`: "infra/modules/inner/b.tofu:2",
		"module.far.aws_vpc.main": ":0", "aws_s3_bucket.other": ":0", "module.none.aws_vpc.main": ":0", "": ":0", "module": ":0", "a.b.c.d": ":0",
	} {
		file, line := p.Place(tree, "infra", address)
		if got := file + ":" + string(rune('0'+line)); got != want {
			t.Errorf("%s is at %s, want %s", address, got, want)
		}
	}
	if file, _ := p.Place(tree, "../infra", "aws_s3_bucket.logs"); file != "" {
		t.Errorf("outside of the tree: %s", file)
	}
}

// Plans that real programs made are read, or refused with a reason that a person
// understands: whoever has one must not be told that it is none.
func TestPlansThatOthersMade(t *testing.T) {
	dir := os.Getenv("VERDICT_CORPORA")
	if dir == "" {
		dir = "../../../shared/corpora"
	}
	f, err := os.Open(filepath.Join(dir, "terraform", "plans.tar.gz"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpora are missing: %v", err)
		}
		t.Skipf("the corpora are missing (set VERDICT_CORPORA): %v", err)
	}
	defer f.Close()
	packed, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	read, refused := 0, map[string]int{}
	for in := tar.NewReader(packed); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, ".json") {
			continue
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ReadPlan(plain.UTF8(content))
		var e *verdict.Error
		switch {
		case err == nil:
			read++
		case !errors.As(err, &e) || e.Remedy == "":
			t.Errorf("%s: %v", h.Name, err)
		default:
			refused[e.What]++
		}
	}
	t.Logf("%d plans were read, and refused: %v", read, refused)
	if read < 40 {
		t.Errorf("%d plans were read; refused: %v", read, refused)
	}
}

func FuzzPlan(f *testing.F) {
	f.Add([]byte(smallPlan), "module.net.aws_vpc.main[0]")
	f.Add([]byte(`{"planned_values": {}}`), "a.b")
	f.Fuzz(func(t *testing.T, content []byte, address string) {
		p, err := ReadPlan(content)
		if err != nil {
			return
		}
		if file, line := p.Place(fstest.MapFS{}, ".", address); file != "" || line != 0 {
			t.Errorf("%s is at %s:%d of an empty tree", address, file, line)
		}
	})
}
