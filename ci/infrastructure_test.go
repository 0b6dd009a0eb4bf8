package ci

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
)

// securityGroup is a security group, open to whom from says.
func securityGroup(name, from string) string {
	return "resource \"aws_security_group\" \"" + name + "\" {\n  description = \"x\"\n  ingress {\n    description = \"ssh\"\n    from_port = 22\n    to_port = 22\n    protocol = \"tcp\"\n    cidr_blocks = [\"" + from + "\"]\n  }\n}\n"
}

const everybody = "0.0.0.0/0"

func infrastructureOf(t *testing.T, r *Result) verdict.Report {
	t.Helper()
	if len(r.Reports) != 4 || r.Reports[3].Check != IaCCheck {
		t.Fatalf("the fourth report is not that of infrastructure: %+v", r.Reports)
	}
	return r.Reports[3]
}

// What a change opens is new; what was open before waits for its day.
func TestAnUnsafeSettingIsToldFromWhatWasThereBefore(t *testing.T) {
	dir, base := committed(t, map[string]string{"a.tf": securityGroup("old", everybody), "gone/moves.tf": securityGroup("moved", everybody), "closed.tf": securityGroup("closed", "10.0.0.0/8")})
	write(t, dir, "a.tf", "# a comment above\n\n"+securityGroup("old", everybody))
	write(t, dir, "closed.tf", securityGroup("closed", everybody))
	write(t, dir, "new.tf", securityGroup("new", everybody))
	gitIn(t, dir, "mv", "gone", "here")
	commitAll(t, dir)
	old := map[string]bool{}
	for _, h := range infrastructureOf(t, ran(t, dir, Options{Base: base})).Hits {
		if h.Detector == "AVD-AWS-0107" {
			old[h.Path] = h.Old
		}
	}
	want := map[string]bool{"a.tf": true, "here/moves.tf": true, "closed.tf": false, "new.tf": false}
	for p, w := range want {
		if got, found := old[p]; !found || got != w {
			t.Errorf("%s: old %v (found %v), want %v", p, got, found, w)
		}
	}
	unchanged := infrastructureOf(t, ran(t, dir, Options{Base: gitIn(t, dir, "rev-parse", "HEAD")}))
	if slices.ContainsFunc(unchanged.Hits, func(h verdict.Hit) bool { return !h.Old }) {
		t.Errorf("nothing changed, and something is new: %+v", unchanged.Hits)
	}
}

// A false positive is stated by its key, in the base's file alone, and counted aloud.
func TestAFalsePositiveOfInfrastructureIsStated(t *testing.T) {
	dir, _ := committed(t, map[string]string{"a.tf": securityGroup("bastion", everybody)})
	key := ""
	for _, h := range infrastructureOf(t, ran(t, dir, Options{})).Hits {
		if h.Detector == "AVD-AWS-0107" {
			key = h.Key
		}
	}
	if key != "iac:AVD-AWS-0107:aws_security_group.bastion:a.tf" {
		t.Fatalf("its key is %q", key)
	}
	list := "schema: verdict-ignore/v1\nfalse_positives:\n- {key: \"" + key + "\", reason: it is a honeypot, owner: sec, expires: 2099-01-01}\n"
	r := infrastructureOf(t, ran(t, dir, Options{Ignore: []byte(list), Now: time.Now}))
	if r.Ignored != 1 || slices.ContainsFunc(r.Hits, func(h verdict.Hit) bool { return h.Key == key }) {
		t.Errorf("ignored %d: %+v", r.Ignored, r.Hits)
	}
	write(t, dir, IgnoreFile, list)
	if r := infrastructureOf(t, ran(t, dir, Options{})); r.Ignored != 0 {
		t.Error("the change's own file counts")
	}
}

