package evidence

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
)

// The versions of SLSA provenance that are read.
const (
	ProvenanceV1  = "https://slsa.dev/provenance/v1"
	ProvenanceV02 = "https://slsa.dev/provenance/v0.2"
	ProvenanceV01 = "https://slsa.dev/provenance/v0.1"
)

// The limits of what one statement may tell of a build.
const (
	maxMaterials  = 20_000
	maxParameters = 1_000
	maxAddress    = 4 << 10 // bytes of one word of it
)

const provenanceRemedy = "give SLSA provenance as its builder wrote it: v1 (buildDefinition, runDetails), v0.2 (builder, buildType) or v0.1 (builder, recipe), with digests in lower-case hex"

// Provenance is what a statement of that kind tells of a build, in one form for every
// version. Its errors are *verdict.Error with CodeInvalid or CodeLimit: a version that is
// not known, a digest that cannot be one, or two commits for one source.
func (s *Statement) Provenance() (verdict.Provenance, error) {
	return ReadProvenance(s.PredicateType, s.Body())
}

// ReadProvenance reads the predicate of a type. What it does not say stays empty.
func ReadProvenance(predicateType string, raw []byte) (verdict.Provenance, error) {
	none := verdict.Provenance{}
	if len(raw) > MaxStatement {
		return none, tooLarge(len(raw))
	}
	if err := valid(raw); err != nil {
		return none, jsonProblem("provenance", provenanceRemedy, err)
	}
	read, known := map[string]func([]byte) (verdict.Provenance, error){
		ProvenanceV1: provenanceV1, ProvenanceV02: provenanceV02, ProvenanceV01: provenanceV01,
	}[strings.TrimSuffix(predicateType, "/")]
	if !known {
		return none, invalid(fmt.Sprintf("%q is not a version of SLSA provenance that Verdict reads", cut(predicateType)), provenanceRemedy, nil)
	}
	p, err := read(raw)
	if err != nil {
		return none, err
	}
	p.PredicateType = strings.TrimSuffix(predicateType, "/")
	if p.Builder == "" {
		return none, invalid("the provenance names no builder", provenanceRemedy, nil)
	}
	for _, word := range []string{p.Builder, p.BuildType, p.Source, p.Ref, p.Invocation} {
		if len(word) > maxAddress {
			return none, beyond(fmt.Sprintf("the provenance holds an address of %d bytes, more than the %d that Verdict takes", len(word), maxAddress), provenanceRemedy)
		}
	}
	return p, nil
}

// decodeProvenance reads JSON into one of the versions' forms.
func decodeProvenance(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return invalid("the provenance does not have the form of its version", provenanceRemedy, err)
	}
	return nil
}

