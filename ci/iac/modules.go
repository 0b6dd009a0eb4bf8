package iac

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"verdict"
)

// The checks of modules.
const (
	// ModuleUnapproved is the check that every call of a module is of an approved one.
	ModuleUnapproved = "VI-MOD-001"
	// ModuleOther is the check that what an approved module holds is what was approved.
	ModuleOther = "VI-MOD-002"
)

// ApprovedModule is one module that may be called; see decisionmap.Module for its fields.
type ApprovedModule struct{ Source, Version, Ref, Digest, Path string }

// ApprovedModules are all that may be called.
type ApprovedModules struct {
	List []ApprovedModule
	// From is the day from which a call of another module blocks; until then it is told.
	From time.Time
}

// Modules is the Checker that code calls approved modules alone. It downloads nothing: what
// an address does not fix is compared where a program put it.
type Modules struct {
	// Tree holds what terraform init left beside root modules; nil where nothing is there.
	Tree fs.FS
	// Prefix leads from the repository's root to the folder that paths are relative to;
	// empty or with a slash at its end.
	Prefix string
	// Copy is the digest of a folder of the repository, by its path from the root; false
	// where not all of it was read.
	Copy func(folder string) (string, bool)

	entries []entry
	copies  []ApprovedModule
	from    time.Time // zero: what is not approved blocks
}

// entry is an approved module with its source taken apart.
type entry struct {
	ApprovedModule
	source verdict.ModuleSource
}

// NewModules makes the checker for a time of judgement. An entry whose source cannot be
// read approves nothing.
func NewModules(a ApprovedModules, now time.Time) *Modules {
	x := &Modules{}
	if now.Before(a.From) {
		x.from = a.From
	}
	for _, m := range a.List {
		if m.Path != "" {
			x.copies = append(x.copies, m)
		} else if s, err := verdict.ParseModuleSource(m.Source); err == nil {
			x.entries = append(x.entries, entry{m, s})
		}
	}
	return x
}

// Wants takes files of Terraform's configuration.
func (x *Modules) Wants(p string) bool {
	return isTerraform(p) && !strings.Contains(path.Base(p), ".tfvars")
}

// Names is Wants: an ending says it.
func (x *Modules) Names(p string) bool { return x.Wants(p) }

// Keeps takes all of them.
func (x *Modules) Keeps(f File) bool { return x.Wants(f.Path) }

// calledModule is one call of a module.
type calledModule struct {
	name    string // as a plan has it: net, and net.subnets where net calls subnets
	dir     string // of the module that calls
	source  string
	version string // what it asks of a registry
	unclear string // why source or version cannot be told; empty: they can
	file    string
	line    int64
	// inside: the call stands in a module that was downloaded, which its author cannot mend.
	inside    bool
	installed []installed // what is there of it
}

// Check judges every call in the files, and those of the modules that they took from
// elsewhere as far as these are there. A file that is not well formed is told by Library.
func (x *Modules) Check(ctx context.Context, files []File) (Result, error) {
	r := &run{charts: map[string]bool{}, texts: map[string][]byte{}}
	var calls []calledModule
	at, dirs := map[calledAt][]int{}, map[string]bool{}
	for _, f := range files {
		// What lies there is a copy of what is called, and is judged by who calls it.
		if !x.Wants(f.Path) || below(f.Path, ".terraform") || len(f.Content) > maxText {
			continue
		}
		dirs[path.Dir(f.Path)] = true
		for _, c := range callsIn(f) {
			at[calledAt{c.dir, c.name}] = append(at[calledAt{c.dir, c.name}], len(calls))
			calls = append(calls, c)
		}
	}
	var more []calledModule
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		more = append(more, x.join(r, dir, calls, at)...)
	}
	for _, c := range append(calls, more...) {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		x.judge(r, c, formatTerraform)
	}
	return r.finish(), ctx.Err()
}

