package iac

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"verdict"
)

// Plan is what `terraform show -json` and `tofu show -json` tell of a plan, as far as it
// says what would be changed and where it was declared
// (https://developer.hashicorp.com/terraform/internals/json-format).
type Plan struct {
	Format  string // "1.2"
	Version string // of the program that made it
	// Counts are the resources by what would become of them: create, update, replace,
	// delete, forget, read. What stays as it is counts nowhere.
	Counts map[string]int64
	// Drift counts the resources that were found other than the last apply left them.
	Drift int64
	// Partial: the plan says of itself that it does not reach the desired state in one apply.
	Partial bool
	Types   []string // of the resources that would change, sorted

	calls   moduleCalls
	planned json.RawMessage
}

// Limits of a plan.
const (
	MaxPlan      = 128 << 20 // bytes
	maxResources = 200_000
)

// planFile is the plan's JSON, as far as it is read.
type planFile struct {
	Format        string          `json:"format_version"`
	Version       string          `json:"terraform_version"`
	Errored       bool            `json:"errored"`
	Complete      *bool           `json:"complete"`
	Planned       json.RawMessage `json:"planned_values"`
	State         json.RawMessage `json:"values"`
	Changes       []planChange    `json:"resource_changes"`
	Drift         []planChange    `json:"resource_drift"`
	Configuration struct {
		Root struct {
			Calls moduleCalls `json:"module_calls"`
		} `json:"root_module"`
	} `json:"configuration"`
}

type planChange struct {
	Address string `json:"address"`
	Mode    string `json:"mode"`
	Type    string `json:"type"`
	Change  struct {
		Actions []string `json:"actions"`
	} `json:"change"`
}

// moduleCalls are the modules that a module calls, by name.
type moduleCalls map[string]struct {
	Source  string `json:"source"`
	Version string `json:"version_constraint"`
	Module  struct {
		Calls moduleCalls `json:"module_calls"`
	} `json:"module"`
}

// ReadPlan reads a plan. What is no plan, or one that cannot be applied, is a
// *verdict.Error that says what to do.
func ReadPlan(content []byte) (*Plan, error) {
	if bytes.HasPrefix(content, []byte("PK\x03\x04")) {
		return nil, notAPlan("it is a plan as terraform saves it, which only terraform reads", "have it told as JSON: terraform show -json tfplan > tfplan.json", nil)
	}
	var f planFile
	if err := json.Unmarshal(content, &f); err != nil {
		return nil, notAPlan("it is not JSON: "+err.Error(), again, nil)
	}
	switch major, _, _ := strings.Cut(f.Format, "."); {
	case f.Format == "" && f.Planned == nil && len(f.Changes) == 0 && f.State == nil:
		return nil, notAPlan("it is JSON of something else", again, nil)
	case f.State != nil && f.Planned == nil:
		return nil, notAPlan("it is a state, which says what is there and not what would be", again, nil)
	case f.Planned == nil:
		return nil, notAPlan("it holds no planned values", again, nil)
	case f.Errored:
		return nil, notAPlan("planning ended with an error, so it says only a part of what would be done", "mend what terraform plan says, and plan again", nil)
	case major != "0" && major != "1":
		return nil, notAPlan("its format is "+quoted(f.Format)+", and 1 is what is understood", "take a version of verdict that knows it, or of terraform that writes format 1", nil)
	}
	p := &Plan{Format: f.Format, Version: f.Version, Counts: map[string]int64{}, Drift: int64(len(f.Drift)), Partial: f.Complete != nil && !*f.Complete, calls: f.Configuration.Root.Calls, planned: f.Planned}
	if len(f.Changes) > maxResources {
		return nil, notAPlan(fmt.Sprintf("it holds more than %d resources", maxResources), "split the configuration into parts that are planned by themselves", nil)
	}
	for i, c := range f.Changes {
		what, err := c.what()
		if err != nil {
			return nil, notAPlan(fmt.Sprintf("its change %d (%s) cannot be understood: %s", i+1, quoted(c.Address), err), again, err)
		}
		if what == "" {
			continue
		}
		p.Counts[what]++
		if c.Mode != "data" && !slices.Contains(p.Types, c.Type) {
			p.Types = append(p.Types, c.Type)
		}
	}
	slices.Sort(p.Types)
	return p, nil
}

const again = "give what terraform plan -out tfplan && terraform show -json tfplan > tfplan.json made"

func notAPlan(what, remedy string, err error) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: "this is no plan that can be judged: " + what, Remedy: remedy, Err: err}
}

func quoted(s string) string { return fmt.Sprintf("%.80q", s) }

var errActions = errors.New("its actions are none that a plan has")

// what is the one word for a change's actions; "" for none.
func (c planChange) what() (string, error) {
	switch strings.Join(c.Change.Actions, " ") {
	case "no-op":
		return "", nil
	case "create", "update", "delete", "read", "forget":
		return c.Change.Actions[0], nil
	case "delete create", "create delete", "create forget", "forget create":
		return "replace", nil
	}
	return "", errActions
}

var (
	index    = regexp.MustCompile(`\[(?:[^\]"]*|"(?:[^"\\]|\\.)*")\]`)
	declared = regexp.MustCompile(`^\s*(resource|data)\s+"([^"]+)"\s+"([^"]+)"`)
)

// Place finds where the resource of an address is declared in the configuration below
// root, the folder that was planned, as far as its modules lie in the same tree. It gives
// "" and 0 where it cannot be told.
func (p *Plan) Place(tree fs.FS, root, address string) (file string, line int64) {
	parts := strings.Split(index.ReplaceAllString(address, ""), ".")
	dir, calls := root, p.calls
	for len(parts) > 2 && parts[0] == "module" {
		call, known := calls[parts[1]]
		if !known || !strings.HasPrefix(call.Source, "./") && !strings.HasPrefix(call.Source, "../") {
			return "", 0
		}
		dir, calls, parts = path.Join(dir, call.Source), call.Module.Calls, parts[2:]
	}
	kind := "resource"
	if len(parts) == 3 && parts[0] == "data" {
		kind, parts = "data", parts[1:]
	}
	if len(parts) != 2 {
		return "", 0
	}
	return placeOfLine(tree, dir, func(text []byte) bool {
		m := declared.FindSubmatch(text)
		return m != nil && string(m[1]) == kind && string(m[2]) == parts[0] && string(m[3]) == parts[1]
	})
}

// placeOfLine finds the first line of the configuration in a folder that is the one looked for;
// "" and 0 where there is none, or it cannot be told.
func placeOfLine(tree fs.FS, dir string, is func(text []byte) bool) (file string, line int64) {
	if tree == nil || !fs.ValidPath(dir) {
		return "", 0
	}
	files, err := fs.ReadDir(tree, dir)
	if err != nil {
		return "", 0
	}
	for _, f := range files {
		if ext := path.Ext(f.Name()); !f.Type().IsRegular() || ext != ".tf" && ext != ".tofu" {
			continue
		}
		if info, err := f.Info(); err != nil || info.Size() > maxText {
			continue
		}
		content, err := fs.ReadFile(tree, path.Join(dir, f.Name()))
		if err != nil {
			continue
		}
		n := int64(0)
		for text := range bytes.Lines(content) {
			if n++; is(text) {
				return path.Join(dir, f.Name()), n
			}
		}
	}
	return "", 0
}
