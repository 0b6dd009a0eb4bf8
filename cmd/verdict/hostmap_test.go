package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"verdict"
)

// organisedMap is a map that was released, with a cluster.
const organisedMap = `schema: verdict/v1
organization: acme
environments:
  production: {tier: prod, kubernetes: [{cluster: aks-prod, namespaces: [shop]}]}
services:
  payments-api: {team: payments}
points:
  - {id: deploy.admission, mode: block}
trust:
  - {name: this machine, key: local, kinds: ["*"], services: ["*"], environments: ["*"]}
`

// acmeServed is a control plane of an organisation whose map is in force.
func acmeServed(t *testing.T) *served {
	t.Helper()
	x := servingData(t, oneImage(t))
	stateMap(t, x.host.recording(everything), verdict.KindMapRelease, organisedMap, mapRelease{Replaces: -1, Proposal: -1})
	return x
}

func (x *served) sendMap(t *testing.T, path, content string) (int, string) {
	t.Helper()
	return x.do("viewer", "POST", "/api/v1"+path, string(mustJSON(map[string]string{"content": content})))
}

// Who sends a map to have it checked is told what the command would tell him where it lies, and
// nothing of the server's disk is read for it.
func TestAMapThatIsSentIsChecked(t *testing.T) {
	x := servingData(t, oneImage(t))
	poisoned(t)
	for _, tt := range []struct {
		name, content string
		status        int
		says, never   string
	}{
		{"a good one", "schema: verdict/v1\nenvironments: {production: {tier: prod}}\n", 200, `"loaded":true`, "oisoned"},
		{"one that is none is an answer", "points: [", 200, `"loaded":false`, "oisoned"},
		{"rules beside it stay with who has them", "schema: verdict/v1\nenvironments: {production: {tier: prod}}\npolicies: {bundle: \"policy@sha256:" + strings.Repeat("0", 64) + "\"}\n", 200, "were not sent", "oisoned"},
		{"rules of the server's disk", "schema: verdict/v1\nenvironments: {production: {tier: prod}}\npolicies: {bundle: \"../policy@sha256:" + strings.Repeat("0", 64) + "\"}\n", 200, "VD-P02", "oisoned"},
		{"nothing", "", 422, "remedy", "oisoned"},
		{"too much of it", strings.Repeat("#", 1<<20+1), 422, "remedy", "oisoned"},
	} {
		if status, body := x.sendMap(t, "/map/lint", tt.content); status != tt.status || !strings.Contains(body, tt.says) || strings.Contains(body, tt.never) {
			t.Errorf("%s: %d %.800s", tt.name, status, body)
		}
	}
	if n := len(x.host.reading); n != 0 {
		t.Errorf("%d places stay taken after maps were read", n)
	}
}

// Who sends a map is told what it would change in the one in force, and whether that is safe.
func TestAMapThatIsSentIsComparedWithTheOneInForce(t *testing.T) {
	x := acmeServed(t)
	before := x.entries()
	for _, tt := range []struct{ name, content, says string }{
		{"the same", organisedMap, `"changes":[]`},
		{"a weaker one", strings.Replace(organisedMap, "mode: block", "mode: observe", 1), `"needs_approver":true`},
		{"that of a repository is read over it", "schema: verdict/v1\nservices: {shop: {team: shop}}\n", `"released":`},
	} {
		if status, body := x.sendMap(t, "/map/diff", tt.content); status != 200 || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d %.800s", tt.name, status, body)
		}
	}
	if status, body := x.sendMap(t, "/map/diff", "points: ["); status != 422 || !strings.Contains(body, "remedy") {
		t.Errorf("no map: %d %s", status, body)
	}
	if status, body := x.do("nobody", "POST", "/api/v1/map/diff", `{"content":"x"}`); status != 403 {
		t.Errorf("nobody: %d %s", status, body)
	}
	if after := x.entries(); after != before {
		t.Errorf("%d entries were recorded", after-before)
	}
}

// The picture of a server shows what decides there, as one document that runs nothing.
func TestTheMapOfAServerIsDrawn(t *testing.T) {
	x := acmeServed(t)
	status, svg := x.get("viewer", "/api/v1/map/drawing")
	if status != 200 || !strings.Contains(svg, "production") {
		t.Fatalf("%d %.300s", status, svg)
	}
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if e, ok := token.(xml.StartElement); err != nil || ok && e.Name.Local == "script" {
			t.Fatalf("%v %v", err, token)
		}
	}
	if want := x.run("map", "draw", "-o", "svg"); svg != want {
		t.Error("the command draws another picture")
	}
	_, built := x.get("viewer", "/api/v1/map/drawing?at=1")
	if strings.Contains(built, "production") {
		t.Error("the map of before the release has its environment")
	}
	if status, body := x.get("viewer", "/api/v1/map/drawing?view=secret"); status != 422 {
		t.Errorf("%d %s", status, body)
	}
}

