package inventory

import (
	"bytes"
	"path"
	"regexp"
	"slices"
)

// terraformRoot is a folder of Terraform or OpenTofu that is applied from where it lies,
// since it says where its state is kept. A module that others call says no such thing, and
// whoever calls it locks its providers.
type terraformRoot struct {
	file  string // that says it
	line  int64
	asks  bool // for a provider that is downloaded
	known bool // its providers are locked
}

const terraformLockfile = ".terraform.lock.hcl"

var (
	terraformBlock = regexp.MustCompile(`(?m)^[ \t]*terraform[ \t]*\{`)
	terraformState = regexp.MustCompile(`(?m)^[ \t]*(backend[ \t]+"[^"\n]*"|cloud)[ \t]*\{`)
	terraformAsks  = regexp.MustCompile(`(?m)^[ \t]*(?:required_providers[ \t]*\{|(?:resource|data)[ \t]+"([a-z0-9]+)_)`)
)

// ofRoot takes what a file says of the folder that it lies in.
func (x *references) ofRoot(p string, content []byte) {
	ext := path.Ext(p)
	if ext != ".tf" && ext != ".tofu" && path.Base(p) != terraformLockfile {
		return
	}
	if x.roots == nil {
		x.roots = map[string]*terraformRoot{}
	}
	r := x.roots[path.Dir(p)]
	if r == nil {
		r = &terraformRoot{}
		x.roots[path.Dir(p)] = r
	}
	if path.Base(p) == terraformLockfile {
		r.known = true
	} else {
		r.asks = r.asks || asksForProviders(content)
		if at := terraformState.FindIndex(content); at != nil && terraformBlock.Match(content) && (r.file == "" || p < r.file) {
			r.file, r.line = p, int64(bytes.Count(content[:at[0]], []byte("\n")))+1
		}
	}
}

// asksForProviders reports whether a file needs a provider that is not built into the
// program, as that of terraform_data is.
func asksForProviders(content []byte) bool {
	return slices.ContainsFunc(terraformAsks.FindAllSubmatch(content, -1), func(m [][]byte) bool { return string(m[1]) != "terraform" })
}

// audit tells the folders that are applied with whatever providers there are on the day.
func (x *references) audit() (flaws []Flaw) {
	if x.partial {
		return nil
	}
	for _, dir := range sortedKeys(x.roots) {
		if r := x.roots[dir]; r.file != "" && r.asks && !r.known {
			flaws = append(flaws, Flaw{
				Rule: LockMissing, Path: r.file, Line: r.line, Message: "it is applied from here, and no " + terraformLockfile + " beside it says which providers",
				Fix: "terraform providers lock, for each platform that applies it (-platform=linux_amd64), and commit " + terraformLockfile,
			})
		}
	}
	return flaws
}
