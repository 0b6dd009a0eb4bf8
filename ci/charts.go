package ci

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"verdict/ci/iac"
	"verdict/ci/wording"
	"verdict/git"
)

// Bounds of rendering.
const (
	maxChart      = 64 << 20 // bytes of a chart's files
	maxChartFiles = 5_000
	manyCharts    = 10 // times the limit of one chart is what all charts of a run may take
)

// Charts renders Helm charts by the helm program that a released map names. helm runs over
// a copy of what was read of the chart, away from the tree: no link leads it elsewhere, and
// what it writes beside the chart is gone with the copy. It has homes that are empty and
// reaches no network, so that no plugin, repository or setting of the machine takes part.
// It is for one run, and for one goroutine at a time.
type Charts struct {
	// Tool is the command, `helm template` with its options. Its Dir is set here, and what
	// helm reads of its Env is added to.
	Tool Tool
	// Unable says why no chart can be rendered; empty where the command may run.
	Unable string

	program, by string
	done        map[string]iac.Rendering // by chartFiles.id
}

// chartFiles are what a chart consists of, by paths below it.
type chartFiles struct {
	id    string // equal for the same files; empty where nobody knows it beforehand
	files map[string][]byte
	why   string // they are not all there
}

// render renders charts, whose files are asked for when they are needed.
func (c *Charts) render(ctx context.Context, of []func() (chartFiles, error)) ([]iac.Rendering, error) {
	all, stop := context.WithTimeoutCause(ctx, manyCharts*c.Tool.Timeout, errTimeout)
	defer stop()
	out := make([]iac.Rendering, len(of))
	for i, next := range of {
		f, err := next()
		if err == nil {
			out[i] = c.one(all, f)
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("render charts: %w", err)
		}
	}
	return out, nil
}

// one renders a chart, or remembers it: most charts of a base are as they are now.
func (c *Charts) one(ctx context.Context, f chartFiles) iac.Rendering {
	if r, known := c.done[f.id]; known && f.why == "" {
		return r
	}
	r := iac.Rendering{Files: f.files, By: c.by}
	switch {
	case f.why != "":
		r.Why = f.why
	case c.Unable != "":
		r.Why = c.Unable
	case ctx.Err() != nil:
		r.Why = fmt.Sprintf("the charts before it took all of the %s that charts may take in one run: give their source a longer `timeout:` in the released map", manyCharts*c.Tool.Timeout)
	default:
		r.Manifests, r.Why = c.run(ctx, f.files)
		r.By = c.by
		if c.done == nil {
			c.done = map[string]iac.Rendering{}
		}
		c.done[f.id] = r
	}
	return r
}

// run lets helm render a copy of the chart. why says what kept it from it.
func (c *Charts) run(ctx context.Context, files map[string][]byte) (manifests []byte, why string) {
	dir, err := os.MkdirTemp("", "verdict-chart-")
	if err != nil {
		return nil, "there is no place for a copy of it: " + lastCause(err).Error()
	}
	defer os.RemoveAll(dir)
	t := c.Tool
	t.Dir, t.Env, t.less = filepath.Join(dir, "chart"), slices.Concat(t.Env, helmEnv(filepath.Join(dir, "home"))), "a chart of that size is not judged"
	if err := copyOf(t.Dir, files); err != nil {
		return nil, "it cannot be copied: " + lastCause(err).Error()
	}
	if why := c.find(ctx, t); why != "" {
		c.Unable = fmt.Sprintf("%s did not run: %s", t.Reads.Source, why)
		return nil, c.Unable
	}
	t.Command = append(slices.Clone(t.Command), ".")
	out, complaint, code, why := t.execute(ctx, c.program)
	switch {
	case why != "":
		return nil, fmt.Sprintf("%s gave no answer: %s", t.Reads.Source, why)
	case code != 0 && strings.Contains(complaint, "helm dependency build"):
		return nil, fmt.Sprintf("charts that it needs are not in its folder charts: run `helm dependency build` there, and commit what it fetched%s", said(complaint))
	case code != 0:
		return nil, fmt.Sprintf("%s ended with exit code %d%s", t.Reads.Source, code, said(complaint))
	}
	return out, ""
}

