package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"verdict"
	"verdict/evidence"
)

// statable lists the kinds that a person or a tool may state through `verdict attest`.
var statable = []verdict.Kind{
	verdict.KindSBOM, verdict.KindProvenance, verdict.KindTestResult, verdict.KindVulnerabilities, verdict.KindVEX, verdict.KindVSA,
	verdict.KindOwnership, verdict.KindChangeReview, verdict.KindDeployment, verdict.KindOutcome, verdict.KindObservation,
	verdict.KindIntent, verdict.KindFinding, verdict.KindProposal, verdict.KindAccessReview,
}

// reserved gives for each kind that `verdict attest` refuses who states it. They take
// effect in the ledger by themselves, so each has a way of its own that checks it first.
var reserved = map[verdict.Kind]string{
	verdict.KindDecision:      "verdict ci takes and records decisions",
	verdict.KindImage:         "verdict artifact record REF states what a registry says of a digest",
	verdict.KindSignature:     "verdict attest --bundle FILE records it as it was signed",
	verdict.KindKey:           "verdict people enroll and verdict keys record what happens to keys",
	verdict.KindIngestion:     "verdict attest --bundle FILE records evidence of others",
	verdict.KindMapRelease:    "verdict map release records it",
	verdict.KindPolicyRelease: "verdict policy release records it, and so does the first decision by another policy bundle",
	verdict.KindReceipt:       "the log states it by itself",
	verdict.KindEpoch:         "verdict log epoch records it",
	verdict.KindTombstone:     "it is recorded when a body is deleted at the end of its retention",
	verdict.KindAdmission:     "it is recorded where workloads are admitted",
	verdict.KindAccess:        "the server records it where tokens and sessions are made and ended",
	verdict.KindControlResult: "it is computed from the ledger",
	verdict.KindIgnore:        "false positives stand in the file .verdictignore",
	verdict.KindApproval:      "verdict approve and verdict reject record a person's answer",
	verdict.KindException:     "verdict exception add and verdict exception approve record it, by two persons",
	verdict.KindBreakGlass:    "it is recorded by verdict break-glass open",
	verdict.KindHold:          byPerson, verdict.KindModeChange: byPerson, verdict.KindRoleChange: byPerson,
}

const byPerson = "a person states it through a command of its own, which holds it to the limits of the map; this version has none yet"

// otherWords are what other tools call our kinds.
var otherWords = map[string]verdict.Kind{
	"cyclonedx": verdict.KindSBOM, "spdx": verdict.KindSBOM, "spdxjson": verdict.KindSBOM, "bom": verdict.KindSBOM,
	"slsaprovenance": verdict.KindProvenance, "slsaprovenance1": verdict.KindProvenance, "slsaprovenance02": verdict.KindProvenance, "slsa": verdict.KindProvenance,
	"openvex": verdict.KindVEX, "csaf": verdict.KindVEX, "vuln": verdict.KindVulnerabilities, "vulns": verdict.KindVulnerabilities, "review": verdict.KindChangeReview,
	"tests": verdict.KindTestResult, "test": verdict.KindTestResult,
}

const seeAttest = "verdict attest --help"

// readKind reads KIND-or-TYPE: one of our words, or the URI of a predicate type, which
// is then not empty.
func readKind(word string) (kind verdict.Kind, predicateType string, err error) {
	kind = verdict.Kind(word)
	if strings.Contains(word, ":") {
		u, err := url.Parse(word)
		if err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" || len(word) > 1024 || strings.ContainsAny(word, " \t\r\n") {
			return "", "", usage(seeAttest, fmt.Sprintf("%q is no URI of a predicate type", word), "write it in full, like https://slsa.dev/provenance/v1")
		}
		kind, predicateType = evidence.KindOf(word), word
		if kind == verdict.KindOther {
			return kind, predicateType, nil
		}
	}
	if by, ok := reserved[kind]; ok {
		return "", "", usage(seeAttest, fmt.Sprintf("%s is stated by Verdict itself and cannot be attested", kind), by)
	}
	if slices.Contains(statable, kind) {
		return kind, predicateType, nil
	}
	if our, ok := otherWords[strings.ToLower(word)]; ok {
		return "", "", usage(seeAttest, fmt.Sprintf("%q is no kind of evidence", word), "Verdict's word for it is "+string(our))
	}
	names := []string{}
	for _, k := range statable {
		names = append(names, string(k))
	}
	return "", "", usage(seeAttest, fmt.Sprintf("%q is no kind of evidence", word), meant(word, names, "", "the kinds are "+strings.Join(names, ", ")+"; another type is given by its full URI"))
}

