package ci

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"verdict"
)

func isSemgrep(top datum) bool {
	o, ok := top.v.(object)
	if !ok {
		return false
	}
	_, results := o["results"].([]any)
	_, errs := o["errors"].([]any)
	return results && errs && (o["paths"] != nil || o["version"] != nil)
}

// readSemgrep reads semgrep's JSON. The line of source that a finding quotes is not kept.
func readSemgrep(r *resultReader, top datum) {
	r.by("semgrep", top.text("version"))
	scanned := int64(len(top.dig("paths", "scanned").list()))
	if r.report.Scope.Files, r.report.Scope.Inputs = scanned, scanned; scanned == 0 {
		r.open("", "semgrep names no file that it looked at")
	}
	for _, e := range top.get("errors").objects() {
		text := cmp.Or(e.text("long_msg"), e.text("short_msg"), e.text("message"), "an error without text")
		where := r.placeQuietly(e.text("path"))
		if strings.HasPrefix(strings.ToLower(cmp.Or(e.text("level"), "error")), "err") {
			r.open(where, "semgrep says: %s", text)
		} else {
			r.aside(where, "semgrep says: %s", text)
		}
	}
	for _, x := range top.get("results").objects() {
		extra := x.get("extra")
		h := verdict.Hit{Detector: x.text("check_id"), Message: extra.text("message"), Severity: severityWord(extra.text("severity")), Line: x.get("start").count("line")}
		if f := extra.text("fingerprint"); f != "" && f != "requires login" {
			h.Key = h.Detector + ":" + hashed(f) + ":" + r.placeQuietly(x.text("path"))
		}
		suppressed := ""
		if extra.flag("is_ignored", false) {
			suppressed = "in the source"
		}
		r.hit(h, x.text("path"), suppressed)
	}
}

func isZAP(top datum) bool {
	o, ok := top.v.(object)
	_, sites := o["site"].([]any)
	return ok && sites && (o["@version"] != nil || o["@programName"] != nil)
}

// readZAP reads ZAP's traditional JSON report. Addresses lose their query and their
// credentials: both can hold secrets of a session.
func readZAP(r *resultReader, top datum) {
	r.by(cmp.Or(top.text("@programName"), "ZAP"), top.text("@version"))
	sites := top.get("site").objects()
	if len(sites) == 0 {
		r.open("", "ZAP reached no site: nothing was looked at")
	}
	for _, s := range sites {
		r.report.Scope.Inputs++
		for _, a := range s.get("alerts").objects() {
			risk, ok := a.get("riskcode").number()
			severity := verdict.SeverityUnknown
			if ok && risk >= 0 && risk <= 3 {
				severity = []verdict.Severity{verdict.SeverityInfo, verdict.SeverityLow, verdict.SeverityMedium, verdict.SeverityHigh}[int(risk)]
			}
			id, site := cmp.Or(a.text("alertRef"), a.text("pluginid")), address(s.text("@name"))
			message := cmp.Or(a.text("alert"), a.text("name"), id) + " at " + site
			if places := a.get("instances").objects(); len(places) > 0 {
				message = fmt.Sprintf("%s at %s %s", cmp.Or(a.text("alert"), a.text("name"), id), oneLine(places[0].text("method"), 20), address(places[0].text("uri")))
				if n := len(places) - 1; n > 0 {
					message += fmt.Sprintf(" and %d more", n)
				}
			}
			r.hit(verdict.Hit{Key: "zap:" + oneLine(id, 60) + ":" + site, Detector: id, Message: message, Severity: severity, Fix: plainText(a.text("solution"))}, "", "")
		}
	}
}

// address is a URL without what can be secret in it.
func address(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "an address that cannot be read"
	}
	return oneLine((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), 200)
}

// plainText takes the tags out of the paragraphs that ZAP writes.
func plainText(s string) string {
	return strings.NewReplacer("<p>", "", "</p>", " ").Replace(s)
}
