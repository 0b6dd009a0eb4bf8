package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"verdict"
	"verdict/forge"
	"verdict/forge/azure"
	"verdict/forge/github"
	"verdict/forge/gitlab"
	"verdict/server"
)

const seeForges = "docs/forges.md"

// forgeEntry is one forge in the file that --forges names.
type forgeEntry struct {
	// Kind is github, azure or gitlab.
	Kind string `yaml:"kind"`
	// API is the base of its REST API: https://api.github.com or https://HOST/api/v3,
	// https://dev.azure.com/ORGANISATION, https://HOST/api/v4.
	API string `yaml:"api"`
	// App is the App ID of a GitHub App, and Key a reference to its private key.
	App int64  `yaml:"app"`
	Key secret `yaml:"key"`
	// Token is a reference to the token by which Azure and GitLab are told.
	Token secret `yaml:"token"`
	// Secrets are references to what its deliveries are verified by: one, or two while one
	// takes the place of the other, the new one first.
	Secrets []secret `yaml:"secrets"`
	// Hosts may ask for the answer of a check beside Azure's own, as HOST or HOST:PORT.
	Hosts []string `yaml:"hosts"`
	// Internal are hosts of Hosts and API of an Azure DevOps Server that are in our own network.
	Internal []string `yaml:"internal"`
}

// forgeKeys are the keys of an entry, by kind.
var forgeKeys = map[string][]string{
	forge.GitHub: {"kind", "api", "app", "key", "secrets"},
	forge.Azure:  {"kind", "api", "token", "secrets", "hosts", "internal"},
	forge.GitLab: {"kind", "api", "token", "secrets"},
}

// forgeName is part of an address and of the id of work.
var forgeName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

const mostForges = 50

// forgesFrom reads the file strictly and joins the server to each forge in it.
func (a *app) forgesFrom(path string) (map[string]server.Source, error) {
	text, err := readLimited(path, maxConfig)
	if err != nil {
		return nil, &verdict.Error{Code: verdict.CodeUsage, What: "the file of forges " + path + " cannot be read", Remedy: "make it a readable file of at most 1 MiB, or leave --forges out", Err: err}
	}
	entries, err := parseForges(path, text)
	if err != nil {
		return nil, err
	}
	out := map[string]server.Source{}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if out[name], err = a.source(entries[name]); err != nil {
			return nil, inForge(path, name, err)
		}
	}
	return out, nil
}

// parseForges reads `forges:`, a mapping of names to entries. Keys that the kind of an entry
// does not have are refused with the nearest one.
func parseForges(path string, text []byte) (map[string]forgeEntry, error) {
	var doc map[string]yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&doc)
	if err == nil {
		if more := dec.Decode(&yaml.Node{}); !errors.Is(more, io.EOF) {
			err = errors.New("it holds more than one document")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		if key != "forges" {
			return nil, usage(seeForges, fmt.Sprintf("%s: line %d: the key %.60q is not known here", path, doc[key].Line, key), meant(key, []string{"forges"}, "", "name the forges under forges:"))
		}
	}
	var forges map[string]map[string]yaml.Node
	if node, ok := doc["forges"]; ok && err == nil {
		if err = node.Decode(&forges); err != nil && strings.Contains(err.Error(), " into ") { // the words of Go types
			err = errors.New("each forge is a mapping of keys")
		}
	}
	if err != nil || len(forges) == 0 || len(forges) > mostForges {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: path + " names no forges", Err: err,
			Remedy: "write `forges: {github: {kind: github, api: https://api.github.com, app: 12345, key: file:app.pem, secrets: [env:WEBHOOK_SECRET]}}`: see " + seeForges,
		}
	}
	out := map[string]forgeEntry{}
	for _, name := range slices.Sorted(maps.Keys(forges)) {
		e, err := parseForge(name, forges[name])
		if err != nil {
			return nil, inForge(path, name, err)
		}
		out[name] = e
	}
	return out, nil
}

