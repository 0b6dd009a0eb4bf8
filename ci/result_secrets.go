package ci

import (
	"cmp"

	"verdict"
)

// isGitleaks knows gitleaks' list of findings, and the empty one, which only a tool that
// is known to be gitleaks can have written.
func isGitleaks(top datum) bool {
	list, ok := top.v.([]any)
	if !ok {
		return false
	}
	for _, x := range list {
		if o, ok := x.(object); !ok || o["RuleID"] == nil || o["Fingerprint"] == nil && o["Secret"] == nil {
			return false
		}
	}
	return true
}

// readGitleaks reads gitleaks' JSON. Match, Secret, Line, and author, mail address and
// message of the commit are never read: the report keeps what was found, and where.
// Fingerprint is commit:file:rule:line, and no key: commit and line are others after a
// rebase.
func readGitleaks(r *resultReader, top datum) {
	r.by("gitleaks", "")
	for _, x := range top.objects() {
		rule, file := x.text("RuleID"), x.text("File")
		h := verdict.Hit{
			Key:      rule + ":" + r.placeQuietly(file),
			Detector: rule, Message: cmp.Or(x.text("Description"), rule), Line: x.count("StartLine"), Severity: verdict.SeverityCritical,
			Fix: "revoke it where it was issued, then take it out of the file and out of git's history",
		}
		r.hit(h, file, "")
	}
	r.aside("", "gitleaks does not say which files it looked at")
}
