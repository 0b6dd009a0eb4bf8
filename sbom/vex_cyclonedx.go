package sbom

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"verdict"
)

// cdxStatus gives CycloneDX's states of an analysis in OpenVEX's words. A false positive
// is said to be one for a reason, which is asked for like that of not_affected.
var cdxStatus = map[string]VEXStatus{
	"resolved": Fixed, "resolved_with_pedigree": Fixed, "exploitable": Affected, "in_triage": UnderInvestigation,
	"false_positive": NotAffected, "not_affected": NotAffected,
}

// cdxJustification gives its justifications. What requires something that is not there is
// never reached; only code that is absent is said to be absent.
var cdxJustification = map[string]string{
	"code_not_present": "vulnerable_code_not_present", "code_not_reachable": "vulnerable_code_not_in_execute_path",
	"requires_configuration": "vulnerable_code_not_in_execute_path", "requires_dependency": "vulnerable_code_not_in_execute_path",
	"requires_environment":  "vulnerable_code_cannot_be_controlled_by_adversary",
	"protected_by_compiler": "inline_mitigations_already_exist", "protected_at_runtime": "inline_mitigations_already_exist",
	"protected_at_perimeter": "inline_mitigations_already_exist", "protected_by_mitigating_control": "inline_mitigations_already_exist",
}

type cdxNamed struct {
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Hashes     []cdxHash  `json:"hashes"`
	Components []cdxNamed `json:"components"`
}

type cdxAffects struct {
	Ref      string `json:"ref"`
	Versions []struct {
		Version string `json:"version"`
		Range   string `json:"range"`
		Status  string `json:"status"`
	} `json:"versions"`
}

type cdxVulnerability struct {
	ID         string `json:"id"`
	References []struct {
		ID string `json:"id"`
	} `json:"references"`
	Analysis *struct {
		State         string    `json:"state"`
		Justification string    `json:"justification"`
		Detail        string    `json:"detail"`
		FirstIssued   time.Time `json:"firstIssued"`
		LastUpdated   time.Time `json:"lastUpdated"`
	} `json:"analysis"`
	Recommendation string       `json:"recommendation"`
	Affects        []cdxAffects `json:"affects"`
}

