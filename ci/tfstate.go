package ci

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"verdict/ci/plain"
	"verdict/ci/wording"
)

var (
	stateSecretRule = formRule("terraform-state-secret", "A Terraform state holds this value of a resource or output in the clear.")
	stateFileRule   = formRule("terraform-state-file", "A Terraform state with secret values lies in the tree: it belongs into a backend that encrypts it and says who read it.")
)

func isState(name string, content []byte) bool {
	return hasEnding(name, ".tfstate", ".tfstate.backup") ||
		bytes.Contains(content[:min(len(content), 512)], []byte(`"terraform_version"`)) && bytes.Contains(content[:min(len(content), 512)], []byte(`"serial"`))
}

// secretEndings are of attributes whose value lets somebody in. Names of secrets, their
// ids and settings about them are not among them.
var secretEndings = []string{
	"password", "passwd", "passphrase", "secret", "secret_key", "secret_access_key", "client_secret", "private_key", "private_key_pem", "private_key_openssh",
	"access_key", "api_key", "auth_token", "access_token", "refresh_token", "sas_token", "master_key", "account_key", "connection_string",
	"secret_string", "secret_binary", "client_key", "kube_config_raw", "kube_admin_config_raw", "session_token", "ses_smtp_password_v4", "token_secret", "bearer_token",
}

func secretName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretEndings, func(e string) bool {
		rest, found := strings.CutSuffix(name, e)
		return found && (rest == "" || strings.HasSuffix(rest, "_") || strings.HasSuffix(rest, "."))
	})
}

// stateReader reads a state of any version: what it knows are attributes, and outputs
// that are marked as sensitive.
type stateReader struct {
	j       *plain.JSON
	found   []finding
	kind    string // of the resource that was met last
	pending []leaf // attributes of the instance that is read
	marked  []string
}

// leaf is one text among attributes.
type leaf struct {
	top, name, value string
	line             int64
}

func readState(_ context.Context, _ *ruleSet, _ string, content []byte) ([]finding, error) {
	r := &stateReader{j: plain.NewJSON(content)}
	err := r.value("")
	r.settle()
	if err != nil {
		err = asideError("it is no Terraform state that can be read, and was searched as text alone: " + err.Error())
	}
	if len(r.found) > 0 {
		r.found = append(r.found, finding{rule: stateFileRule})
	}
	return r.found, err
}

// value looks for attributes and outputs in one value.
func (r *stateReader) value(key string) error {
	switch r.j.Peek() {
	case '[':
		return r.j.List('[', ']', func() error { return r.value(key) })
	case '{':
		if key == "outputs" {
			return r.j.Members(r.output)
		}
		err := r.j.Members(r.member)
		if key == "instances" || key == "primary" {
			r.settle()
		}
		return err
	}
	return r.j.Skip()
}

func (r *stateReader) member(key string, _ int64) error {
	switch key {
	case "type":
		if r.j.Peek() == '"' {
			kind, err := r.j.Quoted()
			r.kind = kind
			return err
		}
	case "attributes":
		return r.attributes("", "")
	case "sensitive_attributes":
		return r.marks()
	}
	return r.value(key)
}

// attributes keeps every text below, with the name of the attribute that it belongs to.
func (r *stateReader) attributes(top, name string) error {
	switch r.j.Peek() {
	case '[':
		return r.j.List('[', ']', func() error { return r.attributes(top, name) })
	case '{':
		return r.j.Members(func(key string, _ int64) error {
			if top == "" {
				return r.attributes(key, key)
			}
			return r.attributes(top, key)
		})
	case '"':
		line := r.j.Line()
		value, err := r.j.Quoted()
		r.pending = append(r.pending, leaf{top, name, value, line})
		return err
	}
	return r.j.Skip()
}

// marks keeps the attributes that the provider calls sensitive: lists of steps such as
// {"type": "get_attr", "value": "password"}.
func (r *stateReader) marks() error {
	if r.j.Peek() == '[' {
		return r.j.List('[', ']', r.marks)
	}
	return r.j.Members(func(key string, _ int64) error {
		if key != "value" {
			return r.j.Skip()
		}
		name, err := r.j.Text()
		r.marked = append(r.marked, name)
		return err
	})
}

// settle judges the attributes of one instance.
func (r *stateReader) settle() {
	for _, l := range r.pending {
		made := strings.HasPrefix(r.kind, "random_password") && l.name == "result"
		if made || secretName(l.name) || slices.Contains(r.marked, l.top) {
			r.take(l, "attribute")
		}
	}
	r.pending, r.marked = nil, nil
}

func (r *stateReader) take(l leaf, what string) {
	if len(l.value) < 4 || standIn(l.value) || strings.HasPrefix(l.value, "arn:") || strings.HasPrefix(l.value, "/subscriptions/") {
		return
	}
	f := finding{rule: stateSecretRule, line: l.line, secret: l.value, note: "; it is the " + what + " " + wording.Shown(l.top)}
	r.found = append(r.found, identified(f, nil, 0))
}

func (r *stateReader) output(name string, _ int64) error {
	var value leaf
	sensitive := false
	err := r.j.Members(func(key string, line int64) (err error) {
		switch key {
		case "value":
			value = leaf{top: name, name: name, line: line}
			value.value, err = r.j.Text()
		case "sensitive":
			sensitive, err = r.j.Flag()
		default:
			err = r.j.Skip()
		}
		return err
	})
	if sensitive || secretName(name) {
		r.take(value, "output")
	}
	return err
}
