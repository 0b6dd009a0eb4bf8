package evidence

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"verdict"
)

// preference orders the digests that we accept: the first that a subject has is its
// Digest, the others are in Also.
var preference = []string{"sha256", "sha512", "sha384", "gitCommit", "gitTree"}

// commitFirst is the preference for a change: a commit is what it is joined by.
var commitFirst = []string{"gitCommit", "sha256", "sha512", "sha384", "gitTree"}

var subjectKinds = map[verdict.SubjectKind]bool{
	verdict.SubjectChange: true, verdict.SubjectTree: true, verdict.SubjectPlan: true, verdict.SubjectArtifact: true,
	verdict.SubjectDeployment: true, verdict.SubjectResource: true, verdict.SubjectIdentity: true, verdict.SubjectLog: true,
}

// derived is the kind of a subject that does not say it: what has a commit's name is a
// change.
func derived(first verdict.Digest, also []verdict.Digest) verdict.SubjectKind {
	commit := func(d verdict.Digest) bool { return d.Algorithm() == "gitCommit" }
	if commit(first) || slices.ContainsFunc(also, commit) {
		return verdict.SubjectChange
	}
	return verdict.SubjectArtifact
}

// inOrder gives the subject the form in which it will be read back: a kind, the
// preferred digest first, the others sorted.
func inOrder(x verdict.Subject) verdict.Subject {
	x.Name = strings.ToValidUTF8(x.Name, "\uFFFD") // a file name may be any bytes
	all := append([]verdict.Digest{x.Digest}, x.Also...)
	if x.Kind == "" {
		x.Kind = derived(x.Digest, x.Also)
	}
	if x.Kind == verdict.SubjectChange {
		x.Digest, x.Also = split(all, commitFirst)
	} else {
		x.Digest, x.Also = split(all, preference)
	}
	return x
}

// split takes the preferred digest out of all.
func split(all []verdict.Digest, order []string) (first verdict.Digest, also []verdict.Digest) {
	rank := func(d verdict.Digest) int {
		if i := slices.Index(order, d.Algorithm()); i >= 0 {
			return i
		}
		return len(order) // refused by check
	}
	best := 0
	for i, d := range all {
		if rank(d) < rank(all[best]) {
			best = i
		}
	}
	first = all[best]
	if also = slices.Delete(all, best, best+1); len(also) == 0 {
		return first, nil
	}
	slices.Sort(also)
	return first, also
}

func appendSubjects(out []byte, all []verdict.Subject) []byte {
	out = append(out, '[')
	for i, x := range all {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendSubject(out, x)
	}
	return append(out, ']')
}

// appendSubject writes an in-toto resource descriptor. The kind is written where it
// cannot be derived.
func appendSubject(out []byte, x verdict.Subject) []byte {
	out = append(appendQuoted(append(out, `{"name":`...), x.Name), `,"digest":{`...)
	out = appendDigest(out, x.Digest)
	for _, d := range x.Also {
		out = appendDigest(append(out, ','), d)
	}
	out = append(out, '}')
	if x.Kind != derived(x.Digest, x.Also) {
		out = append(appendQuoted(append(out, `,"annotations":{"kind":`...), string(x.Kind)), '}')
	}
	return append(out, '}')
}

func appendDigest(out []byte, d verdict.Digest) []byte {
	return appendQuoted(append(appendQuoted(out, d.Algorithm()), ':'), d.Hex())
}

func tooManySubjects() error {
	return beyond(fmt.Sprintf("the statement has more than %d subjects", MaxSubjects), "split it into several statements")
}

func tooManyDigests(i int) error {
	return beyond(fmt.Sprintf("subject %d has more than %d digests", i, MaxDigests), "keep sha256, and gitCommit and gitTree for a change")
}

func parseSubjects(value []byte) ([]verdict.Subject, error) {
	out := make([]verdict.Subject, 0, 1)
	err := elements(value, func(v []byte) error {
		if len(out) == MaxSubjects {
			return tooManySubjects()
		}
		x, err := parseSubject(v, len(out))
		out = append(out, x)
		return err
	})
	return out, err
}

