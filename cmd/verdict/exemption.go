package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"verdict"
)

// Exemptions of Azure Policy: resources of the type Microsoft.Authorization/policyExemptions
// (API version 2022-07-01-preview). They exempt a scope from a policy assignment, as a
// Waiver, where the risk is accepted, or as Mitigated, where something else is done instead.

const (
	exemptionType    = "Microsoft.Authorization/policyExemptions"
	exemptionVersion = "2022-07-01-preview"
	waiver           = "Waiver"
	mitigated        = "Mitigated"
	azureTime        = "2006-01-02T15:04:05Z"
	maxExemptions    = 1000
	maxExemptionFile = 8 << 20
)

// exemption is one of them.
type exemption struct {
	Type       string              `json:"type"`
	APIVersion string              `json:"apiVersion"`
	Name       string              `json:"name"`
	Scope      string              `json:"scope,omitempty"`
	Properties exemptionProperties `json:"properties"`
}

type exemptionProperties struct {
	PolicyAssignmentID           string            `json:"policyAssignmentId"`
	PolicyDefinitionReferenceIDs []string          `json:"policyDefinitionReferenceIds"`
	ExemptionCategory            string            `json:"exemptionCategory"`
	ExpiresOn                    string            `json:"expiresOn"`
	DisplayName                  string            `json:"displayName"`
	Description                  string            `json:"description"`
	Metadata                     exemptionMetadata `json:"metadata"`
}

// exemptionMetadata holds the terms of the exception, so that it can come back.
type exemptionMetadata struct {
	Verdict *verdict.Exception `json:"verdict,omitempty"`
}

// exempting writes an exception as an exemption from a policy assignment.
func exempting(x verdict.Exception, assignment, scope string) exemption {
	terms := x.Terms()
	terms.ApprovedBy = append([]string{}, x.ApprovedBy...)
	e := exemption{Type: exemptionType, APIVersion: exemptionVersion, Name: x.ID, Scope: scope, Properties: exemptionProperties{
		PolicyAssignmentID: assignment, PolicyDefinitionReferenceIDs: []string{x.Rule}, ExemptionCategory: waiver, ExpiresOn: x.Expires.UTC().Format(azureTime),
		DisplayName: clip(fmt.Sprintf("%s: %s in %s", x.Rule, x.Service, strings.Join(x.Environments, ", ")), 128), Description: clip(x.Rationale, 512),
		Metadata: exemptionMetadata{Verdict: &terms},
	}}
	if x.Controls != "" {
		e.Properties.ExemptionCategory = mitigated
	}
	return e
}

// clip cuts a text to so many letters, and shows that it did.
func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// readExemptions reads exemptions in any of the forms in which Azure gives them: one, a
// list, a template or page with a list, each with its properties apart or beside the name.
func readExemptions(raw []byte) ([]exemption, error) {
	if len(raw) > maxExemptionFile {
		return nil, badExemption(verdict.CodeLimit, fmt.Sprintf("it has %d bytes, and %d are read", len(raw), maxExemptionFile), "give fewer exemptions in a file")
	}
	var list []json.RawMessage
	var page struct {
		Resources []json.RawMessage `json:"resources"`
		Value     []json.RawMessage `json:"value"`
	}
	switch trimmed := bytes.TrimSpace(raw); {
	case len(trimmed) > 0 && trimmed[0] == '[':
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, badExemption(verdict.CodeInvalid, "it is no JSON: "+err.Error(), "give what az policy exemption list -o json prints")
		}
	default:
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, badExemption(verdict.CodeInvalid, "it is no JSON: "+err.Error(), "give what az policy exemption list -o json prints")
		}
		if list = append(page.Resources, page.Value...); len(list) == 0 {
			list = []json.RawMessage{raw}
		}
	}
	var out []exemption
	for i, one := range list {
		if len(out) == maxExemptions {
			return nil, badExemption(verdict.CodeLimit, fmt.Sprintf("it has more than %d exemptions", maxExemptions), "give fewer in a file")
		}
		e, err := readExemption(one)
		if err != nil {
			return nil, fmt.Errorf("exemption %d: %w", i+1, err)
		}
		if e != nil {
			out = append(out, *e)
		}
	}
	if len(out) == 0 {
		return nil, badExemption(verdict.CodeInvalid, "it holds no exemption", "give resources of the type "+exemptionType)
	}
	return out, nil
}

