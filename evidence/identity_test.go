package evidence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"verdict"
	"verdict/evidence"
)

// said is everything that the identity of a statement rests on, and what it does not.
type said struct {
	kind     verdict.Kind
	subjects []verdict.Subject
	body     map[string]any
	context  verdict.Context
	producer string
}

func (s said) identity(t *rapid.T) verdict.Digest {
	st, err := evidence.New(s.kind, s.subjects, s.body, s.context, nil)
	if err != nil {
		t.Fatal(err)
	}
	return st.Identity(s.producer)
}

// bodies are JSON objects, nested, with numbers, odd strings and odd names.
func bodies() *rapid.Generator[map[string]any] {
	word := rapid.OneOf(rapid.StringMatching(`[a-z]{0,4}`), rapid.SampledFrom([]string{"at", "nonce", "é\n\"\\", "\u2028", "<&>", evidence.ReportField}))
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaves := []*rapid.Generator[any]{
			rapid.Map(word, func(s string) any { return s }),
			rapid.Map(rapid.Int64(), func(i int64) any { return i }),
			rapid.Map(rapid.Bool(), func(b bool) any { return b }),
			rapid.Just[any](nil),
		}
		if depth > 0 {
			leaves = append(leaves,
				rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(x []any) any { return x }),
				rapid.Map(rapid.MapOfN(word, value(depth-1), 0, 3), func(x map[string]any) any { return x }))
		}
		return rapid.OneOf(leaves...)
	}
	return rapid.MapOfN(word, value(3), 0, 5)
}

func saids() *rapid.Generator[said] {
	return rapid.Custom(func(t *rapid.T) said {
		n := rapid.IntRange(1, 3).Draw(t, "subjects")
		s := said{
			kind: rapid.SampledFrom([]verdict.Kind{verdict.KindDecision, verdict.KindTestResult, verdict.KindApproval}).Draw(t, "kind"),
			body: bodies().Draw(t, "body"), producer: rapid.StringMatching(`[a-z]{1,5}`).Draw(t, "producer"),
			context: verdict.Context{
				Service: rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "service"), Environment: rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "environment"),
				Run: rapid.StringMatching(`[0-9]{0,3}`).Draw(t, "run"), At: day,
			},
		}
		for i := range n {
			s.subjects = append(s.subjects, verdict.Subject{Name: fmt.Sprint(i), Digest: digest("sha256", rapid.IntRange(0, 1000).Draw(t, "digest"))})
		}
		return s
	})
}

// TestTheSameThingSaidAgainIsOnePieceOfEvidence: a retry, or a second upload of one
// report, must not count twice.
func TestTheSameThingSaidAgainIsOnePieceOfEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := saids().Draw(t, "said")
		want := s.identity(t)
		s.context.At = day.Add(time.Duration(rapid.Int64Range(1, 1e15).Draw(t, "later")))
		if got := s.identity(t); got != want { // with another nonce, too
			t.Errorf("another time and nonce make %s of %s", got, want)
		}
		st, err := evidence.New(s.kind, s.subjects, json.RawMessage(shuffled(t, s.body)), s.context, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := st.Identity(s.producer); got != want {
			t.Errorf("another order, white space and escapes make %s of %s:\n%s", got, want, st.Body())
		}
		b, err := st.Encode()
		if err != nil {
			t.Fatal(err)
		}
		read, err := evidence.ParseStatement(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := read.Identity(s.producer); got != want {
			t.Errorf("read back as %s, was %s", got, want)
		}
	})
}

