package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"verdict"
	"verdict/outward"
)

// issuing gives the token by which a pipeline says who it is, for an audience.
type issuing func(ctx context.Context, audience string) (string, error)

// tokenVariable is where a pipeline puts a token that it was issued: GitLab under
// id_tokens:, and any other that writes one. tokenFileVariable names a file with one, such
// as a projected token of a Kubernetes service account; without it that is looked for where
// the Helm chart and the manual mount it.
const (
	tokenVariable     = "VERDICT_ID_TOKEN"
	tokenFileVariable = "VERDICT_ID_TOKEN_FILE"
	mountedToken      = "/var/run/secrets/verdict/token"
)

// maxIDToken bounds a token, and the answer that holds one.
const maxIDToken = 64 << 10

// pipelineIdentity is how the pipeline that runs us says who it is; nil where none does.
func pipelineIdentity(env environment) issuing {
	switch {
	case env.get(tokenVariable) != "":
		return func(context.Context, string) (string, error) { return env.get(tokenVariable), nil }
	case env.get("ACTIONS_ID_TOKEN_REQUEST_URL") != "" && env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN") != "":
		return githubToken(env)
	case env.get("SYSTEM_OIDCREQUESTURI") != "" && env.get("SYSTEM_ACCESSTOKEN") != "":
		return azureToken(env)
	case env.get(tokenFileVariable) != "":
		return tokenFromFile(env.get(tokenFileVariable))
	}
	if b, err := readLimited(mountedToken, maxIDToken); err == nil && len(b) > 0 {
		return tokenFromFile(mountedToken)
	}
	return nil
}

// tokenFromFile reads the file anew each time: an orchestrator replaces it before it expires.
func tokenFromFile(path string) issuing {
	return func(context.Context, string) (string, error) {
		b, err := readLimited(path, maxIDToken)
		if err != nil || trimmed(b) == "" {
			return "", &verdict.Error{Code: verdict.CodeUnavailable, What: "the identity token in " + path + " cannot be read", Remedy: "mount one there (serviceAccountToken with the server's address as audience), or unset " + tokenFileVariable, Err: err}
		}
		return trimmed(b), nil
	}
}

func trimmed(b []byte) string { return strings.TrimSpace(string(b)) }

// githubToken asks GitHub Actions ("OpenID Connect reference": requesting the token).
func githubToken(env environment) issuing {
	return func(ctx context.Context, audience string) (string, error) {
		return issued(ctx, http.MethodGet, env.get("ACTIONS_ID_TOKEN_REQUEST_URL"), url.Values{"audience": {audience}}, env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"), "value",
			"give the job the permission `id-token: write`")
	}
}

// azureToken asks Azure Pipelines (REST API "Oidctoken - Create"). Its tokens have one
// audience, api://AzureADTokenExchange, which the server's rule for them names.
func azureToken(env environment) issuing {
	q := url.Values{"api-version": {"7.1"}}
	return func(ctx context.Context, _ string) (string, error) {
		return issued(ctx, http.MethodPost, env.get("SYSTEM_OIDCREQUESTURI"), q, env.get("SYSTEM_ACCESSTOKEN"), "oidcToken",
			"hand the job's token in (env: SYSTEM_ACCESSTOKEN: $(System.AccessToken))")
	}
}

// issued gets a token from the pipeline's own issuer. The pipeline's credential goes to the
// address that the pipeline gave and nowhere else: no redirect is followed.
func issued(ctx context.Context, method, address string, more url.Values, credential, field, remedy string) (string, error) {
	failed := func(why string, err error) error {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "the pipeline gives no identity token: " + why, Remedy: remedy + "; or give a token with --token env:NAME", Err: err}
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && !outward.Loopback(u.Hostname()) {
		return "", failed("the address that it names for that is no https address", nil)
	}
	q := u.Query()
	for k, v := range more {
		q[k] = v
	}
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return "", failed("its address is none", nil)
	}
	r.Header.Set("Authorization", "Bearer "+credential)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(r)
	if err != nil {
		return "", failed("its issuer does not answer", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxIDToken+1))
	if err != nil || len(b) > maxIDToken {
		return "", failed("its issuer does not answer in full", err)
	}
	if res.StatusCode != http.StatusOK {
		return "", failed(fmt.Sprintf("its issuer answers with status %d", res.StatusCode), nil)
	}
	all := map[string]any{}
	if err := json.Unmarshal(b, &all); err != nil {
		return "", failed("the answer of its issuer is no JSON", err)
	}
	token, _ := all[field].(string)
	if token == "" {
		return "", failed("the answer of its issuer holds none", nil)
	}
	return token, nil
}