// shape is how a standard predicate is told by its members: name → how its text begins,
// "" for a member of any value.
type shape struct {
	kind    verdict.Kind
	typ     string
	members map[string]string
	called  string
}

var shapes = []shape{
	{verdict.KindSBOM, "https://cyclonedx.org/bom", map[string]string{"bomFormat": "CycloneDX"}, "a CycloneDX document (bomFormat)"},
	{verdict.KindSBOM, "https://spdx.dev/Document", map[string]string{"spdxVersion": "SPDX-2"}, "an SPDX 2 document (spdxVersion)"},
	{verdict.KindSBOM, evidence.SPDX3, map[string]string{"@context": "https://spdx.org/rdf/3.0.1/", "@graph": ""}, "an SPDX 3.0.1 document (@context, @graph)"},
	{verdict.KindProvenance, "https://slsa.dev/provenance/v1", map[string]string{"buildDefinition": "", "runDetails": ""}, "SLSA provenance v1 (buildDefinition, runDetails)"},
	{verdict.KindProvenance, "https://slsa.dev/provenance/v0.2", map[string]string{"builder": "", "buildType": ""}, "v0.2 (builder, buildType)"},
	{verdict.KindProvenance, "https://slsa.dev/provenance/v0.1", map[string]string{"builder": "", "recipe": ""}, "v0.1 (builder, recipe)"},
	{verdict.KindTestResult, "https://in-toto.io/attestation/test-result/v0.1", map[string]string{"result": "", "configuration": ""}, "an in-toto test result (result, configuration)"},
	{verdict.KindVulnerabilities, "https://cosign.sigstore.dev/attestation/vuln/v1", map[string]string{"invocation": "", "scanner": "", "metadata": ""}, "cosign's vulnerability report (invocation, scanner, metadata)"},
	{verdict.KindVulnerabilities, "https://in-toto.io/attestation/vulns/v0.2", map[string]string{"scanner": "", "metadata": ""}, "an in-toto vulns report (scanner, metadata)"},
	{verdict.KindVEX, "https://openvex.dev/ns/v0.2.0", map[string]string{"@context": "https://openvex.dev/ns", "statements": ""}, "an OpenVEX document (@context, statements)"},
	{verdict.KindVEX, evidence.CycloneDXVEX, map[string]string{"bomFormat": "CycloneDX", "vulnerabilities": ""}, "a CycloneDX document with vulnerabilities"},
	{verdict.KindVEX, evidence.CSAFVEX, map[string]string{"document": "", "product_tree": "", "vulnerabilities": ""}, "a CSAF document of the category csaf_vex"},
	{verdict.KindVSA, "https://slsa.dev/verification_summary/v1", map[string]string{"verifier": "", "verificationResult": ""}, "a SLSA verification summary (verifier, verificationResult)"},
}

func (s shape) fits(top map[string]json.RawMessage) bool {
	for name, begins := range s.members {
		var text string
		raw, ok := top[name]
		if !ok || begins != "" && (json.Unmarshal(raw, &text) != nil || !strings.HasPrefix(text, begins)) {
			return false
		}
	}
	return true
}

// predicateOf judges the predicate that was handed in for a kind, and gives the
// predicate type to state it under: the one given, else that of its shape. Whether it is
// JSON at all is told by the statement that is made of it.
func predicateOf(kind verdict.Kind, predicateType string, raw []byte) (string, error) {
	var top map[string]json.RawMessage
	if json.Unmarshal(raw, &top) != nil {
		return first(predicateType, evidence.PredicateType(kind)), nil
	}
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { _, ok := top[n]; return !ok })
	}
	if has("_type", "predicateType", "subject") {
		return "", wrongPredicate("this is a whole statement, not a predicate", "give what stands under its \"predicate\"; the subject is named by --subject")
	}
	if has("dsseEnvelope") || has("payload", "payloadType") {
		return "", wrongPredicate("this is signed evidence, not a predicate", "record a Sigstore bundle as evidence of its signer: verdict attest --bundle FILE --key …")
	}
	var known []string
	for _, s := range shapes {
		if s.kind != kind {
			continue
		}
		if s.fits(top) {
			return first(predicateType, s.typ), nil
		}
		known = append(known, s.called)
	}
	if len(known) > 0 {
		return "", wrongPredicate(fmt.Sprintf("the predicate does not have the form of kind %s", kind), "give "+strings.Join(known, ", or "))
	}
	return first(predicateType, evidence.PredicateType(kind)), nil
}

func wrongPredicate(what, remedy string) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: what, Remedy: remedy}
}

// first is the first word that is not empty.
func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