// TestAnythingElseIsAnotherPieceOfEvidence: what is swallowed as a repetition is
// missing where somebody looks for it.
func TestAnythingElseIsAnotherPieceOfEvidence(t *testing.T) {
	changes := map[string]func(*said){
		"kind":         func(s *said) { s.kind = verdict.KindFinding },
		"producer":     func(s *said) { s.producer += "x" },
		"service":      func(s *said) { s.context.Service += "x" },
		"team":         func(s *said) { s.context.Team += "x" },
		"environment":  func(s *said) { s.context.Environment += "x" },
		"point":        func(s *said) { s.context.Point += "x" },
		"run":          func(s *said) { s.context.Run += "x" },
		"actor":        func(s *said) { s.context.Actor += "x" },
		"retention":    func(s *said) { s.context.Retention += "x" },
		"name":         func(s *said) { s.subjects[0].Name += "x" },
		"digest":       func(s *said) { s.subjects[0].Digest = digest("sha256", 5000) },
		"subject kind": func(s *said) { s.subjects[0].Kind = verdict.SubjectPlan },
		"more digests": func(s *said) { s.subjects[0].Also = []verdict.Digest{digest("sha512", 1)} },
		"more":         func(s *said) { s.subjects = append(s.subjects, verdict.Subject{Digest: digest("sha256", 1)}) },
		"new field":    func(s *said) { s.body["a new name"] = nil },
		"nested":       func(s *said) { s.body = map[string]any{"x": s.body} },
	}
	rapid.Check(t, func(t *rapid.T) {
		s := saids().Draw(t, "said")
		want := s.identity(t)
		name := rapid.SampledFrom(slices.Sorted(mapKeys(changes))).Draw(t, "change")
		changes[name](&s)
		if got := s.identity(t); got == want {
			t.Errorf("another %s is the same evidence", name)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		s := saids().Draw(t, "said")
		other := bodies().Draw(t, "other")
		a, _ := json.Marshal(s.body)
		b, _ := json.Marshal(other)
		one := s.identity(t)
		s.body = other
		if same := s.identity(t) == one; same != bytes.Equal(a, b) {
			t.Errorf("same evidence %v:\n%s\n%s", same, a, b)
		}
	})
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestIdentityTellsApartWhatAReaderOfFloatsCannot(t *testing.T) {
	of := func(body string) verdict.Digest { return newStatement(t, json.RawMessage(body)).Identity("k") }
	if of(`{"n":9007199254740993}`) == of(`{"n":9007199254740992}`) {
		t.Error("two large integers are one")
	}
	if of(`{"a":"x","b":"y"}`) == of(`{"a":"x\",\"b\":\"y"}`) {
		t.Error("a string that looks like two fields is two fields")
	}
	for _, pair := range [][2]string{
		{`{"a":[],"b":{}}`, ` { "b" : { } , "a" : [ ] } `},
		{`{"a":[[],[],{}],"b":[{"y":1,"x":[]}]}`, `{"b":[{"x":[],"y":1}],"a":[[],[],{}]}`},
		{`{"\u0061":"\u002f\/"}`, `{"a":"//"}`},
		{`{"":1,"a":2,"aa":3,"a b":4}`, `{"a b":4,"aa":3,"a":2,"":1}`},
	} {
		if of(pair[0]) != of(pair[1]) {
			t.Errorf("%s and %s are two things", pair[0], pair[1])
		}
	}
	many := strings.Repeat(`[],`, 200) + "[]" // more empty lists than levels
	if of(`{"a":[`+many+`]}`) == of(`{"a":[`+many+`,[]]}`) {
		t.Error("one empty list more is the same")
	}
	var none, broken evidence.Statement
	broken.Predicate = json.RawMessage(`{"a":`)
	if none.Identity("k") == broken.Identity("k") || none.Identity("k") == none.Identity("l") {
		t.Error("statements made by hand have no identity")
	}
	// time and nonce count everywhere but in the context
	if of(`{"at":1}`) == of(`{"at":2}`) || of(`{"x":{"nonce":1}}`) == of(`{"x":{"nonce":2}}`) {
		t.Error("a predicate's own time does not count")
	}
}

// shuffled writes a value in another order, with white space, and some letters escaped.
func shuffled(t *rapid.T, v any) string {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	var write func(v any) string
	text := func(s string) string {
		b, _ := json.Marshal(s)
		out := string(b)
		if r.IntN(2) == 0 {
			out = strings.ReplaceAll(out, "a", `\u0061`)
		}
		return out
	}
	write = func(v any) string {
		space := strings.Repeat(" ", r.IntN(2)) + strings.Repeat("\n", r.IntN(2))
		switch x := v.(type) {
		case map[string]any:
			keys := slices.Sorted(mapKeys(x))
			r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			var parts []string
			for _, k := range keys {
				parts = append(parts, text(k)+space+":"+write(x[k]))
			}
			return "{" + space + strings.Join(parts, space+",") + space + "}"
		case []any:
			var parts []string
			for _, e := range x {
				parts = append(parts, write(e))
			}
			return "[" + space + strings.Join(parts, ","+space) + space + "]"
		case string:
			return text(x)
		}
		b, _ := json.Marshal(v)
		return string(b)
	}
	return write(v)
}