// find looks for the program once, and asks it for its version.
func (c *Charts) find(ctx context.Context, t Tool) (why string) {
	if c.program != "" {
		return ""
	}
	program, err := t.program()
	if err != nil {
		return err.Error()
	}
	digest, err := digestOf(program)
	if err != nil {
		return err.Error()
	}
	t.Command = []string{t.Command[0], "version", "--short"}
	said, _, code, why := t.execute(ctx, program)
	version := "of a version that it does not say"
	if first, _, _ := bytes.Cut(said, []byte("\n")); why == "" && code == 0 && helmVersion.Match(bytes.TrimSpace(first)) {
		version = string(bytes.TrimSpace(first))
	}
	c.program, c.by = program, fmt.Sprintf("%s %s (sha256:%s)", t.Reads.Source, version, digest)
	return ""
}

var helmVersion = regexp.MustCompile(`^v[0-9][0-9A-Za-z.+-]{0,60}$`)

// helmEnv gives helm a home of its own, and a proxy that nobody serves: a chart's schema can
// name an address to read.
func helmEnv(home string) []string {
	env := []string{"HELM_NO_PLUGINS=1", "KUBECONFIG=" + filepath.Join(home, "kubeconfig")}
	for _, name := range []string{"HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"} {
		env = append(env, name+"="+home)
	}
	for _, name := range []string{
		"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_PLUGINS",
		"HELM_REGISTRY_CONFIG", "HELM_REPOSITORY_CACHE", "HELM_REPOSITORY_CONFIG",
	} {
		env = append(env, name+"="+filepath.Join(home, strings.ToLower(name)))
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		env = append(env, name+"=http://127.0.0.1:9")
	}
	return env
}

