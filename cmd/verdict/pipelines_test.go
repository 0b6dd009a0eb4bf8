package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// What teams take into their pipelines runs unseen: a command that is gone, or an input that
// lands in a script, is found by them and not by us.
func TestThePipelinesToTakeNameWhatExists(t *testing.T) {
	root := wholeRoot()
	for path, least := range map[string]int{
		"deploy/pipelines/github/action.yml": 2, "deploy/pipelines/azure/verdict.yml": 2, "deploy/pipelines/gitlab/templates/verdict.yml": 1,
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", path))
		if err != nil {
			t.Fatal(err)
		}
		var scripts []string
		dec := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var doc yaml.Node
			if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			scripts = append(scripts, scriptsOf(&doc)...)
		}
		n := 0
		for _, script := range scripts {
			if strings.Contains(script, "${{") || strings.Contains(script, "$[[") {
				t.Errorf("%s: what comes from outside is written into a script: %s", path, script)
			}
			for _, named := range commandsIn(script) {
				n++
				if problem := unknownIn(root, strings.Fields(named)); problem != "" {
					t.Errorf("%s: %q: %s", path, named, problem)
				}
			}
		}
		if n < least {
			t.Errorf("%s: %d commands in %q", path, n, scripts)
		}
	}
}

// scriptsOf are the values of run: and script:, wherever they stand.
func scriptsOf(n *yaml.Node) []string {
	var out []string
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && (n.Content[i-1].Value == "run" || n.Content[i-1].Value == "script") {
			out = append(out, c.Value)
			for _, line := range c.Content {
				out = append(out, line.Value)
			}
			continue
		}
		out = append(out, scriptsOf(c)...)
	}
	return out
}

// The document's own file has to be one that the server takes, and its commands have to exist.
func TestTheDocumentOfForgesIsTrue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "forges.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1) {
		if !bytes.HasPrefix(m[1], []byte("forges:")) {
			continue
		}
		found = true
		entries, err := parseForges("forges.yaml", m[1])
		if err != nil || len(entries) != 3 || entries["github"].App == 0 {
			t.Errorf("%+v, %v", entries, err)
		}
	}
	if !found {
		t.Error("the document shows no file of forges")
	}
	root := wholeRoot()
	for _, named := range commandsIn(strings.ReplaceAll(string(text), "`", "\n")) {
		if problem := unknownIn(root, strings.Fields(named)); problem != "" {
			t.Errorf("%q: %s", named, problem)
		}
	}
}