func parseForge(name string, fields map[string]yaml.Node) (e forgeEntry, err error) {
	if !forgeName.MatchString(name) {
		return e, usage(seeForges, fmt.Sprintf("%.60q is no name for a forge", name), "use small letters, digits and -, such as github: it delivers to /webhooks/github")
	}
	kind := fields["kind"]
	known, ok := forgeKeys[kind.Value]
	if !ok {
		return e, usage(seeForges, fmt.Sprintf("its kind is %.60q", kind.Value), meant(kind.Value, slices.Sorted(maps.Keys(forgeKeys)), "", "write kind: github, azure or gitlab"))
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, key) {
			return e, usage(seeForges, fmt.Sprintf("line %d: a %s has no %.60q", fields[key].Line, kind.Value, key), meant(key, known, "", "its keys are "+listed(known)))
		}
	}
	whole := yaml.Node{Kind: yaml.MappingNode}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		value := fields[key]
		whole.Content = append(whole.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, &value)
	}
	if err := whole.Decode(&e); err != nil {
		return e, usage(seeForges, err.Error(), "write it as in "+seeForges)
	}
	for _, s := range slices.Concat(e.Secrets, []secret{e.Key, e.Token}) {
		if s == "" {
			continue
		}
		var ref secret
		if err := secretValue(&ref).parse(string(s)); err != nil { // it may be the secret itself, so it is not repeated
			return e, usage(seeForges, "one of its secrets "+err.Error(), "keep the secret in a file or variable and write file:PATH or env:NAME")
		}
	}
	if n := len(e.Secrets); n < 1 || n > 2 {
		return e, usage(seeForges, fmt.Sprintf("it has %d secrets", n), "write under secrets: a reference to the webhook's secret, and a second one while the first takes its place")
	}
	return e, nil
}

// inForge says in which entry of which file something is wrong.
func inForge(path, name string, err error) error {
	e := *verdict.AsError(err)
	e.What, e.Err = fmt.Sprintf("%s: forges.%.60s: %s", path, name, e.What), nil
	return &e
}

// forgePatience is how long one turn of work waits for a throttle; longer ones put it off.
const forgePatience = 20 * time.Second

// source joins the server to a forge.
func (a *app) source(e forgeEntry) (server.Source, error) {
	secrets := forge.Secrets{}
	for _, ref := range e.Secrets {
		s, err := ref.reveal(a.env)
		if err != nil {
			return server.Source{}, err
		}
		if len(s) < 16 {
			return server.Source{}, usage(seeForges, fmt.Sprintf("the secret %s has fewer than 16 characters, which can be guessed", ref), "make one: openssl rand -hex 32")
		}
		secrets = append(secrets, []byte(s))
	}
	key, token := "", ""
	for _, x := range []struct {
		ref  secret
		into *string
	}{{e.Key, &key}, {e.Token, &token}} {
		if x.ref == "" {
			continue
		}
		var err error
		if *x.into, err = x.ref.reveal(a.env); err != nil {
			return server.Source{}, err
		}
	}
	o := forge.Options{Now: a.now, Patience: forgePatience}
	out := server.Source{System: e.Kind, Seal: secrets}
	var err error
	switch e.Kind {
	case forge.GitHub:
		out.Hook, err = github.NewApp(github.AppOptions{API: e.API, ID: e.App, Key: []byte(key), Secrets: secrets, Options: o})
	case forge.GitLab:
		out.Hook, err = gitlab.NewHook(gitlab.HookOptions{API: e.API, Token: token, Secrets: secrets, Options: o})
	default:
		o.Transport = forge.Guarded(e.Internal)
		hosts := e.Hosts
		if u, err := url.Parse(e.API); err == nil {
			hosts = append(slices.Clone(hosts), u.Host)
		}
		out.Hook, err = azure.NewHook(azure.HookOptions{API: e.API, Token: token, Secrets: secrets, Hosts: hosts, Options: o})
	}
	return out, err
}