// copyOf writes files into a new folder, with an empty home beside it.
func copyOf(dir string, files map[string][]byte) error {
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.MkdirAll(filepath.Join(filepath.Dir(dir), "home"), 0o700)); err != nil {
		return err
	}
	top, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer top.Close()
	for p, content := range files {
		if err := top.MkdirAll(filepath.FromSlash(path.Dir(p)), 0o700); err != nil {
			return err
		}
		if err := top.WriteFile(filepath.FromSlash(p), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// treeCharts renders charts of the tree that was walked.
type treeCharts struct {
	*Charts
	dir  string
	walk WalkOptions // as the tree was walked
	seen *Manifest   // what was read of it
}

// Render reads all files of the charts, as git sees them, in a walk of their own: only now
// is it known which files are a chart's.
func (c treeCharts) Render(ctx context.Context, charts []string) ([]iac.Rendering, error) {
	whole := c.walk.Only == nil && len(c.walk.Within) == 0
	c.walk.Only, c.walk.Within, c.walk.Progress = nil, charts, nil
	k := &keeper{charts: charts, kept: make([]chartFiles, len(charts)), size: make([]int64, len(charts))}
	m, err := Walk(ctx, c.dir, c.walk, k)
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	for _, e := range c.seen.Entries {
		known[e.Path] = string(e.SHA256[:])
	}
	of := make([]func() (chartFiles, error), len(charts))
	for i, chart := range charts {
		f := k.kept[i]
		f.judge(m, chart, known, whole)
		of[i] = func() (chartFiles, error) { return f, nil }
	}
	return c.render(ctx, of)
}

// judge says what is not fit of a chart's files, and gives them their id.
func (f *chartFiles) judge(m *Manifest, chart string, known map[string]string, whole bool) {
	refuse := func(p, why string) {
		if f.why == "" {
			f.why = fmt.Sprintf("its file %s %s", wording.Shown(wording.Cut(p, 200)), why)
		}
	}
	sum := sha256.New()
	for _, e := range m.Entries {
		rel, of := below(chart, e.Path)
		if !of {
			continue
		}
		if e.Mode == git.ModeLink {
			refuse(rel, "is a link, which could lead out of the tree: put the file itself there")
		}
		if before, there := known[e.Path]; there && before != string(e.SHA256[:]) || !there && whole {
			refuse(rel, "was changed while the tree was read: run it again")
		}
		fmt.Fprintf(sum, "%s\x00%s\x00", rel, cmp.Or(e.Blob, hex.EncodeToString(e.SHA256[:])))
	}
	for _, s := range m.Skipped {
		if rel, of := below(chart, s.File.Path); of && s.Blocks {
			refuse(rel, "was not read: "+s.Reason)
		}
	}
	f.id = hex.EncodeToString(sum.Sum(nil))
}

// below is a path as a chart names it, where it is one of the chart's.
func below(chart, p string) (string, bool) {
	if chart == "." {
		return p, true
	}
	return strings.CutPrefix(p, chart+"/")
}

// keeper is a Reader that keeps the files of charts.
type keeper struct {
	charts []string

	mu   sync.Mutex // guards what follows
	kept []chartFiles
	size []int64
	all  int64
}

// Wants takes every file: a template may read any of its chart.
func (k *keeper) Wants(File) bool { return true }

// Read keeps a file for each chart that it is a file of.
func (k *keeper) Read(_ context.Context, f File, content []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, chart := range k.charts {
		if rel, of := below(chart, f.Path); of {
			k.size[i], k.all = k.size[i]+int64(len(content)), k.all+int64(len(content))
			k.kept[i].keep(rel, content, k.size[i])
			if k.all > maxIaC {
				k.kept[i] = chartFiles{why: fmt.Sprintf("the charts of this tree have more than %d MiB together", maxIaC>>20)}
			}
		}
	}
}

// keep takes in a file, as long as the chart is not too large with it.
func (f *chartFiles) keep(rel string, content []byte, size int64) {
	if f.why != "" {
		return
	}
	if f.files == nil {
		f.files = map[string][]byte{}
	}
	if size > maxChart || len(f.files) >= maxChartFiles {
		f.files, f.why = nil, fmt.Sprintf("it has more than %d files or %d MiB", maxChartFiles, maxChart>>20)
		return
	}
	f.files[rel] = bytes.Clone(content)
}

// baseCharts renders charts as the base of a change has them.
type baseCharts struct {
	*Charts
	base *before
}

// Render reads the files from git, but for those of charts that are as they were rendered
// already.
func (c baseCharts) Render(ctx context.Context, charts []string) ([]iac.Rendering, error) {
	of := make([]func() (chartFiles, error), len(charts))
	for i, chart := range charts {
		of[i] = func() (chartFiles, error) { return c.files(ctx, chart) }
	}
	return c.render(ctx, of)
}

func (c baseCharts) files(ctx context.Context, chart string) (chartFiles, error) {
	var paths []string
	for p := range c.base.files {
		if _, of := below(chart, p); of {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	sum, f := sha256.New(), chartFiles{files: map[string][]byte{}}
	for _, p := range paths {
		rel, _ := below(chart, p)
		fmt.Fprintf(sum, "%s\x00%s\x00", rel, c.base.files[p])
	}
	f.id = hex.EncodeToString(sum.Sum(nil))
	if _, known := c.done[f.id]; known {
		return f, nil
	}
	if len(paths) > maxBefore {
		f.why = fmt.Sprintf("it had more than %d files", maxBefore)
		return f, nil
	}
	size := int64(0)
	for _, p := range paths {
		content, err := c.base.repo.Blob(ctx, c.base.files[p])
		if err != nil {
			return f, err
		}
		rel, _ := below(chart, p)
		size += int64(len(content))
		f.keep(rel, content, size)
	}
	return f, nil
}

// inCharts tells of a path whether it is one of a chart, now or in the base: any file of a
// chart can change what it sets up. Where charts are not rendered none is.
func (b *before) inCharts(m *Manifest, rendered bool) func(p string) bool {
	charts := map[string]bool{}
	if rendered {
		for p := range b.files {
			if path.Base(p) == "Chart.yaml" {
				charts[path.Dir(p)] = true
			}
		}
		for _, e := range m.Entries {
			if path.Base(e.Path) == "Chart.yaml" {
				charts[path.Dir(e.Path)] = true
			}
		}
	}
	return func(p string) bool {
		if len(charts) == 0 {
			return false
		}
		for dir := path.Dir(p); ; dir = path.Dir(dir) {
			if charts[dir] || dir == "." {
				return charts[dir]
			}
		}
	}
}

// chartsAbove lists the files that say that a path lies in a chart, but for those of folders
// that were looked at before.
func chartsAbove(top *folder, p string, looked map[string]bool) []string {
	var out []string
	for dir := path.Dir(p); !looked[dir]; dir = path.Dir(dir) {
		looked[dir] = true
		at := path.Join(dir, "Chart.yaml")
		if info, err := top.root.Lstat(filepath.FromSlash(at)); err == nil && info.Mode().IsRegular() {
			out = append(out, at)
		}
	}
	return out
}
