package ci

import (
	"bytes"
	"context"
	"encoding/base64"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A form is a kind of file of which an expression sees too little: what a value is
// called stands elsewhere than the value, or the text is written inside another format.
type form struct {
	fits func(name string, content []byte) bool
	// read gives what the rules do not find. A content that is not of the form after all
	// gives what could be read, and an error.
	read func(ctx context.Context, s *ruleSet, name string, content []byte) ([]finding, error)
}

// asideError is for something that the check does not promise: it is told and leaves
// the check complete.
type asideError string

func (e asideError) Error() string { return string(e) }

const errKeystore asideError = "it is a PKCS #12 store of which it cannot be told without its password whether it holds a private key"

// forms are told by their name or their content, embedded ones by their content too, so
// that they are known where they stand encoded in another file.
var (
	forms         = append([]form{{isNotebook, readNotebook}}, embeddedForms...)
	embeddedForms = []form{{isKubeconfig, readKubeconfig}, {isState, readState}}
)

// formRule is a rule that is written in Go. It yields as rules.toml says.
func formRule(id, description string) *rule {
	return &rule{ruleSpec: ruleSpec{ID: id, Description: description, Yields: true}}
}

// searchRevision counts changes to what is found that the rule files do not show. It is
// part of the rules' digest.
const searchRevision = "forms 1, decoding 1"

// search gives everything that is found in a file. The error tells what was not searched;
// what was found so far is given all the same.
func (s *ruleSet) search(ctx context.Context, name string, content []byte) ([]finding, error) {
	all, err := s.passes(ctx, name, content, true)
	identifyAll(all, content)
	for _, form := range forms {
		if !form.fits(name, content) {
			continue
		}
		found, ferr := form.read(ctx, s, name, content)
		all = append(all, found...)
		if err == nil {
			err = ferr
		}
	}
	return folded(precedence(all)), err
}

// standIn reports whether a value stands for one that is put in later.
func standIn(value string) bool {
	low := strings.ToLower(value)
	for _, word := range []string{"changeme", "change_me", "change-me", "example", "placeholder", "xxxx", "your", "dummy", "redacted", "****", "replace", "todo", "<", "${", "{{"} {
		if strings.Contains(low, word) {
			return true
		}
	}
	return strings.Trim(low, low[:min(1, len(low))]) == "" // one character over and over
}

var kubeconfigRule = formRule("kubeconfig-credential", "A credential in a kubeconfig acts on the cluster as the user that it was issued to.")

const maxKubeconfig = 1 << 20

func isKubeconfig(name string, content []byte) bool {
	return len(content) <= maxKubeconfig && bytes.Contains(content, []byte("users")) && bytes.Contains(content, []byte("clusters")) &&
		bytes.Contains(content, []byte("Config"))
}

// readKubeconfig takes the fields that are secrets by their name. A file that is no YAML
// is left to the rules: it is no kubeconfig that a client would read.
func readKubeconfig(_ context.Context, _ *ruleSet, _ string, content []byte) ([]finding, error) {
	var doc yaml.Node
	if yaml.Unmarshal(content, &doc) != nil || len(doc.Content) == 0 || scalar(doc.Content[0], "kind") != "Config" {
		return nil, nil
	}
	users := fieldOf(doc.Content[0], "users")
	if users == nil {
		return nil, nil
	}
	var all []finding
	take := func(n *yaml.Node, fields ...string) {
		for _, field := range fields {
			v := fieldOf(n, field)
			if v == nil || v.Kind != yaml.ScalarNode || len(v.Value) < 6 || standIn(v.Value) {
				continue
			}
			f := finding{rule: kubeconfigRule, line: int64(v.Line), secret: v.Value, note: "; it is the " + field + " of a user"}
			if key, err := base64.StdEncoding.DecodeString(v.Value); err == nil && field == "client-key-data" {
				f.secret, f.kind, f.depth = string(key), base64Encoding, 1
			}
			all = append(all, identified(f, nil, 0))
		}
	}
	for _, u := range users.Content {
		user := fieldOf(u, "user")
		take(user, "client-key-data", "token", "password")
		take(fieldOf(fieldOf(user, "auth-provider"), "config"), "access-token", "id-token", "refresh-token", "client-secret")
	}
	return all, nil
}

// fieldOf is the value of a key; nil without one.
func fieldOf(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func scalar(n *yaml.Node, key string) string {
	if v := fieldOf(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

// hasEnding reports whether a path ends with one of these, in any case.
func hasEnding(name string, endings ...string) bool {
	base := strings.ToLower(path.Base(name))
	for _, e := range endings {
		if strings.HasSuffix(base, e) {
			return true
		}
	}
	return false
}
