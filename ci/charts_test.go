//go:build unix

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

// smallHelm renders as helm does, as far as a test needs it: {{ .Values.privileged }} stands
// for what values.yaml says. It keeps in RUNS how often it rendered.
const smallHelm = `[ "$1" = version ] && { echo v3.99.0; exit; }
[ "$*" = "template ." ] || { echo "unexpected: $*" >&2; exit 7; }
echo x >> "$RUNS"
value=$(sed -n 's/privileged: //p' values.yaml)
for f in templates/*.yaml; do
  printf -- '---\n# Source: shop/%s\n' "$f"
  sed "s/{{ .Values.privileged }}/$value/" "$f"
done
`

const templated = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n    - name: web\n      image: web:1.0.0\n      securityContext:\n        privileged: {{ .Values.privileged }}\n"

// chart is a small one with its values.
func chart(privileged string) map[string]string {
	return map[string]string{"deploy/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n", "deploy/values.yaml": "privileged: " + privileged + "\n", "deploy/templates/pod.yaml": templated}
}

// helmAs renders charts of a tree by a script, and gives the file that counts its runs.
func helmAs(t *testing.T, dir, body string) (c *Charts, runs string) {
	t.Helper()
	runs = filepath.Join(t.TempDir(), "runs")
	return &Charts{Tool: Tool{
		Reads: ResultOptions{Source: "helm"}, Command: []string{fake(t, body), "template"}, Timeout: 20 * time.Second, Tree: dir, Env: []string{"PATH=/usr/bin:/bin", "RUNS=" + runs},
	}}, runs
}

const privileged = "AVD-KSV-0017"

func privilegedAt(r verdict.Report) (hits []verdict.Hit) {
	return slices.DeleteFunc(slices.Clone(r.Hits), func(h verdict.Hit) bool { return h.Detector != privileged })
}

// What only the values of a chart bring about is found, at the template, with the program
// that rendered it as evidence.
func TestAChartIsJudgedAsItIsRendered(t *testing.T) {
	dir, _ := committed(t, chart("true"))
	c, _ := helmAs(t, dir, smallHelm)
	r := infrastructureOf(t, ran(t, dir, Options{Charts: c}))
	hits := privilegedAt(r)
	if len(hits) != 1 || hits[0].Path != "deploy/templates/pod.yaml" || hits[0].Line != 7 || hits[0].Key != "iac:"+privileged+":Pod/web:deploy/templates/pod.yaml" || !r.Complete {
		t.Fatalf("%+v, %+v", hits, r.NotChecked)
	}
	pinIt(&c.Tool)
	if !told(r, "rendered by helm v3.99.0 (sha256:"+c.Tool.SHA256+")") {
		t.Errorf("the program is not told: %+v", r.NotChecked)
	}
	if r := infrastructureOf(t, ran(t, dir, Options{Charts: c})); !r.Complete || len(privilegedAt(r)) != 1 {
		t.Errorf("pinned by its digest: %+v", r.NotChecked)
	}
	if r := infrastructureOf(t, ran(t, dir, Options{})); len(privilegedAt(r)) != 0 || !told(r, "To have it rendered add `helm: {command: [helm, template], format: helm}` under `sources:`") {
		t.Errorf("without a program: %+v", r.NotChecked)
	}
	left := "schema: verdict-ignore/v1\nleft_out:\n- {path: deploy/templates/pod.yaml, checks: [iac], reason: r, owner: o, expires: 2099-01-01}\n"
	if r := infrastructureOf(t, ran(t, dir, Options{Charts: c, Ignore: []byte(left), Now: time.Now})); len(privilegedAt(r)) != 0 {
		t.Errorf("the template is left out: %+v", r.Hits)
	}
}