// Code that could not be judged leaves the check incomplete; what is no code does not.
func TestInfrastructureThatIsNotThereIsSaid(t *testing.T) {
	dir, _ := committed(t, map[string]string{"main.go": "package main\n", "config.yaml": "a: 1\n", "testdata/a.tf": securityGroup("a", everybody)})
	r := infrastructureOf(t, ran(t, dir, Options{}))
	if !r.Complete || r.Scope.Inputs != 0 || len(r.Hits) > 0 || !told(r, "testdata and node_modules are not judged as infrastructure code: 1") {
		t.Errorf("%+v", r)
	}
	dir, _ = committed(t, map[string]string{"a.tf": "count = " + strings.Repeat("(", 2000)})
	if r := infrastructureOf(t, ran(t, dir, Options{})); len(r.Hits) != 1 || r.Hits[0].Detector != "invalid" || r.Hits[0].Line != 1 {
		t.Errorf("%+v", r)
	}
}

// A link is not followed, so what it leads to is not judged in its place: where that would
// be part of a module the check is incomplete, and where it is any file it is not.
func TestALinkInAModuleLeavesTheCheckIncomplete(t *testing.T) {
	for name, complete := range map[string]bool{"infra/common.tf": false, "build/Dockerfile": false, "k8s/values.yaml": true, ".github/workflows/a.yml": false} {
		dir, _ := committed(t, map[string]string{"a.txt": "x\n"})
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.Symlink("../a.txt", filepath.Join(dir, name)))
		commitAll(t, dir)
		if r := infrastructureOf(t, ran(t, dir, Options{})); r.Complete != complete || !told(r, "symbolic link") {
			t.Errorf("%s: complete %v, %+v", name, r.Complete, r.NotChecked)
		}
	}
}

// The quick answer about one file of a module needs the others.
func TestTheQuickAnswerReadsTheWholeModule(t *testing.T) {
	dir, base := committed(t, map[string]string{"infra/variables.tf": "variable \"from\" {\n  default = \"0.0.0.0/0\"\n}\n", "infra/main.tf": securityGroup("a", "10.0.0.0/8"), "other/b.tf": securityGroup("b", everybody)})
	write(t, dir, "infra/main.tf", strings.Replace(securityGroup("a", "X"), `"X"`, "var.from", 1))
	commitAll(t, dir)
	r := infrastructureOf(t, ran(t, dir, Options{Base: base, Diff: true}))
	var paths []string
	for _, h := range r.Hits {
		if h.Detector == "AVD-AWS-0107" && !h.Old {
			paths = append(paths, h.Path)
		}
	}
	if !slices.Equal(paths, []string{"infra/main.tf"}) {
		t.Errorf("new: %v of %+v", paths, r.Hits)
	}
}

func TestAPlanIsJudgedByWhatItWouldMake(t *testing.T) {
	const plan = `{"format_version": "1.2", "planned_values": {"root_module": {"resources": [{"address": "aws_security_group.a", "mode": "managed", "type": "aws_security_group", "name": "a", "values": {"description": "x", "ingress": [{"cidr_blocks": ["0.0.0.0/0"], "description": "x", "from_port": 22, "to_port": 22, "protocol": "tcp"}]}}]}}, "resource_changes": [{"address": "aws_security_group.a", "mode": "managed", "type": "aws_security_group", "name": "a", "change": {"actions": ["delete", "create"], "after": {"description": "x", "ingress": [{"cidr_blocks": ["0.0.0.0/0"], "description": "x", "from_port": 22, "to_port": 22, "protocol": "tcp"}]}}}], "configuration": {"root_module": {}}}`
	for name, content := range map[string]string{"as it is": plan, "as Windows' shell writes it": utf16le(plan)} {
		p, err := CheckPlan(t.Context(), PlanOptions{Name: "x/tfplan.json", Content: []byte(content), Now: time.Now})
		must(t, err)
		if !slices.ContainsFunc(p.Report.Hits, func(h verdict.Hit) bool {
			return h.Detector == "AVD-AWS-0107" && h.Path == "tfplan.json" && strings.HasPrefix(h.Message, "aws_security_group.a: ")
		}) || !p.Report.Complete || p.Told != "the plan has 1 to replace" || p.Subject.Kind != verdict.SubjectPlan {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if PlanSubject("a", []byte(plan)).Digest == PlanSubject("a", []byte(plan+"\n")).Digest {
		t.Error("another file has the same digest")
	}
}
