# METADATA
# title: No program is run as it comes from the network
# custom:
#   id: VP-AZP-009
#   severity: low
#   formats: azure-pipelines
#   fix: >-
#     Take a release by its version over https, compare its digest, and then run it:
#     curl -fsSLo tool https://…/v1.2.3/tool && echo "<sha256>  tool" | sha256sum -c && sh tool
package verdict.pipelines.azure.fetched

import data.verdict.pipelines.lib

found contains object.union(lib.of_step(p.step, p.command.at, "http | sh", "what comes by plain http is executed: whoever is on the way to the server decides what runs"), {"severity": "medium"}) if {
	some p in lib.piped
	p.plain
}

found contains lib.of_step(p.step, p.command.at, "https | sh", "what a server gives at that moment is executed, without a digest: whoever has the server decides what runs") if {
	some p in lib.piped
	not p.plain
}
