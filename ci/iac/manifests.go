package iac

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	armadapter "github.com/aquasecurity/trivy/pkg/iac/adapters/arm"
	cfnadapter "github.com/aquasecurity/trivy/pkg/iac/adapters/cloudformation"
	"github.com/aquasecurity/trivy/pkg/iac/scanners/azure/arm/parser"
	cfn "github.com/aquasecurity/trivy/pkg/iac/scanners/cloudformation/parser"
	docker "github.com/aquasecurity/trivy/pkg/iac/scanners/dockerfile/parser"
	kubernetes "github.com/aquasecurity/trivy/pkg/iac/scanners/kubernetes/parser"
	"go.yaml.in/yaml/v3"
)

// The formats of files that are judged by themselves.
const (
	formatDocker     = "dockerfile"
	formatKubernetes = "kubernetes"
	formatCFN        = "cloudformation"
	formatARM        = "azure-arm"
	formatPlan       = "terraform-plan"
	formatKustomize  = "kustomize"
)

// marks are what files of a format hold as text, whatever else is broken in them.
var marks = []struct {
	format string
	all    []*regexp.Regexp
}{
	{formatARM, []*regexp.Regexp{regexp.MustCompile(`"\$schema"\s*:\s*"[^"]*/(?i:(subscription|tenant|managementGroup)?deploymentTemplate\.json)`)}},
	{formatPlan, []*regexp.Regexp{regexp.MustCompile(`"format_version"\s*:`), regexp.MustCompile(`"terraform_version"\s*:`), regexp.MustCompile(`"(planned_values|resource_changes)"\s*:`)}},
	{formatCFN, []*regexp.Regexp{regexp.MustCompile(`(?m)^\s*"?AWSTemplateFormatVersion"?\s*:`)}},
	{formatCFN, []*regexp.Regexp{regexp.MustCompile(`(?m)^\s*"?Resources"?\s*:`), regexp.MustCompile(`(?m)"?Type"?\s*:\s*["']?AWS::`)}},
	{formatKubernetes, []*regexp.Regexp{regexp.MustCompile(`(?m)^\s{0,2}"?apiVersion"?\s*:`), regexp.MustCompile(`(?m)^\s{0,2}"?kind"?\s*:`)}},
	{formatKubernetes, []*regexp.Regexp{regexp.MustCompile(`^\s*\{.*"apiVersion"\s*:\s*"`), regexp.MustCompile(`"kind"\s*:\s*"`)}},
}

// kindOfText is the format that a text seems to be of; "" for none.
func kindOfText(text []byte) string {
next:
	for _, m := range marks {
		for _, mark := range m.all {
			if !mark.Match(text) {
				continue next
			}
		}
		return m.format
	}
	return ""
}

// single judges a file that needs no other.
func (r *run) single(ctx context.Context, f File) error {
	base := path.Base(f.Path)
	if isDockerfile(base) {
		return r.dockerfile(ctx, f)
	}
	chart := r.chartOf(f.Path)
	if base == "Chart.yaml" { // it is rendered when all files were seen
		r.result.Judged = append(r.result.Judged, f.Path)
	}
	if !mayBe(f.Content) {
		return nil
	}
	if inJSON(f) { // as it is read by those who apply it
		f.Content = bytes.ToValidUTF8(f.Content, []byte("\uFFFD"))
	}
	template := chart != "" && bytes.Contains(f.Content, []byte("{{")) // of a chart: it may be no manifest yet
	if line, column, err := r.wellFormed(f); err != nil {
		if format := kindOfText(f.Content); format != "" && !template {
			r.invalid(f.Path, format, line, column, err.Error())
		}
		return nil
	}
	formats, again := formatsOf(f.Content)
	if again != nil && !template {
		r.invalid(f.Path, formats[0], int64(again.Line), int64(again.Column), again.Value+" stands twice: which of the two counts depends on the program")
	}
	for _, format := range formats {
		r.result.Judged = append(r.result.Judged, f.Path)
		r.texts[f.Path] = f.Content
		if format != formatKubernetes {
			evaluated := map[string]func(*run, context.Context, File) error{formatCFN: (*run).stack, formatARM: (*run).template, formatPlan: (*run).plan}
			r.apart(ctx, f, evaluated[format])
		} else if err := r.manifests(ctx, f, template); err != nil {
			return err
		}
	}
	return nil
}

// chartOf is the folder of the chart that a file lies in; "" for none.
func (r *run) chartOf(p string) string {
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		if _, chart := r.charts[dir]; chart {
			return dir
		}
		if dir == "." || dir == "/" {
			return ""
		}
	}
}