// readExemption is nil for a resource of another type.
func readExemption(raw []byte) (*exemption, error) {
	var e exemption
	var beside struct {
		exemptionProperties
		Properties json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, badExemption(verdict.CodeInvalid, err.Error(), "give it as Azure does")
	}
	if err := json.Unmarshal(raw, &beside); err != nil {
		return nil, badExemption(verdict.CodeInvalid, err.Error(), "give it as Azure does")
	}
	if len(beside.Properties) == 0 {
		e.Properties = beside.exemptionProperties
	}
	if e.Type != "" && !strings.EqualFold(e.Type, exemptionType) {
		return nil, nil
	}
	p := e.Properties
	switch {
	case !slices.Contains([]string{waiver, mitigated}, p.ExemptionCategory):
		return nil, badExemption(verdict.CodeInvalid, fmt.Sprintf("its category is %q", p.ExemptionCategory), "it is "+waiver+" or "+mitigated)
	case p.ExpiresOn == "":
		return nil, badExemption(verdict.CodeRefused, fmt.Sprintf("%q does not expire", e.Name), "give it an end in Azure (az policy exemption update --expires-on), and export it again: no risk is accepted for ever")
	}
	if _, err := time.Parse(time.RFC3339, p.ExpiresOn); err != nil {
		return nil, badExemption(verdict.CodeInvalid, fmt.Sprintf("expiresOn %q is no time", p.ExpiresOn), "write it like 2026-12-31T23:59:59Z")
	}
	return &e, nil
}

func badExemption(code verdict.Code, what, remedy string) error {
	return &verdict.Error{Code: code, What: "the exemption of Azure Policy cannot be taken over: " + what, Remedy: remedy}
}

// exception is what an exemption asks for. What it does not say of Verdict's terms is taken
// from what else is known.
func (e exemption) exception(given verdict.Exception) (verdict.Exception, error) {
	p, x := e.Properties, given
	if v := p.Metadata.Verdict; v != nil {
		x = v.Terms()
		x.RequestedBy, x.Created = given.RequestedBy, given.Created
		for _, f := range []struct{ mine, theirs *string }{{&x.Rule, &given.Rule}, {&x.Service, &given.Service}, {&x.Owner, &given.Owner}, {&x.Versions, &given.Versions}} {
			if *f.theirs != "" {
				*f.mine = *f.theirs
			}
		}
		if len(given.Environments) > 0 {
			x.Environments = given.Environments
		}
	}
	if x.Rule == "" && len(p.PolicyDefinitionReferenceIDs) == 1 {
		x.Rule = p.PolicyDefinitionReferenceIDs[0]
	}
	x.Rationale = first(x.Rationale, p.Description, p.DisplayName)
	if p.ExemptionCategory == mitigated {
		x.Controls = first(x.Controls, p.Description)
	}
	at, err := time.Parse(time.RFC3339, p.ExpiresOn)
	if err != nil {
		return x, err
	}
	x.ID, x.Expires = "", at.UTC()
	if len(x.Digests) == 0 && x.Versions == "" {
		x.Versions = "*"
	}
	switch {
	case x.Rule == "":
		return x, badExemption(verdict.CodeInvalid, fmt.Sprintf("%q does not say which rule it is about", e.Name), "say it: --rule RULE")
	case x.Service == "":
		return x, badExemption(verdict.CodeInvalid, fmt.Sprintf("%q does not say which service bears the risk", e.Name), "say it: --service NAME")
	case len(x.Environments) == 0:
		return x, badExemption(verdict.CodeInvalid, fmt.Sprintf("%q does not say in which environment", e.Name), "say it: --env NAME")
	case len(x.Rationale) > maxText || len(x.Controls) > maxText || len(x.Owner) > maxText || len(x.Ticket) > maxText || len(x.Items) > maxExemptions:
		return x, badExemption(verdict.CodeLimit, fmt.Sprintf("%q says more than a statement holds", e.Name), "say it shorter")
	}
	return x, nil
}

