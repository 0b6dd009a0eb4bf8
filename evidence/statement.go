package evidence

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"verdict"
)

// The statement types of in-toto. We write v1 and read both.
const (
	StatementV1  = "https://in-toto.io/Statement/v1"
	StatementV01 = "https://in-toto.io/Statement/v0.1"
)

// nonceSize is in bytes: enough that nobody can try out what a pruned leaf stood for.
const nonceSize = 16

const statementRemedy = "give an in-toto statement (_type " + StatementV1 + ") whose every subject has a sha256, sha384, sha512 or gitCommit digest"

// Statement is what happened to which subjects. New, NewTyped and ParseStatement make
// statements, which are read-only then.
type Statement struct {
	Subjects      []verdict.Subject
	PredicateType string
	// Predicate is the whole object as it is signed, the context of ours included;
	// Body is the part without.
	Predicate json.RawMessage
	Version   string // StatementV1 or StatementV01

	sound bool  // the predicate was checked when the statement was made
	parts index // of the predicate, empty for a statement made by hand
}

// New makes a statement of a kind about subjects, with the context and a fresh nonce
// from random inside its predicate (nil: the system's random source). A predicate that
// is a json.RawMessage is kept byte for byte; anything else is encoded by
// encoding/json. Context.At is required and is cut to microseconds UTC.
func New(k verdict.Kind, subjects []verdict.Subject, predicate any, c verdict.Context, random io.Reader) (*Statement, error) {
	t := PredicateType(k)
	if t == "" {
		return nil, invalid(fmt.Sprintf("%q is not a kind of evidence that Verdict writes", k),
			"use one of the kinds that `verdict attest --help` lists, or give the full predicate type", nil)
	}
	return NewTyped(t, subjects, predicate, c, random)
}

// NewTyped is New for a predicate type that need not be one of ours.
func NewTyped(predicateType string, subjects []verdict.Subject, predicate any, c verdict.Context, random io.Reader) (*Statement, error) {
	s := &Statement{PredicateType: predicateType, Version: StatementV1, Subjects: make([]verdict.Subject, len(subjects))}
	for i, x := range subjects {
		s.Subjects[i] = inOrder(x)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	body, err := predicateBytes(predicate)
	if err != nil {
		return nil, fmt.Errorf("predicate %s: %w", predicateType, err)
	}
	if c.At.IsZero() {
		return nil, fmt.Errorf("statement %s: the context has no time", predicateType)
	}
	c.At = c.At.UTC().Truncate(time.Microsecond)
	if random == nil {
		random = rand.Reader
	}
	c.Nonce = make([]byte, nonceSize)
	if _, err := io.ReadFull(random, c.Nonce); err != nil {
		return nil, fmt.Errorf("nonce: %w", err)
	}
	if err = s.withContext(body, c); err != nil {
		return nil, err
	}
	if len(s.Predicate) > MaxStatement {
		return nil, tooLarge(len(s.Predicate))
	}
	s.sound = true
	return s, nil
}

func predicateBytes(predicate any) ([]byte, error) {
	body, raw := predicate.(json.RawMessage)
	if !raw {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(predicate); err != nil {
			return nil, err
		}
		body = buf.Bytes()
	}
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] != '{' && valid(body) == nil {
		return nil, invalid("the predicate is not a JSON object", predicateRemedy, nil)
	}
	return body, nil
}

const predicateRemedy = "give a JSON object whose names are unique"

// withContext puts the context in as the predicate's last field and leaves every other
// byte alone, so that Body gives back what the producer handed in.
func (s *Statement) withContext(body []byte, c verdict.Context) error {
	empty := true
	err := s.parts.members(body, func(name, _ []byte) error {
		empty = false
		if string(name) == ContextField {
			return invalid("the predicate has a context already", "leave "+ContextField+" out of the predicate: Verdict writes it", nil)
		}
		return nil
	})
	if err != nil {
		return jsonProblem("predicate", predicateRemedy, err)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("context: %w", err)
	}
	out := make([]byte, 0, len(body)+len(encoded)+len(ContextField)+8)
	out = append(out, body[:len(body)-1]...)
	if !empty {
		out = append(out, ',')
	}
	at := len(out)
	out = append(appendQuoted(out, ContextField), ':')
	value := len(out)
	out = append(out, encoded...)
	s.parts.end(ContextField, at, value, len(out))
	s.Predicate = append(out, '}')
	return nil
}

