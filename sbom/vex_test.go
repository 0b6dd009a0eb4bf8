package sbom

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"verdict"
)

const (
	openVEXDoc = `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://acme.example/vex-1","author":"Acme","timestamp":"2026-01-02T03:04:05Z","version":1,
"statements":[{"vulnerability":{"@id":"https://nvd.nist.gov/vuln/detail/CVE-2026-1","name":"CVE-2026-1","aliases":["GHSA-aaaa"]},"timestamp":"2026-01-03T00:00:00Z",
"products":[{"@id":"pkg:oci/cart@sha256%3A%d","hashes":{"sha-256":"%h"},"subcomponents":[{"@id":"pkg:npm/%40acme/left@1.0.0"}]}],
"status":"not_affected","justification":"vulnerable_code_not_present"},
{"vulnerability":{"@id":"https://x.example/CVE-2026-2"},"status":"fixed","products":[{"@id":"pkg:npm/right"}]}]}`

	cycloneDXDoc = `{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:1","metadata":{"timestamp":"2026-01-02T00:00:00Z","component":{"type":"application","name":"cart","bom-ref":"cart"}},
"components":[{"type":"library","name":"left","bom-ref":"l","purl":"pkg:npm/left@1.0.0"}],
"vulnerabilities":[{"id":"CVE-2026-1","references":[{"id":"GHSA-aaaa"}],"analysis":{"state":"not_affected","justification":"code_not_reachable","detail":"never called"},"affects":[{"ref":"l"}]},
{"id":"CVE-2026-2","analysis":{"state":"exploitable"},"affects":[{"ref":"cart"}]},
{"id":"CVE-2026-3","affects":[{"ref":"l"}]},
{"id":"CVE-2026-4","analysis":{"state":"resolved","lastUpdated":"2026-02-02T00:00:00Z"},"affects":[{"ref":"urn:cdx:f08a6ccd/1#pkg%3Anpm%2Fright%401","versions":[{"version":"2","status":"unaffected"},{"range":"vers:npm/<2"}]}]}]}`

	csafDoc = `{"document":{"category":"csaf_vex","csaf_version":"2.0","publisher":{"name":"Acme"},"tracking":{"id":"ACME-1","status":"final","current_release_date":"2026-01-02T00:00:00Z"}},
"product_tree":{"branches":[{"category":"vendor","name":"Acme","branches":[{"category":"product_version","name":"1.0.0","product":{"product_id":"P1","name":"left","product_identification_helper":{"purl":"pkg:npm/left"}}},
{"category":"product_version_range","name":"<1","product":{"product_id":"P2","name":"left, old","product_identification_helper":{"purl":"pkg:npm/left"}}}]}],
"full_product_names":[{"product_id":"CART","name":"cart","product_identification_helper":{"purl":"pkg:github/acme/cart"}}],
"relationships":[{"category":"default_component_of","product_reference":"P1","relates_to_product_reference":"CART","full_product_name":{"product_id":"CART:P1","name":"left in cart"}}],
"product_groups":[{"group_id":"G","product_ids":["CART:P1"]}]},
"vulnerabilities":[{"cve":"CVE-2026-1","product_status":{"known_not_affected":["CART:P1"],"known_affected":["P2"]},"flags":[{"label":"component_not_present","group_ids":["G"]}]}]}`
)

var someHex = strings.Repeat("a", 64)

func filled(doc string) string {
	return strings.NewReplacer("%d", someHex, "%h", someHex).Replace(doc)
}

