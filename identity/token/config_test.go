package token_test

import (
	"encoding/json"
	"strings"
	"testing"

	"verdict"
	"verdict/identity"
	"verdict/identity/token"
)

const rule = `schema: verdict.sign-in/v1
workloads:
  - name: release
    kind: github
    match: {repository_id: 123, environment: prod}
    workload: repo:acme/shop:environment:prod
    grants:
      - {role: developer, services: [shop], environments: [prod]}
`

// A sign-in file that says less than its author meant lets in whom he did not mean.
func TestASignInFileThatDoesNotSayWhoIsMeantIsRefusedWithARemedy(t *testing.T) {
	change := func(old, next string) string {
		out := strings.Replace(rule, old, next, 1)
		if out == rule {
			t.Fatalf("%q does not change the file", old)
		}
		return out
	}
	person := `people:
  - {name: acme, issuer: "https://login.microsoftonline.com/t/v2.0", client_id: c, system: entra, claim: oid}
`
	if _, err := token.ReadConfig("f", []byte(rule+person)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ file, what, remedy string }{
		"empty":                        {"", "not YAML", "schema"},
		"two documents":                {rule + "---\n" + rule, "more than one document", "one per file"},
		"no schema":                    {change("schema: verdict.sign-in/v1\n", ""), "schema is", "begin the file"},
		"a key that is misspelt":       {change("match:", "macth:"), `"macth" is not known`, "did you mean match?"},
		"a key that stands twice":      {change("kind: github", "kind: github\n    kind: gitlab"), "stands twice", "keep one"},
		"an alias":                     {change("{repository_id: 123, environment: prod}", "&m {repository_id: 123}"), "an anchor", "write the value out"},
		"a list for keys":              {change("  - name: release\n    kind", "  - - release\n  - kind"), "expected keys", "sign-in.md"},
		"a kind that is misspelt":      {change("kind: github", "kind: githb"), "of the kind", "did you mean github?"},
		"no immutable claim":           {change("repository_id: 123, ", ""), "no claim that stays", "repository_id, or repository_owner_id"},
		"no claim at all":              {change("    match: {repository_id: 123, environment: prod}\n", ""), "no claim that stays", "repository_id"},
		"an empty claim":               {change("repository_id: 123", "repository_id: ''"), "cannot be read", "sign-in.md"},
		"an empty list":                {change("repository_id: 123", "repository_id: []"), "match.repository_id is empty", "to the letter"},
		"the subject":                  {change("environment: prod}", "sub: x}"), "match.sub is nothing to know", "match ids"},
		"the name of a repository":     {change("environment: prod}", "repository: acme/shop}"), "match.repository is nothing", "repository_id"},
		"a claim that there is not":    {change("environment: prod}", "enviroment: prod}"), "no claim that a rule", "did you mean environment?"},
		"a workload for everybody":     {change("workload: repo:acme/shop:environment:prod", "workload: 'repo:*'"), "workload", "repo:acme/shop"},
		"a workload without a name":    {change("    workload: repo:acme/shop:environment:prod\n", ""), "workload is missing", "trust:"},
		"a workload of another claim":  {change("workload: repo:acme/shop", "workload: repo:{sub}"), `"sub"`, "{claim}"},
		"a role that there is not":     {change("role: developer", "role: develper"), "gives the role", "did you mean developer?"},
		"a role that holds nowhere":    {change("services: [shop], ", ""), "holds nowhere", "services:"},
		"roles that belong to nobody":  {rule + "      - {role: security, services: [shop]}\n", "developer, security together", "two different"},
		"an issuer in the clear":       {change("kind: github", "kind: github\n    issuer: http://token.example"), "no https issuer", "issuer:"},
		"every tenant":                 {rule + strings.Replace(person, "com/t/", "com/common/", 1), "every tenant", "TENANT"},
		"people by their address":      {rule + strings.Replace(person, "claim: oid", "claim: email", 1), "can change hands", "oid"},
		"a secret in the file":         {rule + strings.Replace(person, "client_id: c", "client_id: c, client_secret: hunter2", 1), "no reference", "env:NAME"},
		"an organisation left out":     {change("kind: github", "kind: azure-pipelines\n    issuer: https://vstoken.dev.azure.com/"), "kind azure-pipelines and of the issuer", "one organisation"},
		"kubernetes without an issuer": {change("kind: github", "kind: kubernetes"), "no https issuer", "issuer:"},
		"a lifetime that is none":      {rule + "issuers: [{url: 'https://i.example', lifetime: soon}]\n", "cannot be read", "sign-in.md"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := token.ReadConfig("sign-in.yaml", []byte(c.file))
			e := verdict.AsError(err)
			if e == nil || e.Code == verdict.CodeInternal || !strings.Contains(e.Error(), c.what) || !strings.Contains(e.Remedy, c.remedy) || !strings.Contains(e.Error(), "sign-in.yaml") {
				t.Errorf("%+v", e)
			}
		})
	}
}