// callsIn are the calls of one file.
func callsIn(f File) []calledModule {
	// It is not told here: whoever cannot read a file says so once.
	quiet := &run{charts: map[string]bool{}, texts: map[string][]byte{}}
	parsed, ok := quiet.parse(f)
	if !ok {
		return nil
	}
	var out []calledModule
	content, _, _ := parsed.Body.PartialContent(blocks)
	for _, b := range content.Blocks {
		if b.Type != "module" {
			continue
		}
		c := calledModule{name: b.Labels[0], dir: path.Dir(f.Path), file: f.Path, line: int64(b.DefRange.Start.Line)}
		inner, _, _ := b.Body.PartialContent(moduleKeys)
		source := inner.Attributes["source"]
		if source == nil {
			continue // what is written over another block: Library tells that it is not merged
		}
		c.line = int64(source.Range.Start.Line)
		if c.source, ok = writtenOut(source); !ok {
			c.unclear = "its source is no plain text, so nobody can tell what it calls"
		}
		if version := inner.Attributes["version"]; version != nil {
			if c.version, ok = writtenOut(version); !ok {
				c.unclear = cmp.Or(c.unclear, "its version is no plain text, so nobody can tell what it calls")
			}
		}
		out = append(out, c)
	}
	return out
}

var moduleKeys = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "source"}, {Name: "version"}}}

