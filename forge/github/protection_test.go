package github

import (
	"net/http"
	"testing"

	"verdict/forge"
	"verdict/forge/forgetest"
)

const (
	branchPath  = "/repos/acme/house/branches/release%2F1.0"
	classicPath = branchPath + "/protection"
	rulesPath   = "/repos/acme/house/rules/branches/release%2F1.0"
	setPath     = "/repos/acme/house/rulesets/5"
)

const demanding = `[{"type":"pull_request","ruleset_id":5,"parameters":{"required_approving_review_count":2,"dismiss_stale_reviews_on_push":true,"require_code_owner_review":true}},
	{"type":"non_fast_forward","ruleset_id":5},{"type":"required_signatures","ruleset_id":6},{"type":"of the future","ruleset_id":7}]`

type answer struct {
	path   string
	status int
	body   string
}

func TestProtectionIsCertainOrMissing(t *testing.T) {
	full := forge.Protection{Known: true, RequiresReview: true, DismissesStale: true, RequiresCodeOwner: true, ForbidsForcePush: true, AppliesToAdmins: true, RequiresSigned: true}
	but := func(change func(*forge.Protection)) forge.Protection { p := full; change(&p); return p }
	ruleset := answer{rulesPath, 200, demanding}
	none := answer{classicPath, 404, `{"message":"Branch not protected"}`}
	hidden := answer{classicPath, 403, `{"message":"Resource not accessible by integration"}`}
	for _, c := range []struct {
		name     string
		answers  []answer
		want     forge.Protection
		required int64
		missing  []string
	}{
		{"a ruleset that exempts nobody", []answer{ruleset, none, {setPath, 200, `{"bypass_actors":[]}`}}, full, 2, nil},
		{"a ruleset that exempts somebody", []answer{ruleset, none, {setPath, 200, `{"bypass_actors":[{"actor_type":"Team"}]}`}},
			but(func(p *forge.Protection) { p.AppliesToAdmins = false }), 2, nil},
		{"a ruleset whose exemptions are not told", []answer{ruleset, none, {setPath, 200, `{}`}},
			but(func(p *forge.Protection) { p.AppliesToAdmins = false }), 2, []string{forge.MissingAdmins}},
		{"what a workflow's token sees of a ruleset", []answer{ruleset, hidden, {setPath, 200, `{}`}},
			but(func(p *forge.Protection) { p.AppliesToAdmins, p.Known = false, false }), 2, []string{forge.MissingProtection, forge.MissingAdmins}},
		{"the older protection hidden, no ruleset", []answer{{rulesPath, 200, `[]`}, hidden}, forge.Protection{}, forge.Unknown, []string{forge.MissingProtection, forge.MissingRequired}},
		{"the older protection not found, which may be about the token", []answer{{rulesPath, 200, `[]`}, {classicPath, 404, `{"message":"Not Found"}`}},
			forge.Protection{}, forge.Unknown, []string{forge.MissingProtection, forge.MissingRequired}},
		{"rules that the plan of the organisation hides", []answer{{rulesPath, 403, `{"message":"Upgrade to GitHub Pro"}`}, none}, forge.Protection{}, forge.Unknown, []string{forge.MissingProtection, forge.MissingRequired}},
		{"a branch that says that nothing protects it", []answer{{rulesPath, 200, `[]`}, {branchPath, 200, `{"protected":false}`}, hidden}, forge.Protection{Known: true}, 0, nil},
		{"a branch that says nothing", []answer{{rulesPath, 200, `[]`}, {branchPath, 200, `{}`}, hidden}, forge.Protection{}, forge.Unknown, []string{forge.MissingProtection, forge.MissingRequired}},
		{"both, and the stricter counts", []answer{{rulesPath, 200, `[{"type":"pull_request","ruleset_id":5,"parameters":{"required_approving_review_count":1}}]`},
			{classicPath, 200, `{"required_pull_request_reviews":{"required_approving_review_count":3},"enforce_admins":{"enabled":true}}`}},
			forge.Protection{Known: true, RequiresReview: true, AppliesToAdmins: true}, 3, nil},
		{"the older protection with somebody who may pass by", []answer{{rulesPath, 200, `[]`},
			{classicPath, 200, `{"required_pull_request_reviews":{"required_approving_review_count":1,"bypass_pull_request_allowances":{"users":[{"login":"x"}]}},"enforce_admins":{"enabled":true}}`}},
			forge.Protection{Known: true, RequiresReview: true}, 1, nil},
		{"a pull request without any approval is no review", []answer{{rulesPath, 200, `[{"type":"pull_request","ruleset_id":5,"parameters":{"required_approving_review_count":0}}]`}, none},
			forge.Protection{Known: true}, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := forgetest.GitHub.Serve(forgetest.Basic())
			for _, a := range c.answers {
				h = forgetest.Override(h, a.path, a.status, a.body)
			}
			got := read(t, h)
			if got.Protection != c.want || got.Required != c.required {
				t.Errorf("%+v with %d approvals, want %+v with %d", got.Protection, got.Required, c.want, c.required)
			}
			if len(got.Missing) != len(c.missing) {
				t.Errorf("missing %+v, want %q", got.Missing, c.missing)
			}
			for _, m := range c.missing {
				if !got.Lacks(m) {
					t.Errorf("%s is not missing: %+v", m, got.Missing)
				}
			}
		})
	}
}

