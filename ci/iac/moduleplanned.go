package iac

import (
	"encoding/json"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// CheckPlan judges every call that a plan tells of, those of modules within modules
// included. root is the folder of the tree that was planned, and name the plan's for people.
func (x *Modules) CheckPlan(p *Plan, name, root string) Result {
	r := &run{charts: map[string]bool{}, texts: map[string][]byte{}}
	list, err := readInstalled(x.Tree, root)
	if err != nil {
		r.open(name, false, "what is installed in %s was not looked at: %s", path.Join(root, InstalledModules), oneLine(err.Error()))
	}
	w := plannedCalls{Modules: x, run: r, installed: map[string]installed{}, name: name}
	for _, in := range list {
		w.installed[in.key] = in
	}
	w.visit(p.calls, calledModule{dir: path.Clean(root)})
	for _, m := range unsaid(p) {
		r.open(name, true, "module %s is planned, and the plan does not say where it comes from", oneLine(m))
	}
	return r.finish()
}

// plannedCalls judges the calls of one plan.
type plannedCalls struct {
	*Modules
	run       *run
	installed map[string]installed
	name      string
}

// visit judges the calls of a module; by is the call that led to it.
func (w *plannedCalls) visit(calls moduleCalls, by calledModule) {
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		m := calls[name]
		c := calledModule{name: strings.TrimPrefix(by.name+"."+name, "."), dir: by.dir, source: m.Source, version: m.Version, file: by.file, line: by.line, inside: by.inside}
		if !by.inside {
			if c.file, c.line = callPlace(w.Tree, by.dir, name); c.file == "" {
				c.file = w.name
			}
		}
		below := c
		if isLocal(m.Source) {
			below.dir = path.Join(by.dir, m.Source)
		} else {
			if in, known := w.installed[c.name]; known {
				c.installed = []installed{in}
			}
			below.inside = true
		}
		w.judge(w.run, c, formatPlan)
		w.visit(m.Module.Calls, below)
	}
}

func isLocal(source string) bool {
	return strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../") || source == "." || source == ".."
}

var moduleBlock = regexp.MustCompile(`^\s*module\s+"?([^"\s{]+)"?\s*\{`)

// callPlace finds where a module is called in a folder of the tree; "" where it cannot be
// told.
func callPlace(tree fs.FS, dir, name string) (file string, line int64) {
	return placeOfLine(tree, dir, func(text []byte) bool {
		m := moduleBlock.FindSubmatch(text)
		return m != nil && string(m[1]) == name
	})
}

// plannedChildren are the modules of which a plan has resources.
type plannedChildren struct {
	Children []struct {
		Address string `json:"address"`
		plannedChildren
	} `json:"child_modules"`
}

// unsaid are the modules with planned resources whose call the plan's configuration does not
// have: it was taken out, or never there.
func unsaid(p *Plan) (out []string) {
	var values struct {
		Root plannedChildren `json:"root_module"`
	}
	if err := json.Unmarshal(p.planned, &values); err != nil {
		return []string{"of any name"}
	}
	var visit func(m plannedChildren, calls moduleCalls)
	visit = func(m plannedChildren, calls moduleCalls) {
		for _, child := range m.Children {
			name := strings.TrimPrefix(lastStep(child.Address), "module.")
			call, said := calls[name]
			if !said {
				out = append(out, child.Address)
				continue
			}
			visit(child.plannedChildren, call.Module.Calls)
		}
	}
	visit(values.Root, p.calls)
	slices.Sort(out)
	return slices.Compact(out)
}

// lastStep is the last call of an address of a module: module.b of module.a["x"].module.b[0].
func lastStep(address string) string {
	address = index.ReplaceAllString(address, "")
	return address[max(0, strings.LastIndex(address, "module.")):]
}