// A chart that could not be rendered, whatever the reason, must not look like a safe one;
// and what its program does beside the work reaches nothing.
func TestAProgramThatDoesNotRenderLeavesTheCheckIncomplete(t *testing.T) {
	isHelm := `[ "$1" = version ] && { echo v3.99.0; exit; }; `
	for name, c := range map[string]struct {
		body   string
		change func(t *testing.T, dir string, c *Charts)
		told   string
	}{
		"it fails":           {isHelm + "echo 'Error: need x' >&2; echo >&2; echo 'Use --debug flag to render out invalid YAML' >&2; exit 1", nil, "helm ended with exit code 1: Error: need x"},
		"a chart is missing": {isHelm + "echo 'Error: You may need to run `helm dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: db' >&2; exit 1", nil, "run `helm dependency build` there, and commit what it fetched: Error: You may"},
		"it hangs":           {isHelm + "sleep 300", func(_ *testing.T, _ string, c *Charts) { c.Tool.Timeout = 300 * time.Millisecond }, "helm gave no answer: it did not end within 300ms"},
		"it floods":          {isHelm + "while :; do echo 0123456789012345678901234567890123456789; done | cat", nil, "printed more than 32 MiB and was stopped: a chart of that size is not judged"},
		"it prints talk":     {isHelm + "echo hello", nil, "printed something else than manifests: line 1 belongs to no template"},
		"it prints a report": {isHelm + `echo '{"matches": []}'`, nil, "something else than manifests"},
		"it is not there":    {smallHelm, func(_ *testing.T, _ string, c *Charts) { c.Tool.Command[0] = "/nowhere/helm" }, "is not on this machine"},
		"it is another one":  {smallHelm, func(_ *testing.T, _ string, c *Charts) { c.Tool.SHA256 = strings.Repeat("0", 64) }, "the released map pins 0000"},
		"it lies in the tree": {smallHelm, func(t *testing.T, dir string, c *Charts) {
			c.Tool.Command[0] = write(t, dir, "bin/helm", "#!/bin/sh\n")
			must(t, os.Chmod(c.Tool.Command[0], 0o755))
		}, "lies in the tree"},
		"the map says it not": {smallHelm, func(_ *testing.T, _ string, c *Charts) { c.Unable = "the map was not released" }, "the map was not released"},
		"a link leads away": {smallHelm, func(t *testing.T, dir string, _ *Charts) {
			must(t, os.Symlink("/etc/hostname", filepath.Join(dir, "deploy/templates/x.yaml")))
		}, "its file templates/x.yaml is a link"},
		"a file is not there":   {smallHelm, func(t *testing.T, dir string, _ *Charts) { write(t, dir, "deploy/crds/big.yaml", lfs) }, "its file crds/big.yaml was not read: it is a pointer to a file in Git LFS"},
		"the version is a text": {`echo "$(printf 'v1\033[31m')"`, nil, "of a version that it does not say"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := committed(t, chart("true"))
			charts, _ := helmAs(t, dir, c.body)
			if c.change != nil {
				c.change(t, dir, charts)
			}
			r := infrastructureOf(t, ran(t, dir, Options{Charts: charts}))
			if ok, blocks := toldOf(r, c.told); !ok || !blocks || r.Complete {
				t.Errorf("%q is not told, or complete: %+v", c.told, r.NotChecked)
			}
		})
	}
}

const lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"

// A program that writes where it runs must not change the tree that it should judge, nor
// leave something behind.
func TestWhatARendererWritesIsGone(t *testing.T) {
	dir, _ := committed(t, chart("false"))
	c, runs := helmAs(t, dir, "pwd > \"$RUNS\"; env >> \"$RUNS\"; touch here ../there templates/new.yaml Chart.yaml; rm -f values.yaml; echo x > $HOME/z\n")
	r := ran(t, dir, Options{Charts: c})
	if out := gitIn(t, dir, "status", "--porcelain"); out != "" || r.Uncommitted() {
		t.Errorf("the tree was changed: %s", out)
	}
	told, err := os.ReadFile(runs)
	must(t, err)
	at, env, _ := strings.Cut(string(told), "\n")
	if _, err := os.Stat(at); !os.IsNotExist(err) || strings.HasPrefix(at, dir) {
		t.Errorf("%s is still there: %v", at, err)
	}
	for _, want := range []string{"HTTPS_PROXY=http://127.0.0.1:9\n", "HELM_NO_PLUGINS=1\n", "HOME=" + filepath.Dir(at) + "/home\n"} {
		if !strings.Contains(env, want) {
			t.Errorf("%q is not in its environment:\n%s", want, env)
		}
	}
}