// platforms are tokens as the platforms write them, with a rule that each meets.
var platforms = map[string]struct {
	issuer, kind, match, workload, claims, is, account string
}{
	"GitHub Actions": {
		"", "github", "{repository_id: 74, repository_owner_id: 65, environment: prod, ref: [refs/heads/main, refs/heads/next], job_workflow_ref: acme/ci/.github/workflows/release.yml@refs/heads/main}",
		"repo:{repository_id}:environment:{environment}",
		`{"sub":"repo:acme/shop:environment:prod","environment":"prod","ref":"refs/heads/main","repository":"acme/shop","repository_id":"74","repository_owner_id":"65","actor":"jane","job_workflow_ref":"acme/ci/.github/workflows/release.yml@refs/heads/main"}`,
		"repo:74:environment:prod", "github:jane",
	},
	"Azure Pipelines": {
		"https://vstoken.dev.azure.com/0c8a7d54", "azure-pipelines", "{org_id: 0c8a7d54, prj_id: 5f1c, def_id: '12'}", "azure:shop",
		`{"sub":"p://acme/shop/release","org_id":"0c8a7d54","prj_id":"5f1c","def_id":"12","rpo_id":"9a"}`, "azure:shop", "",
	},
	"Entra ID": {
		"https://login.microsoftonline.com/t1/v2.0", "entra", "{tid: t1, oid: o1, azp: a1}", "entra:deployer",
		`{"sub":"o1","oid":"o1","tid":"t1","azp":"a1","ver":"2.0"}`, "entra:deployer", "",
	},
	"GitLab": {
		"", "gitlab", "{project_id: 22, namespace_id: 72, ref_protected: true, environment: production}", "gitlab:{project_id}",
		`{"sub":"project_path:acme/shop:ref_type:branch:ref:main","project_id":"22","namespace_id":"72","ref_protected":"true","environment":"production","user_login":"jane"}`, "gitlab:22", "gitlab:jane",
	},
	"Kubernetes": {
		"https://kubernetes.default.svc", "kubernetes", "{namespace: ci, service_account: runner, service_account_uid: u1}", "k8s:ci:runner",
		`{"sub":"system:serviceaccount:ci:runner","kubernetes.io":{"namespace":"ci","serviceaccount":{"name":"runner","uid":"u1"}}}`, "k8s:ci:runner", "kubernetes:system:serviceaccount:ci:runner",
	},
	"SPIFFE": {
		"https://spire.example", "spiffe", "{spiffe_id: 'spiffe://acme/ns/ci/sa/runner'}", "spiffe:runner", `{"sub":"spiffe://acme/ns/ci/sa/runner"}`, "spiffe:runner", "",
	},
}

