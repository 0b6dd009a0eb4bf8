# METADATA
# title: The commit passed its checks
# description: What is provably unsafe was looked for when the commit was checked. It is not looked for again here.
# custom:
#   id: artifact.trust.checked
#   effect: deny
#   severity: high
#   evidence: [decision]
#   remediation: >-
#     Build from a commit that passed: verdict why DECISION says what held it back; mend it, run
#     verdict ci on the mended commit and build that.
#   owner: platform
package verdict.rules.artifact.trust.checked

import data.verdict.rules.artifact.trust
import input.artifact

check := trust.passed(artifact.checked, "ci")
