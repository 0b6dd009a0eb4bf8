package decisionmap

import (
	"errors"
	"strings"
	"testing"

	"verdict"
)

const trusting = `schema: verdict/v1
organization: acme
environments: {dev: {tier: dev}, prod: {tier: prod, promote_from: dev}}
services: {api: {team: t, owner: o, environments: [dev, prod]}, web: {team: t, owner: o, environments: [dev, prod]}}
sources: {scan: {kinds: [licences], command: [scan, --all]}}
trust:
  - {name: builder, identity: "https://github.com/acme/*/.github/workflows/release.yml@refs/heads/main", issuer: "https://issuer.example", kinds: [sbom, provenance], services: ["*"]}
  - {name: deployer, workload: "repo:acme/api:environment:prod", issuer: "https://issuer.example", kinds: [deployment], services: [api], environments: [prod]}
  - {name: server, key: verdict-server, kinds: ["*"], services: ["*"], environments: ["*"]}
`

// What a signer may not state counts as absent: each dimension of the right is checked.
func TestASignerMayStateWhatTheMapListsAndNothingElse(t *testing.T) {
	m := load(t, trusting)
	release := Signer{Identity: "https://github.com/acme/api/.github/workflows/release.yml@refs/heads/main", Issuer: "https://issuer.example"}
	deploy := Signer{Workload: "repo:acme/api:environment:prod", Issuer: "https://issuer.example"}
	server := Signer{Key: "Zm9v", KeyName: "verdict-server"}
	for name, c := range map[string]struct {
		signer                     Signer
		kind, service, environment string
		want                       int
	}{
		"a release build states an SBOM":                                {release, "sbom", "api", "", 0},
		"and it counts in every environment":                            {release, "sbom", "api", "prod", 0},
		"but not a review":                                              {release, "change-review", "api", "", -1},
		"and not from another issuer":                                   {Signer{Identity: release.Identity, Issuer: "https://other.example"}, "sbom", "api", "", -1},
		"and not from a branch":                                         {Signer{Identity: strings.Replace(release.Identity, "main", "evil", 1), Issuer: release.Issuer}, "sbom", "api", "", -1},
		"a star stands for one part, not for two":                       {Signer{Identity: strings.Replace(release.Identity, "/api/", "/api/fork/", 1), Issuer: release.Issuer}, "sbom", "api", "", -1},
		"a star stands for something":                                   {Signer{Identity: strings.Replace(release.Identity, "/api/", "//", 1), Issuer: release.Issuer}, "sbom", "api", "", -1},
		"another organisation in front is another identity":             {Signer{Identity: "https://evil.example/?" + release.Identity, Issuer: release.Issuer}, "sbom", "api", "", -1},
		"a certificate identity is no workload":                         {Signer{Identity: deploy.Workload, Issuer: deploy.Issuer}, "deployment", "api", "prod", -1},
		"a workload states a deployment of its service":                 {deploy, "deployment", "api", "prod", 1},
		"but not of another service":                                    {deploy, "deployment", "web", "prod", -1},
		"and not in another environment":                                {deploy, "deployment", "api", "dev", -1},
		"and not without an environment":                                {deploy, "deployment", "api", "", -1},
		"a key is found by its name":                                    {server, "sbom", "web", "prod", 2},
		"which says who enrolled it and gives no decision":              {server, "promotion", "web", "prod", -1},
		"nor a permit":                                                  {server, "apply-permit", "web", "prod", -1},
		"nor what trust in an artifact is":                              {server, "vsa", "web", "", -1},
		"a decision is by an id":                                        {Signer{Key: "verdict-server"}, "promotion", "web", "prod", 2},
		"the first-use key may state nothing that is not given to it":   {Signer{Key: "abc", KeyName: LocalKey}, "secrets", "api", "", -1},
		"nobody may state nothing":                                      {Signer{}, "secrets", "api", "", -1},
		"an issuer alone is nobody":                                     {Signer{Issuer: "https://issuer.example"}, "sbom", "api", "", -1},
		"a service that is not named is covered by all services alone":  {release, "sbom", "", "", 0},
		"a service that is not named is not covered by a named service": {deploy, "deployment", "", "prod", -1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := m.Rank(c.signer, c.kind, c.service, c.environment); got != c.want {
				t.Errorf("rank %d, expected %d", got, c.want)
			}
			if m.Trusts(c.signer, c.kind, c.service, c.environment) != (c.want >= 0) {
				t.Error("Trusts and Rank disagree")
			}
		})
	}
}

