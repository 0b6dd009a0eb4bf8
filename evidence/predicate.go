package evidence

import (
	"strings"

	"verdict"
)

// DefaultBase is the base of every URI that is ours: the predicate types of the kinds
// for which no standard exists, and the names of ContextField and ReportField. It is a
// reserved name: whoever publishes evidence sets it to a name of their own first, here
// and nowhere else, and never changes it afterwards, because statements that were
// signed under the old base are then statements of a type that nobody knows.
const DefaultBase = "https://verdict.example"

// ContextField and ReportField are the fields under which the origin of a statement and
// the report of a check travel inside its predicate. Being URIs, they cannot collide
// with a field of the predicate's own, and other readers ignore them.
const (
	ContextField = DefaultBase + "/context/v1"
	ReportField  = DefaultBase + "/report/v1"
)

// SPDX3 is the predicate type of a bill of materials in SPDX 3, and StoredBill that of one
// that lies beside the statement (verdict.StoredBill).
const (
	SPDX3      = "https://spdx.dev/Document/v3.0.1"
	StoredBill = DefaultBase + "/sbom/v1"
)

// CycloneDXVEX and CSAFVEX are the predicate types of VEX in those forms: CycloneDX's own
// type means a bill of materials, and CSAF has none.
const (
	CycloneDXVEX = DefaultBase + "/vex-cyclonedx/v1"
	CSAFVEX      = DefaultBase + "/vex-csaf/v1"
)

// standard gives the predicate types of others. The first of a kind is the one that we
// write; the rest are read as the same kind.
var standard = []struct {
	kind  verdict.Kind
	types []string
}{
	{verdict.KindSBOM, []string{
		"https://cyclonedx.org/bom", "https://cyclonedx.org/bom/v1.7", "https://cyclonedx.org/bom/v1.6", "https://cyclonedx.org/bom/v1.5",
		"https://cyclonedx.org/bom/v1.4", "https://cyclonedx.org/bom/v1.3", "https://cyclonedx.org/bom/v1.2",
		"https://spdx.dev/Document", "https://spdx.dev/Document/v2.3", "https://spdx.dev/Document/v2.2", SPDX3, StoredBill,
	}},
	{verdict.KindProvenance, []string{
		"https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2", "https://slsa.dev/provenance/v0.1",
	}},
	// What cosign signs an image with where it signs bundles, and where it does not.
	{verdict.KindSignature, []string{"https://sigstore.dev/cosign/sign/v1", SimpleSigning}},
	{verdict.KindTestResult, []string{"https://in-toto.io/attestation/test-result/v0.1"}},
	{verdict.KindVulnerabilities, []string{
		"https://in-toto.io/attestation/vulns/v0.2", "https://in-toto.io/attestation/vulns/v0.1",
		"https://cosign.sigstore.dev/attestation/vuln/v1",
	}},
	// Nobody has named predicate types for VEX in the other two forms, so those names are ours.
	{verdict.KindVEX, []string{"https://openvex.dev/ns/v0.2.0", "https://openvex.dev/ns", CycloneDXVEX, CSAFVEX}},
	{verdict.KindVSA, []string{
		"https://slsa.dev/verification_summary/v1", "https://slsa.dev/verification_summary/v0.2", "https://slsa.dev/verification_summary/v0.1",
	}},
}

// own lists the kinds whose predicate is ours, because no standard has one.
var own = []verdict.Kind{
	verdict.KindImage, verdict.KindOwnership, verdict.KindChangeReview, verdict.KindIgnore, verdict.KindDecision, verdict.KindApproval,
	verdict.KindException, verdict.KindBreakGlass, verdict.KindDeployment, verdict.KindOutcome, verdict.KindObservation,
	verdict.KindIntent, verdict.KindFinding, verdict.KindProposal, verdict.KindPolicyRelease, verdict.KindMapRelease,
	verdict.KindModeChange, verdict.KindRoleChange, verdict.KindAccess, verdict.KindKey, verdict.KindIngestion, verdict.KindReceipt,
	verdict.KindEpoch, verdict.KindAdmission, verdict.KindAccessReview, verdict.KindTombstone, verdict.KindHold,
	verdict.KindControlResult,
}

var (
	typeOf = map[verdict.Kind]string{}
	kindOf = map[string]verdict.Kind{}
)

func init() {
	for _, s := range standard {
		typeOf[s.kind] = s.types[0]
		for _, t := range s.types {
			kindOf[t] = s.kind
		}
	}
	for _, k := range own {
		t := DefaultBase + "/" + string(k) + "/v1"
		typeOf[k], kindOf[t] = t, k
	}
}

// PredicateType is the predicate type that statements of the kind are written with:
// the standard one where there is a standard, else DefaultBase + "/<kind>/v1". It is
// empty for KindOther and for a word that is no kind.
func PredicateType(k verdict.Kind) string { return typeOf[k] }

// KindOf is the kind of evidence that a predicate type stands for, KindOther when it is
// not one that Verdict has a word for. Types are compared as they are written, but for
// a slash at the end.
func KindOf(predicateType string) verdict.Kind {
	if k, ok := kindOf[strings.TrimSuffix(predicateType, "/")]; ok {
		return k
	}
	return verdict.KindOther
}
