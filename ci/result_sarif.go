package ci

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"verdict"
)

func isSARIF(top datum) bool {
	if _, ok := top.v.(object); !ok {
		return false
	}
	schema, _ := top.get("$schema").v.(string)
	_, runs := top.v.(object)["runs"]
	return runs && (strings.Contains(strings.ToLower(schema), "sarif") || top.has("version"))
}

// readSARIF reads SARIF 2.1.0 (OASIS). A run without results did not look for any
// (section 3.14.23), and one whose results are elsewhere holds none that could be judged.
func readSARIF(r *resultReader, top datum) {
	if v := top.text("version"); v != "2.1.0" {
		top.get("version").wrong("2.1.0, the only version of SARIF that is read")
		return
	}
	runs := top.get("runs").objects()
	if len(runs) == 0 {
		r.open("", "the report holds no run: nothing says that anything was looked at")
	}
	for _, run := range runs {
		s := &sarifRun{r: r, run: run, rules: map[string]datum{}}
		s.read()
	}
	if len(runs) > 0 {
		r.aside("", "SARIF does not say which files were looked at")
	}
}

type sarifRun struct {
	r     *resultReader
	run   datum
	rules map[string]datum // by id
	list  []datum          // of the driver, by index
	files []datum          // what results name by an index
}

func (s *sarifRun) read() {
	driver := s.run.dig("tool", "driver")
	if !driver.has("name") {
		driver.wrong("a tool with a name")
		return
	}
	s.r.by(driver.text("name"), cmp.Or(driver.text("semanticVersion"), driver.text("version")))
	s.list, s.files = driver.get("rules").objects(), s.run.get("artifacts").objects()
	for _, component := range append(s.run.dig("tool", "extensions").objects(), driver) {
		for _, rule := range component.get("rules").objects() {
			s.rules[rule.text("id")] = rule
		}
	}
	for _, i := range s.run.get("invocations").objects() {
		s.invocation(i)
	}
	switch results := s.run.get("results"); {
	case s.run.dig("externalPropertyFileReferences").has("results"):
		s.r.open("", "the results of a run of %s are in another file: give a report that holds them", s.r.report.Tool.Name)
	case results.v == nil:
		s.r.open("", "a run of %s holds no list of results: it did not look for any", s.r.report.Tool.Name)
	default:
		for _, x := range results.objects() {
			s.result(x)
		}
	}
}

func (s *sarifRun) invocation(i datum) {
	if !i.flag("executionSuccessful", false) {
		s.r.open("", "the tool says that it did not run to a good end: %s", cmp.Or(i.text("exitCodeDescription"), i.text("exitSignalName"), "it gives no reason"))
	}
	for _, kind := range []string{"toolExecutionNotifications", "toolConfigurationNotifications"} {
		for _, n := range i.get(kind).objects() {
			text := cmp.Or(n.dig("message", "text").str(), n.dig("descriptor", "id").str(), "a notification without text")
			where := ""
			if places := n.get("locations").objects(); len(places) > 0 {
				where = s.r.place(s.uri(places[0].dig("physicalLocation", "artifactLocation")))
			}
			if n.text("level") == "error" {
				s.r.open(where, "the tool says: %s", text)
			} else if n.text("level") == "warning" {
				s.r.aside(where, "the tool says: %s", text)
			}
		}
	}
}

func (s *sarifRun) result(x datum) {
	kind := cmp.Or(x.text("kind"), "fail")
	if slices.Contains([]string{"pass", "notApplicable", "informational"}, kind) || x.text("baselineState") == "absent" {
		return
	}
	id, rule := s.rule(x)
	level := cmp.Or(x.text("level"), rule.dig("defaultConfiguration", "level").str(), "warning")
	severity := severityWord(level)
	if score, ok := rule.dig("properties", "security-severity").number(); ok {
		severity = severityScore(score)
	}
	if kind != "fail" { // "open" and "review": the tool could not tell
		severity = verdict.SeverityUnknown
	}
	h := verdict.Hit{
		Detector: id, Severity: severity, Fix: rule.text("helpUri"),
		Message: cmp.Or(x.dig("message", "text").str(), rule.dig("shortDescription", "text").str(), x.dig("message", "id").str()),
	}
	where := ""
	if places := x.get("locations").objects(); len(places) > 0 {
		place := places[0].get("physicalLocation")
		where, h.Line = s.uri(place.get("artifactLocation")), place.get("region").count("startLine")
	}
	if f := fingerprint(x); f != "" {
		h.Key = h.Detector + ":" + f + ":" + s.r.placeQuietly(where)
	}
	s.r.hit(h, where, suppression(x))
}

// rule finds what the tool says of a result's rule; a rule id may go on behind a slash.
func (s *sarifRun) rule(x datum) (id string, rule datum) {
	none := datum{doc: x.doc}
	id = cmp.Or(x.text("ruleId"), x.dig("rule", "id").str())
	for name := id; name != ""; {
		if rule, ok := s.rules[name]; ok {
			return id, rule
		}
		cut := strings.LastIndexByte(name, '/')
		name = name[:max(cut, 0)]
	}
	for _, index := range []datum{x.get("ruleIndex"), x.dig("rule", "index")} {
		if rule, ok := at(s.list, index); ok && !x.get("rule").has("toolComponent") {
			return cmp.Or(id, rule.text("id")), rule
		}
	}
	return id, none
}

// uri is where a result is, as far as the run itself tells.
func (s *sarifRun) uri(location datum) string {
	text := location.text("uri")
	if x, ok := at(s.files, location.get("index")); ok && text == "" {
		text = x.dig("location", "uri").str()
	}
	if strings.HasPrefix(text, "file:") {
		return text
	}
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// at is the entry of a list that a document names by its index; -1 stands for none.
func at(list []datum, index datum) (datum, bool) {
	i, ok := index.number()
	if !ok || i < 0 || i >= float64(len(list)) {
		return datum{}, false
	}
	return list[int(i)], true
}

// fingerprint is the tool's own mark of a finding, shortened. Of partial fingerprints the
// one with a standard meaning is taken: some tools put the name and mail address of a
// commit's author there.
func fingerprint(x datum) string {
	said := ""
	if all, ok := x.get("fingerprints").v.(object); ok && len(all) > 0 {
		said = x.get("fingerprints").text(slices.Sorted(maps.Keys(all))[0])
	}
	if all, ok := x.get("partialFingerprints").v.(object); ok && said == "" {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if strings.HasPrefix(name, "primaryLocationLineHash") {
				said = x.get("partialFingerprints").text(name)
			}
		}
	}
	if said == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(said))
	return hex.EncodeToString(sum[:8])
}

// suppression says how a result was suppressed; "" where it stands. What is under review
// or was rejected does not suppress anything for the tool either.
func suppression(x datum) string {
	for _, s := range x.get("suppressions").objects() {
		if status := cmp.Or(s.text("status"), "accepted"); status == "accepted" {
			return cmp.Or(map[string]string{"inSource": "in the source", "external": "in the tool's settings"}[s.text("kind")], "in a way that it does not name")
		}
	}
	return ""
}

// placeQuietly is place for a key: what lies outside is told with the finding itself.
func (r *resultReader) placeQuietly(where string) string {
	before := len(r.outside)
	p := r.place(where)
	r.outside = r.outside[:before]
	return p
}

// hashed is the short digest of what tells findings apart, for keys.
func hashed(parts ...string) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q", parts)))
	return hex.EncodeToString(sum[:8])
}
