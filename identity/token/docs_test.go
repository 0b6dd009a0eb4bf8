package token_test

import (
	"os"
	"strings"
	"testing"

	"verdict/decisionmap"
	"verdict/identity/token"
)

// Whoever copies a file from the document begins with one that is read.
func TestTheFilesOfTheDocumentAreRead(t *testing.T) {
	text, err := os.ReadFile("../../docs/sign-in.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		file, _, _ := strings.Cut(block, "```")
		c, err := token.ReadConfig("docs/sign-in.md", []byte(file))
		if err != nil {
			t.Errorf("%v\n%s", err, file)
			continue
		}
		for _, r := range c.Workloads {
			seen[r.Kind] = true
		}
		for _, p := range c.People {
			seen["people "+p.System] = true
		}
	}
	for _, block := range strings.Split(string(text), "```yaml map\n")[1:] {
		part, _, _ := strings.Cut(block, "```")
		if _, err := decisionmap.Load("docs/sign-in.md", []byte("schema: verdict/v1\n"+part)); err != nil {
			t.Errorf("%v\n%s", err, part)
		}
	}
	for _, want := range []string{"github", "azure-pipelines", "entra", "gitlab", "kubernetes", "spiffe", "people entra"} {
		if !seen[want] {
			t.Errorf("the document shows no %s", want)
		}
	}
}
