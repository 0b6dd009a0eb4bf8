package decide_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
)

// vexMap lets the key "product-security" state vex about payments, and nobody else.
const vexMap = `schema: verdict/v1
services:
  payments: {repo: github.com/acme/payments}
  cart: {repo: github.com/acme/cart}
sources:
  advisories: {max_age: 3650d}
  product-security: {kinds: [vex], max_age: 180d}
trust:
  - {name: own, key: local, kinds: ["*"], services: ["*"], environments: []}
  - {name: product security, key: product-security, kinds: [vex], services: [payments], environments: []}
  - {name: helpers, key: helper, kinds: [vex], services: [payments], environments: []}
`

// vexStated is one OpenVEX statement, recorded.
type vexStated struct {
	signer, service string
	status          string // or a justification of not_affected
	product, part   string
	about           verdict.Subject // the commit that is judged, if empty
	at              time.Duration   // since the start
	id              string
	damaged         bool
}

func (h *house) vex(x vexStated) verdict.Ref {
	h.t.Helper()
	statement := map[string]any{"vulnerability": map[string]any{"name": "GHSA-x", "aliases": []string{"CVE-1"}}, "status": x.status}
	if x.id != "" {
		statement["vulnerability"] = map[string]any{"name": x.id}
	}
	if strings.Contains(x.status, "present") || strings.Contains(x.status, "path") {
		statement["status"], statement["justification"] = "not_affected", x.status
	}
	if x.product != "" {
		product := map[string]any{"@id": x.product}
		if x.part != "" {
			product["subcomponents"] = []any{map[string]any{"@id": x.part}}
		}
		statement["products"] = []any{product}
	}
	doc := map[string]any{
		"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://acme.example/vex", "author": "ps", "version": 1,
		"timestamp": h.now.Add(x.at).Format(time.RFC3339), "statements": []any{statement},
	}
	if x.damaged {
		doc["statements"] = "gone"
	}
	raw, err := json.Marshal(doc)
	must(h.t, err)
	about := commit
	if x.about.Digest != "" {
		about = x.about
	}
	s, err := evidence.New(verdict.KindVEX, []verdict.Subject{about}, json.RawMessage(raw), verdict.Context{At: h.now, Service: x.service}, rand.Reader)
	must(h.t, err)
	return h.append(x.signer, s).Ref()
}

var earlier = verdict.Subject{Kind: verdict.SubjectChange, Name: "payments", Digest: verdict.NewDigest("gitCommit", strings.Repeat("b", 40))}

const (
	unreached = "vulnerable_code_not_in_execute_path"
	removed   = "vulnerable_code_not_present"
)