// openVEX writes exceptions as a document of OpenVEX 0.2.0: the products are affected, and
// what is done about it is to bear the risk until a day. It never says not_affected: an
// exception says nothing of whether the vulnerability matters. left are the exceptions
// that are about no vulnerability.
func openVEX(all []verdict.Exception, id, author string, now time.Time) (doc vexDocument, left []string) {
	doc = vexDocument{Context: "https://openvex.dev/ns/v0.2.0", ID: id, Author: author, Timestamp: now, Version: 1, Statements: []vexStatement{}}
	for _, x := range all {
		any := false
		for _, item := range x.Items {
			at := strings.Index(item, "pkg:")
			if at < 2 {
				continue
			}
			name, component := item[:at-1], item[at:] // "CVE-… pkg:…", or with @ between them
			any = true
			doc.Statements = append(doc.Statements, vexStatement{
				Vulnerability: vexName{name}, Products: vexProducts(x, component), Status: "affected", Timestamp: x.Created, ActionTimestamp: x.Created,
				Action: clip(fmt.Sprintf("Accepted as a risk until %s (exception %s, by %s): %s%s", x.Expires.UTC().Format(azureTime), x.ID, personsText(x.ApprovedBy), x.Rationale, after(" Done instead: ", x.Controls)), maxText),
			})
		}
		if !any {
			left = append(left, x.ID)
		}
	}
	return doc, left
}

func after(lead, text string) string {
	if text == "" {
		return ""
	}
	return lead + text
}

type vexDocument struct {
	Context    string         `json:"@context"`
	ID         string         `json:"@id"`
	Author     string         `json:"author"`
	Timestamp  time.Time      `json:"timestamp"`
	Version    int            `json:"version"`
	Statements []vexStatement `json:"statements"`
}

type vexStatement struct {
	Vulnerability   vexName      `json:"vulnerability"`
	Products        []vexProduct `json:"products"`
	Status          string       `json:"status"`
	Action          string       `json:"action_statement"`
	ActionTimestamp time.Time    `json:"action_statement_timestamp"`
	Timestamp       time.Time    `json:"timestamp"`
}

type vexName struct {
	Name string `json:"name"`
}

type vexProduct struct {
	ID            string            `json:"@id"`
	Hashes        map[string]string `json:"hashes,omitempty"`
	Subcomponents []vexProduct      `json:"subcomponents,omitempty"`
}

// vexProducts are what an exception covers, each with the component that is vulnerable. A
// range of versions has no digest: the service stands for it.
func vexProducts(x verdict.Exception, component string) []vexProduct {
	part := []vexProduct{{ID: component}}
	if len(x.Digests) == 0 {
		return []vexProduct{{ID: "urn:verdict:service:" + x.Service, Subcomponents: part}}
	}
	var out []vexProduct
	for _, d := range x.Digests {
		p := vexProduct{ID: "urn:verdict:" + string(d), Subcomponents: part}
		if name, ok := map[string]string{"sha256": "sha-256", "sha384": "sha-384", "sha512": "sha-512"}[d.Algorithm()]; ok {
			p.Hashes = map[string]string{name: d.Hex()}
		}
		out = append(out, p)
	}
	return out
}

// indented writes a document of another format.
func indented(w io.Writer, doc any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}