// What a change of values brings is new, what the chart set up before is old, and a chart
// that is as it was is not rendered twice.
func TestWhatAChangeBringsIntoAChartIsToldFromWhatWasThere(t *testing.T) {
	files := chart("false")
	files["other/Chart.yaml"], files["other/values.yaml"], files["other/templates/pod.yaml"] = "name: other\n", "privileged: true\n", templated
	dir, base := committed(t, files)
	write(t, dir, "deploy/values.yaml", "privileged: true\n")
	gitIn(t, dir, "mv", "other", "moved")
	commitAll(t, dir)
	for name, o := range map[string]Options{"the whole tree": {Base: base}, "what differs": {Base: base, Diff: true}} {
		c, runs := helmAs(t, dir, smallHelm)
		o.Charts = c
		r := infrastructureOf(t, ran(t, dir, o))
		old := map[string]bool{}
		for _, h := range privilegedAt(r) {
			old[h.Path] = h.Old
		}
		if was, found := old["deploy/templates/pod.yaml"]; was || !found || !r.Complete {
			t.Errorf("%s: what the change of values brings counts as old, or is not found: %v %+v", name, old, r.NotChecked)
		}
		if was, found := old["moved/templates/pod.yaml"]; !was || !found {
			t.Errorf("%s: what only moved counts as new, or is not found: %v", name, old)
		}
		if n, err := os.ReadFile(runs); err != nil || len(n) != 6 { // both as they are, and one as it was
			t.Errorf("%s: rendered %q times: %v", name, n, err)
		}
		for _, h := range r.Hits {
			if h.Path == "deploy/templates/pod.yaml" && h.Old == (h.Detector == privileged) {
				t.Errorf("%s: %s is told wrongly", name, h.Detector)
			}
		}
	}
}

// A file of a chart that is no manifest, such as a helper, changes what the chart sets up:
// the quick answer about it is one about the whole chart.
func TestTheQuickAnswerRendersTheWholeChart(t *testing.T) {
	files := chart("true")
	files["deploy/templates/_helpers.tpl"] = "a"
	dir, base := committed(t, files)
	write(t, dir, "deploy/templates/_helpers.tpl", "b")
	commitAll(t, dir)
	c, _ := helmAs(t, dir, smallHelm)
	r := infrastructureOf(t, ran(t, dir, Options{Base: base, Diff: true, Charts: c}))
	if hits := privilegedAt(r); len(hits) != 1 || !hits[0].Old {
		t.Errorf("%+v, %+v", hits, r.NotChecked)
	}
}

// Outside of a repository nothing but the content tells one chart from another.
func TestChartsOfAPlainFolderAreToldApart(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{"closed": "false", "open": "true"} {
		write(t, dir, name+"/Chart.yaml", "name: shop\n")
		write(t, dir, name+"/values.yaml", "privileged: "+value+"\n")
		write(t, dir, name+"/templates/pod.yaml", templated)
	}
	c, _ := helmAs(t, dir, smallHelm)
	r := infrastructureOf(t, ran(t, dir, Options{Charts: c}))
	if hits := privilegedAt(r); len(hits) != 1 || hits[0].Path != "open/templates/pod.yaml" || !r.Complete {
		t.Errorf("%+v, %+v", hits, r.NotChecked)
	}
}

// What is too large is refused whole: a part of a chart sets up something else.
func TestAChartThatIsTooLargeIsRefused(t *testing.T) {
	k := &keeper{charts: []string{"a", "b"}, kept: make([]chartFiles, 2), size: []int64{0, maxChart}}
	for _, p := range []string{"a/1", "b/1", "b/2"} {
		k.Read(t.Context(), File{Path: p}, []byte("x"))
	}
	if k.kept[0].why != "" || len(k.kept[0].files) != 1 || !strings.Contains(k.kept[1].why, "MiB") || len(k.kept[1].files) != 0 {
		t.Errorf("%+v", k.kept)
	}
	k.all = maxIaC
	if k.Read(t.Context(), File{Path: "a/2"}, []byte("x")); !strings.Contains(k.kept[0].why, "together") || len(k.kept[0].files) != 0 {
		t.Errorf("%+v", k.kept[0])
	}
	c := &Charts{}
	if r := c.one(t.Context(), k.kept[0]); !strings.Contains(r.Why, "together") {
		t.Errorf("%+v", r)
	}
}
