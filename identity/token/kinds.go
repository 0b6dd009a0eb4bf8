package token

import (
	"fmt"
	"slices"
	"strings"

	"verdict/identity"
)

// kind is what is known of the tokens of one platform: which of their claims stay with what
// they name, and which anybody can come by later by taking a name that has become free.
type kind struct {
	issuer string // where a rule names none
	prefix []string
	// claims are what a rule may match, with the path to each in the token.
	claims map[string][]string
	// firm lists sets of claims of which a rule matches at least one whole set.
	firm [][]string
	// never are claims that no rule matches, and what to match instead.
	never map[string]string
	// account is who started the workload, as SYSTEM:NAME; nil: its tokens do not tell.
	account func(c *Claims) string
	// holds checks what claims say of each other.
	holds func(c *Claims) error
	// reused: a token lies in a file until it is renewed, or in a variable as long as the job
	// lasts, and every command exchanges it again: none can be asked for a new one.
	reused bool
}

// flat are claims that stand in the token itself.
func flat(names ...string) map[string][]string {
	out := map[string][]string{}
	for _, n := range names {
		out[n] = []string{n}
	}
	return out
}

func account(s identity.System, path ...string) func(*Claims) string {
	return func(c *Claims) string {
		if name := c.Text(path...); name != "" {
			return identity.Account{System: s, Name: name}.String()
		}
		return ""
	}
}

const (
	byID    = "names change hands: match the id instead"
	subject = "its form is the choice of who configures the repository, and it holds names that change hands: match ids instead"
)

// Kinds are the platforms, by the word that a rule has for them.
var kinds = map[string]kind{
	"github": {
		issuer: "https://token.actions.githubusercontent.com",
		claims: flat("repository_id", "repository_owner_id", "enterprise_id", "actor_id", "job_workflow_ref", "job_workflow_sha", "workflow_ref", "environment", "ref", "ref_type",
			"ref_protected", "event_name", "runner_environment", "repository_visibility"),
		firm:    [][]string{{"repository_id"}, {"repository_owner_id"}},
		never:   map[string]string{"sub": subject, "repository": byID + ", repository_id", "repository_owner": byID + ", repository_owner_id", "actor": byID + ", actor_id"},
		account: account(identity.GitHub, "actor"),
	},
	"azure-pipelines": {
		prefix: []string{"https://vstoken.dev.azure.com/"},
		claims: flat("org_id", "prj_id", "def_id", "rpo_id", "rpo_uri", "rpo_ref"),
		firm:   [][]string{{"org_id", "prj_id"}},
		never:  map[string]string{"sub": subject},
		holds: func(c *Claims) error {
			if org := c.Issuer[strings.LastIndexByte(c.Issuer, '/')+1:]; c.Text("org_id") != org {
				return fmt.Errorf("its org_id %.60q is not the organisation of its issuer", c.Text("org_id"))
			}
			return nil
		},
	},
	"entra": {
		prefix: []string{"https://login.microsoftonline.com/", "https://login.microsoftonline.us/", "https://sts.windows.net/"},
		claims: flat("oid", "tid", "azp", "appid", "idtyp", "azpacr", "appidacr"),
		firm:   [][]string{{"tid", "oid"}, {"tid", "azp"}, {"tid", "appid"}},
		never: map[string]string{"upn": byID + ", oid", "email": byID + ", oid", "preferred_username": byID + ", oid", "unique_name": byID + ", oid", "name": byID + ", oid",
			"sub": "it differs between applications: match oid instead"},
		holds: func(c *Claims) error {
			if tid := c.Text("tid"); tid == "" || !slices.Contains(strings.Split(c.Issuer, "/"), tid) {
				return fmt.Errorf("its tid %.60q is not the tenant of its issuer", tid)
			}
			return nil
		},
	},
	"gitlab": {
		issuer: "https://gitlab.com",
		claims: flat("project_id", "namespace_id", "job_project_id", "job_namespace_id", "user_id", "ref", "ref_type", "ref_protected", "environment", "environment_protected",
			"deployment_tier", "pipeline_source", "ci_config_ref_uri", "ci_config_sha", "runner_environment"),
		firm: [][]string{{"project_id"}, {"namespace_id"}},
		never: map[string]string{"sub": subject, "project_path": byID + ", project_id", "namespace_path": byID + ", namespace_id", "user_login": byID + ", user_id",
			"user_email": byID + ", user_id"},
		account: account(identity.GitLab, "user_login"),
		reused:  true,
	},
	"kubernetes": {
		claims: map[string][]string{
			"namespace": {"kubernetes.io", "namespace"}, "service_account": {"kubernetes.io", "serviceaccount", "name"},
			"service_account_uid": {"kubernetes.io", "serviceaccount", "uid"},
		},
		firm:    [][]string{{"namespace", "service_account"}, {"service_account_uid"}},
		never:   map[string]string{"sub": "match namespace and service_account, which it is made of"},
		account: account(identity.Kubernetes, "sub"),
		holds: func(c *Claims) error {
			if want := "system:serviceaccount:" + c.Text("kubernetes.io", "namespace") + ":" + c.Text("kubernetes.io", "serviceaccount", "name"); c.Subject != want {
				return fmt.Errorf("its subject %.100q is not %.200q, which it also says it is", c.Subject, want)
			}
			return nil
		},
		reused: true,
	},
	"spiffe": {
		claims: map[string][]string{"spiffe_id": {"sub"}},
		firm:   [][]string{{"spiffe_id"}},
		holds: func(c *Claims) error {
			if !strings.HasPrefix(c.Subject, "spiffe://") {
				return fmt.Errorf("its subject %.100q is no SPIFFE ID", c.Subject)
			}
			return nil
		},
		reused: true,
	},
}
