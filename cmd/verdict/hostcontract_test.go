package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"verdict/identity"
	"verdict/server"
)

// contract is the document of the API, as far as the tests read it.
type contract struct {
	OpenAPI string                          `json:"openapi"`
	Paths   map[string]map[string]operation `json:"paths"`
	Schemas struct {
		Schemas map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	OperationID string                `json:"operationId"`
	Summary     string                `json:"summary"`
	Security    []map[string][]string `json:"security"`
	Parameters  []struct {
		Name, In, Description string
		Required              bool
	} `json:"parameters"`
	RequestBody any                 `json:"requestBody"`
	Responses   map[string]response `json:"responses"`
}

type response struct {
	Content map[string]any `json:"content"`
}

// wholeAPI is a control plane with every route of verdict serve, over an image that was
// judged.
func wholeAPI(t *testing.T) (*served, contract, *jsonschema.Compiler) {
	t.Helper()
	x := servingData(t, oneImage(t))
	status, text := x.get("viewer", "/openapi.json")
	if status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	var c contract
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("openapi.json", decoded(t, text)); err != nil {
		t.Fatal(err)
	}
	return x, c, compiler
}

// samples are requests that succeed, for each operation: who asks, the address, the body.
var samples = map[string]struct{ as, path, body string }{
	"why":                     {"viewer", "/why?ref=" + pictureD, ""},
	"trail":                   {"viewer", "/trail?ref=" + pictureD, ""},
	"list-environments":       {"viewer", "/environments", ""},
	"environment":             {"", "", "the built-in map has none: TestTheAPIAnswersAsTheCommandsDo asks the list"},
	"where-runs":              {"viewer", "/where?what=" + url.QueryEscape("pkg:npm/lodash"), ""},
	"list-findings":           {"viewer", "/findings", ""},
	"list-exceptions":         {"viewer", "/exceptions", ""},
	"decide":                  {"dev", "/decisions", askedSecrets},
	"checkpoint":              {"viewer", "/checkpoint", ""},
	"position":                {"viewer", "/position?time=2126-01-01T00:00:00Z", ""},
	"list-key-events":         {"viewer", "/key-events", ""},
	"list-entries":            {"viewer", "/entries?limit=2", ""},
	"list-log":                {"viewer", "/log/entries?from=0&limit=2", ""},
	"list-arrivals":           {"viewer", "/arrivals?origin=other.example&from=0", ""},
	"list-standing":           {"viewer", "/standing?kind=key", ""},
	"entry":                   {"viewer", "/entries/1", ""},
	"entry-bundle":            {"viewer", "/entries/1/bundle", ""},
	"entry-logged":            {"viewer", "/entries/1/logged", ""},
	"entry-leaf":              {"viewer", "/entries/1/leaf", ""},
	"entry-proof":             {"viewer", "/entries/1/proof", ""},
	"consistency":             {"viewer", "/consistency?from=1&to=2", ""},
	"list-decisions":          {"viewer", "/decisions", ""},
	"list-running":            {"viewer", "/running", ""},
	"sign-receipt":            {"admin", "/log/receipts", ""},
	"sweep":                   {"admin", "/log/sweeps", ""},
	"ask-witnesses":           {"", "", "TestAServerAsksItsWitnesses asks them"},
	"list-witnesses":          {"viewer", "/log/witnesses", ""},
	"list-advisories":         {"", "", "TestAServersVulnerabilityDataAreRenewedOverTheAPI reads them"},
	"update-advisories":       {"", "", "TestAServersVulnerabilityDataAreRenewedOverTheAPI renews them"},
	"import-advisories":       {"", "", "TestAdvisoriesAreSentToAServerWithoutNetwork sends them"},
	"remove-advisories":       {"", "", "TestAdvisoriesAreSentToAServerWithoutNetwork removes them"},
	"replay":                  {"", "", "TestADecisionIsTakenAgainOverTheAPI asks it"},
	"backtest":                {"", "", "TestRulesAreTriedOnWhatWasDecidedOverTheAPI asks it"},
	"show-me":                 {"viewer", "/me", ""},
	"list-roles":              {"admin", "/roles", ""},
	"list-sessions":           {"admin", "/sessions", ""},
	"list-tokens":             {"admin", "/tokens", ""},
	"grant-role":              {"admin", "/roles", `{"subject":"person:jane","role":"viewer","scope":{"services":["*"],"teams":["*"],"environments":["*"]},"reason":"a test"}`},
	"events":                  {"", "", "TestLiveEventsNameWhatIsNew"},
	"record-evidence":         {"", "", "the tests of remote commands record through it"},
	"sync":                    {"", "", "TestScripts sends logs through it"},
	"exchange-token":          {"", "", "the tests of package server sign in through it"},
	"create-token":            {"", "", "the tests of package server make tokens"},
	"revoke-token":            {"", "", "the tests of package server revoke tokens"},
	"revoke-session":          {"", "", "the tests of package server revoke sessions"},
	"revoke-role":             {"", "", "the tests of package server take roles"},
	"end-session":             {"", "", "the tests of package server sign out"},
	"decision":                {"", "", "TestTheServerDecides reads one"},
	"where":                   {"", "", "the tests of remote commands ask it"},
	"listed":                  {"", "", "the tests of remote commands ask it"},
	"blob":                    {"", "", "the tests of remote commands read blobs"},
	"put-blob":                {"", "", "the tests of remote commands write blobs"},
	"show-actor":              {"", "", "the tests of package server name actors"},
	"erase-actor":             {"", "", "the tests of package server erase actors"},
	"changes":                 {"", "", "the built-in map has no environment: TestTheAPIAnswersAsTheCommandsDo asks one"},
	"artifact":                {"viewer", "/artifacts/" + pictureD, ""},
	"artifact-sbom":           {"viewer", "/artifacts/" + pictureD + "/sbom", ""},
	"map-in-force":            {"viewer", "/map", ""},
	"policy-in-force":         {"viewer", "/policy", ""},
	"list-policies":           {"viewer", "/policies", ""},
	"list-people":             {"viewer", "/people", ""},
	"draw-map":                {"", "", "TestTheMapOfAServerIsDrawn looks at it"},
	"lint-map":                {"viewer", "/map/lint", `{"content":"schema: verdict/v1\nenvironments: {production: {tier: prod}}\n"}`},
	"diff-map":                {"viewer", "/map/diff", `{"content":"schema: verdict/v1\nenvironments: {production: {tier: prod}}\n"}`},
	"try-admission":           {"", "", "TestATrialIsAnsweredFromWhatItsCallerMaySee has a cluster"},
	"list-keys":               {"viewer", "/keys", ""},
	"show-key":                {"viewer", "/keys/local", ""},
	"log-key":                 {"viewer", "/log/key", ""},
	"exceptions-openvex":      {"", "", "TestAcceptedRisksLeaveAsOthersReadThem has some"},
	"exceptions-azure-policy": {"viewer", "/exceptions/azure-policy?assignment=x", ""},
	"log-epochs":              {"viewer", "/log/epochs", ""},
	"log-bodies":              {"viewer", "/log/bodies?from=0&limit=2", ""},
	"log-epoch-tile":          {"viewer", "/log/epochs/1/tile?tile=" + url.QueryEscape("tile/0/000.p/1"), ""},
	"list-break-glass":        {"viewer", "/break-glass", ""},
	"exception":               {"", "", "TestAnExceptionWithoutKeys shows one"},
	"answer-decision":         {"", "", "TestAPersonWithoutAKeyApproves"},
	"withdraw-answer":         {"", "", "TestAPersonWithoutAKeyApproves"},
	"ask-exception":           {"", "", "TestAnExceptionWithoutKeys"},
	"approve-exception":       {"", "", "TestAnExceptionWithoutKeys"},
	"revoke-exception":        {"", "", "TestAnExceptionWithoutKeys"},
	"break-glass":             {"", "", "TestAnEmergencyWithoutKeys"},
	"review-break-glass":      {"", "", "TestAnEmergencyWithoutKeys"},
}

// Every operation of the API has a sample or the name of the test that has one, refuses who
// is not signed in, refuses who has no role, and answers what its document promises. A new
// route without all of that fails here.
func TestEveryRouteKeepsItsContract(t *testing.T) {
	x, c, compiler := wholeAPI(t)
	if c.OpenAPI != "3.1.0" {
		t.Errorf("the document says that it is OpenAPI %s", c.OpenAPI)
	}
	seen := map[string]bool{}
	for path, methods := range c.Paths {
		for method, o := range methods {
			seen[o.OperationID] = true
			t.Run(o.OperationID, func(t *testing.T) { x.holds(t, compiler, method, path, o) })
		}
	}
	for id := range samples {
		if !seen[id] {
			t.Errorf("the sample %s is of no operation", id)
		}
	}
}

func (x *served) holds(t *testing.T, compiler *jsonschema.Compiler, method, path string, o operation) {
	if o.OperationID == "" || o.Summary == "" || len(o.Responses) < 2 {
		t.Errorf("%s %s is not described: %+v", method, path, o)
	}
	sample, known := samples[o.OperationID]
	if !known {
		t.Fatalf("%s %s has no sample: add one, or name the test that asks it", method, path)
	}
	x.refuses(t, method, path, o)
	if sample.as == "" {
		return
	}
	status, body := x.do(sample.as, strings.ToUpper(method), server.Prefix+sample.path, sample.body)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	at := fmt.Sprintf("openapi.json#/paths/%s/%s/responses/200/content/application~1json/schema", strings.ReplaceAll(url.PathEscape(path), "%2F", "~1"), method)
	s, err := compiler.Compile(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(decoded(t, body)); err != nil {
		t.Errorf("the answer is not what the document says: %v\n%s", err, body)
	}
}

// Whoever writes a program against the API guesses a field by the others: all are in snake_case,
// but those of formats of others, and each parameter says what it is.
func TestTheAPINamesAndExplainsEverythingAlike(t *testing.T) {
	_, c, _ := wholeAPI(t)
	snake := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	foreign := regexp.MustCompile(`^(Exemption|Vex)`) // Azure Policy, OpenVEX
	for name, s := range c.Schemas.Schemas {
		for field := range s.Properties {
			if !snake.MatchString(field) && !foreign.MatchString(name) {
				t.Errorf("%s has a field %q", name, field)
			}
		}
	}
	for path, methods := range c.Paths {
		for method, o := range methods {
			for _, p := range o.Parameters {
				if p.Description == "" || p.In == "query" && !snake.MatchString(p.Name) {
					t.Errorf("%s %s: %s %q is described as %q", method, path, p.In, p.Name, p.Description)
				}
			}
		}
	}
	if len(c.Schemas.Schemas) < 100 {
		t.Errorf("%d schemas are described", len(c.Schemas.Schemas))
	}
}

// refuses asks as nobody and as somebody without a role.
func (x *served) refuses(t *testing.T, method, path string, o operation) {
	t.Helper()
	if len(o.Security) == 0 {
		if !slices.Contains([]string{"show-me", "exchange-token"}, o.OperationID) {
			t.Errorf("%s %s asks nobody to sign in", method, path)
		}
		return
	}
	address := strings.NewReplacer("{index}", "1", "{id}", "x", "{digest}", pictureD, "{environment}", "e", "{key}", "local").Replace(path)
	for as, want := range map[string]int{"": 401, "nobody": 403} {
		status, body := x.do(as, strings.ToUpper(method), address, "")
		var p server.Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil || status != want || p.Status != want || p.Remedy == "" {
			t.Errorf("%s %s as %q: %d %s", method, path, as, status, body)
		}
	}
}

func init() {
	testCallers["nobody"] = identity.Caller{Actor: "a-nobody"}
	testCallers["admin"] = identity.Caller{Actor: "a-admin", Grants: []identity.Grant{{Role: identity.Admin, Scope: identity.Anywhere()}}}
}
