package iac

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// What teams copy into their pipelines must not be what our own rules then refuse, and it
// has to fetch what a squash or a rebase leaves behind: without it no review counts.
func TestThePipelinesToCopyAreWithinOurOwnRules(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "pipelines.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	names := []string{".github/workflows/verdict.yml", "azure-pipelines.yml", ".gitlab-ci.yml"}
	fetches := []string{`\+refs/pull/\*/head:`, `\+refs/pull/\*/merge:`, `\+refs/merge-requests/\*/head:`}
	if len(blocks) != len(names) {
		t.Fatalf("%d pipelines", len(blocks))
	}
	for i, name := range names {
		r, err := NewPipelines().Check(t.Context(), []File{{Path: name, Content: blocks[i][1]}})
		if err != nil || len(r.Judged) != 1 || len(r.Problems) > 0 {
			t.Errorf("%s: judged %v, problems %+v, %v", name, r.Judged, r.Problems, err)
		}
		for _, n := range r.Open {
			if n.Blocks {
				t.Errorf("%s: %+v", name, n)
			}
		}
		if !regexp.MustCompile(`fetch -q origin '` + fetches[i]).Match(blocks[i][1]) {
			t.Errorf("%s does not fetch the last commits of requests", name)
		}
	}
}
