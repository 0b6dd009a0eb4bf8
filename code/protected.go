package code

import (
	"path"
	"strings"
)

// ownersAt are the places of CODEOWNERS, in the order in which GitHub looks.
var ownersAt = []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"}

// protectedPath reports whether a path says who decides or what is checked: ownership,
// the map, what counts as a false positive, the pipeline, policy, and how what is committed becomes
// what is read. Such a path needs an owner of its own.
func protectedPath(p string) bool {
	for _, known := range ownersAt {
		if p == known {
			return true
		}
	}
	switch p {
	case ".verdictignore", gitlabPipeline, "bitbucket-pipelines.yml", "buildspec.yml", "buildspec.yaml":
		return true
	}
	for _, folder := range []string{".github/workflows/", ".github/actions/", ".gitlab/ci/", ".azure-pipelines/", ".circleci/", ".buildkite/", ".teamcity/", "policy/", "policies/", ".verdict/"} {
		if strings.HasPrefix(p, folder) {
			return true
		}
	}
	name := path.Base(p)
	switch name {
	case "verdict.yaml", ".gitattributes", "Jenkinsfile": // these are read in any folder
		return true
	}
	yaml := strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".yaml")
	return name == catalogFile || strings.HasSuffix(name, ".rego") || yaml && strings.HasPrefix(name, "azure-pipelines")
}

// infrastructureName reports whether a path declares infrastructure by its kind of file.
func infrastructureName(p string) bool {
	name := path.Base(p)
	for _, suffix := range []string{".tf", ".tf.json", ".tofu", ".tfvars", ".bicep", ".bicepparam"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	switch name {
	case "Chart.yaml", "kustomization.yaml", "kustomization.yml", "Pulumi.yaml", "azuredeploy.json", "Dockerfile", "docker-compose.yml", "docker-compose.yaml", "cdk.json":
		return true
	}
	return strings.HasSuffix(name, ".Dockerfile") || strings.HasPrefix(name, "Dockerfile.")
}

// inFolder reports whether a path is in a folder; "." holds everything.
func inFolder(p, folder string) bool {
	return folder == "." || p == folder || strings.HasPrefix(p, folder+"/")
}
