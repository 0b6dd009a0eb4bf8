package ci

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/ci/iac"
	"verdict/ci/plain"
	"verdict/ci/wording"
)

// MaxPlan is the size, in bytes, up to which a plan is read.
const MaxPlan = iac.MaxPlan

// PlanOptions say which plan to judge, and where what it plans is declared.
type PlanOptions struct {
	Name    string // of the file, for people
	Content []byte // what terraform show -json wrote
	// Tree holds the configuration that was planned in the folder Root; nil where it is not
	// here, and then findings name addresses alone.
	Tree fs.FS
	Root string
	// Modules are those that may be called; nil where any may.
	Modules *ApprovedModules
	// Ignore is the file of false positives as the base has it, and IgnoreName where it was.
	Ignore     []byte
	IgnoreName string
	Version    string // of Verdict
	Now        func() time.Time
}

// Plan is a plan that was judged.
type Plan struct {
	Subject verdict.Subject
	Report  verdict.Report // of the check iac
	Reach   verdict.Report // of the check iac-plan: what it would do, and where
	Told    string         // what it would do: "plans 2 to create and 1 to replace"
}

// PlanSubject names a plan by the digest of its bytes: one that was written anew is another.
func PlanSubject(name string, content []byte) verdict.Subject {
	return verdict.Subject{Kind: verdict.SubjectPlan, Name: path.Base(name), Digest: verdict.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(content)))}
}

// CheckPlan judges what an infrastructure plan would make, by the same checks as the code
// that it was made from. What is no plan is a *verdict.Error.
func CheckPlan(ctx context.Context, o PlanOptions) (*Plan, error) {
	content := plain.UTF8(o.Content)
	read, err := iac.ReadPlan(content)
	if err != nil {
		return nil, err
	}
	p := &Plan{Subject: PlanSubject(o.Name, o.Content), Told: planned(read)}
	r, err := iac.NewLibrary().CheckPlan(ctx, iac.File{Path: p.Subject.Name, Content: content})
	if err != nil {
		return nil, fmt.Errorf("judge the plan: %w", err)
	}
	unplaced := o.place(read, r.Problems)
	if o.Modules != nil {
		called := o.modules(read, p.Subject.Name)
		r.Problems, r.Open = append(r.Problems, called.Problems...), slices.Concat(r.Open, called.Open, called.Absent)
	}
	x := &Infrastructure{version: o.Version, judged: true, result: r, bytes: int64(len(content))}
	if p.Report, err = x.Report(ctx, &Manifest{}, "."); err != nil {
		return nil, err
	}
	if unplaced > 0 {
		p.Report.NotChecked = append(p.Report.NotChecked, wording.Aside(p.Subject.Name, "no declaration was found in %s for %s the plan instead: --source DIR names the folder that was planned",
			wording.Shown(o.Root), wording.Count(unplaced, "finding, which names", "findings, which name")))
	}
	if read.Partial {
		p.Report.NotChecked = append(p.Report.NotChecked, wording.Aside(p.Subject.Name, "the plan says of itself that more is to be planned after it was applied"))
	}
	ignores, told := (&Options{Ignore: o.Ignore, IgnoreName: o.IgnoreName}).ignores()
	var stated []verdict.NotChecked
	p.Report.Hits, p.Report.Ignored, stated = ignored(p.Report.Hits, ignoresOf(ignores.FalsePositives, iacKey), cmp.Or(o.IgnoreName, IgnoreFile), o.Now())
	p.Report.NotChecked = append(p.Report.NotChecked, append(told, stated...)...)
	p.Report.Scope.Components = total(read.Counts)
	p.Reach, err = o.reach(content, read)
	return p, err
}

// PlanCheck is the check whose report tells what a plan would do, and where.
const PlanCheck = "iac-plan"

// maxPlanned bounds the resources that a report lists: a decision reads all of them.
const maxPlanned = 5000

// reach is the report of what the plan would do. It finds nothing wrong: that is for the gate
// of the environment to say.
func (o *PlanOptions) reach(content []byte, read *iac.Plan) (verdict.Report, error) {
	plan, err := iac.Reach(content, read)
	if err != nil {
		return verdict.Report{}, err
	}
	r := verdict.Report{
		Check: PlanCheck, Tool: verdict.Tool{Name: "verdict", Version: o.Version}, Complete: true, NotChecked: []verdict.NotChecked{}, Hits: []verdict.Hit{},
		Scope: verdict.Scope{Path: ".", Files: 1, Inputs: 1, Bytes: int64(len(content)), Components: int64(len(plan.Resources))}, Plan: &plan,
	}
	if n := len(plan.Resources); n > maxPlanned {
		plan.Resources, r.Complete = plan.Resources[:maxPlanned], false
		r.NotChecked = append(r.NotChecked, verdict.NotChecked{
			Path: path.Base(o.Name), Reason: fmt.Sprintf("it changes %d resources, more than the %d that one decision weighs: divide it into several plans", n, maxPlanned), Blocks: true,
		})
	}
	return r, nil
}

// place gives problems the place of the declaration that they are about, and counts those of
// the root module that have none there. Modules from elsewhere do not lie in the tree.
func (o *PlanOptions) place(read *iac.Plan, problems []iac.Problem) (without int) {
	if o.Tree == nil {
		return 0
	}
	for i := range problems {
		p := &problems[i]
		if file, line := read.Place(o.Tree, o.Root, p.Resource); file != "" {
			p.Path, p.Line = file, line
		} else if p.Resource != "" && !strings.HasPrefix(p.Resource, "module.") {
			without++
		}
	}
	return without
}

func total(counts map[string]int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// planned says what a plan would do, the worst last.
func planned(p *iac.Plan) string {
	var parts []string
	for _, what := range []string{"create", "update", "forget", "replace", "delete"} {
		if n := p.Counts[what]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n, what))
		}
	}
	told := "the plan changes nothing"
	if len(parts) > 0 {
		told = "the plan has " + strings.Join(parts, ", ")
	}
	if p.Drift > 0 {
		told += fmt.Sprintf("; %d resources were found other than the last apply left them", p.Drift)
	}
	return told
}
