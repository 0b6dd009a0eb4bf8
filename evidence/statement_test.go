package evidence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"verdict"
	"verdict/evidence"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func digest(algorithm string, n int) verdict.Digest {
	size := map[string]int{"sha256": 64, "sha384": 96, "sha512": 128, "gitCommit": 40, "gitTree": 40}[algorithm]
	return verdict.NewDigest(algorithm, fmt.Sprintf("%0*x", size, n))
}

func artifact(n int) []verdict.Subject {
	return []verdict.Subject{{Kind: verdict.SubjectArtifact, Name: "shop", Digest: digest("sha256", n)}}
}

func context1() verdict.Context {
	return verdict.Context{
		Service: "shop", Team: "web", Environment: "production", Point: "deploy.gate", Run: "42", Actor: "p1", At: day, Retention: "release",
	}
}

// actionable fails the test unless err is one that a person can act on.
func actionable(t *testing.T, err error, code verdict.Code) {
	t.Helper()
	if err == nil {
		t.Error("accepted")
		return
	}
	if e := verdict.AsError(err); e.Code != code || e.Remedy == "" || e.What == "" {
		t.Errorf("%v: code %s, want %s; remedy %q", err, e.Code, code, e.Remedy)
	}
}

func newStatement(t testing.TB, predicate any) *evidence.Statement {
	t.Helper()
	s, err := evidence.New(verdict.KindDecision, artifact(1), predicate, context1(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func reparsed(t testing.TB, s *evidence.Statement) *evidence.Statement {
	t.Helper()
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	out, err := evidence.ParseStatement(b)
	if err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return out
}

func TestWhatIsStatedIsReadBack(t *testing.T) {
	subjects := []verdict.Subject{
		{Kind: verdict.SubjectChange, Name: "acme/shop", Digest: digest("gitCommit", 1), Also: []verdict.Digest{digest("gitTree", 2), digest("sha256", 3)}},
		{Kind: verdict.SubjectArtifact, Name: "a \"quoted\"\nname \u2028 and a control \x01", Digest: digest("sha256", 4)},
		{Kind: verdict.SubjectArtifact, Name: "built from a commit", Digest: digest("sha256", 4), Also: []verdict.Digest{digest("gitCommit", 1)}},
		{Kind: verdict.SubjectResource, Digest: digest("sha512", 5), Also: []verdict.Digest{digest("sha384", 6)}},
		{Kind: verdict.SubjectTree, Name: ".", Digest: digest("sha256", 7)},
		{Kind: verdict.SubjectDeployment, Name: "shop@production", Digest: digest("sha256", 8)},
	}
	s, err := evidence.New(verdict.KindOutcome, subjects, map[string]any{"state": "deployed", "html": "<&>"}, context1(), bytes.NewReader(bytes.Repeat([]byte{7}, 16)))
	if err != nil {
		t.Fatal(err)
	}
	got := reparsed(t, s)
	if d := cmp.Diff(subjects, got.Subjects); d != "" {
		t.Error(d)
	}
	if got.Kind() != verdict.KindOutcome || got.Version != evidence.StatementV1 {
		t.Errorf("kind %s, version %s", got.Kind(), got.Version)
	}
	want := context1()
	want.Nonce = bytes.Repeat([]byte{7}, 16)
	c, ok := got.Context()
	if d := cmp.Diff(want, c); !ok || d != "" {
		t.Error(ok, d)
	}
	if string(got.Body()) != `{"html":"<&>","state":"deployed"}` {
		t.Errorf("body %s", got.Body())
	}
	var into struct{ State string }
	if err := got.Decode(&into); err != nil || into.State != "deployed" {
		t.Errorf("%+v, %v", into, err)
	}
	actionable(t, got.Decode(&struct{ State int }{}), verdict.CodeInvalid)
}

// TestOthersReadOurStatements: the published in-toto types accept what we write.
func TestOthersReadOurStatements(t *testing.T) {
	s, err := evidence.New(verdict.KindOutcome, []verdict.Subject{
		{Kind: verdict.SubjectChange, Name: "shop", Digest: digest("gitCommit", 1), Also: []verdict.Digest{digest("gitTree", 2)}},
		{Kind: verdict.SubjectIdentity, Name: "ada", Digest: digest("sha256", 3)},
	}, map[string]string{"a": "b"}, context1(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var theirs intoto.Statement
	if err := protojson.Unmarshal(b, &theirs); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Validate(); err != nil {
		t.Error(err)
	}
	if theirs.GetSubject()[1].GetAnnotations().GetFields()["kind"].GetStringValue() != "identity" {
		t.Errorf("subject: %v", theirs.GetSubject()[1])
	}
}

func TestTheBodyIsWhatTheProducerHandedIn(t *testing.T) {
	for _, body := range []string{
		`{}`, `{ }`, `{"a":1}`, "{\n  \"a\": 1,\n  \"b\": [ 1, 2 ]\n}", `{"a":{"a":{}} , "b" : null }`, `{"\u0061":"\/"}`, `{"n":1.50e+3,"big":12345678901234567890123}`,
	} {
		s := newStatement(t, json.RawMessage(body))
		if got := string(s.Body()); got != body {
			t.Errorf("body %q, want %q", got, body)
		}
		if got := string(reparsed(t, s).Body()); got != body {
			t.Errorf("read back %q, want %q", got, body)
		}
	}
	for name, c := range map[string][2]string{
		"the context comes first":        {`{"CTX":{"at":"x"},"a":1}`, `{"a":1}`},
		"the context comes first, space": {`{ "CTX" : {} , "a" : 1 }`, `{ "a" : 1 }`},
		"the context is in the middle":   {`{"a":1,"CTX":{},"b":2}`, `{"a":1,"b":2}`},
		"the context comes last, space":  {`{"a":1 , "CTX":{} }`, `{"a":1  }`},
		"the context is all there is":    {`{"CTX":{}}`, `{}`},
		"there is none":                  {`{"a":1}`, `{"a":1}`},
		"a context further down stays":   {`{"a":{"CTX":1}}`, `{"a":{"CTX":1}}`},
	} {
		t.Run(name, func(t *testing.T) {
			in := func(s string) string { return strings.ReplaceAll(s, "CTX", evidence.ContextField) }
			s, err := evidence.ParseStatement([]byte(`{"_type":"` + evidence.StatementV1 + `","subject":[{"digest":{"sha256":"` + strings.Repeat("a", 64) + `"}}],"predicateType":"t","predicate":` + in(c[0]) + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(s.Body()); got != in(c[1]) {
				t.Errorf("body %s, want %s", got, in(c[1]))
			}
		})
	}
}

func TestAStatementThatCannotBeMadeIsRefused(t *testing.T) {
	c := context1()
	untimed := c
	untimed.At = time.Time{}
	many := make([]verdict.Subject, evidence.MaxSubjects+1)
	for i := range many {
		many[i] = verdict.Subject{Digest: digest("sha256", i)}
	}
	deep := json.RawMessage(strings.Repeat(`{"a":`, evidence.MaxDepth) + "1" + strings.Repeat("}", evidence.MaxDepth))
	for _, x := range []struct {
		name      string
		kind      verdict.Kind
		subjects  []verdict.Subject
		predicate any
		code      verdict.Code
	}{
		{"a kind that has no predicate type", verdict.KindOther, artifact(1), struct{}{}, verdict.CodeInvalid},
		{"a word that is no kind", "scan", artifact(1), struct{}{}, verdict.CodeInvalid},
		{"no subject", verdict.KindDecision, nil, struct{}{}, verdict.CodeInvalid},
		{"too many subjects", verdict.KindDecision, many, struct{}{}, verdict.CodeLimit},
		{"a subject without digest", verdict.KindDecision, []verdict.Subject{{Name: "shop"}}, struct{}{}, verdict.CodeInvalid},
		{"a sha1 digest", verdict.KindDecision, []verdict.Subject{{Digest: verdict.NewDigest("sha1", strings.Repeat("a", 40))}}, struct{}{}, verdict.CodeInvalid},
		{"two sha256 digests", verdict.KindDecision, []verdict.Subject{{Digest: digest("sha256", 1), Also: []verdict.Digest{digest("sha256", 2)}}}, struct{}{}, verdict.CodeInvalid},
		{"a predicate that is no object", verdict.KindDecision, artifact(1), []int{1}, verdict.CodeInvalid},
		{"a predicate that is nothing", verdict.KindDecision, artifact(1), nil, verdict.CodeInvalid},
		{"a predicate that says a thing twice", verdict.KindDecision, artifact(1), json.RawMessage(`{"a":1,"a":2}`), verdict.CodeInvalid},
		{"a predicate that is not JSON", verdict.KindDecision, artifact(1), json.RawMessage(`{"a":1`), verdict.CodeInvalid},
		{"a predicate with a context of its own", verdict.KindDecision, artifact(1), map[string]int{evidence.ContextField: 1}, verdict.CodeInvalid},
		{"a predicate as deep as a statement may be", verdict.KindDecision, artifact(1), deep, verdict.CodeLimit},
		{"a predicate as large as a statement may be", verdict.KindDecision, artifact(1), map[string]string{"x": strings.Repeat("x", evidence.MaxStatement)}, verdict.CodeLimit},
	} {
		t.Run(x.name, func(t *testing.T) {
			s, err := evidence.New(x.kind, x.subjects, x.predicate, c, nil)
			if err == nil {
				_, err = s.Encode() // the statement around the predicate counts too
			}
			actionable(t, err, x.code)
		})
	}
	if _, err := evidence.New(verdict.KindDecision, artifact(1), struct{}{}, untimed, nil); err == nil {
		t.Error("a statement without time")
	}
	if _, err := evidence.New(verdict.KindDecision, artifact(1), struct{}{}, c, strings.NewReader("short")); err == nil {
		t.Error("a nonce that is too short")
	}
}

// doc writes a statement with some parts replaced; "" leaves a part out.
func doc(parts map[string]string) []byte {
	all := map[string]string{
		"_type": `"` + evidence.StatementV1 + `"`, "subject": `[{"name":"shop","digest":{"sha256":"` + strings.Repeat("a", 64) + `"}}]`,
		"predicateType": `"https://slsa.dev/provenance/v1"`, "predicate": `{"a":1}`,
	}
	for k, v := range parts {
		all[k] = v
	}
	var out []string
	for _, k := range []string{"_type", "subject", "predicateType", "predicate", "extra"} {
		if all[k] != "" {
			out = append(out, `"`+k+`":`+all[k])
		}
	}
	return []byte("{" + strings.Join(out, ",") + "}")
}

func TestForeignStatementsAreRead(t *testing.T) {
	hexes := strings.Repeat("a", 64)
	for _, c := range []struct {
		name    string
		payload []byte
		check   func(*evidence.Statement) bool
	}{
		{"version 0.1", doc(map[string]string{"_type": `"https://in-toto.io/Statement/v0.1"`}), func(s *evidence.Statement) bool { return s.Version == evidence.StatementV01 }},
		{"unknown fields", doc(map[string]string{"extra": `{"x":[1,2]}`}), func(s *evidence.Statement) bool { return s.Kind() == verdict.KindProvenance }},
		{"no predicate", doc(map[string]string{"predicate": ""}), func(s *evidence.Statement) bool { return string(s.Body()) == "{}" }},
		{"a null predicate", doc(map[string]string{"predicate": "null"}), func(s *evidence.Statement) bool { return string(s.Body()) == "{}" }},
		{"a predicate type that nobody knows", doc(map[string]string{"predicateType": `"https://example.com/x/v1"`}), func(s *evidence.Statement) bool { return s.Kind() == verdict.KindOther }},
		{"sha1 beside sha256", doc(map[string]string{"subject": `[{"digest":{"sha1":"` + strings.Repeat("b", 40) + `","sha256":"` + hexes + `"}}]`}), func(s *evidence.Statement) bool {
			return s.Subjects[0].Digest == verdict.NewDigest("sha256", hexes) && len(s.Subjects[0].Also) == 0
		}},
		{"a uri and no name", doc(map[string]string{"subject": `[{"uri":"pkg:oci/shop","digest":{"sha512":"` + hexes + hexes + `"}}]`}), func(s *evidence.Statement) bool {
			return s.Subjects[0].Name == "pkg:oci/shop" && s.Subjects[0].Digest.Algorithm() == "sha512"
		}},
		{"a commit is a change", doc(map[string]string{"subject": `[{"digest":{"gitCommit":"` + strings.Repeat("c", 40) + `","sha256":"` + hexes + `"}}]`}), func(s *evidence.Statement) bool {
			return s.Subjects[0].Kind == verdict.SubjectChange && s.Subjects[0].Digest.Algorithm() == "gitCommit" && len(s.Subjects[0].Also) == 1
		}},
		{"an annotation of somebody else's", doc(map[string]string{"subject": `[{"annotations":{"kind":"Pod","x":[]},"digest":{"sha256":"` + hexes + `"}}]`}), func(s *evidence.Statement) bool { return s.Subjects[0].Kind == verdict.SubjectArtifact }},
		{"names that are escaped", bytes.Replace(doc(nil), []byte(`"predicateType"`), []byte(`"predicat\u0065Type"`), 1), func(s *evidence.Statement) bool { return s.Kind() == verdict.KindProvenance }},
		{"white space", bytes.ReplaceAll(doc(nil), []byte(`,"`), []byte("\r\n\t ,\n \"")), func(s *evidence.Statement) bool { return len(s.Subjects) == 1 }},
		{"names in another case are other names", doc(map[string]string{"extra": `1,"PredicateType":"https://example.com"`}), func(s *evidence.Statement) bool { return s.Kind() == verdict.KindProvenance }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := evidence.ParseStatement(c.payload)
			if err != nil {
				t.Fatalf("%v: %s", err, c.payload)
			}
			if !c.check(s) {
				t.Errorf("read as %+v from %s", s, c.payload)
			}
			if _, ok := s.Context(); ok {
				t.Error("a context that nobody stated")
			}
		})
	}
}

func TestForeignStatementsThatMeanNothingOrTwoThingsAreRefused(t *testing.T) {
	sha256, sha1, md5 := strings.Repeat("a", 64), strings.Repeat("a", 40), strings.Repeat("a", 32)
	subject := func(s string) map[string]string { return map[string]string{"subject": s} }
	manySubjects := "[" + strings.Repeat(`{"digest":{"sha256":"`+sha256+`"}},`, evidence.MaxSubjects) + `{"digest":{"sha256":"` + sha256 + `"}}]`
	var manyDigests []string
	for i := range evidence.MaxDigests + 1 {
		manyDigests = append(manyDigests, fmt.Sprintf(`"x%d":"a"`, i))
	}
	for _, c := range []struct {
		name    string
		payload []byte
		code    verdict.Code
	}{
		{"nothing", nil, verdict.CodeInvalid},
		{"not JSON", []byte("hello"), verdict.CodeInvalid},
		{"a list", []byte("[]"), verdict.CodeInvalid},
		{"two documents", append(doc(nil), doc(nil)...), verdict.CodeInvalid},
		{"no type", doc(map[string]string{"_type": ""}), verdict.CodeInvalid},
		{"a type of the future", doc(map[string]string{"_type": `"https://in-toto.io/Statement/v2"`}), verdict.CodeInvalid},
		{"no predicate type", doc(map[string]string{"predicateType": ""}), verdict.CodeInvalid},
		{"a predicate type that is a number", doc(map[string]string{"predicateType": "1"}), verdict.CodeInvalid},
		{"a predicate that is a list", doc(map[string]string{"predicate": "[]"}), verdict.CodeInvalid},
		{"the predicate type twice", doc(map[string]string{"extra": `1,"predicateType":"https://example.com"`}), verdict.CodeInvalid},
		{"the predicate type twice, once escaped", doc(map[string]string{"extra": `1,"predicat\u0065Type":"https://example.com"`}), verdict.CodeInvalid},
		{"a field of the predicate twice", doc(map[string]string{"predicate": `{"a":{"b":1,"b":2}}`}), verdict.CodeInvalid},
		{"a digest twice", doc(subject(`[{"digest":{"sha256":"` + sha256 + `","sha256":"` + sha256 + `"}}]`)), verdict.CodeInvalid},
		{"no subjects", doc(map[string]string{"subject": ""}), verdict.CodeInvalid},
		{"an empty list of subjects", doc(subject("[]")), verdict.CodeInvalid},
		{"a subject without digest", doc(subject(`[{"name":"x"}]`)), verdict.CodeInvalid},
		{"one subject of two without digest", doc(subject(`[{"digest":{"sha256":"` + sha256 + `"}},{"name":"x"}]`)), verdict.CodeInvalid},
		{"sha1 alone", doc(subject(`[{"digest":{"sha1":"` + sha1 + `"}}]`)), verdict.CodeInvalid},
		{"md5 and sha1", doc(subject(`[{"digest":{"md5":"` + md5 + `","sha1":"` + sha1 + `"}}]`)), verdict.CodeInvalid},
		{"a sha256 that is too short", doc(subject(`[{"digest":{"sha256":"` + sha1 + `"}}]`)), verdict.CodeInvalid},
		{"a sha256 in capitals", doc(subject(`[{"digest":{"sha256":"` + strings.ToUpper(sha256) + `"}}]`)), verdict.CodeInvalid},
		{"a digest that is a number", doc(subject(`[{"digest":{"sha256":1}}]`)), verdict.CodeInvalid},
		{"a subject that is a string", doc(subject(`["sha256:` + sha256 + `"]`)), verdict.CodeInvalid},
		{"half a surrogate pair", doc(map[string]string{"predicate": `{"a":"\ud800"}`}), verdict.CodeInvalid},
		{"broken UTF-8", doc(map[string]string{"predicate": "{\"a\":\"\xff\"}"}), verdict.CodeInvalid},
		{"too many subjects", doc(subject(manySubjects)), verdict.CodeLimit},
		{"too many digests", doc(subject(`[{"digest":{` + strings.Join(manyDigests, ",") + `}}]`)), verdict.CodeLimit},
		{"nested too deep", doc(map[string]string{"predicate": strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64)}), verdict.CodeLimit},
		{"a byte too large", doc(map[string]string{"predicate": `{"a":"` + strings.Repeat("x", evidence.MaxStatement) + `"}`}), verdict.CodeLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := evidence.ParseStatement(c.payload)
			actionable(t, err, c.code)
			if s != nil {
				t.Error("a statement beside the refusal")
			}
		})
	}
}

// TestABombIsDefusedAtOnce: depth costs the attacker one byte a level.
func TestABombIsDefusedAtOnce(t *testing.T) {
	for name, payload := range map[string][]byte{
		"lists 100,000 deep":          doc(map[string]string{"predicate": strings.Repeat("[", 100_000)}),
		"objects 100,000 deep":        doc(map[string]string{"predicate": strings.Repeat(`{"a":`, 100_000)}),
		"the statement 100,000 deep":  bytes.Repeat([]byte("["), 100_000),
		"deep in a field of no worth": doc(map[string]string{"extra": strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000)}),
		"deep in a subject":           doc(map[string]string{"subject": `[{"x":` + strings.Repeat("[", 100_000) + `}]`}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.ParseStatement(payload)
			if err == nil {
				t.Fatal("accepted")
			}
			if e := verdict.AsError(err); e.Code != verdict.CodeLimit && name != "the statement 100,000 deep" || e.Remedy == "" {
				t.Errorf("%v", err)
			}
		})
	}
	var names []string
	for i := range 200_000 {
		names = append(names, fmt.Sprintf(`"%d":1`, i))
	}
	start := time.Now()
	if _, err := evidence.ParseStatement(doc(map[string]string{"predicate": "{" + strings.Join(names, ",") + "}"})); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 20*time.Second { // each with each would be minutes
		t.Errorf("200,000 names took %v", took)
	}
}

func TestAStatementIsAboutWhatItNames(t *testing.T) {
	s := reparsed(t, must(t, func() (*evidence.Statement, error) {
		return evidence.New(verdict.KindDecision, []verdict.Subject{
			{Name: "a", Digest: digest("sha256", 1), Also: []verdict.Digest{digest("sha512", 1)}},
			{Name: "b", Kind: verdict.SubjectChange, Digest: digest("gitCommit", 2), Also: []verdict.Digest{digest("gitTree", 3)}},
			{Name: "c", Digest: digest("sha512", 4)},
		}, struct{}{}, context1(), nil)
	}))
	for _, c := range []struct {
		name    string
		digests []verdict.Digest
		about   bool
	}{
		{"by its digest", []verdict.Digest{digest("sha256", 1)}, true},
		{"by another digest of it", []verdict.Digest{digest("sha512", 1)}, true},
		{"by all digests of a file", []verdict.Digest{digest("sha256", 1), digest("sha384", 9), digest("sha512", 1)}, true},
		{"a file whose statement has sha512 only", []verdict.Digest{digest("sha256", 8), digest("sha384", 8), digest("sha512", 4)}, true},
		{"a commit", []verdict.Digest{digest("gitCommit", 2)}, true},
		{"a tree", []verdict.Digest{digest("gitTree", 3)}, true},
		{"another digest", []verdict.Digest{digest("sha256", 2)}, false},
		{"the same hex under another algorithm", []verdict.Digest{digest("gitTree", 2)}, false},
		{"one digest right and one wrong", []verdict.Digest{digest("sha256", 1), digest("sha512", 2)}, false},
		{"nothing", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := s.About(c.digests...)
			if c.about && err != nil {
				t.Error(err)
			}
			if !c.about {
				actionable(t, err, verdict.CodeRefused)
			}
		})
	}
	if got, err := evidence.DigestsOf(strings.NewReader("hello verdict artifact\n")); err != nil || got[0] != "sha256:f0ea894be4c6c43e8c5ac161b6465eef0492296495cb6a88c78724a53fe061d9" || len(got) != 3 {
		t.Errorf("%v, %v", got, err)
	}
}

func must[T any](t testing.TB, f func() (T, error)) T {
	t.Helper()
	v, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPredicateTypesAndKinds(t *testing.T) {
	for k, want := range map[verdict.Kind]string{
		verdict.KindSBOM: "https://cyclonedx.org/bom", verdict.KindProvenance: "https://slsa.dev/provenance/v1",
		verdict.KindTestResult: "https://in-toto.io/attestation/test-result/v0.1", verdict.KindVulnerabilities: "https://in-toto.io/attestation/vulns/v0.2",
		verdict.KindVEX: "https://openvex.dev/ns/v0.2.0", verdict.KindVSA: "https://slsa.dev/verification_summary/v1",
		verdict.KindDecision: evidence.DefaultBase + "/decision/v1", verdict.KindControlResult: evidence.DefaultBase + "/control-result/v1",
		verdict.KindAccess: evidence.DefaultBase + "/access/v1", verdict.KindOther: "", "scan": "",
	} {
		if got := evidence.PredicateType(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
		if want != "" && evidence.KindOf(want) != k {
			t.Errorf("%s is read as %s", want, evidence.KindOf(want))
		}
	}
	for typ, want := range map[string]verdict.Kind{
		"https://spdx.dev/Document": verdict.KindSBOM, "https://spdx.dev/Document/v2.3": verdict.KindSBOM, "https://cyclonedx.org/bom/": verdict.KindSBOM,
		"https://slsa.dev/provenance/v0.2": verdict.KindProvenance, "https://slsa.dev/provenance/v0.1": verdict.KindProvenance, "https://slsa.dev/provenance/v9": verdict.KindOther,
		evidence.DefaultBase + "/decision/v2": verdict.KindOther, evidence.DefaultBase + "/other/v1": verdict.KindOther, "": verdict.KindOther, "decision": verdict.KindOther,
	} {
		if got := evidence.KindOf(typ); got != want {
			t.Errorf("%s is read as %s, want %s", typ, got, want)
		}
	}
}

func TestWhatIsJustWithinTheLimitsIsAccepted(t *testing.T) {
	deep := strings.Repeat(`{"a":`, evidence.MaxDepth-1) + "1" + strings.Repeat("}", evidence.MaxDepth-1)
	if got := reparsed(t, newStatement(t, json.RawMessage(deep))); string(got.Body()) != deep {
		t.Errorf("body %s", got.Body())
	}
	subjects := make([]verdict.Subject, evidence.MaxSubjects)
	for i := range subjects {
		subjects[i] = verdict.Subject{Digest: digest("sha256", i)}
	}
	s := must(t, func() (*evidence.Statement, error) {
		return evidence.New(verdict.KindDecision, subjects, struct{}{}, context1(), nil)
	})
	if got := reparsed(t, s); len(got.Subjects) != evidence.MaxSubjects {
		t.Errorf("%d subjects", len(got.Subjects))
	}
}
