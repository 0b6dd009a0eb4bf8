package ci

import (
	"cmp"
	"strings"

	"verdict"
)

func isCheckov(top datum) bool {
	if list, ok := top.v.([]any); ok {
		for i := range list {
			if !isCheckov(datum{v: list[i], doc: top.doc}) {
				return false
			}
		}
		return len(list) > 0
	}
	o, ok := top.v.(object)
	return ok && (o["check_type"] != nil && o["results"] != nil || o["checkov_version"] != nil && o["passed"] != nil)
}

// readCheckov reads checkov's JSON: one framework, a list of them, or the bare counts that
// it writes when it found nothing to look at.
func readCheckov(r *resultReader, top datum) {
	frameworks := []datum{top}
	if _, several := top.v.([]any); several {
		frameworks = top.objects()
	}
	for _, f := range frameworks {
		summary := f.get("summary")
		if !f.has("check_type") {
			summary = f
		}
		r.by("checkov", summary.text("checkov_version"))
		r.report.Scope.Components += summary.count("resource_count")
		results := f.get("results")
		checked := int64(0)
		for _, list := range []string{"passed_checks", "failed_checks", "skipped_checks"} {
			checked += int64(len(results.get(list).list()))
		}
		if checked == 0 && summary.count("passed")+summary.count("failed")+summary.count("skipped") == 0 {
			r.open("", "checkov looked at nothing (%s)", cmp.Or(f.text("check_type"), "no framework"))
		}
		r.report.Scope.Inputs += checked
		for _, p := range results.get("parsing_errors").list() {
			r.open(r.placeQuietly(strings.TrimPrefix(p.str(), "/")), "checkov could not read it")
		}
		if n := summary.count("parsing_errors"); n > 0 && len(results.get("parsing_errors").list()) == 0 {
			r.open("", "checkov could not read %d files", n)
		}
		for _, c := range results.get("failed_checks").objects() {
			r.checkov(c, "")
		}
		if n := summary.count("failed"); n > int64(len(results.get("failed_checks").list())) {
			r.open("", "checkov counts %d failed checks, and lists %d", n, len(results.get("failed_checks").list()))
		}
		for _, c := range results.get("skipped_checks").objects() {
			r.checkov(c, "in the source")
		}
	}
}

// checkov writes paths as if the tree were the root of the file system.
func (r *resultReader) checkov(c datum, suppressed string) {
	id, where := c.text("check_id"), strings.TrimPrefix(c.text("file_path"), "/")
	h := verdict.Hit{
		Key: id + ":" + r.placeQuietly(where) + ":" + oneLine(c.text("resource"), 300), Detector: id, Severity: severityWord(c.text("severity")),
		Message: cmp.Or(c.text("check_name"), id) + " (" + oneLine(c.text("resource"), 120) + ")", Fix: c.text("guideline"),
	}
	if lines := c.get("file_line_range").list(); len(lines) > 0 {
		if n, ok := lines[0].number(); ok {
			h.Line = int64(min(max(n, 0), 1e9))
		}
	}
	r.hit(h, where, suppressed)
}

func isKICS(top datum) bool {
	o, ok := top.v.(object)
	return ok && o["queries"] != nil && (o["kics_version"] != nil || o["files_scanned"] != nil)
}

// readKICS reads KICS' JSON. Values that it found are not kept: they can be passwords.
func readKICS(r *resultReader, top datum) {
	r.by("KICS", top.text("kics_version"))
	scanned, parsed := top.count("files_scanned"), top.count("files_parsed")
	r.report.Scope.Files, r.report.Scope.Inputs = scanned, parsed
	if parsed == 0 {
		r.open("", "KICS looked at no file that it could read")
	}
	if n := top.count("files_failed_to_scan"); n > 0 {
		r.open("", "KICS could not look at %d files", n)
	}
	if n := top.count("queries_failed_to_execute"); n > 0 {
		r.open("", "%d of KICS' queries did not run to their end", n)
	}
	for _, q := range top.get("queries").objects() {
		for _, f := range q.get("files").objects() {
			r.hit(verdict.Hit{
				Key:      q.text("query_id") + ":" + oneLine(f.text("similarity_id"), 100),
				Detector: cmp.Or(q.text("query_id"), q.text("query_name")), Severity: severityWord(q.text("severity")),
				Message: q.text("query_name"), Line: f.count("line"), Fix: q.text("query_url"),
			}, f.text("file_name"), "")
		}
	}
}