func TestEachFormSaysTheSame(t *testing.T) {
	left, err := ParsePURL("pkg:npm/left@1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	scoped, _ := ParsePURL("pkg:npm/%40acme/left@1.0.0")
	cart := Ours{Service: "cart", Repo: "acme/cart", Digests: []verdict.Digest{verdict.NewDigest("sha256", someHex)}}
	for form, tc := range map[string]struct {
		doc  string
		want []string
		part PackageURL
	}{
		"OpenVEX": {filled(openVEXDoc), []string{"CVE-2026-1+GHSA-aaaa not_affected vulnerable_code_not_present 2026-01-03", "CVE-2026-2 fixed  2026-01-02"}, scoped},
		"CycloneDX": {cycloneDXDoc, []string{
			"CVE-2026-1+GHSA-aaaa not_affected vulnerable_code_not_in_execute_path 2026-01-02", "CVE-2026-2 affected  2026-01-02", "CVE-2026-4 fixed  2026-02-02",
		}, left},
		"CSAF": {csafDoc, []string{"CVE-2026-1 not_affected component_not_present 2026-01-02", "CVE-2026-1 affected  2026-01-02"}, left},
	} {
		t.Run(form, func(t *testing.T) {
			doc, err := ReadVEX([]byte(tc.doc))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range doc.Statements {
				got = append(got, fmt.Sprintf("%s %s %s %s", strings.Join(s.Vulnerabilities, "+"), s.Status, s.Justification, s.At.Format(time.DateOnly)))
			}
			if strings.Join(got, "\n") != strings.Join(tc.want, "\n") || doc.Form != form {
				t.Errorf("%s:\n%s\nwant\n%s", doc.Form, strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
			first := doc.Statements[0]
			if !first.Covers(tc.part, cart) {
				t.Errorf("it does not speak of %s in cart: %+v", tc.part, first)
			}
			if first.Covers(tc.part, Ours{Service: "other", Repo: "acme/other"}) {
				t.Error("it speaks of another product")
			}
			if other, _ := ParsePURL("pkg:npm/left@2.0.0"); first.Covers(other, cart) {
				t.Error("it speaks of another version")
			}
		})
	}
}

// What is below a range of versions has a package URL without one: read as it stands, it
// would excuse every version that there is.
func TestARangeOfVersionsIsNoVersion(t *testing.T) {
	doc, err := ReadVEX([]byte(strings.NewReplacer(`"known_affected":["P2"]`, `"fixed":["P2"]`).Replace(csafDoc)))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"", "@0.9.0", "@1.0.0"} {
		p, _ := ParsePURL("pkg:npm/left" + version)
		if doc.Statements[1].Covers(p, Ours{}) {
			t.Errorf("left%s is taken for one of the range", version)
		}
	}
}

func TestADocumentThatSaysTooLittleOrTwoThingsIsRefused(t *testing.T) {
	change := func(doc, from, to string) string {
		out := strings.Replace(filled(doc), from, to, 1)
		if out == filled(doc) {
			t.Fatalf("%q is not in the document", from)
		}
		return out
	}
	many := func(n int) string {
		one := `{"vulnerability":{"name":"CVE-1"},"status":"fixed"}`
		return `{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2026-01-02T03:04:05Z","statements":[` + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]}`
	}
	products := `"products":[` + strings.TrimSuffix(strings.Repeat(`{"@id":"pkg:npm/left"},`, maxVEXProducts+1), ",") + `]`
	for name, tc := range map[string]struct{ doc, what string }{
		"not_affected without a reason":             {change(openVEXDoc, `,"justification":"vulnerable_code_not_present"`, ""), "not why"},
		"a reason of white space":                   {change(openVEXDoc, `"justification":"vulnerable_code_not_present"`, `"impact_statement":"  "`), "not why"},
		"a status that there is not":                {change(openVEXDoc, `"status":"fixed"`, `"status":"unaffected"`), "is no status"},
		"no status":                                 {change(openVEXDoc, `"status":"fixed",`, ``), "is no status"},
		"a justification that there is not":         {change(openVEXDoc, `vulnerable_code_not_present`, `we_think_so`), "is no justification"},
		"no vulnerability":                          {change(openVEXDoc, `"@id":"https://x.example/CVE-2026-2"`, ``), "names no vulnerability"},
		"no time":                                   {change(openVEXDoc, `"timestamp":"2026-01-02T03:04:05Z",`, ``), "has no time"},
		"a name twice":                              {change(openVEXDoc, `"status":"fixed"`, `"status":"affected","status":"fixed"`), "stands twice"},
		"a name twice, in another case":             {change(openVEXDoc, `"status":"fixed"`, `"Status":"affected","status":"fixed"`), "stands twice"},
		"another version of OpenVEX":                {change(openVEXDoc, `v0.2.0`, `v0.9.0`), "another version"},
		"no statement":                              {`{"@context":"https://openvex.dev/ns/v0.2.0","statements":[]}`, "states nothing"},
		"another kind of document":                  {`{"hello":1}`, "none of the forms"},
		"nothing":                                   {``, "not well-formed"},
		"a document that is cut":                    {filled(openVEXDoc)[:300], "not well-formed"},
		"two documents":                             {many(1) + many(1), "not well-formed"},
		"text where a list belongs":                 {change(openVEXDoc, `"aliases":["GHSA-aaaa"]`, `"aliases":"GHSA-aaaa"`), "another kind of value"},
		"a nesting without an end":                  {`{"@context":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, "nests more than"},
		"100,000 statements":                        {many(100_000), "more than 20000 statements"},
		"more products than anybody reads":          {strings.Replace(many(1), `"status"`, products+`,"status"`, 1), "more than 100000 products"},
		"more bytes than are read":                  {many(1) + strings.Repeat(" ", MaxVEX), "bytes"},
		"CycloneDX: a state that there is not":      {change(cycloneDXDoc, `exploitable`, `fine`), "is no state"},
		"CycloneDX: a reason that there is not":     {change(cycloneDXDoc, `code_not_reachable`, `trust_me`), "is no justification"},
		"CycloneDX: a false positive for no reason": {change(cycloneDXDoc, `"not_affected","justification":"code_not_reachable","detail":"never called"`, `"false_positive"`), "not why"},
		"CycloneDX: a reference to nothing":         {change(cycloneDXDoc, `"affects":[{"ref":"l"}]`, `"affects":[{"ref":"m"}]`), "no component has"},
		"CycloneDX: a reference to two things":      {change(cycloneDXDoc, `"bom-ref":"cart"`, `"bom-ref":"l"`), "two components"},
		"CSAF: an advisory":                         {change(csafDoc, `csaf_vex`, `csaf_security_advisory`), "category"},
		"CSAF: a draft":                             {change(csafDoc, `final`, `draft`), "tracking status"},
		"CSAF: another version":                     {change(csafDoc, `"2.0"`, `"1.2"`), "no version of CSAF"},
		"CSAF: no reason":                           {change(csafDoc, `"group_ids":["G"]`, `"product_ids":["P1"]`), "not why"},
		"CSAF: a product that is not listed":        {change(csafDoc, `"known_affected":["P2"]`, `"known_affected":["P9"]`), "in no list"},
		"CSAF: both affected and not":               {change(csafDoc, `"known_affected":["P2"]`, `"known_affected":["CART:P1"]`), "both"},
		"CSAF: an id twice":                         {change(csafDoc, `"product_id":"P2"`, `"product_id":"P1"`), "stands twice"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadVEX([]byte(tc.doc))
			var e *verdict.Error
			if !errors.As(err, &e) || e.Remedy == "" || !strings.Contains(e.What, tc.what) {
				t.Errorf("got %v, want an error with a remedy that says %q", err, tc.what)
			}
		})
	}
}