// ParseStatement reads the payload of an envelope: in-toto Statement v1 or v0.1. Unknown
// fields are ignored. The statement keeps payload: the caller must not change it. Its errors are *verdict.Error with CodeInvalid or CodeLimit.
func ParseStatement(payload []byte) (*Statement, error) {
	if len(payload) > MaxStatement {
		return nil, tooLarge(len(payload))
	}
	s := new(Statement)
	sc := scanner{data: payload, watch: &s.parts}
	err := sc.outer(func(name, value []byte) error {
		var ok bool
		var err error
		switch string(name) {
		case "_type":
			if s.Version, ok = asText(value); !ok {
				err = errors.New("_type is not a string")
			}
		case "predicateType":
			if s.PredicateType, ok = asText(value); !ok {
				err = errors.New("predicateType is not a string")
			}
		case "subject":
			s.Subjects, err = parseSubjects(value)
		case "predicate":
			if string(value) != "null" {
				s.Predicate = value
			}
		}
		return err
	})
	if err != nil {
		return nil, jsonProblem("statement", statementRemedy, err)
	}
	if s.Version != StatementV1 && s.Version != StatementV01 {
		return nil, invalid(fmt.Sprintf("%q is not a statement type that Verdict reads", s.Version), statementRemedy, nil)
	}
	if s.Predicate == nil { // optional in the specification
		s.Predicate = json.RawMessage("{}")
	}
	if s.Predicate[0] != '{' {
		return nil, invalid("the predicate of the statement is not a JSON object", statementRemedy, nil)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.parts.settle()
	s.sound = true
	return s, nil
}

func tooLarge(n int) error {
	return beyond(fmt.Sprintf("the statement is %d bytes, more than the %d MiB that Verdict takes", n, MaxStatement>>20),
		"store the data as a file and state its digest")
}

// check holds what is true of every statement, whoever made it.
func (s *Statement) check() error {
	switch {
	case s.PredicateType == "":
		return invalid("the statement has no predicate type", statementRemedy, nil)
	case len(s.Subjects) == 0:
		return invalid("the statement is about nothing: it has no subject", statementRemedy, nil)
	case len(s.Subjects) > MaxSubjects:
		return tooManySubjects()
	}
	for i, x := range s.Subjects {
		if len(x.Also)+1 > MaxDigests {
			return tooManyDigests(i)
		}
		if _, err := verdict.ParseDigest(string(x.Digest)); err != nil {
			return fmt.Errorf("subject %d: %w", i, err)
		}
		for j, d := range x.Also {
			if _, err := verdict.ParseDigest(string(d)); err != nil {
				return fmt.Errorf("subject %d: %w", i, err)
			}
			if d.Algorithm() == x.Digest.Algorithm() || j > 0 && d.Algorithm() == x.Also[j-1].Algorithm() {
				return invalid(fmt.Sprintf("subject %d has two %s digests", i, d.Algorithm()), statementRemedy, nil)
			}
		}
	}
	return nil
}

// Kind is the kind of evidence, by the predicate type that was signed.
func (s *Statement) Kind() verdict.Kind { return KindOf(s.PredicateType) }

// Context is what the producer says about the origin of the statement. It is false when
// the statement has none or one that cannot be read: then nothing is known of it.
func (s *Statement) Context() (verdict.Context, bool) {
	var c verdict.Context
	raw, ok := s.field(ContextField)
	if !ok || json.Unmarshal(raw, &c) != nil {
		return verdict.Context{}, false
	}
	c.At = c.At.UTC()
	return c, true
}

// field gives one member of the predicate.
func (s *Statement) field(name string) (value json.RawMessage, ok bool) {
	if s.parts.known {
		return s.parts.field(s.Predicate, name)
	}
	_ = members(s.Predicate, func(n, v []byte) error {
		if string(n) == name {
			value, ok = v, true
		}
		return nil
	})
	return value, ok
}

// Body is the predicate without the context: for a statement made by New, the bytes
// that were handed in.
func (s *Statement) Body() json.RawMessage {
	p := s.Predicate
	from, to, end := -1, -1, -1 // what to cut, and where the member before ended
	sc := scanner{data: p}
	sc.space()
	if sc.pos >= len(p) || p[sc.pos] != '{' {
		return p
	}
	_ = sc.object(func(name, _ []byte) error {
		switch {
		case string(name) == ContextField && end < 0:
			from, to = sc.at, sc.pos
		case string(name) == ContextField:
			from, to = end+bytes.IndexByte(p[end:], ','), sc.pos
		case from >= 0 && end < 0: // the context came first: its comma goes too
			to = sc.at
		}
		end = sc.pos
		if from == sc.at {
			end = -1
		}
		return nil
	})
	if from < 0 {
		return p
	}
	return slices.Concat(p[:from], p[to:])
}

// Decode reads the predicate, without the context, into a value as encoding/json does.
// Unknown fields are ignored.
func (s *Statement) Decode(into any) error { return s.decode(s.Body(), into) }

// DecodeFields is Decode for members that are named, and costs little where the rest is
// large. "basis.blobs" is the member blobs of the object basis.
func (s *Statement) DecodeFields(into any, paths ...string) error {
	if !s.parts.known {
		return s.Decode(into)
	}
	return s.decode(s.parts.only(s.Predicate, paths), into)
}

func (s *Statement) decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return invalid("the predicate "+s.PredicateType+" does not have the form of its type",
			"produce it again with a tool that writes this version of the predicate", err)
	}
	return nil
}

