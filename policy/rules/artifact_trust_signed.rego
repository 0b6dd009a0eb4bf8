# METADATA
# title: The digest is signed by somebody whom the map trusts
# description: A signature over provenance about the digest counts as one over the digest.
# custom:
#   id: artifact.trust.signed
#   effect: deny
#   severity: high
#   evidence: [signature, provenance]
#   remediation: >-
#     Have the builder sign what it built (verdict attest provenance, cosign sign) with a key or
#     identity that the map names under trust: for signature or provenance.
#   owner: platform
package verdict.rules.artifact.trust.signed

import data.verdict.lib
import input.artifact.signature

check := {
	"status": "pass",
	"message": sprintf("signed by %s", [signature.by]),
	"observed": {"by": signature.by, "issuer": signature.issuer},
	"expected": "a trusted signer",
} if {
	signature.state == "verified"
	signature.evidence
} else := {
	"status": "fail",
	"message": sprintf("signed by %s alone, whom the map does not trust to sign it", [signature.by]),
	"observed": {"by": signature.by, "issuer": signature.issuer},
	"expected": "a trusted signer",
	"items": [{
		"key": sprintf("signer:%s", [signature.by]),
		"message": sprintf("%s signed, and has no right to", [signature.by]),
		"path": "",
		"line": 0,
		"fix": "add the signer under trust: in the map with the kind signature, or have a trusted one sign",
		"evidence": signature.evidence,
	}],
} if {
	signature.state == "present"
} else := lib.not_stated("the signature", signature)