func TestAProductIsOursByWhatNamesItAlone(t *testing.T) {
	commit := strings.Repeat("c", 40)
	ours := Ours{Service: "cart", Repo: "github.com/acme/cart", Digests: []verdict.Digest{verdict.NewDigest("gitCommit", commit), verdict.NewDigest("sha256", someHex)}}
	for name, want := range map[string]bool{
		"pkg:github/acme/cart": true, "pkg:github/ACME/Cart@" + commit: true, "pkg:golang/github.com/acme/cart": true, "pkg:oci/cart@sha256:" + someHex: true,
		"https://github.com/acme/cart.git": true, "git+https://github.com/acme/cart@" + commit: true, "git@github.com:acme/cart.git": true, "cart": true,
		"gitCommit:" + commit: true, "pkg:generic/cart": true,
		"pkg:github/acme/cart@v1.0.0": false, "pkg:github/acme/cart2": false, "pkg:gitlab/acme/cart": false, "pkg:npm/cart": false, "pkg:oci/cart@sha256:00": false,
		"https://github.com/acme/cart@v1": false, "https://evil.example/acme/cart": false, "Cart": false, "": false, "pkg:golang/github.com/acme/cart#sub": false,
	} {
		if got := ours.Is(VEXProduct{Names: []string{name}}); got != want {
			t.Errorf("%q is ours: %t", name, got)
		}
	}
	if (Ours{}).Is(VEXProduct{Names: []string{"", "pkg:github/acme/cart", "/"}}) {
		t.Error("what has no name is taken for something")
	}
}

func TestAStatementIsAsNarrowAsItsPackageURL(t *testing.T) {
	for _, tc := range []struct {
		said, component string
		want            bool
	}{
		{"pkg:npm/left", "pkg:npm/left@1", true},
		{"pkg:npm/left@1", "pkg:npm/left@1?repository_url=x.example", true},
		{"pkg:npm/left@1?repository_url=x.example", "pkg:npm/left@1", false},
		{"pkg:maven/g/a@1?type=jar", "pkg:maven/g/a@1", true},
		{"pkg:golang/golang.org/x/net@0.1.0", "pkg:golang/golang.org/x/net@v0.1.0", true},
		{"pkg:golang/golang.org/x/net@v0.1.0#http2", "pkg:golang/golang.org/x/net@v0.1.0", false},
		{"pkg:pypi/Left_Pad@1", "pkg:pypi/left-pad@1", true},
		{"pkg:npm/left@1", "pkg:pypi/left@1", false},
		{"cpe:2.3:a:acme:left:1", "pkg:npm/left@1", false},
	} {
		c, err := ParsePURL(tc.component)
		if err != nil {
			t.Fatal(err)
		}
		if got := (VEXProduct{Names: []string{tc.said}}).Is(c); got != tc.want {
			t.Errorf("%s names %s: %t", tc.said, tc.component, got)
		}
	}
}

func FuzzVEX(f *testing.F) {
	for _, doc := range []string{filled(openVEXDoc), cycloneDXDoc, csafDoc} {
		f.Add([]byte(doc))
	}
	left, _ := ParsePURL("pkg:npm/left@1.0.0")
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := ReadVEX(raw)
		if err != nil {
			var e *verdict.Error
			if !errors.As(err, &e) || e.Remedy == "" {
				t.Fatalf("an error without a remedy: %v", err)
			}
			return
		}
		for _, s := range doc.Statements {
			s.Covers(left, Ours{Service: "cart"})
			if s.Status == NotAffected && s.Justification == "" && strings.TrimSpace(s.Impact) == "" || s.At.IsZero() || len(s.Vulnerabilities) == 0 {
				t.Fatalf("a statement that should have been refused: %+v", s)
			}
		}
	})
}
