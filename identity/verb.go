package identity

import "verdict"

// VerbOf is what it takes to have evidence of a kind recorded; step is that of an exception,
// which somebody asks for before others accept it. It is empty for what the server alone
// writes: no caller sends that, whatever his roles are.
func VerbOf(k verdict.Kind, step verdict.Step) Verb {
	if k == verdict.KindException && step == verdict.StepRequest {
		return Requesting
	}
	return verbs[k]
}

// verbs has each kind of evidence; those that the server alone writes have none.
var verbs = map[verdict.Kind]Verb{
	verdict.KindSBOM: Stating, verdict.KindImage: Stating, verdict.KindProvenance: Stating, verdict.KindSignature: Stating, verdict.KindTestResult: Stating,
	verdict.KindVulnerabilities: Stating, verdict.KindVEX: Stating, verdict.KindVSA: Stating, verdict.KindOwnership: Stating, verdict.KindChangeReview: Stating,
	verdict.KindIgnore: Stating, verdict.KindDecision: Stating, verdict.KindDeployment: Stating, verdict.KindOutcome: Stating, verdict.KindObservation: Stating,
	verdict.KindIntent: Stating, verdict.KindFinding: Stating, verdict.KindProposal: Stating, verdict.KindControlResult: Stating, verdict.KindOther: Stating,
	verdict.KindApproval: Approving, verdict.KindException: Waiving, verdict.KindBreakGlass: Breaking, verdict.KindPolicyRelease: Governing, verdict.KindMapRelease: Governing,
	verdict.KindModeChange: Governing, verdict.KindRoleChange: Appointing, verdict.KindKey: Enrolling, verdict.KindAccessReview: Managing, verdict.KindHold: Auditing,
	verdict.KindAccess: "", verdict.KindIngestion: "", verdict.KindReceipt: "", verdict.KindEpoch: "", verdict.KindAdmission: "", verdict.KindTombstone: "",
}

// Everybodys reports whether whoever may read anything sees evidence of a kind, whatever his
// scope: the keys, maps and rules by which everybody is judged, and what the log says of itself.
func Everybodys(k verdict.Kind) bool {
	switch k {
	case verdict.KindKey, verdict.KindPolicyRelease, verdict.KindMapRelease, verdict.KindModeChange, verdict.KindProposal, verdict.KindReceipt, verdict.KindEpoch:
		return true
	}
	return false
}