func parseSubject(value []byte, i int) (x verdict.Subject, err error) {
	var kind, uri string
	all := make([]verdict.Digest, 0, 2)
	weak := ""
	err = members(value, func(name, v []byte) error {
		switch string(name) {
		case "name":
			x.Name, _ = asText(v)
		case "uri":
			uri, _ = asText(v)
		case "annotations":
			kind = annotated(v)
		case "digest":
			all, weak, err = parseDigests(v, i)
			return err
		}
		return nil
	})
	if err != nil {
		return x, err
	}
	if len(all) == 0 {
		what := fmt.Sprintf("subject %d has no digest that Verdict accepts", i)
		if weak != "" {
			what += " (only " + weak + ")"
		}
		return x, invalid(what, "produce it again with a sha256 digest of the subject, or gitCommit for a commit", nil)
	}
	x.Kind = verdict.SubjectKind(kind)
	if !subjectKinds[x.Kind] { // absent, or somebody else's annotation
		x.Kind = ""
	}
	if x.Name == "" {
		x.Name = uri
	}
	x.Digest, x.Also = all[0], all[1:]
	return inOrder(x), nil
}

// annotated reads the kind of subject out of a resource descriptor's annotations.
func annotated(value []byte) (kind string) {
	_ = members(value, func(name, v []byte) error {
		if string(name) == "kind" {
			kind, _ = asText(v)
		}
		return nil
	})
	return kind
}

// parseDigests gives the digests that we accept, and the names of those that we do not.
// An accepted algorithm with a value that cannot be one is an error: it would otherwise
// hide what the producer meant.
func parseDigests(value []byte, i int) (all []verdict.Digest, weak string, err error) {
	n := 0
	err = members(value, func(name, v []byte) error {
		if n++; n > MaxDigests {
			return tooManyDigests(i)
		}
		text, ok := asText(v)
		if !ok {
			return errors.New("a digest is not a string")
		}
		algorithm := string(name)
		if !slices.Contains(preference, algorithm) {
			if len(algorithm) < 32 && len(weak) < 64 {
				weak = strings.TrimPrefix(weak+", "+algorithm, ", ")
			}
			return nil
		}
		d, err := verdict.ParseDigest(algorithm + ":" + text)
		all = append(all, d)
		return err
	})
	return all, weak, err
}

// About reports whether the statement is about the thing that has these digests, which
// are all of one thing: the digests of a file, or one that a person gave. A subject
// that agrees in one algorithm and differs in another is a contradiction and no match.
// The error is an *verdict.Error with CodeRefused that names what the statement is about.
func (s *Statement) About(digests ...verdict.Digest) error {
	for _, x := range s.Subjects {
		agrees, differs := false, false
		for _, d := range digests {
			for _, e := range append([]verdict.Digest{x.Digest}, x.Also...) {
				agrees = agrees || d == e
				differs = differs || d != e && sameAlgorithm(d, e)
			}
		}
		if agrees && !differs {
			return nil
		}
	}
	return refused(fmt.Sprintf("the statement is not about %s but about %s", list(digests), s.about()),
		"give the bundle that was made for exactly this file or digest", nil)
}

// sameAlgorithm also tells the two lengths of gitCommit apart: a commit has a name in
// each of git's hash functions.
func sameAlgorithm(d, e verdict.Digest) bool {
	return d.Algorithm() == e.Algorithm() && len(d) == len(e)
}

func list(digests []verdict.Digest) string {
	if len(digests) == 0 {
		return "nothing"
	}
	return string(digests[0])
}

func (s *Statement) about() string {
	const shown = 3
	var b strings.Builder
	for i, x := range s.Subjects {
		if i == shown {
			fmt.Fprintf(&b, " and %d more", len(s.Subjects)-shown)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(x.Digest))
	}
	return b.String()
}

// hexDigest is the digest of a hash that was computed.
func hexDigest(algorithm string, sum []byte) verdict.Digest {
	return verdict.NewDigest(algorithm, hex.EncodeToString(sum))
}