func TestTheTokensOfEachPlatformAreKnownByWhatStays(t *testing.T) {
	for name, p := range platforms {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			file := strings.NewReplacer("github", p.kind, "{repository_id: 123, environment: prod}", p.match, "repo:acme/shop:environment:prod", "'"+p.workload+"'").Replace(rule)
			if p.issuer != "" {
				file = strings.Replace(file, "kind: ", "issuer: "+p.issuer+"\n    kind: ", 1)
			}
			c, err := token.ReadConfig("f", []byte(file))
			if err != nil {
				t.Fatal(err)
			}
			issuer := c.Workloads[0].Issuer
			v, err := token.NewVerifier(token.Options{Issuers: []token.Issuer{{URL: issuer, Keys: "file:" + f.keysFile()}}, Now: f.clock})
			if err != nil {
				t.Fatal(err)
			}
			sign := func(change func(map[string]any)) *token.Claims {
				var claims map[string]any
				if err := json.Unmarshal([]byte(p.claims), &claims); err != nil {
					t.Fatal(err)
				}
				claims["iss"] = issuer
				if change != nil {
					change(claims)
				}
				got, err := v.Verify(t.Context(), f.token(claims), self)
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			r, is, account, err := c.Workload(sign(nil), self)
			if err != nil || r.Name != "release" || is != p.is || account != p.account || len(token.GrantsOf(r.Grants)) != 1 || token.GrantsOf(r.Grants)[0].Role != identity.Developer {
				t.Fatalf("%+v, %q, %q, %v", r, is, account, err)
			}
			if _, _, _, err := c.Workload(sign(nil), "https://other.example"); err == nil {
				t.Error("for another audience")
			}
			for claim := range c.Workloads[0].Match {
				for what, to := range map[string]any{"another": "else", "none": nil, "a list of it": []any{}} {
					got := sign(func(claims map[string]any) { set(claims, claim, to) })
					if _, _, _, err := c.Workload(got, self); err == nil {
						t.Errorf("%s: %s", claim, what)
					}
				}
			}
		})
	}
}

// set changes a claim wherever the token has it.
func set(claims map[string]any, name string, to any) {
	switch name {
	case "namespace", "service_account", "service_account_uid":
		in := claims["kubernetes.io"].(map[string]any)
		if name == "namespace" {
			in[name] = to
			return
		}
		in["serviceaccount"].(map[string]any)[map[string]string{"service_account": "name", "service_account_uid": "uid"}[name]] = to
	case "spiffe_id":
		claims["sub"] = to
	default:
		claims[name] = to
	}
}

func TestATokenThatContradictsItselfOrNamesItselfAsAnotherIsRefused(t *testing.T) {
	f := newFake(t)
	v := f.verifier()
	read := func(kind, match, workload string) *token.Config {
		c, err := token.ReadConfig("f", []byte(strings.NewReplacer("github", kind+"\n    issuer: "+f.server.URL, "{repository_id: 123, environment: prod}", match, "repo:acme/shop:environment:prod", workload).Replace(rule)))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	pod := map[string]any{"kubernetes.io": map[string]any{"namespace": "ci", "serviceaccount": map[string]any{"name": "runner"}}, "sub": "system:serviceaccount:kube-system:admin"}
	named := read("github", "{repository_id: 1}", "'repo:{repository_id}:ref:{ref}'")
	for name, c := range map[string]struct {
		config *token.Config
		claims map[string]any
	}{
		"a service account under another name": {read("kubernetes", "{namespace: ci, service_account: runner}", "k8s"), pod},
		"an issuer that gives SPIFFE IDs":      {read("spiffe", "{spiffe_id: runner}", "s"), map[string]any{"sub": "runner"}},
		"a branch that reads as a place":       {named, map[string]any{"repository_id": "1", "ref": "x:environment:prod"}},
		"a branch with a space":                {named, map[string]any{"repository_id": "1", "ref": "x workload:https://other.example"}},
		"a claim that is not there":            {named, map[string]any{"repository_id": "1"}},
	} {
		got, err := v.Verify(t.Context(), f.token(c.claims), self)
		if err != nil {
			t.Fatal(err)
		}
		if _, is, _, err := c.config.Workload(got, self); err == nil {
			t.Errorf("%s is %s", name, is)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(rule))
	f.Add([]byte("schema: verdict.sign-in/v1\nissuers: [{url: 'https://i.example', keys: 'file:/k', lifetime: 10m}]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := token.ReadConfig("f", b)
		if e := verdict.AsError(err); err != nil && (e.Code == verdict.CodeInternal || e.Remedy == "") {
			t.Fatalf("%+v", e)
		}
		if err == nil {
			for _, r := range c.Workloads {
				if identity.Together(token.GrantsOf(r.Grants)) != nil {
					t.Fatalf("%+v", r)
				}
			}
		}
	})
}
