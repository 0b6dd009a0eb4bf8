// Package lockfiles compares what verdict ci reads from lockfiles with what trivy's
// parsers read from the same files: the samples of trivy and of osv-scalibr, as they lie in
// the module cache.
package lockfiles

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aquasecurity/trivy/pkg/dependency/parser/c/conan"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/dart/pub"
	gradle "github.com/aquasecurity/trivy/pkg/dependency/parser/gradle/lockfile"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/hex/mix"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/nodejs/bun"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/nodejs/pnpm"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/nodejs/yarn"
	nugetconfig "github.com/aquasecurity/trivy/pkg/dependency/parser/nuget/config"
	nugetlock "github.com/aquasecurity/trivy/pkg/dependency/parser/nuget/lock"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/php/composer"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/python/pipenv"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/python/poetry"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/python/uv"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/ruby/bundler"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/swift/cocoapods"
	"github.com/aquasecurity/trivy/pkg/dependency/parser/swift/swift"
	"github.com/aquasecurity/trivy/pkg/fanal/types"

	"verdict/ci"
)

// reading is what one side takes from one file.
type reading struct {
	packages map[string]bool     // name@version → for development only
	needs    map[string][]string // of each, sorted
	failed   string              // why it was not read
}

// peer is a parser of trivy, and the name under which its files are known.
type peer struct {
	file  string
	parse func(r *bytes.Reader) ([]types.Package, []types.Dependency, error)
}

// peers are listed by the folder of their samples, in trivy and in osv-scalibr.
var peers = map[string]peer{
	"nodejs/pnpm": {"pnpm-lock.yaml", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) { return pnpm.NewParser().Parse(r) }},
	"nodejs/bun":  {"bun.lock", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) { return bun.NewParser().Parse(r) }},
	"nodejs/yarn": {"yarn.lock", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) {
		p, d, _, err := yarn.NewParser().Parse(r)
		return p, d, err
	}},
	"python/poetry": {"poetry.lock", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) { return poetry.NewParser().Parse(r) }},
	"python/uv":     {"uv.lock", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) { return uv.NewParser().Parse(r) }},
	"python/pipenv": {"Pipfile.lock", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) { return pipenv.NewParser().Parse(r) }},
	"c/conan":       {"conan.lock", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) { return conan.NewParser().Parse(r) }},
	"dart/pub": {"pubspec.lock", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) {
		return pub.NewParser(false).Parse(r)
	}},
	"gradle/lockfile": {"gradle.lockfile", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) { return gradle.NewParser().Parse(r) }},
	"hex/mix":         {"mix.lock", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) { return mix.NewParser().Parse(r) }},
	"nuget/lock": {"packages.lock.json", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) {
		return nugetlock.NewParser().Parse(r)
	}},
	"nuget/config": {"packages.config", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) {
		return nugetconfig.NewParser().Parse(r)
	}},
	"php/composer": {"composer.lock", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) {
		return composer.NewParser().Parse(r)
	}},
	"ruby/bundler": {"Gemfile.lock", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) {
		return bundler.NewParser().Parse(r)
	}},
	"swift/swift": {"Package.resolved", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) { return swift.NewParser().Parse(r) }},
	"swift/cocoapods": {"Podfile.lock", func(r *bytes.Reader) ([]types.Package, []types.Dependency, error) {
		return cocoapods.NewParser().Parse(r)
	}},
}

var scalibrs = map[string]string{
	"javascript/pnpmlock": "nodejs/pnpm", "javascript/yarnlock": "nodejs/yarn", "javascript/bunlock": "nodejs/bun",
	"python/poetrylock": "python/poetry", "python/uvlock": "python/uv", "python/pipfilelock": "python/pipenv",
	"cpp/conanlock": "c/conan", "dart/pubspec": "dart/pub", "java/gradlelockfile": "gradle/lockfile", "erlang/mixlock": "hex/mix", "php/composerlock": "php/composer",
	"ruby/gemfilelock": "ruby/bundler",
}

// ours reads a file as the walk would.
func ours(t *testing.T, file string, content []byte) reading {
	v := ci.NewVulnerabilities(nil, "test")
	v.Read(t.Context(), ci.File{Path: file, Size: int64(len(content))}, content)
	r := reading{packages: map[string]bool{}, needs: map[string][]string{}}
	for _, d := range v.Dependencies() {
		key := d.Name + "@" + d.Version
		before, seen := r.packages[key]
		r.packages[key] = d.Development && (!seen || before)
		r.needs[key] = append(r.needs[key], d.Needs...)
	}
	for _, n := range v.Report(&ci.Manifest{}, ".").NotChecked {
		if strings.Contains(n.Reason, "it cannot be read") {
			r.failed = n.Reason
		}
	}
	return r
}

