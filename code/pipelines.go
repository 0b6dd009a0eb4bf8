package code

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"verdict"
	"verdict/git"
)

// gitlabPipeline is where GitLab looks for a pipeline.
const gitlabPipeline = ".gitlab-ci.yml"

// maxIncluded bounds the files that a pipeline is put together from: GitLab takes no more.
const maxIncluded = 150

// included are the files of the repository that GitLab puts a pipeline together from, as
// the base has it: https://docs.gitlab.com/ci/yaml/#includelocal. They are the pipeline as
// much as the file that names them. What a change includes anew it includes in a file that
// is protected already.
func (q Question) included(ctx context.Context) ([]pattern, verdict.Knowledge, error) {
	if q.Base == "" {
		return nil, verified, nil
	}
	var out []pattern
	next, seen := []string{gitlabPipeline}, map[string]bool{}
	for len(next) > 0 && len(seen) < maxIncluded {
		name := next[0]
		if next = next[1:]; seen[name] {
			continue
		}
		seen[name] = true
		content, err := q.Repo.ReadFile(ctx, q.Base, name)
		if k, ok := notHeld(err); ok {
			return nil, k, nil
		}
		var e *verdict.Error
		if errors.Is(err, git.ErrNotFound) || errors.As(err, &e) && e.Code != verdict.CodeInternal {
			continue // it is not there, or no file that GitLab could read
		}
		if err != nil {
			return nil, verdict.Knowledge{}, err
		}
		for _, local := range localIncludes(content) {
			if p, ok := includePattern(local); ok {
				out = append(out, p)
			}
			next = append(next, strings.TrimPrefix(local, "/"))
		}
	}
	return out, verified, nil
}

// localIncludes are the files that the pipeline names under include, wherever that stands:
// a job that triggers another pipeline includes as well. GitLab takes a text that is no
// address for a file.
func localIncludes(content []byte) []string {
	var doc yaml.Node
	if yaml.Unmarshal(content, &doc) != nil {
		return nil
	}
	var out []string
	var take func(n *yaml.Node)
	take = func(n *yaml.Node) {
		switch n.Kind {
		case yaml.ScalarNode:
			if !strings.Contains(n.Value, "://") {
				out = append(out, n.Value)
			}
		case yaml.SequenceNode:
			for _, x := range n.Content {
				take(x)
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == "local" {
					take(n.Content[i+1])
				}
			}
		}
	}
	var look func(n *yaml.Node)
	look = func(n *yaml.Node) {
		for i, x := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 && x.Value == "include" {
				take(n.Content[i+1])
			}
			look(x)
		}
	}
	look(&doc)
	return out
}

var (
	variable = regexp.MustCompile(`\$(?:\{\w+\}|\w+|\[\[[^\]]*\]\])`)
	anyFiles = regexp.MustCompile(`(^|/)\*\*([^/*])`)
)

// includePattern reads what an include names: a path from the repository's top, where *
// stays in a folder and ** does not. What a variable stands for is not known, so it may be
// any name.
func includePattern(local string) (pattern, bool) {
	text := variable.ReplaceAllString(strings.TrimPrefix(local, "/"), "*")
	text = anyFiles.ReplaceAllString(text, "${1}**/*${2}")
	p, ok := gitlabPattern("/" + text)
	return p, ok && text != "" && !slices.Contains(p.parts, below)
}