// cycloneDX reads the vulnerabilities of a CycloneDX document. What they are in is its
// subject, and what affects names is a part of that.
func (r *vexReader) cycloneDX(raw []byte) error {
	var doc struct {
		Serial   string `json:"serialNumber"`
		Metadata struct {
			Timestamp time.Time `json:"timestamp"`
			Component cdxNamed  `json:"component"`
			Authors   []struct {
				Name string `json:"name"`
			} `json:"authors"`
		} `json:"metadata"`
		Components      []cdxNamed         `json:"components"`
		Vulnerabilities []cdxVulnerability `json:"vulnerabilities"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return vexShape(err)
	}
	r.doc.Form, r.doc.ID = "CycloneDX", cutText(doc.Serial)
	if len(doc.Metadata.Authors) > 0 {
		r.doc.Author = cutText(doc.Metadata.Authors[0].Name)
	}
	b := cdxBill{subject: doc.Metadata.Component, known: map[string]VEXProduct{}}
	if err := b.learn(append([]cdxNamed{doc.Metadata.Component}, doc.Components...)); err != nil {
		return err
	}
	for _, x := range doc.Vulnerabilities {
		if x.Analysis == nil || x.Analysis.State == "" {
			r.remark("%s has no state of analysis, and nothing is stated of it", cutText(x.ID))
			continue
		}
		s, err := r.cdxStatement(x, doc.Metadata.Timestamp, b)
		if err != nil {
			return err
		}
		if len(x.Affects) > 0 && len(s.Products) == 0 {
			r.remark("%s names ranges of versions alone, which are not evaluated", cutText(x.ID))
			continue
		}
		if err := r.add(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *vexReader) cdxStatement(x cdxVulnerability, issued time.Time, b cdxBill) (VEXStatement, error) {
	a := x.Analysis
	s := VEXStatement{Vulnerabilities: []string{x.ID}, Impact: a.Detail, Action: x.Recommendation}
	for _, ref := range x.References {
		s.Vulnerabilities = append(s.Vulnerabilities, ref.ID)
	}
	var known bool
	if s.Status, known = cdxStatus[a.State]; !known {
		return s, vexInvalid(fmt.Sprintf("%s: %q is no state of an analysis", cutText(x.ID), cutText(a.State)), "write one of CycloneDX's: not_affected, exploitable, resolved, in_triage …")
	}
	if s.Justification, known = cdxJustification[a.Justification]; !known && a.Justification != "" {
		return s, vexInvalid(fmt.Sprintf("%s: %q is no justification", cutText(x.ID), cutText(a.Justification)), "write one of CycloneDX's: code_not_present, code_not_reachable …")
	}
	for _, at := range []time.Time{a.LastUpdated, a.FirstIssued, issued} {
		if s.At.IsZero() {
			s.At = at
		}
	}
	for _, affects := range x.Affects {
		list, err := b.products(affects, s.Status)
		if err != nil {
			return s, err
		}
		s.Products = append(s.Products, list...)
	}
	if len(x.Affects) == 0 && !b.subject.empty() {
		s.Products = []VEXProduct{b.subject.product()}
	}
	return s, nil
}

// cdxBill is what a document lists, by the references within it.
type cdxBill struct {
	subject cdxNamed
	known   map[string]VEXProduct
	n       int
}

func (c cdxNamed) empty() bool { return c.Ref == "" && c.Name == "" && c.PURL == "" }

func (c cdxNamed) product() VEXProduct {
	p := VEXProduct{}
	for _, h := range c.Hashes {
		p.Digests = digestsOf(h.Algorithm, h.Content, p.Digests)
	}
	p.name(c.PURL)
	if _, err := verdict.ParseDigest(c.Ref); err == nil || strings.HasPrefix(c.Ref, "pkg:") {
		p.name(c.Ref) // any other reference means something in its document alone
	}
	if c.PURL == "" && c.Version == "" {
		p.name(c.Name) // a name with a version is the name of one version, which nothing else names so
	}
	return p
}

func (b *cdxBill) learn(list []cdxNamed) error {
	for _, c := range list {
		if b.n++; b.n > maxVEXProducts {
			return vexLimit(fmt.Sprintf("it lists more than %d components", maxVEXProducts))
		}
		if c.Ref != "" {
			if _, twice := b.known[c.Ref]; twice {
				return vexInvalid(fmt.Sprintf("two components have the bom-ref %q", cutText(c.Ref)), "give each component a bom-ref of its own")
			}
			b.known[c.Ref] = c.product()
		}
		if err := b.learn(c.Components); err != nil {
			return err
		}
	}
	return nil
}

// products are what an element of affects names: the component, in the versions that it
// lists one by one. A range is none of them.
func (b *cdxBill) products(a cdxAffects, status VEXStatus) ([]VEXProduct, error) {
	ref := a.Ref
	if link, ok := strings.CutPrefix(ref, "urn:cdx:"); ok { // BOM-Link: serial/version#ref
		if _, fragment, there := strings.Cut(link, "#"); there {
			if text, err := url.PathUnescape(fragment); err == nil {
				ref = text
			}
		}
	}
	part, known := b.known[ref]
	switch {
	case ref == "":
		return nil, vexInvalid("an element of affects names nothing", "give it the bom-ref of a component in ref")
	case !known && (strings.HasPrefix(ref, "pkg:") || ref != a.Ref):
		part.name(ref)
	case !known:
		return nil, vexInvalid(fmt.Sprintf("no component has the bom-ref %q that affects names", cutText(ref)), "list the component, or name it by its package URL")
	}
	var parts []VEXProduct
	for _, v := range a.Versions {
		if v.Version != "" && (v.Status == "" || (v.Status == "unaffected") == status.Excuses()) {
			parts = append(parts, part.inVersion(v.Version))
		}
	}
	if len(a.Versions) == 0 {
		parts = []VEXProduct{part}
	}
	if b.subject.empty() || ref == b.subject.Ref {
		return parts, nil
	}
	if len(parts) == 0 {
		return nil, nil
	}
	whole := b.subject.product()
	whole.Parts = parts
	return []VEXProduct{whole}, nil
}

// inVersion is the product in one version: its package URLs alone can say that.
func (p VEXProduct) inVersion(version string) VEXProduct {
	out := VEXProduct{}
	for _, name := range p.Names {
		if u, err := ParsePURL(name); err == nil && (u.Version == "" || u.Version == version) {
			u.Version = version
			out.name(u.String())
		}
	}
	return out
}