// theirs reads a file with trivy. What trivy itself leaves out of its results, the
// projects, is left out here too.
func theirs(p peer, content []byte) (r reading) {
	r = reading{packages: map[string]bool{}, needs: map[string][]string{}}
	defer func() {
		if x := recover(); x != nil {
			r.failed = fmt.Sprint("panic: ", x)
		}
	}()
	packages, dependencies, err := p.parse(bytes.NewReader(content))
	if err != nil {
		r.failed = err.Error()
	}
	names := map[string]string{}
	for _, x := range packages {
		if x.Relationship == types.RelationshipRoot || x.Relationship == types.RelationshipWorkspace {
			continue
		}
		key := x.Name + "@" + x.Version
		names[x.ID] = key
		before, seen := r.packages[key]
		r.packages[key] = x.Dev && (!seen || before)
	}
	for _, d := range dependencies {
		for _, to := range d.DependsOn {
			if from := names[d.ID]; from != "" && names[to] != "" {
				r.needs[from] = append(r.needs[from], names[to])
			}
		}
	}
	return r
}

// differences writes what one side has and the other has not.
func differences(a, b reading) []string {
	var out []string
	switch {
	case a.failed != "" && b.failed == "":
		return []string{"only trivy reads it"}
	case a.failed != "" && b.failed != "":
		return nil
	case b.failed != "":
		out = append(out, "only verdict reads it")
		return out
	}
	for key, dev := range a.packages {
		if theirDev, ok := b.packages[key]; !ok && dev {
			out = append(out, "only verdict has for development "+key)
		} else if !ok {
			out = append(out, "only verdict has "+key)
		} else if dev != theirDev {
			out = append(out, fmt.Sprintf("%s is for development: verdict %v, trivy %v", key, dev, theirDev))
		}
	}
	for key := range b.packages {
		if _, ok := a.packages[key]; !ok {
			out = append(out, "only trivy has "+key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a.packages)) {
		if _, both := b.packages[key]; !both {
			continue
		}
		for _, to := range a.needs[key] {
			if !slices.Contains(b.needs[key], to) {
				out = append(out, "only verdict links "+key+" to "+to)
			}
		}
		for _, to := range b.needs[key] {
			if !slices.Contains(a.needs[key], to) {
				out = append(out, "only trivy links "+key+" to "+to)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// module is the folder of a module in the cache.
func module(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", name).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		t.Fatalf("go list -m %s: %s", name, failed.Stderr)
	}
	if err != nil || len(bytes.TrimSpace(out)) == 0 {
		t.Fatalf("go list -m %s: %v", name, err)
	}
	return string(bytes.TrimSpace(out))
}

// TestSamplesAreReadAsTrivyReadsThem fails on a difference that has no reason below, and
// on a reason for a difference that is gone.
func TestSamplesAreReadAsTrivyReadsThem(t *testing.T) {
	samples := map[string]string{} // file → peer
	for folder := range peers {
		add(t, samples, filepath.Join(module(t, "github.com/aquasecurity/trivy"), "pkg/dependency/parser", folder, "testdata"), folder)
	}
	for folder, as := range scalibrs {
		add(t, samples, filepath.Join(module(t, "github.com/google/osv-scalibr"), "extractor/filesystem/language", folder, "testdata"), as)
	}
	if len(samples) < 100 {
		t.Fatalf("%d sample files", len(samples))
	}
	used, same, packages := map[string]bool{}, 0, 0
	for _, file := range slices.Sorted(maps.Keys(samples)) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := peers[samples[file]]
		a, b := ours(t, p.file, content), theirs(p, content)
		packages += len(a.packages)
		name := path.Join(path.Base(path.Dir(path.Dir(filepath.ToSlash(file)))), filepath.Base(file))
		diff := differences(a, b)
		if len(diff) == 0 {
			same++
			continue
		}
		for _, d := range diff {
			why := reasonFor(name, d, used)
			if why == "" {
				t.Errorf("%s: %s, and no reason is known (verdict: %q, trivy: %q)", name, d, a.failed, b.failed)
				continue
			}
			t.Logf("%s: %s: %s", name, d, why)
		}
	}
	for _, r := range reasons {
		if !used[r.file+r.difference] {
			t.Errorf("%s: %s: this difference is gone; take its reason out", r.file, r.difference)
		}
	}
	t.Logf("%d of %d files are read alike; verdict finds %d packages in all of them", same, len(samples), packages)
}

func add(t *testing.T, samples map[string]string, folder, as string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in %s: %v", folder, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
			samples[f] = as
		}
	}
}

func reasonFor(file, difference string, used map[string]bool) string {
	for _, r := range reasons {
		if ok, _ := path.Match(r.file, file); ok && strings.HasPrefix(difference, r.difference) {
			used[r.file+r.difference] = true
			return r.why
		}
	}
	return ""
}
