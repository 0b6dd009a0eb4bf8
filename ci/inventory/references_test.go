package inventory

import (
	"strings"
	"testing"

	"verdict/ci/inventory/inventorytest"
)

func TestStepsOfGitHubActions(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{".github/workflows/ci.yml": inventorytest.Workflow})
	const p = ".github/workflows/ci.yml:"
	sameLines(t, found,
		p+"3 pkg:github/acme/again@v1.2.3 direct this project>acme/again",
		p+"7 pkg:docker/acme/build@1.2?repository_url=ghcr.io direct this project>ghcr.io/acme/build",
		p+"9 pkg:docker/postgres@15 direct this project>postgres",
		p+"11 pkg:github/actions/checkout@v4 direct this project>actions/checkout",
		p+"12 pkg:github/acme/pinned@v2.3.4 direct this project>acme/pinned",
		p+"13 pkg:github/acme/unsaid@0123456789012345678901234567890123456789 direct this project>acme/unsaid",
		p+"14 pkg:github/acme/branch@main direct this project>acme/branch",
		p+"16 pkg:docker/alpine@3.19 direct this project>alpine",
		p+"21 pkg:github/acme/flows@v3.1.0 direct this project>acme/flows",
	)
	gap(t, gaps, "line 18 uses ${{ matrix.action }}, which is no owner/repository@version", true)
	gap(t, gaps, "5 names that can move are used, the first is acme/branch@main", false)
	gap(t, gaps, "line 13 pins acme/unsaid to a commit and does not say which release", false)
	if n := blocking(gaps); n != 1 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

func TestTasksOfAzurePipelines(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"azure-pipelines.yml": `resources:
  containers:
    - container: tools
      image: acme.azurecr.io/tools:1
steps:
  - task: DotNetCoreCLI@2
  - task: Own.Publisher-Task@1.2.3
  - task: $(which)@1
  - script: "task: No@1"
`})
	sameLines(t, found,
		"azure-pipelines.yml:4 pkg:docker/tools@1?repository_url=acme.azurecr.io direct this project>acme.azurecr.io/tools",
		"azure-pipelines.yml:6 pkg:generic/azure-pipelines/DotNetCoreCLI@2 direct this project>DotNetCoreCLI",
		"azure-pipelines.yml:7 pkg:generic/azure-pipelines/Own.Publisher-Task@1.2.3 direct this project>Own.Publisher-Task",
	)
	gap(t, gaps, "line 8 names a task without a version that can be told: $(which)@1", false)
}

func TestBasesOfADockerfile(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"app/Dockerfile": inventorytest.Dockerfile})
	sameLines(t, found,
		"app/Dockerfile:1 pkg:docker/docker/dockerfile@1.7 direct this project>docker/dockerfile",
		"app/Dockerfile:4 pkg:docker/golang@1.26-alpine direct this project>golang",
		"app/Dockerfile:6 pkg:docker/acme/tools@2 direct this project>acme/tools",
		"app/Dockerfile:13 pkg:docker/distroless/static@sha256:0000000000000000000000000000000000000000000000000000000000000000?repository_url=gcr.io direct this project>gcr.io/distroless/static",
		"app/Dockerfile:16 pkg:docker/busybox@latest direct this project>busybox",
		"app/Dockerfile:19 pkg:docker/debian@12 direct this project>debian",
	)
	gap(t, gaps, "line 18 names an image by a value that only the build knows: ${UNKNOWN}", false)
	gap(t, gaps, "5 names that can move", false)
	for name, is := range map[string]bool{"Dockerfile": true, "Dockerfile.prod": true, "api.Dockerfile": true, "Containerfile": true, "Dockerfile.dockerignore": false, "docker": false} {
		if dockerfile(name) != is {
			t.Errorf("%s is one: %v", name, !is)
		}
	}
}

// What a change could hide behind a text that never ends, is told.
func TestATextWithoutEndInADockerfile(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"Dockerfile": "FROM a:1\nRUN <<X\nFROM b:1\n"})
	gap(t, gaps, "line 2: the text up to X has no end", true)
	if len(found) > 0 {
		t.Errorf("found %+v", found)
	}
	hidden := "FROM a\\\n:1\nRUN <<X\n  X\nRUN <<Y\nX\nFROM b:\\\n\n# c\n2\nY\nCOPY <<-Z /z\n\tZ\nFROM c:3" + strings.Repeat("\\\n", 200_000)
	_, found, _ = inventoryOf(t, map[string]string{"Dockerfile": hidden})
	sameLines(t, found, "Dockerfile:1 pkg:docker/a@1 direct this project>a", "Dockerfile:7 pkg:docker/b@2 direct this project>b", "Dockerfile:14 pkg:docker/c@3 direct this project>c")
	_, _, gaps = inventoryOf(t, map[string]string{"Dockerfile": strings.Repeat("FROM a:1\n", maxStages+1)})
	gap(t, gaps, "more than 10000 stages", true)
	_, found, _ = inventoryOf(t, map[string]string{"Dockerfile": "# escape=`\nFROM a`\n:1\nRUN c:\\\nFROM b:1\n"})
	sameLines(t, found, "Dockerfile:2 pkg:docker/a@1 direct this project>a", "Dockerfile:5 pkg:docker/b@1 direct this project>b")
	_, found, _ = inventoryOf(t, map[string]string{"Dockerfile": "FROM a:1\nRUN x=$((1<<X))\nFROM b:1\n"})
	sameLines(t, found, "Dockerfile:1 pkg:docker/a@1 direct this project>a", "Dockerfile:3 pkg:docker/b@1 direct this project>b")
}