// A server speaks for people as far as the map says, and has no other right by that: it would
// decide, or let itself be believed.
func TestAServerSpeaksForPeopleAsFarAsTheMapSays(t *testing.T) {
	const theirs, noors = "rUEHWY110gKrqSThy8hxLkuj2OzktobuxnqxtX8QgHU=", "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
	m := load(t, strings.Replace(trusting, "trust:", "people: {noor: {accounts: {key: ['"+noors+"']}}}\ntrust:"+`
  - {name: control plane, key: "`+theirs+`", for: people, kinds: [approval, exception], services: [api], environments: [dev]}
  - {name: noor, key: "`+noors+`", for: people, kinds: [approval], services: ["*"], environments: ["*"]}
  - {name: machine, key: local, kinds: [approval], services: ["*"], environments: ["*"]}`, 1))
	for name, c := range map[string]struct {
		key, kind, service string
		environments       []string
		want               bool
	}{
		"what it is named for":               {theirs, "approval", "api", []string{"dev"}, true},
		"another kind of its entry":          {theirs, "exception", "api", []string{"dev"}, true},
		"a kind that is not in it":           {theirs, "break-glass", "api", []string{"dev"}, false},
		"another service":                    {theirs, "approval", "web", []string{"dev"}, false},
		"another environment":                {theirs, "approval", "api", []string{"prod"}, false},
		"one environment of two":             {theirs, "exception", "api", []string{"dev", "prod"}, false},
		"no environment":                     {theirs, "exception", "api", nil, false},
		"a person's key, named like one":     {noors, "approval", "api", []string{"dev"}, false},
		"a key that states it in its own":    {"local", "approval", "api", []string{"dev"}, false},
		"a key that the map does not name":   {"x", "approval", "api", []string{"dev"}, false},
		"a release, which is nobody's to do": {theirs, "map-release", "api", []string{"dev"}, false},
	} {
		if got := m.SpeaksForPeople(c.key, c.kind, c.service, c.environments...); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	s := Signer{Key: theirs}
	if m.Trusts(s, "approval", "api", "dev") || m.TrustsDecisionsOf(s) || len(m.Elsewhere(s, "approval", "api")) != 0 {
		t.Error("who speaks for people may state it in a name of its own")
	}
}

func TestTheFirstUseKeySpeaksAboutNoEnvironmentAndForNobodyElse(t *testing.T) {
	m, key := Builtin(), Signer{Key: "abc", KeyName: LocalKey}
	for kind, want := range map[string]bool{
		"secrets": true, "vulnerabilities": true, "sbom": true, "secrets-check": true,
		"change-review": false, "approval": false, "exception": false, "break-glass": false, "promotion": false, "inventory": false, "policy-release": false,
	} {
		if m.Trusts(key, kind, "api", "") != want {
			t.Errorf("%s: %t", kind, !want)
		}
	}
	if m.Trusts(key, "deployment", "api", "prod") || m.Trusts(Signer{Key: "abc"}, "secrets", "api", "") {
		t.Error("it may state more")
	}
}

func TestACommandRunsFromTheReleasedMapOnly(t *testing.T) {
	m := load(t, trusting)
	var e *verdict.Error
	if _, err := m.Command("scan"); !errors.As(err, &e) || e.Code != verdict.CodeForbidden || e.Remedy == "" {
		t.Errorf("a map that was not released gives a command: %v", err)
	}
	released, err := Resolve(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if cmd, err := released.Command("scan"); err != nil || strings.Join(cmd, " ") != "scan --all" {
		t.Errorf("%v, %v", cmd, err)
	}
	if _, err := released.Command("verdict"); !errors.As(err, &e) || e.Code != verdict.CodeNotFound {
		t.Errorf("a source without a command: %v", err)
	}
	base, err := Resolve(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := base.Command("scan"); err == nil {
		t.Error("the merge base gives a command")
	}
}
