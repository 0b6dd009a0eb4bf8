package evidence

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"verdict"
)

// buildV02 is the predicate of SLSA provenance v0.2.
type buildV02 struct {
	Builder struct {
		ID string `json:"id"`
	} `json:"builder"`
	BuildType  string `json:"buildType"`
	Invocation struct {
		Source      resource        `json:"configSource"`
		Parameters  json.RawMessage `json:"parameters"`
		Environment struct {
			Event struct {
				Inputs json.RawMessage `json:"inputs"`
			} `json:"github_event_payload"`
		} `json:"environment"`
	} `json:"invocation"`
	Metadata struct {
		ID       string `json:"buildInvocationId"`
		OldID    string `json:"buildInvocationID"` // as builders before the fix of the specification wrote it
		Started  string `json:"buildStartedOn"`
		Finished string `json:"buildFinishedOn"`
	} `json:"metadata"`
	Materials []resource `json:"materials"`
}

func provenanceV02(raw []byte) (verdict.Provenance, error) {
	var b buildV02
	if err := decodeProvenance(raw, &b); err != nil {
		return verdict.Provenance{}, err
	}
	p := verdict.Provenance{
		ParametersTold: true, // they are left out where there are none
		BuildType:      b.BuildType, Builder: b.Builder.ID, Invocation: cmp.Or(b.Metadata.ID, b.Metadata.OldID),
		Started: moment(b.Metadata.Started), Finished: moment(b.Metadata.Finished),
	}
	quirk := strings.HasPrefix(p.BuildType, gitlabType)
	var err error
	if p.Materials, err = materials(b.Materials, quirk); err != nil {
		return p, err
	}
	if p.Parameters, err = parameters("", b.Invocation.Parameters); err != nil {
		return p, err
	}
	// What somebody typed when they started a workflow by hand stands in its event.
	typed, err := parameters("inputs.", b.Invocation.Environment.Event.Inputs)
	if err != nil {
		return p, err
	}
	p.Parameters = append(p.Parameters, typed...)
	slices.SortFunc(p.Parameters, func(a, b verdict.Parameter) int { return strings.Compare(a.Name, b.Name) })
	if b.Invocation.Source.URI == "" {
		return p, nil
	}
	digests, err := b.Invocation.Source.digests(quirk)
	if err != nil {
		return p, err
	}
	if len(digests) == 0 { // sha1 of an address that does not say that it is in git
		if d, is := isCommit(b.Invocation.Source.Digest["sha1"]); is {
			digests = append(digests, d)
		}
	}
	if err := from(&p, b.Invocation.Source.URI, digests); err != nil {
		return p, err
	}
	return p, fromMaterials(&p, b.Invocation.Source.URI)
}

// buildV01 is the predicate of SLSA provenance v0.1.
type buildV01 struct {
	Builder struct {
		ID string `json:"id"`
	} `json:"builder"`
	Recipe struct {
		Type      string          `json:"type"`
		DefinedIn *int            `json:"definedInMaterial"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"recipe"`
	Metadata struct {
		ID       string `json:"buildInvocationId"`
		Started  string `json:"buildStartedOn"`
		Finished string `json:"buildFinishedOn"`
	} `json:"metadata"`
	Materials []resource `json:"materials"`
}

func provenanceV01(raw []byte) (verdict.Provenance, error) {
	var b buildV01
	if err := decodeProvenance(raw, &b); err != nil {
		return verdict.Provenance{}, err
	}
	p := verdict.Provenance{
		ParametersTold: true, // they are left out where there are none
		BuildType:      b.Recipe.Type, Builder: b.Builder.ID, Invocation: b.Metadata.ID,
		Started: moment(b.Metadata.Started), Finished: moment(b.Metadata.Finished),
	}
	var err error
	if p.Materials, err = materials(b.Materials, false); err != nil {
		return p, err
	}
	if p.Parameters, err = parameters("", b.Recipe.Arguments); err != nil {
		return p, err
	}
	switch i := b.Recipe.DefinedIn; {
	case i == nil: // the recipe comes from none of them, so none is known to be the source
		return p, nil
	case *i < 0 || *i >= len(p.Materials):
		return p, invalid(fmt.Sprintf("the provenance says that its recipe is material %d, and it names %d", *i, len(p.Materials)), provenanceRemedy, nil)
	default:
		return p, fromMaterials(&p, p.Materials[*i].URI)
	}
}