// resource is a resource descriptor, or a material of an older version, of which it is a
// superset.
type resource struct {
	URI    string            `json:"uri"`
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// materials takes what a build read. A digest of an algorithm that we accept has to be one:
// what cannot be read would otherwise be as if it were not said.
func materials(all []resource, quirk bool) ([]verdict.Material, error) {
	if len(all) > maxMaterials {
		return nil, beyond(fmt.Sprintf("the provenance names %d things that the build read, more than the %d that Verdict takes", len(all), maxMaterials), provenanceRemedy)
	}
	out := make([]verdict.Material, len(all))
	for i, r := range all {
		digests, err := r.digests(quirk)
		if err != nil {
			return nil, err
		}
		if len(r.URI) > maxAddress {
			return nil, beyond(fmt.Sprintf("a thing that the build read has an address of %d bytes", len(r.URI)), provenanceRemedy)
		}
		out[i] = verdict.Material{URI: r.URI, Digests: digests}
	}
	return out, nil
}

// digests gives those of a resource that Verdict accepts, sorted. The sha1 of something in
// git is the id of its commit: before gitCommit had a name it was written so. With quirk,
// an id of a commit also stands under sha256, as GitLab's runner writes it.
func (r resource) digests(quirk bool) ([]verdict.Digest, error) {
	if len(r.Digest) > MaxDigests {
		return nil, beyond(fmt.Sprintf("a thing that the build read has %d digests", len(r.Digest)), provenanceRemedy)
	}
	out := []verdict.Digest{}
	for _, algorithm := range slices.Sorted(maps.Keys(r.Digest)) {
		hex := r.Digest[algorithm]
		switch {
		case algorithm == "sha1" && inGit(r.URI), algorithm == "sha256" && quirk && len(hex) == 40:
			algorithm = "gitCommit"
		case !slices.Contains(preference, algorithm):
			continue
		}
		d, err := verdict.ParseDigest(algorithm + ":" + hex)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// inGit reports whether an address names something in a git repository.
func inGit(uri string) bool {
	return strings.HasPrefix(uri, "git+") || strings.HasPrefix(uri, "git://") || strings.HasPrefix(uri, "git@") || strings.HasSuffix(address(uri), ".git")
}

// address is a locator without the tool in front of it, and without ref and folder.
func address(uri string) string { source, _ := splitRef(uri); return source }

// splitRef takes a locator such as git+https://host/path@refs/heads/main#dir apart. A @ in
// front of the host belongs to a user.
func splitRef(uri string) (source, ref string) {
	source, _, _ = strings.Cut(strings.TrimPrefix(uri, "git+"), "#")
	from := strings.LastIndex(source, "://") + 1
	if slash := strings.IndexAny(source[min(from+2, len(source)):], "/:"); slash >= 0 {
		from += 2 + slash
	}
	if at := strings.IndexByte(source[min(from, len(source)):], '@'); at >= 0 {
		source, ref = source[:from+at], source[from+at+1:]
	}
	return strings.TrimSuffix(source, "/"), ref
}

// commit gives the one commit among digests; empty when there is none.
func commitOf(digests []verdict.Digest) (verdict.Digest, error) {
	var found verdict.Digest
	for _, d := range digests {
		if d.Algorithm() != "gitCommit" {
			continue
		}
		if found != "" && len(found) == len(d) {
			return "", twoCommits(found, d)
		}
		found = cmp.Or(found, d)
	}
	return found, nil
}

func twoCommits(a, b verdict.Digest) error {
	return invalid(fmt.Sprintf("the provenance names two commits for its source, %s and %s", a.Short(), b.Short()),
		"have the build started from one commit and state provenance of that", nil)
}

// isCommit reads a ref that is the id of a commit.
func isCommit(ref string) (verdict.Digest, bool) {
	d, err := verdict.ParseDigest("gitCommit:" + ref)
	return d, err == nil
}

// from sets source, ref and commit from a locator and the digests beside it. An id of a
// commit in the locator that is not the one among the digests is a contradiction.
func from(p *verdict.Provenance, uri string, digests []verdict.Digest) error {
	commit, err := commitOf(digests)
	if err != nil {
		return err
	}
	source, ref := splitRef(uri)
	if named, is := isCommit(ref); is {
		if commit != "" && len(commit) == len(named) && commit != named {
			return twoCommits(commit, named)
		}
		commit, ref = cmp.Or(commit, named), ""
	}
	p.Source, p.Ref = source, cmp.Or(p.Ref, ref)
	if p.Commit != "" && commit != "" && p.Commit != commit && len(p.Commit) == len(commit) {
		return twoCommits(p.Commit, commit)
	}
	p.Commit = cmp.Or(p.Commit, commit)
	return nil
}

// parameters gives the members of an object by name; a prefix tells them from others.
func parameters(prefix string, raw json.RawMessage) ([]verdict.Parameter, error) {
	out := []verdict.Parameter{}
	if len(raw) == 0 || string(raw) == "null" {
		return out, nil
	}
	var of map[string]json.RawMessage
	if json.Unmarshal(raw, &of) != nil { // a list, or a word: one parameter that has no name of its own
		return []verdict.Parameter{{Name: cmp.Or(strings.TrimSuffix(prefix, "."), "parameters"), Value: raw}}, nil
	}
	if len(of) > maxParameters {
		return nil, beyond(fmt.Sprintf("the provenance has %d parameters, more than the %d that Verdict takes", len(of), maxParameters), provenanceRemedy)
	}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, verdict.Parameter{Name: prefix + name, Value: of[name]})
	}
	return out, nil
}

// moment reads a time as provenance writes it; what is none is not said.
func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
