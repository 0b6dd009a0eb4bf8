package main

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"verdict"
	"verdict/code"
	"verdict/forge"
	"verdict/forge/azure"
	"verdict/forge/github"
	"verdict/forge/gitlab"
)

// forges are the leaves that read pull and merge requests.
var forges = []struct {
	name   string
	detect func(env func(string) string) (forge.Place, bool)
	open   func(forge.Place, string, forge.Options) (forge.Reader, error)
}{
	{forge.GitHub, github.Detect, github.New}, {forge.Azure, azure.Detect, azure.New}, {forge.GitLab, gitlab.Detect, gitlab.New},
}

// forgeToken is the variable with the token for the forge, before the forge's own.
const forgeToken = "VERDICT_FORGE_TOKEN"

// placeOf is where the pipeline runs, and then here is true; else what the repository's
// address says of a forge that everybody knows. The zero value when neither tells one.
func placeOf(env environment, address string) (p forge.Place, here bool) {
	for _, f := range forges {
		if p, ok := f.detect(env.get); ok {
			return p, true
		}
	}
	return publicPlace(env, address), false
}

// publicPlace reads the address of a repository on github.com or gitlab.com. Other hosts
// are asked in their pipelines alone: a token must not be sent where a remote points.
func publicPlace(env environment, address string) forge.Place {
	host, repo, ok := hostAndPath(address)
	if !ok {
		return forge.Place{}
	}
	token := func(own string) string { return forge.FirstSet(env.get, forgeToken, own) }
	switch host {
	case "github.com":
		return forge.Place{Forge: forge.GitHub, API: "https://api.github.com", Repo: repo, Token: token("GITHUB_TOKEN")}
	case "gitlab.com":
		return forge.Place{Forge: forge.GitLab, API: "https://gitlab.com/api/v4", Repo: repo, Token: token("GITLAB_TOKEN")}
	}
	return forge.Place{}
}

// hostAndPath takes an address of a remote apart, in its form as URL or as git@host:path.
func hostAndPath(address string) (host, path string, ok bool) {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		host, path = u.Hostname(), u.Path
	} else {
		host, path, _ = strings.Cut(address[strings.LastIndexByte(address, '@')+1:], ":")
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	return strings.ToLower(host), path, host != "" && strings.Contains(path, "/")
}

// answer is what came of asking for a request. Without one, why and remedy say in words
// what is missing; asked is false where nobody was asked at all.
type answer struct {
	request     *forge.Request
	asked       bool
	why, remedy string
}

// requestOf finds the pull or merge request of a commit: the one that was named, the
// pipeline's, or the one that brought it. To have no forge, or none that answers, is no
// error, but an answer that is missing.
func (c *ciCheck) requestOf(ctx context.Context, a *app, address, commit string) (answer, error) {
	place, here := placeOf(a.env, address)
	const pipeline = "run `verdict ci` in the pipeline of the pull or merge request, with its token, or with --request ID"
	switch {
	case place.Forge == "" && c.request != "":
		return answer{}, &verdict.Error{
			Code: verdict.CodeUsage, What: "there is no forge to ask for the request " + c.request,
			Remedy: "run it in the forge's pipeline, or in a clone whose origin is on github.com or gitlab.com; or leave --request out",
		}
	case !here && c.request == "":
		return answer{why: "no forge was asked: this is no pipeline of GitHub, Azure Pipelines or GitLab, and --request ID was not given", remedy: pipeline}, nil
	}
	a.progress.phase("asking " + place.Forge + " for the review")
	var found *forge.Request
	reader, err := openForge(place, a)
	if err == nil {
		found, err = findRequest(ctx, reader, cmp.Or(c.request, place.ID), commit)
	}
	switch {
	case ctx.Err() != nil, err != nil && c.request != "": // the one that a person named has to be there
		return answer{}, err
	case err != nil:
		e := verdict.AsError(err)
		return answer{asked: true, why: place.Forge + " did not tell the review: " + e.What, remedy: e.Remedy}, nil
	case found == nil:
		return answer{asked: true, why: place.Forge + " knows no request that brought this commit", remedy: "bring it by a pull or merge request that somebody else approves"}, nil
	}
	return answer{request: found, asked: true}, nil
}

func openForge(place forge.Place, a *app) (forge.Reader, error) {
	for _, f := range forges {
		if f.name == place.Forge {
			return f.open(place, a.env.get(place.Token), forge.Options{})
		}
	}
	return nil, &verdict.Error{Code: verdict.CodeUsage, What: "there is no reader for the forge " + place.Forge, Remedy: "leave --request out"}
}

func findRequest(ctx context.Context, reader forge.Reader, id, commit string) (*forge.Request, error) {
	if id != "" {
		r, err := reader.Request(ctx, id)
		return &r, err
	}
	all, err := reader.ForCommit(ctx, commit)
	if err != nil {
		return nil, err
	}
	if r, ok := code.Pick(all, commit); ok {
		return &r, nil
	}
	return nil, nil
}
