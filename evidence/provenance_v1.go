package evidence

import (
	"encoding/json"
	"slices"
	"strings"

	"verdict"
)

// buildV1 is the predicate of SLSA provenance v1.
type buildV1 struct {
	Definition struct {
		BuildType string          `json:"buildType"`
		External  json.RawMessage `json:"externalParameters"`
		Resolved  []resource      `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	Details struct {
		Builder struct {
			ID string `json:"id"`
		} `json:"builder"`
		Metadata struct {
			Invocation string `json:"invocationId"`
			Started    string `json:"startedOn"`
			Finished   string `json:"finishedOn"`
		} `json:"metadata"`
	} `json:"runDetails"`
}

// The build types whose shape says where the source stands: "Build type" pages of GitHub,
// Tekton Chains, Google Cloud Build and GitLab Runner.
const (
	tektonTypes = "https://tekton.dev/chains/v2/"
	tektonInput = "inputs/result" // the source, where other dependencies are pipeline and tasks
	gitlabType  = "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/"
)

func provenanceV1(raw []byte) (verdict.Provenance, error) {
	var b buildV1
	if err := decodeProvenance(raw, &b); err != nil {
		return verdict.Provenance{}, err
	}
	p := verdict.Provenance{
		BuildType: b.Definition.BuildType, Builder: b.Details.Builder.ID, Invocation: b.Details.Metadata.Invocation,
		Started: moment(b.Details.Metadata.Started), Finished: moment(b.Details.Metadata.Finished),
	}
	quirk := strings.HasPrefix(p.BuildType, gitlabType)
	var err error
	if p.Materials, err = materials(b.Definition.Resolved, quirk); err != nil {
		return p, err
	}
	if p.Parameters, err = parameters("", b.Definition.External); err != nil {
		return p, err
	}
	p.ParametersTold = len(b.Definition.External) > 0 && string(b.Definition.External) != "null" // version 1 requires them
	named := namedSource(b.Definition.External)
	if named.URI == "" && strings.HasPrefix(p.BuildType, tektonTypes) {
		return p, b.fromTekton(&p)
	}
	if named.URI == "" {
		i := slices.IndexFunc(p.Materials, func(m verdict.Material) bool {
			return inGit(m.URI) || slices.ContainsFunc(m.Digests, func(d verdict.Digest) bool { return d.Algorithm() == "gitCommit" })
		})
		if i < 0 {
			return p, nil
		}
		return p, fromMaterials(&p, p.Materials[i].URI)
	}
	p.Ref = named.ref
	digests, err := named.digests(quirk)
	if err != nil {
		return p, err
	}
	if err := from(&p, named.URI, digests); err != nil {
		return p, err
	}
	return p, fromMaterials(&p, named.URI)
}

// fromMaterials takes the commit from every material of a repository: two that differ are
// a contradiction.
func fromMaterials(p *verdict.Provenance, uri string) error {
	source := plainAddress(uri)
	for _, m := range p.Materials {
		if plainAddress(m.URI) != source {
			continue
		}
		was := p.Source
		if err := from(p, m.URI, m.Digests); err != nil {
			return err
		}
		if was != "" {
			p.Source = was
		}
	}
	return nil
}

// plainAddress is what two locators of one repository have in common.
func plainAddress(uri string) string {
	source := strings.TrimSuffix(address(uri), ".git")
	if _, rest, ok := strings.Cut(source, "://"); ok {
		source = rest
	}
	return source
}

// fromTekton takes the source from the results of the tasks that fetched it: the first
// dependency in git is the pipeline's own definition.
func (b buildV1) fromTekton(p *verdict.Provenance) error {
	for i, r := range b.Definition.Resolved {
		if r.Name == tektonInput && inGit(r.URI) {
			return fromMaterials(p, p.Materials[i].URI)
		}
	}
	return nil
}

// sourceNamed is the source as the external parameters name it.
type sourceNamed struct {
	resource
	ref string
}

// namedSource finds the source in the external parameters of the shapes that there are:
// source (a locator or a descriptor: containers of slsa-github-generator, GitLab),
// workflow{repository, ref} (GitHub Actions), buildConfigSource{repository, ref} and
// sourceToBuild{repository, ref} (Cloud Build), repository with ref (ours).
func namedSource(external json.RawMessage) sourceNamed {
	var out sourceNamed
	var top map[string]json.RawMessage
	if len(external) == 0 || json.Unmarshal(external, &top) != nil {
		return out
	}
	if raw, ok := top["source"]; ok {
		if !text(raw, &out.URI) && json.Unmarshal(raw, &out.resource) != nil {
			out.resource = resource{} // of another shape: it names nothing
		}
		if out.URI != "" {
			return out
		}
	}
	for _, in := range []string{"workflow", "sourceToBuild", "buildConfigSource", ""} {
		var of map[string]json.RawMessage
		if in == "" {
			of = top
		} else if raw, ok := top[in]; !ok || json.Unmarshal(raw, &of) != nil {
			continue
		}
		// Names as they are written: encoding/json would take Repository for repository.
		if text(of["repository"], &out.URI) && out.URI != "" {
			text(of["ref"], &out.ref)
			return out
		}
	}
	return out
}

// text reads a member that has to be a string; false leaves into alone.
func text(raw json.RawMessage, into *string) bool {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return false
	}
	*into = s
	return true
}
