package iac

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"verdict"
)

// InstalledModules is the folder, below a root module, in which terraform init and tofu init
// put the modules that they download.
const InstalledModules = ".terraform/modules"

const (
	maxInstalled = 8 << 20 // bytes of its list
	maxRecords   = 20_000
	maxCallDepth = 50 // modules that call each other
)

// installed is a module that a program put in its folder.
type installed struct {
	key     string // net, and net.subnets where net calls subnets
	source  string
	version string // of a registry
	at      string // folder of the module
	dir     string // folder of all that was downloaded; empty for a module of the tree
}

// readInstalled reads what was put below a root module; nothing where nobody did.
func readInstalled(tree fs.FS, root string) ([]installed, error) {
	if tree == nil {
		return nil, nil
	}
	f, err := tree.Open(path.Join(root, InstalledModules, "modules.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	content, err := io.ReadAll(io.LimitReader(f, maxInstalled+1))
	if err != nil {
		return nil, err
	}
	return parseInstalled(root, content)
}

// parseInstalled reads the list of a root module. What points out of its folder is none.
func parseInstalled(root string, content []byte) ([]installed, error) {
	var list struct {
		Modules []struct{ Key, Source, Version, Dir string }
	}
	if len(content) > maxInstalled {
		return nil, fmt.Errorf("it is larger than %d bytes", maxInstalled)
	}
	if err := json.Unmarshal(content, &list); err != nil {
		return nil, err
	}
	if len(list.Modules) > maxRecords {
		return nil, fmt.Errorf("it lists more than %d modules", maxRecords)
	}
	var out []installed
	for _, m := range list.Modules {
		in := installed{key: m.Key, source: m.Source, version: m.Version, at: path.Join(root, strings.ReplaceAll(m.Dir, `\`, "/"))}
		if m.Key == "" {
			continue // the root itself
		}
		if strings.Count(m.Key, ".") > maxCallDepth {
			return nil, fmt.Errorf("its modules call each other more than %d deep", maxCallDepth)
		}
		if strings.ContainsAny(m.Key, `/\`) || slices.Contains(strings.Split(m.Key, "."), "") || !fs.ValidPath(in.at) {
			return nil, fmt.Errorf("it lists a module %s that lies in %s", quoted(m.Key), quoted(m.Dir))
		}
		if s, err := verdict.ParseModuleSource(m.Source); err != nil || s.Kind != verdict.ModuleLocal {
			if in.dir = path.Join(root, InstalledModules, m.Key); in.at != in.dir && !strings.HasPrefix(in.at, in.dir+"/") {
				return nil, fmt.Errorf("it lists a module %s that lies in %s", quoted(m.Key), quoted(m.Dir))
			}
		}
		out = append(out, in)
	}
	return out, nil
}

// content is the digest of all that was downloaded: a module of it may use what lies beside
// its own folder.
func (i installed) content(tree fs.FS) (string, error) {
	digest, _, err := ModuleDigest(tree, i.dir)
	return digest, err
}

// stale reports whether something else was installed than is called.
func (i installed) stale(s verdict.ModuleSource, same []entry) bool {
	was, err := verdict.ParseModuleSource(i.source)
	return err != nil || !was.Is(s) || s.Kind == verdict.ModuleRegistry && i.version != same[0].Version
}

// calledAt is where the tree calls a module.
type calledAt struct{ dir, name string }

// join tells the calls below a root module what is installed for them, and gives the calls
// of installed modules, at the place of the call of the tree that led to them. at finds the
// calls of the tree.
func (x *Modules) join(r *run, root string, calls []calledModule, at map[calledAt][]int) (more []calledModule) {
	list, err := readInstalled(x.Tree, root)
	if err != nil {
		r.open(path.Join(root, InstalledModules, "modules.json"), x.from.IsZero(), "what is installed there cannot be read, and what it calls was not judged: %s; run terraform init -backend=false again", oneLine(err.Error()))
		return nil
	}
	records := map[string]installed{"": {at: path.Clean(root)}}
	for _, in := range list {
		records[in.key] = in
	}
	for _, in := range list {
		if in.dir == "" {
			continue
		}
		// The first record on the way that was called from the tree is where people look.
		outer := in
		for inside(records, outer) {
			outer = records[parent(outer.key)]
		}
		from, known := records[parent(outer.key)]
		if !known {
			continue
		}
		for _, i := range at[calledAt{from.at, last(outer.key)}] {
			c := &calls[i]
			if outer.key == in.key {
				c.installed = append(c.installed, in)
				continue
			}
			more = append(more, calledModule{
				name: c.name + strings.TrimPrefix(in.key, outer.key), dir: records[parent(in.key)].at, source: in.source, version: in.version,
				file: c.file, line: c.line, inside: true, installed: []installed{in},
			})
		}
	}
	return more
}

// inside reports whether a module was called from one that was downloaded. What no record
// leads to was not.
func inside(records map[string]installed, in installed) bool {
	for up := parent(in.key); up != ""; up = parent(up) {
		if records[up].dir != "" {
			return true
		}
	}
	return false
}

func parent(key string) string { return key[:max(0, strings.LastIndexByte(key, '.'))] }

func last(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// Installed is where the module came from that lies under a key below a root module, and its
// version where that is a registry's.
func Installed(tree fs.FS, key string) (s verdict.ModuleSource, version string, err error) {
	list, err := readInstalled(tree, ".")
	if err != nil {
		return s, "", err
	}
	i := slices.IndexFunc(list, func(in installed) bool { return in.key == key && in.dir != "" })
	if i < 0 {
		return s, "", fmt.Errorf("no module %s is installed", quoted(key))
	}
	s, err = verdict.ParseModuleSource(list[i].source)
	return s, list[i].version, err
}