// writtenOut is the text of an attribute that needs nothing else to be told.
func writtenOut(a *hcl.Attribute) (string, bool) {
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() || !v.IsKnown() || v.IsNull() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

// judge says what is wrong with one call; nothing where it is approved.
func (x *Modules) judge(r *run, c calledModule, format string) {
	s, err := verdict.ParseModuleSource(c.source)
	switch {
	case c.unclear != "":
		x.refuse(r, c, format, c.unclear, "write source and version as plain text, of a module that is approved")
	case err != nil:
		x.refuse(r, c, format, fmt.Sprintf("where it comes from (%s) cannot be told: %v", quoted(withoutSecrets(c.source)), err), x.instead(s, "write the source in full"))
	case s.Kind == verdict.ModuleLocal:
		x.judgeCopy(r, c, format)
	default:
		x.judgeSource(r, c, s, format)
	}
}

// judgeSource judges a call of a module from elsewhere.
func (x *Modules) judgeSource(r *run, c calledModule, s verdict.ModuleSource, format string) {
	var same []entry
	for _, e := range x.entries {
		if e.source.Is(s) {
			same = append(same, e)
		}
	}
	if len(same) == 0 {
		x.refuse(r, c, format, fmt.Sprintf("it comes from %s, which is not approved", s), x.instead(s, "call a module that is approved"))
		return
	}
	if slices.ContainsFunc(same, func(e entry) bool { return s.Fixed() != "" && (e.Ref == s.Fixed() || e.Digest == s.Fixed()) }) {
		return
	}
	if s.Kind == verdict.ModuleRegistry {
		asked := exactVersion(c)
		of := slices.DeleteFunc(slices.Clone(same), func(e entry) bool { return e.Version != asked })
		if len(of) == 0 {
			x.refuse(r, c, format, fmt.Sprintf("it asks for %s of %s, and approved is %s", cmp.Or(quotedIf(c.version), "any version"), s, listed(same)), take(same[len(same)-1], c))
			return
		}
		same = of
	} else if s.Kind == verdict.ModuleGit || !slices.ContainsFunc(same, func(e entry) bool { return strings.HasPrefix(e.Digest, "h1:") }) {
		x.refuse(r, c, format, unfixed(s)+listed(same), take(same[len(same)-1], c))
		return
	}
	x.compare(r, c, s, same, format)
}

// unfixed says in what way an approved source is called at something else.
func unfixed(s verdict.ModuleSource) string {
	switch {
	case s.Named:
		return fmt.Sprintf("it calls %s with depth, by which git takes a ref as the name of a branch or a tag; approved is ", s)
	case s.Ref == "":
		return fmt.Sprintf("it calls %s at whatever is there by then; approved is ", s)
	case s.Fixed() == "":
		return fmt.Sprintf("it calls %s at %s, which can come to mean other content; approved is ", s, quoted(s.Ref))
	}
	return fmt.Sprintf("it calls %s at %s; approved is ", s, quoted(s.Ref))
}

// compare holds what is there of a module to the digests that are approved. Where nothing is
// there nobody knows, which is not told as approved.
func (x *Modules) compare(r *run, c calledModule, s verdict.ModuleSource, same []entry, format string) {
	if len(c.installed) == 0 {
		r.open(c.file, x.from.IsZero(), "module %s comes from an approved source (%s), and its content was not checked, because it is not here: run terraform init -backend=false first%s", c.name, s, orFix(s))
		return
	}
	for _, in := range c.installed {
		digest, err := in.content(x.Tree)
		switch {
		case in.stale(s, same):
			r.open(c.file, x.from.IsZero(), "module %s comes from an approved source (%s), and its content was not checked: in %s lies another; run terraform init -backend=false first", c.name, s, in.dir)
		case err != nil:
			r.open(c.file, x.from.IsZero(), "module %s comes from an approved source (%s), and its content in %s was not checked: %s", c.name, s, in.dir, oneLine(err.Error()))
		case !slices.ContainsFunc(same, func(e entry) bool { return e.Digest == digest }):
			x.differs(r, c, format, in.dir, digest, listed(same))
		}
	}
}

// orFix is what else lets a content be told.
func orFix(s verdict.ModuleSource) string {
	switch s.Kind {
	case verdict.ModuleOCI:
		return ", or call it by its digest (?digest=sha256:…) and approve that"
	case verdict.ModuleArchive:
		return ", or call the archive with its checksum (?checksum=sha256:…) and approve that"
	}
	return ""
}

// judgeCopy holds a copy in the repository to its digest, where one is approved. Any other
// folder of the tree is the tree's own code.
func (x *Modules) judgeCopy(r *run, c calledModule, format string) {
	if c.inside {
		return // part of what the digest of the module covers
	}
	folder := path.Join(x.Prefix, c.dir, strings.ReplaceAll(c.source, `\`, "/"))
	if below(folder+"/", ".terraform") && !below(x.Prefix+c.dir+"/", ".terraform") {
		x.refuse(r, c, format, "it calls a folder of .terraform, where downloads lie and no code of the tree", "call the module by its own source, or move the folder to where the code is")
		return
	}
	var digests []string
	at := ""
	for _, m := range x.copies {
		if folder == m.Path || strings.HasPrefix(folder, m.Path+"/") {
			at, digests = m.Path, append(digests, m.Digest)
		}
	}
	if at == "" {
		return
	}
	digest, known := "", false
	if x.Copy != nil {
		digest, known = x.Copy(at)
	}
	switch {
	case !known:
		r.result.Absent = append(r.result.Absent, verdict.NotChecked{Path: c.file, Reason: fmt.Sprintf("module %s is a copy in %s, and its content was not checked: not all of it was read", c.name, at), Blocks: true})
	case !slices.Contains(digests, digest):
		x.differs(r, c, format, at, digest, strings.Join(digests, ", "))
	}
}

// refuse tells a call that is not approved.
func (x *Modules) refuse(r *run, c calledModule, format, message, fix string) {
	p := c.problem(ModuleUnapproved, format, verdict.SeverityHigh, message, fix)
	if !x.from.IsZero() {
		p.Severity = verdict.SeverityMedium
		p.Message += "; this blocks from " + x.from.Format(time.DateOnly)
	}
	r.result.Problems = append(r.result.Problems, p)
}

// differs tells that other content lies where an approved one should: somebody changed it,
// or whoever hands it out does not keep to its version.
func (x *Modules) differs(r *run, c calledModule, format, dir, digest, approved string) {
	p := c.problem(ModuleOther, format, verdict.SeverityCritical, fmt.Sprintf("what lies in %s is %s, and approved is %s", dir, digest, approved),
		"find out who changed it; if it is to be used, have it approved: verdict map module "+dir+" prints the entry")
	p.About = mark(p.About + digest)
	r.result.Problems = append(r.result.Problems, p)
}

func (c calledModule) problem(check, format string, severity verdict.Severity, message, fix string) Problem {
	titles := map[string]string{ModuleUnapproved: "Modules are approved before they are called", ModuleOther: "An approved module holds what was approved"}
	about := cmp.Or(strings.TrimSpace(withoutSecrets(c.source)+" "+c.version), "unclear")
	return Problem{
		Check: check, Title: titles[check], Message: oneLine(message), Fix: oneLine(fix), Severity: severity, Path: c.file, Line: c.line, Format: format,
		Type: "module", Resource: "module." + strings.ReplaceAll(c.name, ".", ".module."), Cause: "source = " + about, About: mark(about),
	}
}

var credentials = regexp.MustCompile(`//[^@]*@`)

// withoutSecrets is a source without the parts in which addresses have passwords: in one
// spelling, and where nobody can take it apart, without whatever it asks for.
func withoutSecrets(source string) string {
	if s, err := verdict.ParseModuleSource(source); err == nil {
		return s.At(s.Ref)
	}
	source, _, _ = strings.Cut(credentials.ReplaceAllString(source, "//"), "?")
	return source
}

var versionText = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)

// exactVersion is the one version that a call can get from a registry; empty where there
// are more. What a module that was downloaded asks for is nobody's to mend, so there it is
// the one that lies here.
func exactVersion(c calledModule) string {
	if c.inside && len(c.installed) == 1 {
		return c.installed[0].version
	}
	v := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(c.version), "="))
	if versionText.MatchString(v) {
		return v
	}
	return ""
}

func quotedIf(s string) string {
	if s == "" {
		return ""
	}
	return quoted(s)
}

// listed are the versions of approved modules of one source, in the words of the map.
func listed(same []entry) string {
	var out []string
	for _, e := range same {
		out = append(out, strings.TrimSpace(strings.Join([]string{e.Version, e.Ref, e.Digest}, " ")))
	}
	if n := len(out); n > 3 {
		out = append([]string{fmt.Sprintf("%d others", n-3)}, out[n-3:]...)
		slices.Reverse(out)
	}
	return strings.Join(slices.Compact(out), ", ")
}

// take is the text to write so that a call takes an approved module.
func take(e entry, c calledModule) string {
	switch {
	case c.inside:
		return "call an approved version of the module that calls it, or have this one approved in the map (modules.approved)"
	case e.source.Kind == verdict.ModuleRegistry:
		return fmt.Sprintf("write version = %q", e.Version)
	}
	return fmt.Sprintf("write source = %q", e.source.At(cmp.Or(e.Ref, e.Digest)))
}

// instead names the approved module that a call may have meant: another folder of the same
// address, or one of the same name.
func (x *Modules) instead(s verdict.ModuleSource, otherwise string) string {
	name := func(s verdict.ModuleSource) string {
		parts := strings.Split(s.Address, "/")
		if s.Kind == verdict.ModuleRegistry && len(parts) > 1 {
			return parts[len(parts)-2]
		}
		return parts[len(parts)-1]
	}
	for _, like := range []func(o verdict.ModuleSource) bool{
		func(o verdict.ModuleSource) bool { return o.Address == s.Address }, func(o verdict.ModuleSource) bool { return name(o) == name(s) },
	} {
		for _, e := range slices.Backward(x.entries) {
			if s.Address != "" && like(e.source) {
				return fmt.Sprintf("the nearest that is approved: source = %q%s; or have this one approved in the map: verdict map module FOLDER prints the entry", e.source.At(cmp.Or(e.Ref, sum(e.Digest))), versionOf(e))
			}
		}
	}
	return otherwise + ", or have this one approved in the map: verdict map module FOLDER prints the entry for modules.approved"
}

// sum is a digest that an address can give.
func sum(digest string) string {
	if strings.HasPrefix(digest, "sha256:") {
		return digest
	}
	return ""
}

func versionOf(e entry) string {
	if e.Version == "" {
		return ""
	}
	return fmt.Sprintf(", version = %q", e.Version)
}

// mark is a short name for a text.
func mark(s string) string {
	h := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%x", h[:6])
}