// inJSON reports whether a file may be JSON.
func inJSON(f File) bool {
	return path.Ext(f.Path) == ".json" || bytes.HasPrefix(bytes.TrimSpace(f.Content), []byte("{"))
}

// wellFormed reads the file as JSON or YAML, by bounds that its author cannot swell.
func (r *run) wellFormed(f File) (line, column int64, err error) {
	if inJSON(f) {
		if line, column, err = jsonFormed(f.Content); err == nil || path.Ext(f.Path) == ".json" {
			return line, column, err
		}
	}
	budget := 1_000_000
	d := yaml.NewDecoder(bytes.NewReader(f.Content))
	for {
		var n yaml.Node
		switch err := d.Decode(&n); {
		case errors.Is(err, io.EOF):
			return 0, 0, nil
		case err != nil:
			return yamlLine(err), 0, err
		}
		if err := bounded(&n, 0, &budget); err != nil {
			return int64(n.Line), 0, err
		}
	}
}

// bounded counts the values with each alias as what it stands for.
func bounded(n *yaml.Node, depth int, budget *int) error {
	if *budget--; *budget < 0 {
		return errors.New("its aliases stand for more than a million values")
	}
	if depth > maxDepth {
		return fmt.Errorf("its values nest deeper than %d", maxDepth)
	}
	if n.Kind == yaml.AliasNode {
		return bounded(n.Alias, depth+1, budget)
	}
	for _, c := range n.Content {
		if err := bounded(c, depth+1, budget); err != nil {
			return err
		}
	}
	return nil
}

var yamlAt = regexp.MustCompile(`line (\d+):`)

func yamlLine(err error) int64 {
	if m := yamlAt.FindStringSubmatch(err.Error()); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 64)
		return n
	}
	return 0
}

func jsonFormed(text []byte) (line, column int64, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	depth := 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && depth == 0 {
			break
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err == nil {
			switch t {
			case json.Delim('{'), json.Delim('['):
				if depth++; depth > maxDepth {
					err = fmt.Errorf("its values nest deeper than %d", maxDepth)
				}
			case json.Delim('}'), json.Delim(']'):
				depth--
			}
		}
		if err != nil {
			line, column = place(text, d.InputOffset())
			return line, column, err
		}
	}
	return 0, 0, nil
}

// place is the line and column of an offset.
func place(text []byte, offset int64) (line, column int64) {
	before := text[:min(offset, int64(len(text)))]
	return int64(bytes.Count(before, []byte("\n"))) + 1, int64(len(before)-bytes.LastIndexByte(before, '\n')-1) + 1
}

var dockerAt = regexp.MustCompile(`line (\d+)`)

func (r *run) dockerfile(ctx context.Context, f File) error {
	parsed, err := docker.Parse(ctx, bytes.NewReader(f.Content), f.Path)
	if err != nil {
		line := r.dockerLine(ctx, f, err)
		r.invalid(f.Path, formatDocker, line, 0, certain(err))
		return nil
	}
	r.result.Judged = append(r.result.Judged, f.Path)
	r.texts[f.Path] = f.Content
	found, err := groups["docker"].judge(ctx, parsed.(interface{ ToRego() any }).ToRego(), "")
	for _, x := range found {
		x.path = f.Path
		kind := ""
		if x.line > 0 {
			kind, _, _ = strings.Cut(setting(f.Content, x.line, formatDocker), " ")
		}
		r.found(x, formatDocker, kind)
	}
	return err
}

// certain is an error without the parser's guess at what was meant, which is another one
// each time where several words are as near.
func certain(err error) string {
	what, _, _ := strings.Cut(err.Error(), " (did you mean")
	return what
}

// dockerLine is where a Dockerfile is wrong. The library says it of few faults; of the others
// it is the first line with which the fault is there.
func (r *run) dockerLine(ctx context.Context, f File, fault error) int64 {
	if m := dockerAt.FindStringSubmatch(fault.Error()); m != nil {
		n, _ := strconv.ParseInt(m[1], 10, 64)
		return n
	}
	if len(f.Content) > 64<<10 { // each beginning is parsed anew
		return 0
	}
	lines := bytes.SplitAfter(f.Content, []byte("\n"))
	for n := 1; n <= min(len(lines), 500); n++ {
		if _, err := docker.Parse(ctx, bytes.NewReader(bytes.Join(lines[:n], nil)), f.Path); err != nil && certain(err) == certain(fault) {
			return int64(n)
		}
	}
	return 0
}