// A statement that should not count and does lets a vulnerable package through; one that
// should and does not stops a team for nothing.
func TestOnlyATrustedStatementAboutThisExcuses(t *testing.T) {
	at := func(commit string) string { return "pkg:github/acme/payments@" + commit }
	for name, tc := range map[string]struct {
		said    []vexStated
		service string
		allowed bool
		told    string // in the note
	}{
		"about the component itself":                       {[]vexStated{{status: unreached, product: "pkg:npm/lodash@4.17.20"}}, "payments", true, "stated to be not_affected (" + unreached + ")"},
		"about the component in any version":               {[]vexStated{{status: unreached, product: "pkg:npm/lodash"}}, "payments", true, "entry 3"},
		"about a part of the service, for all its commits": {[]vexStated{{status: unreached, product: "pkg:github/acme/payments", part: "pkg:npm/lodash", about: earlier, service: "payments"}}, "payments", true, ""},
		"about all of this commit":                         {[]vexStated{{status: "fixed", product: at(commit.Digest.Hex())}}, "payments", true, "stated to be fixed"},
		"about whatever the evidence is about":             {[]vexStated{{status: unreached}}, "payments", true, ""},
		"about another version of the component":           {[]vexStated{{status: unreached, product: "pkg:npm/lodash@4.17.19"}}, "payments", false, "names another product"},
		"about another repository":                         {[]vexStated{{status: unreached, product: "pkg:github/acme/cart", part: "pkg:npm/lodash"}}, "payments", false, "names another product"},
		"about a version that cannot be told":              {[]vexStated{{status: unreached, product: at("v1.2.0")}}, "payments", false, "names another product"},
		"about another commit, and no service":             {[]vexStated{{status: unreached, about: earlier}}, "payments", false, ""},
		"about another service":                            {[]vexStated{{status: unreached, about: earlier, service: "cart"}}, "payments", false, ""},
		"by one who is trusted with another service":       {[]vexStated{{status: unreached, service: "payments"}}, "cart", false, "does not trust its signer"},
		"about another vulnerability":                      {[]vexStated{{status: unreached, id: "CVE-2"}}, "payments", false, ""},
		"by a stranger":                                    {[]vexStated{{signer: "mallory", status: unreached}}, "payments", false, "does not trust its signer"},
		"by a key that may state everything":               {[]vexStated{{signer: "local", status: unreached}}, "payments", false, "does not trust its signer"},
		"from the future":                                  {[]vexStated{{status: unreached, at: time.Hour}}, "payments", false, "after it was recorded"},
		"from too long ago":                                {[]vexStated{{status: unreached, at: -200 * 24 * time.Hour}}, "payments", false, "older than max_age 180d"},
		"affected":                                         {[]vexStated{{status: "affected"}}, "payments", false, ""},
		"under investigation":                              {[]vexStated{{status: "under_investigation"}}, "payments", false, ""},
		"taken back":                                       {[]vexStated{{status: unreached, at: -time.Hour}, {status: "affected"}}, "payments", false, ""},
		"taken back earlier than it was said":              {[]vexStated{{status: unreached}, {status: "affected", at: -time.Hour}}, "payments", true, ""},
		"taken back by a weaker one":                       {[]vexStated{{status: unreached, at: -time.Hour}, {signer: "helper", status: "affected"}}, "payments", false, ""},
		"said by a weaker one against a stronger one":      {[]vexStated{{status: "affected", at: -time.Hour}, {signer: "helper", status: unreached}}, "payments", false, ""},
		"said again by a stronger one":                     {[]vexStated{{signer: "helper", status: "affected", at: -time.Hour}, {status: unreached}}, "payments", true, ""},
		"followed by what cannot be read":                  {[]vexStated{{status: unreached, at: -time.Hour}, {status: unreached, damaged: true}}, "payments", false, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, vexMap)
			for _, key := range []string{"product-security", "helper", "mallory"} {
				h.enroll(key)
			}
			h.report("local", h.vulnerable("4.17.21", time.Hour))
			for _, x := range tc.said {
				if x.signer == "" {
					x.signer = "product-security"
				}
				h.vex(x)
			}
			d := h.decideFor("ci.vulnerabilities", tc.service)
			if allowed := d.Outcome == verdict.Allow; allowed != tc.allowed {
				t.Errorf("outcome %s: %+v", d.Outcome, d.Reasons)
			}
			note := ""
			for _, r := range d.Reasons {
				if r.Rule == "ci.vulnerabilities.stated" {
					note = fmt.Sprint(r.Items)
				}
			}
			if !strings.Contains(note, strings.ReplaceAll(tc.told, "entry 3", "entry ")) || tc.told == "" && !tc.allowed && note != "" {
				t.Errorf("told %q, want %q", note, tc.told)
			}
			if again := h.replay(d.ID); !again.Same {
				t.Errorf("replay differs: %s", again.Difference)
			}
		})
	}
}

// Whoever may state what was found may not also state that it does not matter: the
// pipeline's key is in the hands of the change's author.
func TestTheFinderOfAVulnerabilityDoesNotExcuseIt(t *testing.T) {
	h := newHouse(t, strings.Replace(vexMap, `kinds: ["*"]`, `kinds: ["*", vex]`, 1))
	h.report("local", h.vulnerable("4.17.21", time.Hour))
	h.vex(vexStated{signer: "local", status: unreached})
	d := h.decideFor("ci.vulnerabilities", "payments")
	if d.Outcome != verdict.Deny || !strings.Contains(fmt.Sprint(d.Reasons), "another one has to state it") {
		t.Errorf("outcome %s: %+v", d.Outcome, d.Reasons)
	}
}

func TestWhatIsExploitedOrMaliciousIsNotExcusedByHowItIsReached(t *testing.T) {
	for name, tc := range map[string]struct {
		status               string
		exploited, malicious bool
		allowed              bool
	}{
		"exploited, and not reached":    {unreached, true, false, false},
		"exploited, and not there":      {removed, true, false, true},
		"exploited, and fixed":          {"fixed", true, false, true},
		"malicious, and not there":      {removed, false, true, false},
		"malicious, and said mended":    {"fixed", false, true, false},
		"neither of them, not in reach": {unreached, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, vexMap)
			h.enroll("product-security")
			r := h.vulnerable("4.17.21", time.Hour)
			r.Hits[0].Vulnerability.Exploited, r.Hits[0].Vulnerability.Malicious = tc.exploited, tc.malicious
			h.report("local", r)
			ref := h.vex(vexStated{signer: "product-security", status: tc.status})
			d := h.decideFor("ci.vulnerabilities", "payments")
			if allowed := d.Outcome == verdict.Allow; allowed != tc.allowed {
				t.Errorf("outcome %s: %+v", d.Outcome, d.Reasons)
			}
			if d.Evidence[len(d.Evidence)-1].Index != ref.Index {
				t.Errorf("the decision does not name the statement as evidence: %+v", d.Evidence)
			}
		})
	}
}
