# METADATA
# title: The commit is owned and was reviewed
# description: Whose the changed paths are and who agreed to them was decided about the commit, before anything was built.
# custom:
#   id: artifact.trust.reviewed
#   effect: deny
#   severity: high
#   evidence: [decision]
#   remediation: >-
#     Build from a commit that somebody else approved and whose paths have owners: verdict why
#     DECISION says what was missing.
#   owner: platform
package verdict.rules.artifact.trust.reviewed

import data.verdict.rules.artifact.trust
import input.artifact

check := trust.passed(artifact.reviewed, "code")