// errKeys is why what is YAML can be no manifest.
var errKeys = errors.New("not all of its keys are texts")

// manifests judges each manifest of a file. The library's reader knows the lines of
// settings; it passes over documents that are not set apart as it expects, merged keys and
// lists of manifests, and then each is handed to it by itself.
// What cannot be brought to that is a gap, but in a template of a chart.
func (r *run) manifests(ctx context.Context, f File, template bool) error {
	all := manifestsOf(f.Content)
	plainly, err := kubernetes.Parse(ctx, bytes.NewReader(f.Content), f.Path)
	var seen []map[string]any
	for _, d := range plainly {
		if o, ok := d.(map[string]any); ok && o["kind"] != nil && o["apiVersion"] != nil {
			seen = append(seen, o)
		}
	}
	if err == nil && len(seen) == len(all) && !slices.ContainsFunc(all, func(m manifest) bool { return m.apart }) {
		for _, o := range seen {
			if err := r.manifest(ctx, f, o, 0); err != nil {
				return err
			}
		}
		return nil
	}
	for _, m := range all {
		if m.json == nil && template {
			continue
		}
		parsed, err := kubernetes.Parse(ctx, bytes.NewReader(m.json), f.Path)
		if err != nil || len(parsed) != 1 {
			r.open(f.Path, true, "the manifest in line %d could not be judged: %s", m.line, oneLine(cmp.Or(err, errKeys).Error()))
			continue
		}
		if o, ok := parsed[0].(map[string]any); ok {
			if err := r.manifest(ctx, f, o, m.line); err != nil {
				return err
			}
		}
	}
	return nil
}

// manifest judges one. line is where it begins, where the lines of its settings are not
// known; 0 where they are.
func (r *run) manifest(ctx context.Context, f File, o map[string]any, line int64) error {
	if r.partOfOverlay(f.Path, o) {
		return nil
	}
	kind, _ := o["kind"].(string)
	about, _ := o["metadata"].(map[string]any)
	name, _ := about["name"].(string)
	offset := int64(0)
	if own, ok := o["__defsec_metadata"].(map[string]any); ok {
		n, _ := own["offset"].(int)
		offset = int64(n)
	}
	found, err := groups["kubernetes"].judge(ctx, o, kind)
	for _, x := range found {
		x.path, x.resource = f.Path, kind+"/"+name
		switch {
		case line > 0:
			x.line, x.end = line, line+1
		case x.line > 0:
			x.line, x.end = x.line+offset, x.end+offset
		}
		r.found(x, formatKubernetes, kind)
	}
	return err
}

func (r *run) stack(ctx context.Context, f File) error {
	fsys := newTree(map[string][]byte{f.Path: f.Content})
	parsed, err := cfn.New().ParseFile(ctx, fsys, f.Path)
	if err != nil || parsed == nil {
		failure := fmt.Errorf("it cannot be resolved as CloudFormation: %w", cmp.Or(err, errors.New("there is nothing in it")))
		r.invalid(f.Path, formatCFN, yamlLine(failure), 0, failure.Error())
		return nil
	}
	found, err := groups["cloud/aws"].judge(ctx, cfnadapter.Adapt(*parsed).ToRego(), "")
	for _, x := range found {
		x.path = f.Path // there is no other, and a default of the library has none
		kind := ""
		for id, res := range parsed.Resources { // a setting lies in the lines of one
			if at := res.Range(); x.line >= int64(at.GetStartLine()) && x.line <= int64(at.GetEndLine()) {
				kind, x.resource = res.Type(), id
			}
		}
		r.found(x, formatCFN, kind)
	}
	return errors.Join(err, r.ownRules(ctx, f.Path, stackResources(f.Path, parsed)))
}

func (r *run) template(ctx context.Context, f File) error {
	f.Content = inLetters(f.Content)
	fsys := newTree(map[string][]byte{f.Path: f.Content})
	deployments, err := parser.New(fsys).ParseFS(ctx, ".")
	if err == nil && len(deployments) != 1 {
		r.invalid(f.Path, formatARM, 0, 0, "it cannot be resolved as a template of Azure Resource Manager")
		return nil
	}
	for _, d := range deployments {
		found, failure := groups["cloud/azure"].judge(ctx, armadapter.Adapt(ctx, d).ToRego(), "")
		err = errors.Join(err, failure)
		for _, x := range found {
			x.path = f.Path // as in a stack
			r.found(x, formatARM, "")
		}
		err = errors.Join(err, r.ownRules(ctx, f.Path, deployed(f, &d)))
	}
	return err
}
