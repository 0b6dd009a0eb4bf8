package inventory

import (
	"errors"
	"path"
	"strings"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

// chart is what one Chart.yaml or requirements.yaml of Helm asks for.
type chart struct{ asks []chartAsk }

type chartAsk struct {
	name, version, repository string
	line                      int
}

func chartFile(p string) bool {
	switch path.Base(p) {
	case "Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock":
		return true
	}
	return false
}

func (x *references) addChart(p string, content []byte) error {
	if x.charts == nil {
		x.charts, x.locked = map[string]*chart{}, map[string]bool{}
	}
	lock := path.Ext(p) == ".lock"
	read := handYAML
	if lock {
		read = yamlDocuments
	}
	if lock {
		x.locked[path.Dir(p)] = true
	}
	docs, err := read(content)
	if err != nil {
		return err
	}
	c := &chart{}
	for _, d := range docs {
		if path.Base(p) == "requirements.yaml" && plain.Member(d, "dependencies") == nil {
			return nil // others call their files so, too
		}
		if lock && plain.Member(d, "digest") == nil { // what it ends with
			return errors.New("it is no lockfile of Helm, or ends early: it has no digest")
		}
		for _, e := range sequence(plain.Member(d, "dependencies")) {
			c.asks = append(c.asks, chartAsk{plain.Word(plain.Member(e, "name")), plain.Word(plain.Member(e, "version")), plain.Word(plain.Member(e, "repository")), e.Line})
		}
	}
	x.charts[p] = c
	return nil
}

// finishCharts takes what lockfiles resolve, and what charts without one declare.
func (x *references) finishCharts() {
	for _, p := range sortedKeys(x.charts) {
		if path.Ext(p) != ".lock" && x.locked[path.Dir(p)] {
			continue
		}
		r := &reference{source: p}
		for _, a := range x.charts[p].asks {
			r.chart(a)
		}
		x.take(r)
	}
}

func (r *reference) chart(a chartAsk) {
	switch {
	case strings.HasPrefix(a.repository, "file:"): // a chart of this tree
		return
	case !npmName.MatchString(a.name) || strings.HasPrefix(a.name, "@"):
		r.gaps = append(r.gaps, wording.Open(r.source, "line %d names a chart that cannot be: %s", a.line, wording.Shown(wording.Cut(a.name, 120))))
		return
	}
	version := a.version
	if !exactTag.MatchString(version) {
		r.gaps = append(r.gaps, wording.Aside(r.source, "line %d asks for %s in versions (%s) that no Chart.lock makes exact: helm dependency update", a.line, a.name, wording.Shown(wording.Cut(a.version, 80))))
		version = ""
	}
	d := r.put(EcosystemHelm, a.name, version, a.line)
	d.From = origin(EcosystemHelm, a.repository)
}