func read(t *testing.T, h http.Handler) forge.Request {
	t.Helper()
	r, err := New(forgetest.GitHub.Place(forgetest.Start(t, h)), forgetest.Token, forge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Request(t.Context(), "12")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// On a public repository everybody can approve, and GitHub does not count it.
func TestApprovalOfWhoeverComesByIsNotEntitled(t *testing.T) {
	const path = "/repos/acme/house/collaborators/bob/permission"
	for _, c := range []struct {
		name     string
		status   int
		body     string
		entitled bool
		lacks    bool
	}{
		{"may write", 200, `{"permission":"write","user":{"id":102}}`, true, false},
		{"is an administrator", 200, `{"permission":"admin","user":{"id":102}}`, true, false},
		{"may read, as everybody", 200, `{"permission":"read","user":{"id":102}}`, false, false},
		{"the name has another owner now", 200, `{"permission":"admin","user":{"id":666}}`, false, false},
		{"nobody tells", 403, `{"message":"Must have push access"}`, false, true},
	} {
		got := read(t, forgetest.Override(forgetest.GitHub.Serve(forgetest.Basic()), path, c.status, c.body))
		if v := got.Reviews[0]; v.Entitled != c.entitled || got.Lacks(forge.MissingEntitled) != c.lacks {
			t.Errorf("%s: entitled %v, missing %v", c.name, v.Entitled, got.Missing)
		}
	}
}

// Where GitHub does not write null it names the account @ghost, which is a real one.
func TestGhostIsNobody(t *testing.T) {
	h := forgetest.Override(forgetest.GitHub.Serve(forgetest.Basic()), "/repos/acme/house/pulls/12/reviews", 200,
		`[{"user":{"login":"ghost","id":10137,"type":"User"},"state":"APPROVED","commit_id":"2222222222222222222222222222222222222222"}]`)
	if got := read(t, h); len(got.Reviews) != 1 || got.Reviews[0].By.ID != "" || got.Reviews[0].Entitled || !got.Lacks(forge.MissingEntitled) {
		t.Errorf("%+v", got.Reviews)
	}
}

func TestWordsThatGitHubDoesNotHaveAreErrors(t *testing.T) {
	for path, body := range map[string]string{
		"/repos/acme/house/pulls/12":         `{"number":12,"state":"half open","head":{"sha":"1111111111111111111111111111111111111111"},"base":{"ref":"main"}}`,
		"/repos/acme/house/pulls/12/reviews": `[{"user":null,"state":"SHRUGGED"}]`,
	} {
		h := forgetest.Override(forgetest.GitHub.Serve(forgetest.Basic()), path, 200, body)
		r, err := New(forgetest.GitHub.Place(forgetest.Start(t, h)), forgetest.Token, forge.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Request(t.Context(), "12"); err == nil {
			t.Errorf("%s: an unknown word was taken for something: %+v", path, got)
		}
	}
}