const trialOf = `{"namespace":"shop","objects":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"web","image":"IMAGE"}]}}]}`

// Before anything is applied it can be asked whether a cluster would let it in; who may not see
// why is not told that it would.
func TestATrialIsAnsweredFromWhatItsCallerMaySee(t *testing.T) {
	x := acmeServed(t)
	one, two := image1("1"), image1("2")
	w := x.host.recording(everything)
	d := gated("d-aaaa1111", one, "production", verdict.Allow)
	if _, err := w.state(t.Context(), verdict.KindDecision, d.Subject, d, verdict.Context{Point: d.Point, Service: d.Service, Environment: d.Environment}); err != nil {
		t.Fatal(err)
	}
	before := x.entries()
	try := func(as string, image verdict.Subject) (bool, string) {
		body := strings.Replace(trialOf, "IMAGE", image.Name+"@"+string(image.Digest), 1)
		status, text := x.do(as, "POST", "/api/v1/admission/trials", body)
		var got admissionTried
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != 200 || len(got.Answers) != 1 || got.Answers[0].Environment != "production" {
			t.Fatalf("%s: %d %v %s", as, status, err, text)
		}
		return got.Answers[0].Allowed, text
	}
	if in, text := try("viewer", one); !in || !strings.Contains(text, "d-aaaa1111") {
		t.Errorf("what was promoted: %s", text)
	}
	if in, text := try("viewer", two); in {
		t.Errorf("what was not: %s", text)
	}
	if in, text := try("narrow", one); in || strings.Contains(text, "d-aaaa1111") {
		t.Errorf("who may not see the promotion: %s", text)
	}
	file, err := json.Marshal(map[string]string{"namespace": "shop", "file": "# as kubectl takes it\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n    - {name: web, image: " + one.Name + "@" + string(one.Digest) + "}\n---\n"})
	if err != nil {
		t.Fatal(err)
	}
	if status, text := x.do("viewer", "POST", "/api/v1/admission/trials", string(file)); status != 200 || !strings.Contains(text, "d-aaaa1111") {
		t.Errorf("as YAML: %d %s", status, text)
	}
	if after := x.entries(); after != before {
		t.Errorf("%d entries were recorded", after-before)
	}
	bomb := "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.TrimSuffix(strings.Repeat("*a,", 5000), ",") + "]\napiVersion: v1\nkind: Pod\n"
	for name, body := range map[string]string{
		"no object":        `{"objects":[1]}`,
		"nothing":          `{"objects":[]}`,
		"another cluster":  `{"cluster":"elsewhere","objects":[{"apiVersion":"v1","kind":"Pod"}]}`,
		"too many images":  `{"objects":[{"apiVersion":"v1","kind":"Pod","spec":{"containers":[` + strings.TrimSuffix(manyImages(maxTried+1), ",") + `]}}]}`,
		"both":             `{"file":"a: 1","objects":[{"apiVersion":"v1","kind":"Pod"}]}`,
		"neither":          `{}`,
		"no YAML":          `{"file":"a: [1"}`,
		"a bomb":           fmt.Sprintf(`{"file":%q}`, bomb),
		"too deep":         fmt.Sprintf(`{"file":%q}`, "apiVersion: v1\nkind: Pod\nspec: "+strings.Repeat("[", 200)+strings.Repeat("]", 200)),
		"too many in one":  fmt.Sprintf(`{"file":%q}`, strings.Repeat("---\n{apiVersion: v1, kind: Pod}\n", maxAsked+1)),
		"too many objects": `{"objects":[` + strings.TrimSuffix(strings.Repeat(`{},`, 1001), ",") + `]}`,
	} {
		if status, text := x.do("viewer", "POST", "/api/v1/admission/trials", body); status != 404 && status != 413 && status != 422 || !strings.Contains(text, `"remedy":"`) {
			t.Errorf("%s: %d %.300s", name, status, text)
		}
	}
}

func manyImages(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`{"image":"` + strings.Replace(pictured, "1111", fmt.Sprintf("%04x", i), 1) + `"},`)
	}
	return b.String()
}