// Encode gives the bytes to sign. A statement that came in a bundle is never encoded
// again: what was signed is Bundle.Payload.
func (s *Statement) Encode() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(s.Predicate)+256+192*len(s.Subjects))
	out = append(appendQuoted(append(out, `{"_type":`...), s.Version), `,"subject":`...)
	out = appendSubjects(out, s.Subjects)
	out = append(appendQuoted(append(out, `,"predicateType":`...), s.PredicateType), `,"predicate":`...)
	out = append(append(out, s.Predicate...), '}')
	if len(out) > MaxStatement {
		return nil, tooLarge(len(out))
	}
	check := out // what is signed can be read back
	if s.sound { // then the predicate can, and what is around it is left
		check = append(bytes.Clone(out[:len(out)-1-len(s.Predicate)]), "{}}"...)
	}
	if err := valid(check); err != nil {
		return nil, jsonProblem("statement", statementRemedy, err)
	}
	return out, nil
}

// Identity says when two statements are one piece of evidence: same predicate type (and
// with it the kind), subjects, predicate and producer, and the same context but for the
// two things that differ each time the same thing is said, its time and its nonce. The
// signature has no part in it, nor have white space and the order of names. Another
// run, service or environment makes another piece of evidence: it would otherwise be
// swallowed, and be missing where somebody looks for it.
func (s *Statement) Identity(producer string) verdict.Digest {
	out := make([]byte, 0, len(s.Predicate)+512+192*len(s.Subjects))
	out = append(appendQuoted(append(out, `{"producer":`...), producer), `,"type":`...)
	out = append(appendQuoted(out, s.PredicateType), `,"subject":`...)
	out = append(appendSubjects(out, s.Subjects), `,"predicate":`...)
	if s.sound || valid(s.Predicate) == nil {
		out = canonical(out, s.Predicate)
	} else { // made by hand: it can never be signed, but it has an identity
		out = append(out, s.Predicate...)
	}
	sum := sha256.Sum256(append(out, '}'))
	return hexDigest("sha256", sum[:])
}