// An action that is built from a Dockerfile beside it names no image.
func TestImagesOfActions(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"a/action.yml": "runs: {using: docker, image: Dockerfile}\n", "b/action.yaml": "runs: {using: docker, image: 'docker://alpine:3.19'}\n",
		".github/workflows/m.yaml": "jobs: {a: {strategy: {matrix: {include: [{image: ubuntu}]}}, container: 'node:20', steps: []}}\n",
	})
	if NewSet().Wants("template/.github/workflows/m.yaml") {
		t.Error("a workflow that GitHub does not run is read")
	}
	sameLines(t, found, ".github/workflows/m.yaml:1 pkg:docker/node@20 direct this project>node", "b/action.yaml:1 pkg:docker/alpine@3.19 direct this project>alpine")
	if blocking(gaps) > 0 {
		t.Errorf("%+v", gaps)
	}
}

func TestImagesOfCompose(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"docker-compose.yml": `x-base: &base
  image: docker.io/library/redis:7
services:
  a: {<<: *base}
  b: {build: ., image: acme/here}
  c: {image: "acme/c:${TAG:-3}"}
  d: {image: "acme/d:${TAG}"}
`})
	sameLines(t, found,
		"docker-compose.yml:2 pkg:docker/redis@7 direct this project>redis",
		"docker-compose.yml:6 pkg:docker/acme/c@3 direct this project>acme/c",
	)
	gap(t, gaps, "line 7 names an image by a value that only the run knows", false)
}

const chartLockText = `dependencies:
- name: postgresql
  repository: https://u:s3cret@charts.acme.example
  version: 12.1.0
- name: common
  repository: oci://registry.acme.example/charts
  version: 2.0.0
digest: sha256:0
`

func TestChartsOfHelm(t *testing.T) {
	const manifest = "apiVersion: v2\nname: app\ndependencies:\n- {name: postgresql, version: 12.x, repository: https://charts.acme.example}\n- {name: exact, version: 1.2.3}\n- {name: near, version: 1.0.0, repository: file://../near}\n"
	_, found, gaps := inventoryOf(t, map[string]string{"a/Chart.yaml": manifest, "a/Chart.lock": chartLockText, "b/Chart.yaml": manifest})
	sameLines(t, found,
		"a/Chart.lock:2 pkg:helm/postgresql@12.1.0 direct this project>postgresql",
		"a/Chart.lock:5 pkg:helm/common@2.0.0 direct this project>common",
		"b/Chart.yaml:4 pkg:helm/postgresql direct this project>postgresql",
		"b/Chart.yaml:5 pkg:helm/exact@1.2.3 direct this project>exact",
	)
	toldBeside(t, found[:min(len(found), 2)], "postgresql needs untold hashes 0 from https://charts.acme.example", "common needs untold hashes 0 from oci://registry.acme.example/charts")
	gap(t, gaps, "b/Chart.yaml: line 4 asks for postgresql in versions (12.x)", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

func TestTerraform(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"infra/.terraform.lock.hcl": inventorytest.TerraformLock, "infra/main.tf": inventorytest.Terraform})
	sameLines(t, found,
		"infra/.terraform.lock.hcl:2 pkg:terraform/hashicorp/aws@5.31.0 direct this project>hashicorp/aws",
		"infra/.terraform.lock.hcl:12 pkg:terraform/registry.opentofu.org/hashicorp/random@3.6.0 direct this project>registry.opentofu.org/hashicorp/random",
		"infra/main.tf:10 pkg:terraform/terraform-aws-modules/vpc/aws@5.1.0 direct this project>terraform-aws-modules/vpc/aws",
		"infra/main.tf:15 pkg:terraform/app.terraform.io/acme/net/aws direct this project>app.terraform.io/acme/net/aws",
		"infra/main.tf:19 pkg:terraform/git.acme.example/tf/net@v1.2.0 direct this project>git.acme.example/tf/net",
		"infra/main.tf:22 pkg:terraform/github.com/acme/mods@0123456789012345678901234567890123456789 direct this project>github.com/acme/mods",
		"infra/main.tf:23 pkg:terraform/github.com/acme/mods direct this project>github.com/acme/mods",
	)
	if len(found) > 4 && (len(found[0].Hashes) != 2 || found[4].From != "https://git.acme.example/tf/net.git") {
		t.Errorf("%+v %+v", found[0], found[4])
	}
	_, found, _ = inventoryOf(t, map[string]string{"a.tf.json": `{"module": [{"a": {"source": "acme/net/aws", "version": "1.0.0"}},
{"b": [{"source": "git::https://git.acme.example/b?ref=v1.0.0"}, {"source": "./near"}]}], "resource": {"module": 1}}`})
	sameLines(t, found, "a.tf.json:1 pkg:terraform/acme/net/aws@1.0.0 direct this project>acme/net/aws", "a.tf.json:2 pkg:terraform/git.acme.example/b@v1.0.0 direct this project>git.acme.example/b")
	gap(t, gaps, "line 25 has a module whose source is no plain text", false)
	gap(t, gaps, "2 names that can move", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
	for name, text := range map[string]string{
		"an open block": "module \"a\" {\n source = \"x\"", "an open text": "module \"a\" {\n source = \"x\n}", "an open heredoc": "module \"a\" {\n x = <<EOT\n", "an open comment": "module /* x",
	} {
		_, _, gaps := inventoryOf(t, map[string]string{"main.tf": text})
		if blocking(gaps) != 1 {
			t.Errorf("%s: %+v", name, gaps)
		}
	}
}

// referenceTexts are samples of files that name things where they are used.
var referenceTexts = map[string]string{
	".github/workflows/a.yml": inventorytest.Workflow, "Dockerfile": inventorytest.Dockerfile, "main.tf": inventorytest.Terraform,
}
